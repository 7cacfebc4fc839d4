package report

import (
	"strings"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
	default:
		stateChanged(log, before, now)
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
	values := append(changed(valuesOf(now), lifecycle.PaidReason(before), state), "prepared", prepared)
	if transaction := now.Status.Transaction; transaction != nil {
		values = append(values, "transactionID", transaction.ID)
	}
	if message := orderMessage(now); message != "" {
		values = append(values, "message", masked(now, message))
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
	values := append(changed(valuesOf(now), lifecycle.SucceededReason(before), state), "approved", approved, "accepted", accepted)
	if now.Status.RefundID != "" {
		values = append(values, "refundID", now.Status.RefundID)
	}
	if message := refundMessage(now); message != "" {
		values = append(values, "message", message)
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

// stateChanged logs a change of the kinds that have one reason that describes them best.
func stateChanged(log logr.Logger, before, now client.Object) {
	_, was := stateOf(before)
	kind, is := stateOf(now)
	if was.Reason == is.Reason {
		return
	}
	values := changed(valuesOf(now), was.Reason, is.Reason)
	if is.Message != "" {
		values = append(values, "message", is.Message)
	}
	log.Info("Changed the state of "+kind, values...)
}

// stateOf returns an object's kind, and the reason and message that describe it best.
func stateOf(object client.Object) (kind string, state metav1.Condition) {
	switch object := object.(type) {
	case *v1alpha1.Merchant:
		return "a Merchant", lifecycle.Condition(object.Status.Conditions, v1alpha1.ConditionReady)
	case *v1alpha1.EventSink:
		return "an EventSink", lifecycle.Condition(object.Status.Conditions, v1alpha1.ConditionDelivering)
	case *v1alpha1.MiniProgram:
		return "a MiniProgram", lifecycle.Condition(object.Status.Conditions, v1alpha1.ConditionReady)
	case *v1alpha1.Shipment:
		state = lifecycle.Condition(object.Status.Conditions, v1alpha1.ConditionUploaded)
		if lifecycle.IsUploaded(object) {
			state.Message = "" // nothing blocks it
		}
		return "a Shipment", state
	case *v1alpha1.Statement:
		state = lifecycle.Condition(object.Status.Conditions, v1alpha1.ConditionBalanced)
		if !lifecycle.StatementCompared(object) {
			state = lifecycle.Condition(object.Status.Conditions, v1alpha1.ConditionDownloaded)
		}
		state.Reason = lifecycle.StatementState(object)
		return "a Statement", state
	default:
		return "", metav1.Condition{}
	}
}

func changed(values []any, before, now string) []any {
	values = append(values, "state", now)
	if before != "" && before != now {
		values = append(values, "before", before)
	}
	return values
}

// valuesOf returns the keys and values that name an object in a log line.
func valuesOf(object client.Object) []any {
	switch object := object.(type) {
	case *v1alpha1.Order:
		namespace, name := object.MerchantKey()
		return []any{"order", klog.KObj(object), "merchant", klog.KRef(namespace, name), "outTradeNo", object.Number()}
	case *v1alpha1.Refund:
		return []any{"refund", klog.KObj(object), "order", klog.KRef(object.Namespace, object.Spec.OrderRef.Name), "outRefundNo", object.Number()}
	case *v1alpha1.Merchant:
		return []any{"merchant", klog.KObj(object), "mchID", object.Spec.MchID}
	case *v1alpha1.EventSink:
		return []any{"eventSink", klog.KObj(object)}
	case *v1alpha1.MiniProgram:
		return []any{"miniProgram", klog.KObj(object), "appID", object.Spec.AppID}
	case *v1alpha1.Shipment:
		return []any{"shipment", klog.KObj(object), "order", klog.KRef(object.Namespace, object.Spec.OrderRef.Name)}
	case *v1alpha1.Statement:
		return []any{"statement", klog.KObj(object), "merchant", klog.KRef(object.Namespace, object.Spec.MerchantRef.Name), "date", object.Spec.Date}
	default:
		return nil
	}
}

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
