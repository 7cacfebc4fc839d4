package v2

import (
	"bytes"
	"cmp"
	"fmt"
	"net/http"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/transport"
)

// verifiedFailure converts a verified FAIL to an error. Only here an outcome may become Failed.
func verifiedFailure(operation wechatpay.Operation, reply fields) *wechatpay.Error {
	code, description := reply.get("err_code"), reply.get("err_code_des")
	judgement := judgeCode(operation, code, description)
	return &wechatpay.Error{
		Operation: operation, Outcome: judgement.outcome, Meaning: judgement.meaning,
		// The code distinguishes a FAIL without one from a transport error, which has none either.
		Code: transport.Shortened(cmp.Or(code, "FAIL")), Description: transport.Shortened(description),
	}
}

// unsignedRefusal converts a reply at the communication level (chapter 4_2) to an error. WeChat Pay
// does not sign these replies, so anyone on the path could have written it: the outcome is Refused,
// whatever it says.
func unsignedRefusal(operation wechatpay.Operation, reply fields) *wechatpay.Error {
	codes := []string{reply.get("err_code"), reply.get("return_code")}
	texts := []string{reply.get("err_code_des"), reply.get("return_msg")}
	failure := &wechatpay.Error{
		Operation: operation, Outcome: wechatpay.Refused, Meaning: judgeUnsigned(operation, codes, texts),
		Code: transport.Shortened(cmp.Or(codes...)), Description: transport.Shortened(cmp.Or(texts...)),
	}
	if failure.Meaning == wechatpay.Repeat {
		// A system error does not even say that the call had no effect.
		failure.Outcome = wechatpay.Unknown
	}
	return failure
}

// judgeStatus converts an HTTP status other than 200 to an error: WeChat Pay answers 200 to every
// request that it parsed.
func judgeStatus(operation wechatpay.Operation, status int, body []byte) *wechatpay.Error {
	if status == http.StatusBadRequest && isCertificatePage(body) {
		return &wechatpay.Error{
			Operation: operation, Outcome: wechatpay.Refused, Meaning: wechatpay.CertificateRejected,
			Err: fmt.Errorf("WeChat Pay does not take the client certificate (HTTP 400)"),
		}
	}
	return transport.UnknownByStatus(operation, status)
}

// isCertificatePage recognises the gateway's two error pages: no certificate, and a rejected
// certificate.
func isCertificatePage(body []byte) bool {
	return bytes.Contains(body, []byte("No required SSL certificate was sent")) ||
		bytes.Contains(body, []byte("The SSL certificate error"))
}
