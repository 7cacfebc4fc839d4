import assert from 'node:assert/strict'
import jsQR from 'jsqr'
import { PNG } from 'pngjs'
import { closeOrder, simulator } from '../../../test/frontends/wechat/environment.mjs'
import { eventually } from '../../../test/frontends/wechat/phone.mjs'
import { opened } from './browser.mjs'

const wide = { width: 1280, height: 800 }

/** scanned is what a phone reads from the screen. */
async function scanned(visitor) {
  const code = visitor.page.locator('#code svg')
  await code.waitFor()
  const { data, width, height } = PNG.sync.read(await code.screenshot())
  return jsQR(new Uint8ClampedArray(data), width, height)?.data
}

opened('desktop: a QR code, and paid when somebody has scanned it', { viewport: wide }, async visitor => {
  await visitor.open()
  await visitor.buy()
  await visitor.says('请用微信扫码支付')
  assert.equal(await simulator.scan(await scanned(visitor)), undefined)
  await visitor.says('支付成功')
  const order = await visitor.orderAtWeChat()
  assert.equal(order.state, 'SUCCESS')
  assert.equal(order.trade_type, 'NATIVE')
  assert.equal(await visitor.page.locator('#code svg').count(), 0)
})

opened('desktop: the QR code can be scanned in the dark too', { viewport: wide }, async visitor => {
  await visitor.page.emulateMedia({ colorScheme: 'dark' })
  await visitor.open()
  await visitor.buy()
  const [prepay] = (await eventually('the order is there', async () => await scanned(visitor) && visitor.orderAtWeChat())).prepays
  assert.equal(await scanned(visitor), prepay.code_url)
})

opened('desktop: clicked twice, one order; bought again after going back, the same', { viewport: wide }, async visitor => {
  await visitor.open()
  await visitor.buy(2)
  await visitor.says('请用微信扫码支付')
  const first = await visitor.orderNumber()
  await visitor.page.locator('#close').click()
  await visitor.page.locator('#checkout').waitFor({ state: 'hidden' })
  await visitor.buy()
  await visitor.says('请用微信扫码支付')
  assert.equal(await visitor.orderNumber(), first)
  assert.equal((await visitor.orderAtWeChat()).total_fee, await priceOf(visitor))
})

opened('desktop: the network is lost while it waits', { viewport: wide }, async visitor => {
  await visitor.open()
  await visitor.buy()
  const code = await scanned(visitor)
  await visitor.context.setOffline(true)
  await visitor.says('网络不通，正在重试')
  assert.equal(await simulator.scan(code), undefined)
  await visitor.context.setOffline(false)
  await visitor.says('支付成功')
})

opened('desktop: the order ends', { viewport: wide }, async visitor => {
  await visitor.open()
  await visitor.buy()
  await visitor.says('请用微信扫码支付')
  await closeOrder(await visitor.orderNumber())
  await visitor.says('订单已结束')
  assert.equal(await visitor.offers('again'), false)
})

opened('desktop: the session has expired: logs in once more', { viewport: wide }, async visitor => {
  await visitor.open()
  await visitor.page.evaluate(() => {
    localStorage.setItem('session of Desktop', JSON.stringify({ token: 'a-token-of-yesterday', until: Date.now() + 3600_000 }))
  })
  await visitor.buy()
  await visitor.says('请用微信扫码支付')
})

opened('desktop: no network, and then one', { viewport: wide }, async visitor => {
  await visitor.open()
  await visitor.context.setOffline(true)
  await visitor.buy()
  await visitor.complains('网络不通')
  await visitor.context.setOffline(false)
  await visitor.buy()
  await visitor.says('请用微信扫码支付')
})

opened('desktop: the number that is typed is what is bought', { viewport: wide }, async visitor => {
  await visitor.open()
  await visitor.page.locator('#goods input').first().fill('0')
  await visitor.buy()
  await visitor.page.locator('#goods input').first().fill('3')
  await visitor.buy()
  await visitor.says('请用微信扫码支付')
  assert.equal((await visitor.orderAtWeChat()).total_fee, 3 * await priceOf(visitor))
})

async function priceOf(visitor) {
  const text = await visitor.page.locator('#goods .price').first().textContent()
  return Number(text.replace(/[¥.]/g, ''))
}
