package judge

import (
	"maps"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/conditions"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/tenancy"
)

// settleTwins determines which of two permitted Orders got the number that both requested in the
// same second. From then on that one and its Refunds are judged as usual, and the others as the
// losers. WeChat Pay's ledger decides.
func (j *judge) settleTwins() {
	j.Orders, j.Refunds = maps.Clone(j.Orders), maps.Clone(j.Refunds)
	for number, requested := range j.Orders {
		if requested.Twin != nil && j.twinOwns(number, requested) {
			owner := *requested.Twin
			owner.Twin = requested
			j.Orders[number] = &owner
		}
	}
	for number, requested := range j.Refunds {
		order := j.Orders[requested.Order]
		if requested.Twin != nil && order != nil && order.Order.Namespace == requested.Twin.Refund.Namespace {
			owner := *requested.Twin
			owner.Twin = requested
			j.Refunds[number] = &owner
		}
	}
}

// twinOwns reports whether the number belongs to the twin. While WeChat Pay has no order, it
// belongs to the one whose Order does not say that it lost.
func (j *judge) twinOwns(number Number, requested *AskedOrder) bool {
	if recorded := j.Ledger.Order(number.MchID, number.Number); recorded != nil {
		return tenancy.OwnOrder(recorded, requested.Twin.Order) != nil
	}
	return j.lostNumber(requested) && !j.lostNumber(requested.Twin)
}

func (j *judge) lostNumber(requested *AskedOrder) bool {
	return condition(j.conditionsOf(requested.Order), v1alpha1.ConditionPaid).Reason == v1alpha1.ReasonNumberInUse
}

// losers checks that an Order that did not get the number says so in the end, or was closed before
// it could try. The rules for tenants check what its objects show of WeChat Pay.
func (j *judge) losers() {
	for number, requested := range j.Orders {
		if requested.Twin == nil {
			continue
		}
		j.lookAt(Converged)
		paid := condition(j.conditionsOf(requested.Twin.Order), v1alpha1.ConditionPaid)
		ended := paid.Status == metav1.ConditionFalse &&
			(paid.Reason == v1alpha1.ReasonNumberInUse || paid.Reason == v1alpha1.ReasonClosed || paid.Reason == v1alpha1.ReasonExpired)
		if !ended {
			j.notYet(Converged, number, "%s lost the number and does not show it: %s", key(requested.Twin.Order), conditions.Describe(j.conditionsOf(requested.Twin.Order)))
		}
	}
}
