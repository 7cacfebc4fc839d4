package controllers

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/guard"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

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

func (r *RefundReconciler) reportAutomatic(f *refund) {
	r.note(f.Refund, v1alpha1.ReasonAutomatic, "Decide", "Refund of %d (minor units) of Order %s is sent without an approval: Merchant %s/%s has refundApproval Automatic",
		f.Spec.Amount, f.order.Name, f.merchant.Namespace, f.merchant.Name)
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
