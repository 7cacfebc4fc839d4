import { Button, View } from '@tarojs/components'
import Taro, { useDidShow, usePullDownRefresh } from '@tarojs/taro'
import { useState } from 'react'
import { useOnce } from '../../shop/once'
import { orders, requestRefund, type Order } from '../../shop/shop'
import { explain, orderWords, refundWords, yuan } from '../../shop/words'

function isRefundable({ state, refunded, total, refunds }: Order): boolean {
  return state === 'Paid' && refunded < total && !refunds.some(refund => refund.state === 'AwaitingApproval' || refund.state === 'Processing')
}

export default function Orders() {
  const [list, setList] = useState<Order[]>()
  const [message, setMessage] = useState('')
  const [busy, once] = useOnce()

  async function load() {
    try {
      setList(await orders())
      setMessage('')
    } catch (error) {
      setMessage(explain(error))
    }
  }
  useDidShow(() => void load())
  usePullDownRefresh(() => void load().then(() => Taro.stopPullDownRefresh()))

  // The shop's staff decides about it: nothing is paid back here.
  function refund(order: Order) {
    return once(async () => {
      setMessage('')
      try {
        // content is the text that was typed; Taro's types lack it.
        const options = { title: '申请退款', editable: true, placeholderText: '退款原因' }
        const { confirm, content } = await Taro.showModal(options) as Taro.showModal.SuccessCallbackResult & { content?: string }
        if (confirm) {
          const refunded = await requestRefund(order, content || '不想要了')
          setList(known => known?.map(other => other.orderNumber === refunded.orderNumber ? refunded : other))
        }
      } catch (error) {
        setMessage(explain(error))
      }
    })
  }

  return (
    <View className='list'>
      {message && <View className='message'>{message}</View>}
      {list?.length === 0 && <View className='quiet'>还没有订单</View>}
      {list?.map(order => (
        <View key={order.orderNumber} className='card order'>
          <View className='row'>
            <View className='name'>{order.description}</View>
            <View className='state'>{orderWords[order.state]}</View>
          </View>
          <View className='row'>
            <View className='quiet'>{order.orderNumber}</View>
            <View className='price'>¥{yuan(order.total)}</View>
          </View>
          {order.refunds.map(({ refundNumber, state, amount }) => (
            <View key={refundNumber} className='quiet refund'>{refundWords[state]} ¥{yuan(amount)}</View>
          ))}
          {order.state === 'AwaitingPayment' && (
            <Button className='action pay' size='mini' onClick={() => void Taro.navigateTo({ url: `/pages/Pay/Pay?orderNumber=${order.orderNumber}` })}>支付</Button>
          )}
          {isRefundable(order) && (
            <Button className='plain refund-request' size='mini' disabled={busy} onClick={() => void refund(order)}>申请退款</Button>
          )}
        </View>
      ))}
    </View>
  )
}
