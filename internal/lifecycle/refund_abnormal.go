package lifecycle

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// IsAbnormal reports whether WeChat Pay could not give the money back to where it came from, and
// waits for somebody to say where it goes.
func IsAbnormal(refund *v1alpha1.Refund) bool {
	return SucceededReason(refund) == v1alpha1.ReasonAbnormal
}

// AbnormalReason returns the reason of the condition AbnormalHandled, or "" before it is set.
func AbnormalReason(refund *v1alpha1.Refund) string {
	return Condition(refund.Status.Conditions, v1alpha1.ConditionAbnormalHandled).Reason
}

// AbnormalHandled records how far the decision in spec.abnormal has got.
func AbnormalHandled(refund *v1alpha1.Refund, status metav1.ConditionStatus, reason, message string, now time.Time) {
	setRefund(refund, now, v1alpha1.ConditionAbnormalHandled, status, reason, message)
}

// AbnormalHandledBy records the error of the call that tells WeChat Pay where the money goes.
func AbnormalHandledBy(refund *v1alpha1.Refund, err error, now time.Time) {
	status, reason, message := Explain(err)
	AbnormalHandled(refund, status, reason, message, now)
}

// AbnormalTrusted reports whether the decision was verified when it was first seen.
func AbnormalTrusted(refund *v1alpha1.Refund) bool {
	switch AbnormalReason(refund) {
	case "", v1alpha1.ReasonPolicyNotVerified, v1alpha1.ReasonApprovedUnguarded:
		return false
	default:
		return true
	}
}
