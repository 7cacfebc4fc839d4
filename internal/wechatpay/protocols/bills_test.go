package protocols_test

import (
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills/reconcile"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

// shopDay is a day of a shop at the simulator, on a clock that the test moves.
type shopDay struct {
	*account
	now atomic.Pointer[time.Time]
	day bills.Day
}

// openDay begins at noon in Beijing, on a day that is over, with two payments and a refund that is
// still in progress at midnight.
func openDay(t *testing.T, partner bool, protocol simulator.Protocol) *shopDay {
	d := &shopDay{day: bills.DayOf(time.Now()).Previous().Previous()}
	d.set(d.day.Start().Add(12 * time.Hour))
	d.account = open(t, partner, simulator.VerifyByCertificate, func(options *simulator.Options, settings *wechatpay.Settings) {
		now := func() time.Time { return *d.now.Load() }
		options.Now, settings.Now = now, now
		options.TimeScale = 1
		options.Rules.RefundDelay = 24 * time.Hour
	})
	ctx, connection := t.Context(), d.connections[protocol]
	for _, number := range []string{"order-0001", "order-0002"} {
		order := d.order(protocol, number)
		order.Description = "肥皂, 1,000 g` x1"
		order.Total = 12_345
		order.ExpireTime, order.Goods = d.now.Load().Add(time.Hour), nil
		prepay, err := connection.CreateOrder(ctx, order)
		d.Expect(err).NotTo(HaveOccurred())
		d.pay(prepay)
	}
	_, err := connection.CreateRefund(ctx, wechatpay.RefundRequest{
		OutTradeNo: "order-0001", OutRefundNo: "refund-1", AppID: appID, Total: 12_345, Amount: 5_000, Currency: "CNY",
	})
	d.Expect(err).NotTo(HaveOccurred())
	return d
}

func (d *shopDay) set(now time.Time) { d.now.Store(&now) }

// known gives a matcher what the operator would know, from the simulator's ledger.
func (d *shopDay) known(partner bool) *reconcile.Matcher {
	account := reconcile.Account{MchID: mchID}
	if partner {
		account.SubMchID = subMchID
	}
	matcher := reconcile.New(account, d.day, reconcile.Rules{})
	ledger := d.sim.Ledger()
	for _, order := range ledger.Orders {
		matcher.AddOrder(reconcile.Order{
			OutTradeNo: order.OutTradeNo, TransactionID: order.Payment.TransactionID, AppID: order.AppID, SubMchID: order.SubMchID,
			Total: order.TotalFee, Currency: order.FeeType, Paid: true, PaidTime: order.Payment.Time,
		})
	}
	for _, refund := range ledger.Refunds {
		matcher.AddRefund(reconcile.Refund{
			OutRefundNo: refund.OutRefundNo, RefundID: refund.RefundID, OutTradeNo: refund.OutTradeNo, TransactionID: refund.TransactionID,
			SubMchID: refund.SubMchID, Amount: refund.RefundFee, Currency: refund.FeeType, Accepted: true, AcceptedTime: refund.AcceptTime,
		})
	}
	return matcher
}

// body downloads a bill, and checks it while it is read.
func (d *shopDay) body(protocol simulator.Protocol, kind wechatpay.BillKind) (io.Reader, error) {
	bill, err := d.connections[protocol].DownloadBill(d.t.Context(), wechatpay.BillRequest{
		Kind: kind, Day: string(d.day), AppID: appID, Account: wechatpay.BasicAccount,
	})
	if err != nil {
		return nil, err
	}
	d.t.Cleanup(func() { _ = bill.Body.Close() })
	return bills.Open(bill.Body, bills.Expected{MaxBytes: 1 << 20, HashType: bill.HashType, Hash: bill.Hash, OrPacked: bill.HashOrPacked})
}

func (d *shopDay) tradeBill(protocol simulator.Protocol, each func(bills.TradeRow)) (bills.TradeReport, error) {
	body, err := d.body(protocol, wechatpay.TradeBill)
	if err != nil {
		return bills.TradeReport{}, err
	}
	bill, err := bills.ReadTrade(body, bills.Of{Day: d.day, MchID: mchID})
	if err != nil {
		return bills.TradeReport{}, err
	}
	for {
		row, err := bill.Next()
		if errors.Is(err, io.EOF) {
			return bill.Report(), nil
		}
		if err != nil {
			return bills.TradeReport{}, err
		}
		each(row)
	}
}

// TestBills: what the simulator's ledger has is in the bill of its day, in both protocols and modes,
// whichever protocol it was made with.
func TestBills(t *testing.T) {
	for _, partner := range []bool{false, true} {
		for i, made := range both {
			t.Run(string(made)+map[bool]string{true: " as a provider"}[partner], func(t *testing.T) {
				t.Parallel()
				openDay(t, partner, made).readBills(partner, both[1-i])
			})
		}
	}
}

func (d *shopDay) readBills(partner bool, protocol simulator.Protocol) {
	meaning := func() wechatpay.Meaning {
		_, err := d.body(protocol, wechatpay.TradeBill)
		return wechatpay.MeaningOf(err)
	}
	d.Expect(meaning()).To(Equal(wechatpay.Rejected), "the day is not over")
	d.set(d.day.End().Add(9 * time.Hour))
	d.Expect(meaning()).To(Equal(wechatpay.StatementCreating))
	d.set(bills.WeChatPolicy.Ready(d.day))

	for _, by := range append(both, protocol) { // the last one once more: a bill never changes
		matcher := d.known(partner)
		report, err := d.tradeBill(by, func(row bills.TradeRow) {
			matcher.Row(reconcile.TradeBill, row)
			if row.Kind == bills.Refund {
				d.Expect(row.RefundStatus).To(Equal("PROCESSING"))
			}
		})
		d.Expect(err).NotTo(HaveOccurred())
		result := matcher.Result()
		d.Expect(result.Verdict(report.Checks)).To(Equal(reconcile.Balanced), "%s %v", report.Problems(), result.Differences)
		d.Expect(report.Sums).To(And(HaveField("Payments", 2), HaveField("Refunds", 1), HaveField("Order", int64(24_690)), HaveField("Requested", int64(5_000))))
		d.Expect(report.UnusualFees).To(BeZero())
		d.set(d.now.Load().Add(15 * time.Hour)) // the refund succeeds meanwhile
	}
	if !partner {
		d.readFundBill(protocol)
	}

	_, err := d.body(protocol, wechatpay.RechargeRefundBill)
	d.Expect(wechatpay.MeaningOf(err)).To(Equal(wechatpay.NoStatement))
	d.day = d.day.Previous()
	d.Expect(meaning()).To(Equal(wechatpay.NoStatement), "nothing happened on the day before")
	d.day = bills.DayOf(d.day.Start().AddDate(0, -4, 0))
	d.Expect(meaning()).To(Equal(wechatpay.Rejected), "it is too old")
}

// readFundBill: the money in the account moved as the trade bill says.
func (d *shopDay) readFundBill(protocol simulator.Protocol) {
	cross := bills.NewFundCross()
	_, err := d.tradeBill(protocol, cross.Trade)
	d.Expect(err).NotTo(HaveOccurred())
	body, err := d.body(protocol, wechatpay.FundFlowBill)
	d.Expect(err).NotTo(HaveOccurred())
	bill, err := bills.ReadFund(body, bills.Of{Day: d.day})
	d.Expect(err).NotTo(HaveOccurred())
	for {
		row, err := bill.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		d.Expect(err).NotTo(HaveOccurred())
		cross.Fund(row)
	}
	d.Expect(bill.Report().Complete()).To(BeTrue(), "%s", bill.Report().Problems())
	d.Expect(bill.Report().Rows()).To(Equal(6))
	d.Expect(cross.Differences()).To(BeEmpty())
	d.Expect(cross.Unmatched()).To(BeZero())
}

// TestSpoiledBills are never balanced, in either protocol.
func TestSpoiledBills(t *testing.T) {
	for _, protocol := range both {
		t.Run(string(protocol), func(t *testing.T) {
			t.Parallel()
			d := openDay(t, false, protocol)
			d.set(bills.WeChatPolicy.Ready(d.day))
			file := simulator.OperationTradeBill
			if protocol == simulator.ProtocolV3 {
				file = simulator.OperationBillFile
			}
			for _, c := range []struct {
				fault  simulator.Fault
				reason bills.Reason
				says   string
				means  wechatpay.Meaning
			}{
				{fault: simulator.Fault{Operation: file, Kind: simulator.FaultTruncate}, reason: d.truncated(protocol)},
				{fault: simulator.Fault{Operation: file, Kind: simulator.FaultCut, Count: 2}, means: wechatpay.Repeat},
				{fault: simulator.Fault{Operation: file, Kind: simulator.FaultHTML, Count: 2}, means: wechatpay.Repeat},
				{fault: simulator.Fault{Operation: simulator.OperationTradeBill, Kind: simulator.FaultHTML, Count: 2}, means: wechatpay.Repeat},
				{fault: simulator.Fault{Operation: simulator.OperationTradeBill, Kind: simulator.FaultRenamedColumn}, reason: bills.ReasonUnknownFormat},
				{fault: simulator.Fault{Operation: simulator.OperationTradeBill, Kind: simulator.FaultOtherMerchant}, says: "it has rows of another merchant number"},
			} {
				c.fault.Count = max(c.fault.Count, 1)
				_, err := d.sim.AddFault(c.fault)
				d.Expect(err).NotTo(HaveOccurred())
				report, err := d.tradeBill(protocol, func(bills.TradeRow) {})
				refused, _ := errors.AsType[*bills.Refused](err)
				switch {
				case c.reason != "":
					d.Expect(refused).To(HaveValue(HaveField("Reason", c.reason)), "%s: %v", c.fault.Kind, err)
				case c.says != "":
					d.Expect(err).NotTo(HaveOccurred())
					d.Expect(report.Complete()).To(BeFalse())
					d.Expect(report.Problems()).To(Equal(c.says))
				default:
					_, known := errors.AsType[*wechatpay.Error](err)
					d.Expect(known).To(BeTrue(), "%s: %v", c.fault.Kind, err)
					d.Expect(wechatpay.MeaningOf(err)).To(Equal(c.means), "%s: %v", c.fault.Kind, err)
				}
				d.sim.ClearFaults()
			}
			d.wrongDigest(protocol)
		})
	}
}

// truncated is how half a bill is noticed: by its hash if there is one, else by its missing end.
func (d *shopDay) truncated(protocol simulator.Protocol) bills.Reason {
	if protocol == simulator.ProtocolV3 {
		return bills.ReasonHash
	}
	return bills.ReasonNoSummary
}

// wrongDigest is noticed where a digest is announced.
func (d *shopDay) wrongDigest(protocol simulator.Protocol) {
	for _, operation := range []simulator.Operation{simulator.OperationTradeBill, simulator.OperationFundBill} {
		_, err := d.sim.AddFault(simulator.Fault{Operation: operation, Kind: simulator.FaultWrongDigest, Count: 1})
		d.Expect(err).NotTo(HaveOccurred())
	}
	body, err := d.body(protocol, wechatpay.FundFlowBill)
	d.Expect(err).NotTo(HaveOccurred())
	_, err = io.Copy(io.Discard, body)
	refused, _ := errors.AsType[*bills.Refused](err)
	d.Expect(refused).To(HaveValue(HaveField("Reason", bills.ReasonHash)))
	if protocol == simulator.ProtocolV3 {
		_, err = d.tradeBill(protocol, func(bills.TradeRow) {})
		refused, _ = errors.AsType[*bills.Refused](err)
		d.Expect(refused).To(HaveValue(HaveField("Reason", bills.ReasonHash)))
	}
}
