package controllers

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

func TestADeletedMerchantSaysWhatItWaitsFor(t *testing.T) {
	t.Parallel()
	const ready = "WeChat Pay accepts the key"
	for name, test := range map[string]struct {
		users int
		want  string
	}{
		"nothing":   {0, ready},
		"one":       {1, ready + ". The Merchant is being deleted and waits for 1 unfinished Order or Refund to end: close the Orders, and decide or delete the Refunds"},
		"ten":       {10, ready + ". The Merchant is being deleted and waits for 10 unfinished Orders and Refunds to end: close the Orders, and decide or delete the Refunds"},
		"many":      {11, ready + ". The Merchant is being deleted and waits for more than 10 unfinished Orders and Refunds to end: close the Orders, and decide or delete the Refunds"},
		"thousands": {9999, ready + ". The Merchant is being deleted and waits for more than 1000 unfinished Orders and Refunds to end: close the Orders, and decide or delete the Refunds"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &MerchantReconciler{}
			r.init()
			m := &v1alpha1.Merchant{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop", UID: "uid"}}
			if got := r.withDeletion(m, ready); got != ready {
				t.Errorf("not deleted: %q", got)
			}
			m.DeletionTimestamp = &metav1.Time{Time: staleNow}
			r.known.of(m).users = test.users
			got := r.withDeletion(m, ready)
			if got != test.want {
				t.Errorf("%q, not %q", got, test.want)
			}
			// The message may be what the status shows, with its notes.
			for _, shown := range []string{got, got + writeRefusedNote + "no"} {
				if again := r.withDeletion(m, shown); again != got {
					t.Errorf("added twice: %q", again)
				}
			}
		})
	}
}
