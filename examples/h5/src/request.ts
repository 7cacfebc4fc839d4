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

/** Refusal is an answer of the shop that is not code 0, or none at all. */
export class Refusal extends Error {
  constructor(readonly code: number) {
    super(`code ${code}`)
  }
}

export function codeOf(error: unknown): number {
  return error instanceof Refusal ? error.code : Code.NetworkLost
}

/** send makes one request of the shop, and takes nothing but code 0 for an answer. */
export async function send<T>(method: 'GET' | 'POST', path: string, data?: object, token?: string): Promise<T> {
  let answer: Partial<T> & { code?: unknown }
  try {
    const response = await fetch(path, {
      method,
      body: data && JSON.stringify(data),
      headers: { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) },
      cache: 'no-store',
      signal: timeLimit(15000),
    })
    answer = await response.json()
  } catch {
    throw new Refusal(Code.NetworkLost)
  }
  if (answer.code !== 0) {
    throw new Refusal(typeof answer.code === 'number' ? answer.code : Code.NetworkLost)
  }
  return answer as T
}

// AbortSignal.timeout is younger than the browsers of many phones.
function timeLimit(milliseconds: number): AbortSignal {
  const limit = new AbortController()
  setTimeout(() => limit.abort(), milliseconds)
  return limit.signal
}
