import { Code, codeOf } from './request'

const zh = {
  title: '肥皂店', goods: '商品', stock: (n: number) => n > 0 ? `库存 ${n}` : '已售罄', quantity: '数量', buy: '购买', buyWhat: (name: string) => `购买 ${name}`,
  checkout: '支付', close: '返回', again: '重新支付', check: '查询支付结果', language: 'English', languageCode: 'en',
  order: (number: string) => `订单号 ${number}`,
  creating: '正在下单', paying: '正在支付', opened: '请在小程序中完成支付', leaving: '正在打开微信', scan: '请用微信扫码支付', qr: '微信支付二维码',
  asking: '正在查询支付结果', waiting: '尚未支付', paid: '支付成功', cancelled: '支付已取消', refused: '微信没有受理这次支付，请稍后再试', ended: '订单已结束，请重新下单',
  unknown: '暂未收到支付结果。如已扣款，请勿重复支付', lost: '网络不通，正在重试',
  networkLost: '网络不通，请检查网络后再试', notFound: '没有找到这个订单，请在下单时的浏览器中查看', soldOut: '已售罄', tryAgain: '请稍后再试', loginFailed: '登录失败，请重新打开页面', badRequest: '出错了，请联系客服',
}

export type Words = typeof zh

const en: Words = {
  title: 'Soap shop', goods: 'Goods', stock: n => n > 0 ? `${n} in stock` : 'Sold out', quantity: 'Quantity', buy: 'Buy', buyWhat: name => `Buy ${name}`,
  checkout: 'Payment', close: 'Back', again: 'Pay again', check: 'Ask for the result', language: '中文', languageCode: 'zh-CN',
  order: number => `Order ${number}`,
  creating: 'Placing the order', paying: 'Paying', opened: 'Pay in the mini program', leaving: 'Opening WeChat', scan: 'Scan with WeChat to pay', qr: 'QR code for WeChat Pay',
  asking: 'Asking for the result', waiting: 'Not paid yet', paid: 'Paid', cancelled: 'Cancelled', refused: 'WeChat did not take this payment. Try again later', ended: 'The order has ended. Please order again',
  unknown: 'No result yet. If you were charged, do not pay again', lost: 'No connection. Trying again',
  networkLost: 'No connection. Check it and try again', notFound: 'No such order. Look in the browser that it was placed with', soldOut: 'Sold out', tryAgain: 'Try again later', loginFailed: 'Could not log in. Open the page again', badRequest: 'Something went wrong. Ask the shop for help',
}

export type Language = 'zh-CN' | 'en'

export const dictionary: Record<Language, Words> = { 'zh-CN': zh, en }

/** Sentence names a text that stands for itself. */
export type Sentence = { [K in keyof Words]: Words[K] extends string ? K : never }[keyof Words]

/** explain says what went wrong, and what to do. */
export function explain(error: unknown): Sentence {
  switch (codeOf(error)) {
    case Code.NetworkLost:
      return 'networkLost'
    case Code.LogInAgain:
    case Code.LoginRefused:
      return 'loginFailed'
    case Code.NotFound:
      return 'notFound'
    case Code.SoldOut:
      return 'soldOut'
    case Code.TryAgain:
      return 'tryAgain'
    case Code.OrderEnded:
      return 'ended'
  }
  return 'badRequest'
}

/** yuan writes fen as yuan, without a fraction of binary numbers on the way. */
export function yuan(fen: number): string {
  const digits = String(fen).padStart(3, '0')
  return `¥${digits.slice(0, -2)}.${digits.slice(-2)}`
}
