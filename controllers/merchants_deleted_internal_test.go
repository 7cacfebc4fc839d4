package controllers

import (
	"context"
	"fmt"
	"testing"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/guard"
	"github.com/wechatpay-operator/wechatpay-operator/internal/index"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

// guarded is a policy in force.
type guarded struct{}

func (guarded) Look(context.Context, string) guard.Finding {
	return guard.Finding{State: guard.InForce}
}

func (guarded) LookNow(context.Context, *v1alpha1.Refund) (before, now guard.Finding) {
	return guard.Finding{State: guard.InForce}, guard.Finding{State: guard.InForce}
}

func (guarded) Listen(func(string)) {}

// TestDeletedMerchantsLeaveNothing: a user who may create Merchants may create and delete them
// forever. The test needs no API server. Heap and goroutines are measured with 10,000 Merchants in
// internal/account, which keeps connections and limits for them.
func TestDeletedMerchantsLeaveNothing(t *testing.T) {
	clock := clocktesting.NewFakePassiveClock(staleNow)
	key := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "crowd", Name: "key"}, Data: map[string][]byte{"apiKey": []byte("Zx81TestOnlyKey0Zx81TestOnlyKey0")}}
	api := fake.NewClientBuilder().WithScheme(controlplane.Scheme()).WithStatusSubresource(&v1alpha1.Merchant{}).WithObjects(key).
		WithIndex(&v1alpha1.Order{}, index.OrderMerchant, func(object client.Object) []string { return []string{index.MerchantOf(object.(*v1alpha1.Order))} }).
		Build()
	base := Base{
		Client: api, APIReader: api, Timing: DefaultTiming(), Clock: clock, Recorder: &events.FakeRecorder{}, Log: logr.Discard(),
		Registry:  account.NewRegistry(api, account.Options{NotifyBaseURL: "https://pay.example.com", Clock: clock}),
		Callbacks: NewCallbackFindings(), Guard: guarded{},
	}
	merchants, probes := &MerchantReconciler{Base: base}, &CallbackProbeReconciler{Base: base}
	merchants.init()
	probes.init()
	come := func(count int) {
		for i := range count {
			m := &v1alpha1.Merchant{
				ObjectMeta: metav1.ObjectMeta{Namespace: "crowd", Name: fmt.Sprint("shop-", i), UID: types.UID(fmt.Sprint("uid-", i)), Generation: 1},
				Spec: v1alpha1.MerchantSpec{
					MchID: fmt.Sprint(1900000000 + i), AppID: "wxd678efh567hg6787", SignType: v1alpha1.SignTypeHMACSHA256,
					APIKeySecretRef: v1alpha1.SecretKeyReference{Name: []string{"key", "none"}[i%2], Key: "apiKey"},
					Endpoint:        &v1alpha1.Endpoint{URL: "https://elsewhere.example.com"}, // not an allowed host
				},
			}
			if err := api.Create(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			request := ctrl.Request{NamespacedName: client.ObjectKeyFromObject(m)}
			reconcile := func() {
				if _, err := merchants.Reconcile(t.Context(), request); err != nil {
					t.Fatal(err)
				}
				if _, err := probes.Reconcile(t.Context(), request); err != nil {
					t.Fatal(err)
				}
			}
			reconcile()
			merchants.known.of(m).loggedProblem = "trouble"
			merchants.refusals.note(m.UID, "hold", "refused")
			if i%2 == 0 { // the others disappear without a reconcile of their deletion
				if err := api.Delete(t.Context(), m); err != nil {
					t.Fatal(err)
				}
				reconcile()
				continue
			}
			if err := api.Get(t.Context(), request.NamespacedName, m); err != nil {
				t.Fatal(err)
			}
			m.Finalizers = nil
			if err := api.Update(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			if err := api.Delete(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			reconcile()
		}
	}
	come(300)
	if len(merchants.known.objects)+len(merchants.refusals.messages)+len(probes.checks.objects)+len(base.Callbacks.found) > 0 {
		t.Errorf("left are %d remembered, %d refusals, %d checks, %d findings", len(merchants.known.objects), len(merchants.refusals.messages), len(probes.checks.objects), len(base.Callbacks.found))
	}
}
