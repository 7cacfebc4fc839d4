import type { PayInfo } from './shop'

/** Bridge is window.WeixinJSBridge, which weixin-js-sdk declares without a type. */
interface Bridge {
  invoke(name: string, data: object, then: (answer: { err_msg: string }) => void): void
}

/** payByBridge opens WeChat's payment in the browser of WeChat. What it answers is no proof of a payment. */
export async function payByBridge({ appId, timeStamp, nonceStr, package: prepay, signType, paySign }: PayInfo): Promise<'Done' | 'Cancelled' | 'Refused'> {
  const bridge = await ready()
  return new Promise(resolve => {
    bridge.invoke('getBrandWCPayRequest', { appId, timeStamp, nonceStr, package: prepay, signType, paySign }, ({ err_msg: said }) => {
      resolve(said === 'get_brand_wcpay_request:ok' ? 'Done' : said === 'get_brand_wcpay_request:cancel' ? 'Cancelled' : 'Refused')
    })
  })
}

// ready waits for the bridge, which WeChat often adds after the page's own scripts ran.
function ready(): Promise<Bridge> {
  return new Promise(resolve => {
    if (window.WeixinJSBridge) {
      resolve(window.WeixinJSBridge)
    } else {
      document.addEventListener('WeixinJSBridgeReady', () => resolve(window.WeixinJSBridge), { once: true })
    }
  })
}
