package lifecycle_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// The fields of a spec that are no parameter of the order or refund call. A field added to a spec
// must be sent or be listed here deliberately.
var (
	notInOrderRequest = map[string]string{
		"MerchantRef.Name":        "says whose key signs",
		"MerchantRef.Namespace":   "says whose key signs",
		"ExpireAfterSeconds":      "kept by the operator alone: the same YAML applied later must make the same call",
		"DesiredState":            "mutable",
		"TTLSecondsAfterFinished": "mutable",
	}
	notInRefundRequest = map[string]string{
		"OrderRef.Name":   "the Order itself is an argument",
		"Approval":        "mutable",
		"ApprovalMessage": "mutable",
		// What is decided once the refund is Abnormal is sent by a call of its own.
		"Abnormal.To":             "another call",
		"Abnormal.BankType":       "another call",
		"Abnormal.SecretRef.Name": "another call",
	}
)

// fill sets a field to a non-zero value.
func fill(field reflect.Value, path string) {
	switch value := field.Addr().Interface().(type) {
	case **metav1.Time:
		*value = &metav1.Time{Time: created.Add(time.Hour)}
		return
	case **int32:
		*value = new(int32(77))
		return
	}
	switch field.Kind() {
	case reflect.String:
		field.SetString("value-of-" + path)
	case reflect.Int32, reflect.Int64:
		field.SetInt(77)
	default:
		panic("no value for " + path + " of type " + field.Type().String())
	}
}

// leaves calls visit for each leaf field of a struct, nested structs included.
func leaves(value reflect.Value, path string, visit func(field reflect.Value, path string)) {
	for i := range value.NumField() {
		name := value.Type().Field(i).Name
		if path != "" {
			name = path + "." + name
		}
		field := value.Field(i)
		isTime := field.Type() == reflect.TypeFor[*metav1.Time]()
		if field.Kind() == reflect.Pointer && field.Type().Elem().Kind() == reflect.Struct && !isTime {
			if field.IsNil() {
				field.Set(reflect.New(field.Type().Elem()))
			}
			field = field.Elem()
		}
		if field.Kind() == reflect.Struct {
			leaves(field, name, visit)
			continue
		}
		if field.Kind() == reflect.Slice {
			if field.Len() == 0 {
				field.Set(reflect.MakeSlice(field.Type(), 1, 1))
			}
			leaves(field.Index(0), name+"[]", visit)
			continue
		}
		visit(field, name)
	}
}

func orderLeaves(order *v1alpha1.Order, visit func(field reflect.Value, path string)) {
	leaves(reflect.ValueOf(&order.Spec).Elem(), "", visit)
}

func refundLeaves(refund *v1alpha1.Refund, visit func(field reflect.Value, path string)) {
	leaves(reflect.ValueOf(&refund.Spec).Elem(), "", visit)
}

func TestEveryFieldOfAnOrderReachesTheRequest(t *testing.T) {
	t.Parallel()
	orderLeaves(newOrder(), func(_ reflect.Value, path string) {
		plain := newOrder()
		orderLeaves(plain, func(reflect.Value, string) {}) // allocates nested structs in both
		changed := plain.DeepCopy()
		orderLeaves(changed, func(field reflect.Value, at string) {
			if at == path {
				fill(field, path)
			}
		})
		sent := !cmp.Equal(lifecycle.OrderRequest(plain, newMerchant(), notifyURL), lifecycle.OrderRequest(changed, newMerchant(), notifyURL))
		if _, excepted := notInOrderRequest[path]; sent == excepted {
			t.Errorf("Order spec %s: in the request %t, listed as not sent %t", path, sent, excepted)
		}
	})
	full := newOrder()
	orderLeaves(full, fill)
	wantNoZero(t, lifecycle.OrderRequest(full, newMerchant(), notifyURL))
}

func TestEveryFieldOfARefundReachesTheRequest(t *testing.T) {
	t.Parallel()
	request := func(refund *v1alpha1.Refund) wechatpay.RefundRequest {
		return lifecycle.RefundRequest(refund, newOrder(), newMerchant(), notifyURL)
	}
	refundLeaves(newRefund("refund-1", 1), func(_ reflect.Value, path string) {
		changed := newRefund("refund-1", 1)
		refundLeaves(changed, func(field reflect.Value, at string) {
			if at == path {
				fill(field, path)
			}
		})
		sent := !cmp.Equal(request(newRefund("refund-1", 1)), request(changed))
		if _, excepted := notInRefundRequest[path]; sent == excepted {
			t.Errorf("Refund spec %s: in the request %t, listed as not sent %t", path, sent, excepted)
		}
	})
	full := newRefund("refund-1", 1)
	refundLeaves(full, fill)
	wantNoZero(t, request(full))
}

