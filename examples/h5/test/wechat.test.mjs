import assert from 'node:assert/strict'
import { environment, loginCode, simulator } from '../../../test/frontends/wechat/environment.mjs'
import { eventually } from '../../../test/frontends/wechat/phone.mjs'
import { agents, opened } from './browser.mjs'

/** payment is getBrandWCPayRequest: the simulator verifies what the page hands over, and pays. */
function payment({ cancel = false, spoil = data => data } = {}) {
  return async (name, data) => {
    if (name !== 'getBrandWCPayRequest') {
      return { err_msg: `${name}:fail` }
    }
    if (Object.values(data).some(value => typeof value !== 'string')) {
      return { err_msg: 'get_brand_wcpay_request:fail' }
    }
    const refused = await simulator.requestPayment({ ...spoil(data), cancel })
    return { err_msg: `get_brand_wcpay_request:${refused ? 'fail' : cancel ? 'cancel' : 'ok'}` }
  }
}

opened('official account: logs in by OAuth2, waits for the bridge, pays', { agent: agents.officialAccount }, async visitor => {
  await visitor.authorizes()
  await visitor.bridge(payment(), { late: true })
  await visitor.openLoggedIn()
  assert.equal(visitor.authorized[0].searchParams.get('scope'), 'snsapi_base')
  assert.equal(visitor.authorized[0].searchParams.get('appid'), environment.officialAccountAppID)
  assert.ok(!visitor.page.url().includes('code='), 'the code is out of the address')
  await visitor.buy()
  await visitor.says('正在支付')
  await visitor.addBridge()
  await visitor.says('支付成功')
  const order = await visitor.orderAtWeChat()
  assert.equal(order.state, 'SUCCESS')
  assert.equal(order.trade_type, 'JSAPI')
  assert.equal(order.openid, visitor.openID)
  assert.equal(order.appid, environment.officialAccountAppID)
  const kept = await visitor.page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]))
  assert.ok(!kept.includes(visitor.openID), 'the page keeps no openid')
})

opened('official account: cancelled, and paid after all', { agent: agents.officialAccount }, async visitor => {
  let cancel = true
  await visitor.authorizes()
  await visitor.bridge((name, data) => payment({ cancel })(name, data))
  await visitor.openLoggedIn()
  await visitor.buy()
  await visitor.says('支付已取消')
  cancel = false
  await visitor.again()
  await visitor.says('支付成功')
  assert.equal((await visitor.orderAtWeChat()).cancelled, 1)
})

opened('official account: refused by WeChat for a wrong signature', { agent: agents.officialAccount }, async visitor => {
  let spoil = data => ({ ...data, paySign: data.paySign.slice(1) + data.paySign[0] })
  await visitor.authorizes()
  await visitor.bridge((name, data) => payment({ spoil })(name, data))
  await visitor.openLoggedIn()
  await visitor.buy()
  await visitor.says('微信没有受理这次支付')
  assert.equal((await visitor.orderAtWeChat()).state, 'NOTPAY')
  spoil = data => data
  await visitor.again()
  await visitor.says('支付成功')
})

opened('official account: an ok that WeChat Pay knows nothing of is no payment', { agent: agents.officialAccount }, async visitor => {
  await visitor.authorizes()
  await visitor.bridge(async () => ({ err_msg: 'get_brand_wcpay_request:ok' }))
  await visitor.openLoggedIn()
  await visitor.buy()
  await visitor.says('暂未收到支付结果')
  assert.equal(await visitor.offers('again'), false)
  assert.equal((await visitor.orderAtWeChat()).state, 'NOTPAY')
})

opened('official account: the session has expired: WeChat is asked again, and the purchase goes on', { agent: agents.officialAccount }, async visitor => {
  await visitor.authorizes()
  await visitor.bridge(payment())
  await visitor.openLoggedIn()
  await visitor.page.evaluate(() => {
    localStorage.setItem('session of OfficialAccount', JSON.stringify({ token: 'a-token-of-yesterday', until: Date.now() + 3600_000 }))
  })
  await visitor.buy()
  await visitor.says('支付成功')
  assert.equal(visitor.authorized.length, 2)
})

opened('official account: a code that answers no question of the page is not taken', { agent: agents.officialAccount }, async visitor => {
  await visitor.authorizes(query => ({ ...query, state: 'of-somebody-else' }))
  await visitor.open()
  await visitor.complains('登录失败')
})

opened('official account: clicked twice, one payment', { agent: agents.officialAccount }, async visitor => {
  let payments = 0
  await visitor.authorizes()
  await visitor.bridge((name, data) => {
    payments++
    return payment()(name, data)
  })
  await visitor.openLoggedIn()
  await visitor.buy(2)
  await visitor.says('支付成功')
  assert.equal(payments, 1)
})

/** miniProgram is the one around a web-view: it knows its payer, and its page /pages/Pay/Pay pays. */
async function miniProgram(visitor) {
  const post = async (path, data, token) => (await fetch(environment.shopURL + path, {
    method: 'POST', body: JSON.stringify(data),
    headers: { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) },
  })).json()
  const { token } = await post('/login', { code: await loginCode(visitor.openID), source: 'MiniProgram' })
  const opened = []
  await visitor.bridge(async (name, { name: api, arg }) => {
    assert.equal(name, 'invokeMiniProgramAPI')
    const page = new URL(arg.url, 'https://app')
    opened.push({ api, page })
    if (page.pathname === '/pages/Pay/Pay') {
      const order = await (await fetch(`${environment.shopURL}/pay/${page.searchParams.get('orderNumber')}`, { headers: { authorization: `Bearer ${token}` } })).json()
      const { appId, timeStamp, nonceStr, package: prepay, signType, paySign } = order.payInfo
      assert.equal(await simulator.requestPayment({ appId, timeStamp, nonceStr, package: prepay, signType, paySign }), undefined)
    }
    return { err_msg: `${api}:ok` }
  })
  return { opened, address: async () => `/#ticket=${(await post('/ticket', {}, token)).ticket}` }
}

opened('web-view: the mini program pays, told an order number and nothing else', { agent: agents.miniProgram }, async visitor => {
  const { opened: pages, address } = await miniProgram(visitor)
  await visitor.open(await address())
  assert.ok(!visitor.page.url().includes('ticket'), 'the ticket is out of the address')
  await visitor.buy()
  await visitor.says('支付成功')
  assert.equal(pages.length, 1)
  assert.equal(pages[0].api, 'navigateTo')
  assert.equal(pages[0].page.search, `?orderNumber=${await visitor.orderNumber()}`)
  const order = await visitor.orderAtWeChat()
  assert.equal(order.state, 'SUCCESS')
  assert.equal(order.openid, visitor.openID)
})

opened('web-view: without a ticket it has the mini program make one', { agent: agents.miniProgram }, async visitor => {
  const { opened: pages } = await miniProgram(visitor)
  await visitor.open()
  await eventually('the mini program is asked', () => pages.length)
  assert.equal(pages[0].api, 'redirectTo')
  assert.equal(pages[0].page.pathname, '/pages/web/web')
})

opened('web-view: a ticket that was used is refused, and asked for again only once', { agent: agents.miniProgram }, async visitor => {
  const { address } = await miniProgram(visitor)
  const used = await address()
  await visitor.open(used)
  await visitor.page.evaluate(() => localStorage.clear())
  await visitor.page.goto('about:blank')
  await visitor.open(used)
  await visitor.complains('登录失败')
})
