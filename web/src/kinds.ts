// What the page reads of the kinds. docs/api.md describes every field.
export interface Meta {
  name: string
  namespace: string
  uid: string
  resourceVersion: string
  creationTimestamp: string
  deletionTimestamp?: string
  annotations?: Record<string, string>
}

export interface Condition {
  type: string
  status: 'True' | 'False' | 'Unknown'
  reason: string
  message: string
  lastTransitionTime: string
}

export interface Resource {
  metadata: Meta
  status?: { conditions?: Condition[] }
}

export interface Order extends Resource {
  spec: {
    merchantRef: { name: string; namespace?: string }
    outTradeNo?: string
    tradeType: string
    description: string
    amount: { total: number; currency?: string }
    desiredState?: string
  }
  status?: {
    conditions?: Condition[]
    outTradeNo?: string
    expireTime?: string
    prepay?: { id?: string; expireTime?: string; codeURL?: string; mwebURL?: string; protocol?: string }
    transaction?: { id?: string; total?: number; currency?: string; paidTime?: string; bankType?: string; couponTotal?: number }
    refunded?: { total?: number; count?: number; refunds?: { outRefundNo: string }[] }
  }
}

export interface Refund extends Resource {
  spec: {
    orderRef: { name: string }
    amount: number
    outRefundNo?: string
    reason?: string
    approval?: 'Approved' | 'Denied'
    approvalMessage?: string
  }
  status?: { conditions?: Condition[]; refundID?: string; receivedAccount?: string; acceptedTime?: string; succeededTime?: string }
}

export interface Shipment extends Resource {
  spec: { orderRef: { name: string }; logistics: string; parcels?: { trackingNumber?: string; carrier?: string; items?: string }[] }
  status?: { conditions?: Condition[]; uploadTime?: string; weChatState?: string }
}

export interface Merchant extends Resource {
  spec: { mchID: string; appID: string; protocol?: string; refundApproval?: string; partner?: { subMchID: string } }
  status?: { conditions?: Condition[]; certificate?: { serialNumber?: string; notAfter?: string } }
}

export interface Tally {
  count: number
  total: number
}

export interface Statement extends Resource {
  spec: { merchantRef: { name: string }; date: string }
  status?: {
    conditions?: Condition[]
    comparedTime?: string
    totals?: { currency: string; payments: Tally; refunds: Tally; foreign: Tally; fees?: string }[]
    differences?: { class: string; outTradeNo?: string; transactionID?: string; outRefundNo?: string; refundID?: string; bill?: string; here?: string }[]
    differenceCounts?: { class: string; count: number }[]
    differing?: number
    undecided?: number
  }
}

export interface Event {
  metadata: Meta
  type: string
  reason: string
  message: string
  eventTime?: string | null
  series?: { count: number; lastObservedTime: string }
  lastTimestamp?: string | null
}

export const requestedBy = 'wechatpay-operator.io/requested-by'
export const decidedBy = 'wechatpay-operator.io/decided-by'

export function condition(of: Resource | undefined, type: string): Condition | undefined {
  return of?.status?.conditions?.find((c) => c.type === type)
}

// byAge sorts objects, the oldest first.
export function byAge(a: { metadata: { creationTimestamp: string; name: string } }, b: typeof a): number {
  return a.metadata.creationTimestamp.localeCompare(b.metadata.creationTimestamp) || a.metadata.name.localeCompare(b.metadata.name)
}
