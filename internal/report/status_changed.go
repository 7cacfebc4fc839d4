package report

import (
	"strings"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
)

// StatusChanged logs one line if a write changed the state of an object, and nothing otherwise. The
// keys are stable, because searches and alerts depend on them.
//
//	order, refund, merchant,  namespace and name
//	eventSink, miniProgram, shipment, statement
//	outTradeNo, outRefundNo   the numbers at WeChat Pay
//	state                     the reason of Paid, Succeeded, Ready, Delivering, Uploaded or Balanced
//	before                    the previous state, if it changed
//	prepared                  the reason of an Order's Prepared
//	approved, accepted        the reasons of a Refund's Approved and Accepted
//	transactionID, refundID   WeChat Pay's own numbers, once known
//	message                   the condition's message, if something blocks the object
//	operation, outcome        the call to WeChat Pay, or the callback, that caused the change
func StatusChanged(log logr.Logger, before, now client.Object) {
	switch now := now.(type) {
	case *v1alpha1.Order:
		orderChanged(log, before.(*v1alpha1.Order), now)
	case *v1alpha1.Refund:
		refundChanged(log, before.(*v1alpha1.Refund), now)
	case *v1alpha1.Merchant:
		merchantChanged(log, before.(*v1alpha1.Merchant), now)
	case *v1alpha1.EventSink:
		eventSinkChanged(log, before.(*v1alpha1.EventSink), now)
	case *v1alpha1.MiniProgram:
		miniProgramChanged(log, before.(*v1alpha1.MiniProgram), now)
	case *v1alpha1.Shipment:
		shipmentChanged(log, before.(*v1alpha1.Shipment), now)
	case *v1alpha1.Statement:
		statementChanged(log, before.(*v1alpha1.Statement), now)
	}
}

func orderChanged(log logr.Logger, before, now *v1alpha1.Order) {
	state, prepared := lifecycle.PaidReason(now), lifecycle.PreparedReason(now)
	if state == lifecycle.PaidReason(before) && prepared == lifecycle.PreparedReason(before) {
		return
	}
	if state == v1alpha1.ReasonAmountMismatch {
		return // Reporter.Payment reports it, with the difference
	}
	values := with(changed(orderValues(now), lifecycle.PaidReason(before), state), "prepared", prepared)
	if transaction := now.Status.Transaction; transaction != nil {
		values = with(values, "transactionID", transaction.ID)
	}
	if message := orderMessage(now); message != "" {
		values = with(values, "message", masked(now, message))
	}
	log.Info("Changed the state of an Order", values...)
}

// orderMessage returns what blocks an Order; empty on the regular path.
func orderMessage(order *v1alpha1.Order) string {
	switch lifecycle.PaidReason(order) {
	case v1alpha1.ReasonPaid:
		return ""
	case v1alpha1.ReasonPending, v1alpha1.ReasonAwaitingPayment:
		if lifecycle.IsPrepared(order) {
			return ""
		}
		return lifecycle.Condition(order.Status.Conditions, v1alpha1.ConditionPrepared).Message
	default:
		return lifecycle.Condition(order.Status.Conditions, v1alpha1.ConditionPaid).Message
	}
}

func refundChanged(log logr.Logger, before, now *v1alpha1.Refund) {
	state, approved, accepted := lifecycle.SucceededReason(now), lifecycle.ApprovedReason(now), lifecycle.AcceptedReason(now)
	if state == lifecycle.SucceededReason(before) && approved == lifecycle.ApprovedReason(before) && accepted == lifecycle.AcceptedReason(before) {
		return
	}
	values := with(changed(refundValues(now), lifecycle.SucceededReason(before), state), "approved", approved, "accepted", accepted)
	if now.Status.RefundID != "" {
		values = with(values, "refundID", now.Status.RefundID)
	}
	if message := refundMessage(now); message != "" {
		values = with(values, "message", message)
	}
	log.Info("Changed the state of a Refund", values...)
}

// refundMessage returns what blocks a Refund; empty on the regular path.
func refundMessage(refund *v1alpha1.Refund) string {
	switch lifecycle.SucceededReason(refund) {
	case v1alpha1.ReasonSucceeded, v1alpha1.ReasonProcessing:
		return ""
	case v1alpha1.ReasonPending:
		switch lifecycle.AcceptedReason(refund) {
		case v1alpha1.ReasonPending, v1alpha1.ReasonWaitingForTurn:
			return ""
		}
		return lifecycle.Condition(refund.Status.Conditions, v1alpha1.ConditionAccepted).Message
	default:
		return lifecycle.Condition(refund.Status.Conditions, v1alpha1.ConditionSucceeded).Message
	}
}

func merchantChanged(log logr.Logger, before, now *v1alpha1.Merchant) {
	was, is := lifecycle.Condition(before.Status.Conditions, v1alpha1.ConditionReady).Reason, lifecycle.Condition(now.Status.Conditions, v1alpha1.ConditionReady).Reason
	if was == is {
		return
	}
	values := with(changed(merchantValues(now), was, is), "message", lifecycle.Condition(now.Status.Conditions, v1alpha1.ConditionReady).Message)
	log.Info("Changed the state of a Merchant", values...)
}

