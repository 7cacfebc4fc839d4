package chaos_test

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

const subMchID = "1900000200"

// providerFlows are flows of a sub merchant of a service provider.
func providerFlows() []*flow {
	automatic := newMerchant(func(s *v1alpha1.MerchantSpec) { s.RefundApproval = v1alpha1.RefundApprovalAutomatic })
	return []*flow{
		{name: "provider, pay and refund", provider: true, stages: given(automatic).
			and(anOrder(), pay(), aRefund(firstRefund, 50), until(refunded(firstRefund)))},
		{name: "provider, close by wish", provider: true, stages: given(automatic, anOrder()).and(wish("Closed"), until(finished))},
		{name: "provider, the right to refund is revoked and granted", provider: true, stages: given(automatic, anOrder(), pay()).
			and(mayRefund(false), aRefund(firstRefund, 50), until(lacksRight), mayRefund(true), until(refunded(firstRefund)))},
	}
}

// mayRefund sets whether the provider may refund for the sub merchant.
func mayRefund(granted bool) stage {
	return stage{what: fmt.Sprintf("the right to refund becomes %t", granted), instant: true, do: func(w *world) {
		w.must(w.sim.SetRefundRight(mchID, subMchID, granted))
	}}
}

func lacksRight(w *world) bool {
	found := w.refund(firstRefund)
	return found != nil && meta.IsStatusConditionFalse(found.Status.Conditions, v1alpha1.ConditionAccepted)
}
