// What a mini program's pages have to do, whatever they are written in and run in.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { closeOrder, environment, phone as newPhone, simulator } from './environment.mjs'
import { eventually } from './phone.mjs'

const goods = '/pages/shop/shop'
const orders = '/pages/orders/orders'
const payPage = '/pages/Pay/Pay'

/**
 * pagesPay tests an app. start(phone) runs the app on a phone and gives { open(route, query), stored, close() }; a page that it
 * opens has { has(selector), tap(selector, times), text(), html(), show() }.
 */
export function pagesPay(name, start) {
  const onPhone = (what, run) => test(`${name}: ${what}`, async t => {
    const openID = `openid-${randomUUID()}`
    const phone = newPhone(openID)
    const app = await start(phone)
    t.after(() => app.close())
    await run(new Visit(phone, app, openID), t)
  })

  onPhone('paid', async visit => {
    const pay = await visit.buy()
    await visit.shows(pay, '支付成功')
    const [order] = await visit.ordersAtWeChat()
    assert.equal(order.state, 'SUCCESS')
    assert.equal(order.total_fee, (await catalogue())[0].price, 'the price is the shop\'s')
    assert.ok(!(await visit.kept()).includes(visit.openID), 'the phone keeps no openid')
  })

  onPhone('cancelled, and paid after all', async visit => {
    visit.phone.payer = 'Cancels'
    const pay = await visit.buy()
    await visit.shows(pay, '支付已取消')
    visit.phone.payer = 'Pays'
    await pay.tap('.pay')
    await visit.shows(pay, '支付成功')
    const [order, ...more] = await visit.ordersAtWeChat()
    assert.equal(order.cancelled, 1)
    assert.equal(more.length, 0)
  })

  const spoiled = {
    'a signature that does not fit': payInfo => ({ ...payInfo, paySign: payInfo.paySign.slice(1) + payInfo.paySign[0] }),
    'a time that is not what was signed': payInfo => ({ ...payInfo, timeStamp: String(Number(payInfo.timeStamp) + 1) }),
    'a time that is a number': payInfo => ({ ...payInfo, timeStamp: Number(payInfo.timeStamp) }),
  }
  for (const [what, spoil] of Object.entries(spoiled)) {
    onPhone(`refused by WeChat for ${what}`, async visit => {
      visit.phone.tamper = (_path, body) => body.payInfo ? { ...body, payInfo: spoil(body.payInfo) } : body
      const pay = await visit.buy()
      await visit.shows(pay, '微信没有受理这次支付')
      assert.equal((await visit.ordersAtWeChat())[0].state, 'NOTPAY')
      visit.phone.tamper = (_path, body) => body
      await pay.tap('.pay')
      await visit.shows(pay, '支付成功')
    })
  }

  onPhone('a success that WeChat Pay knows nothing of is no payment', async visit => {
    visit.phone.payer = 'Lies'
    const pay = await visit.buy()
    await visit.shows(pay, '暂未收到支付结果')
    assert.ok(!await pay.has('.pay'), 'whoever may have paid is not asked to pay again')
    assert.equal((await visit.ordersAtWeChat())[0].state, 'NOTPAY')
  })

  onPhone('the answer about the order is lost: the same order the second time', async visit => {
    const page = await visit.goods()
    visit.phone.loses = path => path === '/createdOrder' ? 'Answer' : ''
    await page.tap('.buy')
    await visit.shows(page, '网络不通')
    visit.phone.loses = () => ''
    await page.tap('.buy')
    await visit.shows(await visit.payPage(), '支付成功')
    assert.equal((await visit.ordersAtWeChat()).length, 1)
  })

  onPhone('the network is lost after the payment: the shop is asked, and nobody pays twice', async visit => {
    visit.phone.loses = path => path.startsWith('/orders/') ? 'Request' : ''
    const pay = await visit.buy()
    await visit.shows(pay, '暂未收到支付结果')
    assert.ok(!await pay.has('.pay'))
    visit.phone.loses = () => ''
    await pay.tap('.check')
    await visit.shows(pay, '支付成功')
    assert.equal(visit.phone.called('requestPayment').length, 1)
  })

  onPhone('no network at all', async visit => {
    visit.phone.loses = () => 'Request'
    const page = await visit.app.open(goods)
    await visit.shows(page, '网络不通')
    visit.phone.loses = () => ''
    await page.show()
    await eventually('the goods are shown', () => page.has('.buy'))
  })

  onPhone('tapped twice: one order, one payment', async visit => {
    visit.phone.payer = 'Cancels'
    const page = await visit.goods()
    await page.tap('.buy', 2)
    const pay = await visit.payPage()
    await visit.shows(pay, '支付已取消')
    assert.equal(visit.phone.sent('POST', '/createdOrder').length, 1)
    assert.equal((await visit.ordersAtWeChat()).length, 1)
    visit.phone.payer = 'Pays'
    await pay.tap('.pay', 2)
    await visit.shows(pay, '支付成功')
    assert.equal(visit.phone.called('requestPayment').length, 2, 'one that was cancelled, and one')
  })

  onPhone('the session has expired: logs in once more', async visit => {
    await visit.openOrders()
    await visit.app.stored.set('session', JSON.stringify({ token: 'a-token-of-yesterday', until: Date.now() + 3600_000 }))
    await visit.shows(await visit.buy(), '支付成功')
    assert.equal(visit.phone.called('login').length, 2)
    assert.equal((await visit.ordersAtWeChat()).length, 1)
  })

  onPhone('a login that is refused is not tried for ever', async visit => {
    visit.phone.loginCode = async () => 'a-code-of-nobody'
    const page = await visit.goods()
    await page.tap('.buy')
    await visit.shows(page, '登录失败')
    assert.equal(visit.phone.called('login').length, 1)
  })

  onPhone('the order has ended: nothing to pay', async visit => {
    visit.phone.payer = 'Cancels'
    const pay = await visit.buy()
    await visit.shows(pay, '支付已取消')
    await closeOrder(visit.number)
    visit.phone.payer = 'Pays'
    await eventually('the shop has heard that it has ended', async () => {
      if (await pay.has('.pay')) {
        await pay.tap('.pay')
      }
      return (await pay.text()).includes('订单已结束')
    })
    assert.notEqual((await visit.ordersAtWeChat())[0].state, 'SUCCESS')
    assert.ok(!await pay.has('.pay'))
  })

  onPhone('an order of somebody else is not there', async visit => {
    visit.phone.payer = 'Cancels'
    await visit.shows(await visit.buy(), '支付已取消')
    const other = newPhone()
    const app = await start(other)
    try {
      await visit.shows(await app.open(payPage, { orderNumber: visit.number }), '没有找到这个订单')
      await visit.shows(await app.open(payPage, { orderNumber: '../login' }), '没有找到这个订单')
      assert.equal(other.called('requestPayment').length, 0)
    } finally {
      await app.close()
    }
  })

  onPhone('a refund is requested, once', async visit => {
    await visit.shows(await visit.buy(), '支付成功')
    const page = await visit.openOrders()
    await visit.shows(page, '已支付')
    visit.phone.modal = { confirm: true, content: '颜色不对' }
    await page.tap('.refund-request', 2)
    await visit.shows(page, '退款待审核')
    const requests = visit.phone.sent('POST', `/orders/${visit.number}/refund`)
    assert.equal(requests.length, 1)
    assert.equal(JSON.parse(requests[0].data).reason, '颜色不对')
    assert.ok(!await page.has('.refund-request'))
  })

  onPhone('a refund that the payer thinks better of is not requested', async visit => {
    await visit.shows(await visit.buy(), '支付成功')
    const page = await visit.openOrders()
    visit.phone.modal = { confirm: false, content: '' }
    await page.tap('.refund-request')
    await eventually('the dialog was left', () => visit.phone.called('showModal').length)
    await page.show()
    await eventually('the orders are read again', () => visit.phone.sent('GET', '/orders').length === 2)
    assert.equal(visit.phone.sent('POST', `/orders/${visit.number}/refund`).length, 0)
  })

  onPhone('an order that was left is paid from the list', async visit => {
    visit.phone.payer = 'Cancels'
    await visit.shows(await visit.buy(), '支付已取消')
    visit.phone.payer = 'Pays'
    const page = await visit.openOrders()
    await visit.shows(page, '待支付')
    await page.tap('.pay')
    await visit.shows(await visit.payPage(2), '支付成功')
    await page.show()
    await visit.shows(page, '已支付')
  })

  onPhone('the web-view gets a ticket, which works once', async visit => {
    const page = await visit.app.open('/pages/web/web')
    const html = await eventually('the web-view is there', async () => (await page.html()).includes('#ticket=') && page.html())
    const [, ticket] = /#ticket=([^"&<]+)/.exec(html)
    const logIn = async () => (await post('/login', { ticket })).code
    assert.equal(await logIn(), 0)
    assert.notEqual(await logIn(), 0)
  })
}

