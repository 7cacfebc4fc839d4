import { signal } from '@preact/signals'
import { may, type Settings } from './api'
import { keep, read } from './words'

// Route is what the address names after its #: /<namespace>/<page>/<object>.
export interface Route {
  namespace: string
  page: string
  name: string
}

const isName = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/

function parse(): Route {
  const [namespace = '', page = '', name = ''] = location.hash.replace(/^#\/?/, '').split('/').map(decode)
  return { namespace: isName.test(namespace) ? namespace : '', page: page || 'orders', name: isName.test(name) ? name : '' }
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return ''
  }
}

export const route = signal(parse())
addEventListener('hashchange', () => (route.value = parse()))

export function link(page: string, name = '', namespace = route.value.namespace): string {
  return `#/${[namespace, page, name].filter(Boolean).map(encodeURIComponent).join('/')}`
}

export const isNamespace = (name: string) => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name)

export const settings = signal<Settings>({ login: 'none', namespaces: [], watchSeconds: 240, version: '' })
export const user = signal('')
// ended: a token was taken and is not any more.
export const session = signal<'asking' | 'in' | 'out' | 'ended'>('asking')
export const sessionEnds = signal('')

export const theme = signal(read('theme'))
export function setTheme(to: string): void {
  theme.value = to
  keep('theme', to)
}

// mayDecide is what the API server says; what it says at the decision itself counts.
export const mayDecide = signal<boolean | undefined>(undefined)

export async function askWhetherMayDecide(): Promise<void> {
  const { namespace } = route.value
  try {
    const answers = await Promise.all([may(namespace, 'approve', 'refunds'), may(namespace, 'patch', 'refunds')])
    if (namespace === route.value.namespace) mayDecide.value = answers.every(Boolean)
  } catch {
    // asked again soon
  }
}
