import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { eventsOf, list } from './api'
import { byAge, condition, type Event, type Order, type Refund, type Shipment } from './kinds'
import { money } from './money'
import { Conditions, Fact, Facts, Liveness, More, State, Text, Time, Trouble, useFollow, useRead } from './parts'
import { QR } from './qr'
import { RefundTable } from './refunds'
import { link, route } from './state'
import { t } from './words'

const mostRefunds = 500

export function OneOrder() {
  const { namespace, name } = route.value
  const orders = useFollow<Order>({ namespace, resource: 'orders', fieldSelector: `metadata.name=${name}`, most: 1 })
  const refunds = useFollow<Refund>({ namespace, resource: 'refunds', fieldSelector: `spec.orderRef.name=${name}`, most: mostRefunds })
  void orders.turn.value
  void refunds.turn.value
  const order = orders.items.get(name)
  return (
    <>
      <p>
        <a href={link('orders')}>← {t('orders')}</a>
      </p>
      <h1>
        {t('order')} <Text>{name}</Text>
      </h1>
      <Liveness of={orders} />
      {orders.loading.value ? <p class="hint">{t('loading')}</p> : order ? <Details order={order} refunds={[...refunds.items.values()]} refundProblem={refunds.problem.value} moreRefunds={refunds.more.value} /> : !orders.problem.value && <p role="alert">{t('notFound')}</p>}
    </>
  )
}

function Details({ order, refunds, refundProblem, moreRefunds }: { order: Order; refunds: Refund[]; moreRefunds: boolean; refundProblem: Parameters<typeof Trouble>[0]['problem'] }) {
  const { spec, status } = order
  const paid = condition(order, 'Paid')
  const currency = spec.amount.currency ?? 'CNY'
  const transaction = status?.transaction
  const code = status?.prepay?.codeURL
  const payable = paid?.status === 'Unknown' && condition(order, 'Prepared')?.status === 'True'
  return (
    <>
      <div class="columns">
        <Facts>
          <Fact name="state">
            <State reason={paid?.reason} />
          </Fact>
          <Fact name="amount">
            <strong id="amount">{money(spec.amount.total, currency)}</strong>
          </Fact>
          <Fact name="description">
            <span id="description">
              <Text>{spec.description}</Text>
            </span>
          </Fact>
          <Fact name="orderNumber">
            <Text>{status?.outTradeNo ?? spec.outTradeNo ?? order.metadata.name}</Text>
          </Fact>
          <Fact name="type">
            {spec.tradeType} {status?.prepay?.protocol && <code>{status.prepay.protocol}</code>}
          </Fact>
          <Fact name="merchant">
            <Text>{[spec.merchantRef.namespace, spec.merchantRef.name].filter(Boolean).join('/')}</Text>
          </Fact>
          <Fact name="created">
            <Time at={order.metadata.creationTimestamp} />
          </Fact>
          {payable && (
            <Fact name="closesAt">
              <Time at={status?.expireTime} />
            </Fact>
          )}
          {transaction && (
            <>
              <Fact name="paidAt">
                <Time at={transaction.paidTime} />
              </Fact>
              <Fact name="transaction">
                <Text>{transaction.id}</Text>
              </Fact>
            </>
          )}
          {status?.refunded?.count ? <Fact name="refunded">{t('refundedCount', money(status.refunded.total, currency), status.refunded.count)}</Fact> : null}
        </Facts>
        {code && payable && (
          <figure>
            <QR content={code} label={`${t('qr')} ${order.metadata.name}`} />
            <figcaption class="hint"><QRHint until={status?.prepay?.expireTime} /></figcaption>
          </figure>
        )}
      </div>
      <section aria-labelledby="conditions">
        <h2 id="conditions">{t('saysWeChat')}</h2>
        <Conditions of={order} />
      </section>
      <section aria-labelledby="refunds">
        <h2 id="refunds">{t('refunds')}</h2>
        <Trouble problem={refundProblem?.code === 403 ? refundProblem : undefined} />
        <More of={moreRefunds} most={mostRefunds} />
        {refunds.length ? <RefundTable refunds={refunds.sort(byAge)} currency={currency} /> : <p class="hint">{t('none')}</p>}
        {refunds.length > 0 && <p class="hint" id="believed">{t('believed')}</p>}
      </section>
      <Around order={order} />
    </>
  )
}

function QRHint({ until }: { until: string | undefined }) {
  const [before, after] = t('qrHint', '\u0000').split('\u0000')
  return (
    <>
      {before}
      <Time at={until} />
      {after}
    </>
  )
}

// Around is what belongs to an Order and is read now and then: a watch for each would hold too many of a browser's connections.
function Around({ order }: { order: Order }) {
  const { namespace, name, uid, resourceVersion } = order.metadata
  const turn = useSignal(0)
  useEffect(() => {
    const timer = setInterval(() => !document.hidden && turn.value++, 15_000)
    return () => clearInterval(timer)
  }, [])
  const again = [namespace, name, uid, resourceVersion, turn.value]
  const shipments = useRead(() => list<Shipment>(namespace, 'shipments', `spec.orderRef.name=${name}`), again)
  const events = useRead(() => eventsOf<Event>(namespace, uid), again)
  return (
    <>
      <section aria-labelledby="shipments">
        <h2 id="shipments">{t('shipments')}</h2>
        <Trouble problem={shipments.problem} />
        <More of={!!shipments.value?.more} most={shipments.value?.items.length ?? 0} />
        {shipments.value?.items.length ? (
          <ul class="conditions">
            {shipments.value.items.sort(byAge).map((s) => (
              <li key={s.metadata.name}>
                <strong>
                  <Text>{s.metadata.name}</Text>
                </strong>{' '}
                <State reason={condition(s, 'Uploaded')?.reason} /> {s.spec.logistics}{' '}
                {s.spec.parcels?.map((p, i) => (
                  <p key={i}>
                    <Text>{[p.items, p.carrier, p.trackingNumber].filter(Boolean).join(' · ')}</Text>
                  </p>
                ))}
                <p>
                  <Text>{condition(s, 'Uploaded')?.message}</Text>
                </p>
              </li>
            ))}
          </ul>
        ) : (
          shipments.value && <p class="hint">{t('none')}</p>
        )}
      </section>
      <section aria-labelledby="events">
        <h2 id="events">{t('events')}</h2>
        <Trouble problem={events.problem} />
        <More of={!!events.value?.more} most={events.value?.items.length ?? 0} />
        {events.value?.items.length ? (
          <ul class="conditions">
            {events.value.items.sort((a, b) => timeOf(b).localeCompare(timeOf(a))).map((e) => (
              <li key={e.metadata.uid}>
                <Time at={timeOf(e)} /> <strong>{e.reason}</strong> <code>{e.type}</code>
                <p>
                  <Text>{e.message}</Text>
                </p>
              </li>
            ))}
          </ul>
        ) : (
          events.value && <p class="hint">{t('none')}</p>
        )}
      </section>
    </>
  )
}

function timeOf(e: Event): string {
  return e.series?.lastObservedTime ?? e.lastTimestamp ?? e.eventTime ?? e.metadata.creationTimestamp
}
