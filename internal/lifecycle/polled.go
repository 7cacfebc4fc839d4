package lifecycle

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// PollFailed notes that the query of an unpaid Order failed, with WeChat Pay's error text. The
// state of the Order does not change.
func PollFailed(order *v1alpha1.Order, err error, now time.Time) {
	shown := meta.FindStatusCondition(order.Status.Conditions, v1alpha1.ConditionPaid)
	if shown != nil && !IsPaid(order) {
		setOrder(order, now, v1alpha1.ConditionPaid, shown.Status, shown.Reason, withQueryFailed(shown.Message, err))
	}
}

// Polled records that a query found the Order neither paid nor closed at WeChat Pay. An unknown
// trade state is shown verbatim, without a claim whether the payer can still pay.
func Polled(order *v1alpha1.Order, state wechatpay.TradeState, now time.Time) {
	unknown := !knownState(state)
	switch reason := PaidReason(order); {
	case IsFinished(order) && unknown:
		PollFailed(order, fmt.Errorf("WeChat Pay returned the unknown trade state %.64q", state), now)
	case IsFinished(order), reason != v1alpha1.ReasonAwaitingPayment && reason != v1alpha1.ReasonUnknownState:
		PollFailed(order, nil, now)
	case unknown:
		setOrder(order, now, v1alpha1.ConditionPaid, metav1.ConditionUnknown, v1alpha1.ReasonUnknownState, fmt.Sprintf(
			"WeChat Pay returned the unknown trade state %.64q, so the operator draws no conclusion from it. Look up the order in the merchant platform (交易中心); the operator queries it again automatically", state))
	default:
		setOrder(order, now, v1alpha1.ConditionPaid, metav1.ConditionUnknown, v1alpha1.ReasonAwaitingPayment, waitingForThePayer)
	}
}

// waitingForThePayer is the message of AwaitingPayment.
const waitingForThePayer = "Waiting for the payer"

func knownState(state wechatpay.TradeState) bool {
	return slices.Contains([]wechatpay.TradeState{
		wechatpay.TradeStateSuccess, wechatpay.TradeStateRefund, wechatpay.TradeStateNotPay, wechatpay.TradeStateClosed,
		wechatpay.TradeStateRevoked, wechatpay.TradeStateUserPaying, wechatpay.TradeStateAccept, wechatpay.TradeStatePayError,
	}, state)
}
