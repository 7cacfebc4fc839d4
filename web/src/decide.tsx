import { useSignal } from '@preact/signals'
import type { ComponentChild } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { decide, get, list, Problem } from './api'
import { condition, decidedBy, requestedBy, type Order, type Refund } from './kinds'
import { money } from './money'
import { asProblem, explained, Fact, Facts, State, Text, Time, Trouble } from './parts'
import { amountOf, stateOf } from './refund'
import { askWhetherMayDecide, mayDecide } from './state'
import { add } from './sums'
import { conditionWord, reasonWord, t } from './words'

// Seen is what is shown before somebody decides, all of it read at that moment.
interface Seen {
  refund: Refund
  order?: Order
  orderProblem?: Problem
  others: Refund[]
  // more: the Order has other Refunds beyond those that were read.
  more: boolean
}

// listed is how many other Refunds are named one by one.
const listed = 20

async function look(namespace: string, name: string): Promise<Seen> {
  const refund = await get<Refund>(namespace, 'refunds', name)
  const [order, all] = await Promise.all([
    get<Order>(namespace, 'orders', refund.spec.orderRef.name).then(
      (order) => ({ order }),
      (error) => ({ orderProblem: asProblem(error) }),
    ),
    list<Refund>(namespace, 'refunds', `spec.orderRef.name=${refund.spec.orderRef.name}`),
    askWhetherMayDecide(),
  ])
  return { refund, ...order, others: all.items.filter((r) => r.metadata.name !== name), more: all.more }
}

// Decide has the two buttons, and the dialog in which a decision is confirmed.
export function Decide({ refund }: { refund: Refund }) {
  const choice = useSignal<'Approved' | 'Denied' | undefined>(undefined)
  const { name } = refund.metadata
  return (
    <>
      <p class="buttons">
        <button type="button" class="approve" disabled={!mayDecide.value} aria-label={`${t('approve')} ${name}`} onClick={() => (choice.value = 'Approved')}>
          {t('approve')}
        </button>
        <button type="button" class="deny" disabled={!mayDecide.value} aria-label={`${t('deny')} ${name}`} onClick={() => (choice.value = 'Denied')}>
          {t('deny')}
        </button>
      </p>
      {choice.value && <Confirm namespace={refund.metadata.namespace} name={name} approval={choice.value} close={() => (choice.value = undefined)} />}
    </>
  )
}

