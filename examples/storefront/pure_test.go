package main

import (
	"encoding/base64"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

func conditions(states ...string) []metav1.Condition {
	var made []metav1.Condition
	for _, state := range states {
		kind, rest, _ := strings.Cut(state, "=")
		status, reason, _ := strings.Cut(rest, "/")
		made = append(made, metav1.Condition{Type: kind, Status: metav1.ConditionStatus(status), Reason: reason})
	}
	return made
}

func TestStatesOfOrders(t *testing.T) {
	for _, c := range []struct {
		conditions []metav1.Condition
		closing    bool
		want       orderState
		open       bool
	}{
		{nil, false, orderPending, true},
		{conditions("Prepared=Unknown/Pending", "Paid=Unknown/Pending"), false, orderPending, true},
		{conditions("Prepared=Unknown/OutcomeUnknown", "Paid=Unknown/AwaitingPayment"), false, orderPending, true},
		{conditions("Prepared=True/Prepared", "Paid=Unknown/AwaitingPayment"), false, orderAwaitingPayment, true},
		{conditions("Prepared=True/Prepared", "Paid=Unknown/AwaitingPayment"), true, orderPending, true},
		{conditions("Prepared=True/Prepared", "Paid=Unknown/Closing"), true, orderPending, true},
		{conditions("Prepared=True/Prepared", "Paid=Unknown/AmountMismatch"), false, orderPending, true},
		{conditions("Prepared=True/Prepared", "Paid=True/Paid"), false, orderPaid, false},
		{conditions("Paid=True/PaidLate"), true, orderPaid, false},
		{conditions("Paid=True/PaidEarlier"), false, orderPaid, false},
		{conditions("Paid=False/Closed"), true, orderClosed, false},
		{conditions("Paid=False/Expired"), false, orderExpired, false},
		{conditions("Paid=False/Rejected"), false, orderRejected, false},
		{conditions("Paid=False/NumberInUse"), false, orderRejected, false},
	} {
		order := &v1alpha1.Order{Status: v1alpha1.OrderStatus{Conditions: c.conditions, Prepay: &v1alpha1.OrderPrepay{ID: "wx1"}}}
		if c.closing {
			order.Spec.DesiredState = v1alpha1.DesiredStateClosed
		}
		if got := stateOf(order); got != c.want || isOpen(order) != c.open {
			t.Errorf("%v, closing %v: %s (open %v), not %s", c.conditions, c.closing, got, isOpen(order), c.want)
		}
	}
}

func TestStatesOfRefunds(t *testing.T) {
	for _, c := range []struct {
		conditions       []metav1.Condition
		want             refundState
		isEnd, givesBack bool
	}{
		{nil, refundAwaitingApproval, false, true},
		{conditions("Approved=Unknown/Pending"), refundAwaitingApproval, false, true},
		{conditions("Approved=Unknown/PolicyMissing", "Succeeded=Unknown/Pending"), refundAwaitingApproval, false, true},
		{conditions("Approved=True/Approved", "Succeeded=Unknown/Pending"), refundProcessing, false, true},
		{conditions("Approved=True/Automatic", "Succeeded=Unknown/Abnormal"), refundProcessing, false, true},
		{conditions("Approved=True/Approved", "Succeeded=True/Succeeded"), refundSucceeded, true, true},
		{conditions("Approved=True/Approved", "Succeeded=False/Closed"), refundFailed, true, false},
		{conditions("Approved=False/Denied", "Succeeded=False/Denied"), refundDenied, true, false},
		{conditions("Approved=False/ApprovedUnguarded", "Succeeded=False/ApprovedUnguarded"), refundDenied, true, false},
	} {
		got := stateOfRefund(&v1alpha1.Refund{Status: v1alpha1.RefundStatus{Conditions: c.conditions}})
		if got != c.want || got.isEnd() != c.isEnd || got.givesBack() != c.givesBack {
			t.Errorf("%v: %s (end %v, gives back %v), not %s", c.conditions, got, got.isEnd(), got.givesBack(), c.want)
		}
	}
}

var (
	legalNumber       = regexp.MustCompile(`^[0-9a-z-]{6,32}$`)
	legalRefundNumber = regexp.MustCompile(`^[0-9a-z-]{1,64}$`)
)

// TestNumbers: they are legal for whatever a page sends, the same for the same, and others for anything else.
func TestNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := numbers{rapid.StringMatching(`[0-9a-z][0-9a-z-]{0,5}`).Draw(t, "prefix"), "shop"}
		draw := func(name string) [2]string {
			return [2]string{rapid.String().Draw(t, name), rapid.String().Draw(t, name)}
		}
		one, other := draw("one"), draw("other")
		a, b := n.ofBasket(one[0], one[1]), n.ofBasket(other[0], other[1])
		if !legalNumber.MatchString(a) || (a == b) != (one == other) || a == (numbers{n.prefix, "elsewhere"}).ofBasket(one[0], one[1]) {
			t.Fatalf("%v is %s, %v is %s", one, a, other, b)
		}
		goodsA := n.ofGoods(one[0], goods{product: product{ID: one[1]}, quantity: 1}, 0)
		if !legalNumber.MatchString(goodsA) || goodsA == a || goodsA == n.ofGoods(one[0], goods{product: product{ID: one[1]}, quantity: 1}, 1) {
			t.Fatalf("the goods %v are %s", one, goodsA)
		}
		refund := ofRefund(&v1alpha1.Order{ObjectMeta: metav1.ObjectMeta{Name: a}}, 1, one[0], 0)
		if !legalRefundNumber.MatchString(refund) || refund == ofRefund(&v1alpha1.Order{ObjectMeta: metav1.ObjectMeta{Name: a}}, 2, one[0], 0) {
			t.Fatalf("the refund is %s", refund)
		}
	})
}

