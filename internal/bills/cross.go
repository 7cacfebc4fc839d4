package bills

import (
	"cmp"
	"slices"
	"strings"
)

// FundClass is a kind of contradiction between a fund-flow bill and a trade bill.
type FundClass string

// The classes.
const (
	// FundPaymentMissing: the fund-flow bill has no movement for a payment of the day. It may be booked on another day.
	FundPaymentMissing FundClass = "FundPaymentMissing"
	// FundRefundMissing: the fund-flow bill has no movement for a refund of the day. It may be booked on another day or
	// from another account.
	FundRefundMissing FundClass = "FundRefundMissing"
	// FundAmountDiffers: the booked amount is not the settled one.
	FundAmountDiffers FundClass = "FundAmountDiffers"
	// FundFeeDiffers: the booked fee is another one.
	FundFeeDiffers FundClass = "FundFeeDiffers"
	// FundDirectionDiffers: the money moved in the wrong direction.
	FundDirectionDiffers FundClass = "FundDirectionDiffers"
)

// FundDifference is one contradiction. Number is the transaction id or the refund id.
type FundDifference struct {
	Class  FundClass
	Number string
}

// The movements of payments and refunds, by 业务名称 and 业务类型. All others are only summed.
var (
	paymentNames = []string{"交易", "订单入账"}
	refundNames  = []string{"退款"}
)

const (
	typePayment     = "交易"
	typeFee         = "扣除交易手续费"
	typeRefund      = "退款"
	typeFeeReturned = "退还交易手续费"
)

// FundCross compares the two bills of a day. It holds a record for each payment and refund of the trade bill.
//
// Payments may be booked on another day, and refunds may come from another account. So a person has to look at a
// difference.
type FundCross struct {
	payments, refunds map[string]*booked
	wrongWay          []string
	unknown           FundSums
}

// booked is what the two bills have under one number.
type booked struct {
	amount, bookedAmount int64
	// fee is what WeChat kept, or for a refund what it returned.
	fee       Fee
	bookedFee int64
	found     bool
}

// NewFundCross returns an empty comparison. Add all rows of the trade bill first.
func NewFundCross() *FundCross {
	return &FundCross{payments: map[string]*booked{}, refunds: map[string]*booked{}}
}

// Trade adds a row of the trade bill. Reversals are left out: it is not documented how they are booked.
func (c *FundCross) Trade(row TradeRow) {
	switch row.Kind {
	case Payment:
		record(c.payments, row.TransactionID, row.Settled, row.Fee)
	case Refund:
		record(c.refunds, row.RefundID, row.Refunded, -row.Fee)
	}
}

func record(of map[string]*booked, number string, amount int64, fee Fee) {
	if _, twice := of[number]; !twice {
		of[strings.Clone(number)] = &booked{amount: amount, fee: fee}
	}
}

// Fund adds a row of the fund-flow bill.
func (c *FundCross) Fund(row FundRow) {
	switch {
	case slices.Contains(paymentNames, row.Name) && row.Type == typePayment:
		c.book(c.payments, row, true, false)
	case slices.Contains(paymentNames, row.Name) && row.Type == typeFee:
		c.book(c.payments, row, false, true)
	case slices.Contains(refundNames, row.Name) && row.Type == typeRefund:
		c.book(c.refunds, row, false, false)
	case slices.Contains(refundNames, row.Name) && row.Type == typeFeeReturned:
		c.book(c.refunds, row, true, true)
	}
}

func (c *FundCross) book(of map[string]*booked, row FundRow, income, isFee bool) {
	entry, found := of[row.BusinessNo]
	switch {
	case !found:
		// The trade bill does not have it: it belongs to another day, or to an order of another merchant number.
		if row.Income {
			c.unknown.InCount++
			c.unknown.InAmount += row.Amount
		} else {
			c.unknown.OutCount++
			c.unknown.OutAmount += row.Amount
		}
	case row.Income != income:
		entry.found = true
		c.wrongWay = append(c.wrongWay, strings.Clone(row.BusinessNo))
	case isFee:
		entry.bookedFee += row.Amount
	default:
		entry.found = true
		entry.bookedAmount += row.Amount
	}
}

// Unmatched returns the movements of payments and refunds that the trade bill does not have.
func (c *FundCross) Unmatched() FundSums { return c.unknown }

// Differences returns the contradictions, sorted by class and number.
func (c *FundCross) Differences() []FundDifference {
	var differences []FundDifference
	wrong := map[string]bool{}
	for _, number := range c.wrongWay {
		if !wrong[number] {
			differences = append(differences, FundDifference{FundDirectionDiffers, number})
		}
		wrong[number] = true
	}
	for number, entry := range c.payments {
		if !wrong[number] {
			differences = entry.compare(differences, number, FundPaymentMissing)
		}
	}
	for number, entry := range c.refunds {
		if !wrong[number] {
			differences = entry.compare(differences, number, FundRefundMissing)
		}
	}
	slices.SortFunc(differences, func(a, b FundDifference) int {
		return cmp.Or(cmp.Compare(a.Class, b.Class), cmp.Compare(a.Number, b.Number))
	})
	return differences
}

func (b *booked) compare(differences []FundDifference, number string, missing FundClass) []FundDifference {
	if !b.found && (b.amount != 0 || b.bookedFee != 0) {
		return append(differences, FundDifference{missing, number})
	}
	if b.bookedAmount != b.amount {
		differences = append(differences, FundDifference{FundAmountDiffers, number})
	}
	if !b.fee.agrees(b.bookedFee) {
		differences = append(differences, FundDifference{FundFeeDiffers, number})
	}
	return differences
}

// agrees reports whether the booked fee is the fee of the trade bill. Old bills have fees of less than a fen, and it is
// not documented how those are booked.
func (f Fee) agrees(fen int64) bool { return f%feesPerFen != 0 || int64(f/feesPerFen) == fen }
