// Package interop tests the WeChat Pay simulator with clients that were written by other people for the real
// WeChat Pay, and measures what the same work costs there: gopay (API v2 and v3), WeChat Pay's own SDK for Go (API
// v3), and, if it is installed, wechatpay-axios-plugin for Node.js. It is a module of its own, so that nobody else
// depends on them.
package interop
