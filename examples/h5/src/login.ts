import { config } from './config'
import { toMiniProgram } from './miniprogram'
import type { Place } from './place'
import { Code, Refusal, send } from './request'

export interface Session {
  token: string
  until: number
}

/** logIn gets a session of the shop, in the way of the place. Where that takes another page, it leaves this one. */
export async function logIn(place: Place): Promise<Session> {
  const by = await proof(place)
  const { token, expiresIn } = await send<{ token: string; expiresIn: number }>('POST', '/login', by)
  sessionStorage.removeItem(leftKey)
  return { token, until: Date.now() + expiresIn * 1000 }
}

async function proof(place: Place): Promise<object> {
  switch (place) {
    case 'MiniProgram':
      return { ticket: takeTicket() ?? await leave(async () => toMiniProgram('redirectTo', (await config()).webViewPage)) }
    case 'OfficialAccount':
      return { code: takeCode() ?? await leave(authorize), source: 'OfficialAccount' }
    default:
      return { source: 'Browser' }
  }
}

// takeTicket reads the ticket that the mini program put into the fragment, and takes it out of the address: it works once.
function takeTicket(): string | undefined {
  const ticket = new URLSearchParams(location.hash.slice(1)).get('ticket')
  if (ticket) {
    history.replaceState(null, '', location.pathname + location.search)
  }
  return ticket ?? undefined
}

const stateKey = 'state of the login'

// takeCode reads the code with which WeChat sent the payer back, if it answers this page's own question: the code of
// somebody else would have the payer buy for them.
function takeCode(): string | undefined {
  const query = new URLSearchParams(location.search)
  const code = query.get('code')
  const state = query.get('state')
  if (!code) {
    return undefined
  }
  query.delete('code')
  query.delete('state')
  history.replaceState(null, '', location.pathname + (query.toString() && `?${query}`))
  const asked = sessionStorage.getItem(stateKey)
  sessionStorage.removeItem(stateKey)
  return asked && asked === state ? code : undefined
}

// authorize asks WeChat who the payer is, without a question to them: snsapi_base tells the openid alone, and to the shop.
async function authorize() {
  const state = Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, '0')).join('')
  sessionStorage.setItem(stateKey, state)
  const query = new URLSearchParams({
    appid: (await config()).officialAccount,
    redirect_uri: location.href.replace(/#.*/, ''),
    response_type: 'code', scope: 'snsapi_base', state,
  })
  location.replace(`https://open.weixin.qq.com/connect/oauth2/authorize?${query}#wechat_redirect`)
}

const leftKey = 'left to log in'

// leave goes to another page to log in. A page that is back without success does not go again by itself.
async function leave(go: () => Promise<void>): Promise<never> {
  if (sessionStorage.getItem(leftKey)) {
    sessionStorage.removeItem(leftKey)
    throw new Refusal(Code.LoginRefused)
  }
  sessionStorage.setItem(leftKey, 'yes')
  await go()
  return new Promise(() => {})
}
