package controllers

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/guard"
	"github.com/wechatpay-operator/wechatpay-operator/internal/index"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// Guard tells whether the policy is in force that lets nobody approve a Refund but who has the right to.
type Guard interface {
	// Look returns what is known of a namespace, which may be some minutes old.
	Look(ctx context.Context, namespace string) guard.Finding
	// LookNow returns what was known, and what is so now for a Refund.
	LookNow(ctx context.Context, refund *v1alpha1.Refund) (before, now guard.Finding)
	// Listen has a function called whenever what is known of a namespace changes.
	Listen(changed func(namespace string))
}

// heedGuard lets a Refund pass only if it is known who decided on it. An approval is in the spec, and nothing there tells who
// wrote it; that the policy on approvals is in force is what makes it one.
//
// An approval is believed when the policy was in force after this process first saw it, and was not known to be missing before:
// it was made earlier than it was seen, and the policy is tried again at that moment. What is believed is written down at once,
// before anything is sent, and stays believed. What was made while the policy was missing is never believed, also when the policy
// comes back a moment later. What can't be seen from here: a policy that was away and came back while no operator was running.
func (r *RefundReconciler) heedGuard(ctx context.Context, f *refund) progress {
	approved := f.Spec.Approval == v1alpha1.ApprovalApproved
	switch {
	case lifecycle.ApprovedReason(f.Refund) == v1alpha1.ReasonApprovedUnguarded:
		return r.endUnguarded(ctx, f)
	case f.Spec.Approval == v1alpha1.ApprovalDenied, lifecycle.IsAutomatic(f.Refund, f.merchant.Spec.RefundApproval):
		return next() // no money moves, or nobody's approval is needed
	case approved && !lifecycle.ApprovalTrusted(f.Refund):
		return r.judgeApproval(ctx, f)
	}
	if found := r.lookBeforePeopleDecide(ctx, f); found.State != guard.InForce {
		return r.awaitGuard(ctx, f, found)
	}
	return next()
}

// lookBeforePeopleDecide tries the policy on a Refund before it is shown to people for the first time: a binding may leave that one out.
func (r *RefundReconciler) lookBeforePeopleDecide(ctx context.Context, f *refund) guard.Finding {
	if f.Spec.Approval == "" && lifecycle.ApprovedReason(f.Refund) != v1alpha1.ReasonAwaitingApproval {
		if _, now := r.Guard.LookNow(ctx, f.Refund); now.State == guard.Missing {
			return now
		}
	}
	return r.Guard.Look(ctx, f.Namespace)
}

// mostTried bounds on how many Refunds the policy is tried at a time.
const mostTried = 10

// RefundsToTry are some Refunds of a namespace that nobody has decided on, each with labels of its own: whatever they choose by, a
// binding can leave some out.
func RefundsToTry(cached client.Reader) func(ctx context.Context, namespace string) []*v1alpha1.Refund {
	return func(ctx context.Context, namespace string) (chosen []*v1alpha1.Refund) {
		var refunds v1alpha1.RefundList
		if err := cached.List(ctx, &refunds, client.InNamespace(namespace), client.MatchingFields{index.RefundWaiting: index.Waiting}, index.WithoutOwnWrites, client.UnsafeDisableDeepCopy); err != nil {
			ctrl.LoggerFrom(ctx).Error(err, "Failed to list Refunds to try the policy on approvals on", "namespace", namespace)
			return nil
		}
		seen := map[string]bool{}
		for i := range refunds.Items {
			refund := &refunds.Items[i]
			labelled := labels.FormatLabels(refund.Labels)
			if refund.Spec.Approval == "" && !isDeleted(refund) && !seen[labelled] && len(chosen) < mostTried {
				seen[labelled] = true
				chosen = append(chosen, refund.DeepCopy())
			}
		}
		return chosen
	}
}

// judgeApproval decides whether an approval that is seen for the first time is believed.
func (r *RefundReconciler) judgeApproval(ctx context.Context, f *refund) progress {
	before, now := r.Guard.LookNow(ctx, f.Refund)
	shownMissing := lifecycle.ApprovedReason(f.Refund) == v1alpha1.ReasonPolicyMissing
	switch {
	case before.State == guard.Missing, now.State == guard.Missing, shownMissing:
		return r.distrust(ctx, f)
	case now.State == guard.InForce:
		if err := r.record(ctx, f, func(refund *v1alpha1.Refund) { lifecycle.Approved(refund, r.Clock.Now()) }); err != nil {
			return stoppedBy(err)
		}
		r.note(f.Refund, v1alpha1.ReasonApproved, "Decide", "Refund of %d (minor units) of Order %s was decided: %s", f.Spec.Amount, f.order.Name, f.Spec.Approval)
		return next()
	default:
		return r.awaitGuard(ctx, f, now)
	}
}

func (r *RefundReconciler) distrust(ctx context.Context, f *refund) progress {
	err := r.record(ctx, f, func(refund *v1alpha1.Refund) { lifecycle.ApprovedUnguarded(refund, r.Clock.Now()) })
	if err != nil {
		return stoppedBy(err)
	}
	return r.endUnguarded(ctx, f)
}

