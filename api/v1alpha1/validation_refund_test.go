package v1alpha1_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestRefundAmount(t *testing.T) { check(t, amountRows("spec.amount", refund)) }
func TestRefundReason(t *testing.T) {
	check(t, append(textRows("reason", 80, refund), borderRows("spec.reason", "质量问题", refund)...))
}
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
