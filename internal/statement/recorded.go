package statement

import (
	"time"

	"k8s.io/utils/ptr"

	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills/matching"
	"github.com/wechatpay-operator/wechatpay-operator/internal/ledger"
)

// addLedger adds what the ledger has of the day and the cluster does not have any more. An object that is there says more: it may have
// lost its status, and asks WeChat then.
func (b *books) addLedger(matcher *matching.Matcher, day bills.Day) error {
	err := b.ledger.Paid(b.ctx, b.account, day.Start(), day.End(), func(recorded ledger.PaidOrder) error {
		if matcher.HasOrder(recorded.OutTradeNo) {
			return nil
		}
		if object, _ := b.orderByNumber(recorded.TransactionID, recorded.OutTradeNo); object == nil {
			matcher.AddOrder(b.recordedOrder(recorded))
		}
		return b.err
	})
	if err != nil {
		return &LedgerError{err}
	}
	err = b.ledger.Accepted(b.ctx, b.account, day.Start(), day.End().Add(lateAcceptance), func(recorded ledger.AcceptedRefund) error {
		if matcher.HasRefund(recorded.OutRefundNo) {
			return nil
		}
		if object, _ := b.refundByNumber(recorded.RefundID, recorded.OutRefundNo); object == nil {
			matcher.AddRefund(b.recordedRefund(recorded))
		}
		return b.err
	})
	if err != nil {
		return &LedgerError{err}
	}
	return nil
}

func (b *books) recordedOrder(recorded ledger.PaidOrder) matching.Order {
	known := matching.Order{
		OutTradeNo: recorded.OutTradeNo, TransactionID: recorded.TransactionID, SubMchID: b.sub, Total: recorded.Total, Currency: recorded.Currency,
		SettlementTotal: recorded.SettlementTotal, Paid: true, PaidTime: recorded.PaidTime,
	}
	if b.sub == "" {
		known.AppID = recorded.AppID
	}
	return known
}

func (b *books) recordedRefund(recorded ledger.AcceptedRefund) matching.Refund {
	known := matching.Refund{
		OutRefundNo: recorded.OutRefundNo, RefundID: recorded.RefundID, OutTradeNo: recorded.OutTradeNo, TransactionID: recorded.TransactionID,
		SubMchID: b.sub, Amount: recorded.Amount, Currency: recorded.Currency, Accepted: true, AcceptedTimeLocal: true,
	}
	// The ledger does not have when a refund was approved. One that was not accepted soon after its object was made may have waited for
	// that, or for WeChat's lost answer.
	known.AcceptedTime, known.Doubtful = acceptance(recorded.RequestedTime, recorded.AcceptedTime, ptr.Deref(recorded.SucceededTime, time.Time{}))
	if known.AcceptedTime.Sub(recorded.RequestedTime) > time.Hour && known.Doubtful {
		known.AcceptedTime = time.Time{}
	}
	return known
}
