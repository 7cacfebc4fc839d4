package lifecycle

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/text"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// poison contains characters that act on terminals, log readers and tables.
const poison = "微\u009b31m信\u202e支\n付\u2028\u200b\x7f"

// poisoned fills every string of a WeChat Pay value with poison.
func poisoned[T any](value T) T {
	fill(reflect.ValueOf(&value).Elem())
	return value
}

func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		if v.String() == "" {
			v.SetString(poison)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				fill(v.Field(i))
			}
		}
	}
}

// notClean returns the paths of the strings that still contain characters that should have been
// removed.
func notClean(path string, v reflect.Value) (found []string) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			return notClean(path, v.Elem())
		}
	case reflect.String:
		if !text.IsClean(v.String()) {
			return []string{fmt.Sprintf("%s: %q", path, v.String())}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			found = append(found, notClean(path+"."+v.Type().Field(i).Name, v.Field(i))...)
		}
	case reflect.Slice:
		for i := range v.Len() {
			found = append(found, notClean(fmt.Sprintf("%s[%d]", path, i), v.Index(i))...)
		}
	}
	return found
}

// TestWeChatsWordsAreStoredClean makes every string from WeChat Pay hostile, on every path into a
// status.
func TestWeChatsWordsAreStoredClean(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	newOrder := func() *v1alpha1.Order {
		order := &v1alpha1.Order{}
		order.Name, order.Spec.Amount.Total = "order-0001", 101
		order.Annotations = map[string]string{v1alpha1.AnnotationRefreshPrepay: poison}
		return order
	}
	newRefund := func() *v1alpha1.Refund {
		refund := &v1alpha1.Refund{}
		refund.Name, refund.Spec.Amount = "refund-1", 50
		return refund
	}
	failures := []error{
		&wechatpay.Error{Operation: wechatpay.OperationCreateRefund, Code: poison, Description: poison},
		&wechatpay.Error{Operation: wechatpay.OperationCreateRefund, Code: poison},
		&wechatpay.Error{Operation: wechatpay.OperationCreateRefund, Err: fmt.Errorf("tls: certificate of %s", poison)},
		fmt.Errorf("proxy: %s", poison),
	}
	account := Payee{MchID: "1900000109", AppID: "wx1"}
	paid := poisoned(wechatpay.Payment{MchID: account.MchID, AppID: account.AppID, OutTradeNo: "order-0001", Total: 101, Currency: "CNY"})
	paid.Attach = account.Attach

	statuses := map[string]any{}
	for i, err := range failures {
		order, refund, sent := newOrder(), newRefund(), newRefund()
		NotPreparedBy(order, err, now)
		NotAcceptedBy(sent, err, now)
		LookFailed(refund, err, now)
		statuses[fmt.Sprintf("order failed %d", i)], statuses[fmt.Sprintf("refund failed %d", i)], statuses[fmt.Sprintf("look failed %d", i)] = order.Status, sent.Status, refund.Status
	}
	order := newOrder()
	if verdict, message := Paid(order, account, paid, now); verdict != Recorded {
		t.Fatalf("%s: %s", verdict, message)
	}
	if verdict, _ := Paid(order, account, paid, now); verdict != AlreadyRecorded {
		t.Errorf("the same payment again is %s", verdict)
	}
	statuses["paid"] = order.Status
	other := paid
	other.TransactionID = poison + "2"
	_, conflict := Paid(order, account, other, now)
	statuses["conflict"] = conflict
	for _, change := range []func(*wechatpay.Payment){
		func(p *wechatpay.Payment) { p.MchID = poison }, func(p *wechatpay.Payment) { p.AppID = poison },
		func(p *wechatpay.Payment) { p.OutTradeNo = poison }, func(p *wechatpay.Payment) { p.Currency = poison },
	} {
		differs, order := paid, newOrder()
		change(&differs)
		_, message := Paid(order, account, differs, now)
		statuses["mismatch "+message], statuses["said "+message] = order.Status, message
	}
	refreshed := newOrder()
	refreshed.Status.Prepay = &v1alpha1.OrderPrepay{}
	RefreshAnswered(refreshed)
	statuses["refreshed"] = refreshed.Status

	for _, state := range []wechatpay.RefundStatus{wechatpay.RefundStatusSucceeded, wechatpay.RefundStatusProcessing, wechatpay.RefundStatusAbnormal, wechatpay.RefundStatusClosed, poison} {
		refund := newRefund()
		RefundState(refund, "order-0001", poisoned(wechatpay.RefundFact{OutTradeNo: "order-0001", OutRefundNo: "refund-1", Amount: 50, Status: state}), now)
		statuses["refund "+string(state)] = refund.Status
	}
	differs := newRefund()
	RefundState(differs, "order-0001", poisoned(wechatpay.RefundFact{Amount: 50, Status: wechatpay.RefundStatusSucceeded}), now)
	statuses["refund of another order"] = differs.Status
	accepted := newRefund()
	Accepted(accepted, poisoned(wechatpay.RefundAcceptance{}), now)
	statuses["accepted"] = accepted.Status

	for name, status := range statuses {
		for _, dirty := range notClean("status", reflect.ValueOf(status)) {
			t.Errorf("%q: %s", name, dirty)
		}
	}
}

// TestTimesThatTheAPIDoesNotTakeAreLeftOut: a time that the API rejects would prevent the payment
// from being recorded.
func TestTimesThatTheAPIDoesNotTakeAreLeftOut(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for _, at := range []time.Time{{}, time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(0, 1, 1, 0, 0, 0, 0, time.FixedZone("", 8*3600)), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)} {
		if transaction := transactionOf(wechatpay.Payment{PaidTime: at}); transaction.PaidTime != nil {
			t.Errorf("%s is kept", at)
		}
		refund := &v1alpha1.Refund{}
		RefundState(refund, "", wechatpay.RefundFact{Status: wechatpay.RefundStatusSucceeded, SuccessTime: at}, now)
		if refund.Status.SucceededTime == nil || !refund.Status.SucceededTime.Time.Equal(now) {
			t.Errorf("%s is kept as %s", at, refund.Status.SucceededTime)
		}
	}
}
