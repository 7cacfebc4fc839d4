package events

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

var start = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func at(seconds int) metav1.Time {
	return metav1.NewTime(start.Add(time.Duration(seconds) * time.Second))
}

func condition(kind, state string, when int) metav1.Condition {
	status, reason, _ := strings.Cut(state, "/")
	return metav1.Condition{Type: kind, Status: metav1.ConditionStatus(status), Reason: reason, LastTransitionTime: at(when)}
}

func orderWith(uid types.UID, conditions ...metav1.Condition) *v1alpha1.Order {
	order := &v1alpha1.Order{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "order-" + string(uid), UID: uid}}
	order.Status.Conditions = conditions
	return order
}

func refundWith(created int, conditions ...metav1.Condition) *v1alpha1.Refund {
	refund := &v1alpha1.Refund{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "refund-1", UID: "r", CreationTimestamp: at(created)}}
	refund.Status.Conditions = conditions
	return refund
}

func summary(events []Event) string {
	var text []string
	for _, event := range events {
		text = append(text, fmt.Sprintf("%s %s @%d", event.Type, event.State, int(event.Recorded.Sub(start).Seconds())))
	}
	return strings.Join(text, ", ")
}

func TestEventsFollowFromTheStatus(t *testing.T) {
	for _, test := range []struct {
		object client.Object
		want   string
	}{
		{orderWith("a"), ""},
		{orderWith("a", condition("Paid", "Unknown/Pending", 1)), ""},
		{orderWith("a", condition("Paid", "Unknown/AwaitingPayment", 1)), ""},
		{orderWith("a", condition("Paid", "Unknown/Closing", 1)), ""},
		{orderWith("a", condition("Paid", "Unknown/AmountMismatch", 1)), ""},
		{orderWith("a", condition("Paid", "True/Paid", 2)), "OrderPaid Paid @2"},
		{orderWith("a", condition("Paid", "True/PaidEarlier", 2)), "OrderPaid PaidEarlier @2"},
		{orderWith("a", condition("Paid", "True/PaidUnderOtherParameters", 2)), "OrderPaid PaidUnderOtherParameters @2"},
		{orderWith("a", condition("Paid", "False/Closed", 3)), "OrderClosed Closed @3"},
		{orderWith("a", condition("Paid", "False/Expired", 3)), "OrderClosed Expired @3"},
		{orderWith("a", condition("Paid", "False/Rejected", 3)), "OrderClosed Rejected @3"},
		{orderWith("a", condition("Paid", "False/NumberInUse", 3)), "OrderClosed NumberInUse @3"},
		{orderWith("a", condition("Prepared", "False/Expired", 3), condition("Paid", "True/PaidLate", 9)), "OrderClosed Expired @9, OrderPaidLate PaidLate @9"},
		{orderWith("a", condition("Prepared", "False/UsedAtWeChat", 3), condition("Paid", "True/PaidLate", 9)), "OrderClosed Closed @9, OrderPaidLate PaidLate @9"},
		{refundWith(4), "RefundRequested Pending @4"},
		{refundWith(4, condition("Succeeded", "Unknown/Processing", 5)), "RefundRequested Pending @4"},
		{refundWith(4, condition("Succeeded", "Unknown/Abnormal", 5)), "RefundRequested Pending @4"},
		{refundWith(4, condition("Succeeded", "True/Succeeded", 6)), "RefundRequested Pending @4, RefundSucceeded Succeeded @6"},
		{refundWith(4, condition("Succeeded", "False/Denied", 6)), "RefundRequested Pending @4, RefundFailed Denied @6"},
		{&v1alpha1.Merchant{}, ""},
	} {
		if got := summary(Of(test.object)); got != test.want {
			t.Errorf("%+v: %q, want %q", test.object, got, test.want)
		}
	}
}

