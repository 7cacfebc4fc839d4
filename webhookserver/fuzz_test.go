package webhookserver_test

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lookup"
	"github.com/wechatpay-operator/wechatpay-operator/internal/merchant"
	"github.com/wechatpay-operator/wechatpay-operator/internal/testenv"
	"github.com/wechatpay-operator/wechatpay-operator/internal/testshop"
	"github.com/wechatpay-operator/wechatpay-operator/webhookserver"
)

// fuzzKey is the Merchant's; no message in the corpus was made with it.
const fuzzKey = "FuzzTestOnlyKey0FuzzTestOnlyKey0"

// indexed turns the index functions of a cache into those of the stub, which has its objects in memory.
type indexed struct{ *fake.ClientBuilder }

func (i indexed) IndexField(_ context.Context, object client.Object, field string, extract client.IndexerFunc) error {
	i.WithIndex(object, field, extract)
	return nil
}

func fuzzed(f *testing.F) (http.Handler, client.Client, *v1alpha1.Order) {
	order := &v1alpha1.Order{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "order-0001", UID: "1"},
		Spec:       v1alpha1.OrderSpec{MerchantRef: v1alpha1.MerchantReference{Name: "shop"}, Amount: v1alpha1.Amount{Total: 101}},
	}
	builder := fake.NewClientBuilder().WithScheme(testenv.Scheme()).WithObjects(
		&v1alpha1.Merchant{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "shop", UID: "2"}, Spec: v1alpha1.MerchantSpec{
			MchID: testshop.MchID, AppID: testshop.AppID, SignType: v1alpha1.SignTypeHMACSHA256, APIKeySecretRef: v1alpha1.SecretKeyReference{Name: "key"},
		}},
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "key"}, Data: map[string][]byte{"apiKey": []byte(fuzzKey)}},
		order, &v1alpha1.Refund{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "refund-0001"}, Spec: v1alpha1.RefundSpec{
			OrderRef: v1alpha1.OrderReference{Name: "order-0001"}, Amount: 50,
		}},
	).WithStatusSubresource(&v1alpha1.Order{}, &v1alpha1.Refund{})
	if err := lookup.SetupIndexes(context.Background(), indexed{builder}); err != nil {
		f.Fatal(err)
	}
	stub := builder.Build()
	handler := &webhookserver.Handler{
		Client: stub, Live: stub, Recorder: &eventbook{}, Clock: clock.RealClock{}, Log: logr.Discard(), // a fuzzer says too much to keep it
		Registry: merchant.NewRegistry(stub, merchant.Options{NotifyBaseURL: "https://pay.example.com", RefreshAfter: time.Hour}),
	}
	return handler.Routes(), stub, order
}

// FuzzCallback sends anything anywhere. Without the key there is no SUCCESS, no panic, and nothing changes.
func FuzzCallback(f *testing.F) {
	handler, stub, order := fuzzed(f)
	payment := paymentOf(&v1alpha1.Order{ObjectMeta: metav1.ObjectMeta{Name: "order-0001"}, Spec: v1alpha1.OrderSpec{Amount: v1alpha1.Amount{Total: 101}}})
	refund := fields{"out_trade_no": "order-0001", "out_refund_no": "refund-0001", "refund_status": "SUCCESS"}
	for _, body := range []string{
		"", success, payment.xml("xml"), payment.good(), payment.body(testshop.APIKey, md5Sign), payment.body("", hmacSign),
		payment.with("sign", strings.Repeat("0", 64)).xml("xml"), payment.with("mch_id", secondMchID).good(),
		refund.sealed(testshop.APIKey).xml("xml"), refund.sealed("").xml("xml"), refund.xml("root"),
	} {
		f.Add(http.MethodPost, "/notify/v2/default/shop/payment", body)
		f.Add(http.MethodPost, "/notify/v2/default/shop/refund", body)
	}
	documents := rejected(f)
	for _, name := range slices.Sorted(maps.Keys(documents)) {
		f.Add(http.MethodPost, "/notify/v2/default/shop/payment", documents[name])
	}
	for _, path := range []string{"", "*", "/", "/notify/v2/../shop/payment", "/notify/v2/default/shop\x00/payment", "/notify/v2/a/b/c/payment", "//x", "/notify/v2/default/shop/payment/", "\xff"} {
		f.Add(http.MethodPost, path, payment.good())
		f.Add("GET", path, "")
	}
	f.Fuzz(func(t *testing.T, method, path, body string) {
		for _, to := range []string{path, "/notify/v2/default/shop/payment", "/notify/v2/default/shop/refund"} {
			request := &http.Request{
				Method: method, URL: &url.URL{Path: to}, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{},
				Host: "pay.example.com", RequestURI: to, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
			}
			if to != path {
				request.Method = http.MethodPost
			}
			recorder := httptest.NewRecorder()
			handler.ServeHTTP(recorder, request)
			if strings.Contains(recorder.Body.String(), "SUCCESS") && recorder.Code < 300 {
				t.Fatalf("%s %q was answered %d %q", method, to, recorder.Code, recorder.Body)
			}
		}
		now := &v1alpha1.Order{}
		if err := stub.Get(context.Background(), client.ObjectKeyFromObject(order), now); err != nil {
			t.Fatal(err)
		}
		if now.ResourceVersion != "999" || len(now.Status.Conditions) != 0 {
			t.Fatalf("the Order changed: %+v", now.Status)
		}
	})
}
