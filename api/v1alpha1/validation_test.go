package v1alpha1_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// A row is an object and what the API server says of it: refused with these words, or accepted when there are none.
type row struct {
	name   string
	object *unstructured.Unstructured
	words  []string
}

func accept(name string, object *unstructured.Unstructured) row { return row{name, object, nil} }

func refuse(name string, object *unstructured.Unstructured, words ...string) row {
	return row{name, object, words}
}

// check runs the rows. An object that is accepted must also be one that the operator can read into its types and write
// back without breaking a rule: otherwise a single odd object would stop the operator for everybody.
func check(t *testing.T, rows []row) {
	t.Helper()
	ns := namespace(t)
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			if len(r.words) > 0 {
				refused(t, create(t.Context(), ns, r.object), r.words...)
				return
			}
			object := typed(t, mustCreate(t, ns, r.object))
			object.SetLabels(map[string]string{"written": "back"})
			if err := env.Client.Update(t.Context(), object, strict); err != nil {
				t.Errorf("the operator can't write it back: %v", err)
			}
			if err := env.Client.Status().Update(t.Context(), object, strict); err != nil {
				t.Errorf("the operator can't write its status: %v", err)
			}
		})
	}
}

func repeat(s string, n int) string { return strings.Repeat(s, n) }

// bytesOf is n bytes of UTF-8 of which all but the last few are Chinese, three bytes each.
func bytesOf(n int) string { return repeat("汉", n/3) + repeat("a", n%3) }

// jsonOf is a JSON object of n bytes.
func jsonOf(n int) string { return `{"a":"` + bytesOf(n-8) + `"}` }

const scene = `{"h5_info":{"type":"Wap","wap_url":"https://shop.example.com","wap_name":"Shop"}}`

// textRows are the rules of free text: what the payer sees and what comes back.
func textRows(field string, limit int, build func(...edit) *unstructured.Unstructured) []row {
	path := "spec." + field
	return []row{
		accept("at the limit in ASCII", build(set(path, repeat("a", limit)))),
		accept("at the limit in Chinese", build(set(path, bytesOf(limit)))),
		accept("at the limit in emoji", build(set(path, repeat("😀", limit/4)+repeat("a", limit%4)))),
		refuse("over the limit in ASCII", build(set(path, repeat("a", limit+1))), path, fmt.Sprint(limit)),
		refuse("over the limit in Chinese", build(set(path, bytesOf(limit+1))), path, fmt.Sprintf("%s must be at most %d bytes", field, limit)),
		refuse("over the limit in emoji", build(set(path, repeat("😀", limit/4+1))), path, fmt.Sprintf("%s must be at most %d bytes", field, limit)),
		accept("inner white space", build(set(path, "肥皂 x1"))),
		refuse("empty", build(set(path, "")), path),
		refuse("number", build(set(path, int64(1))), path, "must be of type string"),
		refuse("leading space", build(set(path, " a")), path, "white space"),
		refuse("trailing space", build(set(path, "a ")), path, "white space"),
		refuse("only space", build(set(path, "  ")), path, "white space"),
		refuse("trailing ideographic space", build(set(path, "a\u3000")), path, "white space"),
		refuse("trailing line feed", build(set(path, "a\n")), path, field),
		refuse("line feed", build(set(path, "a\nb")), path, "control characters"),
		refuse("carriage return", build(set(path, "a\rb")), path, "control characters"),
		refuse("tab", build(set(path, "a\tb")), path, "control characters"),
		refuse("NUL", build(set(path, "a\x00b")), path, "control characters"),
		refuse("escape", build(set(path, "a\x1bb")), path, "control characters"),
		refuse("delete", build(set(path, "a\x7fb")), path, "control characters"),
		refuse("C1 control", build(set(path, "a\u0085b")), path, "control characters"),
		refuse("U+FFFE", build(set(path, "a\ufffeb")), path, "control characters"),
		refuse("U+FFFF", build(set(path, "a\uffffb")), path, "control characters"),
	}
}

