import wx from 'weixin-js-sdk'
import { Code, Refusal } from './request'

/** toMiniProgram opens a page of the mini program around this web-view. */
export function toMiniProgram(how: 'navigateTo' | 'redirectTo', url: string): Promise<void> {
  return new Promise((resolve, reject) => {
    wx.miniProgram[how]({ url, success: () => resolve(), fail: () => reject(new Refusal(Code.TryAgain)) })
  })
}
