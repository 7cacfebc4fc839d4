package overlays_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

var env *controlplane.Environment

func TestMain(m *testing.M) { controlplane.Main(m, &env, nil) }

func kustomize(t *testing.T, folder string) []*unstructured.Unstructured {
	t.Helper()
	objects, err := controlplane.Kustomize(t.Context(), folder)
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

func apply(t *testing.T, objects ...*unstructured.Unstructured) {
	t.Helper()
	if err := env.ServerSideApply(t.Context(), objects...); err != nil {
		t.Fatal(err)
	}
}

// identity is a ServiceAccount of an installation, with a token of its own.
func identity(t *testing.T, namespace, name string) (*rest.Config, client.Client) {
	t.Helper()
	config, err := env.ServiceAccount(t.Context(), namespace, name)
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New(config, client.Options{Scheme: controlplane.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	return config, c
}

// rights are what RBAC gives an identity in a namespace beyond what every ServiceAccount has: "verb group/resource", with
// "=name" where it is limited to one.
func rights(t *testing.T, c client.Client, namespace string) []string {
	t.Helper()
	const nobody = "nobody"
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: nobody}}
	if err := env.Client.Create(t.Context(), account); client.IgnoreAlreadyExists(err) != nil {
		t.Fatal(err)
	}
	_, anybody := identity(t, namespace, nobody)
	everybodys := allRights(t, anybody, namespace)
	return slices.DeleteFunc(allRights(t, c, namespace), func(right string) bool { return slices.Contains(everybodys, right) })
}

func allRights(t *testing.T, c client.Client, namespace string) []string {
	t.Helper()
	review := &authorizationv1.SelfSubjectRulesReview{Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: namespace}}
	if err := c.Create(t.Context(), review); err != nil {
		t.Fatal(err)
	}
	if review.Status.Incomplete {
		t.Fatalf("the API server does not know all rights: %s", review.Status.EvaluationError)
	}
	rules := make([]rbacv1.PolicyRule, 0, len(review.Status.ResourceRules))
	for _, rule := range review.Status.ResourceRules {
		rules = append(rules, rbacv1.PolicyRule{Verbs: rule.Verbs, APIGroups: rule.APIGroups, Resources: rule.Resources, ResourceNames: rule.ResourceNames})
	}
	return rightsBy(rules)
}

func rightsBy(rules []rbacv1.PolicyRule) []string {
	found := []string{}
	for _, rule := range rules {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					right := fmt.Sprintf("%s %s/%s", verb, group, resource)
					if len(rule.ResourceNames) > 0 {
						right += "=" + strings.Join(rule.ResourceNames, ",")
					}
					found = append(found, right)
				}
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// rightsOf spells out what is expected: each line is verbs and a group/resource.
func rightsOf(lines ...string) []string {
	all := []string{}
	for _, line := range lines {
		words := strings.Fields(line)
		for _, verb := range words[:len(words)-1] {
			all = append(all, verb+" "+words[len(words)-1])
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func forbidden(t *testing.T, what string, err error) {
	t.Helper()
	if !apierrors.IsForbidden(err) {
		t.Errorf("%s: %v, want Forbidden", what, err)
	}
}
