// Package wechatpay holds what the rest of the operator knows of WeChat Pay: the Caller interface, the
// requests it takes, the facts it returns and the outcomes a call can have. No protocol is in here; each
// protocol is a package below this one (v2) that implements Caller.
package wechatpay
