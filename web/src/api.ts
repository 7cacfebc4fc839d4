// The API server, by the paths that the console passes on (internal/console/rules.go). The browser adds the session's cookie, or the
// proxy in front the token: nothing in this page knows a token.

export class Problem extends Error {
  constructor(
    readonly code: number, // 0: no answer
    readonly reason: string,
    message: string,
  ) {
    super(message)
  }
}

export interface Settings {
  login: 'token' | 'proxy' | 'none'
  signOut?: string
  namespaces: string[]
  watchSeconds: number
  version: string
}

export const group = 'wechatpay-operator.io'
const own = `/apis/${group}/v1alpha1/namespaces`
const tables = 'application/json;as=Table;v=v1;g=meta.k8s.io'
const pageSize = 500

// listeners hear that a token is not taken any more.
const listeners = new Set<() => void>()
export function onSessionEnd(listener: () => void): void {
  listeners.add(listener)
}

async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  let response: Response
  try {
    response = await fetch(path, { credentials: 'same-origin', cache: 'no-store', redirect: 'error', ...init })
  } catch (error) {
    if (init.signal?.aborted) throw error
    throw new Problem(0, 'Unreachable', '')
  }
  if (response.ok) return response
  let status: { reason?: string; message?: string } = {}
  try {
    status = await response.json()
  } catch {
    // a gateway's page
  }
  if (response.status === 401) listeners.forEach((told) => told())
  throw new Problem(response.status, status.reason ?? '', status.message ?? response.statusText)
}

async function json<T>(path: string, init?: RequestInit): Promise<T> {
  return (await ask(path, init)).json() as Promise<T>
}

function post(path: string, body: unknown): RequestInit & { path: string } {
  return { path, method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }
}

function send<T>({ path, ...init }: RequestInit & { path: string }): Promise<T> {
  return json<T>(path, init)
}

// beside is an address of the console itself, wherever it is served.
const beside = (name: string) => new URL(name, document.baseURI).pathname

export const settings = () => json<Settings>(beside('config.json'))
export const session = () => json<{ expires: string }>(beside('session'))
export const logIn = (token: string) => send<{ expires: string }>(post(beside('session'), { token }))
export const logOut = () => ask(beside('session'), { method: 'DELETE' })

