import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { environment } from '../../../test/frontends/wechat/environment.mjs'
import { opened } from './browser.mjs'

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

for (const locale of ['zh-CN', 'en-GB']) {
  for (const colorScheme of ['light', 'dark']) {
    opened(`accessible: ${locale}, ${colorScheme}`, { locale, viewport: { width: 320, height: 568 } }, async visitor => {
      await visitor.page.emulateMedia({ colorScheme })
      await visitor.open()
      await visitor.buy()
      await visitor.page.locator('#code svg').waitFor()
      await visitor.page.evaluate(axe) // by the debugger, which a Content-Security-Policy does not concern
      const { violations } = await visitor.page.evaluate(() => window.axe.run())
      assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map(node => node.html)}`), [])
      const [content, screen] = await visitor.page.evaluate(() => [document.documentElement.scrollWidth, innerWidth])
      assert.ok(content <= screen, `${content} pixels on a screen of ${screen}`)
      assert.equal(await visitor.page.evaluate(() => document.documentElement.lang), locale === 'zh-CN' ? 'zh-CN' : 'en')
    })
  }
}

opened('accessible: by keyboard alone, and in another language on the way', {}, async visitor => {
  await visitor.open()
  await visitor.page.locator('#goods button').first().focus()
  await visitor.page.keyboard.press('Enter')
  await visitor.says('请用微信扫码支付')
  assert.equal(await visitor.page.evaluate(() => document.activeElement.id), 'checkout')
  await visitor.page.locator('#language').focus()
  await visitor.page.keyboard.press('Enter')
  await visitor.says('Scan with WeChat to pay')
  assert.equal(await visitor.page.title(), 'Soap shop')
  assert.equal(await visitor.page.evaluate(() => document.activeElement.id), 'language')
})

// What breaks the policy is an error of the console, which fails every test.
opened('the Content-Security-Policy allows nothing inline', {}, async visitor => {
  await visitor.open()
  const html = await (await fetch(`${environment.shopURL}/`)).text()
  const policy = /http-equiv="Content-Security-Policy" content="([^"]+)"/.exec(html)[1]
  assert.match(policy, /default-src 'none'; script-src 'self'; style-src 'self';/)
  assert.match(policy, /require-trusted-types-for 'script'/)
  assert.ok(!policy.includes('unsafe'))
})