// Visit is one payer who uses the app.
class Visit {
  constructor(phone, app, openID) {
    Object.assign(this, { phone, app, openID })
  }

  async goods() {
    const page = await this.app.open(goods)
    await eventually('the goods are shown', () => page.has('.buy'))
    return page
  }

  async openOrders() {
    const page = await this.app.open(orders)
    await eventually('the orders are shown', async () => await page.has('.order') || (await page.text()).includes('还没有订单'))
    return page
  }

  /** buy taps the first of the goods, and follows to the page that pays. */
  async buy() {
    await (await this.goods()).tap('.buy')
    return this.payPage()
  }

  /** payPage opens the page that the app went to, by its address as it is. */
  async payPage(visits = 1) {
    const { url } = await eventually('the page that pays is opened', () => this.phone.called('navigateTo')[visits - 1])
    const address = new URL(url, 'https://app')
    assert.equal(address.pathname, payPage)
    assert.deepEqual([...address.searchParams.keys()], ['orderNumber'])
    this.number = address.searchParams.get('orderNumber')
    return this.app.open(payPage, Object.fromEntries(address.searchParams))
  }

  async shows(page, words) {
    await eventually(`the page shows ${words}`, async () => (await page.text()).includes(words)).catch(async error => {
      throw new Error(`${error.message}; it shows ${await page.text()}`)
    })
  }

  async kept() {
    return JSON.stringify([...await this.app.stored.entries()])
  }

  async ordersAtWeChat() {
    return (await simulator.orders()).filter(order => order.openid === this.openID)
  }
}

async function catalogue() {
  return (await (await fetch(`${environment.shopURL}/catalog`)).json()).products
}

async function post(path, data) {
  const answer = await fetch(environment.shopURL + path, {
    method: 'POST', body: JSON.stringify(data), headers: { 'content-type': 'application/json' },
  })
  return answer.json()
}
