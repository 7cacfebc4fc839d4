import type { Cells } from './api'
import { condition, type Statement } from './kinds'
import { money } from './money'
import { Conditions, Fact, Facts, Liveness, More, State, Text, Time, useFollow } from './parts'
import { link, route } from './state'
import { t } from './words'

const isOrderName = /^[a-z0-9-]{6,32}$/

// The API server lists by name, so all are read, as the table of kubectl get, to find the newest days.
const most = 1000
const text = (cell: Cells['cells'][string] | undefined) => String(cell ?? '')

function newestFirst(a: Cells, b: Cells): number {
  return text(b.cells['DATE']).localeCompare(text(a.cells['DATE'])) || a.metadata.name.localeCompare(b.metadata.name)
}

export function Statements() {
  const { namespace } = route.value
  const following = useFollow<Cells>({ namespace, resource: 'statements', table: true, most, toTheEnd: true }, undefined, newestFirst)
  void following.turn.value
  const rows = [...following.items.values()].sort(newestFirst)
  return (
    <>
      <h1>{t('statements')}</h1>
      <Liveness of={following} />
      <More of={following.more.value} most={most} word="olderCut" />
      {!rows.length && <p class="hint">{following.loading.value ? t('loading') : t('none')}</p>}
      {rows.length > 0 && (
        <table class="list">
          <thead>
            <tr>
              <th scope="col">{t('statement')}</th>
              <th scope="col">{t('date')}</th>
              <th scope="col">{t('merchant')}</th>
              <th scope="col">{t('bill')}</th>
              <th scope="col">{t('state')}</th>
              <th scope="col" class="sum">
                {t('differences')}
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map(({ metadata: { name }, cells }) => (
              <tr key={name}>
                <th scope="row">
                  <a href={link('statements', name)}>{name}</a>
                </th>
                <td data-label={t('date')}>{cells['DATE']}</td>
                <td data-label={t('merchant')}>
                  <Text>{text(cells['MERCHANT'])}</Text>
                </td>
                <td data-label={t('bill')}>
                  <State reason={text(cells['DOWNLOADED'])} kind="Statement" />
                </td>
                <td data-label={t('state')}>
                  <State reason={text(cells['BALANCED'])} kind="Statement" />
                </td>
                <td data-label={t('differences')} class="sum">
                  {cells['DIFFERING'] ?? '–'}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </>
  )
}

export function OneStatement() {
  const { namespace, name } = route.value
  const following = useFollow<Statement>({ namespace, resource: 'statements', fieldSelector: `metadata.name=${name}`, most: 1 })
  void following.turn.value
  const statement = following.items.get(name)
  return (
    <>
      <p>
        <a href={link('statements')}>← {t('statements')}</a>
      </p>
      <h1>
        {t('statement')} <Text>{name}</Text>
      </h1>
      <Liveness of={following} />
      {following.loading.value ? <p class="hint">{t('loading')}</p> : statement ? <Details statement={statement} /> : !following.problem.value && <p role="alert">{t('notFound')}</p>}
    </>
  )
}

function Details({ statement }: { statement: Statement }) {
  const status = statement.status ?? {}
  const differences = status.differences ?? []
  return (
    <>
      <Facts>
        <Fact name="date">{statement.spec.date}</Fact>
        <Fact name="merchant">
          <Text>{statement.spec.merchantRef.name}</Text>
        </Fact>
        <Fact name="state">
          <State reason={condition(statement, 'Balanced')?.reason} kind="Statement" />
        </Fact>
        <Fact name="compared">
          <Time at={status.comparedTime} />
        </Fact>
      </Facts>
      <Conditions of={statement} kind="Statement" />
      {status.totals?.length ? (
        <table class="list">
          <thead>
            <tr>
              <th scope="col">{t('currency')}</th>
              <th scope="col" class="sum">{t('payments')}</th>
              <th scope="col" class="sum">{t('refunds')}</th>
              <th scope="col" class="sum">{t('foreign')}</th>
              <th scope="col" class="sum">{t('fees')}</th>
            </tr>
          </thead>
          <tbody>
            {status.totals.map((row) => (
              <tr key={row.currency}>
                <th scope="row">{row.currency}</th>
                <td data-label={t('payments')} class="sum">{`${money(row.payments.total, row.currency)} (${row.payments.count})`}</td>
                <td data-label={t('refunds')} class="sum">{`${money(row.refunds.total, row.currency)} (${row.refunds.count})`}</td>
                <td data-label={t('foreign')} class="sum">{`${money(row.foreign.total, row.currency)} (${row.foreign.count})`}</td>
                <td data-label={t('fees')} class="sum">{row.fees ?? '–'}</td>
              </tr>
            ))}
          </tbody>
        </table>
      ) : null}
      {status.undecided ? <p>{t('undecided', status.undecided)}</p> : null}
      <h2>{t('differences')}</h2>
      {status.differing ? <p class="hint">{t('listed', differences.length, status.differing)}</p> : null}
      {status.differenceCounts?.length ? (
        <p>
          {status.differenceCounts.map((c) => (
            <span class="state bad" key={c.class}>
              {c.class} {c.count}
            </span>
          ))}
        </p>
      ) : null}
      {differences.length ? (
        <table class="list" id="differences">
          <thead>
            <tr>
              <th scope="col">{t('class')}</th>
              <th scope="col">{t('number')}</th>
              <th scope="col">{t('transaction')}</th>
              <th scope="col">{t('bill')}</th>
              <th scope="col">{t('here')}</th>
            </tr>
          </thead>
          <tbody>
            {differences.map((d, i) => (
              <tr key={i}>
                <th scope="row">{d.class}</th>
                <td data-label={t('number')}>
                  {d.outTradeNo && isOrderName.test(d.outTradeNo) ? <a href={link('orders', d.outTradeNo)}>{d.outTradeNo}</a> : <Text>{d.outTradeNo ?? '–'}</Text>}{' '}
                  <Text>{d.outRefundNo}</Text>
                </td>
                <td data-label={t('transaction')}>
                  <Text>{d.transactionID ?? d.refundID ?? '–'}</Text>
                </td>
                <td data-label={t('bill')}>
                  <Text>{d.bill ?? '–'}</Text>
                </td>
                <td data-label={t('here')}>
                  <Text>{d.here ?? '–'}</Text>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      ) : (
        <p class="hint">{t('none')}</p>
      )}
    </>
  )
}
