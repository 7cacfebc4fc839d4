package statement_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills/billtest"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills/matching"
	"github.com/wechatpay-operator/wechatpay-operator/internal/index"
	"github.com/wechatpay-operator/wechatpay-operator/internal/statement"
)

// crowd is a cache with a Refund in our namespace, and many in those of others. It counts the lookups.
type crowd struct {
	objects
	refunds []v1alpha1.Refund
	// gets counts the reads of Orders by namespace, and looks the lists that check whether a namespace has Orders of
	// ours.
	gets  map[string]int
	looks int
}

func (c *crowd) Get(_ context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	order := object.(*v1alpha1.Order)
	c.gets[key.Namespace]++
	var asked client.GetOptions
	asked.ApplyOptions(options)
	if asked.UnsafeDisableDeepCopy == nil || !*asked.UnsafeDisableDeepCopy {
		return fmt.Errorf("a copy of %s is made", key)
	}
	at := metav1.NewTime(day.Start().Add(-time.Hour))
	*order = v1alpha1.Order{
		ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name},
		Spec:       v1alpha1.OrderSpec{MerchantRef: v1alpha1.MerchantReference{Name: "shop"}, Amount: v1alpha1.Amount{Total: 100, Currency: "CNY"}},
		Status:     v1alpha1.OrderStatus{Transaction: &v1alpha1.Transaction{ID: "t-" + key.Name, Total: 100, PaidTime: &at}},
	}
	return nil
}

func (c *crowd) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	var asked client.ListOptions
	asked.ApplyOptions(options)
	switch list := list.(type) {
	case *v1alpha1.OrderList:
		if merchant, found := asked.FieldSelector.RequiresExactMatch(index.OrderMerchant); found {
			c.looks++
			if merchant == asked.Namespace+"/shop" && asked.Limit == 1 {
				list.Items = make([]v1alpha1.Order, 1)
			}
			return nil
		}
	case *v1alpha1.RefundList:
		if piece, found := asked.FieldSelector.RequiresExactMatch(index.RefundAccepted); found && piece == index.AcceptedIn(day.Start().Add(12*time.Hour)) {
			list.Items = c.refunds
		}
		return nil
	}
	return c.objects.List(ctx, list, options...)
}

// TestRefundsOfOthersCostNothing: each Statement sees the Refunds of the whole cluster, and reads only its own Orders,
// once each.
func TestRefundsOfOthersCostNothing(t *testing.T) {
	t.Parallel()
	const others, each = 10, 100
	noon := metav1.NewTime(day.Start().Add(12 * time.Hour))
	refund := func(namespace, name string) v1alpha1.Refund {
		return v1alpha1.Refund{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
			Spec:       v1alpha1.RefundSpec{OrderRef: v1alpha1.OrderReference{Name: "order-" + name}, Amount: 30},
			Status: v1alpha1.RefundStatus{
				OutRefundNo: name, RefundID: "r-" + name, AcceptedTime: &noon,
				Conditions: []metav1.Condition{
					{Type: v1alpha1.ConditionApproved, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonApproved, LastTransitionTime: noon},
					{Type: v1alpha1.ConditionAccepted, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonAccepted, LastTransitionTime: noon},
				},
			},
		}
	}
	cache := &crowd{objects: objects{merchant: merchant()}, gets: map[string]int{}}
	cache.refunds = append(cache.refunds, refund("shop", "ours"), refund("shop", "ours")) // two objects with one number have one refund
	for i := range others * each {
		cache.refunds = append(cache.refunds, refund(fmt.Sprint("other-", i%others), fmt.Sprint("theirs-", i)))
	}
	bill := billtest.Bill(row(1, func(r *billtest.Row) {
		r.Time = noon.Time
		r.TransactionID, r.OutTradeNo = "t-order-ours", "order-ours"
		r.State, r.RefundID, r.OutRefundNo, r.Requested, r.Refunded, r.RefundStatus, r.Order, r.Settled = "REFUND", "r-ours", "ours", 30, 30, "SUCCESS", 0, 0
	}))
	comparer := statement.Comparer{Client: cache, Policy: bills.WeChatPolicy}
	found, err := comparer.Compare(t.Context(), text(bill), merchant(), day, day.End().Add(12*time.Hour))
	if err != nil || found.Verdict != matching.Balanced || found.Matched.Count() != 1 {
		t.Fatalf("%v %+v", err, found)
	}
	got := 0
	for namespace, count := range cache.gets {
		if got += count; strings.HasPrefix(namespace, "other") {
			t.Errorf("%d Orders of %s were looked up", count, namespace)
		}
	}
	if got != 1 || cache.looks != others+1 {
		t.Errorf("%d Orders were looked up, want 1, and %d namespaces, want %d", got, cache.looks, others+1)
	}
}
