package transport

import (
	"net/url"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// Conceal returns the same error for all failures at a host that has never sent a verified answer,
// so that the error does not reveal whether the address has a host, a port, TLS or HTTP. The
// outcome is the cautious one. Only a failure in the protocol's own format is reported (speaks),
// because it shows that the host implements WeChat Pay's protocol.
func Conceal(trust wechatpay.Trust, host *url.URL, failure *wechatpay.Error, speaks bool) *wechatpay.Error {
	switch {
	case trust == nil:
		return failure
	case failure == nil || failure.Outcome == wechatpay.Failed:
		trust.Prove(host)
		return failure
	case trust.Proven(host) || speaks:
		return failure
	default:
		return Unknown(failure.Operation, wechatpay.Repeat, &wechatpay.ConcealedError{Cause: failure})
	}
}
