package lifecycle_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

func TestBegin(t *testing.T) {
	t.Parallel()
	order := newOrder()
	lifecycle.Begin(order, now)
	if order.Status.OutTradeNo != orderNumber || !order.Status.ExpireTime.Time.Equal(created.Add(2*time.Hour)) {
		t.Errorf("status: %+v", order.Status)
	}
	wantState(t, order.Status.Conditions, v1alpha1.ConditionPrepared, "Unknown/Pending")
	wantState(t, order.Status.Conditions, v1alpha1.ConditionPaid, "Unknown/Pending")
	if !lifecycle.FinishedTime(order).IsZero() || lifecycle.IsFinished(order) || lifecycle.IsPrepared(order) {
		t.Error("nothing happened yet")
	}
}

// TestADoubtStays: after a lost response or an unsigned refusal, responses that prove nothing leave
// the outcome unknown.
func TestADoubtStays(t *testing.T) {
	t.Parallel()
	doubts := map[string]wechatpay.Outcome{"Unknown/OutcomeUnknown": wechatpay.Unknown, "Unknown/Refused": wechatpay.Refused}
	for state, outcome := range doubts {
		for name, then := range map[string]func(*v1alpha1.Order){
			"not sent": func(o *v1alpha1.Order) {
				lifecycle.NotPreparedBy(o, problem(wechatpay.NotSent, wechatpay.Repeat), now)
			},
			"our limit": func(o *v1alpha1.Order) {
				lifecycle.NotPreparedBy(o, problem(wechatpay.NotSent, wechatpay.SlowDown), now)
			},
			"WeChat's limit": func(o *v1alpha1.Order) {
				lifecycle.NotPreparedBy(o, problem(wechatpay.Failed, wechatpay.SlowDown), now)
			},
			"refused": func(o *v1alpha1.Order) {
				lifecycle.NotPreparedBy(o, problem(wechatpay.Refused, wechatpay.NeedsAttention), now)
			},
			"merchant not ready": func(o *v1alpha1.Order) {
				lifecycle.NotPrepared(o, metav1.ConditionFalse, v1alpha1.ReasonMerchantNotReady, "The words", now)
			},
			"not permitted": func(o *v1alpha1.Order) {
				lifecycle.NotPrepared(o, metav1.ConditionFalse, v1alpha1.ReasonNotPermitted, "The words", now)
			},
		} {
			order := newOrder()
			lifecycle.NotPreparedBy(order, problem(outcome, wechatpay.Repeat), now)
			wantState(t, order.Status.Conditions, v1alpha1.ConditionPrepared, state)
			then(order)
			if got := message(order.Status.Conditions, v1alpha1.ConditionPrepared); !strings.Contains(got, "说明") && !strings.Contains(got, "The words") {
				t.Errorf("%s: the new words are missing: %q", name, got)
			}
			wantState(t, order.Status.Conditions, v1alpha1.ConditionPrepared, state)
			if !lifecycle.MayBeAtWeChat(order) {
				t.Errorf("%s after %s: the doubt is gone", name, state)
			}
		}
	}
	order := newOrder()
	lifecycle.NotPreparedBy(order, problem(wechatpay.Unknown, wechatpay.Repeat), now)
	lifecycle.NotPreparedBy(order, problem(wechatpay.Failed, wechatpay.NeedsAttention), now)
	wantState(t, order.Status.Conditions, v1alpha1.ConditionPrepared, "False/Rejected")
}

func TestAPrepayThatWorksIsNotTalkedDown(t *testing.T) {
	t.Parallel()
	order := preparedOrder()
	before := order.DeepCopy()
	lifecycle.NotPreparedBy(order, problem(wechatpay.Unknown, wechatpay.Repeat), now.Add(time.Hour))
	wantSame(t, "order", before, order)
	lifecycle.NotPreparedBy(order, problem(wechatpay.Unknown, wechatpay.Repeat), now.Add(lifecycle.PrepayLifetime))
	wantState(t, order.Status.Conditions, v1alpha1.ConditionPrepared, "Unknown/OutcomeUnknown")
}

func TestPreparedTooLate(t *testing.T) {
	t.Parallel()
	order := newOrder()
	lifecycle.Paid(order, account, newPayment(), now)
	before := order.DeepCopy()
	lifecycle.Prepared(order, newPrepay(), now)
	wantSame(t, "a callback was faster", before, order)
}

func TestClosingKeepsWhatAPersonHasToLookAt(t *testing.T) {
	t.Parallel()
	order, wrong := preparedOrder(), newPayment()
	wrong.Total = 1
	lifecycle.Paid(order, account, wrong, now)
	before := order.DeepCopy()
	lifecycle.Closing(order, "Soon", now)
	wantSame(t, "order", before, order)

	order = preparedOrder()
	lifecycle.Closing(order, "Soon", now)
	wantState(t, order.Status.Conditions, v1alpha1.ConditionPaid, "Unknown/Closing")
	wantState(t, order.Status.Conditions, v1alpha1.ConditionPrepared, "True/Prepared")
}

