package account

import (
	"testing"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/protocols"
)

// TestMissingCertificateStopsWhatNeedsIt, and the message about it says so.
func TestMissingCertificateStopsWhatNeedsIt(t *testing.T) {
	t.Parallel()
	for use, test := range map[protocols.CertificateUse]struct {
		lacking map[wechatpay.Operation]bool
		stops   string
	}{
		protocols.CertificateNotUsed:     {nil, ""},
		protocols.CertificateForRefunds:  {map[wechatpay.Operation]bool{wechatpay.OperationCreateRefund: true}, ". Refunds stop until then, Orders do not"},
		protocols.CertificateForAllCalls: {map[wechatpay.Operation]bool{wechatpay.OperationCreateRefund: true, wechatpay.OperationCreateOrder: true}, ". Nothing is sent until then; callbacks are still taken"},
	} {
		without := &Account{Connection: &Connection{CertificateUse: use}}
		with := &Account{Connection: without.Connection, HasCertificate: true}
		for _, operation := range []wechatpay.Operation{wechatpay.OperationCreateOrder, wechatpay.OperationCreateRefund} {
			if got := without.LacksCertificateFor(operation); got != test.lacking[operation] {
				t.Errorf("%d, %s: the certificate is missing: %t", use, operation, got)
			}
			if with.LacksCertificateFor(operation) {
				t.Errorf("%d, %s: the certificate is missing although there is one", use, operation)
			}
		}
		if got := whatStops(use); got != test.stops {
			t.Errorf("%d: %q", use, got)
		}
	}
}
