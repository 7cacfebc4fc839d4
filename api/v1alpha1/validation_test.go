package v1alpha1_test

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
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

// textRows are the rules of free text: what the payer sees and what comes back.
func textRows(field string, limit int, build func(...edit) *unstructured.Unstructured) []row {
	path := "spec." + field
	return []row{
		accept("at the limit in ASCII", build(set(path, repeat("a", limit)))),
		accept("at the limit in Chinese", build(set(path, bytesOf(limit)))),
		refuse("over the limit in ASCII", build(set(path, repeat("a", limit+1))), path, fmt.Sprint(limit)),
		refuse("over the limit in Chinese", build(set(path, bytesOf(limit+1))), path, fmt.Sprintf("%s must be at most %d bytes", field, limit)),
		refuse("emoji", build(set(path, "肥皂😀")), path, field+" must not hold emoji or other characters of four bytes in UTF-8"),
		refuse("a Chinese character of four bytes", build(set(path, "𠮷野家")), path, field+" must not hold emoji or other characters of four bytes in UTF-8"),
		accept("the last character of three bytes", build(set(path, "a\ufffdb"))),
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

// borderRows: text that WeChat's signature does not tell from another field.
func borderRows(path, text string, build func(...edit) *unstructured.Unstructured) []row {
	const rule = "an ampersand with a name and an equals sign (&name="
	return []row{
		refuse("another field in it", build(set(path, text+"&total_fee=1")), path, rule),
		refuse("another field, in capitals", build(set(path, text+"&A-b.c_9=")), path, rule),
		refuse("another field after an ampersand", build(set(path, text+"&&a=1")), path, rule),
		accept("an ampersand", build(set(path, text+"&b"))),
		accept("ampersands and equals signs apart", build(set(path, text+"=a&b-&9=&%20=&"))),
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
		refuse("emoji", order(set(path, "a😀")), path, field+" must not hold emoji"),
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
	v3 := mustCreate(t, ns, merchantV3(named("m-v3")))
	hasDefault(t, v3, "spec.apiV3KeySecretRef.key", "apiV3Key")
	if _, found, _ := unstructured.NestedMap(v3.Object, "spec", "apiKeySecretRef"); found {
		t.Error("a Merchant of V3 has got a reference to an API key")
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
