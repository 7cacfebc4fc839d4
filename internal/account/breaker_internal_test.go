package account

import (
	"testing"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	v2 "github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/v2"
)

// TestACallThatAProtocolLacksPausesNothing: it says nothing about the credentials or the account,
// however often it is tried.
func TestACallThatAProtocolLacksPausesNothing(t *testing.T) {
	t.Parallel()
	err := (*v2.Client)(nil).ResolveAbnormalRefund(t.Context(), wechatpay.AbnormalRefundRequest{})
	if wechatpay.OutcomeOf(err) != wechatpay.NotSent {
		t.Fatal(err)
	}
	if scope := failureScopeOf(err); scope != scopeNone {
		t.Errorf("it counts as a failure of scope %v", scope)
	}
	// A wrong signature, in contrast, does.
	unsigned := &wechatpay.Error{Outcome: wechatpay.Unknown, Meaning: wechatpay.NeedsAttention}
	if scope := failureScopeOf(unsigned); scope != scopeCredentials {
		t.Errorf("a wrong signature counts as a failure of scope %v", scope)
	}
}
