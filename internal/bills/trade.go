package bills

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// RowKind is the kind of a row of a trade bill.
type RowKind string

// The kinds of rows. Each row is an event: an order that was paid and refunded on one day has two.
const (
	Payment RowKind = "payment"
	Refund  RowKind = "refund"
	// Reversal is a code payment that was paid and reversed.
	Reversal RowKind = "reversal"
)

// states are the trade states of rows.
var states = map[string]RowKind{"SUCCESS": Payment, "REFUND": Refund, "REVOKED": Reversal}

// TradeRow has the columns of a row of a trade bill that the operator uses. Its texts share memory with the line, so
// clone what you keep.
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
	// Order is the amount to pay, which is compared with the Order; Settled is what the merchant gets of it.
	Order, Settled int64
	// RefundID and OutRefundNo are empty in rows of payments.
	RefundID, OutRefundNo string
	// Requested is the amount to refund, which is compared with the Refund; Refunded is what the merchant pays of it.
	Requested, Refunded, CouponRefunded int64
	// RefundStatus is the status when the bill was made. WeChat does not update it.
	RefundStatus string
	Fee          Fee
}

// Of identifies the expected bill.
type Of struct {
	Day Day
	// MchID is the merchant number; empty means any.
	MchID string
	// MostRows and MostSubMerchants limit what is held in memory. MaxBytes does not limit that, because rows can be
	// short. A bill with more is refused; 0 is no limit.
	MostRows, MostSubMerchants int
}

// Format is a generation of the trade bill.
type Format string

// The formats.
const (
	// FormatSettlement is today's format.
	FormatSettlement Format = "settlement"
	// FormatLegacy has one amount instead of two.
	FormatLegacy Format = "legacy"
)

// TradeBill reads a trade bill.
type TradeBill struct {
	sheet   *sheet
	of      Of
	format  Format
	columns tradeColumns
	totals  totals
	seen    *NumberSet
	unusual int
}

// tradeColumns are the positions of the columns; -1 for columns that the bill does not have.
type tradeColumns struct {
	time, appID, mchID, subMchID, transaction, outTradeNo, tradeType, state, currency, settled, order int
	refundID, outRefundNo, refunded, couponRefund, requested, refundStatus, fee, rate                 int
}

// ReadTrade starts to read a trade bill: ALL, SUCCESS, REFUND or RECHARGE_REFUND.
func ReadTrade(text io.Reader, of Of) (*TradeBill, error) {
	s, err := openSheet(text, tradeBill)
	if err != nil {
		return nil, err
	}
	b := &TradeBill{sheet: s, of: of, totals: newTotals(), seen: NewNumberSet()}
	if err := b.findColumns(); err != nil {
		return nil, err
	}
	return b, nil
}

// findColumns refuses a bill without the columns for the time, the numbers and the amounts: an amount is never guessed.
func (b *TradeBill) findColumns() error {
	l := b.sheet.layout
	b.format = FormatSettlement
	needed := []string{columnTime, columnMchID, columnSubMchID, columnTransaction, columnOutTradeNo, columnState, columnCurrency, columnSettled, columnFee}
	refunds := []string{columnRefundID, columnOutRefundNo, columnRefunded, columnCouponRefund}
	if slices.Contains(b.sheet.header, columnLegacyTotal) && !l.has(columnOrder) && !l.has(columnRequested) {
		b.format = FormatLegacy
	} else {
		needed, refunds = append(needed, columnOrder), append(refunds, columnRequested)
	}
	if len(l.missing(refunds...)) < len(refunds) {
		needed = append(needed, refunds...)
	}
	if missing := l.missing(needed...); len(missing) > 0 {
		return refuse(ReasonUnknownFormat, "it is no trade bill that is known: it lacks the columns "+strings.Join(missing, ", "))
	}
	b.columns = tradeColumns{
		time: l.index(columnTime), appID: l.index(columnAppID), mchID: l.index(columnMchID), subMchID: l.index(columnSubMchID),
		transaction: l.index(columnTransaction), outTradeNo: l.index(columnOutTradeNo), tradeType: l.index(columnTradeType),
		state: l.index(columnState), currency: l.index(columnCurrency), settled: l.index(columnSettled), order: l.index(columnOrder),
		refundID: l.index(columnRefundID), outRefundNo: l.index(columnOutRefundNo), refunded: l.index(columnRefunded),
		couponRefund: l.index(columnCouponRefund), requested: l.index(columnRequested), refundStatus: l.index(columnRefundStatus),
		fee: l.index(columnFee), rate: l.index(columnRate),
	}
	if b.format == FormatLegacy {
		b.columns.order, b.columns.requested = b.columns.settled, b.columns.refunded
	}
	return nil
}

