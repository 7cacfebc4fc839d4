// WeChat Pay's days are Beijing's, and so are all times of the page. There is no summer time.
const ahead = 8 * 3600 * 1000

export function beijing(time: string | number | undefined): string {
  const ms = typeof time === 'number' ? time : Date.parse(time ?? '')
  return Number.isFinite(ms) ? new Date(ms + ahead).toISOString().slice(0, 19).replace('T', ' ') : ''
}

// dayOf is the first and the last millisecond, exclusive, of a day such as 2026-11-27.
export function dayOf(date: string): [number, number] | undefined {
  const start = Date.parse(`${date}T00:00:00+08:00`)
  return Number.isFinite(start) ? [start, start + 24 * 3600 * 1000] : undefined
}
