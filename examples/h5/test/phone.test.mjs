import assert from 'node:assert/strict'
import { environment, simulator } from '../../../test/frontends/wechat/environment.mjs'
import { eventually } from '../../../test/frontends/wechat/phone.mjs'
import { agents, opened } from './browser.mjs'

/** wechatOpens answers as wx.tenpay.com, which opens WeChat and comes back after some seconds. */
async function wechatOpens(visitor, then) {
  const visits = []
  await visitor.context.route('https://wx.tenpay.com/**', async route => {
    const asked = new URL(route.request().url())
    visits.push({ asked, headers: await route.request().allHeaders() })
    const back = asked.searchParams.get('redirect_url')
    await then(new URL(back).searchParams.get('order'))
    await route.fulfill({ status: 302, headers: { location: back } })
  })
  return visits
}

opened('phone: goes to WeChat, comes back paid', { agent: agents.phone }, async visitor => {
  const visits = await wechatOpens(visitor, number => simulator.pay(number))
  await visitor.open()
  await visitor.buy()
  await visitor.says('支付成功')
  const order = await visitor.orderAtWeChat()
  assert.equal(order.state, 'SUCCESS')
  assert.equal(order.trade_type, 'MWEB')
  // WeChat takes the page only from a domain that the merchant has registered, by this header.
  assert.ok(visits[0].headers.referer.startsWith(environment.shopURL), visits[0].headers.referer)
  assert.ok(order.prepays.some(({ mweb_url: address }) => visits[0].asked.href.startsWith(address)))
})

opened('phone: comes back without having paid, and pays then', { agent: agents.phone }, async visitor => {
  let pays = false
  await wechatOpens(visitor, number => pays && simulator.pay(number))
  await visitor.open()
  await visitor.buy()
  await visitor.says('尚未支付')
  const first = await visitor.orderNumber()
  assert.equal((await visitor.orderAtWeChat()).state, 'NOTPAY')
  pays = true
  await visitor.again()
  await visitor.says('支付成功')
  assert.equal(await visitor.orderNumber(), first)
})

opened('phone: paid a moment later, and asked for by hand', { agent: agents.phone }, async visitor => {
  await wechatOpens(visitor, () => {})
  await visitor.open()
  await visitor.buy()
  await visitor.says('尚未支付')
  assert.equal(await simulator.pay(await visitor.orderNumber()), undefined)
  await eventually('the shop says that it is paid', async () => {
    if (await visitor.offers('check')) {
      await visitor.check()
    }
    return await visitor.page.locator('#state').textContent() === '支付成功'
  })
})

opened('phone: an order of another browser is not shown', { agent: agents.phone }, async visitor => {
  await visitor.open('/?order=order-of-nobody')
  await visitor.complains('没有找到这个订单')
})
