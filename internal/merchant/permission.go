package merchant

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/sight"
)

// ForOrder fetches the Merchant that an Order refers to, if it may. A Merchant of another namespace that is not there and
// one that does not allow the Order's namespace give the same answer, so that nobody learns which Merchants exist.
func ForOrder(ctx context.Context, reader client.Reader, order *v1alpha1.Order) (*v1alpha1.Merchant, error) {
	namespace, name := order.MerchantKey()
	merchant := &v1alpha1.Merchant{}
	err := reader.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, merchant)
	if outside, ok := errors.AsType[*sight.OutsideError](err); ok {
		return nil, &Problem{v1alpha1.ReasonNotPermitted, fmt.Sprintf(
			"Merchant %s in namespace %s can't be used: %v. Name a Merchant that is in sight, or widen the flag", name, namespace, outside)}
	}
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
		return selects(ctx, reader, merchant, namespace)
	default:
		return false, nil
	}
}

func selects(ctx context.Context, reader client.Reader, merchant *v1alpha1.Merchant, name string) (bool, error) {
	parsed, err := metav1.LabelSelectorAsSelector(merchant.Spec.AllowedNamespaces.Selector)
	if err != nil {
		// A selector that can't be read allows nobody.
		return false, nil //nolint:nilerr // the Merchant's owner sees it as a refusal, not as an outage
	}
	namespace := &corev1.Namespace{}
	err = reader.Get(ctx, types.NamespacedName{Name: name}, namespace)
	if apierrors.IsForbidden(err) {
		// The Order says no more than for any other refusal, so that nobody learns which Merchants exist.
		log.FromContext(ctx).Info("A Merchant selects namespaces by labels that the operator may not read: give its ServiceAccount the verb get on the namespace",
			"merchant", client.ObjectKeyFromObject(merchant).String(), "namespace", name)
		return false, nil
	}
	if err != nil {
		return false, client.IgnoreNotFound(err)
	}
	return parsed.Matches(labels.Set(namespace.Labels)), nil
}
