package controllers

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
)

// readDate ends a Statement of a date that is not in the calendar, such as 2026-02-30.
func (r *StatementReconciler) readDate(ctx context.Context, s *statementScope) progress {
	day, err := bills.ParseDay(s.Spec.Date)
	if err != nil {
		return r.show(ctx, s, metav1.ConditionFalse, v1alpha1.ReasonExpired, fmt.Sprintf("There is no day %s. Delete this Statement, and create one of another day", s.Spec.Date), done())
	}
	s.day = day
	return next()
}

// findMerchant fetches the Merchant, from the Statement's namespace only: so a user who may create Statements in the
// Merchant's namespace can see its bills.
func (r *StatementReconciler) findMerchant(ctx context.Context, s *statementScope) progress {
	s.merchant = &v1alpha1.Merchant{}
	err := r.Client.Get(ctx, types.NamespacedName{Namespace: s.Namespace, Name: s.Spec.MerchantRef.Name}, s.merchant)
	switch {
	case apierrors.IsNotFound(err):
		return r.show(ctx, s, metav1.ConditionFalse, v1alpha1.ReasonMerchantNotFound, fmt.Sprintf(
			"Merchant %s does not exist in namespace %s: create it, or delete this Statement and create one of another Merchant", s.Spec.MerchantRef.Name, s.Namespace), done())
	case err != nil:
		return failed(err)
	case isDeleted(s.merchant):
		return r.notReady(ctx, s, fmt.Sprintf("Merchant %s is being deleted", s.merchant.Name))
	default:
		return next()
	}
}

// awaitBill waits until WeChat has the bill, and ends a Statement of a day whose bill it does not have any more.
func (r *StatementReconciler) awaitBill(ctx context.Context, s *statementScope) progress {
	policy, now := r.Timing.Bills.Policy, r.Clock.Now()
	ready := policy.Ready(s.day).Add(r.spread(s.Namespace, s.merchant.Name))
	switch turn := policy.Turn(s.day, now); {
	case turn == bills.TooEarly || turn == bills.MayAsk && now.Before(ready):
		return r.show(ctx, s, metav1.ConditionFalse, v1alpha1.ReasonWaiting, fmt.Sprintf(
			"WeChat Pay has the bill of %s from %s on (10:00 of the next day in Beijing), and the operator asks at %s", s.day, timeText(policy.Ready(s.day)), timeText(ready)), r.until(ready))
	case turn == bills.TooLate:
		r.forget(s.UID)
		return r.show(ctx, s, metav1.ConditionFalse, v1alpha1.ReasonExpired, fmt.Sprintf(
			"WeChat Pay let programs download the bill of %s until %s only. In the merchant platform (账户中心, 交易账单) a person can download it for longer", s.day, timeText(policy.Expires(s.day))), done())
	default:
		return next()
	}
}

// findAccount gets the Account of the Merchant, if its key is proven. A bill may be unsigned, so downloading one does
// not prove the key.
func (r *StatementReconciler) findAccount(ctx context.Context, s *statementScope) progress {
	acc, err := r.Registry.Get(ctx, s.merchant)
	problem, isProblem := account.AsProblem(err)
	switch {
	case err != nil && !isProblem:
		return failed(err)
	case err == nil:
		if problem = rejectedKey(s.merchant, acc); problem == nil {
			problem = noCalls(s.merchant, acc)
		}
	}
	if problem != nil {
		return r.notReady(ctx, s, problem.Message)
	}
	if !acc.Proven() || !account.IsProven(s.merchant) {
		return r.notReady(ctx, s, fmt.Sprintf("WeChat Pay has not accepted the key of Merchant %s yet: see its condition Ready", s.merchant.Name))
	}
	s.account = acc
	return next()
}

// notReady shows why the Merchant can't be used. Its change starts the next reconcile; this wait is for Secrets, which are not watched.
func (r *StatementReconciler) notReady(ctx context.Context, s *statementScope, message string) progress {
	return r.show(ctx, s, metav1.ConditionFalse, v1alpha1.ReasonMerchantNotReady, message, again(r.Timing.SecretsCheck))
}

// show writes why there is no complete bill, and ends the reconcile.
func (r *StatementReconciler) show(ctx context.Context, s *statementScope, status metav1.ConditionStatus, reason, message string, end progress) progress {
	err := record(ctx, &r.Base, s.Statement, func(shown *v1alpha1.Statement) {
		lifecycle.NotDownloaded(shown, status, reason, message, r.Clock.Now())
	})
	return afterWrite(err, end)
}

// timeText writes a time as the API does.
func timeText(at time.Time) string { return at.UTC().Format(time.RFC3339) }
