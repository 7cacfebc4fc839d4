// Package v2 implements wechatpay.Caller with WeChat Pay's protocol v2: XML requests and replies,
// signed with the API key by MD5 or HMAC-SHA256.
//
// Chapters in comments refer to WeChat Pay's documentation of v2: 4_2 parameters, 4_3 security, 7_7
// client calls, 9_1 unifiedorder, 9_2 orderquery, 9_3 closeorder, 9_4 refund, 9_5 refundquery, 9_7
// payment callback, 9_16 refund callback, 23_5 the XXE notice, 23_6 the backup host.
package v2