// jsonRows are the rules of the strings that hold the protocol's JSON.
func jsonRows(field string, limit int) []row {
	path := "spec." + field
	return []row{
		accept("at the limit in Chinese", order(set(path, jsonOf(limit)))),
		accept("at the limit in ASCII", order(set(path, `{"a":"`+repeat("a", limit-8)+`"}`))),
		refuse("over the limit in Chinese", order(set(path, jsonOf(limit+1))), path, fmt.Sprintf("%s must be at most %d bytes", field, limit)),
		refuse("over the limit in ASCII", order(set(path, `{"a":"`+repeat("a", limit-7)+`"}`)), path, fmt.Sprint(limit)),
		accept("empty object", order(set(path, "{}"))),
		accept("line feeds and tabs between", order(set(path, "{\n\t\"a\": 1\n}"))),
		refuse("empty", order(set(path, "")), path),
		refuse("array", order(set(path, "[]")), path, "must be a JSON object"),
		refuse("plain text", order(set(path, "soap")), path, "must be a JSON object"),
		refuse("line feed after it", order(set(path, "{}\n")), path, "must be a JSON object"),
		refuse("a YAML object in place of the string", order(set(path, map[string]any{"a": int64(1)})), path),
		refuse("carriage return", order(set(path, "{\r\n}")), path, "control characters"),
		refuse("NUL", order(set(path, "{\x00}")), path, "control characters"),
		refuse("delete", order(set(path, "{\x7f}")), path, "control characters"),
		refuse("U+FFFE", order(set(path, "{\ufffe}")), path, "control characters"),
		refuse("U+FFFF", order(set(path, "{\uffff}")), path, "control characters"),
	}
}

// amountRows are the rules of a sum of money in minor units.
func amountRows(path string, build func(...edit) *unstructured.Unstructured) []row {
	return []row{
		accept("least", build(set(path, int64(1)))),
		accept("most", build(set(path, int64(2147483647)))),
		refuse("zero", build(set(path, int64(0))), path, "greater than or equal to 1"),
		refuse("negative", build(set(path, int64(-1))), path, "greater than or equal to 1"),
		refuse("too much", build(set(path, int64(2147483648))), path, "less than or equal to 2147483647"),
		refuse("fraction", build(set(path, 1.01)), path, "must be of type integer"),
		refuse("string", build(set(path, "101")), path, "must be of type integer"),
		refuse("quantity", build(set(path, "1.01")), path, "must be of type integer"),
		refuse("boolean", build(set(path, true)), path, "must be of type int"),
		refuse("null", build(set(path, nil)), path),
		refuse("missing", build(unset(path)), path, "Required value"),
	}
}

// markRows are the rules of the short texts that shops mark their orders with.
func markRows(field string) []row {
	path := "spec." + field
	return []row{
		accept("at the limit in ASCII", order(set(path, repeat("a", 32)))),
		accept("at the limit in Chinese", order(set(path, bytesOf(32)))),
		refuse("over the limit in ASCII", order(set(path, repeat("a", 33))), path, "32"),
		refuse("over the limit in Chinese", order(set(path, bytesOf(33))), path, field+" must be at most 32 bytes"),
		refuse("empty", order(set(path, "")), path),
		refuse("ampersand", order(set(path, "a&b")), path, "without &, ="),
		refuse("equals sign", order(set(path, "a=b")), path, "without &, ="),
		refuse("carriage return", order(set(path, "a\rb")), path, "control characters"),
		refuse("delete", order(set(path, "a\x7fb")), path, "control characters"),
		refuse("trailing space", order(set(path, "a ")), path, "white space"),
	}
}

func enumRows(path string, build func(...edit) *unstructured.Unstructured, wrong string, values ...string) []row {
	rows := []row{
		refuse("unknown value", build(set(path, wrong)), path, "Unsupported value", values[0]),
		refuse("empty", build(set(path, "")), path, "Unsupported value"),
		refuse("boolean", build(set(path, true)), path, "must be of type string"),
	}
	for _, value := range values {
		rows = append(rows, accept(value, build(set(path, value))))
	}
	return rows
}