function Confirm({ namespace, name, approval, close }: { namespace: string; name: string; approval: 'Approved' | 'Denied'; close: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null)
  const seen = useSignal<Seen | undefined>(undefined)
  const why = useSignal('')
  const changes = useSignal<Change[] | undefined>(undefined)
  const problem = useSignal<Problem | undefined>(undefined)
  const unknown = useSignal(false)
  const lacking = useSignal(false)
  const sending = useSignal(false)

  useEffect(() => {
    dialog.current?.showModal()
    look(namespace, name).then(
      (now) => (seen.value = now),
      (error) => (problem.value = asProblem(error)),
    )
  }, [])

  async function send(): Promise<void> {
    const was = seen.value
    const message = why.value.trim()
    if (!was || sending.value) return
    lacking.value = approval === 'Denied' && !message
    if (lacking.value) return
    sending.value = true
    problem.value = changes.value = undefined
    unknown.value = false
    try {
      await decide(namespace, name, was.refund.metadata.resourceVersion, approval, message)
      dialog.current?.close()
    } catch (error) {
      const failed = asProblem(error)
      if (failed.code === 409) await compare(was)
      else if (failed.code === 0 || failed.code >= 500) {
        unknown.value = true
        await compare(was, false)
      } else {
        problem.value = failed
        void askWhetherMayDecide()
      }
    }
    sending.value = false
  }

  // compare reads the Refund again, and says what is different from what was shown.
  async function compare(was: Seen, always = true): Promise<void> {
    try {
      const now = await look(namespace, name)
      seen.value = now
      const found = differences(was.refund, now.refund)
      if (always || found.length) changes.value = found
    } catch (error) {
      problem.value = asProblem(error)
    }
  }

  const current = seen.value
  const amount = current ? amountOf(current.refund, current.order) : ''
  const nothing = current && nothingToDecide(current.refund, approval)
  const title = approval === 'Approved' ? t('approveTitle', amount) : t('denyTitle', amount)
  return (
    <dialog ref={dialog} aria-labelledby="decide-title" onClose={close}>
      <h2 id="decide-title">{title}</h2>
      {!current && !problem.value && <p class="hint">{t('loading')}</p>}
      {unknown.value && (
        <p class="trouble" role="alert">
          {t('unknownSent')}
        </p>
      )}
      {changes.value && (
        <div class="trouble" role="alert" id="changed">
          <p>{t('changedMeanwhile')}</p>
          <ul>
            {changes.value.map(({ what, before, after }) => (
              <li key={what + before + after}>
                <Text>{what}</Text>: <Text>{before || '–'}</Text> → <Text>{after || '–'}</Text>
              </li>
            ))}
          </ul>
          {!nothing && <p>{t('askAgain')}</p>}
        </div>
      )}
      {current && <WhatIsAsked seen={current} />}
      {current && <Careful seen={current} />}
      <Trouble problem={problem.value} />
      {nothing ? (
        <p class="trouble" role="alert" id="nothing-to-decide">
          {nothing} {current.refund.spec.approval && <Text>{current.refund.metadata.annotations?.[decidedBy]}</Text>}
        </p>
      ) : (
        current && (
          <>
            <label>
              {t('whyHint')}
              <textarea
                id="why" maxLength={256} rows={2} value={why.value} required={approval === 'Denied'} aria-invalid={lacking.value}
                aria-describedby={lacking.value ? 'why-needed' : undefined} onInput={(e) => (why.value = e.currentTarget.value.replace(/\s+/g, ' '))}
              />
            </label>
            {lacking.value && (
              <p id="why-needed" class="trouble" role="alert">
                {t('whyNeeded')}
              </p>
            )}
            <p class="hint">{t('final')}</p>
            {mayDecide.value === false && (
              <p class="trouble" role="alert">
                {t('mayNot')}
              </p>
            )}
          </>
        )
      )}
      <p class="buttons">
        {current && !nothing && (
          <button type="button" id="confirm" class={approval === 'Approved' ? 'approve' : 'deny'} disabled={mayDecide.value === false || sending.value} onClick={() => void send()}>
            {approval === 'Approved' ? t('approveNow', amount) : t('denyNow')}
          </button>
        )}
        <button type="button" id="cancel" onClick={() => dialog.current?.close()}>
          {t('cancel')}
        </button>
      </p>
    </dialog>
  )
}

// nothingToDecide says why a decision is not offered, in the cases in which kubectl wechatpay does not make one
// (internal/plugin/decide.go). What is approved while the policy is missing would be final and never sent.
function nothingToDecide(refund: Refund, approval: 'Approved' | 'Denied'): string | undefined {
  const [approved, succeeded] = [condition(refund, 'Approved'), condition(refund, 'Succeeded')]
  if (refund.spec.approval) return t('alreadyDecided', reasonWord(refund.spec.approval))
  if (refund.metadata.deletionTimestamp) return t('beingDeleted')
  if (approved?.status === 'True') return t('needsNoDecision', reasonWord(approved.reason, 'Refund'))
  if (succeeded?.status === 'True' || succeeded?.status === 'False') return t('hasEnded', reasonWord(succeeded.reason, 'Refund'))
  if (approval === 'Approved' && approved?.reason === 'PolicyMissing') return t('policyMissing')
  return undefined
}

