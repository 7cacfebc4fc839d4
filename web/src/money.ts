import { t } from './words'

// ISO 4217: these have no minor unit. All others that WeChat Pay takes have two digits.
const whole = new Set(['JPY', 'KRW', 'ISK'])

// units writes minor units as people read them, without ever making a fraction of them: 101 fen are 1.01 yuan.
export function money(minor: number | undefined, currency = 'CNY'): string {
  if (minor === undefined || !Number.isSafeInteger(minor)) return '–'
  let digits = String(Math.abs(minor))
  if (!whole.has(currency)) {
    digits = digits.padStart(3, '0')
    digits = `${digits.slice(0, -2)}.${digits.slice(-2)}`
  }
  return `${minor < 0 ? '−' : ''}${digits} ${currency === 'CNY' ? t('yuan') : currency}`
}
