package rbac_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

const (
	shopNamespace  = "shop"
	otherNamespace = "other-shop"
	system         = "wechatpay-operator-system"
	serviceAccount = "system:serviceaccount:" + system + ":wechatpay-operator-controller-manager"
	group          = "wechatpay-operator.io"
	rbacGroup      = rbacv1.GroupName
)

var (
	env     *controlplane.Environment
	configs = map[string]*rest.Config{}
	clients = map[string]client.Client{}
)

func TestMain(m *testing.M) {
	controlplane.Main(m, &env, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		return prepare(ctx)
	})
}

func prepare(ctx context.Context) error {
	for _, name := range []string{shopNamespace, otherNamespace, system} {
		if err := env.Client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
			return err
		}
	}
	if err := env.Apply(ctx, "config/rbac/*.yaml"); err != nil {
		return err
	}
	for _, role := range []string{"shop", "approver", "viewer", "merchant-admin"} {
		if err := env.Client.Create(ctx, &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: shopNamespace, Name: role},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacGroup, Kind: "ClusterRole", Name: "wechatpay-operator-" + role},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacGroup, Kind: "User", Name: role}},
		}); err != nil {
			return err
		}
	}
	if err := env.Client.Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "metrics-reader"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacGroup, Kind: "ClusterRole", Name: "wechatpay-operator-metrics-reader"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacGroup, Kind: "User", Name: "metrics-reader"}},
	}); err != nil {
		return err
	}
	// A user without any role: what he may, everybody may.
	users := map[string]string{"shop": "shop", "approver": "approver", "viewer": "viewer", "merchant-admin": "merchant-admin",
		"metrics-reader": "metrics-reader", "manager": serviceAccount, "nobody": "nobody"}
	for user, name := range users {
		var groups []string
		if name == serviceAccount {
			groups = []string{"system:serviceaccounts", "system:serviceaccounts:" + system}
		}
		config, err := env.User(name, groups...)
		if err != nil {
			return err
		}
		configs[user] = config
		if clients[user], err = client.New(config, client.Options{Scheme: controlplane.Scheme()}); err != nil {
			return err
		}
	}
	// The API server learns of roles and bindings a moment after they are written; the binding written last is the
	// one waited for.
	return wait.PollUntilContextCancel(ctx, 20*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		for _, question := range []struct{ user, verb, resource string }{{"merchant-admin", "get", "merchants"}, {"manager", "get", "orders"}} {
			allowed, err := may(ctx, question.user, right{group: group, resource: question.resource, verb: question.verb, namespace: shopNamespace})
			if !allowed || err != nil {
				return false, err
			}
		}
		allowed, err := mayPath(ctx, "metrics-reader", "/metrics", "get")
		return allowed, err
	})
}

// A right is what a role may give.
type right struct{ group, resource, verb, namespace, name string }

func may(ctx context.Context, user string, r right) (bool, error) {
	resource, subresource, _ := strings.Cut(r.resource, "/")
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{Group: r.group, Resource: resource, Subresource: subresource,
			Verb: r.verb, Namespace: r.namespace, Name: r.name},
	}}
	err := clients[user].Create(ctx, review)
	return review.Status.Allowed, err
}

func mayPath(ctx context.Context, user, path, verb string) (bool, error) {
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		NonResourceAttributes: &authorizationv1.NonResourceAttributes{Path: path, Verb: verb},
	}}
	err := clients[user].Create(ctx, review)
	return review.Status.Allowed, err
}

var verbs = strings.Fields("get list watch create update patch delete deletecollection approve bind escalate impersonate")

