/** Place is where the page is open, which decides how one can pay. */
export type Place = 'MiniProgram' | 'OfficialAccount' | 'Phone' | 'Desktop'

/**
 * placeOf reads the user agent: WeChat adds MicroMessenger to it, and miniProgram in a mini program's web-view. Older
 * versions of WeChat set __wxjs_environment instead.
 */
export function placeOf(userAgent: string, environment?: string): Place {
  if (/MicroMessenger/i.test(userAgent)) {
    return environment === 'miniprogram' || /miniProgram/i.test(userAgent) ? 'MiniProgram' : 'OfficialAccount'
  }
  return /Android|iPhone|iPod|Mobile/i.test(userAgent) ? 'Phone' : 'Desktop'
}
