import { createRequire } from 'node:module'
import { join } from 'node:path'
import { wxOf } from './wx.mjs'

/**
 * simulated prepares miniprogram-simulate for the app that was built into a folder, and gives the start of cases.mjs. The pages
 * run in this process, on jsdom; their WXML and WXSS are compiled by WeChat's own compiler, which refuses what it does not
 * understand. The package is the example's own.
 */
export function simulated(example, folder) {
  const require = createRequire(join(example, 'package.json'))
  openDocument(require('jsdom'))
  const simulate = require('miniprogram-simulate')
  globalThis.App = app => {
    app.onLaunch?.({ path: '', query: {} })
    app.onShow?.({ path: '', query: {} })
  }
  globalThis.getApp = () => ({})
  globalThis.getCurrentPages = () => []
  // A page is a component whose functions are its methods.
  globalThis.Page = ({ data, ...options }) => Component({
    data,
    methods: Object.fromEntries(Object.entries(options).filter(([, value]) => typeof value === 'function')),
  })
  const complaints = []
  for (const level of ['warn', 'error']) {
    console[level] = (...words) => complaints.push(words.join(' '))
  }
  require(join(folder, 'app.js'))
  const loaded = new Map()
  const load = route => {
    if (!loaded.has(route)) {
      loaded.set(route, simulate.load(join(folder, route), { compiler: 'official', rootPath: folder }))
    }
    return loaded.get(route)
  }
  return async phone => {
    const { wx, stored } = wxOf((name, parameters) => phone.call(name, parameters))
    Object.assign(globalThis.wx, wx)
    const pages = []
    return {
      stored,
      async open(route, query = {}) {
        const page = simulate.render(load(route))
        page.attach(document.body.appendChild(document.createElement('div')))
        pages.push(page)
        page.instance.route = route.slice(1)
        page.instance.onLoad?.(query)
        page.instance.onShow?.()
        page.instance.onReady?.()
        return {
          has: async selector => Boolean(page.querySelector(selector)),
          text: async () => page.dom.textContent,
          html: async () => JSON.stringify(page.toJSON()),
          show: async () => page.instance.onShow?.(),
          tap: async (selector, times = 1) => {
            const element = page.querySelector(selector)
            if (!element) {
              throw new Error(`there is no ${selector} in ${page.dom.innerHTML}`)
            }
            for (let tapped = 0; tapped < times; tapped++) {
              element.dispatchEvent('tap')
            }
          },
        }
      },
      async close() {
        for (const page of pages) {
          page.instance.onUnload?.()
          page.detach()
        }
        if (complaints.length) {
          throw new Error(`the pages complained: ${complaints.splice(0).join('\n')}`)
        }
      },
    }
  }
}

// openDocument makes the globals that miniprogram-simulate expects of a browser.
function openDocument({ JSDOM }) {
  const { window } = new JSDOM('<!doctype html><body></body>', { pretendToBeVisual: true })
  globalThis.window = window
  for (const name of ['document', 'HTMLElement', 'Element', 'Node', 'Event', 'CustomEvent', 'Touch', 'TouchEvent']) {
    globalThis[name] = window[name]
  }
}
