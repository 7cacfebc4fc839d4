import { useRef, useState } from 'react'

/**
 * useOnce runs one piece of work at a time. The second of two quick taps arrives before the button is drawn as disabled, and
 * before React has changed any state, so a ref keeps it away.
 */
export function useOnce(): [boolean, (work: () => Promise<void>) => Promise<void>] {
  const running = useRef(false)
  const [busy, setBusy] = useState(false)
  return [busy, async work => {
    if (running.current) {
      return
    }
    running.current = true
    setBusy(true)
    try {
      await work()
    } finally {
      running.current = false
      setBusy(false)
    }
  }]
}
