package webhookserver_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/xml"
	"errors"
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
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/hosts"
	"github.com/wechatpay-operator/wechatpay-operator/internal/index"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
	"github.com/wechatpay-operator/wechatpay-operator/webhookserver"
)

// fuzzKey is the Merchant's key. No message in the corpus was made with it; the targets sign and
// encrypt with it.
const fuzzKey = "FuzzTestOnlyKey0FuzzTestOnlyKey0"

// fuzzPayments and fuzzRefunds are the only two callback paths of the shop.
const (
	fuzzPayments = "/notify/v2/default/shop/payment"
	fuzzRefunds  = "/notify/v2/default/shop/refund"
)

// fuzzShop is a callback handler with an Order over 101 fen and a Refund of it.
type fuzzShop struct {
	handler http.Handler
	stub    client.Client
	order   *v1alpha1.Order
}

// indexed registers the index functions of a cache with the fake client, which keeps its objects in
// memory.
type indexed struct{ *fake.ClientBuilder }

func (i indexed) IndexField(_ context.Context, object client.Object, field string, extract client.IndexerFunc) error {
	i.WithIndex(object, field, extract)
	return nil
}

func openFuzzShop(f testing.TB) *fuzzShop {
	order := &v1alpha1.Order{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "order-0001", UID: "1"},
		Spec:       v1alpha1.OrderSpec{MerchantRef: v1alpha1.MerchantReference{Name: "shop"}, Amount: v1alpha1.Amount{Total: 101}},
	}
	shop := &v1alpha1.Merchant{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "shop", UID: "2"}, Spec: v1alpha1.MerchantSpec{
		MchID: framework.MchID, AppID: framework.AppID, SignType: v1alpha1.SignTypeHMACSHA256, APIKeySecretRef: v1alpha1.SecretKeyReference{Name: "key"},
		Endpoint: &v1alpha1.Endpoint{URL: "https://127.0.0.1:1"}, // nothing listens there
	}}
	shop.Status.Keys = []string{wechatpay.KeyID(fuzzKey, framework.MchID)}
	shop.Status.KeysEndpoint = account.EndpointID(shop)
	builder := fake.NewClientBuilder().WithScheme(controlplane.Scheme()).WithObjects(
		shop,
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "key"}, Data: map[string][]byte{"apiKey": []byte(fuzzKey)}},
		order, &v1alpha1.Refund{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "refund-0001"}, Spec: v1alpha1.RefundSpec{
			OrderRef: v1alpha1.OrderReference{Name: "order-0001"}, Amount: 50,
		}},
	).WithStatusSubresource(&v1alpha1.Order{}, &v1alpha1.Refund{})
	if err := index.Setup(context.Background(), indexed{builder}); err != nil {
		f.Fatal(err)
	}
	stub := builder.Build()
	handler := &webhookserver.Handler{
		Client: stub, APIReader: stub, Recorder: &eventbook{}, Clock: clock.RealClock{}, Log: logr.Discard(), // a fuzzer logs too much
		Registry: account.NewRegistry(stub, account.Options{
			NotifyBaseURL: "https://pay.example.com", EndpointHosts: hosts.MustParse(framework.WeChatHost), RefreshAfter: time.Hour,
		}),
	}
	return &fuzzShop{handler.Routes(), stub, order}
}

// serve handles a request, and fails the test if an unverified callback changed anything or was
// answered with SUCCESS. An independent parser and verifier decides whether it is verified.
func (s *fuzzShop) serve(t *testing.T, request *http.Request) {
	t.Helper()
	before, refundBefore := s.read(t)
	var body bytes.Buffer
	request.Body = io.NopCloser(io.TeeReader(request.Body, &body))
	recorder := httptest.NewRecorder()
	s.handler.ServeHTTP(recorder, request)
	succeeded := strings.Contains(recorder.Body.String(), "SUCCESS") && recorder.Code < 300

	now, refund := s.read(t)
	if refund.ResourceVersion != refundBefore.ResourceVersion {
		t.Fatalf("the Refund changed, although WeChat was not heard: %+v", refund.Status)
	}
	message, ok := parseFields(body.Bytes())
	verified := ok && request.Method == http.MethodPost && request.URL.Path == fuzzPayments &&
		message["sign"] != "" && message["sign"] == message.signed(fuzzKey, hmacSign)["sign"]
	paid := stateOf(now.Status.Conditions, v1alpha1.ConditionPaid)
	switch matches := verified && message["return_code"] == "SUCCESS" && message["result_code"] == "SUCCESS" && message["out_trade_no"] == "order-0001" &&
		message["mch_id"] == framework.MchID && message["appid"] == framework.AppID && message["total_fee"] == "101" &&
		(message["fee_type"] == "CNY" || message["fee_type"] == ""); {
	case now.ResourceVersion != before.ResourceVersion && !verified:
		t.Fatalf("the Order changed to Paid=%s by %s %q %q", paid, request.Method, request.URL, body.Bytes())
	case (succeeded || strings.HasPrefix(paid, "True/")) && !matches:
		t.Fatalf("answered %d, Paid=%s by %s %q %q", recorder.Code, paid, request.Method, request.URL, body.Bytes())
	case succeeded && !strings.HasPrefix(paid, "True/"):
		t.Fatalf("answered SUCCESS with Paid=%s", paid)
	}
	if now.ResourceVersion != before.ResourceVersion {
		now.Status = v1alpha1.OrderStatus{}
		if err := s.stub.Status().Update(context.Background(), now); err != nil {
			t.Fatal(err)
		}
	}
}

