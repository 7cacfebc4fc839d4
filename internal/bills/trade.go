package bills

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// RowKind is what a row of a trade bill is.
type RowKind string

// The kinds of rows. Each row is an event: an order that was paid and refunded on one day has two.
const (
	Payment RowKind = "payment"
	Refund  RowKind = "refund"
	// Reversal is a code payment that was paid and taken back.
	Reversal RowKind = "reversal"
)

// states are the trade states of rows.
var states = map[string]RowKind{"SUCCESS": Payment, "REFUND": Refund, "REVOKED": Reversal}

// TradeRow is a row of a trade bill, as far as anything here needs it. Its texts share memory with
// the line; clone what is kept.
type TradeRow struct {
	// Line is the row's line in the file.
	Line int
	Kind RowKind
	// Time is when the payment succeeded, or when the refund was accepted.
	Time  time.Time
	AppID string
	MchID string
	// SubMchID is empty in rows of the merchant number itself.
	SubMchID                  string
	TransactionID, OutTradeNo string
	TradeType                 string
	Currency                  string
	// Order is what was to pay, to compare with the Order; Settled is what the merchant gets of it.
	Order, Settled int64
	// RefundID and OutRefundNo are empty in rows of payments.
	RefundID, OutRefundNo string
	// Requested is what was to refund, to compare with the Refund; Refunded is what the merchant
	// pays of it.
	Requested, Refunded, CouponRefunded int64
	// RefundStatus is what it was when the bill was made. It never changes afterwards.
	RefundStatus string
	Fee          Fee
}

// Of is the bill that is expected.
type Of struct {
	Day Day
	// MchID is the merchant number; empty means any.
	MchID string
	// MostRows and MostSubMerchants limit what is held in memory of a bill, which bytes do not: a row can be short. A bill with
	// more is refused; 0 is no limit.
	MostRows, MostSubMerchants int
}

// Format is a generation of the trade bill.
type Format string

// The formats.
const (
	// FormatSettlement is today's.
	FormatSettlement Format = "settlement"
	// FormatLegacy has one amount where there are two today.
	FormatLegacy Format = "legacy"
)

// TradeBill reads a trade bill.
type TradeBill struct {
	sheet  *sheet
	of     Of
	format Format
	totals totals
	// otherDay and otherMerchant: the bill has a row of another day, or of another merchant number.
	otherDay, otherMerchant bool
}

// ReadTrade starts to read a trade bill: ALL, SUCCESS, REFUND or RECHARGE_REFUND.
func ReadTrade(text io.Reader, of Of) (*TradeBill, error) {
	s, err := openSheet(text)
	if err != nil {
		return nil, err
	}
	b := &TradeBill{sheet: s, of: of, totals: newTotals()}
	if err := b.checkColumns(); err != nil {
		return nil, err
	}
	return b, nil
}

// checkColumns refuses a bill without the columns that say when, what and how much: an amount is
// never guessed.
func (b *TradeBill) checkColumns() error {
	b.format = FormatSettlement
	needed := []string{columnTime, columnMchID, columnSubMchID, columnTransaction, columnOutTradeNo, columnState, columnCurrency, columnSettled, columnFee}
	refunds := []string{columnRefundID, columnOutRefundNo, columnRefunded, columnCouponRefund}
	if slices.Contains(b.sheet.header, columnLegacyTotal) && !b.sheet.has(columnOrder) && !b.sheet.has(columnRequested) {
		b.format = FormatLegacy
	} else {
		needed, refunds = append(needed, columnOrder), append(refunds, columnRequested)
	}
	if slices.ContainsFunc(refunds, b.sheet.has) {
		needed = append(needed, refunds...)
	}
	if missing := slices.DeleteFunc(needed, b.sheet.has); len(missing) > 0 {
		return refuse(ReasonUnknownFormat, "it is no trade bill that is known: it lacks the columns "+strings.Join(missing, ", "))
	}
	return nil
}

// Next returns the next row. After the last row of a bill that is accepted it returns io.EOF; a bill
// that is not accepted ends with *Refused, and one whose source broke with the source's error.
func (b *TradeBill) Next() (TradeRow, error) {
	for {
		if err := b.sheet.next(); err != nil {
			return TradeRow{}, err
		}
		row, ok := b.read()
		if ok {
			if err := b.hasRoom(row); err != nil {
				return TradeRow{}, err
			}
		}
		if !ok || !b.totals.add(row) {
			b.sheet.reject()
			continue
		}
		// Without a day that is expected, every time begins with it.
		b.otherDay = b.otherDay || !strings.HasPrefix(b.sheet.cell(columnTime), string(b.of.Day))
		b.otherMerchant = b.otherMerchant || b.of.MchID != "" && row.MchID != b.of.MchID
		return row, nil
	}
}

// hasRoom refuses a bill that has more than its limits allow.
func (b *TradeBill) hasRoom(row TradeRow) error {
	if b.of.MostRows > 0 && b.totals.all.Rows() >= b.of.MostRows {
		return refuse(ReasonTooLarge, fmt.Sprintf("it has more than %d rows", b.of.MostRows))
	}
	_, known := b.totals.bySub[row.SubMchID]
	if b.of.MostSubMerchants > 0 && !known && len(b.totals.bySub) >= b.of.MostSubMerchants {
		return refuse(ReasonTooLarge, fmt.Sprintf("it has rows of more than %d sub merchants", b.of.MostSubMerchants))
	}
	return nil
}

// read reads a row. What it does not understand in an amount, a number, a time or a state makes it
// unusable.
func (b *TradeBill) read() (TradeRow, bool) {
	of := b.sheet.cell
	at, ok := parseSecond(of(columnTime))
	row := TradeRow{
		Line: b.sheet.lines.number, Kind: states[of(columnState)], Time: at,
		AppID: of(columnAppID), MchID: of(columnMchID), SubMchID: present(of(columnSubMchID)),
		TransactionID: of(columnTransaction), OutTradeNo: of(columnOutTradeNo),
		TradeType: of(columnTradeType), Currency: of(columnCurrency),
		RefundID: present(of(columnRefundID)), OutRefundNo: present(of(columnOutRefundNo)), RefundStatus: of(columnRefundStatus),
	}
	if !ok || !row.isIdentified() {
		return row, false
	}
	amount := func(column string) int64 {
		fen, known := ParseFen(of(column))
		ok = ok && (known && fen >= 0 || !b.sheet.has(column))
		return fen
	}
	row.Order, row.Settled = amount(columnOrder), amount(columnSettled)
	row.Requested, row.Refunded, row.CouponRefunded = amount(columnRequested), amount(columnRefunded), amount(columnCouponRefund)
	if b.format == FormatLegacy {
		row.Order, row.Requested = row.Settled, row.Refunded
	}
	fee, known := ParseFee(of(columnFee))
	row.Fee = fee
	return row, ok && known
}

// isIdentified reports whether a row says what it is about.
func (r *TradeRow) isIdentified() bool {
	switch {
	case r.Kind == "" || !isCurrency(r.Currency) || !isMchID(r.MchID) || r.SubMchID != "" && !isMchID(r.SubMchID):
		return false
	case !isNumber(r.TransactionID) || !isNumber(r.OutTradeNo):
		return false
	case r.Kind == Refund:
		return isNumber(r.RefundID) && isNumber(r.OutRefundNo)
	case r.Kind == Payment: // anything there belongs to another column
		return r.RefundID == "" && r.OutRefundNo == ""
	default:
		return true
	}
}
