import { payByBridge } from './bridge'
import { config } from './config'
import { toMiniProgram } from './miniprogram'
import type { Place } from './place'
import { Code, codeOf } from './request'
import type { Payer } from './session'
import { createOrder, orderOf, type Created, type OrderState, type TradeType } from './shop'

/** Unknown: the payment may have been made, and the shop has not said so yet. */
export type Outcome = 'paid' | 'cancelled' | 'refused' | 'ended' | 'unknown' | 'waiting'

/** Screen is what a payment shows on its way. */
export interface Screen {
  say(words: 'paying' | 'opened' | 'leaving' | 'scan' | 'lost'): void
  showCode(text: string): void
  /** gone says that the payer looks at something else by now. */
  gone(): boolean
}

export const tradeTypes: Record<Place, TradeType> = { MiniProgram: 'JSAPI', OfficialAccount: 'JSAPI', Phone: 'MWEB', Desktop: 'NATIVE' }

export interface Goods {
  id: string
  num: number
}

export function order(payer: Payer, place: Place, { id, num }: Goods): Promise<Created> {
  return createOrder(payer, id, num, tradeTypes[place])
}

/**
 * pay hands an order to WeChat in the way of the place, and then asks the shop what became of it. Only the shop says that an
 * order is paid, because WeChat Pay told it so.
 */
export async function pay(payer: Payer, place: Place, created: Created, screen: Screen): Promise<Outcome> {
  switch (place) {
    case 'MiniProgram': {
      // The mini program's own page pays. It is told the number, and asks the shop for the rest itself.
      screen.say('opened')
      const { payPage } = await config()
      await toMiniProgram('navigateTo', `${payPage}?orderNumber=${encodeURIComponent(created.orderNumber)}`)
      return follow(payer, created.orderNumber, screen)
    }
    case 'OfficialAccount':
      return inWeChat(payer, created, screen)
    case 'Phone':
      screen.say('leaving')
      location.assign(withReturn(created.mwebURL!, created.orderNumber))
      return new Promise(() => {})
    case 'Desktop':
      screen.say('scan')
      screen.showCode(created.codeURL!)
      return follow(payer, created.orderNumber, screen)
  }
}

async function inWeChat(payer: Payer, created: Created, screen: Screen): Promise<Outcome> {
  screen.say('paying')
  const answer = await payByBridge(created.payInfo!)
  switch (answer) {
    case 'Cancelled':
      return 'cancelled'
    case 'Refused': {
      const outcome = await ask(payer, created.orderNumber, screen, 1)
      return outcome === 'waiting' ? 'refused' : outcome
    }
    case 'Done': {
      const outcome = await ask(payer, created.orderNumber, screen, 20)
      return outcome === 'waiting' ? 'unknown' : outcome
    }
  }
}

// withReturn has WeChat's page come back here. It comes back after seconds whether or not the payer has paid.
function withReturn(mwebURL: string, orderNumber: string): string {
  const back = new URL(location.pathname, location.href)
  back.searchParams.set('order', orderNumber)
  return `${mwebURL}&redirect_url=${encodeURIComponent(back.href)}`
}

const askEvery = 500
const followEvery = 2000
const networkTries = 3

/** ask asks the shop a few times what became of an order. */
export async function ask(payer: Payer, orderNumber: string, screen: Screen, times: number): Promise<Outcome> {
  let lost = 0
  for (let asked = 1; ; asked++) {
    try {
      const outcome = ended((await orderOf(payer, orderNumber)).state)
      if (outcome) {
        return outcome
      }
      lost = 0
    } catch (error) {
      if (codeOf(error) === Code.NotFound) {
        throw error
      }
      if (codeOf(error) !== Code.NetworkLost || ++lost === networkTries || asked >= times) {
        return 'unknown'
      }
    }
    if (asked >= times || screen.gone()) {
      return 'waiting'
    }
    await pause(askEvery)
  }
}

// follow asks until the order has an end or the payer goes on to something else: somebody pays on another screen.
async function follow(payer: Payer, orderNumber: string, screen: Screen): Promise<Outcome> {
  for (;;) {
    try {
      const outcome = ended((await orderOf(payer, orderNumber)).state)
      if (outcome) {
        return outcome
      }
    } catch (error) {
      if (codeOf(error) !== Code.NetworkLost && codeOf(error) !== Code.TryAgain) {
        throw error
      }
      screen.say('lost')
    }
    if (screen.gone()) {
      return 'waiting'
    }
    await pause(followEvery)
    await visible()
  }
}

function ended(state: OrderState): Outcome | undefined {
  switch (state) {
    case 'Paid':
      return 'paid'
    case 'Closed':
    case 'Expired':
    case 'Rejected':
      return 'ended'
  }
  return undefined
}

function pause(milliseconds: number): Promise<void> {
  return new Promise(resolve => { setTimeout(resolve, milliseconds) })
}

// visible waits while the page is in the background, where it need not ask.
function visible(): Promise<void> {
  if (document.visibilityState === 'visible') {
    return Promise.resolve()
  }
  return new Promise(resolve => { document.addEventListener('visibilitychange', () => resolve(), { once: true }) })
}