// endUnguarded ends a Refund whose approval is not believed, unless WeChat has it: from before a restore, for example.
func (r *RefundReconciler) endUnguarded(ctx context.Context, f *refund) progress {
	if mayLook, wait := r.mayLook(ctx, f); !mayLook {
		return again(wait)
	}
	fact, err := f.account.QueryRefund(ctx, f.ref())
	switch {
	case err == nil:
		return r.recover(ctx, f, fact)
	case wechatpay.Means(err, wechatpay.RefundNotExist):
		return r.end(ctx, f, v1alpha1.ReasonApprovedUnguarded, lifecycle.UnguardedMessage)
	default:
		return r.askFails(ctx, f, err, r.retries.after(f.UID, err))
	}
}

// awaitGuard shows that the Refund waits for the policy. One that was approved while it was in force keeps its approval, and is
// not sent all the same.
func (r *RefundReconciler) awaitGuard(ctx context.Context, f *refund, found guard.Finding) progress {
	reason, message := explainGuard(found, f.Namespace)
	err := r.record(ctx, f, func(refund *v1alpha1.Refund) {
		lifecycle.AwaitingGuard(refund, reason, message, r.Clock.Now())
		if lifecycle.ApprovalTrusted(refund) {
			lifecycle.NotAccepted(refund, metav1.ConditionFalse, reason, message, r.Clock.Now())
		}
	})
	if err != nil {
		return stoppedBy(err)
	}
	return again(r.Timing.GuardRetry) // a change starts the next reconcile before
}

func (r *RefundReconciler) tellAutomatic(f *refund) {
	r.note(f.Refund, v1alpha1.ReasonAutomatic, "Decide", "Refund of %d (minor units) of Order %s is sent without asking anybody: Merchant %s/%s has refundApproval Automatic",
		f.Spec.Amount, f.order.Name, f.merchant.Namespace, f.merchant.Name)
}

// explainGuard is the reason and message of what waits for the policy.
func explainGuard(found guard.Finding, namespace string) (reason, message string) {
	if found.State == guard.Missing {
		return v1alpha1.ReasonPolicyMissing, fmt.Sprintf("The ValidatingAdmissionPolicy %s is not in force in namespace %s, so that anybody could approve Refunds: "+
			"install config/policy and its bindings again, with validationActions Deny, and see that the operator's own ServiceAccount has no verb approve. "+
			"Refunds that need an approval wait until then; do not approve any before", guard.Policy, namespace)
	}
	return v1alpha1.ReasonPolicyNotVerified, fmt.Sprintf("Whether the ValidatingAdmissionPolicy %s is in force in namespace %s is not known yet, and Refunds that need an approval wait; "+
		"it is tried again by itself. %s", guard.Policy, namespace, found.Why)
}

// listenToGuard has the Refunds of a namespace that wait reconciled when the policy goes or comes.
func (r *RefundReconciler) listenToGuard(ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	r.Guard.Listen(func(namespace string) {
		var refunds v1alpha1.RefundList
		if err := r.Client.List(ctx, &refunds, client.InNamespace(namespace), client.MatchingFields{index.RefundWaiting: index.Waiting}, index.WithoutOwnWrites, client.UnsafeDisableDeepCopy); err != nil {
			ctrl.LoggerFrom(ctx).Error(err, "Failed to list the Refunds that wait for the policy on approvals", "namespace", namespace)
			return
		}
		for i := range refunds.Items {
			queue.Add(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&refunds.Items[i])})
		}
	})
	return nil
}

// listenToGuard has the Merchants of a namespace reconciled when the policy goes or comes.
func (r *MerchantReconciler) listenToGuard(ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
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

// refundsGuarded is the condition of that name.
func (r *MerchantReconciler) refundsGuarded(ctx context.Context, m *v1alpha1.Merchant) metav1.Condition {
	found := r.Guard.Look(ctx, m.Namespace)
	if found.State == guard.InForce {
		return metav1.Condition{Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonGuarded,
			Message: "Only who has the verb approve on refunds.wechatpay-operator.io can approve Refunds in namespace " + m.Namespace}
	}
	status := metav1.ConditionUnknown
	if found.State == guard.Missing {
		status = metav1.ConditionFalse
	}
	reason, message := explainGuard(found, m.Namespace)
	return metav1.Condition{Status: status, Reason: reason, Message: message}
}

// tellGuard writes an event when the policy is gone, and when it is back.
func (r *MerchantReconciler) tellGuard(m *v1alpha1.Merchant, before metav1.ConditionStatus, now metav1.Condition) {
	switch {
	case now.Status == metav1.ConditionFalse && before != metav1.ConditionFalse:
		r.warn(m, now.Reason, "CheckPolicy", "%s", now.Message)
	case now.Status == metav1.ConditionTrue && before == metav1.ConditionFalse:
		r.note(m, now.Reason, "CheckPolicy", "%s", now.Message)
	}
}

func statusOfCondition(m *v1alpha1.Merchant, kind string) metav1.ConditionStatus {
	if shown := conditionOf(m, kind); shown != nil {
		return shown.Status
	}
	return ""
}