func (s *fuzzShop) read(t *testing.T) (*v1alpha1.Order, *v1alpha1.Refund) {
	t.Helper()
	order, refund := &v1alpha1.Order{}, &v1alpha1.Refund{}
	for name, object := range map[string]client.Object{"order-0001": order, "refund-0001": refund} {
		if err := s.stub.Get(context.Background(), client.ObjectKey{Namespace: "default", Name: name}, object); err != nil {
			t.Fatal(err)
		}
	}
	return order, refund
}

// parseFields parses a message with encoding/xml, which accepts more than the protocol allows.
// Whatever the server accepts must have the same fields for both.
func parseFields(document []byte) (fields, bool) {
	decoder, message := xml.NewDecoder(bytes.NewReader(document)), fields{}
	var name string
	var text strings.Builder
	for depth := 0; ; {
		token, err := decoder.Token()
		if err != nil {
			return message, errors.Is(err, io.EOF)
		}
		switch token := token.(type) {
		case xml.StartElement:
			depth++
			name = token.Name.Local
			text.Reset()
		case xml.CharData:
			text.Write(token)
		case xml.EndElement:
			if depth == 2 && name != "" {
				message[name] = text.String()
			}
			depth--
			name = ""
		}
	}
}

// sealings are the ways in which a target signs or encrypts a body, so that the fuzzer reaches the
// code behind.
var sealings = []func(body string) string{
	func(body string) string { return body },
	func(body string) string { return spoken(body).body(fuzzKey, hmacSign) },
	func(body string) string { return spoken(body).body(fuzzKey, md5Sign) },
	func(body string) string { return spoken(body).body(framework.APIKey, hmacSign) },
	func(body string) string {
		return fields{"return_code": "SUCCESS", "appid": framework.AppID, "mch_id": framework.MchID, "req_info": seal(body, fuzzKey)}.xml("xml")
	},
}

func spoken(body string) fields {
	if message, ok := parseFields([]byte(body)); ok {
		return message
	}
	return fields{"attach": body}
}

