// Package wechatpay defines what the rest of the operator uses of WeChat Pay: the Caller interface,
// its requests, the facts it returns and the outcomes of calls. It has no protocol; each protocol
// is a package below this one (v2, v3) that implements Caller.
package wechatpay