func TestNeedsPrepay(t *testing.T) {
	t.Parallel()
	expires := now.Add(lifecycle.PrepayLifetime)
	for name, test := range map[string]struct {
		change func(*v1alpha1.Order)
		at     time.Time
		want   bool
	}{
		"fresh":          {func(*v1alpha1.Order) {}, now, false},
		"none":           {func(o *v1alpha1.Order) { o.Status.Prepay = nil }, now, true},
		"just before":    {func(*v1alpha1.Order) {}, expires.Add(-time.Second), false},
		"run out":        {func(*v1alpha1.Order) {}, expires, true},
		"without time":   {func(o *v1alpha1.Order) { o.Status.Prepay.ExpireTime = nil }, now, true},
		"wished for":     {wish("1"), now, true},
		"wish answered":  {func(o *v1alpha1.Order) { wish("1")(o); lifecycle.RefreshAnswered(o) }, now, false},
		"another wish":   {func(o *v1alpha1.Order) { wish("1")(o); lifecycle.RefreshAnswered(o); wish("2")(o) }, now, true},
		"endless wish":   {func(o *v1alpha1.Order) { wish(strings.Repeat("招", 200))(o); lifecycle.RefreshAnswered(o) }, now, false},
		"wish withdrawn": {func(o *v1alpha1.Order) { wish("1")(o); lifecycle.RefreshAnswered(o); o.Annotations = nil }, now, true},
	} {
		order := preparedOrder()
		test.change(order)
		if got := lifecycle.NeedsPrepay(order, test.at); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
		if len(lifecycle.RefreshRequest(order)) > 256 {
			t.Errorf("%s: a wish of %d bytes does not fit the status", name, len(lifecycle.RefreshRequest(order)))
		}
	}
	lifecycle.RefreshAnswered(newOrder()) // no prepay to record it in
}

func wish(value string) func(*v1alpha1.Order) {
	return func(o *v1alpha1.Order) { o.Annotations = map[string]string{v1alpha1.AnnotationRefreshPrepay: value} }
}

func TestRefundedForgetsNothingAndCountsNothingTwice(t *testing.T) {
	t.Parallel()
	order := newOrder()
	lifecycle.Refunded(order, []v1alpha1.Refund{with("a", 40), with("b", 40, accepted), with("c", 40, closedByWeChat)})
	if order.Status.Refunded != nil {
		t.Error("nothing was refunded, so nothing is written")
	}
	a, b := with("a", 40, succeeded), with("b", 40, succeeded)
	for i, step := range []struct {
		present []v1alpha1.Refund
		want    map[string]int64
	}{
		{[]v1alpha1.Refund{a}, map[string]int64{"a": 40}},
		{[]v1alpha1.Refund{a}, map[string]int64{"a": 40}},
		{[]v1alpha1.Refund{b}, map[string]int64{"a": 40, "b": 40}}, // a was deleted since
		{nil, map[string]int64{"a": 40, "b": 40}},
		{[]v1alpha1.Refund{a, b}, map[string]int64{"a": 40, "b": 40}}, // both were applied again
	} {
		lifecycle.Refunded(order, step.present)
		got, total := map[string]int64{}, int64(0)
		for _, item := range order.Status.Refunded.Refunds {
			got[item.OutRefundNo] = item.Amount
			total += item.Amount
		}
		wantSame(t, fmt.Sprint("step ", i), step.want, got)
		if order.Status.Refunded.Total != total || int(order.Status.Refunded.Count) != len(step.want) {
			t.Errorf("step %d: total %d, count %d", i, order.Status.Refunded.Total, order.Status.Refunded.Count)
		}
	}
}

func TestOlder(t *testing.T) {
	t.Parallel()
	object := func(namespace, name string, at time.Time) *v1alpha1.Order {
		return &v1alpha1.Order{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, CreationTimestamp: metav1.NewTime(at)}}
	}
	inOrder := []*v1alpha1.Order{
		object("z", "z", created), object("a", "a", created.Add(time.Second)), object("a", "b", created.Add(time.Second)), object("b", "a", created.Add(time.Second)),
	}
	for i, a := range inOrder {
		for j, b := range inOrder {
			if got := lifecycle.Older(a, b); got != (i < j) {
				t.Errorf("%s/%s older than %s/%s: %t", a.Namespace, a.Name, b.Namespace, b.Name, got)
			}
		}
	}
}

// TestPaidNamesTheReasonOfPrepared: kubectl get shows the message of Paid only.
func TestPaidNamesTheReasonOfPrepared(t *testing.T) {
	t.Parallel()
	const notReady = "The order is not ready to be paid yet"
	for name, test := range map[string]struct {
		change func(*v1alpha1.Order)
		want   string
	}{
		"new": {func(*v1alpha1.Order) {}, notReady},
		"not asked yet": {func(o *v1alpha1.Order) {
			lifecycle.NotPrepared(o, metav1.ConditionUnknown, v1alpha1.ReasonPending, "No", now)
		}, notReady},
		"refused": {func(o *v1alpha1.Order) {
			lifecycle.NotPreparedBy(o, problem(wechatpay.Refused, wechatpay.Rejected), now)
		}, notReady + "; see the condition Prepared: Refused"},
		"used": {func(o *v1alpha1.Order) { lifecycle.UsedAtWeChat(o, "Used", now) }, notReady + "; see the condition Prepared: UsedAtWeChat"},
		"mended": {func(o *v1alpha1.Order) {
			lifecycle.NotPreparedBy(o, problem(wechatpay.NotSent, wechatpay.Repeat), now)
			lifecycle.Prepared(o, newPrepay(), now)
		}, "Waiting for the payer"},
		"with note": {func(o *v1alpha1.Order) {
			lifecycle.OrderWriteRefused(o, "no", now)
			lifecycle.UsedAtWeChat(o, "Used", now)
		}, notReady + "; see the condition Prepared: UsedAtWeChat. The cluster refuses a write: no"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			order := newOrder()
			lifecycle.Begin(order, now)
			test.change(order)
			if got := message(order.Status.Conditions, v1alpha1.ConditionPaid); got != test.want {
				t.Errorf("%q, not %q", got, test.want)
			}
		})
	}
}