// What there is to have rights on: the operator's kinds, and what is worth having for somebody who breaks in.
var resources = []struct{ group, resource string }{
	{group, "merchants"}, {group, "merchants/status"}, {group, "merchants/finalizers"},
	{group, "orders"}, {group, "orders/status"}, {group, "orders/finalizers"},
	{group, "refunds"}, {group, "refunds/status"}, {group, "refunds/finalizers"}, {group, "refunds/approval"},
	{group, "eventsinks"}, {group, "eventsinks/status"}, {group, "eventsinks/finalizers"},
	{group, "miniprograms"}, {group, "miniprograms/status"}, {group, "shipments"}, {group, "shipments/status"},
	{group, "statements"}, {group, "statements/status"},
	{"", "secrets"}, {"", "configmaps"}, {"", "namespaces"}, {"", "events"}, {"", "pods"}, {"", "pods/exec"}, {"", "serviceaccounts"},
	{"", "serviceaccounts/token"}, {"", "nodes"}, {"", "users"},
	{"events.k8s.io", "events"}, {"coordination.k8s.io", "leases"}, {"apps", "deployments"},
	{rbacGroup, "roles"}, {rbacGroup, "rolebindings"}, {rbacGroup, "clusterroles"}, {rbacGroup, "clusterrolebindings"},
	{"authentication.k8s.io", "tokenreviews"}, {"authorization.k8s.io", "subjectaccessreviews"},
	{"admissionregistration.k8s.io", "validatingadmissionpolicies"}, {"admissionregistration.k8s.io", "validatingadmissionpolicybindings"},
	{"apiextensions.k8s.io", "customresourcedefinitions"},
}

// TestRights asks for every verb on everything: what is listed is allowed and all the rest is refused, so a role can't
// grow without this test.
func TestRights(t *testing.T) {
	const read = "get list watch"
	manager := map[string]string{
		group + " merchants": read + " patch", group + " merchants/status": "update", group + " merchants/finalizers": "update",
		group + " orders": read + " patch delete", group + " orders/status": "update", group + " orders/finalizers": "update",
		group + " refunds": read + " create patch", group + " refunds/status": "update", group + " refunds/finalizers": "update",
		group + " eventsinks": read, group + " eventsinks/status": "update",
		group + " miniprograms": read, group + " miniprograms/status": "update",
		group + " shipments": read + " create delete", group + " shipments/status": "update",
		group + " statements": read + " create", group + " statements/status": "update",
		" secrets": "get", " namespaces": read, "events.k8s.io events": "create patch",
		"authentication.k8s.io tokenreviews": "create", "authorization.k8s.io subjectaccessreviews": "create",
	}
	leader := map[string]string{"coordination.k8s.io leases": "create", " events": "create patch"}
	for k, v := range manager {
		leader[k] = v
	}
	elected := map[string]string{"coordination.k8s.io leases": "create get update patch", " events": "create patch"}
	for k, v := range manager {
		elected[k] = v
	}
	shop := map[string]string{group + " orders": read + " create update patch delete", group + " refunds": read + " create patch", group + " eventsinks": read,
		group + " miniprograms": read, group + " shipments": read + " create update patch delete", group + " statements": read}
	approver := map[string]string{group + " orders": read, group + " refunds": read + " update patch approve"}
	viewer := map[string]string{group + " merchants": read, group + " orders": read, group + " refunds": read, group + " eventsinks": read,
		group + " miniprograms": read, group + " shipments": read, group + " statements": read}
	const all = read + " create update patch delete deletecollection"
	merchantAdmin := map[string]string{group + " merchants": all, group + " eventsinks": all, group + " miniprograms": all, group + " statements": all}

	for _, c := range []struct {
		user, namespace, name string
		want                  map[string]string
	}{
		{"manager", shopNamespace, "", manager},
		{"manager", shopNamespace, "wechatpay-operator", manager},
		{"manager", "", "", manager},
		{"manager", system, "", leader},
		{"manager", system, "wechatpay-operator", elected},
		{"manager", system, "another", leader},
		{"shop", shopNamespace, "", shop},
		{"shop", otherNamespace, "", nil},
		{"shop", "", "", nil},
		{"approver", shopNamespace, "", approver},
		{"approver", otherNamespace, "", nil},
		{"viewer", shopNamespace, "", viewer},
		{"viewer", otherNamespace, "", nil},
		{"merchant-admin", shopNamespace, "", merchantAdmin},
		{"merchant-admin", otherNamespace, "", nil},
		{"metrics-reader", shopNamespace, "", nil},
		{"metrics-reader", "", "", nil},
		{"nobody", shopNamespace, "", nil},
	} {
		t.Run(fmt.Sprintf("%s in %q %s", c.user, c.namespace, c.name), func(t *testing.T) {
			want := map[string]bool{}
			for on, allowed := range c.want {
				for _, verb := range strings.Fields(allowed) {
					want[verb+" "+on] = true
				}
			}
			for _, r := range resources {
				for _, verb := range verbs {
					question := verb + " " + r.group + " " + r.resource
					allowed, err := may(t.Context(), c.user, right{r.group, r.resource, verb, c.namespace, c.name})
					if err != nil {
						t.Fatal(err)
					}
					if allowed != want[question] {
						t.Errorf("%q: allowed is %t, want %t", question, allowed, want[question])
					}
					delete(want, question)
				}
			}
			if len(want) > 0 {
				t.Errorf("never asked: %v", want)
			}
		})
	}
}

