import { useSignal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { list, type Cells } from './api'
import type { Order } from './kinds'
import { money } from './money'
import { Liveness, State, Time, useFollow } from './parts'
import { link, route } from './state'
import { shown } from './text'
import { dayOf } from './time'
import { reasonWord, t, type Word } from './words'

// Row is an Order in the list.
interface Row {
  name: string
  created: number
  state: string
  type: string
  total: number
  currency: string
  transaction: string
  paid: string
}

const groups: Record<string, { word: Word; has: (state: string) => boolean }> = {
  all: { word: 'all', has: () => true },
  open: { word: 'open_', has: (s) => ['', 'Pending', 'AwaitingPayment', 'Closing'].includes(s) },
  paid: { word: 'paid', has: (s) => s.startsWith('Paid') },
  ended: { word: 'ended', has: (s) => s === 'Closed' || s === 'Expired' },
  attention: { word: 'attention', has: (s) => !['', 'Pending', 'AwaitingPayment', 'Closing', 'Paid', 'Closed', 'Expired'].includes(s) },
}

const most = 20_000
const step = 50

// rows keeps what was read of an Order until the Order changes.
const rows = new WeakMap<Cells, Row>()

function rowOf(order: Cells): Row {
  let row = rows.get(order)
  if (!row) {
    const text = (column: string) => String(order.cells[column] ?? '')
    row = {
      name: order.metadata.name, created: Date.parse(order.metadata.creationTimestamp), state: text('STATE'), type: text('TYPE'),
      total: Number(order.cells['TOTAL']), currency: text('CURRENCY') || 'CNY', transaction: text('TRANSACTION'), paid: text('PAID'),
    }
    rows.set(order, row)
  }
  return row
}

export function Orders() {
  const { namespace } = route.value
  const query = useSignal('')
  const group = useSignal('all')
  const day = useSignal('')
  const shownRows = useSignal(step)
  const news = useSignal('')
  const said = useRef(0)

  const following = useFollow<Cells>({ namespace, resource: 'orders', table: true, most }, (type, item, before) => {
    const now = rowOf(item)
    if (type === 'DELETED' || (before && rowOf(before).state === now.state) || Date.now() - said.current < 2000) return
    said.current = Date.now()
    news.value = t('announced', now.name, reasonWord(now.state))
  })
  void following.turn.value

  const range = dayOf(day.value)
  const wanted = query.value.trim().toLowerCase()
  const has = groups[group.value]!.has
  const found: Row[] = []
  for (const order of following.items.values()) {
    const row = rowOf(order)
    if (!has(row.state)) continue
    if (range && (row.created < range[0] || row.created >= range[1])) continue
    if (wanted && !row.name.includes(wanted) && !row.transaction.includes(wanted)) continue
    found.push(row)
  }
  found.sort((a, b) => b.created - a.created || (a.name < b.name ? 1 : -1))
  const visible = found.slice(0, shownRows.value)

  return (
    <>
      <h1>{t('orders')}</h1>
      <form class="filters" role="search" onSubmit={(e) => e.preventDefault()}>
        <label>
          {t('search')}
          <input
            id="search" type="search" autocomplete="off" spellcheck={false} placeholder={t('searchHint')} value={query.value}
            onInput={(e) => ((query.value = e.currentTarget.value), (shownRows.value = step))}
          />
        </label>
        <label>
          {t('state')}
          <select id="state" value={group.value} onChange={(e) => ((group.value = e.currentTarget.value), (shownRows.value = step))}>
            {Object.entries(groups).map(([name, { word }]) => (
              <option key={name} value={name}>
                {t(word)}
              </option>
            ))}
          </select>
        </label>
        <label>
          {t('day')}
          <input id="day" type="date" value={day.value} onInput={(e) => ((day.value = e.currentTarget.value), (shownRows.value = step))} />
        </label>
      </form>
      <Liveness of={following} />
      {following.more.value && <p class="hint">{t('tooManyOrders', most)}</p>}
      {!following.loading.value && wanted && !found.length && <ByNumber namespace={namespace} number={query.value.trim()} />}
      <p class="hint" id="count" data-total={following.items.size} data-found={found.length} data-loading={following.loading.value}>
        {following.loading.value ? t('loading') : t('showing', visible.length, found.length)}
      </p>
      <p class="unseen" role="status" id="news">
        {news.value}
      </p>
      {visible.length > 0 && (
        <table class="list">
          <thead>
            <tr>
              <th scope="col">{t('number')}</th>
              <th scope="col">{t('state')}</th>
              <th scope="col">{t('type')}</th>
              <th scope="col" class="sum">
                {t('amount')}
              </th>
              <th scope="col">{t('created')}</th>
              <th scope="col">{t('paidAt')}</th>
            </tr>
          </thead>
          <tbody>
            {visible.map((row) => (
              <tr key={row.name} data-state={row.state}>
                <th scope="row">
                  <a href={link('orders', row.name)}>{shown(row.name)}</a>
                </th>
                <td data-label={t('state')}>
                  <State reason={row.state} />
                </td>
                <td data-label={t('type')}>{row.type}</td>
                <td data-label={t('amount')} class="sum">
                  {money(row.total, row.currency)}
                </td>
                <td data-label={t('created')}>
                  <Time at={row.created} />
                </td>
                <td data-label={t('paidAt')}>
                  <Time at={row.paid} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {found.length > visible.length && (
        <button type="button" id="more" onClick={() => (shownRows.value += step)}>
          {t('more')}
        </button>
      )}
    </>
  )
}

// ByNumber asks the API server for an Order whose number is not its name, or that is not among those that the page keeps.
function ByNumber({ namespace, number }: { namespace: string; number: string }) {
  const found = useSignal<string[]>([])
  useEffect(() => {
    found.value = []
    if (!/^[0-9A-Za-z_|*-]{4,64}$/.test(number)) return
    let over = false
    const timer = setTimeout(async () => {
      const lists = await Promise.allSettled(['status.outTradeNo', 'status.transaction.id', 'metadata.name'].map((field) => list<Order>(namespace, 'orders', `${field}=${number}`)))
      if (!over) found.value = [...new Set(lists.flatMap((l) => (l.status === 'fulfilled' ? l.value.items.map((o) => o.metadata.name) : [])))]
    }, 400)
    return () => {
      over = true
      clearTimeout(timer)
    }
  }, [namespace, number])
  return (
    <p id="found" role="status">
      {found.value.length ? t('found') : t('none')}
      {found.value.map((name) => (
        <a key={name} href={link('orders', name)}>
          {name}
        </a>
      ))}
    </p>
  )
}
