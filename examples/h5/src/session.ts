import { logIn, type Session } from './login'
import type { Place } from './place'
import { Code, codeOf, send } from './request'

/**
 * Payer makes requests as whoever opened the page. Sessions are kept for each place by itself, because WeChat shows mini
 * programs and official accounts in one browser, and gives a payer another openid in each.
 */
export class Payer {
  private loggingIn?: Promise<string>

  constructor(private readonly place: Place) {}

  /** ask makes a request. A session that the shop no longer takes is replaced once. */
  async ask<T>(method: 'GET' | 'POST', path: string, data?: object): Promise<T> {
    const token = await this.session()
    try {
      return await send<T>(method, path, data, token)
    } catch (error) {
      if (codeOf(error) !== Code.LogInAgain) {
        throw error
      }
      this.forget(token)
      return send<T>(method, path, data, await this.session())
    }
  }

  /** session is the payer's token; without one it logs in. */
  async session(): Promise<string> {
    const known = this.kept()
    if (known && known.until > Date.now()) {
      return known.token
    }
    this.loggingIn ??= logIn(this.place).then(session => {
      localStorage.setItem(this.key(), JSON.stringify(session))
      return session.token
    }).finally(() => { this.loggingIn = undefined })
    return this.loggingIn
  }

  private forget(token: string) {
    if (this.kept()?.token === token) {
      localStorage.removeItem(this.key())
    }
  }

  private kept(): Session | undefined {
    return JSON.parse(localStorage.getItem(this.key()) ?? 'null') ?? undefined
  }

  private key(): string {
    return `session of ${this.place}`
  }
}