func eventSinkChanged(log logr.Logger, before, now *v1alpha1.EventSink) {
	was, is := lifecycle.Condition(before.Status.Conditions, v1alpha1.ConditionDelivering), lifecycle.Condition(now.Status.Conditions, v1alpha1.ConditionDelivering)
	if was.Reason == is.Reason {
		return
	}
	values := with(changed(eventSinkValues(now), was.Reason, is.Reason), "message", is.Message)
	log.Info("Changed the state of an EventSink", values...)
}

func miniProgramChanged(log logr.Logger, before, now *v1alpha1.MiniProgram) {
	was, is := lifecycle.Condition(before.Status.Conditions, v1alpha1.ConditionReady), lifecycle.Condition(now.Status.Conditions, v1alpha1.ConditionReady)
	if was.Reason == is.Reason {
		return
	}
	log.Info("Changed the state of a MiniProgram", with(changed(miniProgramValues(now), was.Reason, is.Reason), "message", is.Message)...)
}

func shipmentChanged(log logr.Logger, before, now *v1alpha1.Shipment) {
	was, is := lifecycle.UploadedReason(before), lifecycle.Condition(now.Status.Conditions, v1alpha1.ConditionUploaded)
	if was == is.Reason {
		return
	}
	values := changed(shipmentValues(now), was, is.Reason)
	if !lifecycle.IsUploaded(now) {
		values = with(values, "message", is.Message)
	}
	log.Info("Changed the state of a Shipment", values...)
}

func statementChanged(log logr.Logger, before, now *v1alpha1.Statement) {
	was, is := lifecycle.StatementState(before), lifecycle.StatementState(now)
	if was == is {
		return
	}
	message := lifecycle.Condition(now.Status.Conditions, v1alpha1.ConditionBalanced).Message
	if !lifecycle.StatementCompared(now) {
		message = lifecycle.Condition(now.Status.Conditions, v1alpha1.ConditionDownloaded).Message
	}
	log.Info("Changed the state of a Statement", with(changed(statementValues(now), was, is), "message", message)...)
}

func changed(values []any, before, now string) []any {
	values = with(values, "state", now)
	if before != "" && before != now {
		values = with(values, "before", before)
	}
	return values
}

func valuesOf(object client.Object) []any {
	switch object := object.(type) {
	case *v1alpha1.Order:
		return orderValues(object)
	case *v1alpha1.Refund:
		return refundValues(object)
	case *v1alpha1.Merchant:
		return merchantValues(object)
	case *v1alpha1.EventSink:
		return eventSinkValues(object)
	case *v1alpha1.MiniProgram:
		return miniProgramValues(object)
	case *v1alpha1.Shipment:
		return shipmentValues(object)
	case *v1alpha1.Statement:
		return statementValues(object)
	default:
		return nil
	}
}

func orderValues(order *v1alpha1.Order) []any {
	namespace, name := order.MerchantKey()
	return []any{"order", klog.KObj(order), "merchant", klog.KRef(namespace, name), "outTradeNo", order.Number()}
}

func refundValues(refund *v1alpha1.Refund) []any {
	return []any{"refund", klog.KObj(refund), "order", klog.KRef(refund.Namespace, refund.Spec.OrderRef.Name), "outRefundNo", refund.Number()}
}

func merchantValues(merchant *v1alpha1.Merchant) []any {
	return []any{"merchant", klog.KObj(merchant), "mchID", merchant.Spec.MchID}
}

func eventSinkValues(sink *v1alpha1.EventSink) []any {
	return []any{"eventSink", klog.KObj(sink)}
}

func miniProgramValues(m *v1alpha1.MiniProgram) []any {
	return []any{"miniProgram", klog.KObj(m), "appID", m.Spec.AppID}
}

func shipmentValues(shipment *v1alpha1.Shipment) []any {
	return []any{"shipment", klog.KObj(shipment), "order", klog.KRef(shipment.Namespace, shipment.Spec.OrderRef.Name)}
}

func statementValues(statement *v1alpha1.Statement) []any {
	return []any{"statement", klog.KObj(statement), "merchant", klog.KRef(statement.Namespace, statement.Spec.MerchantRef.Name), "date", statement.Spec.Date}
}

func with(values []any, more ...any) []any { return append(values, more...) }

// masked hides the payer's openid, which is personal data, in WeChat Pay's text.
func masked(order *v1alpha1.Order, text string) string {
	if payer := order.Spec.Payer; payer != nil && payer.OpenID != "" {
		text = strings.ReplaceAll(text, payer.OpenID, Mask(payer.OpenID))
	}
	if transaction := order.Status.Transaction; transaction != nil && transaction.OpenID != "" {
		text = strings.ReplaceAll(text, transaction.OpenID, Mask(transaction.OpenID))
	}
	return text
}

// Mask hides an openid except for a prefix that is enough to compare two by eye.
func Mask(openID string) string {
	const shown = 4
	if len(openID) <= 2*shown {
		return "****"
	}
	return openID[:shown] + "****"
}
