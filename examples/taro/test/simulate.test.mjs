import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { pagesPay } from '../../../test/frontends/wechat/cases.mjs'
import { simulated } from '../../../test/frontends/wechat/simulated.mjs'

const example = dirname(dirname(fileURLToPath(import.meta.url)))

pagesPay('Taro in miniprogram-simulate', simulated(example, join(example, 'dist')))
