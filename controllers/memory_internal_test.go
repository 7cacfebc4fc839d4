package controllers

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// TestARecreatedObjectIsNotRemembered: a Merchant that is created again under the name of another
// one is not taken for it, with a key that was probed and a warning that was given.
func TestARecreatedObjectIsNotRemembered(t *testing.T) {
	t.Parallel()
	first := &v1alpha1.Merchant{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop", UID: "first"}}
	second := &v1alpha1.Merchant{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop", UID: "second"}}
	var known memory[int]
	*known.of(first) = 7
	if got := *known.of(first); got != 7 {
		t.Errorf("of the same object: %d", got)
	}
	if got := *known.of(second); got != 0 {
		t.Errorf("of a recreated object: %d", got)
	}
	*known.of(second) = 8
	if uid, found := known.forget(client.ObjectKeyFromObject(second)); !found || uid != "second" {
		t.Errorf("forgot %q, %t", uid, found)
	}
	if len(known.objects) != 0 {
		t.Errorf("%d objects are left", len(known.objects))
	}
}
