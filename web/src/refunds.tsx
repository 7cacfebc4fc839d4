import { useSignal } from '@preact/signals'
import { useEffect, useState } from 'preact/hooks'
import { get } from './api'
import { Decide } from './decide'
import { byAge, condition, decidedBy, requestedBy, type Order, type Refund } from './kinds'
import { money } from './money'
import { Liveness, More, State, Text, Time, useFollow } from './parts'
import { amountOf, stateOf, waits } from './refund'
import { askWhetherMayDecide, link, mayDecide, route, settings } from './state'
import { reasonWord, t } from './words'

const most = 2000
const step = 20

// orders remembers what was read of the Orders of Refunds, which does not change in what is shown here: currency and amount.
const orders = new Map<string, Promise<Order>>()

export function useOrder(namespace: string, name: string): Order | undefined {
  const [order, setOrder] = useState<Order>()
  useEffect(() => {
    const key = `${namespace}/${name}`
    if (!orders.has(key)) {
      if (orders.size > 500) orders.clear()
      const read = get<Order>(namespace, 'orders', name)
      read.catch(() => orders.delete(key))
      orders.set(key, read)
    }
    let over = false
    orders.get(key)!.then((o) => !over && setOrder(o), () => undefined)
    return () => {
      over = true
    }
  }, [namespace, name])
  return order
}

// useMayDecide asks again now and then, and when somebody comes back to the page.
export function useMayDecide(): void {
  const { namespace } = route.value
  useEffect(() => {
    mayDecide.value = undefined
    void askWhetherMayDecide()
    const again = () => !document.hidden && void askWhetherMayDecide()
    const timer = setInterval(again, Math.min(30, settings.value.watchSeconds) * 1000)
    addEventListener('focus', again)
    return () => {
      clearInterval(timer)
      removeEventListener('focus', again)
    }
  }, [namespace])
}

export function Refunds() {
  const { namespace } = route.value
  // Only what is not decided is read. What is decided meanwhile stays on the page, so that its fate is seen.
  const decided = useSignal(new Map<string, Refund>())
  const count = useSignal(step)
  const news = useSignal('')
  const following = useFollow<Refund>({ namespace, resource: 'refunds', fieldSelector: 'spec.approval=', most }, (type, item) => {
    if (type !== 'DELETED') return
    get<Refund>(namespace, 'refunds', item.metadata.name).then(
      (now) => {
        decided.value = new Map(decided.value).set(now.metadata.name, now)
        news.value = t('decided', now.metadata.name, reasonWord(now.spec.approval))
      },
      () => undefined, // it was deleted
    )
  })
  useMayDecide()
  void following.turn.value
  useEffect(() => {
    decided.value = new Map()
  }, [namespace])

  const waiting = [...following.items.values()].filter(waits)
  const shown = [...waiting, ...[...decided.value.values()].filter((r) => !following.items.has(r.metadata.name))].sort(byAge)
  return (
    <>
      <h1>{t('waiting')}</h1>
      <Liveness of={following} />
      <More of={following.more.value} most={most} />
      {mayDecide.value === false && !following.loading.value && (
        <p class="hint" id="may-not">
          {t('mayNot')}
        </p>
      )}
      <p class="hint" id="count" data-found={waiting.length} data-loading={following.loading.value}>
        {following.loading.value ? t('loading') : waiting.length ? t('showing', Math.min(count.value, shown.length), shown.length) : t('none')}
      </p>
      <p class="unseen" role="status" id="news">
        {news.value}
      </p>
      {shown.length > 0 && (
        <p class="hint" id="believed">
          {t('believed')}
        </p>
      )}
      <ul class="cards">
        {shown.slice(0, count.value).map((refund) => (
          <Card key={refund.metadata.name} refund={refund} />
        ))}
      </ul>
      {shown.length > count.value && (
        <button type="button" id="more" onClick={() => (count.value += step)}>
          {t('more')}
        </button>
      )}
    </>
  )
}

function Card({ refund }: { refund: Refund }) {
  const { name, namespace, annotations, creationTimestamp } = refund.metadata
  const order = useOrder(namespace, refund.spec.orderRef.name)
  return (
    <li class="card" id={`refund-${name}`} data-approval={refund.spec.approval ?? ''}>
      <header>
        <h2>
          <Text>{name}</Text>
        </h2>
        <strong class="big">{amountOf(refund, order)}</strong>
        <State reason={refund.spec.approval ?? condition(refund, 'Approved')?.reason} kind="Refund" />
      </header>
      <dl class="facts">
        <div>
          <dt>{t('order')}</dt>
          <dd>
            <a href={link('orders', refund.spec.orderRef.name)}>{refund.spec.orderRef.name}</a>
          </dd>
        </div>
        <div>
          <dt>{t('reasonShort')}</dt>
          <dd class="reason">
            <Text>{refund.spec.reason ?? '–'}</Text>
          </dd>
        </div>
        <div>
          <dt>{t('requestedBy')}</dt>
          <dd class="requested-by">
            <Text>{annotations?.[requestedBy] ?? t('requestedUnknown')}</Text>
          </dd>
        </div>
        <div>
          <dt>{t('created')}</dt>
          <dd>
            <Time at={creationTimestamp} />
          </dd>
        </div>
        {refund.spec.approval && <Decision refund={refund} />}
      </dl>
      {!refund.spec.approval && <Decide refund={refund} />}
    </li>
  )
}

function Decision({ refund }: { refund: Refund }) {
  return (
    <>
      <div>
        <dt>{t('decidedBy')}</dt>
        <dd>
          <Text>{refund.metadata.annotations?.[decidedBy] ?? t('requestedUnknown')}</Text>
        </dd>
      </div>
      <div>
        <dt>{t('why')}</dt>
        <dd class="why">
          <Text>{refund.spec.approvalMessage ?? '–'}</Text>
        </dd>
      </div>
    </>
  )
}

// RefundTable lists the Refunds of one Order.
export function RefundTable({ refunds, currency }: { refunds: Refund[]; currency: string }) {
  return (
    <table class="list">
      <thead>
        <tr>
          <th scope="col">{t('number')}</th>
          <th scope="col">{t('state')}</th>
          <th scope="col" class="sum">
            {t('amount')}
          </th>
          <th scope="col">{t('reasonShort')}</th>
          <th scope="col">{t('requestedBy')}</th>
          <th scope="col">{t('decidedBy')}</th>
          <th scope="col">{t('message')}</th>
        </tr>
      </thead>
      <tbody>
        {refunds.map((r) => (
          <tr key={r.metadata.name}>
            <th scope="row">
              <Text>{r.metadata.name}</Text>
            </th>
            <td data-label={t('state')}>
              <State reason={stateOf(r)} kind="Refund" />
            </td>
            <td data-label={t('amount')} class="sum">
              {money(r.spec.amount, currency)}
            </td>
            <td data-label={t('reasonShort')}>
              <Text>{r.spec.reason ?? '–'}</Text>
            </td>
            <td data-label={t('requestedBy')}>
              <Text>{r.metadata.annotations?.[requestedBy] ?? '–'}</Text>
            </td>
            <td data-label={t('decidedBy')}>
              <Text>{[r.metadata.annotations?.[decidedBy], r.spec.approvalMessage].filter(Boolean).join(': ') || '–'}</Text>
            </td>
            <td data-label={t('message')}>
              <Text>{messageOf(r)}</Text>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

function messageOf(refund: Refund): string {
  const state = stateOf(refund)
  return refund.status?.conditions?.find((c) => c.reason === state)?.message ?? ''
}
