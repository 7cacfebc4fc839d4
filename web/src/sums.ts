import { condition, type Order, type Refund } from './kinds'

// Sums are what the Refunds of an Order make together, in minor units, added up as internal/plugin/facts.go does it.
export interface Sums {
  paid: number
  // refunded is back, underWay is approved and not final, asked waits for a decision.
  refunded: number
  underWay: number
  asked: number
  refundedCount: number
  underWayCount: number
  askedCount: number
  // left is what can still be refunded.
  left: number
}

// add counts what is back by the Order's own record, which outlives the Refunds.
export function add(order: Order | undefined, refunds: Refund[]): Sums {
  const { transaction, refunded } = order?.status ?? {}
  const paid = condition(order, 'Paid')?.status === 'True' ? (transaction?.total ?? 0) : 0
  const s: Sums = { paid, refunded: refunded?.total ?? 0, underWay: 0, asked: 0, refundedCount: refunded?.count ?? 0, underWayCount: 0, askedCount: 0, left: 0 }
  const recorded = new Set(refunded?.refunds?.map((r) => r.outRefundNo))
  for (const refund of refunds) {
    const succeeded = condition(refund, 'Succeeded')?.status
    if (recorded.has(refund.spec.outRefundNo || refund.metadata.name) || succeeded === 'False') continue
    if (succeeded === 'True') {
      s.refunded += refund.spec.amount
      s.refundedCount++
    } else if (refund.spec.approval === 'Approved' || condition(refund, 'Approved')?.status === 'True') {
      s.underWay += refund.spec.amount
      s.underWayCount++
    } else if (!refund.spec.approval) {
      s.asked += refund.spec.amount
      s.askedCount++
    }
  }
  s.left = s.paid - s.refunded - s.underWay
  return s
}
