import { shopAddress } from '../config'

// What the shop answers with besides 0; see examples/storefront.
export const Code = {
  NetworkLost: -1,
  BadRequest: 1,
  LogInAgain: 2,
  NotFound: 3,
  SoldOut: 4,
  TryAgain: 5,
  OrderEnded: 6,
  LoginRefused: 7,
} as const

export interface Refusal {
  code: number
}

/** codeOf is the shop's code of what went wrong. Everything that is not an answer of the shop is a lost network. */
export function codeOf(error: unknown): number {
  const code = (error as Partial<Refusal> | undefined)?.code
  return typeof code === 'number' ? code : Code.NetworkLost
}

/** send makes one request of the shop, and takes nothing but code 0 for an answer. */
export function send<T>(method: 'GET' | 'POST', path: string, data?: object, token?: string): Promise<T> {
  return new Promise((resolve, reject) => {
    wx.request({
      url: shopAddress + path,
      method,
      data: data && JSON.stringify(data),
      header: { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) },
      timeout: 15000,
      success: ({ data: body }) => {
        if (codeOf(body) === 0) {
          resolve(body as T)
        } else {
          reject({ code: codeOf(body) })
        }
      },
      fail: () => reject({ code: Code.NetworkLost }),
    })
  })
}
