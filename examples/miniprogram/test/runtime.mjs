// Runs in the browser: what of a mini program is around its pages.
import * as glassEasel from 'glass-easel'
import { MiniProgramEnv } from 'glass-easel-miniprogram-adapter'
import { wxOf } from '../../../test/frontends/wechat/wx.mjs'

// WeChat's components, as far as the pages use them: their attributes, and a slot.
const components = {
  'view': { ariaRole: String },
  'button': { size: String, disabled: Boolean },
  'navigator': { url: String },
  'web-view': { src: String },
}

/** run registers the pages, and gives the tests window.app. */
export function run(templates, pages) {
  const { wx, stored } = wxOf(async (name, parameters) => {
    const { answer, error } = await window.phoneCall(name, parameters)
    if (error) {
      throw error
    }
    return answer
  })
  window.wx = wx
  const environment = new MiniProgramEnv()
  const space = environment.createCodeSpace('', true)
  for (const [name, properties] of Object.entries(components)) {
    const definition = space.getComponentSpace().define(name)
      .definition({ properties, template: { groupList: templates, content: templates[`component/${name}`] ?? templates.component } })
      .registerComponent()
    space.getComponentSpace().setGlobalUsingComponent(name, definition)
  }
  for (const [name, load] of Object.entries(pages)) {
    space.addComponentStaticConfig(name, {})
    space.addCompiledTemplate(name, { groupList: templates, content: templates[name] })
    space.globalComponentEnv(window, name, load)
  }
  const backend = new glassEasel.CurrentWindowBackendContext()
  backend.onEvent((target, type, detail, options) => { glassEasel.triggerEvent(target, type, detail, options) })
  const associated = environment.associateBackend(backend)
  const opened = []
  window.app = {
    stored,
    open(route, query) {
      const holder = document.body.appendChild(document.createElement('section'))
      holder.id = `page-${opened.length}`
      const root = associated.createRoot('section', space, route)
      root.attach(holder, holder.appendChild(document.createElement('span')))
      const page = root.getComponent().getMethodCaller()
      opened.push(page)
      this.front(opened.length - 1)
      page.onLoad?.(query)
      page.onShow?.()
      return opened.length - 1
    },
    show: number => { opened[number].onShow?.() },
    /** front hides the other pages, as the page stack does. */
    front: number => {
      for (const holder of document.querySelectorAll('[id^=page-]')) {
        holder.hidden = holder.id !== `page-${number}`
      }
    },
  }
}