export async function whoAmI(): Promise<string> {
  const review = await send<{ status?: { userInfo?: { username?: string } } }>(
    post('/apis/authentication.k8s.io/v1/selfsubjectreviews', { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' }),
  )
  return review.status?.userInfo?.username ?? ''
}

export async function may(namespace: string, verb: string, resource: string): Promise<boolean> {
  const review = await send<{ status?: { allowed?: boolean } }>(
    post('/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      spec: { resourceAttributes: { namespace, verb, group, resource } },
    }),
  )
  return review.status?.allowed === true
}

export const get = <T>(namespace: string, resource: string, name: string) => json<T>(`${own}/${namespace}/${resource}/${name}`)

interface List<T> {
  metadata: { resourceVersion: string; continue?: string; remainingItemCount?: number }
  items?: T[]
}

// Listed is what was read of a list. more: it goes on beyond that.
export interface Listed<T> {
  items: T[]
  more: boolean
}

const mostPages = 4

// list reads what a selector selects: what belongs to one Order.
export async function list<T>(namespace: string, resource: string, fieldSelector: string): Promise<Listed<T>> {
  const items: T[] = []
  let next = ''
  for (let page = 0; page < mostPages; page++) {
    const query = new URLSearchParams({ fieldSelector, limit: String(pageSize), ...(next && { continue: next }) })
    const body = await json<List<T>>(`${own}/${namespace}/${resource}?${query}`)
    items.push(...(body.items ?? []))
    next = body.metadata.continue ?? ''
    if (!next) break
  }
  return { items, more: next !== '' }
}

export async function eventsOf<T>(namespace: string, uid: string): Promise<Listed<T>> {
  const query = new URLSearchParams({ fieldSelector: `involvedObject.uid=${uid}`, limit: '100' })
  const body = await json<List<T>>(`/api/v1/namespaces/${namespace}/events?${query}`)
  return { items: body.items ?? [], more: !!body.metadata.continue }
}

// decide answers a Refund as it was seen: the resourceVersion keeps the answer from being to another one.
export function decide<T>(namespace: string, name: string, resourceVersion: string, approval: string, approvalMessage: string): Promise<T> {
  return json<T>(`${own}/${namespace}/refunds/${name}?fieldManager=wechatpay-console`, {
    method: 'PATCH',
    headers: { 'Content-Type': 'application/merge-patch+json' },
    body: JSON.stringify({ metadata: { resourceVersion }, spec: { approval, ...(approvalMessage && { approvalMessage }) } }),
  })
}

// Row is an Order as kubectl get shows it, which is a tenth of the whole object.
export interface Cells {
  metadata: { name: string; creationTimestamp: string; resourceVersion: string; namespace: string; uid: string }
  cells: Record<string, string | number | null>
}

interface Table {
  metadata: { resourceVersion?: string; continue?: string; remainingItemCount?: number }
  columnDefinitions?: { name: string }[]
  rows?: { cells: (string | number | null)[]; object: { metadata: Cells['metadata'] } }[]
}

export interface Source {
  namespace: string
  resource: string
  fieldSelector?: string
  table?: boolean
  // most is how many objects are kept: the first by name, or all are read and useFollow chooses.
  most: number
  toTheEnd?: boolean
}

// Followed is told what there is, and what becomes of it.
export interface Followed<T> {
  begin(): void
  page(items: T[], more: boolean): void
  end(): void
  changed(type: 'ADDED' | 'MODIFIED' | 'DELETED', item: T): void
  live(): void
  // lost: what is shown may be old. It is tried again by itself.
  lost(problem: Problem): void
}

// follow lists and then watches, until it is stopped. A watch that ends goes on where it ended; where the API server does not know that
// any more (410), everything is listed again.
export function follow<T>(source: Source, watchSeconds: number, told: Followed<T>): () => void {
  const stopped = new AbortController()
  const path = `${own}/${source.namespace}/${source.resource}`
  const headers: Record<string, string> = source.table ? { Accept: tables } : {}
  const shared: Record<string, string> = { ...(source.fieldSelector && { fieldSelector: source.fieldSelector }), ...(source.table && { includeObject: 'Metadata' }) }
  let columns: string[] = []

  const unpack = (body: Table & List<T>): T[] => {
    if (!source.table) return body.items ?? []
    if (body.columnDefinitions?.length) columns = body.columnDefinitions.map((c) => c.name)
    return (body.rows ?? []).map((row) => {
      const { name, creationTimestamp, resourceVersion, namespace, uid } = row.object.metadata
      return { metadata: { name, creationTimestamp, resourceVersion, namespace, uid }, cells: Object.fromEntries(columns.map((c, i) => [c, row.cells[i] ?? null])) } as T
    })
  }

  async function listed(): Promise<string> {
    told.begin()
    let version = ''
    let next = ''
    let count = 0
    const full = () => !source.toTheEnd && count >= source.most
    do {
      const query = new URLSearchParams({ ...shared, limit: String(pageSize), ...(next && { continue: next }) })
      const body = await json<Table & List<T>>(`${path}?${query}`, { headers, signal: stopped.signal })
      version ||= body.metadata.resourceVersion ?? ''
      next = body.metadata.continue ?? ''
      const items = unpack(body)
      count += items.length
      told.page(items, next !== '' && full())
    } while (next && !full())
    told.end()
    return version
  }

  async function watched(version: string, advance: (version: string) => void): Promise<void> {
    const hidden = whenHidden(stopped.signal)
    try {
      const query = new URLSearchParams({ ...shared, watch: '1', allowWatchBookmarks: 'true', resourceVersion: version, timeoutSeconds: String(watchSeconds) })
      const response = await ask(`${path}?${query}`, { headers, signal: hidden.signal })
      told.live()
      for await (const line of lines(response)) {
        const { type, object } = JSON.parse(line)
        if (type === 'ERROR') throw new Problem(object.code ?? 500, object.reason ?? '', object.message ?? '')
        advance(object.metadata?.resourceVersion || object.rows?.[0]?.object?.metadata?.resourceVersion || '')
        if (type === 'BOOKMARK') continue
        for (const item of source.table ? unpack(object) : [object as T]) told.changed(type, item)
      }
    } finally {
      hidden.done()
    }
  }

  void (async () => {
    let version = ''
    let pause = 500
    while (!stopped.signal.aborted) {
      try {
        await visible(stopped.signal)
        version ||= await listed()
        await watched(version, (seen) => {
          version = seen || version
          pause = 500
        })
        await sleep(100, stopped.signal) // an API server that ends watches at once is not asked in a loop
      } catch (error) {
        if (stopped.signal.aborted || (error instanceof Problem && error.code === 401)) return
        if (error instanceof DOMException) continue // hidden meanwhile
        const problem = error instanceof Problem ? error : new Problem(0, 'Unreachable', '')
        if (problem.code === 410 || problem.code === 403) version = ''
        told.lost(problem)
        await sleep(pause * (0.75 + Math.random() / 2), stopped.signal)
        pause = Math.min(pause * 2, 15_000)
      }
    }
  })()
  return () => stopped.abort()
}

async function* lines(response: Response): AsyncGenerator<string> {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ''
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    const parts = (rest + value).split('\n')
    rest = parts.pop()!
    for (const part of parts) if (part) yield part
  }
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true })
  })
}

// A page that nobody looks at holds no watch: over HTTP/1.1 a browser has six connections to a host, for all its pages.
const hiddenFor = 30_000

function whenHidden(outer: AbortSignal): { signal: AbortSignal; done: () => void } {
  const abort = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  const changed = () => {
    clearTimeout(timer)
    if (document.hidden) timer = setTimeout(() => abort.abort(), hiddenFor)
  }
  changed()
  document.addEventListener('visibilitychange', changed)
  return {
    signal: AbortSignal.any([outer, abort.signal]),
    done: () => {
      clearTimeout(timer)
      document.removeEventListener('visibilitychange', changed)
    },
  }
}

function visible(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (!document.hidden) return resolve()
    const changed = () => {
      if (document.hidden && !signal.aborted) return
      document.removeEventListener('visibilitychange', changed)
      resolve()
    }
    document.addEventListener('visibilitychange', changed)
    signal.addEventListener('abort', changed, { once: true })
  })
}