// FuzzCallback sends any method, path, header and body, plain, signed or encrypted.
func FuzzCallback(f *testing.F) {
	shop := openFuzzShop(f)
	payment := paymentOf(shop.order)
	refund := fields{"out_trade_no": "order-0001", "out_refund_no": "refund-0001", "refund_status": "SUCCESS"}
	bodies := []string{
		"", success, payment.xml("xml"), payment.goodXML(), payment.body(framework.APIKey, md5Sign), payment.body("", hmacSign),
		payment.with("sign", strings.Repeat("0", 64)).xml("xml"), payment.with("mch_id", secondMchID).goodXML(),
		payment.with("total_fee", "1").xml("xml"), payment.with("fee_type", "USD").xml("xml"), payment.with("out_trade_no", "order-9999").xml("xml"),
		payment.with("result_code", "FAIL").xml("xml"), payment.with("fee_type", "").xml("xml"),
		refund.sealed(framework.APIKey).xml("xml"), refund.sealed("").xml("xml"), refund.xml("root"), refund.with("out_refund_no", "refund-9999").xml("root"),
		strings.Repeat("<xml>", 16<<10), "<xml>" + strings.Repeat("<a/>", 20<<10) + "</xml>",
		"<xml><a>" + strings.Repeat("`2026-01-01,`wx,`101\n", 64<<10) + "</a></xml>",
	}
	for how := range sealings {
		for _, body := range bodies {
			f.Add(http.MethodPost, fuzzPayments, "Content-Type: text/xml", body, uint8(how))
			f.Add(http.MethodPost, fuzzRefunds, "Content-Type: text/xml", body, uint8(how))
		}
	}
	documents := rejected(f)
	for _, name := range slices.Sorted(maps.Keys(documents)) {
		f.Add(http.MethodPost, fuzzPayments, "", documents[name], uint8(0))
	}
	for _, path := range []string{
		"", "*", "/", "/notify/v2/../shop/payment", "/notify/v2/default/shop\x00/payment", "/notify/v2/default/shop%00/payment", "/notify/v2/a/b/c/payment",
		"//x", fuzzPayments + "/", fuzzPayments + "?x=1;y", "\xff", "/notify/v2/default%2fshop/shop/payment", "/notify/v2/default/..%2fdefault%2fshop/payment",
		"/notify/v2/%64efault/shop/payment", "/notify/v2/./default/shop/payment", "/notify/v2/default/nobody/payment", "/notify/v2/default/SHOP/payment",
		"/notify/v2/" + strings.Repeat("a", 5000) + "/shop/payment", "/notify/v2/default/" + strings.Repeat("a.", 5000) + "/refund",
	} {
		f.Add(http.MethodPost, path, "", payment.xml("xml"), uint8(1))
		f.Add("GET", path, "X-HTTP-Method-Override: POST", payment.xml("xml"), uint8(1))
	}
	f.Add(http.MethodPost, fuzzPayments, "Content-Encoding: gzip\nTransfer-Encoding: chunked\nExpect: 100-continue\nContent-Length: -1", payment.xml("xml"), uint8(1))
	f.Add(http.MethodPost, fuzzPayments, "X: "+strings.Repeat("x", 20<<10), payment.xml("xml"), uint8(1))
	f.Fuzz(func(t *testing.T, method, path, header, body string, how uint8) {
		body = sealings[int(how)%len(sealings)](body)
		for _, to := range []string{path, fuzzPayments, fuzzRefunds} {
			target, err := url.ParseRequestURI(to)
			if err != nil {
				target = &url.URL{Path: to}
			}
			request := &http.Request{
				Method: method, URL: target, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: headerOf(header),
				Host: "pay.example.com", RequestURI: to, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
			}
			if to != path {
				request.Method = http.MethodPost
			}
			shop.serve(t, request)
		}
	})
}

func headerOf(text string) http.Header {
	header := http.Header{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(line, ":")
		header.Add(name, strings.TrimSpace(value))
	}
	return header
}

// FuzzRequest sends the bytes of a connection.
func FuzzRequest(f *testing.F) {
	shop := openFuzzShop(f)
	good := paymentOf(shop.order).body(fuzzKey, hmacSign)
	start := "POST " + fuzzPayments + " HTTP/1.1\r\nHost: pay.example.com\r\n"
	for _, more := range []string{
		"Content-Length: 100000\r\n\r\n" + good, "\r\n" + good, "Transfer-Encoding: chunked\r\n\r\n800\r\n" + good + "\r\n0\r\n\r\n",
		"Content-Length: 1\r\nContent-Length: 2000\r\n\r\n" + good, "Transfer-Encoding: gzip\r\n\r\n" + good, "X:\r\n y\r\n\r\n",
	} {
		f.Add([]byte(start + more))
		f.Add([]byte(strings.Replace(start, "/payment", "%2fpayment", 1) + more))
		f.Add([]byte(strings.Replace(start, "/payment", "/refund", 1) + more))
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		connection := bufio.NewReader(bytes.NewReader(sent))
		for {
			request, err := http.ReadRequest(connection)
			if err != nil {
				return
			}
			shop.serve(t, request)
			_, _ = io.Copy(io.Discard, request.Body)
		}
	})
}

// TestFuzzShopAcceptsValidCallbacks: a verified callback is accepted and detected by the targets.
func TestFuzzShopAcceptsValidCallbacks(t *testing.T) {
	shop := openFuzzShop(t)
	request := httptest.NewRequest(http.MethodPost, fuzzPayments, strings.NewReader(sealings[1](paymentOf(shop.order).xml("xml"))))
	before, _ := shop.read(t)
	shop.serve(t, request)
	if after, _ := shop.read(t); after.ResourceVersion == before.ResourceVersion {
		t.Error("the Order was not paid")
	}
}