function WhatIsAsked({ seen: { refund, order, others, more } }: { seen: Seen }) {
  const currency = order?.spec.amount.currency
  const sums = add(order, others)
  return (
    <Facts>
      <Fact name="refundNumber">
        <Text>{refund.spec.outRefundNo || refund.metadata.name}</Text>
      </Fact>
      <Fact name="amount">
        <strong>{amountOf(refund, order)}</strong>
      </Fact>
      <Fact name="state">
        <State reason={stateOf(refund) ?? condition(refund, 'Approved')?.reason} kind="Refund" />
      </Fact>
      <Fact name="requestedBy">
        <Text>{refund.metadata.annotations?.[requestedBy] ?? t('requestedUnknown')}</Text>
        <p class="hint">{t('believed')}</p>
      </Fact>
      <Fact name="reason">
        <Text>{refund.spec.reason ?? '–'}</Text>
      </Fact>
      <Fact name="order">
        <Text>{refund.spec.orderRef.name}</Text> <Text>{order?.spec.description}</Text> <State reason={condition(order, 'Paid')?.reason} />
      </Fact>
      <Fact name="paidSum">
        {sums.paid ? (
          <>
            {money(sums.paid, order?.status?.transaction?.currency)} <Time at={order?.status?.transaction?.paidTime} />
          </>
        ) : (
          '–'
        )}
      </Fact>
      <Fact name="otherRefunds">
        {order && !more && others.length > 0 && (
          <p id="other-sums">
            {t('otherSums', money(sums.refunded, currency), sums.refundedCount, money(sums.underWay, currency), sums.underWayCount, money(sums.asked, currency), sums.askedCount)}
          </p>
        )}
        {others.length
          ? others.slice(0, listed).map((r) => (
              <span class="other" key={r.metadata.name}>
                <Text>{r.metadata.name}</Text> {order ? money(r.spec.amount, currency) : r.spec.amount} <State reason={stateOf(r)} kind="Refund" />
              </span>
            ))
          : '–'}
        {others.length > listed && <p class="hint">{t('showing', listed, more ? `> ${others.length}` : others.length)}</p>}
      </Fact>
      {sums.paid > 0 && !more && (
        <Fact name="left">
          <span id="left">{t('leftAfter', money(sums.left, currency), money(sums.left - refund.spec.amount, currency))}</span>
        </Fact>
      )}
    </Facts>
  )
}

const unusual = ['PaidEarlier', 'PaidUnderOtherParameters', 'PaidLate']

// Careful says what an approver could overlook, as kubectl wechatpay does.
function Careful({ seen: { refund, order, orderProblem, others, more } }: { seen: Seen }) {
  const warnings: ComponentChild[] = []
  if (orderProblem) {
    warnings.push(
      <>
        {t('orderUnread')} {t(explained(orderProblem))} <Text>{orderProblem.message}</Text>
      </>,
    )
  } else {
    const sums = add(order, others)
    const paid = condition(order, 'Paid')?.reason ?? ''
    if (!sums.paid) warnings.push(t('orderNotPaid'))
    else if (refund.spec.amount > sums.left) warnings.push(t('moreThanLeft'))
    if (unusual.includes(paid)) warnings.push(t('paidUnusually', reasonWord(paid)))
  }
  if (more) warnings.push(t('moreRefunds', others.length))
  if (!warnings.length) return null
  return (
    <ul class="trouble" role="alert" id="careful">
      {warnings.map((warning, i) => (
        <li key={i}>
          <strong>{t('careful')}</strong> {warning}
        </li>
      ))}
    </ul>
  )
}

// Change has texts of different people: each keeps its direction to itself, so that before and after don't change places.
interface Change {
  what: string
  before: string | undefined
  after: string | undefined
}

function differences(was: Refund, now: Refund): Change[] {
  const changes: Change[] = []
  const compare = (what: string, before: string | undefined, after: string | undefined) => {
    if ((before ?? '') !== (after ?? '')) changes.push({ what, before, after })
  }
  const word = (reason: string | undefined) => reason && reasonWord(reason, 'Refund')
  compare(t('why'), was.spec.approvalMessage, now.spec.approvalMessage)
  compare(t('state'), word(was.spec.approval), word(now.spec.approval))
  const types = [...new Set([...(was.status?.conditions ?? []), ...(now.status?.conditions ?? [])].map((c) => c.type))]
  for (const type of types) {
    compare(conditionWord(type), word(condition(was, type)?.reason), word(condition(now, type)?.reason))
    if (condition(was, type)?.reason === condition(now, type)?.reason) compare(conditionWord(type), condition(was, type)?.message, condition(now, type)?.message)
  }
  const annotations = { ...was.metadata.annotations, ...now.metadata.annotations }
  for (const key of Object.keys(annotations)) compare(key, was.metadata.annotations?.[key], now.metadata.annotations?.[key])
  if (!changes.length) compare('metadata.resourceVersion', was.metadata.resourceVersion, now.metadata.resourceVersion)
  return changes
}
