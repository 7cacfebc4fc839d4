import { ask, order, pay, type Goods, type Outcome, type Screen } from './payment'
import { placeOf } from './place'
import { Payer } from './session'
import { catalogue } from './shop'
import { View } from './view'
import { explain } from './words'

const place = placeOf(navigator.userAgent, window.__wxjs_environment)
const payer = new Payer(place)
const view = new View()

// What is being bought outlives the page, which logging in and MWEB leave and come back to.
const basketKey = 'basket'
const basket = {
  get: (): Goods | undefined => JSON.parse(sessionStorage.getItem(basketKey) ?? 'null') ?? undefined,
  set: (goods: Goods) => sessionStorage.setItem(basketKey, JSON.stringify(goods)),
  clear: () => sessionStorage.removeItem(basketKey),
}

// The order that is shown. Its number is in the address too, for a page that is loaded again.
let shown: string | undefined
// Each thing that is begun ends the waiting of the one before.
let turn = 0
let busy = false

function screenOf(mine: number): Screen {
  return {
    say: words => { if (mine === turn) view.showState(words) },
    showCode: text => { if (mine === turn) view.showCode(text) },
    gone: () => mine !== turn,
  }
}

/** begin runs one thing at a time: of two quick clicks, the second does nothing. */
async function begin(work: (screen: Screen) => Promise<Outcome>) {
  if (busy) {
    return
  }
  const mine = ++turn
  setBusy(true)
  view.showMessage()
  try {
    const outcome = await work(screenOf(mine))
    if (mine === turn) {
      show(outcome)
    }
  } catch (error) {
    if (mine === turn) {
      close()
      view.showMessage(explain(error))
    }
  } finally {
    if (mine === turn) {
      setBusy(false)
    }
  }
}

function setBusy(now: boolean) {
  busy = now
  view.setBusy(now)
}

function buy(goods: Goods) {
  return begin(async screen => {
    basket.set(goods)
    view.showCheckout('creating')
    const created = await order(payer, place, goods)
    remember(created.orderNumber)
    view.showCheckout('paying', created.orderNumber)
    return pay(payer, place, created, screen)
  })
}

function check(times: number) {
  return begin(screen => {
    view.showCheckout('asking', shown)
    return ask(payer, shown!, screen, times)
  })
}

function show(outcome: Outcome) {
  if (outcome === 'paid' || outcome === 'ended') {
    basket.clear()
    void loadGoods()
  }
  const again = basket.get() ? ['again' as const] : []
  switch (outcome) {
    case 'paid':
    case 'ended':
      return view.showState(outcome)
    case 'cancelled':
    case 'refused':
      return view.showState(outcome, ...again)
    case 'waiting':
      return view.showState(outcome, 'check', ...again)
    case 'unknown':
      return view.showState(outcome, 'check')
  }
}

function close() {
  turn++
  setBusy(false)
  basket.clear()
  remember(undefined)
  view.hideCheckout()
}

function remember(orderNumber: string | undefined) {
  shown = orderNumber
  history.replaceState(null, '', location.pathname + (orderNumber ? `?order=${encodeURIComponent(orderNumber)}` : ''))
}

async function loadGoods() {
  try {
    view.showGoods(await catalogue())
  } catch (error) {
    view.showMessage(explain(error))
  }
}

async function start() {
  view.onBuy = (id, num) => void buy({ id, num })
  view.onAgain = () => void buy(basket.get()!)
  view.onCheck = () => void check(1)
  view.onClose = close
  shown = new URLSearchParams(location.search).get('order') ?? undefined
  const goods = loadGoods()
  // In WeChat the page leaves to log in, which is better done before a payer has begun something.
  if (place === 'MiniProgram' || place === 'OfficialAccount') {
    try {
      await payer.session()
    } catch (error) {
      await goods
      view.showMessage(explain(error))
      return
    }
  }
  await goods
  if (shown) {
    await check(10)
  } else if (place === 'OfficialAccount' && basket.get()) {
    await buy(basket.get()!) // the payer had begun, and was sent to log in
  }
}

void start()
