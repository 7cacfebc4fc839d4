package v1alpha1_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

func TestOrderAmount(t *testing.T) { check(t, amountRows("spec.amount.total", order)) }
func TestOrderDescription(t *testing.T) {
	check(t, append(textRows("description", 127, order), borderRows("spec.description", "肥皂", order)...))
}
func TestOrderGoodsTag(t *testing.T)   { check(t, markRows("goodsTag")) }
func TestOrderDeviceInfo(t *testing.T) { check(t, markRows("deviceInfo")) }
func TestOrderProductID(t *testing.T)  { check(t, markRows("productID")) }

func TestOrderAttach(t *testing.T) {
	check(t, append(textRows("attach", 127, order),
		refuse("ampersand", order(set("spec.attach", "a&b")), "spec.attach", "attach must not hold & or ="),
		refuse("equals sign", order(set("spec.attach", "a=b")), "spec.attach", "attach must not hold & or ="),
	))
}

func TestOrderCurrency(t *testing.T) {
	codes := strings.Fields(`CNY HKD GBP USD JPY CAD AUD EUR NZD KRW THB SGD RUB CHF SEK DKK NOK AED TRY MOP
		TWD CZK MYR PHP IDR MNT QAR HUF KHR ISK`)
	path := "spec.amount.currency"
	check(t, append(enumRows(path, order, "INR", codes...),
		refuse("lower case", order(set(path, "cny")), path),
		refuse("name", order(set(path, "RMB")), path),
	))
}

