package rbac_test

import (
	"context"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

// aggregate does what kube-controller-manager does, which is not running here: it gives each aggregated ClusterRole the
// rules of those that its selectors choose.
func aggregate(ctx context.Context) error {
	// view is part of edit, and edit of admin.
	for _, name := range []string{"view", "edit", "admin"} {
		role := &rbacv1.ClusterRole{}
		if err := env.Client.Get(ctx, client.ObjectKey{Name: name}, role); err != nil {
			return err
		}
		role.Rules = nil
		for i := range role.AggregationRule.ClusterRoleSelectors {
			selector, err := metav1.LabelSelectorAsSelector(&role.AggregationRule.ClusterRoleSelectors[i])
			if err != nil {
				return err
			}
			var parts rbacv1.ClusterRoleList
			if err := env.Client.List(ctx, &parts, client.MatchingLabelsSelector{Selector: selector}); err != nil {
				return err
			}
			for j := range parts.Items {
				role.Rules = append(role.Rules, parts.Items[j].Rules...)
			}
		}
		if err := env.Client.Update(ctx, role); err != nil {
			return err
		}
	}
	return nil
}

// TestAggregation: what people get who have the cluster's own roles in a namespace.
func TestAggregation(t *testing.T) {
	ctx := t.Context()
	if err := aggregate(ctx); err != nil {
		t.Fatal(err)
	}
	const read = "get list watch"
	reads := map[string]string{"merchants": read, "orders": read, "refunds": read, "eventsinks": read, "miniprograms": read, "shipments": read, "statements": read}
	edits := map[string]string{"merchants": read, "orders": read + " create update patch delete", "refunds": read + " create patch", "eventsinks": read, "miniprograms": read,
		"shipments": read + " create update patch delete", "statements": read}
	administers := map[string]string{"merchants": read + " create update patch delete deletecollection", "orders": edits["orders"], "refunds": edits["refunds"],
		"eventsinks": read + " create update patch delete deletecollection", "miniprograms": read + " create update patch delete deletecollection",
		"shipments": edits["shipments"], "statements": read + " create update patch delete deletecollection"}
	for _, c := range []struct {
		role string
		want map[string]string
	}{{"view", reads}, {"edit", edits}, {"admin", administers}} {
		user := "has-" + c.role
		if err := env.Client.Create(ctx, &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: shopNamespace, Name: user},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacGroup, Kind: "ClusterRole", Name: c.role},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacGroup, Kind: "User", Name: user}},
		}); err != nil {
			t.Fatal(err)
		}
		config, err := env.User(user)
		if err != nil {
			t.Fatal(err)
		}
		if clients[user], err = client.New(config, client.Options{Scheme: controlplane.Scheme()}); err != nil {
			t.Fatal(err)
		}
		if err := wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, 20*time.Second, true, func(ctx context.Context) (bool, error) {
			pods, err := may(ctx, user, right{resource: "pods", verb: "get", namespace: shopNamespace})
			if err != nil || !pods {
				return false, err
			}
			return may(ctx, user, right{group: group, resource: "orders", verb: "get", namespace: shopNamespace})
		}); err != nil {
			t.Fatalf("%s: %v", c.role, err)
		}
		for _, resource := range []string{"merchants", "orders", "refunds", "eventsinks", "miniprograms", "shipments", "statements"} {
			for _, part := range []string{"", "/status", "/finalizers", "/approval"} {
				want := map[string]bool{}
				if part == "" {
					for _, verb := range strings.Fields(c.want[resource]) {
						want[verb] = true
					}
				}
				for _, verb := range verbs {
					allowed, err := may(ctx, user, right{group, resource + part, verb, shopNamespace, ""})
					if err != nil {
						t.Fatal(err)
					}
					if allowed != want[verb] {
						t.Errorf("%s: %s %s%s: allowed is %t, want %t", c.role, verb, resource, part, allowed, want[verb])
					}
				}
			}
		}
	}
}