func wantNoZero(t *testing.T, request any) {
	t.Helper()
	value := reflect.ValueOf(request)
	for i := range value.NumField() {
		if value.Field(i).IsZero() {
			t.Errorf("%s.%s is empty although the spec says everything", value.Type(), value.Type().Field(i).Name)
		}
	}
}

func TestOrderRequestFieldByField(t *testing.T) {
	t.Parallel()
	order := newOrder()
	expires := metav1.NewTime(created.Add(3 * time.Hour).In(time.FixedZone("", 8*3600)))
	order.Spec = v1alpha1.OrderSpec{
		MerchantRef: v1alpha1.MerchantReference{Name: "shop"}, OutTradeNo: "N-1", AppID: "wxother", TradeType: "JSAPI", Description: "body",
		Amount: v1alpha1.Amount{Total: 7, Currency: "HKD"}, Payer: &v1alpha1.Payer{OpenID: "openid"}, ClientIP: "203.0.113.7",
		ExpireTime: &expires, Attach: "attach", GoodsTag: "tag", DeviceInfo: "device", ProductID: "product",
		LimitPay: "no_credit", Receipt: "Y", ProfitSharing: "N",
		Goods: &v1alpha1.Goods{CostPrice: 9, ReceiptID: "receipt", Items: []v1alpha1.GoodsItem{
			{ID: "soap", WeChatID: "1001", Name: "肥皂", Quantity: 2, Price: 3}, {ID: "towel", Quantity: 1, Price: 1},
		}},
		Store: &v1alpha1.Store{ID: "store", Name: "店", AreaCode: "440305", Address: "路 1 号"},
		H5:    &v1alpha1.H5{Type: v1alpha1.H5TypeIOS, Name: "Shop", URL: "https://shop.example.com", BundleID: "bundle", PackageName: "package"},
	}
	wantSame(t, "request", wechatpay.OrderRequest{
		OutTradeNo: "N-1", AppID: "wxother", PayerAppID: "wxother", TradeType: wechatpay.TradeTypeJSAPI, Description: "body", Total: 7, Currency: "HKD",
		ClientIP: "203.0.113.7", OpenID: "openid", ExpireTime: created.Add(3 * time.Hour), NotifyURL: notifyURL, Attach: "attach",
		GoodsTag: "tag", DeviceInfo: "device", ProductID: "product", LimitPay: "no_credit", Receipt: "Y",
		ProfitSharing: "N", Scheme: "HMAC-SHA256",
		Goods: &wechatpay.Goods{CostPrice: 9, ReceiptID: "receipt", Items: []wechatpay.GoodsItem{
			{ID: "soap", WeChatID: "1001", Name: "肥皂", Quantity: 2, Price: 3}, {ID: "towel", Quantity: 1, Price: 1},
		}},
		Store: &wechatpay.Store{ID: "store", Name: "店", AreaCode: "440305", Address: "路 1 号"},
		H5:    &wechatpay.H5{Type: wechatpay.H5TypeIOS, Name: "Shop", URL: "https://shop.example.com", BundleID: "bundle", PackageName: "package"},
	}, lifecycle.OrderRequest(order, newMerchant(), notifyURL))

	refund := newRefund("refund-1", 5)
	refund.Spec.Reason = "质量问题"
	wantSame(t, "refund request", wechatpay.RefundRequest{
		OutTradeNo: "N-1", OutRefundNo: "refund-1", AppID: "wxother", Total: 7, Amount: 5, Currency: "HKD", Reason: "质量问题", NotifyURL: notifyURL,
	}, lifecycle.RefundRequest(refund, order, newMerchant(), notifyURL))
}

func TestDefaultsAreConstants(t *testing.T) {
	t.Parallel()
	request := lifecycle.OrderRequest(newOrder(), newMerchant(), notifyURL)
	if request.OutTradeNo != orderNumber || request.AppID != appID || request.ClientIP != "" || request.Currency != "CNY" || !request.ExpireTime.IsZero() {
		t.Errorf("defaults: %+v", request)
	}
}

// disturb changes everything of an object except its immutable spec, name and namespace.
func disturb(t *rapid.T, object metav1.Object) {
	text := rapid.StringMatching(`[a-z0-9]{1,8}`)
	at := func(what string) time.Time {
		return created.Add(time.Duration(rapid.Int64Range(-1e9, 1e9).Draw(t, what)) * time.Second)
	}
	object.SetUID(types.UID(text.Draw(t, "uid")))
	object.SetResourceVersion(text.Draw(t, "resourceVersion"))
	object.SetGeneration(rapid.Int64Range(1, 99).Draw(t, "generation"))
	object.SetCreationTimestamp(metav1.NewTime(at("creationTimestamp")))
	if rapid.Bool().Draw(t, "deleted") {
		object.SetDeletionTimestamp(&metav1.Time{Time: at("deletionTimestamp")})
	}
	object.SetLabels(map[string]string{text.Draw(t, "label"): text.Draw(t, "label value")})
	object.SetAnnotations(map[string]string{v1alpha1.AnnotationRefreshPrepay: text.Draw(t, "wish")})
	object.SetFinalizers([]string{v1alpha1.Finalizer}[:rapid.IntRange(0, 1).Draw(t, "finalizers")])
}

