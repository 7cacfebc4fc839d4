package policy_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

const (
	ns        = "shop"
	elsewhere = "other-shop"
	system    = "wechatpay-operator-system"
	manager   = "system:serviceaccount:" + system + ":wechatpay-operator-controller-manager"
)

var (
	env *controlplane.Environment

	// admin is in system:masters.
	admin client.Client
	// shop and approver have the roles of that name in namespace shop.
	shop, approver client.Client
	// editor may do all to Refunds that Kubernetes has a verb for, and has no approve.
	editor client.Client
	// one is an editor that may approve the one Refund called the-one.
	one client.Client
	// stranger is an approver of another namespace, and an editor of this.
	stranger client.Client
	// both is an editor and an approver.
	both client.Client
	// operator is the manager's ServiceAccount.
	operator client.Client
)

func TestMain(m *testing.M) {
	controlplane.Main(m, &env, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		return prepare(ctx)
	})
}

func prepare(ctx context.Context) error {
	admin = env.Client
	for _, name := range []string{ns, elsewhere, system} {
		if err := admin.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
			return err
		}
	}
	if err := env.Apply(ctx, "config/rbac/*.yaml", "config/policy/*.yaml"); err != nil {
		return err
	}

	group := v1alpha1.GroupVersion.Group
	for _, role := range []*rbacv1.ClusterRole{
		{ObjectMeta: metav1.ObjectMeta{Name: "editor"}, Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{group}, Resources: []string{"refunds", "refunds/status"},
			Verbs: []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"},
		}}},
		{ObjectMeta: metav1.ObjectMeta{Name: "approves-the-one"}, Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{group}, Resources: []string{"refunds"}, ResourceNames: []string{"the-one"}, Verbs: []string{"approve"},
		}}},
		// Close to the right, but not it.
		{ObjectMeta: metav1.ObjectMeta{Name: "almost"}, Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{group}, Resources: []string{"refunds/status", "refunds/approval", "orders"}, Verbs: []string{"approve"}},
			{APIGroups: []string{"certificates.k8s.io"}, Resources: []string{"refunds"}, Verbs: []string{"approve"}},
			{APIGroups: []string{group}, Resources: []string{"refunds"}, Verbs: []string{"approved"}},
		}},
	} {
		if err := admin.Create(ctx, role); err != nil {
			return err
		}
	}
	for _, b := range []struct{ namespace, role, user string }{
		{ns, "wechatpay-operator-shop", "shop"},
		{ns, "wechatpay-operator-approver", "approver"},
		{ns, "editor", "editor"}, {ns, "almost", "editor"},
		{ns, "editor", "one"}, {ns, "approves-the-one", "one"},
		{ns, "editor", "stranger"}, {elsewhere, "wechatpay-operator-approver", "stranger"},
		{ns, "editor", "both"}, {ns, "wechatpay-operator-approver", "both"},
	} {
		binding := &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: b.role + "-" + b.user},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: b.role},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: b.user}},
		}
		if err := admin.Create(ctx, binding); err != nil {
			return err
		}
	}
	for name, c := range map[string]*client.Client{
		"shop": &shop, "approver": &approver, "editor": &editor, "one": &one, "stranger": &stranger, "both": &both, manager: &operator,
	} {
		config, err := env.User(name)
		if err != nil {
			return err
		}
		if *c, err = client.New(config, client.Options{Scheme: controlplane.Scheme()}); err != nil {
			return err
		}
		// The API server learns of bindings a moment after they are written.
		if err := wait.PollUntilContextCancel(ctx, 20*time.Millisecond, true, func(ctx context.Context) (bool, error) {
			review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
				ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: ns, Verb: "list", Group: group, Resource: "refunds"}}}
			err := (*c).Create(ctx, review)
			return review.Status.Allowed, err
		}); err != nil {
			return fmt.Errorf("%s can't list Refunds: %w", name, err)
		}
	}
	// And of policies. The one on finalizers is tried on an object that stays as it is.
	if err := admin.Create(ctx, held("probe")); err != nil {
		return err
	}
	if err := wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, 20*time.Second, true, func(ctx context.Context) (bool, error) {
		err := editor.Patch(ctx, held("probe"), client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`)), client.DryRunAll)
		return apierrors.IsForbidden(err), ignoreForbidden(err)
	}); err != nil {
		return fmt.Errorf("an editor may take the finalizer off: the policy is not in force: %w", err)
	}
	if err := wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, 20*time.Second, true, func(ctx context.Context) (bool, error) {
		err := editor.Create(ctx, refund("decided-probe", v1alpha1.ApprovalApproved), client.DryRunAll)
		return apierrors.IsForbidden(err), client.IgnoreNotFound(ignoreForbidden(err))
	}); err != nil {
		return fmt.Errorf("an editor may create Refunds that are approved: the policy is not in force: %w", err)
	}
	return nil
}

func ignoreForbidden(err error) error {
	if apierrors.IsForbidden(err) {
		return nil
	}
	return err
}

func refund(name string, approval v1alpha1.Approval) *v1alpha1.Refund {
	return &v1alpha1.Refund{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Refund"},
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name},
		Spec:       v1alpha1.RefundSpec{OrderRef: v1alpha1.OrderReference{Name: "order-0001"}, Amount: 50, Approval: approval},
	}
}
