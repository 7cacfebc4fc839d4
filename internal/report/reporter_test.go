package report_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus/testutil"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
	"github.com/wechatpay-operator/wechatpay-operator/internal/report"
)

// reasons returns the recorded events as "Type Reason".
func reasons(recorder *events.FakeRecorder) []string {
	var written []string
	for len(recorder.Events) > 0 {
		words := strings.Fields(<-recorder.Events)
		written = append(written, words[0]+" "+words[1])
	}
	return written
}

func newReporter(recorder *events.FakeRecorder) report.Reporter {
	return report.Reporter{Recorder: recorder, Log: logr.Discard(), By: metrics.ByQuery}
}

func condition(kind, status, reason string) []metav1.Condition {
	return []metav1.Condition{{Type: kind, Status: metav1.ConditionStatus(status), Reason: reason, Message: reason + " in words"}}
}

// TestPaymentsThatNeedAPersonAreTold counts global metrics, so it does not run in parallel.
func TestPaymentsThatNeedAPersonAreTold(t *testing.T) {
	for name, c := range map[string]struct {
		verdict          lifecycle.Verdict
		reason           string
		policy           v1alpha1.LatePayment
		events           []string
		mismatches, late float64
		paid, second     float64
	}{
		"paid":               {verdict: lifecycle.Recorded, reason: v1alpha1.ReasonPaid, policy: v1alpha1.LatePaymentHold, paid: 1},
		"paid earlier":       {verdict: lifecycle.Recorded, reason: v1alpha1.ReasonPaidEarlier},
		"paid before":        {verdict: lifecycle.AlreadyRecorded, reason: v1alpha1.ReasonPaidLate, policy: v1alpha1.LatePaymentHold},
		"late, held":         {verdict: lifecycle.Recorded, reason: v1alpha1.ReasonPaidLate, policy: v1alpha1.LatePaymentHold, events: []string{"Warning PaidLate"}, late: 1, paid: 1},
		"late, accepted":     {verdict: lifecycle.Recorded, reason: v1alpha1.ReasonPaidLate, policy: v1alpha1.LatePaymentAccept, late: 1, paid: 1},
		"late, refunded":     {verdict: lifecycle.Recorded, reason: v1alpha1.ReasonPaidLate, policy: v1alpha1.LatePaymentRefund, late: 1, paid: 1},
		"another amount":     {verdict: lifecycle.Mismatch, reason: v1alpha1.ReasonAmountMismatch, events: []string{"Warning AmountMismatch"}, mismatches: 1},
		"still another":      {verdict: lifecycle.StillMismatch, reason: v1alpha1.ReasonAmountMismatch},
		"a second payment":   {verdict: lifecycle.Conflict, reason: v1alpha1.ReasonPaid, events: []string{"Warning SecondPayment"}, second: 1},
		"of another's order": {verdict: lifecycle.NotOurs, reason: v1alpha1.ReasonNumberInUse},
	} {
		t.Run(name, func(t *testing.T) {
			recorder := events.NewFakeRecorder(10)
			order := &v1alpha1.Order{Status: v1alpha1.OrderStatus{
				Transaction: &v1alpha1.Transaction{ID: "4200000001", Total: 101}, Conditions: condition(v1alpha1.ConditionPaid, "True", c.reason),
			}}
			merchant := &v1alpha1.Merchant{Spec: v1alpha1.MerchantSpec{LatePayment: c.policy}}
			mismatches, late := testutil.ToFloat64(metrics.AmountMismatches), testutil.ToFloat64(metrics.PaidLate)
			paid := testutil.ToFloat64(metrics.OrdersPaid.WithLabelValues(metrics.ByQuery))
			second := testutil.ToFloat64(metrics.SecondPayments)
			newReporter(recorder).Payment(order, merchant, c.verdict, "the difference")
			if got := reasons(recorder); !slices.Equal(got, c.events) {
				t.Errorf("events %q, want %q", got, c.events)
			}
			if got := testutil.ToFloat64(metrics.AmountMismatches) - mismatches; got != c.mismatches {
				t.Errorf("%v mismatches counted", got)
			}
			if got := testutil.ToFloat64(metrics.PaidLate) - late; got != c.late {
				t.Errorf("%v late payments counted", got)
			}
			if got := testutil.ToFloat64(metrics.OrdersPaid.WithLabelValues(metrics.ByQuery)) - paid; got != c.paid {
				t.Errorf("%v paid Orders counted", got)
			}
			if got := testutil.ToFloat64(metrics.SecondPayments) - second; got != c.second {
				t.Errorf("%v second payments counted", got)
			}
		})
	}
}

func TestRefundsThatNeedAPersonAreToldOnce(t *testing.T) {
	for reason, want := range map[string][]string{
		v1alpha1.ReasonAbnormal:    {"Warning Abnormal"},
		v1alpha1.ReasonClosed:      {"Warning Closed"},
		v1alpha1.ReasonNumberInUse: {"Warning NumberInUse"},
		v1alpha1.ReasonSucceeded:   nil,
		v1alpha1.ReasonProcessing:  nil,
	} {
		t.Run(reason, func(t *testing.T) {
			recorder := events.NewFakeRecorder(10)
			refund := &v1alpha1.Refund{Status: v1alpha1.RefundStatus{Conditions: condition(v1alpha1.ConditionSucceeded, "Unknown", reason)}}
			newReporter(recorder).Refund(refund, v1alpha1.ReasonPending)
			newReporter(recorder).Refund(refund, reason) // nothing new
			if got := reasons(recorder); !slices.Equal(got, want) {
				t.Errorf("events %q, want %q", got, want)
			}
		})
	}
}
