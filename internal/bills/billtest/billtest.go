// Package billtest writes bills for tests. It follows the description of the file format, and shares no code with the
// reader.
package billtest

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"
)

// Row is a row of a trade bill of all payments and refunds. Amounts are in fen, the fee in
// hundred-thousandths of a yuan.
type Row struct {
	Time                                time.Time
	AppID, MchID, SubMchID              string
	TransactionID, OutTradeNo           string
	TradeType, State, Currency          string
	Order, Settled                      int64
	RefundID, OutRefundNo, RefundStatus string
	Requested, Refunded, CouponRefunded int64
	Goods, Attach                       string
	Fee                                 int64
}

// Header and Summary are the column names of such a bill.
const (
	Header = "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额," +
		"微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注"
	Summary = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"
)

var beijing = time.FixedZone("Beijing", 8*60*60)

// Writer writes a bill row by row, so that a test need not hold a large one in memory.
type Writer struct {
	to                                                        io.Writer
	rows, settled, refunded, coupons, fee, ordered, requested int64
	err                                                       error
}

// NewWriter writes the column names.
func NewWriter(to io.Writer) *Writer {
	w := &Writer{to: to}
	w.line("\uFEFF" + Header)
	return w
}

func (w *Writer) line(text string) {
	if w.err == nil {
		_, w.err = io.WriteString(w.to, text+"\r\n")
	}
}

// Row writes a row.
func (w *Writer) Row(row Row) {
	w.rows++
	w.settled += row.Settled
	w.refunded += row.Refunded
	w.coupons += row.CouponRefunded
	w.fee += row.Fee
	w.ordered += row.Order
	w.requested += row.Requested
	w.line(values(
		row.Time.In(beijing).Format(time.DateTime), row.AppID, row.MchID, or(row.SubMchID, "0"), "", row.TransactionID, row.OutTradeNo, "oSYNTHETICSYNTHETICSYNTHETI",
		row.TradeType, row.State, "OTHERS", row.Currency, yuan(row.Settled), "0.00", or(row.RefundID, "0"), or(row.OutRefundNo, "0"),
		yuan(row.Refunded), yuan(row.CouponRefunded), "", row.RefundStatus, row.Goods, row.Attach, fee(row.Fee), "0.60%", yuan(row.Order), yuan(row.Requested), "",
	))
}

// Close writes the summary.
func (w *Writer) Close() error {
	w.line(Summary)
	w.line(values(fmt.Sprint(w.rows), yuan(w.settled), yuan(w.refunded), yuan(w.coupons), fee(w.fee), yuan(w.ordered), yuan(w.requested)))
	return w.err
}

// Bill returns a whole bill.
func Bill(rows ...Row) []byte {
	var text bytes.Buffer
	w := NewWriter(&text)
	for _, row := range rows {
		w.Row(row)
	}
	_ = w.Close() // a buffer accepts everything
	return text.Bytes()
}

func values(of ...string) string { return "`" + strings.Join(of, ",`") }

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

func yuan(fen int64) string { return fmt.Sprintf("%d.%02d", fen/100, fen%100) }

func fee(e5 int64) string {
	if e5 < 0 {
		return "-" + fee(-e5)
	}
	return fmt.Sprintf("%d.%05d", e5/100_000, e5%100_000)
}
