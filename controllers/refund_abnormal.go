package controllers

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/guard"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// The entries of the Secret that spec.abnormal names.
const (
	entryBankAccount = "account"
	entryBankName    = "name"
)

// verifyAbnormalWhenSeen verifies the decision in spec.abnormal like an approval: at the moment when
// it is first seen, since the field does not say who wrote it. It sends money to a bank account.
func (r *RefundReconciler) verifyAbnormalWhenSeen(ctx context.Context, f *refund) progress {
	if f.Spec.Abnormal == nil || isDeleted(f) || lifecycle.AbnormalTrusted(f.Refund) || lifecycle.AbnormalReason(f.Refund) == v1alpha1.ReasonApprovedUnguarded {
		return next()
	}
	before, now := r.Guard.LookNow(ctx, f.Refund)
	status, reason, message := metav1.ConditionUnknown, v1alpha1.ReasonApproved, "Where the money goes was decided; WeChat Pay is told next"
	switch {
	case before.State == guard.Missing, now.State == guard.Missing:
		status, reason = metav1.ConditionFalse, v1alpha1.ReasonApprovedUnguarded
		message = "spec.abnormal was set while the policy on approvals was missing, so nobody knows whether by somebody who may. It is not sent: give the money back in the merchant platform (交易中心 → 退款管理)"
	case now.State != guard.InForce:
		reason, message = explainGuard(now, f.Namespace)
	}
	if err := r.record(ctx, f, func(refund *v1alpha1.Refund) {
		lifecycle.AbnormalHandled(refund, status, reason, message, r.Clock.Now())
	}); err != nil {
		return stoppedBy(err)
	}
	if reason == v1alpha1.ReasonApproved {
		r.note(f.Refund, "AbnormalDecided", "Decide", "Where the money of refund %s goes was decided: %s", f.Number(), f.Spec.Abnormal.To)
	}
	return next()
}

// resolveAbnormal tells WeChat where to send the money of an abnormal refund. The request is
// encrypted and so differs each time; it is repeated only while a query still says Abnormal.
func (r *RefundReconciler) resolveAbnormal(ctx context.Context, f *refund) progress {
	if f.Spec.Abnormal == nil || !lifecycle.IsAbnormal(f.Refund) || !lifecycle.AbnormalTrusted(f.Refund) || lifecycle.AbnormalReason(f.Refund) == v1alpha1.ReasonAccepted {
		return next()
	}
	if r.callHoldoffs.wait(f, r.Clock.Now()) > 0 {
		return next() // to the poll
	}
	if found := r.Guard.Look(ctx, f.Namespace); found.State != guard.InForce {
		r.callHoldoffs.until(f, r.Clock.Now().Add(r.Timing.GuardRetry))
		return next()
	}
	fact, err := f.account.QueryRefund(ctx, f.ref())
	switch {
	case err != nil:
		r.callHoldoffs.until(f, r.Clock.Now().Add(r.waitAfter(f, err)))
		return next()
	case fact.Status != wechatpay.RefundStatusAbnormal:
		return r.applyFact(ctx, f, fact)
	}
	request, problem, err := r.abnormalRequest(ctx, f)
	switch {
	case err != nil:
		return failed(err)
	case problem != nil:
		return r.abnormalWaits(ctx, f, func(refund *v1alpha1.Refund) {
			lifecycle.AbnormalHandled(refund, metav1.ConditionFalse, problem.Reason, problem.Message, r.Clock.Now())
		})
	}
	if cause := f.account.ResolveAbnormalRefund(ctx, request); cause != nil {
		return r.abnormalWaits(withCallError(ctx, cause), f, func(refund *v1alpha1.Refund) { lifecycle.AbnormalHandledBy(refund, cause, r.Clock.Now()) })
	}
	r.callHoldoffs.clear(f.UID)
	err = r.record(withCallOutcome(ctx, wechatpay.OperationResolveAbnormalRefund, nil), f, func(refund *v1alpha1.Refund) {
		lifecycle.AbnormalHandled(refund, metav1.ConditionTrue, v1alpha1.ReasonAccepted, "WeChat Pay accepted the new target of the money; the condition Succeeded shows when it has arrived", r.Clock.Now())
	})
	return afterWrite(err, done()) // the write starts the next reconcile, which follows it
}

// abnormalWaits shows what is wrong, and tries again slowly.
func (r *RefundReconciler) abnormalWaits(ctx context.Context, f *refund, change func(*v1alpha1.Refund)) progress {
	r.callHoldoffs.until(f, r.Clock.Now().Add(r.Timing.RetrySlowly))
	return afterWrite(r.record(ctx, f, change), next()) // to the poll
}

// abnormalRequest reads the payer's bank card from its Secret. The status never shows it.
func (r *RefundReconciler) abnormalRequest(ctx context.Context, f *refund) (wechatpay.AbnormalRefundRequest, *account.Problem, error) {
	decided := f.Spec.Abnormal
	request := wechatpay.AbnormalRefundRequest{
		OutRefundNo: f.Number(), RefundID: f.Status.RefundID, To: wechatpay.AbnormalRefundTarget(decided.To), BankType: decided.BankType,
	}
	if decided.SecretRef == nil {
		return request, nil, nil
	}
	secret := &corev1.Secret{}
	err := r.APIReader.Get(ctx, types.NamespacedName{Namespace: f.Namespace, Name: decided.SecretRef.Name}, secret)
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsForbidden(err) {
		return request, nil, err
	}
	request.Account, request.Name = strings.TrimSpace(string(secret.Data[entryBankAccount])), strings.TrimSpace(string(secret.Data[entryBankName]))
	if request.Account == "" || request.Name == "" {
		// The same message for a Secret that is missing and for one that is incomplete: the user
		// who decides may not be allowed to read it.
		return request, &account.Problem{Reason: v1alpha1.ReasonSecretNotFound, Message: fmt.Sprintf(
			"Secret %s/%s of spec.abnormal.secretRef can't be used: it must exist, be readable for the operator, and have the entries %s (the card's number) and %s (its owner's name)",
			f.Namespace, decided.SecretRef.Name, entryBankAccount, entryBankName)}, nil
	}
	return request, nil, nil
}
