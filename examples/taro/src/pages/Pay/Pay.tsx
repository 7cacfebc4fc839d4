// The one page that pays. It is told an order number and nothing else, by the shop page, the order page, or a page in a
// web-view, and asks the shop for the rest: parameters in an address could be anybody's.
import { Button, View } from '@tarojs/components'
import Taro, { useLoad, useRouter } from '@tarojs/taro'
import { useState } from 'react'
import { useOnce } from '../../shop/once'
import { check, pay, type Outcome } from '../../shop/payment'
import { Code, codeOf } from '../../shop/request'
import { payable, type Payable } from '../../shop/shop'
import { explain, yuan } from '../../shop/words'

const outcomes: Record<Outcome, [words: string, offer: 'Pay' | 'Check' | 'Back']> = {
  Paid: ['支付成功', 'Back'],
  Cancelled: ['支付已取消', 'Pay'],
  Refused: ['微信没有受理这次支付，请稍后再试', 'Pay'],
  Ended: ['订单已结束，请重新下单', 'Back'],
  Unknown: ['暂未收到支付结果。如已扣款，请勿重复支付', 'Check'],
}

export default function Pay() {
  const { orderNumber = '' } = useRouter().params
  const [order, setOrder] = useState<Payable>()
  const [[words, offer], show] = useState<[string, '' | 'Pay' | 'Check' | 'Back']>(['正在读取订单', ''])
  const [busy, once] = useOnce()

  function run(work: () => Promise<Outcome>) {
    return once(async () => {
      try {
        show(outcomes[await work()])
      } catch (error) {
        show([explain(error), codeOf(error) === Code.NotFound ? 'Back' : 'Pay'])
      }
    })
  }

  function payNow() {
    return run(async () => {
      show(['正在支付', ''])
      const found = await payable(orderNumber)
      setOrder(found)
      return pay(found)
    })
  }

  useLoad(() => {
    if (/^[0-9a-z-]{6,32}$/.test(orderNumber)) {
      void payNow()
    } else {
      show(['没有找到这个订单', 'Back'])
    }
  })

  function back() {
    Taro.navigateBack().catch(() => Taro.switchTab({ url: '/pages/orders/orders' }))
  }

  return (
    <View className='list'>
      {order && (
        <View className='card'>
          <View className='name'>{order.description}</View>
          <View className='price'>¥{yuan(order.total)}</View>
          <View className='quiet'>订单号 {orderNumber}</View>
        </View>
      )}
      <View className='card state'>{words}</View>
      {offer === 'Pay' && <Button className='action pay' disabled={busy} onClick={() => void payNow()}>支付</Button>}
      {offer === 'Check' && <Button className='action check' disabled={busy} onClick={() => void run(() => check(orderNumber))}>查询支付结果</Button>}
      {offer === 'Back' && <Button className='plain back' onClick={back}>返回</Button>}
    </View>
  )
}
