package lifecycle

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/internal/text"
)

// maxMessage keeps conditions readable and objects small. The API allows 32768.
const maxMessage = 1024

func set(conditions *[]metav1.Condition, generation int64, now time.Time,
	kind string, status metav1.ConditionStatus, reason, message string,
) {
	meta.SetStatusCondition(conditions, metav1.Condition{
		Type:               kind,
		Status:             status,
		Reason:             reason,
		Message:            presentable(message),
		ObservedGeneration: generation,
		LastTransitionTime: metav1.NewTime(now),
	})
}

// presentable returns a message as it is stored and shown.
func presentable(message string) string { return text.AtMost(maxMessage, message) }

// statusTime converts a time for the status. It returns nil for the zero time and for times that
// the API rejects.
func statusTime(t time.Time) *metav1.Time {
	if year := t.UTC().Year(); year < 1970 || year > 9999 {
		return nil
	}
	return new(metav1.NewTime(t))
}

// Condition returns a condition, which is empty if it was never set.
func Condition(conditions []metav1.Condition, kind string) metav1.Condition {
	if condition := meta.FindStatusCondition(conditions, kind); condition != nil {
		return *condition
	}
	return metav1.Condition{}
}
