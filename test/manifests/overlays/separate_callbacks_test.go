package overlays_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/manager"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

const system = "wechatpay-operator-system"

// TestCallbacksAlone: the process that faces the internet settles payments and refunds under an identity that can't
// read a certificate nor touch a Merchant. While it works nobody else does. It is not parallel: as in an installation
// its processes look at all namespaces, and so at those of other tests.
func TestCallbacksAlone(t *testing.T) {
	apply(t, kustomize(t, "config/overlays/separate-callbacks")...)
	managerConfig, _ := identity(t, system, "wechatpay-operator-controller-manager")
	callbacksConfig, callbacks := identity(t, system, "wechatpay-operator-callbacks")

	shop := framework.Open(t, env, framework.WithoutOperator())
	apply(t, keyRole(t, shop.Namespace)...)
	// As the Deployments have it, and each looks at all namespaces.
	startManager := func() {
		shop.StartOperatorAs(managerConfig, func(o *manager.Options) { o.Namespaces, o.NotifyBindAddress = nil, "0" })
	}
	startCallbacks := func() {
		shop.StartOperatorAs(callbacksConfig, func(o *manager.Options) {
			o.Namespaces, o.Controllers, o.NotifyBaseURL = nil, false, ""
		})
	}

	startManager()
	shop.Create(shop.NewMerchant(func(m *v1alpha1.Merchant) { m.Spec.RefundApproval = v1alpha1.RefundApprovalAutomatic }))
	shop.WaitMerchant(framework.MerchantName, "Ready=True/Ready")
	shop.Create(shop.NewOrder("order-0001"))
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	shop.StopOperators()

	startCallbacks()
	shop.Pay("order-0001")
	shop.WaitOrder("order-0001", "Paid=True/Paid")
	shop.StopOperators()

	shop.Fault(simulator.Fault{Operation: simulator.OperationRefund, Number: "refund-0001", Kind: simulator.FaultRefundHold})
	startManager()
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 50))
	shop.WaitRefund("refund-0001", "Accepted=True/Accepted")
	shop.StopOperators()

	startCallbacks()
	shop.Must(shop.WeChat.SetRefundStatus(framework.MchID, "refund-0001", simulator.RefundSuccess))
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")

	refusals(t, shop, callbacks)
	anywhere := []string{
		"get list watch wechatpay-operator.io/merchants", "get list watch wechatpay-operator.io/orders", "get list watch wechatpay-operator.io/refunds",
		"update wechatpay-operator.io/orders/status", "update wechatpay-operator.io/refunds/status",
		"create patch events.k8s.io/events",
		"get /namespaces", // whose labels a Merchant may select by
		"create authentication.k8s.io/tokenreviews", "create authorization.k8s.io/subjectaccessreviews",
	}
	if diff := cmp.Diff(rightsOf(anywhere...), rights(t, callbacks, "default")); diff != "" {
		t.Errorf("rights anywhere:\n%s", diff)
	}
	if diff := cmp.Diff(rightsOf(append(anywhere, "get /secrets=wechatpay")...), rights(t, callbacks, shop.Namespace)); diff != "" {
		t.Errorf("rights in the shop's namespace:\n%s", diff)
	}
}

// keyRole is config/samples/callbacks, with the name of the shop's Secret.
func keyRole(t *testing.T, namespace string) []*unstructured.Unstructured {
	objects := kustomize(t, "config/samples/callbacks")
	for _, object := range objects {
		object.SetNamespace(namespace)
		if object.GetKind() == "Role" {
			rules, _, _ := unstructured.NestedSlice(object.Object, "rules")
			rules[0].(map[string]any)["resourceNames"] = []any{"wechatpay"}
			_ = unstructured.SetNestedSlice(object.Object, rules, "rules")
		}
	}
	return objects
}

func refusals(t *testing.T, shop *framework.Shop, callbacks client.Client) {
	t.Helper()
	ctx := t.Context()
	key := func(name string) client.ObjectKey { return client.ObjectKey{Namespace: shop.Namespace, Name: name} }
	if err := callbacks.Get(ctx, key("wechatpay"), &corev1.Secret{}); err != nil {
		t.Errorf("reading the API key: %v", err)
	}
	forbidden(t, "reading the certificate", callbacks.Get(ctx, key("wechatpay-cert"), &corev1.Secret{}))
	forbidden(t, "listing Secrets", callbacks.List(ctx, &corev1.SecretList{}, client.InNamespace(shop.Namespace)))

	merchant := shop.WaitMerchant(framework.MerchantName, "Ready=True/Ready")
	before := merchant.DeepCopy()
	merchant.Spec.RefundApproval = v1alpha1.RefundApprovalManual
	forbidden(t, "updating a Merchant", callbacks.Update(ctx, merchant))
	forbidden(t, "patching a Merchant", callbacks.Patch(ctx, merchant, client.MergeFrom(before)))
	forbidden(t, "updating a Merchant's status", callbacks.Status().Update(ctx, merchant))
	forbidden(t, "deleting a Merchant", callbacks.Delete(ctx, merchant))

	order, refund := shop.Order("order-0001"), shop.Refund("refund-0001")
	forbidden(t, "updating an Order", callbacks.Update(ctx, order))
	forbidden(t, "deleting an Order", callbacks.Delete(ctx, order))
	forbidden(t, "approving a Refund", callbacks.Update(ctx, refund))
	forbidden(t, "asking for a Refund", callbacks.Create(ctx, shop.NewRefund("refund-0002", "order-0001", 50)))
}
