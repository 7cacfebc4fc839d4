// Package weixin is the client of api.weixin.qq.com, the server API of mini programs: access tokens
// and order shipping management (发货信息管理).
//
// It is another API than WeChat Pay's: another host, another secret, and no signatures. Answers are
// trusted because TLS was verified. Errors have HTTP status 200 and an errcode, which the table in
// codes.go gives a meaning.
//
// The AppSecret and access tokens are sent and kept in memory, and are in no error's text.
package weixin
