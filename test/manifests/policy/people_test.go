package policy_test

import (
	"context"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

// person is a user of namespace shop with roles that exist, and rules of their own beside them.
func person(t *testing.T, name string, roles []string, rules ...rbacv1.PolicyRule) client.Client {
	t.Helper()
	// The rule that is waited for comes last.
	known := rbacv1.PolicyRule{APIGroups: []string{"example.com"}, Resources: []string{name}, Verbs: []string{"know"}}
	own := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name}, Rules: append(rules, known)}
	if err := admin.Create(t.Context(), own); err != nil {
		t.Fatal(err)
	}
	bind := func(kind, role string) {
		binding := &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: role + "-of-" + name},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: kind, Name: role},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: name}},
		}
		if err := admin.Create(t.Context(), binding); err != nil {
			t.Fatal(err)
		}
	}
	for _, role := range roles {
		bind("ClusterRole", "wechatpay-operator-"+role)
	}
	bind("Role", name)
	config, err := env.User(name)
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New(config, client.Options{Scheme: controlplane.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	if err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, 20*time.Second, true, func(ctx context.Context) (bool, error) {
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: ns, Verb: "know", Group: "example.com", Resource: name}}}
		err := c.Create(ctx, review)
		return review.Status.Allowed, err
	}); err != nil {
		t.Fatalf("%s has no rights: %v", name, err)
	}
	return c
}

func reads(names ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: names, Verbs: []string{"get"}}
}

// merchant has all that a Merchant can have where keys are concerned.
func merchant(name string, change ...func(*v1alpha1.MerchantSpec)) *v1alpha1.Merchant {
	m := &v1alpha1.Merchant{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Merchant"},
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name},
		Spec: v1alpha1.MerchantSpec{MchID: "1900000109", AppID: "wxd678efh567hg6787",
			APIKeySecretRef:      v1alpha1.SecretKeyReference{Name: "shop.wechatpay"},
			APIV3KeySecretRef:    v1alpha1.APIV3KeyReference{Name: "shop-apiv3"},
			CertificateSecretRef: &v1alpha1.SecretReference{Name: "shop-cert"},
			PublicKeys:           []v1alpha1.PublicKey{{ID: "PUB_KEY_ID_1", PEM: "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"}},
			NotifyBaseURL:        "https://pay.example.com",
			Endpoint:             &v1alpha1.Endpoint{URL: "https://api.mch.weixin.qq.com", BackupURL: "https://api2.mch.weixin.qq.com", CABundle: []byte("PEM")},
		},
	}
	for _, c := range change {
		c(&m.Spec)
	}
	return m
}
