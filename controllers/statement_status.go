package controllers

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills/matching"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/statement"
	"github.com/wechatpay-operator/wechatpay-operator/internal/text"
)

// report writes events about what a person should look at, once.
func (r *StatementReconciler) report(s *statementScope, found *statement.Finding, before, hash string) {
	if reason := lifecycle.BalancedReason(s.Statement); reason == v1alpha1.ReasonDiffers && before != reason {
		r.warn(s.Statement, reason, "Compare", "%s", lifecycle.Condition(s.Status.Conditions, v1alpha1.ConditionBalanced).Message)
	}
	if hash != "" && found.Hash != "" && hash != found.Hash {
		r.warn(s.Statement, "BillChanged", "Download", "WeChat Pay gave another bill of %s than before: its SHA-1 was %s and is %s", s.day, hash, found.Hash)
	}
}

// comparison puts what was found into the words of a status.
func (r *StatementReconciler) comparison(s *statementScope, found *statement.Finding, at time.Time, more bool) lifecycle.Compared {
	compared := lifecycle.Compared{
		Empty: found.Empty, Reason: string(found.Verdict), Hash: found.Hash, Totals: totalsOf(found),
		Differences: differencesOf(found), Undecided: int64(sum(found.PendingCounts)), Differing: int64(sum(found.Counts)),
	}
	for _, class := range slices.Sorted(maps.Keys(found.Counts)) {
		compared.Counts = append(compared.Counts, v1alpha1.StatementDifferenceCount{Class: string(class), Count: int64(found.Counts[class])})
	}
	compared.Downloaded = fmt.Sprintf("The bill of %s is complete, and its sums are right", s.day)
	if found.Empty {
		compared.Downloaded = fmt.Sprintf("WeChat Pay has no bill of %s: nothing was paid or refunded at the merchant number that day, as far as it says", s.day)
	}
	compared.Balanced = wordsOf(found, at, more, r.Records != nil)
	return compared
}

func sum[K comparable](counts map[K]int) (all int) {
	for _, count := range counts {
		all += count
	}
	return all
}

// wordsOf describes what a comparison found, what a person can do, and when it is repeated.
func wordsOf(found *statement.Finding, at time.Time, more, ledger bool) string {
	var words []string
	switch found.Verdict {
	case matching.Balanced:
		words = append(words, fmt.Sprintf("All %d rows of the bill agree to the fen", found.Bill.Count()))
		if found.Empty || found.Bill.Count() == 0 {
			words = []string{"Nothing was paid or refunded, neither in the cluster nor in the bill"}
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
			words = append(words, fmt.Sprintf("WeChat Pay is being asked about %d Orders and Refunds that the bill lists as paid or accepted, and their status does not", missed))
		}
		if !ledger && found.Counts[matching.PaymentNotInLedger]+found.Counts[matching.RefundNotInLedger] > 0 {
			words = append(words, "There is no ledger: objects that were deleted before the bill came, by ttlSecondsAfterFinished or by somebody, are among the unknown")
		}
	}
	if found.Neighbour != nil {
		words = append(words, fmt.Sprintf("The neighbouring day's bill could not be read: %v", found.Neighbour))
	}
	if more {
		words = append(words, "The operator compares it again at "+timeText(at))
	} else {
		words = append(words, "The operator does not compare it again: to compare this day again, create another Statement")
	}
	return withoutRecharge(found) + strings.Join(words, ". ")
}

// withoutRecharge returns a warning, for the beginning of the message, that refunds from the available balance were
// not compared. WeChat refuses that bill to some merchant numbers permanently, so everything else is judged without
// it.
func withoutRecharge(found *statement.Finding) string {
	if found.NoRecharge == nil {
		return ""
	}
	return fmt.Sprintf("Not compared are refunds from the available balance (充值退款): WeChat Pay refuses the merchant number their bill: %s. "+
		"If anybody makes such refunds, compare them in the merchant platform. The rest: ", text.AtMost(256, found.NoRecharge.Error()))
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
