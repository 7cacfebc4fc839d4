package judge

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/tenancy"
)

// lateSuffix makes the number of the Refund of a late payment out of its Order's, for Merchants whose latePayment is Refund.
const lateSuffix = "-late"

// ledger looks at everything that WeChat has, whether somebody asked for it in this way.
func (j *judge) ledger() {
	orders := map[Number]int{}
	for i := range j.Ledger.Orders {
		there := &j.Ledger.Orders[i]
		number := Number{there.MchID, there.OutTradeNo}
		j.lookAt(OrderOnce, RefundWithinPaid)
		if orders[number]++; orders[number] > 1 {
			j.find(OrderOnce, number, "WeChat has it %d times", orders[number])
		}
		j.ledgerOrder(there, number)
	}
	refunds := map[Number]int{}
	for i := range j.Ledger.Refunds {
		there := &j.Ledger.Refunds[i]
		number := Number{there.MchID, there.OutRefundNo}
		j.lookAt(RefundOnce, RefundApproved)
		if refunds[number]++; refunds[number] > 1 {
			j.find(RefundOnce, number, "WeChat has it %d times", refunds[number])
		}
		j.ledgerRefund(there, number)
	}
	for _, seen := range j.Payments {
		j.lookAt(LedgerTrustworthy)
		there := j.Ledger.Order(seen.Order.MchID, seen.Order.Number)
		if there == nil || there.Payment == nil || there.Payment.TransactionID != seen.TransactionID {
			j.find(LedgerTrustworthy, seen.Order, "the payer was told of transaction %s", seen.TransactionID)
		}
	}
}

func (j *judge) ledgerOrder(there *simulator.Order, number Number) {
	asked := j.Orders[number]
	if asked == nil {
		j.find(OrderOnce, number, "no Order has this number")
		return
	}
	for field, wanted := range orderParameters(asked) {
		if there.Params[field] != wanted {
			j.find(OrderOnce, number, "%s is %q, the Order says %q", field, there.Params[field], wanted)
		}
	}
	if there.Sums.Accepted > there.Sums.Paid {
		j.find(RefundWithinPaid, number, "%d was paid and %d refunded", there.Sums.Paid, there.Sums.Accepted)
	}
}

// orderParameters are what a unifiedorder must say, read from the spec and the Merchant.
func orderParameters(asked *AskedOrder) map[string]string {
	spec := asked.Order.Spec
	parameters := map[string]string{
		"appid": asked.Merchant.Spec.AppID, "mch_id": asked.Merchant.Spec.MchID, "out_trade_no": asked.Order.Number(),
		"body": spec.Description, "total_fee": strconv.FormatInt(spec.Amount.Total, 10), "trade_type": string(spec.TradeType),
		"product_id": spec.ProductID, "attach": tenancy.Attach(asked.Order),
	}
	if spec.Payer != nil {
		parameters["openid"] = spec.Payer.OpenID
	}
	if spec.H5 != nil {
		parameters["scene_info"] = fmt.Sprintf(`{"h5_info":{"type":%q,"wap_url":%q,"wap_name":%q}}`, spec.H5.Type, spec.H5.URL, spec.H5.Name)
	}
	if spec.ExpireTime != nil {
		parameters["time_expire"] = spec.ExpireTime.In(time.FixedZone("UTC+8", 8*60*60)).Format("20060102150405")
	}
	return parameters
}

func (j *judge) ledgerRefund(there *simulator.Refund, number Number) {
	asked := j.askedRefund(number)
	if asked == nil {
		j.find(RefundOnce, number, "no Refund has this number")
		return
	}
	order := j.Orders[asked.Order]
	switch {
	case there.OutTradeNo != asked.Order.Number, there.RefundFee != asked.Refund.Spec.Amount, there.TotalFee != order.Order.Spec.Amount.Total:
		j.find(RefundOnce, number, "WeChat has %d of %d of order %s, the Refund says %d of %d of %s", there.RefundFee, there.TotalFee,
			there.OutTradeNo, asked.Refund.Spec.Amount, order.Order.Spec.Amount.Total, asked.Order.Number)
	case there.Payouts > 1:
		j.find(RefundOnce, number, "it was paid out %d times", there.Payouts)
	case j.isAutomatic(asked):
	case asked.ApprovedTime.IsZero():
		j.find(RefundApproved, number, "nobody approved it")
	case there.AcceptTime.Before(asked.ApprovedTime):
		j.find(RefundApproved, number, "it was sent before it was approved at %s", asked.ApprovedTime.Format(time.RFC3339Nano))
	}
}

func (j *judge) isAutomatic(asked *AskedRefund) bool {
	order := j.Orders[asked.Order]
	return order != nil && order.Merchant.Spec.RefundApproval == v1alpha1.RefundApprovalAutomatic
}

// askedRefund finds the Refund of a number: one that was created by a person, or that of a late payment, which the operator
// creates by itself where the Merchant says so.
func (j *judge) askedRefund(number Number) *AskedRefund {
	if asked := j.Refunds[number]; asked != nil {
		return asked
	}
	of := Number{number.MchID, strings.TrimSuffix(number.Number, lateSuffix)}
	order := j.Orders[of]
	if of == number || order == nil || order.Merchant.Spec.LatePayment != v1alpha1.LatePaymentRefund {
		return nil
	}
	there := j.Ledger.Order(of.MchID, of.Number)
	if there == nil || there.Payment == nil || !there.Payment.Forced {
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

// pauseTail is for how long after its pause a leader may still act before it knows that it is none any more.
const pauseTail = 3 * time.Second

// complaints are what WeChat did not like.
func (j *judge) complaints() {
	for _, outcomes := range j.Ledger.CallCounts {
		for _, count := range outcomes {
			j.lookedAt[WeChatContent] += count
		}
	}
	for _, violation := range j.Ledger.Violations {
		if violation.Kind == simulator.ViolationRefundPace && j.justWoke(violation.Time) {
			j.excused++
			continue
		}
		j.find(WeChatContent, Number{violation.MchID, violation.Number}, "%s at %s: %s: %s", violation.Kind,
			violation.Time.Format(time.RFC3339Nano), violation.Operation, violation.Detail)
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