func drawConditions(t *rapid.T) []metav1.Condition {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) metav1.Condition {
		return metav1.Condition{
			Type:   rapid.SampledFrom([]string{"Prepared", "Paid", "Approved", "Accepted", "Succeeded"}).Draw(t, "type"),
			Status: rapid.SampledFrom([]metav1.ConditionStatus{"True", "False", "Unknown"}).Draw(t, "status"),
			Reason: rapid.StringMatching(`[A-Z][a-z]{1,8}`).Draw(t, "reason"),
		}
	}), 0, 4).Draw(t, "conditions")
}

func TestOrderRequestIsAFunctionOfImmutableFieldsAlone(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		order := newOrder()
		if rapid.Bool().Draw(t, "full") {
			orderLeaves(order, fill)
		}
		merchant := newMerchant()
		want := lifecycle.OrderRequest(order, merchant, notifyURL)

		again := roundTrip(order)
		disturb(t, again)
		again.Spec.DesiredState = rapid.SampledFrom([]v1alpha1.DesiredState{"", "Open", "Closed"}).Draw(t, "desiredState")
		again.Spec.TTLSecondsAfterFinished = rapid.Ptr(rapid.Int32(), true).Draw(t, "ttl")
		again.Spec.ExpireAfterSeconds = rapid.Int32Range(360, 604800).Draw(t, "expireAfterSeconds")
		again.Status.Conditions = drawConditions(t)
		other := roundTrip(merchant)
		disturb(t, other)
		other.Spec.RefundApproval, other.Spec.LatePayment = "Automatic", "Refund"
		other.Spec.APIKeySecretRef.Name = "another"
		if got := lifecycle.OrderRequest(again, other, notifyURL); !cmp.Equal(want, got) {
			t.Fatalf("another request:\n%s", cmp.Diff(want, got))
		}
	})
}

func TestRefundRequestIsAFunctionOfImmutableFieldsAlone(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		refund, order, merchant := newRefund("refund-1", 5), newOrder(), newMerchant()
		want := lifecycle.RefundRequest(refund, order, merchant, notifyURL)

		refund, order, merchant = roundTrip(refund), roundTrip(order), roundTrip(merchant)
		disturb(t, refund)
		disturb(t, order)
		disturb(t, merchant)
		refund.Spec.Approval = rapid.SampledFrom([]v1alpha1.Approval{"", "Approved", "Denied"}).Draw(t, "approval")
		refund.Status = v1alpha1.RefundStatus{Conditions: drawConditions(t), RefundID: "x", LastRequestTime: &metav1.Time{Time: now}}
		order.Status = v1alpha1.OrderStatus{Conditions: drawConditions(t), Transaction: &v1alpha1.Transaction{ID: "t", Total: 1, CashTotal: new(int64(1))}}
		order.Spec.DesiredState = "Closed"
		merchant.Spec.SignType = v1alpha1.SignTypeMD5
		if got := lifecycle.RefundRequest(refund, order, merchant, notifyURL); !cmp.Equal(want, got) {
			t.Fatalf("another request:\n%s", cmp.Diff(want, got))
		}
	})
}

// roundTrip returns the object as another replica reads it.
func roundTrip[T any](object *T) *T {
	content, err := json.Marshal(object)
	if err != nil {
		panic(fmt.Sprint(err))
	}
	read := new(T)
	if err := json.Unmarshal(content, read); err != nil {
		panic(fmt.Sprint(err))
	}
	return read
}

func TestCallbackAddressAndAlgorithmStickOncePrepared(t *testing.T) {
	t.Parallel()
	order, merchant := newOrder(), newMerchant()
	want := lifecycle.OrderRequest(order, merchant, notifyURL)
	lifecycle.Prepared(order, newPrepay(), now)

	merchant.Spec.SignType = v1alpha1.SignTypeMD5
	wantSame(t, "request after a change of the Merchant", want, lifecycle.OrderRequest(order, merchant, "https://new.example.com/x"))

	fresh := lifecycle.OrderRequest(newOrder(), merchant, "https://new.example.com/x")
	if fresh.NotifyURL != "https://new.example.com/x" || fresh.Scheme != "MD5" {
		t.Errorf("an Order that is not prepared yet takes the new ones: %+v", fresh)
	}
}
