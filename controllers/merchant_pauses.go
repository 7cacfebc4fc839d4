package controllers

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
)

// probeIfPaused makes a query without side effects while order calls are paused, so that they
// resume soon after WeChat answers again, even if no Order makes a call. While the pause lasts, the
// breaker rejects it.
func (r *MerchantReconciler) probeIfPaused(ctx context.Context, m *v1alpha1.Merchant, acc *account.Account) {
	if acc.Paused(account.OrderCalls) != nil && !acc.Rejected() {
		_ = r.probe(ctx, m, acc) // the breaker counts the result
	}
}

// callsAllowed returns the condition that shows pauses. Its message has the time when a pause began
// and the interval of trials, and nothing that changes during the pause, so that it is written
// once.
func callsAllowed(acc *account.Account) (status metav1.ConditionStatus, reason, message string) {
	if acc == nil || acc.Rejected() {
		return metav1.ConditionFalse, v1alpha1.ReasonMerchantNotReady, "Nothing is sent for this Merchant; the condition Ready says why"
	}
	orders, refunds := acc.Paused(account.OrderCalls), acc.Paused(account.RefundCalls)
	const ofOrders, ofRefunds = "All calls but refund requests", "Refund requests"
	switch {
	case orders != nil && refunds != nil:
		return metav1.ConditionFalse, v1alpha1.ReasonAllPaused, explainPause(ofOrders, orders) + ". " + explainPause(ofRefunds, refunds)
	case orders != nil:
		return metav1.ConditionFalse, v1alpha1.ReasonOrdersPaused, explainPause(ofOrders, orders)
	case refunds != nil:
		return metav1.ConditionFalse, v1alpha1.ReasonRefundsPaused, explainPause(ofRefunds, refunds)
	default:
		return metav1.ConditionTrue, v1alpha1.ReasonAllowed, "No calls are paused"
	}
}

func explainPause(calls string, pause *account.Pause) string {
	return fmt.Sprintf("%s are paused since %s, as the last ones failed: %s. One is tried every %s, and all go on when WeChat Pay answers it",
		calls, pause.Since.UTC().Format(time.RFC3339), pause.LastError, pause.TriedEvery)
}