func TestOrderTradeType(t *testing.T) {
	jsapi := func(edits ...edit) *unstructured.Unstructured {
		return order(append([]edit{set("spec.tradeType", "JSAPI"), set("spec.payer.openID", "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o")}, edits...)...)
	}
	native := func(edits ...edit) *unstructured.Unstructured {
		return order(append([]edit{set("spec.tradeType", "NATIVE"), set("spec.productID", "12235413214070356458058")}, edits...)...)
	}
	mweb := func(edits ...edit) *unstructured.Unstructured {
		return order(append([]edit{set("spec.tradeType", "MWEB"), set("spec.clientIP", "203.0.113.7"), set("spec.h5.type", "Wap")}, edits...)...)
	}
	const payerRule = "payer needs openID, or subOpenID (under the partner.subAppID of a service provider's Merchant), and not both"
	check(t, []row{
		accept("JSAPI", jsapi()),
		refuse("JSAPI without payer", jsapi(unset("spec.payer")), "spec.payer", "payer.openID is required for tradeType JSAPI (payer.subOpenID for one under the sub merchant's appid)"),
		refuse("JSAPI without openID", jsapi(set("spec.payer", map[string]any{})), "spec.payer", payerRule),
		refuse("JSAPI with empty openID", jsapi(set("spec.payer.openID", "")), "spec.payer.openID"),
		accept("openID at the limit", jsapi(set("spec.payer.openID", repeat("o", 128)))),
		refuse("openID over the limit", jsapi(set("spec.payer.openID", repeat("o", 129))), "spec.payer.openID", "128"),
		refuse("openID with a space", jsapi(set("spec.payer.openID", "oUp F8")), "spec.payer.openID"),
		refuse("openID with a line feed", jsapi(set("spec.payer.openID", "oUpF8\n")), "spec.payer.openID"),
		accept("JSAPI with subOpenID", jsapi(set("spec.payer", map[string]any{"subOpenID": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"}))),
		refuse("JSAPI with both", jsapi(set("spec.payer.subOpenID", "oUpF8uMuAJO")), "spec.payer", payerRule),
		refuse("null does not do for an openID", jsapi(set("spec.payer.openID", nil)), "spec.payer", payerRule),
		accept("null besides an openID", jsapi(set("spec.payer.subOpenID", nil))),
		refuse("an empty payer where none is needed", native(set("spec.payer", map[string]any{})), "spec.payer", payerRule),
		refuse("subOpenID empty", jsapi(set("spec.payer", map[string]any{"subOpenID": ""})), "spec.payer.subOpenID"),
		refuse("subOpenID empty besides an openID", jsapi(set("spec.payer.subOpenID", "")), "spec.payer.subOpenID"),
		accept("subOpenID at the limit", jsapi(set("spec.payer", map[string]any{"subOpenID": repeat("o", 128)}))),
		refuse("subOpenID over the limit", jsapi(set("spec.payer", map[string]any{"subOpenID": repeat("o", 129)})), "spec.payer.subOpenID", "128"),
		refuse("subOpenID with a space", jsapi(set("spec.payer", map[string]any{"subOpenID": "oUp F8"})), "spec.payer.subOpenID"),
		refuse("subOpenID with a line feed", jsapi(set("spec.payer", map[string]any{"subOpenID": "oUpF8\n"})), "spec.payer.subOpenID"),
		accept("NATIVE", native()),
		accept("NATIVE without productID", native(unset("spec.productID"))),
		accept("APP", order()),
		accept("MWEB", mweb()),
		refuse("MWEB without h5", mweb(unset("spec.h5")), "spec.h5", "h5 is required for tradeType MWEB"),
		refuse("MWEB without clientIP", mweb(unset("spec.clientIP")), "spec.clientIP", "clientIP is required for tradeType MWEB"),
		accept("null is absent", order(set("spec.payer", nil), set("spec.attach", nil), set("spec.outTradeNo", nil))),
		refuse("null does not do for a payer", jsapi(set("spec.payer", nil)), "spec.payer", "payer.openID is required for tradeType JSAPI"),
		refuse("null does not do for h5", mweb(set("spec.h5", nil)), "spec.h5", "h5 is required for tradeType MWEB"),
		refuse("missing", order(unset("spec.tradeType")), "spec.tradeType", "Required value"),
		refuse("MICROPAY only occurs in answers", order(set("spec.tradeType", "MICROPAY")), "spec.tradeType", "Unsupported value"),
		refuse("lower case", order(set("spec.tradeType", "app")), "spec.tradeType", "Unsupported value"),
	})
}

func TestOrderNumber(t *testing.T) {
	number := func(name string, value any) *unstructured.Unstructured {
		return order(named(name), set("spec.outTradeNo", value))
	}
	const nameRule = "metadata.name is the order's number at WeChat unless spec.outTradeNo is set"
	const rule = "outTradeNo must be 6 to 32 characters"
	check(t, []row{
		accept("shortest name", order(named("abc-12"))),
		accept("longest name", order(named(repeat("a", 32)))),
		refuse("name too short", order(named("abc12")), nameRule),
		refuse("name too long", order(named(repeat("a", 33))), nameRule),
		refuse("name with a dot", order(named("shop.order.1")), nameRule),
		refuse("name too short, empty number", number("abc12", ""), nameRule),
		accept("empty number", number("order-0002", "")),
		accept("any name with a number", number("a.b", "order-0002")),
		accept("longest name with a number", number(repeat("a", 63)+"."+repeat("b", 63)+"."+repeat("c", 63)+"."+repeat("d", 61), "order-0002")),
		accept("generated name", order(unset("metadata.name"), set("metadata.generateName", "order-"))),
		accept("every character", number("order-0002", "Az09_-|*")),
		accept("shortest number", number("order-0002", "ABCDEF")),
		accept("longest number", number("order-0002", repeat("9", 32))),
		refuse("number too short", number("order-0002", "ABCDE"), "spec.outTradeNo", rule),
		refuse("number too long", number("order-0002", repeat("9", 33)), "spec.outTradeNo", "32"),
		refuse("at sign is for refunds", number("order-0002", "ABCDEF@"), "spec.outTradeNo", rule),
		refuse("space", number("order-0002", "ABC DEF"), "spec.outTradeNo", rule),
		refuse("line feed", number("order-0002", "ABCDEF\n"), "spec.outTradeNo", rule),
		refuse("slash", number("order-0002", "ABC/DEF"), "spec.outTradeNo", rule),
		refuse("Chinese", number("order-0002", "订单订单订单"), "spec.outTradeNo", rule),
		refuse("integer", number("order-0002", int64(20261121)), "spec.outTradeNo", "must be of type string"),
	})
}

func TestOrderFields(t *testing.T) {
	expireTime := func(value any) *unstructured.Unstructured { return order(set("spec.expireTime", value)) }
	rows := []row{
		accept("expireAfterSeconds, least", order(set("spec.expireAfterSeconds", int64(360)))),
		accept("expireAfterSeconds, most", order(set("spec.expireAfterSeconds", int64(604800)))),
		refuse("expireAfterSeconds too small", order(set("spec.expireAfterSeconds", int64(359))), "spec.expireAfterSeconds", "360"),
		refuse("expireAfterSeconds too great", order(set("spec.expireAfterSeconds", int64(604801))), "spec.expireAfterSeconds", "604800"),
		refuse("expireAfterSeconds zero", order(set("spec.expireAfterSeconds", int64(0))), "spec.expireAfterSeconds", "360"),
		refuse("expireAfterSeconds a duration", order(set("spec.expireAfterSeconds", "2h")), "spec.expireAfterSeconds", "must be of type integer"),
		refuse("expireAfterSeconds a fraction", order(set("spec.expireAfterSeconds", 360.5)), "spec.expireAfterSeconds", "must be of type integer"),

		accept("expireTime, UTC", expireTime("2026-11-21T12:00:00Z")),
		accept("expireTime, Beijing", expireTime("2026-11-21T20:00:00+08:00")),
		refuse("expireTime without offset", expireTime("2026-11-21T20:00:00"), "spec.expireTime"),
		refuse("expireTime, a date", expireTime("2026-11-21"), "spec.expireTime"),
		refuse("expireTime in WeChat's form", expireTime("20261121200000"), "spec.expireTime"),
		refuse("expireTime, a number", expireTime(int64(1795262400)), "spec.expireTime", "must be of type date-time"),
		refuse("expireTime, no such day", expireTime("2026-02-30T12:00:00Z"), "spec.expireTime"),
		// What follows is a date-time for the schema, but not for Go: one such Order would keep the operator from
		// reading any.
		refuse("expireTime in lower case", expireTime("2026-11-21t12:00:00z"), "spec.expireTime"),
		refuse("expireTime with an offset that is none", expireTime("2026-11-21T12:00:00+99:99"), "spec.expireTime"),
		// And this would be cut to seconds by the operator's first write, which is then a change.
		refuse("expireTime with a fraction", expireTime("2026-11-21T12:00:00.5Z"), "spec.expireTime"),

		accept("clientIP, IPv4", order(set("spec.clientIP", "203.0.113.7"))),
		accept("clientIP, IPv6", order(set("spec.clientIP", "2001:db8::7"))),
		refuse("clientIP, a name", order(set("spec.clientIP", "shop.example.com")), "spec.clientIP", "clientIP must be an IPv4 or IPv6 address"),
		refuse("clientIP with a port", order(set("spec.clientIP", "203.0.113.7:80")), "spec.clientIP", "clientIP must be an IPv4 or IPv6 address"),
		refuse("clientIP with a zone", order(set("spec.clientIP", "fe80::1%eth0")), "spec.clientIP", "clientIP must be an IPv4 or IPv6 address"),
		refuse("clientIP, a network", order(set("spec.clientIP", "203.0.113.0/24")), "spec.clientIP", "clientIP must be an IPv4 or IPv6 address"),
		refuse("clientIP out of range", order(set("spec.clientIP", "203.0.113.256")), "spec.clientIP", "clientIP must be an IPv4 or IPv6 address"),
		refuse("clientIP empty", order(set("spec.clientIP", "")), "spec.clientIP"),

		accept("appID", order(set("spec.appID", "wxd678efh567hg6787"))),
		refuse("appID empty", order(set("spec.appID", "")), "spec.appID"),
		refuse("appID too long", order(set("spec.appID", repeat("w", 33))), "spec.appID", "32"),
		refuse("appID with a space", order(set("spec.appID", "wx d678")), "spec.appID"),

		refuse("merchantRef missing", order(unset("spec.merchantRef")), "spec.merchantRef", "Required value"),
		refuse("merchantRef.name missing", order(set("spec.merchantRef", map[string]any{})), "spec.merchantRef.name", "Required value"),
		refuse("merchantRef.name empty", order(set("spec.merchantRef.name", "")), "spec.merchantRef.name"),
		refuse("merchantRef.name too long", order(set("spec.merchantRef.name", repeat("a", 64))), "spec.merchantRef.name", "63"),
		refuse("merchantRef.namespace empty", order(set("spec.merchantRef.namespace", "")), "spec.merchantRef.namespace"),
		accept("merchantRef.namespace", order(set("spec.merchantRef.namespace", "payments"))),
		refuse("merchantRef as a string", order(set("spec.merchantRef", "shop")), "spec.merchantRef", "must be of type object"),
		refuse("amount missing", order(unset("spec.amount")), "spec.amount", "Required value"),
		refuse("amount as a number", order(set("spec.amount", int64(101))), "spec.amount", "must be of type object"),
		refuse("description missing", order(unset("spec.description")), "spec.description", "Required value"),
		refuse("spec missing", order(unset("spec")), "spec", "Required value"),

		accept("limitPay", order(set("spec.limitPay", "no_credit"))),
		refuse("limitPay unknown", order(set("spec.limitPay", "no_debit")), "spec.limitPay", "no_credit"),

		accept("ttlSecondsAfterFinished zero", order(set("spec.ttlSecondsAfterFinished", int64(0)))),
		accept("ttlSecondsAfterFinished, most", order(set("spec.ttlSecondsAfterFinished", int64(2147483647)))),
		refuse("ttlSecondsAfterFinished negative", order(set("spec.ttlSecondsAfterFinished", int64(-1))), "spec.ttlSecondsAfterFinished", "greater than or equal to 0"),
		refuse("ttlSecondsAfterFinished too great", order(set("spec.ttlSecondsAfterFinished", int64(2147483648))), "spec.ttlSecondsAfterFinished"),

		refuse("unknown field", order(set("spec.totl", int64(1))), `unknown field "spec.totl"`),
		refuse("unknown field, nested", order(set("spec.amount.totl", int64(1))), `unknown field "spec.amount.totl"`),
		refuse("field of another kind", order(set("spec.payer.openID", "o"), set("spec.payer.name", "o")), `unknown field "spec.payer.name"`),
	}
	check(t, rows)
}

func TestOrderEnums(t *testing.T) {
	for path, values := range map[string][]string{
		"spec.desiredState":  {"Open", "Closed"},
		"spec.receipt":       {"Y", "N"},
		"spec.profitSharing": {"Y", "N"},
	} {
		t.Run(path, func(t *testing.T) { check(t, enumRows(path, order, "yes", values...)) })
	}
}

// TestAmountSpellings sends numbers as JSON can spell them. Whatever is accepted must be the same whole number for the
// operator; whatever isn't whole must be refused.
func TestAmountSpellings(t *testing.T) {
	ns := namespace(t)
	raw, err := discovery.NewDiscoveryClientForConfig(env.Config)
	if err != nil {
		t.Fatal(err)
	}
	path := "/apis/" + v1alpha1.GroupVersion.String() + "/namespaces/" + ns + "/orders"
	for i, c := range []struct {
		spelling string
		want     int64
	}{
		{"101", 101}, {"101.0", 101}, {"1.01e2", 101}, {"1E2", 100},
		{"101.5", 0}, {"0.101e2", 0}, {"1e-1", 0}, {"-0", 0}, {"0.0", 0}, {"1e10", 0}, {"1e400", 0}, {"-1e0", 0},
		{"9223372036854775808", 0}, {"18446744073709551717", 0}, {"0x65", 0}, {"NaN", 0}, {"101.00000000000000001e-1", 0},
	} {
		t.Run(c.spelling, func(t *testing.T) {
			u := order(named(fmt.Sprintf("spelling-%d", i)), set("spec.amount.total", "HERE"))
			body, err := json.Marshal(u)
			if err != nil {
				t.Fatal(err)
			}
			body = bytes.Replace(body, []byte(`"HERE"`), []byte(c.spelling), 1)
			err = raw.RESTClient().Post().AbsPath(path).SetHeader("Content-Type", "application/json").Body(body).Do(t.Context()).Error()
			if c.want == 0 {
				if err == nil {
					t.Fatal("accepted")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var o v1alpha1.Order
			if err := env.Client.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: u.GetName()}, &o); err != nil {
				t.Fatalf("the API server took what the operator can't read: %v", err)
			}
			if o.Spec.Amount.Total != c.want {
				t.Errorf("total = %d, want %d", o.Spec.Amount.Total, c.want)
			}
		})
	}
}
