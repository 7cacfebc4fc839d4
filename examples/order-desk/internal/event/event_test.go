package event

import (
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

var (
	now      = time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC)
	oneKey   = "whsec_" + base64.StdEncoding.EncodeToString([]byte("OneTestOnlySigningKey0TestOnly00"))
	otherKey = "whsec_" + base64.StdEncoding.EncodeToString([]byte("OtherTestOnlySigningKey0TestOnly"))
)

const (
	uid  = "0f1c7a52-5b0e-4d7b-8a2c-0d8f5d9a1c11"
	paid = `{"namespace":"shop","name":"order-0001","uid":"` + uid + `","merchant":{"namespace":"shop","name":"shop"},
"outTradeNo":"order-0001","tradeType":"JSAPI","state":"Paid","amount":{"total":101,"currency":"CNY"},
"transactionID":"4200026380202611291270593963","paidTime":"2026-11-29T07:38:01Z"}`
)

func parsed(t testing.TB, keys ...string) []*standardwebhooks.Webhook {
	t.Helper()
	var all []*standardwebhooks.Webhook
	for _, text := range keys {
		key, err := ParseKey(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, key)
	}
	return all
}

// signed returns the headers of an event as the operator sends it.
func signed(t testing.TB, id, body string, at time.Time, keys ...string) http.Header {
	t.Helper()
	_, kind, _ := strings.Cut(id, "/")
	header := http.Header{}
	header.Set("ce-specversion", "1.0")
	header.Set("ce-id", id)
	header.Set("ce-type", TypePrefix+kind)
	header.Set("ce-time", "2026-11-29T07:38:01Z")
	header.Set("webhook-id", id)
	header.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
	var signatures []string
	for _, key := range parsed(t, keys...) {
		signature, err := key.Sign(id, at, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		signatures = append(signatures, signature)
	}
	header.Set("webhook-signature", strings.Join(signatures, " "))
	return header
}

// TestSignatureOfTheSpecification: the vector that the libraries of Standard Webhooks share.
func TestSignatureOfTheSpecification(t *testing.T) {
	const signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	header := func(id, timestamp, signature string) http.Header {
		h := http.Header{}
		h.Set("webhook-id", id)
		h.Set("webhook-timestamp", timestamp)
		h.Set("webhook-signature", signature)
		return h
	}
	const id, at, body = "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", `{"test": 2432232314}`
	keys := parsed(t, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	when := time.Unix(1614265330, 0)
	for name, c := range map[string]struct {
		header http.Header
		body   string
		now    time.Time
		good   bool
	}{
		"as it is":                       {header(id, at, signature), body, when, true},
		"among others":                   {header(id, at, "v1,AAAA v2,"+signature[3:]+" "+signature), body, when, true},
		"another version":                {header(id, at, "v1a"+signature[2:]), body, when, false},
		"another body":                   {header(id, at, signature), body + " ", when, false},
		"another id":                     {header(id+"x", at, signature), body, when, false},
		"another time":                   {header(id, "1614265331", signature), body, when, false},
		"no signature":                   {header(id, at, ""), body, when, false},
		"a signature of nothing":         {header(id, at, "v1,"), body, when, false},
		"no id":                          {header("", at, signature), body, when, false},
		"no time":                        {header(id, "", signature), body, when, false},
		"a time that is none":            {header(id, "1614265330.5", signature), body, when, false},
		"at the end of the window":       {header(id, at, signature), body, when.Add(Window), true},
		"at the beginning of the window": {header(id, at, signature), body, when.Add(-Window), true},
		"after the window":               {header(id, at, signature), body, when.Add(Window + time.Second), false},
		"before the window":              {header(id, at, signature), body, when.Add(-Window - time.Second), false},
	} {
		if err := Verify(keys, c.header, []byte(c.body), c.now); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestKeysAreChangedWithoutALoss(t *testing.T) {
	id := uid + "/OrderPaid"
	for name, c := range map[string]struct {
		signedBy, trusted []string
		good              bool
	}{
		"sender is first":   {[]string{otherKey, oneKey}, []string{oneKey}, true},
		"receiver is first": {[]string{oneKey}, []string{otherKey, oneKey}, true},
		"both have changed": {[]string{otherKey}, []string{otherKey}, true},
		"forgotten":         {[]string{oneKey}, []string{otherKey}, false},
	} {
		err := Verify(parsed(t, c.trusted...), signed(t, id, paid, now, c.signedBy...), []byte(paid), now)
		if (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestKeysInAFolder(t *testing.T) {
	folder := t.TempDir()
	keys := KeysIn(folder)
	if _, err := keys(); err == nil {
		t.Error("no key is a key")
	}
	write := func(name, content string) {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("signingKey", oneKey+"\n")
	write("signingKey.previous", otherKey)
	if got, err := keys(); err != nil || len(got) != 2 {
		t.Errorf("%d, %v", len(got), err)
	}
	for _, bad := range []string{"", "whsec_", "c2hvcnQ=", "not base64"} {
		write("signingKey", bad)
		if _, err := keys(); err == nil || strings.Contains(err.Error(), "c2hvcnQ") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestEventsAreRead(t *testing.T) {
	e, err := Parse(signed(t, uid+"/OrderPaid", paid, now, oneKey), []byte(paid))
	if err != nil {
		t.Fatal(err)
	}
	if !e.IsPayment() || e.Number() != "order-0001" || e.Object.Total != 101 || e.Object.Currency != "CNY" || e.Object.PaidTime.IsZero() ||
		e.Source() != "/apis/wechatpay-operator.io/v1alpha1/namespaces/shop/orders/order-0001" {
		t.Errorf("%+v", e)
	}
	const refund = `{"namespace":"shop","name":"refund-0001","uid":"u","order":"order-0001","outRefundNo":"r-1","state":"Pending","amount":50}`
	e, err = Parse(signed(t, "u/RefundRequested", refund, now, oneKey), []byte(refund))
	if err != nil || !e.IsRefund() || e.Object.Total != 50 || e.Number() != "r-1" || !strings.HasSuffix(e.Source(), "/refunds/refund-0001") {
		t.Errorf("%+v, %v", e, err)
	}
}

// TestSourceIsTheObject: a receiver behind K_SINK follows it. Whatever the body names besides is not the object.
func TestSourceIsTheObject(t *testing.T) {
	const namespace = "/apis/wechatpay-operator.io/v1alpha1/namespaces/shop"
	for kind, c := range map[string]struct{ body, source, number string }{
		OrderClosed:      {`"outTradeNo":"n-1"`, namespace + "/orders/o", "n-1"},
		RefundSucceeded:  {`"outRefundNo":"r-1","outTradeNo":"n-1","amount":5`, namespace + "/refunds/o", "r-1"},
		ShipmentUploaded: {`"order":"order-0001","outTradeNo":"n-1"`, namespace + "/shipments/o", "o"},
		// Types of a later version are taken too, whatever their amount is.
		"RefundRemitted": {`"amount":{"refund":5}`, namespace, "o"},
		"ParcelLost":     {`"outTradeNo":"n-1","amount":5`, namespace, "o"},
	} {
		body := `{"namespace":"shop","name":"o","uid":"u",` + c.body + `}`
		e, err := Parse(signed(t, "u/"+kind, body, now, oneKey), []byte(body))
		if err != nil || e.Source() != c.source || e.Number() != c.number {
			t.Errorf("%s: %s %s, %v", kind, e.Source(), e.Number(), err)
		}
	}
}

// TestUnsignedHeadersMakeNoOtherEvent: the ce- headers are not signed, so that a recorded message with
// others must not count as another event.
func TestUnsignedHeadersMakeNoOtherEvent(t *testing.T) {
	for name, change := range map[string]func(http.Header){
		"ce-id":          func(h http.Header) { h.Set("ce-id", uid+"x/OrderPaid") },
		"ce-type":        func(h http.Header) { h.Set("ce-type", TypePrefix+OrderPaidLate) },
		"ce-specversion": func(h http.Header) { h.Set("ce-specversion", "0.3") },
	} {
		header := signed(t, uid+"/OrderPaid", paid, now, oneKey)
		change(header)
		if _, err := Parse(header, []byte(paid)); err == nil {
			t.Errorf("taken with another %s", name)
		}
	}
	for name, c := range map[string]struct{ id, body string }{
		"the body of another object": {"other/OrderPaid", paid},
		"no type":                    {uid, paid},
		"no uid":                     {"/OrderPaid", strings.Replace(paid, uid, "", 1)},
		"a type with signs":          {uid + "/Order/Paid", paid},
		"no JSON":                    {uid + "/OrderPaid", "{"},
		"no object":                  {"u/OrderPaid", `{"uid":"u"}`},
		"another amount":             {"u/OrderPaid", `{"namespace":"shop","name":"o","uid":"u","amount":5}`},
	} {
		if e, err := Parse(signed(t, c.id, c.body, now, oneKey), []byte(c.body)); err == nil {
			t.Errorf("%s: %+v", name, e)
		}
	}
}

func TestHandlerAnswers(t *testing.T) {
	keys := func() ([]*standardwebhooks.Webhook, error) { return parsed(t, oneKey), nil }
	noKeys := func() ([]*standardwebhooks.Webhook, error) { return nil, errors.New("none") }
	var stored []string
	store := func(e Event) error { stored = append(stored, e.ID); return nil }
	full := func(Event) error { return errors.New("no room") }
	id := uid + "/OrderPaid"
	for name, c := range map[string]struct {
		keys   Keys
		store  func(Event) error
		header http.Header
		body   string
		want   int
	}{
		"stored":       {keys, store, signed(t, id, paid, time.Now(), oneKey), paid, http.StatusNoContent},
		"not stored":   {keys, full, signed(t, id, paid, time.Now(), oneKey), paid, http.StatusServiceUnavailable},
		"forged":       {keys, store, signed(t, id, paid, time.Now(), otherKey), paid, http.StatusUnauthorized},
		"recorded":     {keys, store, signed(t, id, paid, time.Now().Add(-time.Hour), oneKey), paid, http.StatusUnauthorized},
		"not signed":   {keys, store, http.Header{}, paid, http.StatusUnauthorized},
		"without keys": {noKeys, store, signed(t, id, paid, time.Now(), oneKey), paid, http.StatusServiceUnavailable},
		"no event":     {keys, store, signed(t, id, "{}", time.Now(), oneKey), "{}", http.StatusBadRequest},
		"too large":    {keys, store, http.Header{}, strings.Repeat(" ", mostBody+1), http.StatusRequestEntityTooLarge},
	} {
		stored = nil
		request := httptest.NewRequest(http.MethodPost, "/wechatpay", strings.NewReader(c.body))
		request.Header = c.header
		answer := httptest.NewRecorder()
		Handler(c.keys, c.store, slog.New(slog.NewTextHandler(io.Discard, nil))).ServeHTTP(answer, request)
		if answer.Code != c.want || (len(stored) > 0) != (name == "stored") {
			t.Errorf("%s: HTTP %d, stored %q", name, answer.Code, stored)
		}
	}
}