func TestMetricsPath(t *testing.T) {
	for user, want := range map[string]bool{"metrics-reader": true, "manager": false, "shop": false, "approver": false, "viewer": false, "merchant-admin": false, "nobody": false} {
		for _, verb := range []string{"get", "post", "put", "delete"} {
			allowed, err := mayPath(t.Context(), user, "/metrics", verb)
			if err != nil {
				t.Fatal(err)
			}
			if allowed != (want && verb == "get") {
				t.Errorf("%s %s /metrics: allowed is %t", user, verb, allowed)
			}
		}
	}
}

// TestShop does what a shop does, and what it must not.
func TestShop(t *testing.T) {
	ctx := t.Context()
	for _, secret := range []string{"shop-wechatpay", "shop-wechatpay-cert"} {
		if err := env.Client.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: shopNamespace, Name: secret}}); err != nil {
			t.Fatal(err)
		}
	}
	shop := clients["shop"]
	order := &v1alpha1.Order{
		ObjectMeta: metav1.ObjectMeta{Namespace: shopNamespace, Name: "order-0001"},
		Spec: v1alpha1.OrderSpec{MerchantRef: v1alpha1.MerchantReference{Name: "shop"}, TradeType: v1alpha1.TradeTypeApp,
			Description: "肥皂", Amount: v1alpha1.Amount{Total: 101}},
	}
	refund := &v1alpha1.Refund{
		ObjectMeta: metav1.ObjectMeta{Namespace: shopNamespace, Name: "refund-0001"},
		Spec:       v1alpha1.RefundSpec{OrderRef: v1alpha1.OrderReference{Name: "order-0001"}, Amount: 50},
	}
	ok := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	no := func(what string, err error) {
		t.Helper()
		if !apierrors.IsForbidden(err) {
			t.Errorf("%s: %v, want Forbidden", what, err)
		}
	}
	ok("create an Order", shop.Create(ctx, order))
	ok("watch for the payment", shop.List(ctx, &v1alpha1.OrderList{}, client.InNamespace(shopNamespace)))
	before := order.DeepCopy()
	order.Spec.DesiredState = v1alpha1.DesiredStateClosed
	ok("close an Order", shop.Patch(ctx, order, client.MergeFrom(before)))
	ok("ask for a Refund", shop.Create(ctx, refund))
	ok("see the Refund", shop.Get(ctx, client.ObjectKeyFromObject(refund), refund))
	no("say that an Order was paid", shop.Status().Update(ctx, order))
	no("say that a Refund was approved", shop.Status().Update(ctx, refund))
	no("replace a Refund", shop.Update(ctx, refund))
	no("delete a Refund", shop.Delete(ctx, refund))
	no("see Merchants", shop.List(ctx, &v1alpha1.MerchantList{}, client.InNamespace(shopNamespace)))
	for _, secret := range []string{"shop-wechatpay", "shop-wechatpay-cert"} {
		no("read the Merchant's keys", shop.Get(ctx, client.ObjectKey{Namespace: shopNamespace, Name: secret}, &corev1.Secret{}))
	}
	no("see the Orders of others", shop.List(ctx, &v1alpha1.OrderList{}, client.InNamespace(otherNamespace)))
	no("see all Orders", shop.List(ctx, &v1alpha1.OrderList{}))
	ok("delete an Order", shop.Delete(ctx, order))

	manager := clients["manager"]
	key := client.ObjectKey{Namespace: shopNamespace, Name: "shop-wechatpay"}
	ok("the operator reads a Secret by name", manager.Get(ctx, key, &corev1.Secret{}))
	no("the operator lists Secrets", manager.List(ctx, &corev1.SecretList{}, client.InNamespace(shopNamespace)))
	no("the operator lists all Secrets", manager.List(ctx, &corev1.SecretList{}))
	no("the operator writes a Secret", manager.Update(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}))
	no("the operator deletes a Refund", manager.Delete(ctx, refund))
	no("the operator creates an Order", manager.Create(ctx, before))
}

