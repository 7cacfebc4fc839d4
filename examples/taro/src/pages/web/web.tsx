import { View, WebView } from '@tarojs/components'
import { useLoad } from '@tarojs/taro'
import { useState } from 'react'
import { pageAddress } from '../../config'
import { ticket } from '../../shop/shop'
import { explain } from '../../shop/words'

export default function Web() {
  const [address, setAddress] = useState('')
  const [words, setWords] = useState('正在打开')

  // The ticket is in the fragment, which browsers send to nobody and servers don't log.
  useLoad(() => {
    ticket().then(value => setAddress(`${pageAddress}#ticket=${value}`), (error: unknown) => setWords(explain(error)))
  })

  return address ? <WebView src={address} /> : <View className='message'>{words}</View>
}
