package settlement

import (
	"strings"
	"time"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// maxMessage keeps a condition readable and the object small; the API allows 32768.
const maxMessage = 1024

func set(conditions *[]metav1.Condition, generation int64, now time.Time,
	kind string, status metav1.ConditionStatus, reason, message string,
) {
	message = presentable(message)
	meta.SetStatusCondition(conditions, metav1.Condition{
		Type:               kind,
		Status:             status,
		Reason:             reason,
		Message:            message,
		ObservedGeneration: generation,
		LastTransitionTime: metav1.NewTime(now),
	})
}

// presentable is a message as the API server keeps it. What is not UTF-8 would come back changed, differ from the message of
// the next reconcile, and be written again for ever.
func presentable(message string) string {
	return truncate(strings.ToValidUTF8(message, "\uFFFD"), maxMessage)
}

// truncate cuts after n bytes at most, on a rune boundary: WeChat's words are Chinese.
func truncate(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

func reasonOf(conditions []metav1.Condition, kind string) string {
	if condition := meta.FindStatusCondition(conditions, kind); condition != nil {
		return condition.Reason
	}
	return ""
}

func statusOf(conditions []metav1.Condition, kind string) metav1.ConditionStatus {
	if condition := meta.FindStatusCondition(conditions, kind); condition != nil {
		return condition.Status
	}
	return ""
}

func since(conditions []metav1.Condition, kind string) time.Time {
	if condition := meta.FindStatusCondition(conditions, kind); condition != nil {
		return condition.LastTransitionTime.Time
	}
	return time.Time{}
}