func TestOrderAmount(t *testing.T)      { check(t, amountRows("spec.amount.total", order)) }
func TestOrderDescription(t *testing.T) { check(t, textRows("description", 127, order)) }
func TestOrderDetail(t *testing.T)      { check(t, jsonRows("detail", 6000)) }
func TestOrderSceneInfo(t *testing.T)   { check(t, jsonRows("sceneInfo", 256)) }
func TestOrderGoodsTag(t *testing.T)    { check(t, markRows("goodsTag")) }
func TestOrderDeviceInfo(t *testing.T)  { check(t, markRows("deviceInfo")) }
func TestOrderProductID(t *testing.T)   { check(t, markRows("productID")) }

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
	check(t, append(enumRows(path, order, "XXX", codes...),
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
		return order(append([]edit{set("spec.tradeType", "MWEB"), set("spec.clientIP", "203.0.113.7"), set("spec.sceneInfo", scene)}, edits...)...)
	}
	check(t, []row{
		accept("JSAPI", jsapi()),
		refuse("JSAPI without payer", jsapi(unset("spec.payer")), "spec.payer", "payer.openID is required for tradeType JSAPI"),
		refuse("JSAPI without openID", jsapi(set("spec.payer", map[string]any{})), "spec.payer.openID", "Required value"),
		refuse("JSAPI with empty openID", jsapi(set("spec.payer.openID", "")), "spec.payer.openID"),
		accept("openID at the limit", jsapi(set("spec.payer.openID", repeat("o", 128)))),
		refuse("openID over the limit", jsapi(set("spec.payer.openID", repeat("o", 129))), "spec.payer.openID", "128"),
		refuse("openID with a space", jsapi(set("spec.payer.openID", "oUp F8")), "spec.payer.openID"),
		refuse("openID with a line feed", jsapi(set("spec.payer.openID", "oUpF8\n")), "spec.payer.openID"),
		accept("NATIVE", native()),
		refuse("NATIVE without productID", native(unset("spec.productID")), "spec.productID", "productID is required for tradeType NATIVE"),
		accept("APP", order()),
		accept("MWEB", mweb()),
		refuse("MWEB without sceneInfo", mweb(unset("spec.sceneInfo")), "spec.sceneInfo", "sceneInfo is required for tradeType MWEB"),
		refuse("MWEB without clientIP", mweb(unset("spec.clientIP")), "spec.clientIP", "clientIP is required for tradeType MWEB"),
		accept("null is absent", order(set("spec.payer", nil), set("spec.attach", nil), set("spec.outTradeNo", nil))),
		refuse("null does not do for a payer", jsapi(set("spec.payer", nil)), "spec.payer", "payer.openID is required for tradeType JSAPI"),
		refuse("null does not do for a productID", native(set("spec.productID", nil)), "spec.productID", "productID is required for tradeType NATIVE"),
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

func TestRefundAmount(t *testing.T) { check(t, amountRows("spec.amount", refund)) }
func TestRefundReason(t *testing.T) { check(t, textRows("reason", 80, refund)) }
func TestRefundApproval(t *testing.T) {
	check(t, enumRows("spec.approval", refund, "approved", "Approved", "Denied"))
}

func TestRefundNumber(t *testing.T) {
	number := func(name string, value any) *unstructured.Unstructured {
		return refund(named(name), set("spec.outRefundNo", value))
	}
	const nameRule = "metadata.name is the refund's number at WeChat unless spec.outRefundNo is set"
	const rule = "outRefundNo must be 1 to 64 characters"
	check(t, []row{
		accept("shortest name", refund(named("r"))),
		accept("longest name", refund(named(repeat("r", 64)))),
		refuse("name too long", refund(named(repeat("r", 65))), nameRule),
		refuse("name with a dot", refund(named("shop.refund.1")), nameRule),
		refuse("name with a dot, empty number", number("shop.refund.1", ""), nameRule),
		accept("empty number", number("refund-0002", "")),
		accept("any name with a number", number("shop.refund.1", "R1")),
		accept("generated name", refund(unset("metadata.name"), set("metadata.generateName", "r-"))),
		accept("every character", number("refund-0002", "Az09_-|*@")),
		accept("longest number", number("refund-0002", repeat("9", 64))),
		refuse("number too long", number("refund-0002", repeat("9", 65)), "spec.outRefundNo", "64"),
		refuse("space", number("refund-0002", "R 1"), "spec.outRefundNo", rule),
		refuse("line feed", number("refund-0002", "R1\n"), "spec.outRefundNo", rule),
		refuse("slash", number("refund-0002", "R/1"), "spec.outRefundNo", rule),
		refuse("Chinese", number("refund-0002", "退款"), "spec.outRefundNo", rule),
		refuse("integer", number("refund-0002", int64(1)), "spec.outRefundNo", "must be of type string"),
	})
}

func TestRefundFields(t *testing.T) {
	check(t, []row{
		refuse("orderRef missing", refund(unset("spec.orderRef")), "spec.orderRef", "Required value"),
		refuse("orderRef.name missing", refund(set("spec.orderRef", map[string]any{})), "spec.orderRef.name", "Required value"),
		refuse("orderRef.name empty", refund(set("spec.orderRef.name", "")), "spec.orderRef.name"),
		refuse("orderRef.name too long", refund(set("spec.orderRef.name", repeat("a", 254))), "spec.orderRef.name", "253"),
		refuse("orderRef.namespace does not exist", refund(set("spec.orderRef.namespace", "other")), `unknown field "spec.orderRef.namespace"`),
		refuse("currency is the Order's", refund(set("spec.currency", "CNY")), `unknown field "spec.currency"`),
		refuse("spec missing", refund(unset("spec")), "spec", "Required value"),
	})
}

func TestMerchantFields(t *testing.T) {
	check(t, []row{
		accept("mchID, 8 digits", merchant(set("spec.mchID", "12345678"))),
		accept("mchID, 10 digits", merchant(set("spec.mchID", "1234567890"))),
		refuse("mchID, 7 digits", merchant(set("spec.mchID", "1234567")), "spec.mchID"),
		refuse("mchID, 11 digits", merchant(set("spec.mchID", "12345678901")), "spec.mchID"),
		refuse("mchID with a letter", merchant(set("spec.mchID", "19000001O9")), "spec.mchID"),
		refuse("mchID with a line feed", merchant(set("spec.mchID", "190000010\n")), "spec.mchID"),
		refuse("mchID with other digits", merchant(set("spec.mchID", "１９００００01")), "spec.mchID"),
		refuse("mchID without quotes", merchant(set("spec.mchID", int64(1900000109))), "spec.mchID", "must be of type string"),
		refuse("mchID missing", merchant(unset("spec.mchID")), "spec.mchID", "Required value"),

		accept("appID, longest", merchant(set("spec.appID", repeat("w", 32)))),
		refuse("appID too long", merchant(set("spec.appID", repeat("w", 33))), "spec.appID", "32"),
		refuse("appID empty", merchant(set("spec.appID", "")), "spec.appID"),
		refuse("appID with a space", merchant(set("spec.appID", "wx 1")), "spec.appID"),
		refuse("appID with an ampersand", merchant(set("spec.appID", "wx&1")), "spec.appID"),
		refuse("appID missing", merchant(unset("spec.appID")), "spec.appID", "Required value"),

		refuse("apiKeySecretRef missing", merchant(unset("spec.apiKeySecretRef")), "spec.apiKeySecretRef", "Required value"),
		refuse("apiKeySecretRef.name missing", merchant(set("spec.apiKeySecretRef", map[string]any{"key": "k"})), "spec.apiKeySecretRef.name", "Required value"),
		refuse("apiKeySecretRef.name empty", merchant(set("spec.apiKeySecretRef.name", "")), "spec.apiKeySecretRef.name"),
		refuse("apiKeySecretRef.namespace does not exist", merchant(set("spec.apiKeySecretRef.namespace", "other")), `unknown field "spec.apiKeySecretRef.namespace"`),
		refuse("apiKeySecretRef.key with a slash", merchant(set("spec.apiKeySecretRef.key", "a/b")), "spec.apiKeySecretRef.key"),
		refuse("apiKeySecretRef.key empty", merchant(set("spec.apiKeySecretRef.key", "")), "spec.apiKeySecretRef.key"),
		refuse("a key in place of its Secret", merchant(set("spec.apiKey", repeat("k", 32))), `unknown field "spec.apiKey"`),
		accept("certificateSecretRef", merchant(set("spec.certificateSecretRef.name", "shop-wechatpay-cert"))),
		refuse("certificateSecretRef.name missing", merchant(set("spec.certificateSecretRef", map[string]any{})), "spec.certificateSecretRef.name", "Required value"),

		accept("longest name", merchant(named(repeat("m", 63)))),
		refuse("name too long", merchant(named(repeat("m", 64))), "metadata.name must be at most 63 characters"),
		refuse("unknown field", merchant(set("spec.insecureSkipVerify", true)), `unknown field "spec.insecureSkipVerify"`),
		refuse("spec missing", merchant(unset("spec")), "spec", "Required value"),
	})
}

func TestMerchantEnums(t *testing.T) {
	for path, values := range map[string][]string{
		"spec.protocol":               {"V2"},
		"spec.signType":               {"MD5", "HMAC-SHA256"},
		"spec.refundApproval":         {"Manual", "Automatic"},
		"spec.latePayment":            {"Hold", "Accept", "Refund"},
		"spec.allowedNamespaces.from": {"Same", "All"},
	} {
		t.Run(path, func(t *testing.T) { check(t, enumRows(path, merchant, "None", values...)) })
	}
}

// urlRows are wrong as any address of ours or WeChat's.
func urlRows(path, rule string) []row {
	build := func(value any) *unstructured.Unstructured {
		return merchant(set("spec.endpoint.url", "https://api.mch.weixin.qq.com"), set(path, value))
	}
	rows := []row{
		accept("https", build("https://pay.example.com")),
		accept("port and path", build("https://pay.example.com:8443/v1")),
		accept("IPv6", build("https://[2001:db8::7]:8443")),
		refuse("empty", build(""), path),
		refuse("number", build(int64(1)), path, "must be of type string"),
	}
	for name, value := range map[string]string{
		"no scheme": "pay.example.com", "no host": "https:///pay", "only a port": "https://:443", "other scheme": "ftp://pay.example.com",
		"query": "https://pay.example.com/?a=b", "empty query": "https://pay.example.com/?", "fragment": "https://pay.example.com/#a",
		"user": "https://shop:secret@pay.example.com", "inner space": "https://pay.example.com/a b", "leading space": " https://pay.example.com",
		"line feed": "https://pay.example.com\n", "tab": "https://pay.example.com/\t", "bad port": "https://pay.example.com:http",
		"bad IPv6": "https://[2001:db8::7", "relative": "//pay.example.com",
	} {
		rows = append(rows, refuse(name, build(value), path, rule))
	}
	return rows
}

func TestMerchantEndpoint(t *testing.T) {
	const rule = "endpoint.url must be an https URL"
	endpoint := func(field string, value any) *unstructured.Unstructured {
		return merchant(set("spec.endpoint.url", "https://api.mch.weixin.qq.com"), set("spec.endpoint."+field, value))
	}
	check(t, append(urlRows("spec.endpoint.url", rule),
		refuse("http", endpoint("url", "http://api.mch.weixin.qq.com"), "spec.endpoint.url", rule),
		refuse("missing", merchant(set("spec.endpoint", map[string]any{})), "spec.endpoint.url", "Required value"),
		refuse("too long", endpoint("url", "https://"+repeat("a", 246)), "spec.endpoint.url", "253"),
		accept("caBundle", endpoint("caBundle", base64.StdEncoding.EncodeToString([]byte("-----BEGIN CERTIFICATE-----")))),
		refuse("caBundle not in base64", endpoint("caBundle", "-----BEGIN CERTIFICATE-----"), "spec.endpoint.caBundle"),
		refuse("caBundle with a line feed", endpoint("caBundle", "YWJj\nYWJj"), "spec.endpoint.caBundle"),
		refuse("caBundle in the alphabet of URLs", endpoint("caBundle", "-_-_"), "spec.endpoint.caBundle"),
		refuse("caBundle empty", endpoint("caBundle", ""), "spec.endpoint.caBundle"),
		refuse("caBundle too long", endpoint("caBundle", repeat("YWJj", 32769)), "spec.endpoint.caBundle", "131072"),
		refuse("no way around TLS", endpoint("insecureSkipVerify", true), `unknown field "spec.endpoint.insecureSkipVerify"`),
	))
}

func TestMerchantBackupURL(t *testing.T) {
	const path, rule = "spec.endpoint.backupURL", "endpoint.backupURL must be an https URL"
	check(t, append(urlRows(path, rule),
		refuse("http", merchant(set("spec.endpoint.url", "https://api.mch.weixin.qq.com"), set(path, "http://api2.mch.weixin.qq.com")), path, rule)))
}

func TestMerchantNotifyBaseURL(t *testing.T) {
	const path = "spec.notifyBaseURL"
	check(t, append(urlRows(path, "notifyBaseURL must be an absolute http or https URL"),
		accept("http, for a simulator", merchant(set(path, "http://127.0.0.1:8088"))),
		accept("longest", merchant(set(path, "https://"+repeat("a", 102)))),
		refuse("too long for WeChat with the path behind it", merchant(set(path, "https://"+repeat("a", 103))), path, "110"),
	))
}

func TestMerchantAllowedNamespaces(t *testing.T) {
	const path = "spec.allowedNamespaces"
	selector := func(value map[string]any) *unstructured.Unstructured {
		return merchant(set(path+".from", "Selector"), set(path+".selector", value))
	}
	expression := func(operator string, values ...any) *unstructured.Unstructured {
		e := map[string]any{"key": "shop", "operator": operator}
		if values != nil {
			e["values"] = values
		}
		return selector(map[string]any{"matchExpressions": []any{e}})
	}
	const rule = "the operator is In or NotIn with values"
	check(t, []row{
		accept("labels", selector(map[string]any{"matchLabels": map[string]any{"shop": "yes"}})),
		accept("everything", selector(map[string]any{})),
		accept("In", expression("In", "a", "b")),
		accept("Exists", expression("Exists")),
		refuse("Selector without selector", merchant(set(path+".from", "Selector")), path+".selector", "selector is required"),
		refuse("selector with Same", merchant(set(path+".from", "Same"), set(path+".selector", map[string]any{})), path+".selector", "only for allowedNamespaces.from Selector"),
		refuse("selector with All", merchant(set(path+".from", "All"), set(path+".selector", map[string]any{})), path+".selector", "only for allowedNamespaces.from Selector"),
		refuse("selector with the default", merchant(set(path+".selector", map[string]any{})), path+".selector", "only for allowedNamespaces.from Selector"),
		refuse("unknown operator", expression("Is", "a"), path+".selector", rule),
		refuse("In without values", expression("In"), path+".selector", rule),
		refuse("Exists with values", expression("Exists", "a"), path+".selector", rule),
		refuse("label without a string", selector(map[string]any{"matchLabels": map[string]any{"shop": true}}), path+".selector.matchLabels.shop", "must be of type string"),
		refuse("a list of names", merchant(set(path+".names", []any{"a"})), `unknown field "spec.allowedNamespaces.names"`),
	})
}

func TestDefaults(t *testing.T) {
	ns := namespace(t)
	for path, want := range map[string]any{
		"spec.protocol":               "V2",
		"spec.signType":               "HMAC-SHA256",
		"spec.apiKeySecretRef.key":    "apiKey",
		"spec.refundApproval":         "Manual",
		"spec.latePayment":            "Hold",
		"spec.allowedNamespaces.from": "Same",
	} {
		hasDefault(t, mustCreate(t, ns, merchant(named("m-"+strings.ToLower(strings.ReplaceAll(path, ".", "-"))))), path, want)
	}
	hasDefault(t, mustCreate(t, ns, merchant(set("spec.allowedNamespaces", map[string]any{}))), "spec.allowedNamespaces.from", "Same")

	o := mustCreate(t, ns, order())
	hasDefault(t, o, "spec.amount.currency", "CNY")
	hasDefault(t, o, "spec.expireAfterSeconds", int64(7200))
	hasDefault(t, o, "spec.desiredState", "Open")
	for _, path := range []string{"outTradeNo", "appID", "clientIP", "expireTime", "limitPay", "receipt", "profitSharing", "ttlSecondsAfterFinished"} {
		if _, found, _ := unstructured.NestedFieldNoCopy(o.Object, "spec", path); found {
			t.Errorf("spec.%s has a default that nobody documented", path)
		}
	}

	// No default may ever decide on money.
	r := mustCreate(t, ns, refund())
	if _, found, _ := unstructured.NestedFieldNoCopy(r.Object, "spec", "approval"); found {
		t.Error("a Refund is created with a decision")
	}
}

func hasDefault(t *testing.T, u *unstructured.Unstructured, path string, want any) {
	t.Helper()
	got, _, err := unstructured.NestedFieldNoCopy(u.Object, strings.Split(path, ".")...)
	if err != nil || got != want {
		t.Errorf("%s %s = %v (%v), want %v", u.GetKind(), path, got, err, want)
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
