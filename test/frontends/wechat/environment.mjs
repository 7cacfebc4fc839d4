import { randomUUID } from 'node:crypto'
import { Phone } from './phone.mjs'
import { Simulator } from './simulator.mjs'

/** What the harness (test/frontends) tells the tests of where everything is. */
export const environment = {
  shopURL: required('SHOP_URL'),
  staffURL: required('STAFF_URL'),
  simulatorURL: required('SIMULATOR_ADMIN_URL'),
  weixinURL: required('WEIXIN_ADMIN_URL'),
  mchID: required('MCH_ID'),
  appID: required('APP_ID'),
  officialAccountAppID: required('OFFICIAL_ACCOUNT_APP_ID'),
}

function required(name) {
  const value = process.env[name]
  if (!value) {
    throw new Error(`${name} is not set: go test ./test/frontends starts a shop, and runs these tests against it`)
  }
  return value
}

export const simulator = new Simulator(environment.simulatorURL, environment.mchID)

/** phone is that of a new payer. */
export function phone(openID = `openid-${randomUUID()}`) {
  return new Phone({ ...environment, simulator, loginCode: () => loginCode(openID) })
}

/** loginCode is what WeChat gives the page of the payer with this openid: it works once. */
export async function loginCode(openID, appID = environment.appID) {
  const answer = await fetch(`${environment.weixinURL}/login`, { method: 'POST', body: JSON.stringify({ appid: appID, openid: openID }) })
  const { code, error } = await answer.json()
  if (!code) {
    throw new Error(`no code for ${openID}: ${error}`)
  }
  return code
}

/** closeOrder does what the shop's staff does to end an order that is not paid. */
export async function closeOrder(orderNumber) {
  const answer = await fetch(`${environment.staffURL}/orders/${orderNumber}/close`, { method: 'POST' })
  if (!answer.ok) {
    throw new Error(`closing ${orderNumber}: ${await answer.text()}`)
  }
}
