package controllers

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/protocols"
)

// probeIfPaused makes a query without side effects while order calls are paused, so that they
// resume soon after WeChat answers again, even if no Order makes a call. While the pause lasts, the
// breaker rejects it.
func (r *MerchantReconciler) probeIfPaused(ctx context.Context, m *v1alpha1.Merchant, handle *account.Account) {
	if handle.Paused(account.OrderCalls) != nil && !handle.Rejected() {
		_ = r.probe(ctx, m, handle) // the breaker counts the result
	}
}

// callsAllowed returns the condition that shows pauses. Its message has the time when a pause began
// and the interval of trials, and nothing that changes during the pause, so that it is written
// once.
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
		calls, pause.Since.UTC().Format(time.RFC3339), pause.LastError, pause.TriedEvery)
}

// certificateRejected reports whether WeChat rejects the certificate. Only refund requests show
// that, so the status keeps the result until another request or another certificate replaces it.
func certificateRejected(m *v1alpha1.Merchant, handle *account.Account) (message string, rejected bool) {
	refusal, known := handle.CertificateRefusal()
	_, reason, shown := readyCondition(m)
	switch {
	case refusal != "":
		return fmt.Sprintf("%s. WeChat Pay does not take the client certificate in Secret %s/%s: put the merchant's current API certificate there (账户中心 → API安全 → API证书). "+
			"Refunds stop until then, Orders do not; one refund that waits is tried now and then, and shows when WeChat Pay takes it", refusal, m.Namespace, certificateSecret(m)), true
	case !known && handle.CertificateUse == protocols.CertificateForRefunds && reason == v1alpha1.ReasonCertificateRejected && sameCertificate(m.Status.Certificate, handle.Certificate):
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
