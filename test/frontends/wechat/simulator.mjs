// The simulated WeChat Pay, by its admin API (cmd/simulator): what WeChat's servers do with what a phone hands them.

export class Simulator {
  constructor(adminURL, mchID) {
    this.adminURL = adminURL
    this.mchID = mchID
  }

  /** requestPayment has the simulator verify paySign, and then pay, or with cancel go back. Its error is the simulator's word. */
  async requestPayment(parameters) {
    const { status, body } = await this.#call('POST', '/request-payment', parameters)
    return status === 200 ? undefined : body.error ?? `status ${status}`
  }

  /** order is the order in the ledger; undefined if WeChat Pay has none with this number. */
  async order(orderNumber) {
    return (await this.orders(orderNumber)).find(order => order.out_trade_no === orderNumber)
  }

  async orders(orderNumber = '') {
    const { body } = await this.#call('GET', `/ledger?mch_id=${this.mchID}&number=${orderNumber}&calls=false`)
    return body.orders ?? []
  }

  /** scan pays as the phone that reads a QR code: the order is the one whose code_url it is. */
  async scan(codeURL) {
    const order = (await this.orders()).find(({ prepays }) => prepays.some(prepay => prepay.code_url === codeURL))
    return order ? this.pay(order.out_trade_no) : `no order has the code ${codeURL}`
  }

  async pay(orderNumber) {
    const { status, body } = await this.#call('POST', '/pay', { mch_id: this.mchID, out_trade_no: orderNumber })
    return status === 200 ? undefined : body.error ?? `status ${status}`
  }

  async #call(method, path, data) {
    const answer = await fetch(this.adminURL + path, { method, body: data && JSON.stringify(data) })
    return { status: answer.status, body: await answer.json() }
  }
}
