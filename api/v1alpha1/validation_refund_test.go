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

// TestRefundApprovalMessage: it comes with the decision, at the creation or later, and stays as it is.
func TestRefundApprovalMessage(t *testing.T) {
	const path = "spec.approvalMessage"
	const together = "approvalMessage is set together with approval, and is final then"
	ns := namespace(t)
	approved, denied := set("spec.approval", "Approved"), set("spec.approval", "Denied")
	for name, c := range map[string]struct {
		born  []edit
		edits []edit
		words []string
	}{
		"with an approval":                      {nil, []edit{approved, set(path, "质量问题属实")}, nil},
		"with a denial":                         {nil, []edit{denied, set(path, "Paid in cash.")}, nil},
		"an approval without":                   {nil, []edit{approved}, nil},
		"born with a decision":                  {[]edit{approved, set(path, "a hole in it")}, nil, nil},
		"longest":                               {nil, []edit{approved, set(path, repeat("款", 256))}, nil},
		"too long":                              {nil, []edit{approved, set(path, repeat("款", 257))}, []string{path, "256"}},
		"empty":                                 {nil, []edit{approved, set(path, "")}, []string{path}},
		"a line feed":                           {nil, []edit{approved, set(path, "one\nother")}, []string{path, "control characters"}},
		"a terminal command":                    {nil, []edit{approved, set(path, "\x1b[2J")}, []string{path, "control characters"}},
		"white space at its end":                {nil, []edit{approved, set(path, "yes ")}, []string{path, "white space"}},
		"without a decision":                    {nil, []edit{set(path, "to be approved")}, []string{path, together}},
		"after the decision":                    {[]edit{approved}, []edit{set(path, "late")}, []string{path, together}},
		"another one":                           {[]edit{approved, set(path, "one")}, []edit{set(path, "other")}, []string{path, together}},
		"none any more":                         {[]edit{approved, set(path, "one")}, []edit{unset(path)}, []string{path, together}},
		"another one with the same decision":    {[]edit{denied, set(path, "one")}, []edit{denied, set(path, "other")}, []string{path, together}},
		"the same once more":                    {[]edit{denied, set(path, "one")}, []edit{denied, set(path, "one")}, nil},
		"labels beside what was decided before": {[]edit{denied, set(path, "one")}, []edit{set("metadata.labels", map[string]any{"seen": "yes"})}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			u := mustCreate(t, ns, refund(c.born...))
			for _, e := range c.edits {
				e(u)
			}
			err := env.Client.Update(t.Context(), u, strict)
			if c.words == nil && err != nil {
				t.Fatal(err)
			}
			if c.words != nil {
				refused(t, err, c.words...)
			}
		})
	}
	refused(t, create(t.Context(), ns, refund(set(path, "looks like the approver's"))), path, together)
}

func TestRefundAbnormal(t *testing.T) {
	const path = "spec.abnormal"
	const rule = "abnormal.bankType and abnormal.secretRef are required for to: UserBankCard, and for that only"
	ns := namespace(t)
	for name, c := range map[string]struct {
		edits []edit
		words []string
	}{
		"to a card of the merchant":        {[]edit{set(path, map[string]any{"to": "MerchantBankCard"})}, nil},
		"to a card of the payer":           {[]edit{set(path, toUserCard("card"))}, nil},
		"another bank":                     {[]edit{set(path, toUserCard("card")), set(path+".bankType", "CMB_DEBIT")}, nil},
		"nothing":                          {[]edit{set(path, map[string]any{})}, []string{path + ".to", "Required value"}},
		"somewhere else":                   {[]edit{set(path, map[string]any{"to": "Shop"})}, []string{path + ".to", "Unsupported value"}},
		"to the payer without a bank":      {[]edit{set(path, toUserCard("card")), unset(path + ".bankType")}, []string{path, rule}},
		"to the payer without a Secret":    {[]edit{set(path, toUserCard("card")), unset(path + ".secretRef")}, []string{path, rule}},
		"to the merchant with a bank":      {[]edit{set(path, map[string]any{"to": "MerchantBankCard", "bankType": "CMB_DEBIT"})}, []string{path, rule}},
		"to the merchant with a Secret":    {[]edit{set(path, toUserCard("card")), set(path+".to", "MerchantBankCard"), unset(path + ".bankType")}, []string{path, rule}},
		"a credit card":                    {[]edit{set(path, toUserCard("card")), set(path+".bankType", "CMB_CREDIT")}, []string{path + ".bankType", "Unsupported value"}},
		"a Secret without a name":          {[]edit{set(path, toUserCard("card")), set(path+".secretRef", map[string]any{})}, []string{path + ".secretRef.name", "Required value"}},
		"a Secret of another namespace":    {[]edit{set(path, toUserCard("card")), set(path+".secretRef.namespace", "other")}, []string{`unknown field "spec.abnormal.secretRef.namespace"`}},
		"a number in place of its Secret":  {[]edit{set(path, toUserCard("card")), set(path+".account", "6222000000000000")}, []string{`unknown field "spec.abnormal.account"`}},
		"a Secret by no name that it has":  {[]edit{set(path, toUserCard("Card"))}, []string{path + ".secretRef.name"}},
		"a Secret by too long a name":      {[]edit{set(path, toUserCard(repeat("c", 254)))}, []string{path + ".secretRef.name", "253"}},
		"null, which is nothing to decide": {[]edit{set(path, nil)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			u := mustCreate(t, ns, refund())
			for _, e := range c.edits {
				e(u)
			}
			err := env.Client.Update(t.Context(), u, strict)
			if c.words != nil {
				refused(t, err, c.words...)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := env.Client.Update(t.Context(), typed(t, u), strict); err != nil {
				t.Errorf("the operator can't write it back: %v", err)
			}
		})
	}
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
