import { Code, codeOf } from './request'
import type { OrderState, RefundState } from './shop'

export const orderWords: Record<OrderState, string> = {
  Pending: '正在下单',
  AwaitingPayment: '待支付',
  Paid: '已支付',
  Closed: '已关闭',
  Expired: '已过期',
  Rejected: '未能下单',
}

export const refundWords: Record<RefundState, string> = {
  AwaitingApproval: '退款待审核',
  Processing: '退款处理中',
  Succeeded: '已退款',
  Denied: '退款未通过',
  Failed: '退款失败，请联系客服',
}

/** yuan writes fen as yuan, without a fraction of binary numbers on the way. */
export function yuan(fen: number): string {
  const digits = String(fen).padStart(3, '0')
  return `${digits.slice(0, -2)}.${digits.slice(-2)}`
}

/** explain says what went wrong, and what to do. */
export function explain(error: unknown): string {
  switch (codeOf(error)) {
    case Code.NetworkLost:
      return '网络不通，请检查网络后再试'
    case Code.NotFound:
      return '没有找到这个订单'
    case Code.SoldOut:
      return '已售罄'
    case Code.TryAgain:
      return '请稍后再试'
    case Code.OrderEnded:
      return '订单已结束，请重新下单'
    case Code.LogInAgain:
    case Code.LoginRefused:
      return '登录失败，请退出小程序后再进入'
  }
  return '出错了，请联系客服'
}
