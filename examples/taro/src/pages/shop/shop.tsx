import { Button, Navigator, View } from '@tarojs/components'
import Taro, { useDidShow, usePullDownRefresh } from '@tarojs/taro'
import { useState } from 'react'
import { useOnce } from '../../shop/once'
import { catalogue, createOrder, type Product } from '../../shop/shop'
import { explain, yuan } from '../../shop/words'

export default function Shop() {
  const [products, setProducts] = useState<Product[]>([])
  const [message, setMessage] = useState('')
  const [busy, once] = useOnce()

  async function load() {
    try {
      setProducts(await catalogue())
      setMessage('')
    } catch (error) {
      setMessage(explain(error))
    }
  }
  useDidShow(() => void load())
  usePullDownRefresh(() => void load().then(() => Taro.stopPullDownRefresh()))

  // The page sends what is bought and how many. The price is the shop's.
  function buy(id: string) {
    return once(async () => {
      setMessage('')
      try {
        await Taro.navigateTo({ url: `/pages/Pay/Pay?orderNumber=${await createOrder(id, 1)}` })
      } catch (error) {
        setMessage(explain(error))
      }
    })
  }

  return (
    <View className='list'>
      {message && <View className='message'>{message}</View>}
      {products.map(({ id, name, price, stock }) => (
        <View key={id} className='card row product'>
          <View>
            <View className='name'>{name}</View>
            <View className='price'>¥{yuan(price)}</View>
            <View className='quiet'>{stock > 0 ? '有货' : '已售罄'}</View>
          </View>
          <Button className='action buy' size='mini' disabled={busy || stock < 1} onClick={() => void buy(id)}>购买</Button>
        </View>
      ))}
      <Navigator className='quiet' url='/pages/web/web'>打开网页版</Navigator>
    </View>
  )
}
