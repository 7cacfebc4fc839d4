package controllers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills/matching"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/statement"
	"github.com/wechatpay-operator/wechatpay-operator/internal/text"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// compare downloads the bill and compares it.
func (r *StatementReconciler) compare(ctx context.Context, s *billOf) progress {
	leave, entered := r.namespaces.enter(s.Namespace, statementsPerNamespace)
	if !entered {
		return again(r.Timing.Bills.Busy)
	}
	defer leave()
	// WeChat limits bills by merchant number, so the next one need not even be prepared.
	leaveAccount, entered := r.accounts.enter(account.IDOf(s.merchant).String(), 1)
	if !entered {
		return again(r.Timing.Bills.Busy)
	}
	defer leaveAccount()
	found, err := r.comparer.Compare(ctx, s.account, s.merchant, s.day, r.Clock.Now())
	if err != nil {
		return r.failed(ctx, s, err)
	}
	r.failures.forget(s.UID)
	before, hash := lifecycle.BalancedReason(s.Statement), s.Status.Hash
	// The wake-up comes first: if the process ends in between, it is repeated by the next comparison.
	r.Wakeups.wake(found)
	at, again := r.afterComparison(s, found)
	err = record(withCallOutcome(ctx, wechatpay.OperationDownloadBill, nil), &r.Base, s.Statement, func(shown *v1alpha1.Statement) {
		lifecycle.StatementCompare(shown, r.comparison(s, found, at, again), r.Clock.Now())
	})
	if err != nil {
		return stoppedBy(err)
	}
	r.report(s, found, before, hash)
	if !again {
		at = farFuture
	}
	return r.later(s, at)
}

// failed shows why there is no whole bill, and when it is tried again.
func (r *StatementReconciler) failed(ctx context.Context, s *billOf, err error) progress {
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
			"The bill of %s is large, and one large bill is compared at a time: %v. It is tried again by itself, at least every %s",
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
			"WeChat Pay has not made the bill of %s yet: %v. It is asked again at %s", s.day, failure, timeText(at)), r.later(s, at))
	case wechatpay.CredentialsRejected, wechatpay.CertificateRejected, wechatpay.CertificateMissing, wechatpay.KeyMismatch, wechatpay.VerifiersMissing:
		return is(metav1.ConditionFalse, v1alpha1.ReasonMerchantNotReady, fmt.Sprintf("Merchant %s can't be used: %v", s.merchant.Name, failure), r.Timing.ProbeRejected)
	case wechatpay.NoRight, wechatpay.NotOffered, wechatpay.NeedsAttention, wechatpay.Rejected:
		if failure.Outcome == wechatpay.Unknown {
			break // the answer itself could not be used
		}
		return is(metav1.ConditionFalse, v1alpha1.ReasonNotAllowed, fmt.Sprintf(
			"WeChat Pay does not give this bill to the merchant number: %v. Look in the merchant platform (产品中心) whether bills may be downloaded by API. It is tried again every %s",
			failure, r.Timing.Bills.RetrySlowly), r.Timing.Bills.RetrySlowly)
	}
	return is(metav1.ConditionUnknown, v1alpha1.ReasonWeChatUnreachable, fmt.Sprintf("%v. It is tried again by itself, at least every %s", failure, r.Timing.Bills.RetryMost), r.failures.next(s.UID))
}

// incomplete shows that a bill can't be used. It warns of it once.
func (r *StatementReconciler) incomplete(ctx context.Context, s *billOf, problem string) progress {
	if lifecycle.DownloadedReason(s.Statement) != v1alpha1.ReasonIncomplete && !lifecycle.StatementCompared(s.Statement) {
		r.warn(s.Statement, v1alpha1.ReasonIncomplete, "Download", "The bill of %s can't be used: %s", s.day, problem)
	}
	return r.show(ctx, s, metav1.ConditionFalse, v1alpha1.ReasonIncomplete, fmt.Sprintf(
		"What WeChat Pay sent as the bill of %s can't be used, and nothing is balanced by it: %s. It is downloaded again by itself, at least every %s. If this stays, download it in the merchant platform and compare",
		s.day, problem, r.Timing.Bills.RetryMost), r.later(s, r.Clock.Now().Add(r.failures.next(s.UID))))
}

// withoutLedger shows that the comparison waits for the ledger: without it, Orders that are gone would look like payments that nobody
// knows. The cause is the operator's, and in its log.
func (r *StatementReconciler) withoutLedger(ctx context.Context, s *billOf, cause error) progress {
	r.log(ctx).Info("A Statement waits for the ledger", "statement", s.Namespace+"/"+s.Name, "problem", text.AtMost(512, cause.Error()))
	err := record(ctx, &r.Base, s.Statement, func(shown *v1alpha1.Statement) {
		lifecycle.NotCompared(shown, "The ledger's database can't be read, and it has the Orders that are gone. The bill is compared once it can; the operator's log says why it can't", r.Clock.Now())
	})
	if err != nil {
		return stoppedBy(err)
	}
	return r.later(s, r.Clock.Now().Add(r.failures.next(s.UID)))
}

