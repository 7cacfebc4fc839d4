// The pages in glass-easel, WeChat's open component framework, in Chromium: real taps, and the rules of setData and of events that
// WeChat's own framework has.
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { TmplGroup } from 'glass-easel-template-compiler'
import { chromium } from 'playwright-core'

const example = dirname(dirname(fileURLToPath(import.meta.url)))
const dist = join(example, 'dist')

/** launch bundles the pages, and gives the start of cases.mjs. */
export async function launch() {
  const [script, style] = await Promise.all([bundle(), styles()])
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: process.getuid() === 0 ? ['--no-sandbox'] : [],
  })
  return { start: phone => start(browser, script, style, phone), close: () => browser.close() }
}

async function start(browser, script, style, phone) {
  const context = await browser.newContext({ viewport: { width: 375, height: 667 }, hasTouch: true })
  const tab = await context.newPage()
  const complaints = []
  tab.on('console', message => ['warning', 'error'].includes(message.type()) && complaints.push(message.text()))
  tab.on('pageerror', error => complaints.push(error.message))
  // What is thrown has to come through as data.
  await tab.exposeFunction('phoneCall', (name, parameters) => phone.call(name, parameters).then(answer => ({ answer }), error => ({ error })))
  await tab.setContent('<!doctype html><meta name="viewport" content="width=device-width"><body></body>')
  await tab.addStyleTag({ content: style })
  await tab.addScriptTag({ content: script })
  const inTab = (number, work, ...more) => tab.evaluate(([number, work, ...more]) => window.app[work](number, ...more), [number, work, ...more])
  return {
    stored: {
      set: (key, value) => tab.evaluate(([key, value]) => window.app.stored.set(key, value), [key, value]),
      entries: async () => tab.evaluate(() => [...window.app.stored]),
    },
    async open(route, query = {}) {
      const number = await tab.evaluate(([route, query]) => window.app.open(route, query), [route.slice(1), query])
      const page = tab.locator(`#page-${number}`)
      return {
        has: async selector => await page.locator(selector).count() > 0,
        text: () => page.innerText(),
        html: () => page.innerHTML(),
        show: () => inTab(number, 'show'),
        tap: async (selector, times = 1) => {
          await tab.evaluate(number => window.app.front(number), number)
          const { x, y, width, height } = await page.locator(selector).first().boundingBox()
          const at = [x + width / 2, y + height / 2]
          await Promise.all(Array.from({ length: times }, () => tab.touchscreen.tap(...at)))
        },
      }
    },
    async close() {
      await context.close()
      if (complaints.length) {
        throw new Error(`the pages complained: ${complaints.join('\n')}`)
      }
    },
  }
}

async function bundle() {
  const { pages } = JSON.parse(await readFile(join(dist, 'app.json'), 'utf8'))
  const templates = new TmplGroup()
  for (const page of pages) {
    templates.addTmpl(page, await readFile(join(dist, `${page}.wxml`), 'utf8'))
  }
  templates.addTmpl('component', '<slot/>')
  templates.addTmpl('component/web-view', '{{src}}') // what it would open
  const generated = templates.getTmplGenObjectGroups()
  templates.free()
  const { outputFiles } = await build({
    stdin: {
      contents: `
        import { run } from ${JSON.stringify(join(example, 'test', 'runtime.mjs'))}
        run(${generated}, {${pages.map(page => `${JSON.stringify(page)}: () => require(${JSON.stringify(join(dist, `${page}.js`))})`)}})`,
      resolveDir: example,
    },
    bundle: true, write: false, format: 'iife', logLevel: 'warning',
  })
  return outputFiles[0].text
}

/** styles has the WXSS as CSS: a screen of 375 pixels is 750 rpx wide. */
async function styles() {
  const { pages } = JSON.parse(await readFile(join(dist, 'app.json'), 'utf8'))
  const sheets = await Promise.all(['app', ...pages].map(name => readFile(join(dist, `${name}.wxss`), 'utf8').catch(() => '')))
  return sheets.join('\n')
    .replaceAll(/(\d+)rpx/g, (_, size) => `${size / 2}px`)
    .replaceAll(/^page\b/gm, 'body')
    .concat('view, navigator, web-view { display: block } [hidden] { display: none }')
}
