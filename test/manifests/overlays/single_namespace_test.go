package overlays_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/manager"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

// inNamespace is the overlay as a team writes it: its namespace and nothing else.
func inNamespace(t *testing.T, namespace string) []*unstructured.Unstructured {
	t.Helper()
	folder := t.TempDir()
	overlay, err := filepath.Rel(folder, filepath.Join(controlplane.Root(), "config", "overlays", "single-namespace"))
	if err != nil {
		t.Fatal(err)
	}
	content := fmt.Sprintf("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n- %s\nnamespace: %s\n", overlay, namespace)
	if err := os.WriteFile(filepath.Join(folder, "kustomization.yaml"), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return kustomize(t, folder)
}

// TestSingleNamespace: with Roles in its namespace only, an operator takes a payment, pays back, and says of what is
// out of its sight that it is.
func TestSingleNamespace(t *testing.T) {
	t.Parallel()
	apply(t, kustomize(t, "config/overlays/cluster")...)
	shop := framework.Open(t, env, framework.WithoutOperator(), framework.WithNamespaces(1))
	installed := inNamespace(t, shop.Namespace)
	for _, object := range installed {
		if object.GetNamespace() != shop.Namespace {
			t.Errorf("%s %s is in namespace %q", object.GetKind(), object.GetName(), object.GetNamespace())
		}
	}
	apply(t, installed...)
	config, operator := identity(t, shop.Namespace, "wechatpay-operator-controller-manager")
	shop.StartOperatorAs(config, func(o *manager.Options) {
		o.Namespaces, o.LeaderElect, o.LeaderElectionNamespace = []string{shop.Namespace}, true, shop.Namespace
	})

	shop.Create(shop.NewMerchant(func(m *v1alpha1.Merchant) { m.Spec.RefundApproval = v1alpha1.RefundApprovalAutomatic }))
	shop.WaitMerchant(framework.MerchantName, "Ready=True/Ready")
	shop.Paid("order-0001")
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 50))
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")

	outOfSight(t, shop)
	const read = "get list watch"
	want := rightsOf(
		read+" patch wechatpay-operator.io/merchants", "update wechatpay-operator.io/merchants/status", "update wechatpay-operator.io/merchants/finalizers",
		read+" patch delete wechatpay-operator.io/orders", "update wechatpay-operator.io/orders/status", "update wechatpay-operator.io/orders/finalizers",
		read+" create patch wechatpay-operator.io/refunds", "update wechatpay-operator.io/refunds/status", "update wechatpay-operator.io/refunds/finalizers",
		read+" wechatpay-operator.io/miniprograms", "update wechatpay-operator.io/miniprograms/status",
		read+" create delete wechatpay-operator.io/shipments", "update wechatpay-operator.io/shipments/status",
		read+" create wechatpay-operator.io/statements", "update wechatpay-operator.io/statements/status",
		read+" wechatpay-operator.io/eventsinks", "update wechatpay-operator.io/eventsinks/status",
		"get /secrets", "get /namespaces", "create patch events.k8s.io/events", "create patch /events",
		"create coordination.k8s.io/leases", "get update patch coordination.k8s.io/leases=wechatpay-operator")
	if diff := cmp.Diff(want, rights(t, operator, shop.Namespace)); diff != "" {
		t.Errorf("rights in its namespace:\n%s", diff)
	}
	if diff := cmp.Diff(rightsOf(), rights(t, operator, shop.Other(0))); diff != "" {
		t.Errorf("rights in another namespace:\n%s", diff)
	}
}

func outOfSight(t *testing.T, shop *framework.Shop) {
	t.Helper()
	// The Merchant is there and allows everybody; the operator can't know.
	shop.Create(shop.NewMerchant(func(m *v1alpha1.Merchant) {
		m.Namespace, m.Spec.AllowedNamespaces.From = shop.Other(0), v1alpha1.NamespacesFromAll
	}))
	shop.Create(shop.NewOrder("order-0002", func(o *v1alpha1.Order) { o.Spec.MerchantRef.Namespace = shop.Other(0) }))
	order := shop.WaitOrder("order-0002", "Prepared=False/NotPermitted")
	if message := order.Status.Conditions[0].Message; !strings.Contains(message, "--watch-namespaces") {
		t.Errorf("the message does not tell why: %s", message)
	}
	url := fmt.Sprintf("%s/notify/v2/%s/%s/payment", shop.CallbackURL(0), shop.Other(0), framework.MerchantName)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader("<xml/>"))
	shop.Must(err)
	answer, err := http.DefaultClient.Do(request)
	shop.Must(err)
	shop.Must(answer.Body.Close())
	if answer.StatusCode != http.StatusNotFound {
		t.Errorf("a callback for a Merchant out of sight was answered with %s", answer.Status)
	}
}

// TestTwoNamespaces: a Role lets the operator read the labels of its namespaces, so that a Merchant of one can select
// the other.
func TestTwoNamespaces(t *testing.T) {
	t.Parallel()
	apply(t, kustomize(t, "config/overlays/cluster")...)
	shop := framework.Open(t, env, framework.WithoutOperator(), framework.WithNamespaces(1))
	installed := inNamespace(t, shop.Namespace)
	apply(t, installed...)
	for _, object := range installed {
		if kind := object.GetKind(); kind == "Role" || kind == "RoleBinding" {
			object.SetNamespace(shop.Other(0))
			apply(t, object)
		}
	}
	other := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: shop.Other(0)}}
	shop.Patch(other, `{"metadata":{"labels":{"shop":"friend"}}}`)
	config, _ := identity(t, shop.Namespace, "wechatpay-operator-controller-manager")
	shop.StartOperatorAs(config, func(o *manager.Options) { o.Namespaces = []string{shop.Namespace, shop.Other(0)} })

	shop.Create(shop.NewMerchant(func(m *v1alpha1.Merchant) {
		m.Spec.AllowedNamespaces = v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromSelector, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"shop": "friend"}}}
	}))
	shop.Create(shop.NewOrder("order-0003", func(o *v1alpha1.Order) {
		o.Namespace, o.Spec.MerchantRef.Namespace = shop.Other(0), shop.Namespace
	}))
	shop.WaitOrder(shop.Other(0)+"/order-0003", "Prepared=True/Prepared")
	shop.Pay("order-0003")
	shop.WaitOrder(shop.Other(0)+"/order-0003", "Paid=True/Paid")
}

// TestRoleIsTheClusterRole: what the code needs is written down in config/rbac by controller-gen; the Role has it too,
// but for Namespaces, which a Role can give by name only.
func TestRoleIsTheClusterRole(t *testing.T) {
	t.Parallel()
	want := append(rightsIn(t, "config/rbac/role.yaml"), rightsIn(t, "config/rbac/leader_election_role.yaml")...)
	want = slices.DeleteFunc(want, func(right string) bool { return right == "list /namespaces" || right == "watch /namespaces" })
	slices.Sort(want)
	if diff := cmp.Diff(want, rightsIn(t, "config/overlays/single-namespace/rbac/role.yaml")); diff != "" {
		t.Errorf("the rights differ:\n%s", diff)
	}
}

func rightsIn(t *testing.T, file string) []string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(controlplane.Root(), file))
	if err != nil {
		t.Fatal(err)
	}
	var role rbacv1.ClusterRole
	if err := yaml.Unmarshal(content, &role); err != nil {
		t.Fatal(err)
	}
	return rightsBy(role.Rules)
}
