package main

import (
	"reflect"
	"testing"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

func TestTheSameSeedPlansTheSame(t *testing.T) {
	for index := range 50 {
		if a, b := planLife(7, index, time.Minute), planLife(7, index, time.Minute); !reflect.DeepEqual(a, b) {
			t.Fatalf("life %d: %+v, then %+v", index, a, b)
		}
	}
	if reflect.DeepEqual(planLife(7, 0, time.Minute), planLife(8, 0, time.Minute)) {
		t.Error("two seeds plan the same life")
	}
}

// TestPlansHaveEverything: for any seed, the default number of lives contains every kind.
func TestPlansHaveEverything(t *testing.T) {
	for seed := range uint64(20) {
		seen, names := map[string]int{}, map[string]bool{}
		note := func(what string, is bool) {
			if is {
				seen[what]++
			}
		}
		for index := range 300 {
			p := planLife(seed, index, time.Minute)
			if names[p.name] {
				t.Fatalf("seed %d: two Orders are named %s", seed, p.name)
			}
			names[p.name] = true
			seen["payer "+string(p.payer)]++
			seen["trade type "+string(p.tradeType)]++
			seen["merchant "+p.account.mchID]++
			seen["stranger "+p.stranger]++
			note("a guest", p.namespace != p.account.namespace)
			note("two that may use the Merchant", p.twin)
			if p.twin {
				checkTwins(t, p, p.twinPlan())
			}
			note("expires", p.expires > 0)
			note("is closed", p.closeAfter > 0)
			note("deleted unpaid", p.deleteAfter > 0 && p.payer == paysNever)
			note("deleted", p.deleteAfter > 0 && p.payer != paysNever)
			note("applied again", p.reapply)
			note("shipped at once", p.shipping.parts == 1)
			note("shipped in parts", p.shipping.parts > 1)
			note("Shipment deleted", p.shipping.deleteAfter > 0)
			note("Shipment applied again", p.shipping.reapply)
			note("Shipment replaced", p.shipping.replace)
			note("two that ship", p.twin && p.shipping.parts > 0)
			sum := int64(0)
			for _, r := range p.refunds {
				sum += r.amount
				note("refund decided "+string(r.decision), true)
				note("refund deleted", r.deleteAfter > 0)
				note("refund applied again", r.reapply)
			}
			note("several refunds", len(p.refunds) > 1)
			note("refunds exceed", sum > p.total)
		}
		wanted := []string{
			"a guest", "two that may use the Merchant", "expires", "is closed", "deleted unpaid", "deleted", "applied again", "refund deleted", "refund applied again", "several refunds", "refunds exceed",
			"shipped at once", "shipped in parts", "Shipment deleted", "Shipment applied again", "Shipment replaced", "two that ship",
			"refund decided " + string(v1alpha1.ApprovalApproved), "refund decided " + string(v1alpha1.ApprovalDenied), "refund decided ",
		}
		for _, payer := range []payerKind{paysAtOnce, paysLater, paysNever, paysTwice, paysSecretly, paysAtClose, paysAfterClose} {
			wanted = append(wanted, "payer "+string(payer))
		}
		for _, tradeType := range []v1alpha1.TradeType{v1alpha1.TradeTypeJSAPI, v1alpha1.TradeTypeNative, v1alpha1.TradeTypeApp, v1alpha1.TradeTypeMWEB} {
			wanted = append(wanted, "trade type "+string(tradeType))
		}
		for _, a := range accounts {
			wanted = append(wanted, "merchant "+a.mchID)
		}
		for _, s := range strangers {
			wanted = append(wanted, "stranger "+s.name)
		}
		for _, what := range wanted {
			if seen[what] == 0 {
				t.Errorf("seed %d: no Order with: %s", seed, what)
			}
		}
	}
}

// checkTwins: two Orders use the same number, from two namespaces, with different amounts, and their objects are not
// deleted.
func checkTwins(t *testing.T, first, second plan) {
	t.Helper()
	a, b := first.order(time.Now()), second.order(time.Now())
	if a.Number() != b.Number() || a.Namespace == b.Namespace || a.Spec.Amount == b.Spec.Amount {
		t.Errorf("no twins: %+v and %+v", a, b)
	}
	for _, order := range []*v1alpha1.Order{a, b} {
		if namespace, name := order.MerchantKey(); namespace != first.account.namespace || name != first.account.name {
			t.Errorf("%s is not an Order of Merchant %s/%s", order.Namespace, first.account.namespace, first.account.name)
		}
	}
	for _, p := range []plan{first, second} {
		deletes := p.deleteAfter > 0
		for _, r := range p.refunds {
			deletes = deletes || r.deleteAfter > 0
		}
		if deletes {
			t.Errorf("something of %s is deleted", p.name)
		}
	}
}

// TestRivalsWantTheSameNumberWithoutAGrant: each rival is in its own namespace.
func TestRivalsWantTheSameNumberWithoutAGrant(t *testing.T) {
	for index := range 50 {
		p := planLife(7, index, time.Minute)
		order := p.order(time.Now())
		rivals := p.rivals(order)
		if wanted := map[bool]int{true: 1, false: 2}[p.stranger == ""]; len(rivals) != wanted {
			t.Fatalf("%d rivals of %s, not %d", len(rivals), p.name, wanted)
		}
		for _, rival := range rivals {
			namespace, _ := rival.MerchantKey()
			isStranger := rival.Namespace == strangerNamespace && namespace == strangerNamespace
			isUngranted := rival.Namespace == rivalNamespace && namespace == p.account.namespace
			if rival.Number() != order.Number() || !isStranger && !isUngranted {
				t.Errorf("%s/%s of Merchant namespace %s is no rival of %s", rival.Namespace, rival.Number(), namespace, order.Number())
			}
		}
	}
}