// mostRepairs is how often a bill is compared soon after the query of what it says was missed. What that does not end is for a person.
const mostRepairs = 6

// afterComparison returns when a bill is compared again, and false if never by itself.
func (r *StatementReconciler) afterComparison(s *billOf, found *statement.Finding) (at time.Time, again bool) {
	timing, now := r.Timing.Bills, r.Clock.Now()
	missed := found.Counts[matching.PaymentNotRecorded]+found.Counts[matching.RefundNotRecorded] > 0 && len(found.Orders)+len(found.Refunds) > 0
	var times []time.Time
	if missed && r.repairs.count(s.UID) < mostRepairs {
		times = append(times, now.Add(r.repairs.next(s.UID)))
	} else if !missed {
		r.repairs.forget(s.UID)
	}
	if found.AwaitsNext {
		times = append(times, timing.Policy.Ready(s.day.Next()).Add(r.spread(s.Namespace, s.merchant.Name)))
	}
	if found.Neighbour != nil && len(found.PendingCounts) > 0 {
		times = append(times, now.Add(max(r.failures.next(s.UID), wechatpay.RetryAfter(found.Neighbour))))
	}
	if found.Verdict == matching.Differs {
		if daily, more := r.daily(s.day, now); more {
			times = append(times, daily)
		}
	}
	if len(times) == 0 {
		return time.Time{}, false
	}
	return slices.MinFunc(times, time.Time.Compare), true
}

// daily returns the time of the next daily comparison of a Statement that differs.
func (r *StatementReconciler) daily(day bills.Day, last time.Time) (at time.Time, more bool) {
	at = last.Add(r.Timing.Bills.Again)
	return at, at.Before(r.Timing.Bills.Policy.Ready(day).Add(r.Timing.Bills.AgainFor))
}

// nextComparison returns the same of a Statement that another process compared, from its status.
func (r *StatementReconciler) nextComparison(s *billOf) (at time.Time, again bool) {
	last := r.Clock.Now()
	if s.Status.ComparedTime != nil {
		last = s.Status.ComparedTime.Time
	}
	if lifecycle.BalancedReason(s.Statement) != v1alpha1.ReasonUndecided && ptr.Deref(s.Status.Undecided, 0) == 0 {
		return r.daily(s.day, last)
	}
	nextBill := r.Timing.Bills.Policy.Ready(s.day.Next()).Add(r.spread(s.Namespace, s.merchant.Name))
	if last.Before(nextBill) {
		return nextBill, true
	}
	return last.Add(r.Timing.Bills.RetryMost), true
}

// report writes events about what a person should look at, once.
func (r *StatementReconciler) report(s *billOf, found *statement.Finding, before, hash string) {
	if reason := lifecycle.BalancedReason(s.Statement); reason == v1alpha1.ReasonDiffers && before != reason {
		r.warn(s.Statement, reason, "Compare", "%s", lifecycle.Condition(s.Status.Conditions, v1alpha1.ConditionBalanced).Message)
	}
	if hash != "" && found.Hash != "" && hash != found.Hash {
		r.warn(s.Statement, "BillChanged", "Download", "WeChat Pay gave another bill of %s than before: its SHA-1 was %s and is %s", s.day, hash, found.Hash)
	}
}

// comparison puts what was found into the words of a status.
func (r *StatementReconciler) comparison(s *billOf, found *statement.Finding, at time.Time, again bool) lifecycle.Compared {
	compared := lifecycle.Compared{
		Empty: found.Empty, Reason: string(found.Verdict), Hash: found.Hash, Totals: totalsOf(found),
		Differences: differencesOf(found), Undecided: int64(sum(found.PendingCounts)), Differing: int64(sum(found.Counts)),
	}
	for _, class := range slices.Sorted(maps.Keys(found.Counts)) {
		compared.Counts = append(compared.Counts, v1alpha1.StatementDifferenceCount{Class: string(class), Count: int64(found.Counts[class])})
	}
	compared.Downloaded = fmt.Sprintf("The bill of %s is here, and adds up", s.day)
	if found.Empty {
		compared.Downloaded = fmt.Sprintf("WeChat Pay has no bill of %s: nothing was paid or refunded at the merchant number that day, as far as it says", s.day)
	}
	compared.Balanced = wordsOf(found, at, again, r.Records != nil)
	return compared
}

func sum[K comparable](counts map[K]int) (all int) {
	for _, count := range counts {
		all += count
	}
	return all
}

