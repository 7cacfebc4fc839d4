package controllers

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
)

// listen has a Merchant reconciled as soon as its calls are paused, or go on, or tell something of its credentials.
func (r *MerchantReconciler) listen(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	r.Registry.Listen(func(merchant types.NamespacedName) { queue.Add(reconcile.Request{NamespacedName: merchant}) })
	return nil
}

// tryPaused asks a question that moves nothing when calls for Orders are paused, so that they go on soon after WeChat answers
// again, whether an Order has something to ask or not. While the pause lasts the breaker gives it back.
func (r *MerchantReconciler) tryPaused(ctx context.Context, m *v1alpha1.Merchant, handle *account.Account) {
	if handle.Paused(account.OrderCalls) != nil && !handle.Rejected() {
		_ = r.probe(ctx, m, handle) // the breaker learns from it
	}
}

// callsAllowed is the condition that shows pauses. Its message names the moment when a pause began and how often a call is
// tried, and nothing that changes while it lasts, so that it is not written again.
func callsAllowed(handle *account.Account) (status metav1.ConditionStatus, reason, message string) {
	if handle == nil || handle.Rejected() {
		return metav1.ConditionFalse, v1alpha1.ReasonMerchantNotReady, "Nothing is sent for this Merchant; the condition Ready says why"
	}
	orders, refunds := handle.Paused(account.OrderCalls), handle.Paused(account.RefundCalls)
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
		calls, pause.Since.UTC().Format(time.RFC3339), pause.Trouble, pause.TriedEvery)
}

// certificateRejected says whether WeChat does not take the certificate. Only refund requests show it, so what they told is
// remembered in the status until another one tells, or there is another certificate.
func certificateRejected(m *v1alpha1.Merchant, handle *account.Account) (message string, rejected bool) {
	refusal, known := handle.CertificateRefusal()
	_, reason, shown := readyCondition(m)
	switch {
	case refusal != "":
		return fmt.Sprintf("%s. WeChat Pay does not take the client certificate in Secret %s/%s: put the merchant's current API certificate there (账户中心 → API安全 → API证书). "+
			"Refunds stop until then, Orders do not; one refund that waits is tried now and then, and shows when WeChat Pay takes it", refusal, m.Namespace, certificateSecret(m)), true
	case !known && reason == v1alpha1.ReasonCertificateRejected && sameCertificate(m.Status.Certificate, handle.Certificate):
		return shown, true
	default:
		return "", false
	}
}

func certificateSecret(m *v1alpha1.Merchant) string {
	if m.Spec.CertificateSecretRef == nil {
		return ""
	}
	return m.Spec.CertificateSecretRef.Name
}

func sameCertificate(a, b *v1alpha1.MerchantCertificate) bool {
	return a != nil && b != nil && a.SerialNumber == b.SerialNumber
}
