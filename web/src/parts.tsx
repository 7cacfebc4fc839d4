import { signal, useSignal, type Signal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { useEffect, useMemo } from 'preact/hooks'
import { follow, Problem, type Source } from './api'
import type { Condition, Resource } from './kinds'
import { settings } from './state'
import { shown } from './text'
import { beijing } from './time'
import { conditionWord, reasonWord, t, type Word } from './words'

// Text is what somebody else wrote. It stays text, and keeps its direction to itself.
export function Text({ children }: { children: string | undefined }) {
  return <bdi>{shown(children)}</bdi>
}

export function Time({ at }: { at: string | number | undefined }) {
  const text = beijing(at)
  return text ? <time dateTime={typeof at === 'number' ? new Date(at).toISOString() : at}>{text}</time> : <>–</>
}

const good = new Set(['Paid', 'Succeeded', 'Approved', 'Automatic', 'Ready', 'Balanced', 'Uploaded', 'AlreadyShipped', 'TradeNotManaged'])
const quiet = new Set(['Closed', 'Expired', 'Denied', 'Empty', 'NotChecked', 'NotCompared'])
const busy = new Set(['', 'AwaitingPayment', 'Pending', 'Closing', 'AwaitingApproval', 'Processing', 'Waiting', 'Creating', 'WaitingForTurn', 'NotYetKnown', 'Undecided', 'Prepared', 'Accepted', 'Downloaded'])

export function State({ reason = '', kind, status }: { reason?: string; kind?: string; status?: Condition['status'] }) {
  const tone = status === 'True' && !reason.startsWith('Paid') ? 'good' : good.has(reason) ? 'good' : quiet.has(reason) ? 'quiet' : busy.has(reason) ? 'busy' : 'bad'
  return (
    <span class={`state ${tone}`} title={reason}>
      {reasonWord(reason, kind)}
    </span>
  )
}

export function Conditions({ of, kind }: { of: Resource; kind?: string }) {
  const conditions = of.status?.conditions ?? []
  if (!conditions.length) return <p class="hint">{t('none')}</p>
  return (
    <ul class="conditions">
      {conditions.map((c) => (
        <li key={c.type}>
          <strong>{conditionWord(c.type)}</strong> <State reason={c.reason} kind={kind} status={c.status} /> <code>{`${c.type}=${c.status}/${c.reason}`}</code>
          <span class="hint">
            {' '}
            {t('since')} <Time at={c.lastTransitionTime} />
          </span>
          {c.message && (
            <p>
              <Text>{c.message}</Text>
            </p>
          )}
        </li>
      ))}
    </ul>
  )
}

export function explained(problem: Problem): Word {
  switch (problem.code) {
    case 0:
    case 502:
    case 503:
    case 504:
      return 'away'
    case 401:
      return 'sessionEnded'
    case 403:
      return 'forbidden'
    case 404:
      return 'notFound'
    case 409:
      return 'conflict'
    case 410:
      return 'gone'
    case 429:
      return 'busy'
  }
  return 'other'
}

export function Trouble({ problem }: { problem: Problem | undefined }) {
  if (!problem) return null
  return (
    <div class="trouble" role="alert" data-code={problem.code}>
      <p>{t(explained(problem))}</p>
      {problem.message && problem.code !== 401 && (
        <p class="hint">
          {t('answer')} <Text>{problem.message}</Text>
        </p>
      )}
    </div>
  )
}

export function asProblem(error: unknown): Problem {
  return error instanceof Problem ? error : new Problem(0, 'Unreachable', error instanceof Error ? error.message : '')
}

export function Facts({ children }: { children: ComponentChildren }) {
  return <dl class="facts">{children}</dl>
}

export function Fact({ name, children }: { name: Word; children: ComponentChildren }) {
  return (
    <div>
      <dt>{t(name)}</dt>
      <dd>{children}</dd>
    </div>
  )
}

// Following is a collection that renews itself. turn changes when it does, a few times a second at most.
export interface Following<T> {
  items: Map<string, T>
  turn: Signal<number>
  loading: Signal<boolean>
  live: Signal<boolean>
  more: Signal<boolean>
  problem: Signal<Problem | undefined>
}

const often = 150

export function useFollow<T extends { metadata: { name: string } }>(
  source: Source,
  heard?: (type: 'ADDED' | 'MODIFIED' | 'DELETED', item: T, before: T | undefined) => void,
  first?: (a: T, b: T) => number, // of more than source.most, those that come first in this order are kept
): Following<T> {
  const key = JSON.stringify(source)
  const following = useMemo<Following<T>>(
    () => ({ items: new Map(), turn: signal(0), loading: signal(true), live: signal(false), more: signal(false), problem: signal(undefined) }),
    [key],
  )
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined
    const tell = () => {
      timer ??= setTimeout(() => {
        timer = undefined
        following.turn.value++
      }, often)
    }
    let fresh = following.items
    let cut = false
    const keep = (items: Map<string, T>) => {
      if (!first || items.size <= source.most) return
      cut = true
      for (const item of [...items.values()].sort(first).slice(source.most)) items.delete(item.metadata.name)
    }
    const stop = follow<T>(source, settings.value.watchSeconds, {
      begin: () => {
        fresh = following.items.size ? new Map() : following.items
        cut = false
      },
      page: (items, more) => {
        for (const item of items) fresh.set(item.metadata.name, item)
        if (more) cut = true
        keep(fresh)
        following.more.value = cut
        tell()
      },
      end: () => {
        following.items = fresh
        following.loading.value = false
        following.problem.value = undefined
        tell()
      },
      changed: (type, item) => {
        const name = item.metadata.name
        heard?.(type, item, following.items.get(name))
        if (type === 'DELETED') following.items.delete(name)
        else if (first || following.items.has(name) || following.items.size < source.most) following.items.set(name, item)
        else cut = true
        keep(following.items)
        following.more.value = cut
        tell()
      },
      live: () => {
        following.live.value = true
        following.problem.value = undefined
      },
      lost: (problem) => {
        following.live.value = false
        following.problem.value = problem
        if (problem.code === 403) {
          following.items = new Map() // the right was taken away
          fresh = following.items
          following.loading.value = false
          tell()
        }
      },
    })
    return () => {
      clearTimeout(timer)
      stop()
    }
  }, [key])
  return following
}

// Liveness says whether what is shown is up to date.
export function Liveness({ of }: { of: Following<never> | Following<any> }) {
  const problem = of.problem.value
  return (
    <>
      <p class="liveness" role="status" data-live={of.live.value}>
        {of.live.value ? t('live') : problem ? (problem.code === 403 ? '' : t('lost')) : t('connecting')}
      </p>
      {problem && !of.live.value && <Trouble problem={problem} />}
    </>
  )
}

// More says that a list was cut.
export function More({ of, most, word = 'cut' }: { of: boolean; most: number; word?: Word }) {
  return of ? (
    <p class="trouble" role="status" data-cut={most}>
      {t(word, most)}
    </p>
  ) : null
}

// useRead reads something once, and again when what it depends on changes.
export function useRead<T>(read: () => Promise<T>, on: unknown[]): { value: T | undefined; problem: Problem | undefined } {
  const result = useSignal<{ value: T | undefined; problem: Problem | undefined }>({ value: undefined, problem: undefined })
  useEffect(() => {
    let over = false
    read().then(
      (value) => {
        if (!over) result.value = { value, problem: undefined }
      },
      (error) => {
        if (!over) result.value = { value: undefined, problem: asProblem(error) }
      },
    )
    return () => {
      over = true
    }
  }, on)
  return result.value
}
