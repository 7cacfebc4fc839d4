package merchant

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// ForOrder fetches the Merchant that an Order refers to, if it may. A Merchant of another namespace that is not there and
// one that does not allow the Order's namespace give the same answer, so that nobody learns which Merchants exist.
func ForOrder(ctx context.Context, reader client.Reader, order *v1alpha1.Order) (*v1alpha1.Merchant, error) {
	namespace, name := order.MerchantKey()
	merchant := &v1alpha1.Merchant{}
	err := reader.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, merchant)
	switch {
	case apierrors.IsNotFound(err) && namespace == order.Namespace:
		return nil, &Problem{v1alpha1.ReasonMerchantNotReady, fmt.Sprintf("Merchant %s does not exist in namespace %s: create it, or create an Order that names another", name, namespace)}
	case apierrors.IsNotFound(err):
		return nil, notPermitted(order)
	case err != nil:
		return nil, err
	}
	allowed, err := allows(ctx, reader, merchant, order.Namespace)
	if err != nil {
		return nil, err
	}
	if !allowed {
		return nil, notPermitted(order)
	}
	return merchant, nil
}

func notPermitted(order *v1alpha1.Order) *Problem {
	namespace, name := order.MerchantKey()
	return &Problem{v1alpha1.ReasonNotPermitted, fmt.Sprintf(
		"Namespace %s may not use a Merchant %s in namespace %s: who owns it can allow that by spec.allowedNamespaces", order.Namespace, name, namespace)}
}

func allows(ctx context.Context, reader client.Reader, merchant *v1alpha1.Merchant, namespace string) (bool, error) {
	if namespace == merchant.Namespace {
		return true, nil
	}
	switch merchant.Spec.AllowedNamespaces.From {
	case v1alpha1.NamespacesFromAll:
		return true, nil
	case v1alpha1.NamespacesFromSelector:
		return selects(ctx, reader, merchant.Spec.AllowedNamespaces.Selector, namespace)
	default:
		return false, nil
	}
}

func selects(ctx context.Context, reader client.Reader, selector *metav1.LabelSelector, name string) (bool, error) {
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		// A selector that can't be read allows nobody.
		return false, nil //nolint:nilerr // the Merchant's owner sees it as a refusal, not as an outage
	}
	namespace := &corev1.Namespace{}
	if err := reader.Get(ctx, types.NamespacedName{Name: name}, namespace); err != nil {
		return false, client.IgnoreNotFound(err)
	}
	return parsed.Matches(labels.Set(namespace.Labels)), nil
}
