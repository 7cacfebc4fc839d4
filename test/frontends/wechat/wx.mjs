const names = [
  'login', 'request', 'requestPayment', 'showModal', 'navigateTo', 'navigateBack', 'redirectTo', 'switchTab', 'stopPullDownRefresh',
]

/**
 * wxOf is the global wx of a page, over call(name, parameters) of a Phone, which may be in another process. As in WeChat, a
 * function returns a promise when it is given no callbacks.
 */
export function wxOf(call) {
  const stored = new Map()
  const wx = {
    getStorageSync: key => stored.has(key) ? JSON.parse(stored.get(key)) : '',
    setStorageSync: (key, value) => { stored.set(key, JSON.stringify(value)) },
    removeStorageSync: key => { stored.delete(key) },
  }
  for (const name of names) {
    wx[name] = ({ success, fail, complete, ...parameters } = {}) => {
      const result = call(name, parameters)
      if (!success && !fail && !complete) {
        return result
      }
      result.then(
        answer => { success?.(answer); complete?.(answer) },
        error => { fail?.(error); complete?.(error) },
      )
    }
  }
  return { wx, stored }
}
