package matching_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"pgregory.net/rapid"

	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills/billtest"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills/matching"
)

const (
	theDay = bills.Day("2026-11-27")
	mchID  = "1900000109"
	appID  = "wx0000000000000001"
)

var account = matching.Account{MchID: mchID}

// rules name a till and a mini shop as other systems.
var rules = matching.Rules{
	Foreign: matching.Foreign{Prefixes: []string{"pos-"}, AppIDs: []string{"wx00000000000shop1"}, TradeTypes: []string{"FACEPAY"}},
}

// books are the records of WeChat and of the operator about a day.
type books struct {
	orders  []matching.Order
	refunds []matching.Refund
	rows    []billtest.Row
	// numbers makes unique numbers.
	numbers int
}

func (b *books) next(prefix string) string {
	b.numbers++
	return fmt.Sprintf("%s%08d", prefix, b.numbers)
}

// pay adds a payment that both know, and returns its indices.
func (b *books) pay(total int64, second int) (order, row int) {
	at := theDay.Start().Add(time.Duration(second) * time.Second)
	transaction, number := b.next("42000099992026112700"), b.next("ord-")
	settled := total
	b.orders = append(b.orders, matching.Order{
		OutTradeNo: number, TransactionID: transaction, AppID: appID, Total: total, Currency: "CNY",
		SettlementTotal: &settled, Paid: true, PaidTime: at,
	})
	b.rows = append(b.rows, billtest.Row{
		Time: at, AppID: appID, MchID: mchID, TransactionID: transaction, OutTradeNo: number, TradeType: "JSAPI", State: "SUCCESS", Currency: "CNY",
		Order: total, Settled: total, Goods: "tea", Fee: total * 6 / 1000 * 1000,
	})
	return len(b.orders) - 1, len(b.rows) - 1
}

// refund adds a refund, which both know, of an order that was paid on another day.
func (b *books) refund(amount int64, second int) (refund, row int) {
	at := theDay.Start().Add(time.Duration(second) * time.Second)
	transaction, number, id, own := b.next("42000099992026112000"), b.next("old-"), b.next("50300099992026112700"), b.next("rfd-")
	b.refunds = append(b.refunds, matching.Refund{
		OutRefundNo: own, RefundID: id, OutTradeNo: number, TransactionID: transaction, Amount: amount, Currency: "CNY",
		Accepted: true, AcceptedTime: at,
	})
	b.rows = append(b.rows, billtest.Row{
		Time: at, AppID: appID, MchID: mchID, TransactionID: transaction, OutTradeNo: number, TradeType: "JSAPI", State: "REFUND", Currency: "CNY",
		RefundID: id, OutRefundNo: own, RefundStatus: "PROCESSING", Requested: amount, Refunded: amount, Fee: -(amount * 6 / 1000 * 1000),
	})
	return len(b.refunds) - 1, len(b.rows) - 1
}

// reverse adds the reversal of a payment.
func (b *books) reverse(payment int) {
	row := b.rows[payment]
	row.State, row.Requested, row.Refunded, row.Order, row.Settled, row.Fee = "REVOKED", row.Order, row.Order, 0, 0, -row.Fee
	b.rows = append(b.rows, row)
}

func (b *books) dropRow(at int)    { b.rows = append(b.rows[:at], b.rows[at+1:]...) }
func (b *books) dropOrder(at int)  { b.orders = append(b.orders[:at], b.orders[at+1:]...) }
func (b *books) dropRefund(at int) { b.refunds = append(b.refunds[:at], b.refunds[at+1:]...) }

// aDay draws a day on which both agree.
func aDay(t *rapid.T) *books {
	b := &books{}
	second := rapid.IntRange(0, 24*60*60-1)
	amount := rapid.Int64Range(1, 10_000_000)
	for range rapid.IntRange(0, 8).Draw(t, "payments") {
		b.pay(amount.Draw(t, "total"), second.Draw(t, "second"))
	}
	for range rapid.IntRange(0, 5).Draw(t, "refunds") {
		b.refund(amount.Draw(t, "amount"), second.Draw(t, "second"))
	}
	for range rapid.IntRange(0, 3).Draw(t, "foreign") {
		_, row := b.pay(amount.Draw(t, "foreign total"), second.Draw(t, "second"))
		b.dropOrder(len(b.orders) - 1)
		b.rows[row].OutTradeNo = b.next("pos-")
	}
	return b
}

func (b *books) matcher(of matching.Account) *matching.Matcher {
	matcher := matching.New(of, theDay, rules)
	for _, order := range b.orders {
		matcher.AddOrder(order)
	}
	for _, refund := range b.refunds {
		matcher.AddRefund(refund)
	}
	return matcher
}

// compare reads a bill and compares it.
func (b *books) compare(bill []byte) (matching.Result, bills.TradeReport, error) {
	matcher := b.matcher(account)
	report, err := eachRow(bytes.NewReader(bill), func(row bills.TradeRow) { matcher.Row(matching.TradeBill, row) })
	matcher.Begin(matching.TradeBill)
	return matcher.Result(), report, err
}

func eachRow(bill io.Reader, each func(bills.TradeRow)) (bills.TradeReport, error) {
	reader, err := bills.ReadTrade(bill, bills.Of{Day: theDay, MchID: mchID})
	if err != nil {
		return bills.TradeReport{}, err
	}
	for {
		row, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return reader.Report(), nil
		}
		if err != nil {
			return bills.TradeReport{}, err
		}
		each(row)
	}
}