// harmless are the string fields of an Order and a Refund that the body of an event may contain.
var harmless = []string{
	"Order.ObjectMeta.Name", "Order.ObjectMeta.Namespace", "Order.ObjectMeta.UID",
	"Order.Spec.MerchantRef.Name", "Order.Spec.MerchantRef.Namespace", "Order.Spec.OutTradeNo", "Order.Spec.TradeType", "Order.Spec.Amount.Currency",
	"Order.Status.Transaction.ID",
	"Refund.ObjectMeta.Name", "Refund.ObjectMeta.Namespace", "Refund.ObjectMeta.UID",
	"Refund.Spec.OrderRef.Name", "Refund.Spec.OutRefundNo", "Refund.Status.RefundID",
}

// fill sets every string field of an object to a text with the field's name, and returns these texts.
func fill(path string, value reflect.Value, found map[string]string) {
	switch value.Kind() {
	case reflect.Pointer:
		if value.IsNil() {
			value.Set(reflect.New(value.Type().Elem()))
		}
		fill(path, value.Elem(), found)
	case reflect.Struct:
		if value.Type() == reflect.TypeFor[metav1.Time]() {
			return
		}
		for i := range value.NumField() {
			if value.Type().Field(i).IsExported() {
				fill(path+"."+value.Type().Field(i).Name, value.Field(i), found)
			}
		}
	case reflect.Slice:
		if value.Len() == 0 {
			value.Set(reflect.MakeSlice(value.Type(), 1, 1))
		}
		fill(path+"[]", value.Index(0), found)
	case reflect.Map:
		if value.Type().Elem().Kind() == reflect.String {
			text := "secret-" + path
			value.Set(reflect.MakeMap(value.Type()))
			value.SetMapIndex(reflect.ValueOf("key").Convert(value.Type().Key()), reflect.ValueOf(text).Convert(value.Type().Elem()))
			found[path] = text
		}
	case reflect.String:
		text := "secret-" + path + "-end"
		value.SetString(text)
		found[path] = text
	}
}

func TestDataHasNothingOfThePayer(t *testing.T) {
	order, refund := &v1alpha1.Order{}, &v1alpha1.Refund{}
	texts := map[string]string{}
	fill("Order", reflect.ValueOf(order).Elem(), texts)
	fill("Refund", reflect.ValueOf(refund).Elem(), texts)
	for _, path := range []string{"Order.Spec.Payer.OpenID", "Order.Status.Transaction.OpenID", "Order.Status.Prepay.ID", "Order.Status.Prepay.JSAPI.PaySign", "Refund.Status.ReceivedAccount"} {
		if texts[path] == "" {
			t.Fatalf("the test does not fill %s", path)
		}
	}
	order.Status.Conditions = []metav1.Condition{condition("Prepared", "False/Closed", 1), condition("Paid", "True/PaidLate", 2)}
	refund.Status.Conditions = []metav1.Condition{condition("Succeeded", "True/Succeeded", 2)}
	sent := 0
	for _, object := range []client.Object{order, refund} {
		for _, event := range Of(object) {
			content, err := body(event, object)
			if err != nil {
				t.Fatal(err)
			}
			all := string(content) + fmt.Sprint(header(event, object))
			for path, text := range texts {
				if strings.Contains(all, text) && !slices.Contains(harmless, path) {
					t.Errorf("%s has %s", event.Type, path)
				}
			}
			sent++
		}
	}
	if sent != 4 {
		t.Errorf("%d events", sent)
	}
}

func TestSigningKeys(t *testing.T) {
	const key = "C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
	for text, good := range map[string]bool{
		key: true, "whsec_" + key: true, " whsec_" + key + "\n": true,
		"": false, "whsec_": false, "C2FVsBQIhrscChlQ": false, "not base64 at all!!": false, strings.Repeat(key, 3): false,
	} {
		_, err := ParseKey(text)
		if (err == nil) != good {
			t.Errorf("%q: %v", text, err)
		}
	}
	parsed, err := ParseKey(key)
	if err != nil || strings.Contains(fmt.Sprintf("%v %+v %#v %s", parsed, parsed, parsed, parsed), "webhook") {
		t.Errorf("%v %#v", err, parsed)
	}
}