func TestPayersAreKeptApart(t *testing.T) {
	seen := map[string]session{}
	for _, s := range []session{{ID: "a"}, {ID: "b"}, {ID: "a", AppID: "wx1", OpenID: "o1"}, {ID: "a", AppID: "wx2", OpenID: "o1"}, {ID: "a", AppID: "wx1", OpenID: "o2"}} {
		if other, found := seen[s.payer()]; found {
			t.Errorf("%v and %v are one payer", s, other)
		}
		seen[s.payer()] = s
	}
	if (session{ID: "a", AppID: "wx1", OpenID: "o1"}).payer() != (session{ID: "b", AppID: "wx1", OpenID: "o1"}).payer() {
		t.Error("another login is another payer")
	}
}

func TestCatalogues(t *testing.T) {
	for content, complaint := range map[string]string{
		`products: [{id: a, name: 肥皂, price: 1, stock: 0}]`:                                                 "",
		`{"products":[{"id":"a","name":"A & B","price":1,"stock":0,"countedTime":"2026-11-21T08:00:00Z"}]}`: "",
		`products: []`: "no products",
		`product: [{id: a, name: A, price: 1, stock: 1}]`:                                        "unknown field",
		`products: [{id: a, name: A, price: 1.5, stock: 1}]`:                                     "cannot unmarshal",
		`products: [{id: a, name: A, price: 0, stock: 1}]`:                                       "price",
		`products: [{id: a, name: A, price: 2147483648, stock: 1}]`:                              "price",
		`products: [{id: a, name: A, price: 1, stock: -1}]`:                                      "stock",
		`products: [{id: "a b", name: A, price: 1, stock: 1}]`:                                   "id must",
		`products: [{id: "", name: A, price: 1, stock: 1}]`:                                      "id must",
		`products: [{id: a, name: "", price: 1, stock: 1}]`:                                      "name",
		`products: [{id: a, name: " A", price: 1, stock: 1}]`:                                    "name",
		`products: [{id: a, name: 😀, price: 1, stock: 1}]`:                                       "name",
		`products: [{id: a, name: "A&b=", price: 1, stock: 1}]`:                                  "name",
		`products: [{id: a, name: A, price: 1, stock: 1}, {id: a, name: B, price: 1, stock: 1}]`: "twice",
		`products: [{id: a, name: ` + strings.Repeat("皂", 41) + `, price: 1, stock: 1}]`:         "name",
	} {
		file := filepath.Join(t.TempDir(), "catalogue.yaml")
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := loadCatalogue(file); (err == nil) != (complaint == "") || (err != nil && !strings.Contains(err.Error(), complaint)) {
			t.Errorf("%s: %v, not %q", content, err, complaint)
		}
	}
}

