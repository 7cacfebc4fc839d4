package controllers

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/guard"
	"github.com/wechatpay-operator/wechatpay-operator/internal/index"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// Guard reports whether the admission policy is in force that restricts who may approve a Refund.
type Guard interface {
	// Look returns what is known about a namespace, which may be some minutes old.
	Look(ctx context.Context, namespace string) guard.Finding
	// LookNow returns what was known, and what a check for a Refund finds now.
	LookNow(ctx context.Context, refund *v1alpha1.Refund) (before, now guard.Finding)
	// Listen sets a function that is called when what is known about a namespace changes.
	Listen(changed func(namespace string))
}

// requireGuard lets a Refund continue only if its decision can be trusted. An approval is a field
// of the spec, which does not say who wrote it; only the policy in force makes it an approval.
//
// An approval is trusted if the policy was in force after this process first saw it, and was not
// known to be missing before: it was made before it was seen, and the policy is checked at that
// moment. A trusted approval is recorded at once, before anything is sent, and remains trusted. An
// approval made while the policy was missing is never trusted, even if the policy returns a moment
// later. One case can't be detected: a policy that was removed and restored while no operator was
// running.
func (r *RefundReconciler) requireGuard(ctx context.Context, f *refund) progress {
	approved := f.Spec.Approval == v1alpha1.ApprovalApproved
	switch {
	case lifecycle.ApprovedReason(f.Refund) == v1alpha1.ReasonApprovedUnguarded:
		return r.endUnguarded(ctx, f)
	case f.Spec.Approval == v1alpha1.ApprovalDenied, lifecycle.IsAutomatic(f.Refund, f.merchant.Spec.RefundApproval):
		return next() // nothing is refunded, or no approval is needed
	case approved && !lifecycle.ApprovalTrusted(f.Refund):
		return r.verifyApproval(ctx, f)
	}
	if found := r.checkGuardBeforeDecision(ctx, f); found.State != guard.InForce {
		return r.awaitGuard(ctx, f, found)
	}
	return next()
}

// verifyApprovalWhenSeen verifies an approval at the moment it is first seen, whatever the Refund
// waits for: its Order, the payment, the Merchant, a grant, its number. Verified only after the
// wait, an approval made while the policy was missing would pass once the policy is back. It does
// so for Automatic Merchants too: the Merchant's policy, or the Order that has the name, may be
// another one after the wait. If the policy's state is unknown, requireGuard waits for it later.
func (r *RefundReconciler) verifyApprovalWhenSeen(ctx context.Context, f *refund) progress {
	if f.Spec.Approval != v1alpha1.ApprovalApproved || isDeleted(f) || lifecycle.RefundBegun(f.Refund) ||
		lifecycle.ApprovalTrusted(f.Refund) || lifecycle.ApprovedReason(f.Refund) == v1alpha1.ReasonApprovedUnguarded {
		return next()
	}
	_, err := r.recordTrust(ctx, f)
	return afterWrite(err, next())
}

// recordTrust checks the policy for a Refund whose approval is seen, and records the result: InForce
// means that the approval is trusted, Missing that it never is.
func (r *RefundReconciler) recordTrust(ctx context.Context, f *refund) (found guard.Finding, err error) {
	before, found := r.Guard.LookNow(ctx, f.Refund)
	if before.State == guard.Missing || lifecycle.ApprovedReason(f.Refund) == v1alpha1.ReasonPolicyMissing {
		found = guard.Finding{State: guard.Missing}
	}
	switch found.State {
	case guard.Missing:
		err = r.record(ctx, f, func(refund *v1alpha1.Refund) { lifecycle.ApprovedUnguarded(refund, r.Clock.Now()) })
	case guard.InForce:
		err = r.record(ctx, f, func(refund *v1alpha1.Refund) { lifecycle.Approved(refund, r.Clock.Now()) })
		if err == nil {
			r.note(f.Refund, v1alpha1.ReasonApproved, "Decide", "Refund of %d (minor units) of Order %s was decided: %s", f.Spec.Amount, f.Spec.OrderRef.Name, f.Spec.Approval)
		}
	}
	return found, err
}

// checkGuardBeforeDecision checks the policy for a Refund before it first awaits approval: a
// binding may exclude it.
func (r *RefundReconciler) checkGuardBeforeDecision(ctx context.Context, f *refund) guard.Finding {
	if f.Spec.Approval == "" && lifecycle.ApprovedReason(f.Refund) != v1alpha1.ReasonAwaitingApproval {
		if _, now := r.Guard.LookNow(ctx, f.Refund); now.State == guard.Missing {
			return now
		}
	}
	return r.Guard.Look(ctx, f.Namespace)
}

// maxPolicyTrials limits for how many Refunds the policy is checked at a time.
const maxPolicyTrials = 10

