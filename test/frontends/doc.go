// Package frontends tests the pages of examples/miniprogram, examples/taro and examples/h5 without WeChat's tools:
// against the operator, examples/storefront and the simulators of WeChat. `make frontends` installs and builds what the
// tests run.
//
// The folder wechat is what stands in for WeChat's client. It says ok to nothing by itself: wx.login gives codes of the
// simulator, and wx.requestPayment has it verify paySign before it pays.
package frontends
