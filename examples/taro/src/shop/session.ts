import Taro from '@tarojs/taro'
import { Code, codeOf, send } from './request'

// The session is the shop's own token. The shop keeps openid and session_key to itself: nothing here knows who the payer is.
const kept = 'session'

interface Session {
  token: string
  until: number
}

let loggingIn: Promise<string> | undefined

/** ask makes a request as the payer. A session that the shop no longer takes is replaced once. */
export async function ask<T>(method: 'GET' | 'POST', path: string, data?: object): Promise<T> {
  const token = await session()
  try {
    return await send<T>(method, path, data, token)
  } catch (error) {
    if (codeOf(error) !== Code.LogInAgain) {
      throw error
    }
    forget(token)
    return send<T>(method, path, data, await session())
  }
}

async function session(): Promise<string> {
  const known = Taro.getStorageSync<Session | ''>(kept)
  if (known && known.until > Date.now()) {
    return known.token
  }
  // Requests that start together share one login: a code of login works once.
  loggingIn ??= logIn().finally(() => { loggingIn = undefined })
  return loggingIn
}

async function logIn(): Promise<string> {
  const { code } = await Taro.login()
  const { token, expiresIn } = await send<{ token: string; expiresIn: number }>('POST', '/login', { code, source: 'MiniProgram' })
  const session: Session = { token, until: Date.now() + expiresIn * 1000 }
  Taro.setStorageSync(kept, session)
  return token
}

// forget drops a session, unless another request has replaced it already.
function forget(token: string) {
  const known = Taro.getStorageSync<Session | ''>(kept)
  if (known && known.token === token) {
    Taro.removeStorageSync(kept)
  }
}
