// Package simulator simulates api.weixin.qq.com, the server API of mini programs and official
// accounts, as far as a shop needs it: login, access tokens, order shipping management (发货信息管理)
// and subscribe messages.
//
// It answers as WeChat does: HTTP status 200 with an errcode, strict on types, lengths and the order
// of calls. It is written from the documentation alone and shares no code with the client that it
// tests. It hears of payments through Payments; WeChatPay connects it to the WeChat Pay simulator.
//
//	pay, err := wechatpay.New(wechatpay.Options{...})
//	certificate, err := pay.ServerCertificate()
//	weixin, err := simulator.New(simulator.Options{
//		Certificate:  certificate,
//		Payments:     simulator.WeChatPay(pay),
//		MiniPrograms: []simulator.MiniProgram{{AppID: "wxd678efh567hg6787", AppSecret: secret}},
//		TimeScale:    60, // a minute lasts a second
//	})
//	defer weixin.Close()
//	code, err := weixin.Login("wxd678efh567hg6787", openID) // what wx.login gives to the page
//	...
//	journal := weixin.Journal() // what was uploaded, sent and called
//
// # As a separate process
//
// The command cmd/simulator serves it beside WeChat Pay; other processes use the admin API (plain
// HTTP and JSON on loopback) instead of method calls, and AdminClient is its client.
//
// # Time
//
// TimeScale divides every interval of WeChat's: with 60, a code of wx.login is valid for five
// seconds and an access token for two minutes. Rules overrides single values, unscaled.
//
// # State
//
// With StateFile it may be killed at any time: uploads, shipping information and violations are in
// the file before the call is answered. A restart forgets the rest, access tokens too.
//
// # Violations
//
// Journal.Violations lists what a client must not do, even where WeChat only answers with an error:
// an upload for an order that is not paid, and an upload that uses the one chance to ship again.
package simulator