// Next returns the next row. After the last row of an accepted bill it returns io.EOF. A bill that is not accepted ends
// with *Refused, and one whose source failed with the source's error.
func (b *TradeBill) Next() (TradeRow, error) {
	for {
		cells, flag, err := b.sheet.row()
		if err != nil {
			return TradeRow{}, err
		}
		row, ok := b.read(cells)
		if ok {
			if err := b.hasRoom(row); err != nil {
				return TradeRow{}, err
			}
		}
		if !ok || !b.totals.add(row) {
			b.sheet.reject()
			continue
		}
		b.note(row, flag, cells)
		return row, nil
	}
}

// hasRoom refuses a bill that exceeds its limits.
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

// read parses a row. A row with an invalid amount, number, time or state can't be used.
func (b *TradeBill) read(cells []string) (TradeRow, bool) {
	of := func(column int) string {
		if column < 0 {
			return ""
		}
		return cells[column]
	}
	c := &b.columns
	at, ok := parseSecond(of(c.time))
	row := TradeRow{
		Line: b.sheet.lines.number, Kind: states[of(c.state)], Time: at,
		AppID: of(c.appID), MchID: of(c.mchID), SubMchID: present(of(c.subMchID)),
		TransactionID: of(c.transaction), OutTradeNo: of(c.outTradeNo), TradeType: of(c.tradeType), Currency: of(c.currency),
		RefundID: present(of(c.refundID)), OutRefundNo: present(of(c.outRefundNo)), RefundStatus: of(c.refundStatus),
	}
	if !ok || !row.isIdentified() {
		return row, false
	}
	for _, amount := range [...]struct {
		column int
		into   *int64
	}{
		{c.order, &row.Order}, {c.settled, &row.Settled}, {c.requested, &row.Requested},
		{c.refunded, &row.Refunded}, {c.couponRefund, &row.CouponRefunded},
	} {
		if amount.column < 0 {
			continue
		}
		if *amount.into, ok = ParseFen(cells[amount.column]); !ok || *amount.into < 0 {
			return row, false
		}
	}
	row.Fee, ok = ParseFee(cells[c.fee])
	return row, ok
}

// isIdentified reports whether a row has the numbers of its payment or refund.
func (r *TradeRow) isIdentified() bool {
	switch {
	case r.Kind == "" || !isCurrency(r.Currency) || !isMchID(r.MchID) || r.SubMchID != "" && !isMchID(r.SubMchID):
		return false
	case !isNumber(r.TransactionID) || !isNumber(r.OutTradeNo):
		return false
	case r.Kind == Refund:
		return isNumber(r.RefundID) && isNumber(r.OutRefundNo)
	case r.Kind == Payment: // values there belong to other columns
		return r.RefundID == "" && r.OutRefundNo == ""
	default:
		return true
	}
}

// note records the flags of a row that is used.
func (b *TradeBill) note(row TradeRow, flag Flag, cells []string) {
	flags := &b.sheet.flags
	if flag != "" {
		flags.add(flag)
	}
	if row.Currency != yuan {
		flags.add(FlagForeignCurrency)
	}
	if b.of.Day != "" && !strings.HasPrefix(cells[b.columns.time], string(b.of.Day)) {
		flags.add(FlagRowOutsideDay)
	}
	if b.of.MchID != "" && row.MchID != b.of.MchID {
		flags.add(FlagOtherMerchant)
	}
	number := row.TransactionID
	if row.Kind == Refund {
		number = row.RefundID
	}
	if !b.seen.Add(string(row.Kind) + number) {
		flags.add(FlagDuplicateRow)
	}
	if row.Kind == Payment && b.columns.rate >= 0 {
		rate, known := ParseRate(cells[b.columns.rate])
		if usual, ok := UsualFee(row.Settled, rate); known && ok && usual != row.Fee {
			b.unusual++
		}
	}
}

// yuan is the currency of a bill in mainland China.
const yuan = "CNY"
