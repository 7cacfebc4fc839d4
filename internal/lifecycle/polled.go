package lifecycle

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// PollFailed shows, in WeChat's words, that an unpaid Order could not be asked for. What the Order is does not change by it.
func PollFailed(order *v1alpha1.Order, err error, now time.Time) {
	notePaid(order, now, func(message string) string { return withAskedInVain(message, err) })
}

// Polled records that an Order was asked for and is neither paid nor closed at WeChat. A state that is not known here is shown as it
// is: whether the payer can still pay is then not claimed.
func Polled(order *v1alpha1.Order, state wechatpay.TradeState, now time.Time) {
	unknown := !knownState(state)
	switch reason := PaidReason(order); {
	case IsFinished(order) && unknown:
		PollFailed(order, fmt.Errorf("WeChat Pay states the order as %.64q, a word that this version does not know", state), now)
	case IsFinished(order), reason != v1alpha1.ReasonAwaitingPayment && reason != v1alpha1.ReasonUnknownState:
		PollFailed(order, nil, now)
	case unknown:
		setOrder(order, now, v1alpha1.ConditionPaid, metav1.ConditionUnknown, v1alpha1.ReasonUnknownState, fmt.Sprintf(
			"WeChat Pay states the order as %.64q, a word that this version does not know, so nothing is concluded from it. Look the order up in the merchant platform (交易中心); it is asked for again by itself", state))
	default:
		setOrder(order, now, v1alpha1.ConditionPaid, metav1.ConditionUnknown, v1alpha1.ReasonAwaitingPayment, waitingForThePayer)
	}
}

// waitingForThePayer is the message of AwaitingPayment.
const waitingForThePayer = "Waiting for the payer"

func knownState(state wechatpay.TradeState) bool {
	switch state {
	case wechatpay.TradeStateSuccess, wechatpay.TradeStateRefund, wechatpay.TradeStateNotPay, wechatpay.TradeStateClosed,
		wechatpay.TradeStateRevoked, wechatpay.TradeStateUserPaying, wechatpay.TradeStateAccept, wechatpay.TradeStatePayError:
		return true
	default:
		return false
	}
}

// notePaid changes the message of an unpaid Order's condition Paid.
func notePaid(order *v1alpha1.Order, now time.Time, change func(string) string) {
	shown := meta.FindStatusCondition(order.Status.Conditions, v1alpha1.ConditionPaid)
	if shown == nil || IsPaid(order) {
		return
	}
	setOrder(order, now, v1alpha1.ConditionPaid, shown.Status, shown.Reason, change(shown.Message))
}
