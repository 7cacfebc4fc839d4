package controllers

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/guard"
)

// listenToGuard starts a reconcile of the Merchants of a namespace when the policy is removed or
// restored.
func (r *MerchantReconciler) listenToGuard(ctx context.Context, queue queueOfRequests) error {
	r.Guard.Listen(func(namespace string) {
		var merchants v1alpha1.MerchantList
		if err := r.Client.List(ctx, &merchants, client.InNamespace(namespace)); err != nil {
			ctrl.LoggerFrom(ctx).Error(err, "Failed to list the Merchants whose Refunds the policy on approvals guards", "namespace", namespace)
			return
		}
		for i := range merchants.Items {
			queue.Add(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&merchants.Items[i])})
		}
	})
	return nil
}

// refundsGuarded returns the condition RefundsGuarded.
func (r *MerchantReconciler) refundsGuarded(ctx context.Context, m *v1alpha1.Merchant) metav1.Condition {
	found := r.Guard.Look(ctx, m.Namespace)
	if found.State == guard.InForce {
		return metav1.Condition{Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonGuarded,
			Message: "Only users with the verb approve on refunds.wechatpay-operator.io can approve Refunds in namespace " + m.Namespace}
	}
	status := metav1.ConditionUnknown
	if found.State == guard.Missing {
		status = metav1.ConditionFalse
	}
	reason, message := explainGuard(found, m.Namespace)
	return metav1.Condition{Status: status, Reason: reason, Message: message}
}
