package controllers

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
)

// findMerchant gets the Merchant and its Account, if the Order may use it and it can be used.
func (r *OrderReconciler) findMerchant(ctx context.Context, o *order) progress {
	found, acc, err := r.merchantFor(ctx, o.Order)
	if problem, ok := account.AsProblem(err); ok && problem.Reason == v1alpha1.ReasonNotPermitted && lifecycle.Started(o.Order) {
		o.revoked = problem
		found, acc, err = r.merchantOfStarted(ctx, o.Order)
	}
	if err == nil {
		o.merchant, o.account, o.payee = found, acc, lifecycle.PayeeOf(o.Order, found)
		return next()
	}
	problem, ok := account.AsProblem(err)
	if !ok {
		return failed(err)
	}
	if isDeleted(o) {
		return r.abandonWithoutCredentials(ctx, o, problem)
	}
	if lifecycle.IsFinished(o.Order) {
		r.failedPolls.until(o, neverDue)
		return r.lateCheckDone(o, true) // not possible now; the schedule has more checks, and restored credentials start one
	}
	if !hasFinalizer(o) && !r.Clock.Now().Before(o.Deadline()) {
		// Without the finalizer no call was made, so there is nothing to query.
		return r.endUnpaid(ctx, o, v1alpha1.ReasonExpired, "The time to pay is over; WeChat Pay was not asked. "+problem.Message)
	}
	err = r.record(ctx, o, func(order *v1alpha1.Order) {
		lifecycle.NotPrepared(order, metav1.ConditionFalse, merchantReason(problem), problem.Message, r.Clock.Now())
		if reason, why := r.closeReason(o); reason != "" && hasFinalizer(o) {
			lifecycle.Closing(order, why+", but it can't be closed at WeChat Pay yet: "+problem.Message, r.Clock.Now())
		}
	})
	// A change of the Merchant starts the next reconcile; this wait is for Secrets, which are not
	// watched.
	return afterWrite(err, again(r.Timing.SecretsCheck))
}

// checkSpec ends an Order, before its first call, whose spec can't be sent for its Merchant.
func (r *OrderReconciler) checkSpec(ctx context.Context, o *order) progress {
	if lifecycle.Started(o.Order) {
		return next()
	}
	if len(o.payee.Attach) > lifecycle.MaxAttach {
		return r.endUnpaid(ctx, o, v1alpha1.ReasonRejected, fmt.Sprintf(
			"spec.attach is too long: WeChat Pay takes %d bytes, and an Order in another namespace than its Merchant is sent with %q before it. WeChat Pay was not asked. Create another Order with a shorter one",
			lifecycle.MaxAttach, o.Namespace+"/"))
	}
	if problem := lifecycle.PayerProblem(o.Order, o.merchant); problem != "" {
		return r.endUnpaid(ctx, o, v1alpha1.ReasonRejected, problem)
	}
	return next()
}

// addFinalizerBeforeFirstCall adds the finalizer, unless the Order was created with it: after this step
// WeChat may know the order.
func (r *OrderReconciler) addFinalizerBeforeFirstCall(ctx context.Context, o *order) progress {
	if hasFinalizer(o) {
		return next()
	}
	switch err := r.addFinalizer(ctx, o.Order); {
	case err == nil:
		return next()
	case isRefused(err):
		return r.goOnWithoutFinalizer(ctx, o, err)
	default:
		return stop(client.IgnoreNotFound(err))
	}
}

// goOnWithoutFinalizer shows that no call is made for an Order without finalizer. One that was started or is to
// be closed continues.
func (r *OrderReconciler) goOnWithoutFinalizer(ctx context.Context, o *order, refused error) progress {
	if lifecycle.Started(o.Order) {
		return afterWrite(r.showRefusal(ctx, o, metrics.WriteHold, refused), next())
	}
	if reason, why := r.closeReason(o); reason != "" {
		return r.endUnpaid(ctx, o, reason, why+"; WeChat Pay was not asked")
	}
	err := r.recordNotPrepared(ctx, o, metav1.ConditionFalse, v1alpha1.ReasonWriteRefused,
		"Nothing is sent to WeChat Pay without it, but "+refusal(metrics.WriteHold, refused))
	return afterWrite(err, again(r.Timing.SecretsCheck))
}
