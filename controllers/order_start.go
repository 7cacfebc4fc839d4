package controllers

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// findMerchant gets the Merchant and its Account, if the Order may use it and it can be used.
func (r *OrderReconciler) findMerchant(ctx context.Context, o *order) progress {
	found, handle, err := r.merchantFor(ctx, o.Order)
	if problem, ok := account.AsProblem(err); ok && problem.Reason == v1alpha1.ReasonNotPermitted && lifecycle.Started(o.Order) {
		o.revoked = problem
		found, handle, err = r.merchantOfStarted(ctx, o.Order)
	}
	if err == nil {
		o.merchant, o.account, o.payee = found, handle, lifecycle.PayeeOf(o.Order, found)
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
		r.polled.until(o, farFuture)
		return r.lateCheckDone(o, true) // not possible now; the schedule has more checks, and restored credentials start one
	}
	if !isHeld(o) && !r.Clock.Now().Before(o.Deadline()) {
		// Without the finalizer no call was made, so there is nothing to query.
		return r.endUnpaid(ctx, o, v1alpha1.ReasonExpired, "The time to pay is over; WeChat Pay was not asked. "+problem.Message)
	}
	err = r.record(ctx, o, func(order *v1alpha1.Order) {
		lifecycle.NotPrepared(order, metav1.ConditionFalse, merchantReason(problem), problem.Message, r.Clock.Now())
		if reason, why := r.closeReason(o); reason != "" && isHeld(o) {
			lifecycle.Closing(order, why+", but it can't be closed at WeChat Pay yet: "+problem.Message, r.Clock.Now())
		}
	})
	// A change of the Merchant starts the next reconcile; this wait is for Secrets, which are not
	// watched.
	return afterWrite(err, again(r.Timing.SecretsCheck))
}

// merchantReason returns the reason of Prepared or Accepted for a problem of a Merchant.
func merchantReason(problem *account.Problem) string {
	if problem.Reason == v1alpha1.ReasonNotPermitted {
		return v1alpha1.ReasonNotPermitted
	}
	return v1alpha1.ReasonMerchantNotReady
}

// merchantFor returns the Merchant and the Account for an Order that may use its Merchant.
func (b *Base) merchantFor(ctx context.Context, order *v1alpha1.Order) (*v1alpha1.Merchant, *account.Account, error) {
	found, err := account.ForOrder(ctx, b.Client, order)
	if err != nil {
		return nil, nil, err
	}
	return b.accountFor(ctx, order, found)
}

// merchantOfStarted returns them for an Order that was started with a grant, even if that was
// removed.
func (b *Base) merchantOfStarted(ctx context.Context, order *v1alpha1.Order) (*v1alpha1.Merchant, *account.Account, error) {
	found, err := account.OfParticipant(ctx, b.Client, order)
	if err != nil {
		return nil, nil, err
	}
	return b.accountFor(ctx, order, found)
}

func (b *Base) accountFor(ctx context.Context, order *v1alpha1.Order, found *v1alpha1.Merchant) (*v1alpha1.Merchant, *account.Account, error) {
	if createdTooLate(order, found) {
		return nil, nil, &account.Problem{Reason: v1alpha1.ReasonMerchantNotReady, Message: fmt.Sprintf("Merchant %s is being deleted and takes no new Orders", found.Name)}
	}
	handle, err := b.Registry.Get(ctx, found)
	if err == nil {
		if rejected := rejectedKey(found, handle); rejected != nil {
			return nil, nil, rejected
		}
		if problem := noCalls(found, handle); problem != nil {
			err = problem
		}
	}
	if problem, ok := account.AsProblem(err); ok && found.Namespace != order.Namespace {
		// Problems with Secrets of another namespace are shown only there.
		err = &account.Problem{Reason: problem.Reason, Message: fmt.Sprintf(
			"Merchant %s in namespace %s is not ready (%s); its owner can see the cause", found.Name, found.Namespace, problem.Reason)}
	}
	if err != nil {
		return nil, nil, err
	}
	return found, handle, nil
}

// noCalls returns why no call can be made although the key can be used: the protocol signs every
// call with the API certificate, and that can't be used.
func noCalls(found *v1alpha1.Merchant, handle *account.Account) *account.Problem {
	switch {
	case !handle.LacksCertificateFor(wechatpay.OperationQueryOrder):
		return nil
	case handle.CertificateProblem != nil:
		return handle.CertificateProblem
	default:
		return &account.Problem{Reason: v1alpha1.ReasonInvalidCertificate, Message: fmt.Sprintf(
			"Protocol %s signs every call with the merchant's API certificate: set spec.certificateSecretRef of Merchant %s to a Secret of type kubernetes.io/tls with it", handle.Protocol, found.Name)}
	}
}

// createdTooLate reports whether an Order must not use a Merchant that is being deleted: it was not
// started, and was created after the deletion or has no finalizer.
func createdTooLate(order *v1alpha1.Order, found *v1alpha1.Merchant) bool {
	if !isDeleted(found) || lifecycle.Started(order) {
		return false
	}
	return !isHeld(order) || order.CreationTimestamp.After(found.DeletionTimestamp.Time)
}

// rejectedKey stops all calls with a rejected key, until the Merchant's probe succeeds.
func rejectedKey(found *v1alpha1.Merchant, handle *account.Account) *account.Problem {
	if handle.Rejected() {
		return &account.Problem{Reason: v1alpha1.ReasonCredentialsRejected, Message: fmt.Sprintf(
			"WeChat Pay does not accept the %s of Merchant %s for its merchant number; nothing is sent until that is corrected", credentialName(handle), found.Name)}
	}
	return nil
}

// holdBeforeFirstCall adds the finalizer, unless the Order was created with it: after this step
// WeChat may know the order.
func (r *OrderReconciler) holdBeforeFirstCall(ctx context.Context, o *order) progress {
	if isHeld(o) {
		return next()
	}
	switch err := r.hold(ctx, o.Order); {
	case err == nil:
		return next()
	case isRefused(err):
		return r.notHeld(ctx, o, err)
	default:
		return stop(client.IgnoreNotFound(err))
	}
}

// credentialName returns the name of what WeChat recognises the merchant by.
func credentialName(handle *account.Account) string {
	if handle.CertificateUse.IdentifiesMerchant() {
		return "API certificate"
	}
	return "API key"
}
