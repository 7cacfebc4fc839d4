package controllers

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

func (r *RefundReconciler) findOrder(ctx context.Context, f *refund) progress {
	f.order = &v1alpha1.Order{}
	err := r.Client.Get(ctx, types.NamespacedName{Namespace: f.Namespace, Name: f.Spec.OrderRef.Name}, f.order)
	if err == nil {
		return next()
	}
	if !apierrors.IsNotFound(err) {
		return failed(err)
	}
	return r.waitWithout(ctx, f, v1alpha1.ReasonOrderNotFound, fmt.Sprintf(
		"Order %s does not exist in namespace %s: create it again from its YAML, or create another Refund", f.Spec.OrderRef.Name, f.Namespace))
}

func (r *RefundReconciler) findMerchant(ctx context.Context, f *refund) progress {
	found, acc, err := r.merchantOf(ctx, f)
	if err == nil {
		f.merchant, f.account, f.appID = found, acc, lifecycle.AppID(f.order, found)
		return next()
	}
	problem, ok := account.AsProblem(err)
	if !ok {
		return failed(err)
	}
	return r.waitWithout(ctx, f, merchantReason(problem), problem.Message)
}

// merchantOf returns the Merchant and the Account of a Refund. A Refund that was requested with a
// grant is followed to its end; a new one needs a current grant for its own number and for its
// Order's.
func (r *RefundReconciler) merchantOf(ctx context.Context, f *refund) (*v1alpha1.Merchant, *account.Account, error) {
	if lifecycle.RefundBegun(f.Refund) {
		return r.merchantOfStarted(ctx, f.order)
	}
	found, acc, err := r.merchantFor(ctx, f.order)
	if err == nil {
		err = account.PermitsRefund(ctx, r.Client, found, f.order, f.Number())
	}
	return found, acc, err
}

// waitWithout shows what is missing for calls to WeChat, and limits how long a deleted Refund waits
// for it. The finalizer of one that was never requested is removed at once.
func (r *RefundReconciler) waitWithout(ctx context.Context, f *refund, reason, message string) progress {
	if isDeleted(f) && lifecycle.NeverRequested(f.Refund) {
		return r.finishDeletion(ctx, f)
	}
	err := r.record(ctx, f, func(refund *v1alpha1.Refund) {
		lifecycle.NotAccepted(refund, metav1.ConditionFalse, reason, message, r.Clock.Now())
		if isDeleted(f) {
			lifecycle.Withdrawn(refund, r.Clock.Now())
		}
	})
	if err != nil {
		return stoppedBy(err)
	}
	if !isDeleted(f) {
		return again(r.Timing.SecretsCheck)
	}
	if waited := r.Clock.Since(f.DeletionTimestamp.Time); waited < r.Timing.AbandonAfter {
		return again(min(r.Timing.AbandonAfter-waited, r.Timing.SecretsCheck))
	}
	return r.abandonFinalizer(ctx, f, message)
}

// awaitPaidOrder prevents all queries about a Refund whose Order is not paid, unless it was
// requested before. A refund that WeChat has under the number is this Refund's only if the payment
// is this Order's: otherwise it belongs to another tenant or system, and nothing of it may be
// shown. An Order that lost its status finds its payment again without help.
func (r *RefundReconciler) awaitPaidOrder(ctx context.Context, f *refund) progress {
	switch {
	case lifecycle.IsPaid(f.order), lifecycle.RefundBegun(f.Refund):
		return next()
	case f.Spec.Approval == v1alpha1.ApprovalDenied && lifecycle.IsFinished(f.order) && !isDeleted(f):
		return r.deny(ctx, f)
	}
	return r.waitWithout(ctx, f, v1alpha1.ReasonOrderNotPaid, fmt.Sprintf(
		"Order %s is not paid (%s), so there is nothing to pay back yet", f.order.Name, lifecycle.PaidReason(f.order)))
}

// deny ends a Refund without a query: its Order ended unpaid.
func (r *RefundReconciler) deny(ctx context.Context, f *refund) progress {
	err := r.record(ctx, f, func(refund *v1alpha1.Refund) { lifecycle.Denied(refund, r.Clock.Now()) })
	return afterWrite(err, done())
}

// checkCertificate waits for the client certificate, in a protocol in which refunds need it.
func (r *RefundReconciler) checkCertificate(ctx context.Context, f *refund) progress {
	switch {
	case !f.account.LacksCertificateFor(wechatpay.OperationCreateRefund):
		return next()
	case f.account.CertificateProblem != nil && f.merchant.Namespace == f.Namespace:
		return r.waitFor(ctx, f, v1alpha1.ReasonCertificateMissing, f.account.CertificateProblem.Message)
	default:
		return r.waitFor(ctx, f, v1alpha1.ReasonCertificateMissing, fmt.Sprintf(
			"Refunds need a client certificate that can be used: set spec.certificateSecretRef of Merchant %s to a Secret of type kubernetes.io/tls with the merchant's API certificate", f.merchant.Name))
	}
}

// waitFor shows what an approved Refund waits for. A change of the Order or the Merchant starts the
// next reconcile; Secrets are read again periodically.
func (r *RefundReconciler) waitFor(ctx context.Context, f *refund, reason, message string) progress {
	err := r.record(ctx, f, func(refund *v1alpha1.Refund) {
		lifecycle.Approved(refund, r.Clock.Now())
		lifecycle.NotAccepted(refund, metav1.ConditionFalse, reason, message, r.Clock.Now())
	})
	return afterWrite(err, again(r.Timing.SecretsCheck))
}