// TestLeaderElection elects a leader with the manager's rights, and finds the Event that tells of it.
func TestLeaderElection(t *testing.T) {
	mgr, err := ctrl.NewManager(configs["manager"], ctrl.Options{
		Scheme:                  controlplane.Scheme(),
		LeaderElection:          true,
		LeaderElectionID:        "wechatpay-operator",
		LeaderElectionNamespace: system,
		// So that the Lease is given back, which is another write.
		LeaderElectionReleaseOnCancel: true,
		Metrics:                       server.Options{BindAddress: "0"},
		HealthProbeBindAddress:        "0",
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	select {
	case <-mgr.Elected():
	case err := <-done:
		t.Fatalf("stopped: %v", err)
	case <-time.After(20 * time.Second):
		t.Fatal("nobody was elected")
	}
	lease := &coordinationv1.Lease{}
	if err := env.Client.Get(ctx, client.ObjectKey{Namespace: system, Name: "wechatpay-operator"}, lease); err != nil {
		t.Error(err)
	}
	if err := wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, 10*time.Second, true, func(ctx context.Context) (bool, error) {
		events := &corev1.EventList{}
		err := env.Client.List(ctx, events, client.InNamespace(system))
		return slices.ContainsFunc(events.Items, func(e corev1.Event) bool { return e.Reason == "LeaderElection" }), err
	}); err != nil {
		t.Errorf("no Event tells who became leader: %v", err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestNoWildcards: a star gives rights that nobody thought of, `approve` among them.
func TestNoWildcards(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(controlplane.Root(), "config", "rbac", "*role.yaml"))
	if err != nil || len(files) < 8 {
		t.Fatalf("%q, %v", files, err)
	}
	approvers := map[string]bool{}
	for _, file := range files {
		content, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		decoder := yaml.NewYAMLOrJSONDecoder(content, 4096)
		for {
			var role rbacv1.ClusterRole
			if err := decoder.Decode(&role); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			for _, rule := range role.Rules {
				if slices.Contains(slices.Concat(rule.APIGroups, rule.Resources, rule.Verbs, rule.NonResourceURLs), "*") {
					t.Errorf("%s: a star in %v", file, rule)
				}
				if slices.Contains(rule.Verbs, "approve") {
					approvers[role.Name] = true
				}
			}
		}
		_ = content.Close()
	}
	if len(approvers) != 1 || !approvers["wechatpay-operator-approver"] {
		t.Errorf("approve is given by %v", approvers)
	}
}
