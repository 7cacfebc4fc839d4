import { catalogue, createOrder } from '../../shop/shop'
import { explain, yuan } from '../../shop/words'

Page({
  data: {
    products: [] as { id: string; name: string; price: string; stock: number }[],
    message: '',
    busy: false,
  },

  onShow() {
    void this.load()
  },

  async onPullDownRefresh() {
    await this.load()
    wx.stopPullDownRefresh()
  },

  async load() {
    try {
      const products = (await catalogue()).map(product => ({ ...product, price: yuan(product.price) }))
      this.setData({ products, message: '' })
    } catch (error) {
      this.setData({ message: explain(error) })
    }
  },

  // The page sends what is bought and how many. The price is the shop's.
  async buy(event: WechatMiniprogram.TouchEvent<object, object, { id: string }>) {
    // A second tap arrives before the button is drawn as disabled.
    if (this.data.busy) {
      return
    }
    this.setData({ busy: true, message: '' })
    try {
      const orderNumber = await createOrder(event.currentTarget.dataset.id, 1)
      wx.navigateTo({ url: `/pages/Pay/Pay?orderNumber=${orderNumber}` })
    } catch (error) {
      this.setData({ message: explain(error) })
    } finally {
      this.setData({ busy: false })
    }
  },
})