func sealerOf(t *testing.T, lines ...string) *sealer {
	t.Helper()
	file := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := loadSealer(file)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestKeysAreReplaced: what the old key sealed still opens beside the new one, for its purpose only, and not without it.
func TestKeysAreReplaced(t *testing.T) {
	older, newer := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("a", 32))), base64.StdEncoding.EncodeToString([]byte(strings.Repeat("b", 32)))
	sealed, err := sealerOf(t, older).seal("session", session{OpenID: "oSecret"})
	if err != nil || strings.Contains(sealed, "oSecret") {
		t.Fatalf("%s, %v", sealed, err)
	}
	if raw, _ := base64.RawURLEncoding.DecodeString(sealed); strings.Contains(string(raw), "oSecret") {
		t.Error("the openid can be read")
	}
	var found session
	if err := sealerOf(t, newer, older).open("session", sealed, &found); err != nil || found.OpenID != "oSecret" {
		t.Errorf("%v, %v", found, err)
	}
	for name, s := range map[string]*sealer{"ticket": sealerOf(t, older), "session": sealerOf(t, newer)} {
		if s.open(name, sealed, &found) == nil {
			t.Errorf("it opened as a %s", name)
		}
	}
}

func TestKeysThatAreNone(t *testing.T) {
	for _, content := range []string{"", "\n", "REPLACE_ME", base64.StdEncoding.EncodeToString([]byte("too short"))} {
		file := filepath.Join(t.TempDir(), "keys")
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := loadSealer(file); err == nil || !strings.Contains(err.Error(), "openssl rand") || (content != "" && strings.Contains(err.Error(), content) && content != "\n") {
			t.Errorf("%q: %v", content, err)
		}
	}
}

// TestClientIP: what anybody can write into X-Forwarded-For is not believed.
func TestClientIP(t *testing.T) {
	for _, c := range []struct {
		proxies    int
		connection string
		forwarded  []string
		want       string
	}{
		{0, "203.0.113.7:1234", []string{"198.51.100.1"}, "203.0.113.7"},
		{1, "10.0.0.1:1234", []string{"198.51.100.1"}, "198.51.100.1"},
		{1, "10.0.0.1:1234", []string{"192.0.2.1, 198.51.100.1"}, "198.51.100.1"},
		{1, "10.0.0.1:1234", []string{"192.0.2.1", "198.51.100.1"}, "198.51.100.1"},
		{2, "10.0.0.1:1234", []string{"192.0.2.1, 198.51.100.1, 10.0.0.2"}, "198.51.100.1"},
		{2, "10.0.0.1:1234", []string{"198.51.100.1"}, "10.0.0.1"},
		{1, "10.0.0.1:1234", []string{"nonsense"}, "127.0.0.1"},
		{0, "[2001:db8::1]:1234", nil, "2001:db8::1"},
		{0, "[::ffff:203.0.113.7]:1234", nil, "203.0.113.7"},
		{0, "[fe80::1%eth0]:1234", nil, "fe80::1"},
	} {
		r := &http.Request{RemoteAddr: c.connection, Header: http.Header{}}
		for _, value := range c.forwarded {
			r.Header.Add("X-Forwarded-For", value)
		}
		if got := (&storefront{settings: settings{proxies: c.proxies}}).clientIP(r); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

// TestFlagsThatContradict: each is named.
func TestFlagsThatContradict(t *testing.T) {
	good := settings{
		catalogue: "c", keys: "k", weixinURL: "https://api.weixin.qq.com", numberPrefix: "shop-", payWithin: time.Hour, wait: time.Second, sessionFor: time.Hour,
	}
	if err := good.validate(); err != nil {
		t.Fatal(err)
	}
	for flag, change := range map[string]func(*settings){
		"--catalogue":              func(s *settings) { s.catalogue = "" },
		"--session-keys-file":      func(s *settings) { s.keys = "" },
		"--appid":                  func(s *settings) { s.miniProgram.id = "wx1" },
		"--official-account-appid": func(s *settings) { s.officialAccount.id = "wx1" },
		"--weixin-url":             func(s *settings) { s.weixinURL = "http://api.weixin.qq.com" },
		"--number-prefix":          func(s *settings) { s.numberPrefix = "shop---" },
		"--pay-within":             func(s *settings) { s.payWithin = time.Minute },
		"--wait":                   func(s *settings) { s.wait = 0 },
		"--proxies":                func(s *settings) { s.proxies = -1 },
	} {
		bad := good
		change(&bad)
		if err := bad.validate(); err == nil || !strings.Contains(err.Error(), flag) {
			t.Errorf("%s: %v", flag, err)
		}
	}
}
