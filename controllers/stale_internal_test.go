package controllers

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/claims"
	"github.com/wechatpay-operator/wechatpay-operator/internal/index"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

var staleNow = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// staleReaders returns two readers: a cache that has some objects, and an API server that has more.
func staleReaders(t *testing.T, cached, more []client.Object) Base {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	byOrder := func(object client.Object) []string { return []string{object.(*v1alpha1.Refund).Spec.OrderRef.Name} }
	with := func(objects []client.Object) client.Client {
		return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).
			WithStatusSubresource(&v1alpha1.Refund{}, &v1alpha1.Order{}).
			WithIndex(&v1alpha1.Order{}, index.OrderNumber, func(object client.Object) []string { return []string{object.(*v1alpha1.Order).Number()} }).
			WithIndex(&v1alpha1.Refund{}, index.RefundNumber, func(object client.Object) []string { return []string{object.(*v1alpha1.Refund).Number()} }).
			WithIndex(&v1alpha1.Order{}, index.OrderPrepay, func(object client.Object) []string { return index.PrepayOf(object.(*v1alpha1.Order)) }).
			WithIndex(&v1alpha1.Refund{}, index.RefundOrder, byOrder).
			WithIndex(&v1alpha1.Refund{}, "spec.orderRef.name", byOrder).Build()
	}
	clock := clocktesting.NewFakePassiveClock(staleNow)
	reader, live := with(cached), with(append(cached, more...))
	return Base{Client: reader, APIReader: live, Claims: claims.New(reader, live, clock), Timing: DefaultTiming(), Clock: clock}
}

func stalePaidOrder() *v1alpha1.Order {
	order := &v1alpha1.Order{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "order-0001", UID: "order-uid", CreationTimestamp: metav1.NewTime(staleNow.Add(-time.Hour))},
		Spec:       v1alpha1.OrderSpec{Amount: v1alpha1.Amount{Total: 101}},
	}
	lifecycle.Paid(order, lifecycle.Payee{MchID: "1900000109", AppID: "wx1"}, wechatpay.Payment{
		AppID: "wx1", MchID: "1900000109", OutTradeNo: "order-0001", TransactionID: "4200000001", Total: 101, Currency: "CNY",
	}, staleNow)
	return order
}

func staleRefund(name string) *v1alpha1.Refund {
	return &v1alpha1.Refund{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: "uid-of-refund", CreationTimestamp: metav1.NewTime(staleNow.Add(-time.Minute))},
		Spec:       v1alpha1.RefundSpec{OrderRef: v1alpha1.OrderReference{Name: "order-0001"}, Amount: 50, Approval: v1alpha1.ApprovalApproved},
	}
}

// TestTurnUsesLiveRefunds: a Refund that another process has just requested is not in the
// cache yet.
func TestTurnUsesLiveRefunds(t *testing.T) {
	t.Parallel()
	underWay := staleRefund("refund-0001")
	underWay.UID = "uid-of-the-other"
	lifecycle.NotAcceptedBy(underWay, &wechatpay.Error{Operation: wechatpay.OperationCreateRefund, Outcome: wechatpay.Unknown}, staleNow)
	waiting := staleRefund("refund-0002")
	r := &RefundReconciler{Base: staleReaders(t, []client.Object{stalePaidOrder(), waiting}, []client.Object{underWay})}
	r.init()
	f := &refund{Refund: waiting, order: stalePaidOrder(), merchant: &v1alpha1.Merchant{}, account: &account.Account{Version: "1"}}
	if err := r.Client.Get(t.Context(), client.ObjectKeyFromObject(waiting), f.Refund); err != nil {
		t.Fatal(err)
	}
	if p := r.takeTurn(t.Context(), f); !p.stop || p.err != nil || p.after == 0 {
		t.Errorf("it goes on beside another of the same Order: %+v", p)
	}
	if reason := lifecycle.AcceptedReason(f.Refund); reason != v1alpha1.ReasonWaitingForTurn {
		t.Errorf("it shows %s", reason)
	}
}

