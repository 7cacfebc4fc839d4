package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/statement"
	"github.com/wechatpay-operator/wechatpay-operator/internal/text"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// compare downloads the bill and compares it.
func (r *StatementReconciler) compare(ctx context.Context, s *statementScope) progress {
	release, acquired := r.namespaces.acquire(s.Namespace, statementsPerNamespace)
	if !acquired {
		return again(r.Timing.Bills.Busy)
	}
	defer release()
	// WeChat limits bills by merchant number, so the next one need not even be prepared.
	releaseAccount, acquired := r.accounts.acquire(account.IDOf(s.merchant).String(), 1)
	if !acquired {
		return again(r.Timing.Bills.Busy)
	}
	defer releaseAccount()
	found, err := r.comparer.Compare(ctx, s.account, s.merchant, s.day, r.Clock.Now())
	if err != nil {
		return r.failed(ctx, s, err)
	}
	r.failures.forget(s.UID)
	before, hash := lifecycle.BalancedReason(s.Statement), s.Status.Hash
	// The objects are queried before the result is stored: if the process ends between the two, the
	// next comparison queries them again.
	r.Missed.queryNow(found)
	at, more := r.afterComparison(s, found)
	err = record(withCallOutcome(ctx, wechatpay.OperationDownloadBill, nil), &r.Base, s.Statement, func(shown *v1alpha1.Statement) {
		lifecycle.StatementCompare(shown, r.comparison(s, found, at, more), r.Clock.Now())
	})
	if err != nil {
		return stoppedBy(err)
	}
	r.report(s, found, before, hash)
	if !more {
		at = neverDue
	}
	return r.later(s, at)
}

// failed shows why there is no complete bill, and when it is downloaded again.
func (r *StatementReconciler) failed(ctx context.Context, s *statementScope, err error) progress {
	if wait := wechatpay.RetryAfter(err); wait > 0 {
		return again(wait) // the operator's own limits: another bill is being downloaded
	}
	now := r.Clock.Now()
	is := func(status metav1.ConditionStatus, reason, message string, wait time.Duration) progress {
		return r.show(withCallError(ctx, err), s, status, reason, message, r.later(s, now.Add(wait)))
	}
	if refused, ok := errors.AsType[*bills.Refused](err); ok {
		return r.incomplete(ctx, s, refused.Error())
	}
	if incomplete, ok := errors.AsType[*statement.IncompleteError](err); ok {
		return r.incomplete(ctx, s, incomplete.Problems)
	}
	if busy, ok := errors.AsType[*statement.BusyError](err); ok {
		return r.show(ctx, s, metav1.ConditionFalse, v1alpha1.ReasonWaiting, fmt.Sprintf(
			"The bill of %s is large, and one large bill is compared at a time: %v. The operator tries again automatically, at least every %s",
			s.day, busy, r.Timing.Bills.RetryMost), r.later(s, now.Add(r.failures.next(s.UID))))
	}
	if unreadable, ok := errors.AsType[*statement.LedgerError](err); ok {
		return r.withoutLedger(ctx, s, unreadable)
	}
	failure, ok := errors.AsType[*wechatpay.Error](err)
	if !ok {
		return failed(err)
	}
	policy := r.Timing.Bills.Policy
	switch failure.Meaning {
	case wechatpay.NoStatement, wechatpay.StatementCreating:
		at := policy.NextAttempt(s.day, now)
		return r.show(withCallError(ctx, err), s, metav1.ConditionFalse, v1alpha1.ReasonCreating, fmt.Sprintf(
			"WeChat Pay has not made the bill of %s yet: %v. The operator asks again at %s", s.day, failure, timeText(at)), r.later(s, at))
	case wechatpay.CredentialsRejected, wechatpay.CertificateRejected, wechatpay.CertificateMissing, wechatpay.KeyMismatch, wechatpay.VerifiersMissing:
		return is(metav1.ConditionFalse, v1alpha1.ReasonMerchantNotReady, fmt.Sprintf("Merchant %s can't be used: %v", s.merchant.Name, failure), r.Timing.ProbeRejected)
	case wechatpay.NoRight, wechatpay.NotOffered, wechatpay.NeedsAttention, wechatpay.Rejected:
		if failure.Outcome == wechatpay.Unknown {
			break // the answer itself could not be used
		}
		return is(metav1.ConditionFalse, v1alpha1.ReasonNotAllowed, fmt.Sprintf(
			"WeChat Pay refuses this bill to the merchant number: %v. Look in the merchant platform (产品中心) whether bills may be downloaded by API. The operator tries again every %s",
			failure, r.Timing.Bills.RetrySlowly), r.Timing.Bills.RetrySlowly)
	}
	return is(metav1.ConditionUnknown, v1alpha1.ReasonWeChatUnreachable, fmt.Sprintf("%v. The operator tries again automatically, at least every %s", failure, r.Timing.Bills.RetryMost), r.failures.next(s.UID))
}

// incomplete shows that a bill can't be used. It warns of it once.
func (r *StatementReconciler) incomplete(ctx context.Context, s *statementScope, problem string) progress {
	if lifecycle.DownloadedReason(s.Statement) != v1alpha1.ReasonIncomplete && !lifecycle.StatementCompared(s.Statement) {
		r.warn(s.Statement, v1alpha1.ReasonIncomplete, "Download", "The bill of %s can't be used: %s", s.day, problem)
	}
	return r.show(ctx, s, metav1.ConditionFalse, v1alpha1.ReasonIncomplete, fmt.Sprintf(
		"What WeChat Pay sent as the bill of %s can't be used, so nothing is compared with it: %s. The operator downloads it again automatically, at least every %s. If this stays, download it in the merchant platform and compare",
		s.day, problem, r.Timing.Bills.RetryMost), r.later(s, r.Clock.Now().Add(r.failures.next(s.UID))))
}

// withoutLedger shows that the comparison waits for the ledger: without it, Orders that are gone would look like payments that nobody
// knows. The cause is the operator's, and in its log.
func (r *StatementReconciler) withoutLedger(ctx context.Context, s *statementScope, cause error) progress {
	r.log(ctx).Info("A Statement waits for the ledger", "statement", s.Namespace+"/"+s.Name, "problem", text.AtMost(512, cause.Error()))
	err := record(ctx, &r.Base, s.Statement, func(shown *v1alpha1.Statement) {
		lifecycle.NotCompared(shown, "The ledger's database can't be read, and it has the Orders that are gone. The bill is compared once it can; the operator's log says why it can't", r.Clock.Now())
	})
	if err != nil {
		return stoppedBy(err)
	}
	return r.later(s, r.Clock.Now().Add(r.failures.next(s.UID)))
}
