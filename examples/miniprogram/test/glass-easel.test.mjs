import { after } from 'node:test'
import { pagesPay } from '../../../test/frontends/wechat/cases.mjs'
import { launch } from './browser.mjs'

const app = await launch()
after(app.close)

pagesPay('glass-easel', app.start)
