/** Config is config.json beside the page. */
export interface Config {
  /** appid of the official account, for the payer's login there; it is the Merchant's appid or one bound to its number. */
  officialAccount: string
  /** Pages of the mini program whose web-view shows this page. */
  webViewPage: string
  payPage: string
}

let reading: Promise<Config> | undefined

export function config(): Promise<Config> {
  reading ??= fetch('config.json').then(answer => answer.json())
  return reading
}
