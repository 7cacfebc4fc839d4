import { orders, requestRefund, type Order } from '../../shop/shop'
import { explain, orderWords, refundWords, yuan } from '../../shop/words'

type Tap = WechatMiniprogram.TouchEvent<object, object, { number: string }>

function row({ orderNumber, description, total, state, refunded, refunds }: Order) {
  return {
    orderNumber, description,
    total: yuan(total),
    state: orderWords[state],
    refunds: refunds.map(refund => ({ refundNumber: refund.refundNumber, amount: yuan(refund.amount), state: refundWords[refund.state] })),
    payable: state === 'AwaitingPayment',
    refundable: state === 'Paid' && refunded < total && !refunds.some(refund => refund.state === 'AwaitingApproval' || refund.state === 'Processing'),
  }
}

Page({
  data: {
    orders: [] as ReturnType<typeof row>[],
    loaded: false,
    message: '',
    busy: false,
  },

  // The orders as the shop has them.
  list: [] as Order[],

  onShow() {
    void this.load()
  },

  async onPullDownRefresh() {
    await this.load()
    wx.stopPullDownRefresh()
  },

  async load() {
    try {
      this.show(await orders())
      this.setData({ loaded: true, message: '' })
    } catch (error) {
      this.setData({ message: explain(error) })
    }
  },

  show(list: Order[]) {
    this.list = list
    this.setData({ orders: list.map(row) })
  },

  pay(event: Tap) {
    wx.navigateTo({ url: `/pages/Pay/Pay?orderNumber=${event.currentTarget.dataset.number}` })
  },

  // The shop's staff decides about it: nothing is paid back here.
  async refund(event: Tap) {
    if (this.data.busy) {
      return
    }
    this.setData({ busy: true, message: '' })
    try {
      const { confirm, content } = await askForReason()
      if (confirm) {
        const number = event.currentTarget.dataset.number
        const refunded = await requestRefund(this.list.find(order => order.orderNumber === number)!, content || '不想要了')
        this.show(this.list.map(order => order.orderNumber === number ? refunded : order))
      }
    } catch (error) {
      this.setData({ message: explain(error) })
    } finally {
      this.setData({ busy: false })
    }
  },
})

function askForReason(): Promise<{ confirm: boolean; content: string }> {
  return new Promise(resolve => {
    wx.showModal({
      title: '申请退款', editable: true, placeholderText: '退款原因',
      success: ({ confirm, content }) => resolve({ confirm, content }),
      fail: () => resolve({ confirm: false, content: '' }),
    })
  })
}
