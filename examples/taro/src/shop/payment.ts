import Taro from '@tarojs/taro'
import { codeOf } from './request'
import { orderOf, type Order, type OrderState, type Payable, type PayInfo } from './shop'

/** Unknown: the payment may have been made, and the shop has not said so yet. */
export type Outcome = 'Paid' | 'Cancelled' | 'Refused' | 'Ended' | 'Unknown'

const askEvery = 500
const askTimes = 20
const networkTries = 3

/**
 * pay hands an order to WeChat, and then asks the shop what became of it. Only the shop says that an order is paid, because
 * WeChat Pay told it so: what requestPayment answers is no proof, neither of a payment nor of none.
 */
export async function pay(order: Payable): Promise<Outcome> {
  if (!order.payInfo || order.state !== 'AwaitingPayment') {
    return ended(order.state) ?? 'Unknown'
  }
  const answer = await requestPayment(order.payInfo)
  if (answer === 'Cancelled') {
    return 'Cancelled'
  }
  if (answer === 'Refused') {
    const outcome = await settled(order.orderNumber, 1)
    return outcome === 'Waiting' ? 'Refused' : outcome
  }
  const outcome = await settled(order.orderNumber, askTimes)
  return outcome === 'Waiting' ? 'Unknown' : outcome
}

/** check asks the shop once more about an order whose outcome was unknown. */
export async function check(orderNumber: string): Promise<Outcome> {
  const outcome = await settled(orderNumber, 1)
  return outcome === 'Waiting' ? 'Unknown' : outcome
}

async function requestPayment({ timeStamp, nonceStr, package: prepay, signType, paySign }: PayInfo): Promise<'Done' | 'Cancelled' | 'Refused'> {
  try {
    await Taro.requestPayment({ timeStamp, nonceStr, package: prepay, signType, paySign })
    return 'Done'
  } catch (error) {
    return /cancel/.test((error as TaroGeneral.CallbackResult).errMsg) ? 'Cancelled' : 'Refused'
  }
}

async function settled(orderNumber: string, times: number): Promise<Outcome | 'Waiting'> {
  let lost = 0
  for (let asked = 1; ; asked++) {
    let order: Order | undefined
    try {
      order = await orderOf(orderNumber)
      lost = 0
    } catch (error) {
      if (++lost === networkTries || codeOf(error) > 0 || asked === times) {
        return 'Unknown'
      }
    }
    const outcome = order && ended(order.state)
    if (outcome) {
      return outcome
    }
    if (asked >= times) {
      return 'Waiting'
    }
    await new Promise(resolve => { setTimeout(resolve, askEvery) })
  }
}

function ended(state: OrderState): Outcome | undefined {
  switch (state) {
    case 'Paid':
      return 'Paid'
    case 'Closed':
    case 'Expired':
    case 'Rejected':
      return 'Ended'
  }
  return undefined
}