// RefundsToTry returns some undecided Refunds of a namespace, each with different labels: a binding
// may exclude some of them by label.
func RefundsToTry(cached client.Reader) func(ctx context.Context, namespace string) []*v1alpha1.Refund {
	return func(ctx context.Context, namespace string) (chosen []*v1alpha1.Refund) {
		refunds, err := waitingRefunds(ctx, cached, client.InNamespace(namespace))
		if err != nil {
			ctrl.LoggerFrom(ctx).Error(err, "Failed to list Refunds to try the policy on approvals on", "namespace", namespace)
			return nil
		}
		seen := map[string]bool{}
		for i := range refunds {
			refund := &refunds[i]
			labelled := labels.FormatLabels(refund.Labels)
			if refund.Spec.Approval == "" && !isDeleted(refund) && !seen[labelled] && len(chosen) < maxPolicyTrials {
				seen[labelled] = true
				chosen = append(chosen, refund.DeepCopy())
			}
		}
		return chosen
	}
}

// waitingRefunds lists the Refunds that WeChat has not accepted yet, which belong to the cache.
func waitingRefunds(ctx context.Context, cached client.Reader, options ...client.ListOption) ([]v1alpha1.Refund, error) {
	var refunds v1alpha1.RefundList
	options = append(options, client.MatchingFields{index.RefundWaiting: index.Waiting}, index.WithoutOwnWrites, client.UnsafeDisableDeepCopy)
	err := cached.List(ctx, &refunds, options...)
	return refunds.Items, err
}

// verifyApproval decides whether an approval that is seen for the first time is trusted.
func (r *RefundReconciler) verifyApproval(ctx context.Context, f *refund) progress {
	found, err := r.recordTrust(ctx, f)
	switch {
	case err != nil:
		return stoppedBy(err)
	case found.State == guard.Missing:
		return r.endUnguarded(ctx, f)
	case found.State == guard.InForce:
		return next()
	default:
		return r.awaitGuard(ctx, f, found)
	}
}

// endUnguarded ends a Refund whose approval is not trusted, unless WeChat has it, for example from
// before a restore.
func (r *RefundReconciler) endUnguarded(ctx context.Context, f *refund) progress {
	if allowed, wait := r.allowLookup(ctx, f); !allowed {
		return again(wait)
	}
	fact, err := f.account.QueryRefund(ctx, f.ref())
	switch {
	case err == nil:
		return r.recover(ctx, f, fact)
	case wechatpay.Means(err, wechatpay.RefundNotExist):
		return r.end(ctx, f, v1alpha1.ReasonApprovedUnguarded, lifecycle.UnguardedMessage)
	default:
		return r.queryFailed(ctx, f, err, r.retries.after(f.UID, err))
	}
}

// awaitGuard shows that the Refund waits for the policy. A Refund that was approved while the
// policy was in force keeps its approval, but is not sent.
func (r *RefundReconciler) awaitGuard(ctx context.Context, f *refund, found guard.Finding) progress {
	reason, message := explainGuard(found, f.Namespace)
	err := r.record(ctx, f, func(refund *v1alpha1.Refund) {
		lifecycle.AwaitingGuard(refund, reason, message, r.Clock.Now())
		if lifecycle.ApprovalTrusted(refund) {
			lifecycle.NotAccepted(refund, metav1.ConditionFalse, reason, message, r.Clock.Now())
		}
	})
	return afterWrite(err, again(r.Timing.GuardRetry)) // a change starts the next reconcile earlier
}

func (r *RefundReconciler) reportAutomatic(f *refund) {
	r.note(f.Refund, v1alpha1.ReasonAutomatic, "Decide", "Refund of %d (minor units) of Order %s is sent without an approval: Merchant %s/%s has refundApproval Automatic",
		f.Spec.Amount, f.order.Name, f.merchant.Namespace, f.merchant.Name)
}

// explainGuard returns the reason and message while something waits for the policy.
func explainGuard(found guard.Finding, namespace string) (reason, message string) {
	if found.State == guard.Missing {
		return v1alpha1.ReasonPolicyMissing, fmt.Sprintf("The ValidatingAdmissionPolicy %s is not in force in namespace %s, so anybody could approve Refunds: "+
			"install config/policy and its bindings again, with validationActions Deny, and see that the operator's own ServiceAccount has no verb approve. "+
			"Refunds that need an approval wait until then; do not approve any before", guard.Policy, namespace)
	}
	return v1alpha1.ReasonPolicyNotVerified, fmt.Sprintf("Whether the ValidatingAdmissionPolicy %s is in force in namespace %s is not known yet, and Refunds that need an approval wait; "+
		"it is checked again automatically. %s", guard.Policy, namespace, found.Why)
}

// listenToGuard starts a reconcile of the waiting Refunds of a namespace when the policy is removed
// or restored.
func (r *RefundReconciler) listenToGuard(ctx context.Context, queue queueOfRequests) error {
	r.Guard.Listen(func(namespace string) {
		refunds, err := waitingRefunds(ctx, r.Client, client.InNamespace(namespace))
		if err != nil {
			ctrl.LoggerFrom(ctx).Error(err, "Failed to list the Refunds that wait for the policy on approvals", "namespace", namespace)
			return
		}
		for i := range refunds {
			queue.Add(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&refunds[i])})
		}
	})
	return nil
}

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
