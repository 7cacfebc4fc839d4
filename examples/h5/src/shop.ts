import type { Payer } from './session'
import { send } from './request'

export type OrderState = 'Pending' | 'AwaitingPayment' | 'Paid' | 'Closed' | 'Expired' | 'Rejected'

export interface Product {
  id: string
  name: string
  /** fen */
  price: number
  stock: number
}

export interface Order {
  orderNumber: string
  description: string
  total: number
  currency: string
  state: OrderState
}

/** PayInfo is what WeixinJSBridge takes. Each of them is a string, timeStamp too. */
export interface PayInfo {
  appId: string
  timeStamp: string
  nonceStr: string
  package: string
  signType: string
  paySign: string
}

/** Created has what the trade type pays with: payInfo (JSAPI), mwebURL (MWEB) or codeURL (NATIVE). */
export interface Created {
  orderNumber: string
  payInfo?: PayInfo
  mwebURL?: string
  codeURL?: string
}

export type TradeType = 'JSAPI' | 'MWEB' | 'NATIVE'

/** catalogue needs no login: people look around first. */
export async function catalogue(): Promise<Product[]> {
  return (await send<{ products: Product[] }>('GET', '/catalog')).products
}

/** createOrder may be repeated: while the order of the same goods is open, the shop gives the same number. */
export function createOrder(payer: Payer, id: string, num: number, tradeType: TradeType): Promise<Created> {
  return payer.ask('POST', '/createdOrder', { id, num, tradeType })
}

export function orderOf(payer: Payer, orderNumber: string): Promise<Order> {
  return payer.ask('GET', `/orders/${orderNumber}`)
}
