import { pageAddress } from '../../config'
import { ticket } from '../../shop/shop'
import { explain } from '../../shop/words'

Page({
  data: {
    address: '',
    words: '正在打开',
  },

  // The ticket is in the fragment, which browsers send to nobody and servers don't log.
  async onLoad() {
    try {
      this.setData({ address: `${pageAddress}#ticket=${await ticket()}` })
    } catch (error) {
      this.setData({ words: explain(error) })
    }
  },
})
