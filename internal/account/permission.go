package account

import (
	"context"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/nsfilter"
)

// ForOrder fetches the Merchant that an Order refers to, if the Order may use it. In another
// namespace, a Merchant that does not exist and one that does not allow the Order's namespace give
// the same error, so that users can't find out which Merchants exist.
func ForOrder(ctx context.Context, reader client.Reader, order *v1alpha1.Order) (*v1alpha1.Merchant, error) {
	merchant, err := merchantOf(ctx, reader, order)
	if err != nil {
		return nil, err
	}
	if err := permits(ctx, reader, merchant, order, order.Number()); err != nil {
		return nil, err
	}
	return merchant, nil
}

// OfParticipant fetches the Merchant of an Order that counts in number claims, callbacks and sums:
// its Merchant grants it, or granted it when the Order was started. A started Order is completed
// even if the grant is removed.
func OfParticipant(ctx context.Context, reader client.Reader, order *v1alpha1.Order) (*v1alpha1.Merchant, error) {
	if lifecycle.Started(order) || lifecycle.IsPaid(order) {
		return merchantOf(ctx, reader, order)
	}
	return ForOrder(ctx, reader, order)
}

// PermitsRefund returns a *Problem if a Merchant does not permit a Refund of an Order: the grant
// was removed, or the namespace may not use the number.
func PermitsRefund(ctx context.Context, reader client.Reader, merchant *v1alpha1.Merchant, order *v1alpha1.Order, outRefundNo string) error {
	return permits(ctx, reader, merchant, order, outRefundNo)
}

// merchantOf fetches the Merchant that an Order names, without checking the grant.
func merchantOf(ctx context.Context, reader client.Reader, order *v1alpha1.Order) (*v1alpha1.Merchant, error) {
	namespace, name := order.MerchantKey()
	merchant := &v1alpha1.Merchant{}
	err := reader.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, merchant)
	if outside, ok := errors.AsType[*nsfilter.NotWatchedError](err); ok {
		return nil, &Problem{v1alpha1.ReasonNotPermitted, fmt.Sprintf(
			"Merchant %s in namespace %s can't be used: %v. Name a Merchant in a watched namespace, or extend the flag", name, namespace, outside)}
	}
	switch {
	case apierrors.IsNotFound(err) && namespace == order.Namespace:
		return nil, &Problem{v1alpha1.ReasonMerchantNotReady, fmt.Sprintf("Merchant %s does not exist in namespace %s: create it, or create an Order that names another", name, namespace)}
	case apierrors.IsNotFound(err):
		return nil, notPermitted(order)
	case err != nil:
		return nil, err
	}
	return merchant, nil
}

// permits returns nil, or a *Problem if there is no grant for the namespace or the number, or an
// error of the API server.
func permits(ctx context.Context, reader client.Reader, merchant *v1alpha1.Merchant, order *v1alpha1.Order, number string) error {
	if order.Namespace == merchant.Namespace {
		return nil
	}
	rules := merchant.Spec.AllowedNamespaces
	if rules.From != v1alpha1.NamespacesFromAll && rules.From != v1alpha1.NamespacesFromSelector {
		return notPermitted(order)
	}
	if rules.From == v1alpha1.NamespacesFromAll && rules.Numbers != v1alpha1.NumbersPrefixed {
		return nil
	}
	namespaceLabels, err := labelsOf(ctx, reader, merchant, order.Namespace)
	switch {
	case err != nil:
		return err
	case namespaceLabels == nil || rules.From == v1alpha1.NamespacesFromSelector && !selects(rules.Selector, namespaceLabels):
		return notPermitted(order)
	case rules.Numbers == v1alpha1.NumbersPrefixed:
		return permitsNumber(order.Namespace, number, namespaceLabels[v1alpha1.LabelNumberPrefix])
	}
	return nil
}

// permitsNumber compares case-sensitively, so that AB-1 does not match the prefix ab-.
func permitsNumber(namespace, number, prefix string) error {
	switch {
	case prefix == "":
		return &Problem{v1alpha1.ReasonNotPermitted, fmt.Sprintf(
			"The Merchant accepts only numbers with the prefix of their namespace, and Namespace %s has none: a cluster administrator can set its label %s", namespace, v1alpha1.LabelNumberPrefix)}
	case !strings.HasPrefix(number, prefix):
		return &Problem{v1alpha1.ReasonNotPermitted, fmt.Sprintf(
			"The Merchant accepts from namespace %s only numbers that begin with %q (its label %s), and %s does not: create another object with such a number",
			namespace, prefix, v1alpha1.LabelNumberPrefix, number)}
	}
	return nil
}

func notPermitted(order *v1alpha1.Order) *Problem {
	namespace, name := order.MerchantKey()
	return &Problem{v1alpha1.ReasonNotPermitted, fmt.Sprintf(
		"Namespace %s may not use a Merchant %s in namespace %s: its owner can allow it in spec.allowedNamespaces", order.Namespace, name, namespace)}
}

func selects(selector *metav1.LabelSelector, set labels.Set) bool {
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	// An invalid selector allows no namespace. The users see a refusal, not an outage.
	return err == nil && parsed.Matches(set)
}

// PermitsNamespace reports whether a namespace may use an object: it is in this namespace, or its
// spec.allowedNamespaces grants that.
func PermitsNamespace(ctx context.Context, reader client.Reader, owner client.Object, from v1alpha1.FromNamespaces, selector *metav1.LabelSelector, namespace string) (bool, error) {
	switch {
	case owner.GetNamespace() == namespace, from == v1alpha1.NamespacesFromAll:
		return true, nil
	case from != v1alpha1.NamespacesFromSelector:
		return false, nil
	}
	found, err := labelsOf(ctx, reader, owner, namespace)
	return err == nil && found != nil && selects(selector, found), err
}

// labelsOf returns the labels of a Namespace, or nil if it does not exist or may not be read.
func labelsOf(ctx context.Context, reader client.Reader, owner client.Object, name string) (labels.Set, error) {
	namespace := &corev1.Namespace{}
	err := reader.Get(ctx, types.NamespacedName{Name: name}, namespace)
	if apierrors.IsForbidden(err) {
		// The Order's message is the same as for any other refusal, so that users can't find out
		// which Merchants exist.
		log.FromContext(ctx).Info("An object selects namespaces by labels that the operator may not read: give its ServiceAccount the verb get on the namespace",
			"owner", client.ObjectKeyFromObject(owner).String(), "namespace", name)
		return nil, nil
	}
	if err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	if namespace.Labels == nil {
		return labels.Set{}, nil
	}
	return namespace.Labels, nil
}
