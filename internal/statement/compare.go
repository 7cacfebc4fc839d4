package statement

import (
	"context"
	"errors"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills/matching"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// Comparer compares bills.
type Comparer struct {
	// Client reads from the cache.
	Client client.Reader
	// Ledger is nil if there is none.
	Ledger Ledger
	Policy bills.Policy
	// Limits that are 0 are replaced by DefaultLimits.
	Limits Limits

	// large is locked while a large bill is compared.
	large sync.Mutex
}

// Bills downloads bills.
type Bills interface {
	DownloadBill(ctx context.Context, request wechatpay.BillRequest) (*wechatpay.Bill, error)
}

// Finding is the result of a comparison.
type Finding struct {
	matching.Result
	Verdict matching.Verdict
	// Empty: WeChat has no bill of the day, and will not have one.
	Empty bool
	// Hash is the SHA-1 of the bill.
	Hash string
	// Fees is what WeChat keeps; nil if the bill has several currencies.
	Fees *bills.Fee
	// NoRecharge is why WeChat does not give the bill of refunds from the available balance; they were not compared
	// then.
	NoRecharge error
	// AwaitsNext: the bill of the next day is needed to decide what is pending, and is not available yet.
	AwaitsNext bool
	// Neighbour is why the bill of a neighbouring day could not be read although it was needed.
	Neighbour error
	// Orders and Refunds are those that the bill lists as paid or accepted, and their status does not.
	Orders, Refunds []Object
}

// IncompleteError is the error of a bill that could be read but is incomplete or belongs to another account or day.
type IncompleteError struct{ Problems string }

// Error returns what is wrong with the bill.
func (e *IncompleteError) Error() string { return e.Problems }

// Compare downloads the bill of a Merchant's day and compares it. Errors are *wechatpay.Error, *bills.Refused,
// *IncompleteError, *LedgerError, *BusyError, or errors of the API server. After an error nothing that was read counts.
func (c *Comparer) Compare(ctx context.Context, from Bills, merchant *v1alpha1.Merchant, day bills.Day, now time.Time) (*Finding, error) {
	records, err := findRecords(ctx, c.Client, c.Ledger, merchant)
	if err != nil {
		return nil, err
	}
	matcher := matching.New(matching.Account{MchID: merchant.Spec.MchID, SubMchID: records.sub}, day, matching.Rules{Foreign: foreignOf(merchant), Find: records})
	if err := records.addDay(matcher, day); err != nil {
		return nil, err
	}
	r := c.newReading(ctx, from, merchant)
	defer r.end()
	found := &Finding{}
	whole, err := r.read(wechatpay.TradeBill, day, func(row bills.TradeRow) { matcher.Row(matching.TradeBill, row) })
	var checks []bills.Checks
	switch {
	case err == nil:
		if problem := problemOf(whole, records.sub); problem != "" {
			return nil, &IncompleteError{problem}
		}
		matcher.Begin(matching.TradeBill)
		found.Hash, found.Fees = whole.hash, feesOf(whole.report, records.sub)
		checks = append(checks, whole.report.Checks)
	case wechatpay.MeaningOf(err) == wechatpay.NoStatement && c.Policy.NoBillIsFinal(day, now):
		matcher.NoBill()
		found.Empty = true
	default:
		return nil, err
	}
	if err := readRecharge(r, matcher, day, records.sub, found); err != nil {
		return nil, err
	}
	c.readNeighbours(r, matcher, day, now, found)
	found.Result = matcher.Result()
	if records.err != nil {
		return nil, records.err
	}
	if found.TooLarge || !fits(found.Result) {
		return nil, &IncompleteError{"its amounts are too large to be added up"}
	}
	found.Verdict = found.Result.Verdict(checks...)
	for _, object := range records.missedOrders {
		found.Orders = append(found.Orders, object)
	}
	for _, object := range records.missedRefunds {
		found.Refunds = append(found.Refunds, object)
	}
	return found, nil
}

// readRecharge reads the refunds from the available balance (充值退款), which the trade bill leaves out. WeChat makes both
// bills together: if the trade bill exists and this one does not, there were none.
func readRecharge(r *reading, matcher *matching.Matcher, day bills.Day, sub string, found *Finding) error {
	rows := 0
	whole, err := r.read(wechatpay.RechargeRefundBill, day, func(row bills.TradeRow) {
		rows++
		matcher.Row(matching.RechargeBill, row)
	})
	switch {
	case err == nil:
		if problem := problemOf(whole, sub); problem != "" {
			return &IncompleteError{"the bill of refunds from the available balance: " + problem}
		}
		matcher.Begin(matching.RechargeBill)
		found.Empty = found.Empty && rows == 0
	case wechatpay.MeaningOf(err) == wechatpay.NoStatement:
		matcher.Begin(matching.RechargeBill)
	case isNotGiven(err):
		found.NoRecharge = err
	default:
		return err
	}
	return nil
}

// isNotGiven reports whether WeChat refuses this kind of bill. API v3 documents the bill of refunds from the available
// balance for some merchants only, so a merchant number may not have it.
func isNotGiven(err error) bool {
	refused, ok := errors.AsType[*wechatpay.Error](err)
	if !ok || refused.Outcome == wechatpay.Unknown {
		return false
	}
	switch refused.Meaning {
	case wechatpay.NoRight, wechatpay.NotOffered, wechatpay.Rejected:
		return true
	default:
		return false
	}
}

// largest is the largest amount that the API accepts: beyond it, JSON readers lose the last digits.
const largest = 1<<53 - 1

// fits reports whether all sums of a result fit into the status.
func fits(result matching.Result) bool {
	for _, sums := range []matching.Sums{result.Bill, result.Missing} {
		for _, amounts := range []matching.Amounts{sums.Payments, sums.Refunds, sums.Reversals} {
			for _, tally := range amounts {
				// At most six sums are added up: payments, refunds and reversals, in the bill and missing.
				if tally.Total > largest/6 {
					return false
				}
			}
		}
	}
	return true
}

// problemOf returns why a bill can't be used; empty if it can. Rows of other sub merchants are ignored; a bill without
// any rows of this one belongs to somebody else.
func problemOf(whole *wholeBill, sub string) string {
	if !whole.report.Complete() {
		return whole.report.Problems()
	}
	if _, own := whole.report.BySub[sub]; !own && len(whole.report.BySub) > 0 {
		return "it has rows of other sub merchants only"
	}
	return ""
}

func foreignOf(merchant *v1alpha1.Merchant) matching.Foreign {
	if merchant.Spec.Statements == nil || merchant.Spec.Statements.Foreign == nil {
		return matching.Foreign{}
	}
	foreign := merchant.Spec.Statements.Foreign
	return matching.Foreign{Prefixes: foreign.OutTradeNoPrefixes, AppIDs: foreign.AppIDs, TradeTypes: foreign.TradeTypes}
}

// feesOf returns the fees of an account's rows; nil if the bill has several currencies.
func feesOf(report bills.TradeReport, sub string) *bills.Fee {
	if len(report.ByCurrency) != 1 {
		return nil
	}
	fee := report.BySub[sub].Fee
	return &fee
}

// readNeighbours reads the bills of the days before and after, if the comparison needs them.
func (c *Comparer) readNeighbours(r *reading, matcher *matching.Matcher, day bills.Day, now time.Time, found *Finding) {
	previous, next := matcher.Awaits()
	if previous {
		c.readNeighbour(r, matcher, matching.PreviousDay, day.Previous(), now, found)
	}
	if !next {
		return
	}
	if c.Policy.Turn(day.Next(), now) == bills.TooEarly {
		found.AwaitsNext = true
		return
	}
	c.readNeighbour(r, matcher, matching.NextDay, day.Next(), now, found)
}

// readNeighbour notes the rows of a neighbouring day's bill, if it is complete.
func (c *Comparer) readNeighbour(r *reading, matcher *matching.Matcher, source matching.Source, day bills.Day, now time.Time, found *Finding) {
	notes := matcher.Neighbour(source)
	whole, err := r.read(wechatpay.TradeBill, day, notes.Row)
	switch {
	case err == nil && !whole.report.Complete():
		found.Neighbour = &IncompleteError{whole.report.Problems()}
	case err == nil:
		notes.Whole()
	case wechatpay.MeaningOf(err) == wechatpay.NoStatement && c.Policy.NoBillIsFinal(day, now):
		matcher.Begin(source)
	default:
		found.Neighbour = err
	}
}
