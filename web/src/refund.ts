import { condition, type Order, type Refund } from './kinds'
import { money } from './money'
import { t } from './words'

// waits reports whether nobody has decided on a Refund, and somebody has to.
export function waits(refund: Refund): boolean {
  return !refund.spec.approval && !['True', 'False'].includes(condition(refund, 'Approved')?.status ?? '') && !refund.metadata.deletionTimestamp
}

// amountOf is what a Refund gives back, without a currency as long as its Order is not read.
export function amountOf(refund: Refund, order: Order | undefined): string {
  return order ? money(refund.spec.amount, order.spec.amount.currency) : t('withoutCurrency', refund.spec.amount)
}

// stateOf is the furthest that a Refund has come.
export function stateOf(refund: Refund): string | undefined {
  const of = (type: string) => condition(refund, type)
  if (waits(refund)) return of('Approved')?.reason
  if (of('Succeeded')?.status !== 'Unknown') return of('Succeeded')?.reason
  return of('Accepted')?.status === 'True' ? of('Succeeded')?.reason : of('Accepted')?.reason
}
