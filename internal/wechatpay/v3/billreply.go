package v3

import (
	"net/http"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/transport"
)

// BillReply judges an answer to one of the two requests for a bill by its status and its text alone;
// nil means that it is what was asked for.
func BillReply(operation wechatpay.Operation, status int, body []byte) *wechatpay.Error {
	if isSuccess(status) {
		return nil
	}
	failure, _ := errorOf(operation, transport.Answer{Status: status, Header: http.Header{}, Body: body}, nil)
	return failure
}
