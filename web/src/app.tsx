import { useSignal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { logOut, onSessionEnd, Problem, session as readSession, settings as readSettings, whoAmI } from './api'
import { Login, Namespaces } from './login'
import { Merchants } from './merchants'
import { OneOrder } from './order'
import { Orders } from './orders'
import { asProblem, Text, Time, Trouble } from './parts'
import { Refunds } from './refunds'
import { OneStatement, Statements } from './statements'
import { link, mayDecide, route, session, sessionEnds, setTheme, settings, theme, user } from './state'
import { keep, language, t, type Word } from './words'

const pages: { page: string; word: Word }[] = [
  { page: 'orders', word: 'orders' },
  { page: 'refunds', word: 'refunds' },
  { page: 'merchants', word: 'merchants' },
  { page: 'statements', word: 'statements' },
]

onSessionEnd(() => {
  if (session.value === 'in') session.value = 'ended'
})

export function App() {
  const problem = useSignal<Problem | undefined>(undefined)
  const content = useRef<HTMLElement>(null)

  // enter finds out who this is. Nobody in particular is logged out.
  async function enter(): Promise<void> {
    problem.value = undefined
    try {
      settings.value = await readSettings()
      if (settings.value.login === 'token') sessionEnds.value = (await readSession().catch(() => ({ expires: '' }))).expires
      user.value = await whoAmI()
      session.value = 'in'
      const account = /^system:serviceaccount:([^:]+):/.exec(user.value)
      if (!route.value.namespace && account?.[1]) location.hash = link('orders', '', account[1])
    } catch (error) {
      const failed = asProblem(error)
      if (failed.code === 401) session.value = session.value === 'ended' ? 'ended' : 'out'
      else problem.value = failed
    }
  }

  useEffect(() => {
    void enter()
  }, [])

  // At the end of the session what is shown goes.
  useEffect(() => {
    const left = Date.parse(sessionEnds.value) - Date.now()
    if (session.value !== 'in' || !Number.isFinite(left)) return
    const timer = setTimeout(() => (session.value = 'ended'), Math.min(Math.max(left, 0), 2 ** 31 - 1))
    return () => clearTimeout(timer)
  }, [session.value, sessionEnds.value])

  useEffect(() => {
    document.documentElement.lang = language.value
    document.title = `${t(pages.find((p) => p.page === route.value.page)?.word ?? 'orders')} · ${t('title')}`
  })
  useEffect(() => {
    if (theme.value) document.documentElement.dataset['theme'] = theme.value
    else delete document.documentElement.dataset['theme']
  }, [theme.value])

  const { namespace, page, name } = route.value
  // A change of the page is told to who does not see it. The first one is not: the browser tells it.
  const first = useRef(true)
  useEffect(() => {
    if (!first.current) content.current?.focus()
    first.current = false
  }, [namespace, page, name])

  const inside = session.value === 'in'
  return (
    <>
      <a class="skip" href="#content" onClick={(e) => (e.preventDefault(), content.current?.focus())}>
        {t('skip')}
      </a>
      <header class="top">
        <span class="brand">{t('title')}</span>
        {inside && namespace && (
          <nav aria-label={t('main')}>
            {pages.map((p) => (
              <a key={p.page} href={link(p.page)} aria-current={p.page === page ? 'page' : undefined}>
                {t(p.word)}
              </a>
            ))}
          </nav>
        )}
        <span class="tools">
          {inside && namespace && (
            <a href={`#//${page}`} title={t('change')} id="namespace-link">
              {t('namespace')} <Text>{namespace}</Text>
            </a>
          )}
          <button type="button" id="language" lang={language.value === 'en' ? 'zh-CN' : 'en'} onClick={() => keep('language', (language.value = language.value === 'en' ? 'zh-CN' : 'en'))}>
            {t('language')}
          </button>
          <ThemeButton />
          {inside && <Who />}
        </span>
      </header>
      <main id="content" ref={content} tabIndex={-1}>
        <Trouble problem={problem.value} />
        {problem.value ? (
          <button type="button" onClick={() => void enter()}>
            {t('reload')}
          </button>
        ) : session.value === 'asking' ? (
          <p class="hint">{t('loading')}</p>
        ) : !inside ? (
          <Login entered={enter} />
        ) : !namespace ? (
          <Namespaces />
        ) : (
          <Page key={`${namespace}/${page}/${name}`} page={page} name={name} />
        )}
      </main>
    </>
  )
}

function Page({ page, name }: { page: string; name: string }) {
  switch (page) {
    case 'refunds':
      return <Refunds />
    case 'merchants':
      return <Merchants />
    case 'statements':
      return name ? <OneStatement /> : <Statements />
  }
  return name ? <OneOrder /> : <Orders />
}

function ThemeButton() {
  const dark = theme.value ? theme.value === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches
  return (
    <button type="button" id="theme" onClick={() => setTheme(dark ? 'light' : 'dark')}>
      {dark ? t('toLight') : t('toDark')}
    </button>
  )
}

function Who() {
  async function leave(): Promise<void> {
    if (settings.value.login === 'token') await logOut().catch(() => undefined)
    user.value = sessionEnds.value = ''
    mayDecide.value = undefined
    if (settings.value.signOut) location.assign(settings.value.signOut)
    session.value = 'out'
  }
  return (
    <>
      <span id="user" title={sessionEnds.value}>
        <Text>{user.value.replace(/^system:serviceaccount:[^:]+:/, '')}</Text>
        {sessionEnds.value && (
          <span class="unseen">
            {' '}
            {t('sessionEnds', '')} <Time at={sessionEnds.value} />
          </span>
        )}
      </span>
      {(settings.value.login === 'token' || settings.value.signOut) && (
        <button type="button" id="logout" onClick={() => void leave()}>
          {t('logOut')}
        </button>
      )}
    </>
  )
}
