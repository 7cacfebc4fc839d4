package webhookserver

import (
	"context"
	"errors"
	"testing"

	"k8s.io/utils/clock"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

type receives wechatpay.Notification

func (receives) Prepare(context.Context, wechatpay.Delivery) {}

func (r receives) Parse(wechatpay.Delivery) (wechatpay.Notification, error) {
	return wechatpay.Notification(r), nil
}

// TestACallbackIsAboutItsPath: whatever a protocol returns, only a proven payment is recorded as one.
func TestACallbackIsAboutItsPath(t *testing.T) {
	payment, refund := &wechatpay.Payment{}, &wechatpay.RefundFact{}
	for name, test := range map[string]struct {
		kind     wechatpay.CallbackKind
		receives receives
		accepted bool
	}{
		"a proven payment":       {wechatpay.PaymentCallback, receives{Payment: payment, Proven: true}, true},
		"a payment without that": {wechatpay.PaymentCallback, receives{Payment: payment}, false},
		"a refund as a payment":  {wechatpay.PaymentCallback, receives{Refund: refund, Proven: true}, false},
		"something else":         {wechatpay.PaymentCallback, receives{Proven: true}, true},
		"nothing":                {wechatpay.PaymentCallback, receives{}, false},
		"a hint at a refund":     {wechatpay.RefundCallback, receives{Refund: refund}, true},
		"a payment as a refund":  {wechatpay.RefundCallback, receives{Payment: payment, Proven: true}, false},
	} {
		h := &Handler{Clock: clock.RealClock{}, parseSemaphores: newParseSemaphores()}
		c := &callback{merchant: &v1alpha1.Merchant{}, connection: &account.Connection{Receiver: test.receives}}
		_, err := h.parse(t.Context(), c, test.kind)
		if (err == nil) != test.accepted || err != nil && !errors.Is(err, errOtherSubject) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
