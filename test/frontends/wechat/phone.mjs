import { setTimeout as pause } from 'node:timers/promises'

/** The host that the examples name in their config. A Phone finds the shop that is under test there, as by DNS. */
export const shopHost = 'https://shop.example.com'

const paymentParameters = ['timeStamp', 'nonceStr', 'package', 'signType', 'paySign']

/**
 * Phone is WeChat on the payer's phone, as far as a mini program sees it. It sends real requests, logs in with real codes, and
 * hands payments to the simulator, which verifies them: it never says ok by itself. Each call resolves or rejects as the
 * callbacks success and fail of wx do.
 */
export class Phone {
  /** How the network loses what is sent to a path: the request does not arrive ('Request'), or its answer does not ('Answer'). */
  loses = _path => ''
  /** What the payer does when WeChat asks. 'Lies' is a WeChat that says ok without a payment. */
  payer = 'Pays'
  /** What the payer does with a dialog of wx.showModal. */
  modal = { confirm: true, content: '' }
  /** Changes answers of the shop on their way: (path, body) => body. */
  tamper = (_path, body) => body
  /** Every call of the page, in order. */
  calls = []

  constructor({ shopURL, simulator, appID, loginCode }) {
    Object.assign(this, { shopURL, simulator, appID, loginCode })
  }

  /** call does what wx[name] does. */
  async call(name, parameters) {
    this.calls.push({ name, ...parameters })
    const result = name in this.#apis ? await this.#apis[name](parameters) : {}
    return { errMsg: `${name}:ok`, ...result }
  }

  /** called is what the page has called by a name. */
  called(name) {
    return this.calls.filter(call => call.name === name)
  }

  /** sent is what the page has sent to a path of the shop. */
  sent(method, path) {
    return this.called('request').filter(call => (call.method ?? 'GET') === method && call.url === shopHost + path)
  }

  #apis = {
    login: async () => ({ code: await this.loginCode() }),

    request: async ({ url, method = 'GET', data, header = {} }) => {
      if (!url.startsWith(`${shopHost}/`)) {
        throw failure('request', 'url not in domain list')
      }
      const path = url.slice(shopHost.length)
      const lost = this.loses(path)
      if (lost === 'Request') {
        throw failure('request', 'timeout')
      }
      const answer = await fetch(this.shopURL + path, {
        method, headers: header,
        body: method === 'GET' ? undefined : typeof data === 'string' ? data : JSON.stringify(data),
      })
      const text = await answer.text()
      if (lost === 'Answer') {
        throw failure('request', 'timeout')
      }
      return { statusCode: answer.status, data: this.tamper(path, parsed(text)), header: Object.fromEntries(answer.headers) }
    },

    requestPayment: async parameters => {
      for (const name of paymentParameters) {
        if (typeof parameters[name] !== 'string') {
          throw failure('requestPayment', `parameter error: parameter.${name} should be String instead of ${typeof parameters[name]}`)
        }
      }
      if (this.payer === 'Lies') {
        return
      }
      const handed = Object.fromEntries(paymentParameters.map(name => [name, parameters[name]]))
      const refused = await this.simulator.requestPayment({ appId: this.appID, ...handed, cancel: this.payer === 'Cancels' })
      if (refused) {
        throw { ...failure('requestPayment', ''), err_desc: refused }
      }
      if (this.payer === 'Cancels') {
        throw failure('requestPayment', 'cancel')
      }
    },

    showModal: async () => ({ ...this.modal, cancel: !this.modal.confirm }),
  }
}

/** eventually waits until a check gives something true, and gives that. */
export async function eventually(what, check, patience = 30_000) {
  for (const end = Date.now() + patience; ;) {
    const found = await check()
    if (found) {
      return found
    }
    if (Date.now() > end) {
      throw new Error(`still not so after ${patience / 1000} seconds: ${what}`)
    }
    await pause(20)
  }
}

function failure(name, why) {
  return { errMsg: why ? `${name}:fail ${why}` : `${name}:fail` }
}

function parsed(text) {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
