package lifecycle

import (
	"cmp"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// DownloadedReason returns the reason of a Statement's condition Downloaded; empty if it has none yet.
func DownloadedReason(statement *v1alpha1.Statement) string {
	return Condition(statement.Status.Conditions, v1alpha1.ConditionDownloaded).Reason
}

// BalancedReason returns the reason of a Statement's condition Balanced; empty if it has none yet.
func BalancedReason(statement *v1alpha1.Statement) string {
	return Condition(statement.Status.Conditions, v1alpha1.ConditionBalanced).Reason
}

// StatementState returns the reason that describes a Statement best: what the comparison found, or why there was
// none.
func StatementState(statement *v1alpha1.Statement) string {
	if reason := BalancedReason(statement); reason != v1alpha1.ReasonNotCompared {
		return reason
	}
	if reason := DownloadedReason(statement); reason != v1alpha1.ReasonDownloaded {
		return reason
	}
	return v1alpha1.ReasonNotCompared
}

// StatementCompared reports whether a whole bill was compared.
func StatementCompared(statement *v1alpha1.Statement) bool {
	switch BalancedReason(statement) {
	case v1alpha1.ReasonBalanced, v1alpha1.ReasonDiffers, v1alpha1.ReasonUndecided:
		return true
	default:
		return false
	}
}

// StatementFinal reports whether nothing more is done about a Statement: it is balanced, or its bill can't be had.
func StatementFinal(statement *v1alpha1.Statement) bool {
	return BalancedReason(statement) == v1alpha1.ReasonBalanced || DownloadedReason(statement) == v1alpha1.ReasonExpired
}

// NotDownloaded records why there is no complete bill. An earlier comparison stays.
func NotDownloaded(statement *v1alpha1.Statement, status metav1.ConditionStatus, reason, message string, now time.Time) {
	if StatementCompared(statement) || StatementFinal(statement) {
		return
	}
	setStatement(statement, now, v1alpha1.ConditionDownloaded, status, reason, message)
	setStatement(statement, now, v1alpha1.ConditionBalanced, metav1.ConditionUnknown, v1alpha1.ReasonNotCompared, "There is no complete bill yet: see the condition Downloaded")
}

// NotCompared records that there is a bill, and why it can't be compared. A comparison that was made before stands.
func NotCompared(statement *v1alpha1.Statement, message string, now time.Time) {
	if !StatementCompared(statement) && !StatementFinal(statement) {
		setStatement(statement, now, v1alpha1.ConditionDownloaded, metav1.ConditionFalse, v1alpha1.ReasonWaiting, "The bill is downloaded once it can be compared")
		setStatement(statement, now, v1alpha1.ConditionBalanced, metav1.ConditionUnknown, v1alpha1.ReasonNotCompared, message)
	}
}

// Compared is what a comparison found, with words for each condition.
type Compared struct {
	// Empty: WeChat has no bill of the day.
	Empty bool
	// Reason is that of Balanced.
	Reason               string
	Downloaded, Balanced string
	Hash                 string
	Totals               []v1alpha1.StatementTotals
	Differences          []v1alpha1.StatementDifference
	Counts               []v1alpha1.StatementDifferenceCount
	Differing, Undecided int64
}

// StatementCompare records what a comparison found, in place of what an earlier one did.
func StatementCompare(statement *v1alpha1.Statement, found Compared, now time.Time) {
	reason := v1alpha1.ReasonDownloaded
	if found.Empty {
		reason = v1alpha1.ReasonEmpty
	}
	setStatement(statement, now, v1alpha1.ConditionDownloaded, metav1.ConditionTrue, reason, found.Downloaded)
	status := map[string]metav1.ConditionStatus{
		v1alpha1.ReasonBalanced: metav1.ConditionTrue, v1alpha1.ReasonDiffers: metav1.ConditionFalse,
	}[found.Reason]
	setStatement(statement, now, v1alpha1.ConditionBalanced, cmp.Or(status, metav1.ConditionUnknown), found.Reason, found.Balanced)
	s := &statement.Status
	s.Hash, s.ComparedTime = found.Hash, statusTime(now)
	s.Totals, s.Differences, s.DifferenceCounts = found.Totals, found.Differences, found.Counts
	s.Differing, s.Undecided = &found.Differing, &found.Undecided
}

func setStatement(statement *v1alpha1.Statement, now time.Time, kind string, status metav1.ConditionStatus, reason, message string) {
	set(&statement.Status.Conditions, statement.Generation, now, kind, status, reason, message)
}