// wordsOf says what a comparison found, what a person can do, and when it is repeated.
func wordsOf(found *statement.Finding, at time.Time, again, ledger bool) string {
	var words []string
	switch found.Verdict {
	case matching.Balanced:
		words = append(words, fmt.Sprintf("All %d rows of the bill agree to the fen", found.Bill.Count()))
		if found.Empty || found.Bill.Count() == 0 {
			words = []string{"Nothing was paid or refunded, here as in the bill"}
		}
		if foreign := found.Foreign.Count(); foreign > 0 {
			words = append(words, fmt.Sprintf("%d of them are of other systems, as Merchant.spec.statements.foreign says", foreign))
		}
		return withoutRecharge(found) + strings.Join(words, "; ")
	case matching.Undecided:
		words = append(words, fmt.Sprintf("Nothing differs so far. %d payments or refunds near midnight may be in the bill of the day before or after", sum(found.PendingCounts)))
	default:
		words = append(words, fmt.Sprintf("%d differences: %s. status.differences lists them", sum(found.Counts), classesOf(found.Counts)))
		if pending := sum(found.PendingCounts); pending > 0 {
			words = append(words, fmt.Sprintf("%d more payments or refunds near midnight may be in the bill of the day before or after", pending))
		}
		if missed := len(found.Orders) + len(found.Refunds); missed > 0 {
			words = append(words, fmt.Sprintf("WeChat Pay is being asked about %d Orders and Refunds that it says more about than they do", missed))
		}
		if !ledger && found.Counts[matching.PaymentNotInLedger]+found.Counts[matching.RefundNotInLedger] > 0 {
			words = append(words, "There is no ledger: what ttlSecondsAfterFinished or somebody deleted before the bill came is among what is not known")
		}
	}
	if found.Neighbour != nil {
		words = append(words, fmt.Sprintf("The neighbouring day's bill could not be read: %v", found.Neighbour))
	}
	if again {
		words = append(words, "It is compared again at "+timeText(at))
	} else {
		words = append(words, "It is not compared again by itself; another Statement of the same day is")
	}
	return withoutRecharge(found) + strings.Join(words, ". ")
}

// withoutRecharge says first where WeChat does not give the bill RECHARGE_REFUND: money may have left that nothing here saw. Most
// merchant numbers have no such refunds, and WeChat refuses some of them the bill for good, so that the rest is judged all the same.
func withoutRecharge(found *statement.Finding) string {
	if found.NoRecharge == nil {
		return ""
	}
	return fmt.Sprintf("Not compared are refunds from the available balance (充值退款): WeChat Pay does not give the merchant number their bill: %s. "+
		"If anybody makes such refunds, look at them in the merchant platform. Of everything else: ", text.AtMost(256, found.NoRecharge.Error()))
}

// classesOf lists counts by class, the largest first.
func classesOf(counts map[matching.Class]int) string {
	classes := slices.SortedFunc(maps.Keys(counts), func(a, b matching.Class) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	var listed []string
	for _, class := range classes {
		listed = append(listed, fmt.Sprintf("%d %s", counts[class], class))
	}
	return strings.Join(listed, ", ")
}

// most of status.totals; the API allows no more.
const mostCurrencies = 32

func totalsOf(found *statement.Finding) []v1alpha1.StatementTotals {
	currencies := map[string]bool{}
	for _, sums := range []matching.Sums{found.Bill, found.Missing} {
		for _, amounts := range []matching.Amounts{sums.Payments, sums.Refunds, sums.Reversals} {
			for currency := range amounts {
				currencies[currency] = true
			}
		}
	}
	var totals []v1alpha1.StatementTotals
	for _, currency := range slices.Sorted(maps.Keys(currencies)) {
		if currency == "" || len(totals) == mostCurrencies {
			continue
		}
		of := v1alpha1.StatementTotals{
			Currency: text.AtMost(16, currency),
			Payments: tally(found.Bill.Payments[currency]),
			Refunds:  tally(found.Bill.Refunds[currency], found.Bill.Reversals[currency]),
			Foreign:  tally(found.Foreign.Payments[currency], negative(found.Foreign.Refunds[currency]), negative(found.Foreign.Reversals[currency])),
		}
		unexplained := tally(
			found.Differing.Payments[currency], found.Differing.Refunds[currency], found.Differing.Reversals[currency],
			found.Missing.Payments[currency], found.Missing.Refunds[currency], found.Missing.Reversals[currency])
		of.Unexplained = &unexplained
		if found.Fees != nil {
			of.Fees = found.Fees.String()
		}
		totals = append(totals, of)
	}
	return totals
}

func tally(of ...matching.Tally) (sum v1alpha1.StatementTally) {
	for _, part := range of {
		sum.Count += int64(part.Count)
		sum.Total += part.Total
	}
	return sum
}

func negative(of matching.Tally) matching.Tally {
	return matching.Tally{Count: of.Count, Total: -of.Total}
}

func differencesOf(found *statement.Finding) []v1alpha1.StatementDifference {
	var differences []v1alpha1.StatementDifference
	for _, d := range found.Differences {
		differences = append(differences, v1alpha1.StatementDifference{
			Class: string(d.Class), OutTradeNo: text.AtMost(64, d.OutTradeNo), TransactionID: text.AtMost(64, d.TransactionID),
			OutRefundNo: text.AtMost(64, d.OutRefundNo), RefundID: text.AtMost(64, d.RefundID),
			Bill: text.AtMost(256, d.Bill), Here: text.AtMost(256, d.Here),
		})
	}
	return differences
}
