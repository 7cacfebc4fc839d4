// Package v3 implements wechatpay.Protocol with WeChat Pay's API v3: JSON over HTTPS, requests
// signed with the merchant's certificate, answers and callbacks signed by WeChat with a public key
// or a platform certificate, callbacks and certificates encrypted with the APIv3 key.
//
// Comments that speak of WeChat Pay's documentation mean that of API v3: basic rules, signature and
// verification, payments (JSAPI, Native, APP, H5), refunds, notifications, platform certificates,
// and their variants for service providers.
package v3
