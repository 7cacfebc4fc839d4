package statement

import (
	"time"

	"k8s.io/utils/ptr"

	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills/matching"
	"github.com/wechatpay-operator/wechatpay-operator/internal/ledger"
)

// addLedger adds the ledger's rows of the day whose objects are not in the cluster any more. If the object exists, it
// is used instead: it may have lost its status, and then WeChat is queried.
func (r *records) addLedger(matcher *matching.Matcher, day bills.Day) error {
	err := r.ledger.Paid(r.ctx, r.account, day.Start(), day.End(), func(recorded ledger.PaidOrder) error {
		if matcher.HasOrder(recorded.OutTradeNo) {
			return nil
		}
		if object, _ := r.orderByNumber(recorded.TransactionID, recorded.OutTradeNo); object == nil {
			matcher.AddOrder(r.recordedOrder(recorded))
		}
		return r.err
	})
	if err != nil {
		return &LedgerError{err}
	}
	err = r.ledger.Accepted(r.ctx, r.account, day.Start(), day.End().Add(lateAcceptance), func(recorded ledger.AcceptedRefund) error {
		if matcher.HasRefund(recorded.OutRefundNo) {
			return nil
		}
		if object, _ := r.refundByNumber(recorded.RefundID, recorded.OutRefundNo); object == nil {
			matcher.AddRefund(r.recordedRefund(recorded))
		}
		return r.err
	})
	if err != nil {
		return &LedgerError{err}
	}
	return nil
}

func (r *records) recordedOrder(recorded ledger.PaidOrder) matching.Order {
	known := matching.Order{
		OutTradeNo: recorded.OutTradeNo, TransactionID: recorded.TransactionID, SubMchID: r.sub, Total: recorded.Total, Currency: recorded.Currency,
		SettlementTotal: recorded.SettlementTotal, Paid: true, PaidTime: recorded.PaidTime,
	}
	if r.sub == "" {
		known.AppID = recorded.AppID
	}
	return known
}

func (r *records) recordedRefund(recorded ledger.AcceptedRefund) matching.Refund {
	known := matching.Refund{
		OutRefundNo: recorded.OutRefundNo, RefundID: recorded.RefundID, OutTradeNo: recorded.OutTradeNo, TransactionID: recorded.TransactionID,
		SubMchID: r.sub, Amount: recorded.Amount, Currency: recorded.Currency, Accepted: true, AcceptedTimeLocal: true,
	}
	// The ledger does not record when a refund was approved. If a refund was accepted long after its object was
	// created, it may have waited for the approval or for a lost answer of WeChat.
	known.AcceptedTime, known.Doubtful = acceptance(recorded.RequestedTime, recorded.AcceptedTime, ptr.Deref(recorded.SucceededTime, time.Time{}))
	if known.AcceptedTime.Sub(recorded.RequestedTime) > time.Hour && known.Doubtful {
		known.AcceptedTime = time.Time{}
	}
	return known
}
