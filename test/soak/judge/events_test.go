package judge_test

import (
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/soak/judge"
)

// The events of a story.
var (
	orderPaid       = judge.Event{Namespace: "soap", UID: "o", Type: v1alpha1.EventOrderPaid, State: v1alpha1.ReasonPaid, TransactionID: "t1"}
	refundRequested = judge.Event{Namespace: "soap", UID: "r", Type: v1alpha1.EventRefundRequested, State: v1alpha1.ReasonPending}
	refundSucceeded = judge.Event{Namespace: "soap", UID: "r", Type: v1alpha1.EventRefundSucceeded, State: v1alpha1.ReasonSucceeded}
)

// newToldStory is a story whose EventSink was told of everything.
func newToldStory() *story {
	s := newStory()
	s.Sinks = map[string]int64{"soap": 0}
	s.Events = []judge.Event{refundRequested, orderPaid, refundSucceeded}
	return s
}

// isDeleted has the Order deleted, which the operator may have held.
func (s *story) isDeleted(held bool) {
	s.Orders[orderNumber].Deleted = true
	at := metav1.NewTime(noon)
	s.order.DeletionTimestamp = &at
	if held {
		s.order.Finalizers = []string{v1alpha1.Finalizer}
	}
	s.stored()
	s.then(judge.Change{Object: s.order, Gone: true})
}

// isPaidLate has the Order paid after it was closed.
func (s *story) isPaidLate() {
	closed := s.order.DeepCopy()
	closed.Status.Conditions[1] = condition(v1alpha1.ConditionPaid, metav1.ConditionFalse, v1alpha1.ReasonClosed)
	closed.Status.Transaction = nil
	s.order.Status.Conditions[1].Reason = v1alpha1.ReasonPaidLate
	s.History = []judge.Change{{Object: closed}, {Object: s.order.DeepCopy()}, {Object: s.refund.DeepCopy()}}
	s.ledgerOrder().Payment.Forced = true
}

func TestEventsHold(t *testing.T) {
	late := judge.Event{Namespace: "soap", UID: "o", Type: v1alpha1.EventOrderPaidLate, State: v1alpha1.ReasonPaidLate, TransactionID: "t1"}
	closed := judge.Event{Namespace: "soap", UID: "o", Type: v1alpha1.EventOrderClosed, State: v1alpha1.ReasonClosed}
	for name, change := range map[string]func(*story){
		"each once":      func(*story) {},
		"one sent twice": func(s *story) { s.Events = append(s.Events, refundRequested) },
		"nobody listens": func(s *story) { s.Sinks, s.Events = map[string]int64{}, nil },
		"deleted, not held": func(s *story) {
			s.isDeleted(false)
			s.Events = s.Events[:1]
			s.Events = append(s.Events, refundSucceeded)
		},
		"deleted, and missed": func(s *story) {
			s.isDeleted(true)
			s.Events = []judge.Event{refundRequested, refundSucceeded}
			s.Sinks["soap"] = 1
		},
		"paid late": func(s *story) {
			s.isPaidLate()
			s.Events = []judge.Event{closed, closed, late, refundRequested, refundSucceeded}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newToldStory()
			change(s)
			for _, finding := range judge.Judge(s.Evidence, noon.Add(time.Minute)).Findings {
				if slices.Contains([]judge.Rule{judge.EventsArrive, judge.EventsInOrder, judge.EventsTrue}, finding.Rule) {
					t.Errorf("unexpected: %+v", finding)
				}
			}
		})
	}
}

func TestEventsThatBreakARule(t *testing.T) {
	for name, c := range map[string]struct {
		rule   judge.Rule
		change func(*story)
		open   bool
	}{
		"not yet":             {judge.EventsArrive, func(s *story) { s.Events = s.Events[:2] }, true},
		"deleted, and missed": {judge.EventsArrive, func(s *story) { s.isDeleted(true); s.Events = []judge.Event{refundRequested, refundSucceeded} }, false},
		"the end comes first": {judge.EventsInOrder, func(s *story) { s.Events = []judge.Event{orderPaid, refundSucceeded, refundRequested} }, false},
		"paid late before it was closed": {judge.EventsInOrder, func(s *story) {
			s.isPaidLate()
			late, closed := orderPaid, orderPaid
			late.Type, late.State = v1alpha1.EventOrderPaidLate, v1alpha1.ReasonPaidLate
			closed.Type, closed.State, closed.TransactionID = v1alpha1.EventOrderClosed, v1alpha1.ReasonClosed, ""
			s.Events = []judge.Event{late, closed, refundRequested, refundSucceeded}
		}, false},
		"of nothing":           {judge.EventsTrue, func(s *story) { s.Events[0].UID = "x" }, false},
		"of another namespace": {judge.EventsTrue, func(s *story) { s.Events[0].Namespace = "towels" }, false},
		"another end":          {judge.EventsTrue, func(s *story) { s.Events[2].Type = v1alpha1.EventRefundFailed }, false},
		"another state":        {judge.EventsTrue, func(s *story) { s.Events[1].State = v1alpha1.ReasonPaidEarlier }, false},
		"another transaction":  {judge.EventsTrue, func(s *story) { s.Events[1].TransactionID = "t2" }, false},
		"paid, and it is not": {judge.EventsTrue, func(s *story) {
			s.unpaid(simulator.StateNotPay)
			s.Events = []judge.Event{orderPaid}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newToldStory()
			c.change(s)
			findings := judge.Judge(s.Evidence, noon.Add(time.Minute)).Findings
			if !slices.ContainsFunc(findings, func(f judge.Finding) bool { return f.Rule == c.rule && f.Open == c.open }) {
				t.Errorf("%q (open: %t) is not found: %+v", c.rule, c.open, findings)
			}
		})
	}
}
