package plugin_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/plugin"
)

// beforeThePatch calls a function before the first patch of a user arrives.
func beforeThePatch(t *testing.T, name string, first func()) call {
	t.Helper()
	return userAt(t, name, relay(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method == http.MethodPatch && first != nil {
			first()
			first = nil
		}
		next.ServeHTTP(w, r)
	}), "")
}

// TestYesIsForWhatWasShown: with --yes there is no second question, so another Refund with the same name, or another
// amount, is not decided.
func TestYesIsForWhatWasShown(t *testing.T) {
	ns := namespaceFor(t, "yes-shown")
	create(t, paidOrder(ns, "order-0001"), newRefund(ns, "refund-0001"), newRefund(ns, "refund-0002"))
	another := beforeThePatch(t, "another", func() {
		must(t, env.Client.Delete(t.Context(), newRefund(ns, "refund-0001")))
		create(t, newRefund(ns, "refund-0001", func(r *v1alpha1.Refund) { r.Spec.Amount = 101 }))
	})
	another.run(t, ns, "approve", "refund-0001", "--yes").expect(t, plugin.ExitFailure, "another one than was shown", "0.20 yuan", "1.01 yuan")
	if r := refundNow(t, ns, "refund-0001"); r.Spec.Approval != "" {
		t.Errorf("another Refund is %s", r.Spec.Approval)
	}
	same := beforeThePatch(t, "same", func() {
		must(t, env.Client.Patch(t.Context(), newRefund(ns, "refund-0002"), client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"looked":"at"}}}`))))
	})
	same.run(t, ns, "approve", "refund-0002", "--yes").expect(t, plugin.ExitDone, "changed since it was shown")
}

// TestPayThatFailsSaysHowToClose, because the Order exists and somebody may pay it.
func TestPayThatFailsSaysHowToClose(t *testing.T) {
	ns := namespaceFor(t, "pay-fails")
	created, broken := false, func(r *http.Request) bool { return r.Method == http.MethodGet }
	failing := userAt(t, "failing", relay(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if created && broken(r) && strings.Contains(r.URL.Path, "/orders") {
			http.Error(w, "away", http.StatusBadGateway)
			return
		}
		next.ServeHTTP(w, r)
		created = created || r.Method == http.MethodPost && strings.Contains(r.URL.Path, "/orders")
	}), "")
	failing.run(t, ns, "pay", "shop", "--name", "test-0001", "--yes").expect(t, plugin.ExitFailure,
		"away", "kubectl -n pay-fails patch wxo test-0001 --type=merge")
	created, broken = false, func(r *http.Request) bool { return r.Method == http.MethodPatch }
	failing.run(t, ns, "pay", "shop", "--name", "test-0002", "--yes", "--timeout", "200ms").expect(t, plugin.ExitTimeout,
		"could not be closed", "kubectl -n pay-fails patch wxo test-0002 --type=merge")
}

// TestStatementOfTheNameIsAnother: a Statement with the name and another spec is not used.
func TestStatementOfTheNameIsAnother(t *testing.T) {
	ns := namespaceFor(t, "statement-another")
	now := time.Date(2026, 11, 28, 4, 0, 0, 0, time.UTC)
	s := newStatement(ns, "shop", "2026-11-27")
	s.Spec.Date = "2026-11-20"
	differing(s)
	create(t, s)
	r := call{user: "root", now: now}.run(t, ns, "statement", "shop", "2026-11-27", "--wait")
	r.expect(t, plugin.ExitUnexpected, "Statement shop-2026-11-27 exists and is of Merchant shop and of 2026-11-20")
	if strings.Contains(r.out+r.err, "was created") || strings.Contains(r.out+r.err, "The bill differs") {
		t.Error(r)
	}
}