// TestOpenRefundsAreReadLive: the Order of a Refund that was just created must not be
// released.
func TestOpenRefundsAreReadLive(t *testing.T) {
	t.Parallel()
	r := &OrderReconciler{Base: staleReaders(t, []client.Object{stalePaidOrder()}, []client.Object{staleRefund("refund-0001")})}
	r.init()
	open, err := r.hasOpenRefunds(t.Context(), &order{Order: stalePaidOrder()})
	if err != nil || !open {
		t.Errorf("open %t, %v", open, err)
	}
}

// TestTurnUsesLiveOrder: it has refunds of deleted objects, which the cached one may not
// have yet.
func TestTurnUsesLiveOrder(t *testing.T) {
	t.Parallel()
	waiting := staleRefund("refund-0002")
	r := &RefundReconciler{Base: staleReaders(t, []client.Object{waiting}, nil)} // the Order was deleted
	r.init()
	f := &refund{Refund: waiting, order: stalePaidOrder(), merchant: &v1alpha1.Merchant{}, account: &account.Account{Version: "1"}}
	if p := r.takeTurn(t.Context(), f); !p.stop {
		t.Errorf("it goes on with an Order of the cache: %+v", p)
	}
}

// TestTurnWaitsForLiveOrderToBePaid: the Order lost its status or was recreated. A
// missing paid amount does not mean that the Refund exceeds it.
func TestTurnWaitsForLiveOrderToBePaid(t *testing.T) {
	t.Parallel()
	waiting, unpaid := staleRefund("refund-0001"), stalePaidOrder()
	unpaid.Status = v1alpha1.OrderStatus{}
	r := &RefundReconciler{Base: staleReaders(t, []client.Object{waiting}, []client.Object{unpaid})}
	r.init()
	f := &refund{Refund: waiting, order: stalePaidOrder(), merchant: &v1alpha1.Merchant{}, account: &account.Account{Version: "1"}}
	if err := r.Client.Get(t.Context(), client.ObjectKeyFromObject(waiting), f.Refund); err != nil {
		t.Fatal(err)
	}
	if p := r.takeTurn(t.Context(), f); !p.stop || p.err != nil || p.after == 0 {
		t.Errorf("it does not wait: %+v", p)
	}
	if lifecycle.RefundFinal(f.Refund) {
		t.Errorf("it ended: %s", lifecycle.SucceededReason(f.Refund))
	}
}

// TestDeletedRefundStaysUntilItIsCounted: after its deletion only the Order has the refunded
// amount.
func TestDeletedRefundStaysUntilItIsCounted(t *testing.T) {
	t.Parallel()
	for name, counted := range map[string]bool{"counted": true, "not counted yet": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gone := staleRefund("refund-0001")
			gone.Finalizers, gone.DeletionTimestamp = []string{v1alpha1.Finalizer}, new(metav1.NewTime(staleNow))
			lifecycle.RefundState(gone, "order-0001", wechatpay.RefundFact{OutTradeNo: "order-0001", Amount: 50, Status: wechatpay.RefundStatusSucceeded}, staleNow)
			paid := stalePaidOrder()
			if counted {
				lifecycle.Refunded(paid, []v1alpha1.Refund{*gone})
			}
			r := &RefundReconciler{Base: staleReaders(t, []client.Object{paid, gone}, nil)}
			r.init()
			f := &refund{Refund: &v1alpha1.Refund{}}
			if err := r.Client.Get(t.Context(), client.ObjectKeyFromObject(gone), f.Refund); err != nil {
				t.Fatal(err)
			}
			if p := r.releaseIfFinal(t.Context(), f); !p.stop || p.err != nil || (p.after == 0) != counted {
				t.Errorf("counted %t: %+v", counted, p)
			}
			if hasFinalizer(f.Refund) == counted {
				t.Errorf("counted %t, held %t", counted, hasFinalizer(f.Refund))
			}
		})
	}
}
