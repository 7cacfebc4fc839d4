import { useSignal } from '@preact/signals'
import { logIn, Problem } from './api'
import { asProblem, Trouble } from './parts'
import { isNamespace, link, route, session, settings } from './state'
import { keep, read, t } from './words'

// Login takes a token and hands it to the console, which keeps it in a cookie that scripts can't read.
export function Login({ entered }: { entered: () => Promise<void> }) {
  const problem = useSignal<Problem | undefined>(undefined)
  const busy = useSignal(false)
  if (settings.value.login !== 'token') {
    return (
      <section class="narrow" role="alert">
        <h1 id="ended">{t('sessionEnded')}</h1>
        <p class="buttons">
          <button type="button" onClick={() => location.reload()}>
            {t('reload')}
          </button>
          {settings.value.signOut && (
            <button type="button" id="logout" onClick={() => location.assign(settings.value.signOut!)}>
              {t('logOut')}
            </button>
          )}
        </p>
        {settings.value.signOut && <p class="hint">{t('signOutHint')}</p>}
      </section>
    )
  }
  async function submit(form: HTMLFormElement): Promise<void> {
    const field = form.elements.namedItem('token') as HTMLInputElement
    busy.value = true
    problem.value = undefined
    try {
      await logIn(field.value)
      await entered()
    } catch (error) {
      problem.value = asProblem(error)
      field.value = ''
      field.focus()
    }
    busy.value = false
  }
  return (
    <section class="narrow">
      <h1>{t('logIn')}</h1>
      {session.value === 'ended' && (
        <p class="trouble" role="alert" id="ended">
          {t('sessionEnded')}
        </p>
      )}
      <form onSubmit={(e) => (e.preventDefault(), void submit(e.currentTarget))}>
        <label>
          {t('token')}
          <input id="token" name="token" type="password" autocomplete="off" spellcheck={false} required aria-describedby="token-hint" />
        </label>
        <p class="hint" id="token-hint">
          {t('tokenHint')}
        </p>
        {problem.value && (problem.value.code === 401 ? <p class="trouble" role="alert">{problem.value.message}</p> : <Trouble problem={problem.value} />)}
        <button type="submit" disabled={busy.value}>
          {t('logIn')}
        </button>
      </form>
    </section>
  )
}

// Namespaces has somebody name a namespace: no right to list them is assumed.
export function Namespaces() {
  const wrong = useSignal(false)
  const proposed = [...new Set([read('namespace'), ...settings.value.namespaces])].filter(isNamespace)
  function open(name: string): void {
    wrong.value = !isNamespace(name)
    if (wrong.value) return
    keep('namespace', name)
    location.hash = link(route.value.page, '', name)
  }
  return (
    <section class="narrow">
      <h1>{t('namespace')}</h1>
      <form onSubmit={(e) => (e.preventDefault(), open((e.currentTarget.elements.namedItem('namespace') as HTMLInputElement).value.trim()))}>
        <label>
          {t('namespaceHint')}
          <input id="namespace" name="namespace" list="namespaces" autocomplete="off" spellcheck={false} autocapitalize="none" required aria-invalid={wrong.value} />
        </label>
        <datalist id="namespaces">
          {proposed.map((name) => (
            <option key={name} value={name} />
          ))}
        </datalist>
        {wrong.value && (
          <p class="trouble" role="alert">
            {t('badNamespace')}
          </p>
        )}
        <button type="submit">{t('open')}</button>
      </form>
      {proposed.length > 0 && (
        <ul class="chips">
          {proposed.map((name) => (
            <li key={name}>
              <button type="button" onClick={() => open(name)}>
                {name}
              </button>
            </li>
          ))}
        </ul>
      )}
    </section>
  )
}
