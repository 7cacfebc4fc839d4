package matching

import (
	"maps"

	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
)

// Tally is a number of rows and the sum of their amounts.
type Tally struct {
	Count int
	// Total is in fen, or the minor unit of the currency.
	Total int64
}

// Amounts are tallies by currency: amounts of two currencies are never added.
type Amounts map[string]Tally

// Sums are the rows that count as one kind of result.
type Sums struct {
	// Payments adds up 订单金额, Refunds and Reversals 申请退款金额.
	Payments, Refunds, Reversals Amounts
}

// Count returns how many rows there are.
func (s Sums) Count() int {
	count := 0
	for _, amounts := range []Amounts{s.Payments, s.Refunds, s.Reversals} {
		for _, tally := range amounts {
			count += tally.Count
		}
	}
	return count
}

func newSums() Sums {
	return Sums{Payments: Amounts{}, Refunds: Amounts{}, Reversals: Amounts{}}
}

// add returns false if a sum would be too large.
func (s Sums) add(kind bills.RowKind, currency string, amount int64) bool {
	amounts := s.Payments
	switch kind {
	case bills.Refund:
		amounts = s.Refunds
	case bills.Reversal:
		amounts = s.Reversals
	}
	tally, found := amounts[currency]
	sum := tally.Total + amount
	if amount < 0 || sum < tally.Total {
		return false
	}
	if !found {
		currency = clone(currency)
	}
	amounts[currency] = Tally{tally.Count + 1, sum}
	return true
}

// Plus adds two Sums.
func (s Sums) Plus(other Sums) Sums {
	return Sums{
		Payments: s.Payments.plus(other.Payments), Refunds: s.Refunds.plus(other.Refunds), Reversals: s.Reversals.plus(other.Reversals),
	}
}

func (a Amounts) plus(other Amounts) Amounts {
	sum := maps.Clone(a)
	for currency, tally := range other {
		sum[currency] = Tally{sum[currency].Count + tally.Count, sum[currency].Total + tally.Total}
	}
	return sum
}
