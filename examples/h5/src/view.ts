import { qrCode } from './qr'
import type { Product } from './shop'
import { dictionary, yuan, type Language, type Sentence, type Words } from './words'

/** View is everything that is to be seen. It keeps what it shows by name, so that the language can change at any time. */
export class View {
  onBuy: (id: string, num: number) => void = () => {}
  onAgain: () => void = () => {}
  onCheck: () => void = () => {}
  onClose: () => void = () => {}

  private language: Language = navigator.language.startsWith('zh') ? 'zh-CN' : 'en'
  private products: Product[] = []
  private message?: Sentence
  private orderNumber?: string
  private state?: Sentence
  private buttons: ('again' | 'check')[] = []
  private qrText?: string
  private busy = false

  constructor() {
    this.click('language', () => {
      this.language = this.words.languageCode as Language
      this.draw()
    })
    this.click('again', () => this.onAgain())
    this.click('check', () => this.onCheck())
    this.click('close', () => this.onClose())
    this.draw()
  }

  showGoods(products: Product[]) {
    this.products = products
    this.draw()
  }

  /** showMessage says what went wrong; undefined takes it away. */
  showMessage(message?: Sentence) {
    this.message = message
    this.draw()
  }

  /** showCheckout opens the part about an order. */
  showCheckout(state: Sentence, orderNumber?: string) {
    const wasHidden = this.of('checkout').hidden
    this.orderNumber = orderNumber
    this.showState(state)
    if (wasHidden) {
      this.of('checkout').focus()
    }
  }

  /** showState says where the order is, and what can be done. */
  showState(state: Sentence, ...buttons: ('again' | 'check')[]) {
    this.state = state
    this.buttons = buttons
    if (state !== 'scan' && state !== 'lost') {
      this.qrText = undefined
    }
    this.draw()
  }

  showCode(text: string) {
    this.qrText = text
    this.draw()
  }

  hideCheckout() {
    this.state = this.orderNumber = this.qrText = undefined
    this.buttons = []
    this.draw()
  }

  /** setBusy marks the buttons; they stay in the tab order, so that the focus is not lost. */
  setBusy(busy: boolean) {
    this.busy = busy
    this.draw()
  }

  private get words(): Words { return dictionary[this.language] }

  private draw() {
    const words = this.words
    document.documentElement.lang = this.language
    document.title = words.title
    this.write('title', words.title)
    this.write('language', words.language)
    this.of('language').lang = words.languageCode
    this.write('message', this.message ? words[this.message] : '')
    this.write('goods-title', words.goods)
    this.write('checkout-title', words.checkout)
    this.write('what', this.orderNumber ? words.order(this.orderNumber) : '')
    this.write('state', this.state ? words[this.state] : '')
    this.write('again', words.again)
    this.write('check', words.check)
    this.write('close', words.close)
    this.of('checkout').hidden = !this.state
    this.of('again').hidden = !this.buttons.includes('again')
    this.of('check').hidden = !this.buttons.includes('check')
    this.disable(this.of('again'))
    this.disable(this.of('check'))
    this.of('code').replaceChildren(...this.qrText ? [qrCode(this.qrText, words.qr)] : [])
    this.drawGoods(words)
  }

  // Rows are made once and then only change, so that the focus and what was typed stay.
  private drawGoods(words: Words) {
    const list = this.of('goods')
    for (const product of this.products) {
      const row = list.querySelector(`[data-id="${CSS.escape(product.id)}"]`) ?? list.appendChild(this.row(product.id))
      const part = <T extends HTMLElement>(selector: string) => row.querySelector<T>(selector)!
      part('.name').textContent = product.name
      part('.price').textContent = yuan(product.price)
      part('.stock').textContent = words.stock(product.stock)
      const quantity = part<HTMLInputElement>('input')
      quantity.setAttribute('aria-label', `${words.quantity}: ${product.name}`)
      quantity.max = String(Math.max(product.stock, 1))
      const buy = part<HTMLButtonElement>('button')
      buy.textContent = words.buy
      buy.setAttribute('aria-label', words.buyWhat(product.name))
      buy.disabled = product.stock < 1
      this.disable(buy)
    }
  }

  private row(id: string): HTMLLIElement {
    const row = document.createElement('li')
    row.dataset.id = id
    const about = document.createElement('div')
    for (const name of ['name', 'price', 'stock']) {
      const part = document.createElement('div')
      part.className = name
      about.append(part)
    }
    const quantity = document.createElement('input')
    Object.assign(quantity, { type: 'number', min: '1', step: '1', value: '1', inputMode: 'numeric' })
    const buy = document.createElement('button')
    buy.type = 'button'
    buy.addEventListener('click', () => {
      if (quantity.reportValidity()) {
        this.onBuy(id, quantity.valueAsNumber)
      }
    })
    const buying = document.createElement('div')
    buying.className = 'buying'
    buying.append(quantity, buy)
    row.append(about, buying)
    return row
  }

  private disable(button: HTMLElement) {
    button.setAttribute('aria-disabled', String(this.busy))
  }

  private click(id: string, then: () => void) {
    this.of(id).addEventListener('click', then)
  }

  // A status that is written again is read aloud again.
  private write(id: string, text: string) {
    const element = this.of(id)
    if (element.textContent !== text) {
      element.textContent = text
    }
  }

  private of(id: string): HTMLElement { return document.getElementById(id)! }
}
