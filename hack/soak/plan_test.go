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

// TestPlansHaveEverything: whatever the seed, the default number of lives has some of each kind.
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
			note("expires", p.expires > 0)
			note("is closed", p.closeAfter > 0)
			note("deleted unpaid", p.deleteAfter > 0 && p.payer == paysNever)
			note("deleted", p.deleteAfter > 0 && p.payer != paysNever)
			note("applied again", p.reapply)
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
			"expires", "is closed", "deleted unpaid", "deleted", "applied again", "refund deleted", "refund applied again", "several refunds", "refunds exceed",
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
		for _, what := range wanted {
			if seen[what] == 0 {
				t.Errorf("seed %d: no Order with: %s", seed, what)
			}
		}
	}
}
