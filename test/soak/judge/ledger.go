package judge

import (
	"strings"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

// lateSuffix is appended to an Order's number for the Refund of a late payment, for Merchants with
// latePayment Refund.
const lateSuffix = "-late"

// ledger checks that everything at WeChat Pay was requested like that.
func (j *judge) ledger() {
	orders := map[Number]int{}
	for i := range j.Ledger.Orders {
		recorded := &j.Ledger.Orders[i]
		number := Number{recorded.MchID, recorded.OutTradeNo}
		j.lookAt(OrderOnce, RefundWithinPaid)
		if orders[number]++; orders[number] > 1 {
			j.find(OrderOnce, number, "WeChat has it %d times", orders[number])
		}
		j.ledgerOrder(recorded, number)
	}
	refunds := map[Number]int{}
	for i := range j.Ledger.Refunds {
		recorded := &j.Ledger.Refunds[i]
		number := Number{recorded.MchID, recorded.OutRefundNo}
		j.lookAt(RefundOnce, RefundApproved)
		if refunds[number]++; refunds[number] > 1 {
			j.find(RefundOnce, number, "WeChat has it %d times", refunds[number])
		}
		j.ledgerRefund(recorded, number)
	}
	for _, seen := range j.Payments {
		j.lookAt(LedgerTrustworthy)
		recorded := j.Ledger.Order(seen.Order.MchID, seen.Order.Number)
		if recorded == nil || recorded.Payment == nil || recorded.Payment.TransactionID != seen.TransactionID {
			j.find(LedgerTrustworthy, seen.Order, "the payer was told of transaction %s", seen.TransactionID)
		}
	}
}

func (j *judge) ledgerOrder(recorded *simulator.Order, number Number) {
	requested := j.Orders[number]
	if requested == nil {
		j.find(OrderOnce, number, "no Order has this number")
		return
	}
	for field, wanted := range orderParameters(requested, recorded.Protocol) {
		if recorded.Params[field] != wanted {
			j.find(OrderOnce, number, "%s is %q, the Order says %q", field, recorded.Params[field], wanted)
		}
	}
	if recorded.TradeType != "" && recorded.TradeType != string(requested.Order.Spec.TradeType) {
		j.find(OrderOnce, number, "it is of type %s, the Order says %s", recorded.TradeType, requested.Order.Spec.TradeType)
	}
	if recorded.Sums.Accepted > recorded.Sums.Paid {
		j.find(RefundWithinPaid, number, "%d was paid and %d refunded", recorded.Sums.Paid, recorded.Sums.Accepted)
	}
}

func (j *judge) ledgerRefund(recorded *simulator.Refund, number Number) {
	requested := j.askedRefund(number)
	if requested == nil {
		j.find(RefundOnce, number, "no Refund has this number")
		return
	}
	order := j.Orders[requested.Order]
	switch {
	case recorded.OutTradeNo != requested.Order.Number, recorded.RefundFee != requested.Refund.Spec.Amount, recorded.TotalFee != order.Order.Spec.Amount.Total:
		j.find(RefundOnce, number, "WeChat has %d of %d of order %s, the Refund says %d of %d of %s", recorded.RefundFee, recorded.TotalFee,
			recorded.OutTradeNo, requested.Refund.Spec.Amount, order.Order.Spec.Amount.Total, requested.Order.Number)
	case recorded.Payouts > 1:
		j.find(RefundOnce, number, "it was paid out %d times", recorded.Payouts)
	case j.isAutomatic(requested):
	case requested.ApprovedTime.IsZero():
		j.find(RefundApproved, number, "nobody approved it")
	case recorded.AcceptTime.Before(requested.ApprovedTime):
		j.find(RefundApproved, number, "it was sent before it was approved at %s", requested.ApprovedTime.Format(time.RFC3339Nano))
	}
}

func (j *judge) isAutomatic(requested *AskedRefund) bool {
	order := j.Orders[requested.Order]
	return order != nil && order.Merchant.Spec.RefundApproval == v1alpha1.RefundApprovalAutomatic
}

// askedRefund returns the Refund with a number: one created by a person, or that of a late payment,
// which the operator creates if the Merchant says so.
func (j *judge) askedRefund(number Number) *AskedRefund {
	if requested := j.Refunds[number]; requested != nil {
		return requested
	}
	of := Number{number.MchID, strings.TrimSuffix(number.Number, lateSuffix)}
	order := j.Orders[of]
	if of == number || order == nil || order.Merchant.Spec.LatePayment != v1alpha1.LatePaymentRefund {
		return nil
	}
	recorded := j.Ledger.Order(of.MchID, of.Number)
	if recorded == nil || recorded.Payment == nil || !recorded.Payment.Forced {
		return nil
	}
	late := &v1alpha1.Refund{}
	late.Namespace, late.Name = order.Order.Namespace, order.Order.Name+lateSuffix
	late.Spec.OrderRef.Name, late.Spec.Amount = order.Order.Name, order.Order.Spec.Amount.Total
	if number.Number != late.Name {
		late.Spec.OutRefundNo = number.Number
	}
	return &AskedRefund{Refund: late, Order: of, Deleted: order.Deleted}
}

// pauseTail is how long after its pause a leader may still act before it notices that it is no
// longer the leader.
const pauseTail = 3 * time.Second

// complaints checks the violations that the simulator recorded.
func (j *judge) complaints() {
	for _, outcomes := range j.Ledger.CallCounts {
		for _, count := range outcomes {
			j.lookedAt[WeChatContent] += count
		}
	}
	for _, violation := range j.Ledger.Violations {
		if j.isExcused(violation) {
			j.excused++
			continue
		}
		j.find(WeChatContent, Number{violation.MchID, violation.Number}, "%s at %s: %s: %s", violation.Kind,
			violation.Time.Format(time.RFC3339Nano), violation.Operation, violation.Detail)
	}
}

// isExcused reports whether a call is one that a resumed leader makes before it notices that another
// one has taken over. WeChat Pay refuses it: a refund for its spacing, and an order for its parameters
// if the other leader has just sent the Order of the other namespace that may use the number.
func (j *judge) isExcused(violation simulator.Violation) bool {
	switch violation.Kind {
	case simulator.ViolationRefundPace:
		return j.justWoke(violation.Time)
	case simulator.ViolationOrderParams:
		requested := j.Orders[Number{violation.MchID, violation.Number}]
		return requested != nil && requested.Twin != nil && j.justWoke(violation.Time)
	default:
		return false
	}
}

func (j *judge) justWoke(at time.Time) bool {
	for _, pause := range j.Pauses {
		if !at.Before(pause.Until) && at.Before(pause.Until.Add(pauseTail)) {
			return true
		}
	}
	return false
}
