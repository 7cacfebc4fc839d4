import { send } from './request'
import { ask } from './session'

export type OrderState = 'Pending' | 'AwaitingPayment' | 'Paid' | 'Closed' | 'Expired' | 'Rejected'
export type RefundState = 'AwaitingApproval' | 'Processing' | 'Succeeded' | 'Denied' | 'Failed'

export interface Product {
  id: string
  name: string
  /** fen */
  price: number
  stock: number
}

export interface Refund {
  refundNumber: string
  amount: number
  state: RefundState
}

export interface Order {
  orderNumber: string
  description: string
  total: number
  currency: string
  state: OrderState
  createdTime: string
  paidTime?: string
  refunded: number
  refunds: Refund[]
}

/** PayInfo is what requestPayment takes. Each of them is a string, timeStamp too. */
export interface PayInfo {
  timeStamp: string
  nonceStr: string
  package: string
  signType: 'MD5' | 'HMAC-SHA256' | 'RSA'
  paySign: string
}

export interface Payable {
  orderNumber: string
  description: string
  total: number
  state: OrderState
  payInfo?: PayInfo
}

/** catalogue needs no login: people look around first. */
export async function catalogue(): Promise<Product[]> {
  return (await send<{ products: Product[] }>('GET', '/catalog')).products
}

/** createOrder may be repeated: while the order of the same goods is open, the shop gives the same number. */
export async function createOrder(id: string, num: number): Promise<string> {
  return (await ask<{ orderNumber: string }>('POST', '/createdOrder', { id, num })).orderNumber
}

export function payable(orderNumber: string): Promise<Payable> {
  return ask('GET', `/pay/${orderNumber}`)
}

export function orderOf(orderNumber: string): Promise<Order> {
  return ask('GET', `/orders/${orderNumber}`)
}

export async function orders(): Promise<Order[]> {
  return (await ask<{ orders: Order[] }>('GET', '/orders')).orders
}

/** requestRefund asks for everything that is left of an order, and returns the order with the new refund. */
export async function requestRefund(order: Order, reason: string): Promise<Order> {
  const refund = await ask<Pick<Refund, 'refundNumber' | 'state'>>('POST', `/orders/${order.orderNumber}/refund`, { reason })
  const others = order.refunds.filter(({ refundNumber }) => refundNumber !== refund.refundNumber)
  return { ...order, refunds: [...others, { refundNumber: refund.refundNumber, state: refund.state, amount: order.total - order.refunded }] }
}

/** ticket lets the page in the web-view log in as this payer, once, within a minute. */
export async function ticket(): Promise<string> {
  return (await ask<{ ticket: string }>('POST', '/ticket')).ticket
}
