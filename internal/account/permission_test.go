package account_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

func orderIn(namespace, merchantNamespace string) *v1alpha1.Order {
	return &v1alpha1.Order{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "order-0001"},
		Spec:       v1alpha1.OrderSpec{MerchantRef: v1alpha1.MerchantReference{Name: "shop", Namespace: merchantNamespace}},
	}
}

func cluster(allowed *v1alpha1.AllowedNamespaces) client.Reader {
	objects := []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "payments", Labels: map[string]string{"shop": "no"}}},
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "friends", Labels: map[string]string{"shop": "yes"}}},
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "others"}},
	}
	if allowed != nil {
		objects = append(objects, &v1alpha1.Merchant{
			ObjectMeta: metav1.ObjectMeta{Namespace: "payments", Name: "shop"}, Spec: v1alpha1.MerchantSpec{AllowedNamespaces: *allowed},
		})
	}
	return fake.NewClientBuilder().WithScheme(controlplane.Scheme()).WithObjects(objects...).Build()
}

func TestAllowedNamespaces(t *testing.T) {
	t.Parallel()
	label := func(value string) *metav1.LabelSelector {
		return &metav1.LabelSelector{MatchLabels: map[string]string{"shop": value}}
	}
	unreadable := &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "shop", Operator: "Unknown"}}}
	for name, test := range map[string]struct {
		allowed v1alpha1.AllowedNamespaces
		who     map[string]bool
	}{
		"left out":            {v1alpha1.AllowedNamespaces{}, map[string]bool{"friends": false, "others": false, "gone": false}},
		"Same":                {v1alpha1.AllowedNamespaces{From: "Same"}, map[string]bool{"friends": false, "others": false, "gone": false}},
		"unheard of":          {v1alpha1.AllowedNamespaces{From: "Everybody"}, map[string]bool{"friends": false, "others": false}},
		"All":                 {v1alpha1.AllowedNamespaces{From: "All"}, map[string]bool{"friends": true, "others": true}},
		"Selector":            {v1alpha1.AllowedNamespaces{From: "Selector", Selector: label("yes")}, map[string]bool{"friends": true, "others": false, "gone": false}},
		"Selector, no own":    {v1alpha1.AllowedNamespaces{From: "Selector", Selector: label("never")}, map[string]bool{"friends": false, "others": false}},
		"Selector of all":     {v1alpha1.AllowedNamespaces{From: "Selector", Selector: &metav1.LabelSelector{}}, map[string]bool{"friends": true, "others": true, "gone": false}},
		"Selector left out":   {v1alpha1.AllowedNamespaces{From: "Selector"}, map[string]bool{"friends": false, "others": false}},
		"Selector unreadable": {v1alpha1.AllowedNamespaces{From: "Selector", Selector: unreadable}, map[string]bool{"friends": false, "others": false}},
		"selector, Same":      {v1alpha1.AllowedNamespaces{From: "Same", Selector: label("yes")}, map[string]bool{"friends": false}},
	} {
		reader := cluster(&test.allowed)
		for _, spelled := range []string{"", "payments"} {
			if found, err := account.ForOrder(t.Context(), reader, orderIn("payments", spelled)); err != nil || found.Name != "shop" {
				t.Errorf("%s: its own namespace may not: %v", name, err)
			}
		}
		for namespace, want := range test.who {
			found, err := account.ForOrder(t.Context(), reader, orderIn(namespace, "payments"))
			problem, _ := account.AsProblem(err)
			switch {
			case want && (err != nil || found.Name != "shop"):
				t.Errorf("%s: %s may not: %v", name, namespace, err)
			case !want && (found != nil || problem == nil || problem.Reason != v1alpha1.ReasonNotPermitted):
				t.Errorf("%s: %s: %v, %v", name, namespace, found, err)
			}
		}
	}
}

// TestRefusalDoesNotRevealMerchants: the messages for a missing Merchant and for one that is not
// allowed are identical.
func TestRefusalDoesNotRevealMerchants(t *testing.T) {
	t.Parallel()
	_, notThere := account.ForOrder(t.Context(), cluster(nil), orderIn("others", "payments"))
	for _, allowed := range []v1alpha1.AllowedNamespaces{{}, {From: "Same"}, {From: "Selector", Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"shop": "yes"}}}} {
		_, notAllowed := account.ForOrder(t.Context(), cluster(&allowed), orderIn("others", "payments"))
		a, aIs := account.AsProblem(notThere)
		b, bIs := account.AsProblem(notAllowed)
		if !aIs || !bIs || *a != *b {
			t.Errorf("%v and %v", notThere, notAllowed)
		}
	}
	if !strings.Contains(notThere.Error(), "spec.allowedNamespaces") {
		t.Errorf("it does not say what to do: %v", notThere)
	}
}

func TestMissingMerchantInOwnNamespace(t *testing.T) {
	t.Parallel()
	_, err := account.ForOrder(t.Context(), cluster(nil), orderIn("payments", ""))
	if problem, is := account.AsProblem(err); !is || problem.Reason != v1alpha1.ReasonMerchantNotReady || !strings.Contains(problem.Message, "create it") {
		t.Errorf("%v", err)
	}
}

// outage is an API server that does not answer for one kind.
type outage struct {
	client.Reader
	merchants bool
}

var errOutage = errors.New("the API server does not answer")

func (o outage) Get(ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	if _, isMerchant := object.(*v1alpha1.Merchant); isMerchant == o.merchants {
		return errOutage
	}
	return o.Reader.Get(ctx, key, object, options...)
}

// TestAPIServerOutageIsNotARefusal: an Order must not be shown as not permitted because the API
// server did not answer.
func TestAPIServerOutageIsNotARefusal(t *testing.T) {
	t.Parallel()
	allowed := &v1alpha1.AllowedNamespaces{From: "Selector", Selector: &metav1.LabelSelector{}}
	for _, merchants := range []bool{true, false} {
		_, err := account.ForOrder(t.Context(), outage{cluster(allowed), merchants}, orderIn("friends", "payments"))
		if _, isProblem := account.AsProblem(err); isProblem || !errors.Is(err, errOutage) {
			t.Errorf("%v", err)
		}
	}
}
