import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, test } from 'node:test'
import { chromium } from 'playwright-core'
import { environment, loginCode, simulator } from '../../../test/frontends/wechat/environment.mjs'

export const agents = {
  miniProgram: 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.60(0x18003c2f) NetType/WIFI Language/zh_CN miniProgram/wxd678efh567hg6787',
  officialAccount: 'Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/130.0.0.0 Mobile Safari/537.36 XWEB/1300333 MMWEBSDK/20250201 MicroMessenger/8.0.58.2841(0x28003A35) WeChat/arm64 NetType/WIFI Language/zh_CN ABI/arm64',
  phone: 'Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36',
}

let browser
before(async () => {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: process.getuid() === 0 ? ['--no-sandbox'] : [],
  })
})
after(() => browser.close())

/** opened runs a test in a browser of its own, which fails it for whatever the page complains about. */
export function opened(what, { agent, locale = 'zh-CN', viewport = { width: 375, height: 667 } }, run) {
  test(what, async t => {
    const context = await browser.newContext({ userAgent: agent, locale, viewport })
    t.after(() => context.close())
    context.setDefaultTimeout(30_000)
    const complaints = []
    context.on('weberror', ({ error }) => complaints.push(error().message))
    context.on('console', message => {
      // The browser itself writes a line for each answer of 400 and more, and for each lost request.
      if (['error', 'warning'].includes(message.type()) && !message.text().startsWith('Failed to load resource')) {
        complaints.push(message.text())
      }
    })
    const page = await context.newPage()
    await run(new Visitor(page, context))
    assert.deepEqual(complaints, [])
  })
}

/** Visitor is a person at the page. */
export class Visitor {
  openID = `openid-${randomUUID()}`

  constructor(page, context) {
    Object.assign(this, { page, context })
  }

  async open(address = '/') {
    await this.page.goto(environment.shopURL + address)
    await this.goods()
  }

  /** openLoggedIn opens the page in an official account, where it leaves to log in and comes back. */
  async openLoggedIn() {
    await this.open()
    await this.page.waitForFunction(() => localStorage.getItem('session of OfficialAccount'))
  }

  goods() {
    return this.page.locator('#goods button').first().waitFor()
  }

  async buy(times = 1) {
    const button = this.page.locator('#goods button').first()
    // The page moves when the first click shows the checkout, so that a second one by the mouse would miss the button.
    await (times === 2 ? button.evaluate(element => { element.click(); element.click() }) : button.click())
  }

  again() { return this.page.locator('#again').click() }

  check() { return this.page.locator('#check').click() }

  /** says waits until the state of the payment is said in these words. */
  says(words) {
    return this.page.locator('#state', { hasText: words }).waitFor()
  }

  /** complains waits until the page says that something went wrong. */
  complains(words) {
    return this.page.locator('#message', { hasText: words }).waitFor()
  }

  async offers(id) {
    return this.page.locator(`#${id}`).isVisible()
  }

  /** orderNumber is what the page shows. */
  async orderNumber() {
    return /[0-9a-z-]{6,32}$/.exec(await this.page.locator('#what').textContent())[0]
  }

  async orderAtWeChat() {
    return simulator.order(await this.orderNumber())
  }

  /** bridge is WeChat around the page: work(name, data) answers each call of WeixinJSBridge. */
  async bridge(work, { late = false } = {}) {
    await this.context.exposeFunction('wechatAnswers', work)
    const add = () => {
      window.WeixinJSBridge = {
        invoke: (name, data, then) => { void window.wechatAnswers(name, data).then(answer => then?.(answer)) },
        on: () => {},
      }
      document.dispatchEvent(new Event('WeixinJSBridgeReady'))
    }
    if (late) {
      this.addBridge = () => this.page.evaluate(add)
    } else {
      await this.context.addInitScript(add)
    }
  }

  /** authorizes answers as open.weixin.qq.com: it sends the payer back with a code. */
  async authorizes(change = query => query) {
    this.authorized = []
    await this.context.route('https://open.weixin.qq.com/**', async route => {
      const asked = new URL(route.request().url())
      this.authorized.push(asked)
      const back = new URL(asked.searchParams.get('redirect_uri'))
      const query = change({ code: await loginCode(this.openID, environment.officialAccountAppID), state: asked.searchParams.get('state') })
      for (const [name, value] of Object.entries(query)) {
        back.searchParams.set(name, value)
      }
      await route.fulfill({ status: 302, headers: { location: back.href } })
    })
  }
}
