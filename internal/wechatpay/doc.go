// Package wechatpay defines what the rest of the operator uses of WeChat Pay: the Caller interface,
// its requests, the facts it returns and the outcomes of calls. It contains no protocol; each is a
// package below this one (v2, v3) that implements Protocol.
package wechatpay
