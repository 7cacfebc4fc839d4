// The one page that pays. It is told an order number and nothing else, by the shop page, the order page, or a page in a
// web-view, and asks the shop for the rest: parameters in an address could be anybody's.
import { check, pay, type Outcome } from '../../shop/payment'
import { Code, codeOf } from '../../shop/request'
import { payable } from '../../shop/shop'
import { explain, yuan } from '../../shop/words'

const words: Record<Outcome, string> = {
  Paid: '支付成功',
  Cancelled: '支付已取消',
  Refused: '微信没有受理这次支付，请稍后再试',
  Ended: '订单已结束，请重新下单',
  Unknown: '暂未收到支付结果。如已扣款，请勿重复支付',
}

const offers: Record<Outcome, string> = {
  Paid: 'Back', Cancelled: 'Pay', Refused: 'Pay', Ended: 'Back', Unknown: 'Check',
}

Page({
  data: {
    orderNumber: '',
    description: '',
    total: '',
    words: '正在读取订单',
    // The button that is shown: Pay, Check or Back.
    offer: '',
    busy: false,
  },

  onLoad({ orderNumber = '' }: Record<string, string | undefined>) {
    if (!/^[0-9a-z-]{6,32}$/.test(orderNumber)) {
      this.setData({ words: '没有找到这个订单', offer: 'Back' })
      return
    }
    this.setData({ orderNumber })
    void this.pay()
  },

  async pay() {
    await this.once(async () => {
      this.setData({ words: '正在支付' })
      const order = await payable(this.data.orderNumber)
      this.setData({ description: order.description, total: yuan(order.total) })
      return pay(order)
    })
  },

  async check() {
    await this.once(() => check(this.data.orderNumber))
  },

  // A second tap arrives before the button is drawn as disabled.
  async once(work: () => Promise<Outcome>) {
    if (this.data.busy) {
      return
    }
    this.setData({ busy: true })
    try {
      const outcome = await work()
      this.setData({ words: words[outcome], offer: offers[outcome] })
    } catch (error) {
      this.setData({ words: explain(error), offer: codeOf(error) === Code.NotFound ? 'Back' : 'Pay' })
    } finally {
      this.setData({ busy: false })
    }
  },

  back() {
    wx.navigateBack({ fail: () => wx.switchTab({ url: '/pages/orders/orders' }) })
  },
})
