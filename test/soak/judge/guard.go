package judge

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// guard: an approval counts only while the approval policy is in force. A soak never removes the
// policy, so no Merchant may ever have missed it, and no user without permission may have been able
// to approve.
func (j *judge) guard() {
	for _, number := range j.LetThrough {
		j.find(RefundApproved, number, "who has no right to approve could do so")
	}
	last := map[string]*v1alpha1.Merchant{}
	for _, change := range j.History {
		merchant, isMerchant := change.Object.(*v1alpha1.Merchant)
		if !isMerchant || change.Gone {
			continue
		}
		name := merchant.Namespace + "/" + merchant.Name
		last[name] = merchant
		if guarded := condition(merchant.Status.Conditions, v1alpha1.ConditionRefundsGuarded); guarded.Status == metav1.ConditionFalse {
			j.find(RefundApproved, Number{MchID: merchant.Spec.MchID}, "Merchant %s shows RefundsGuarded=False/%s: %s", name, guarded.Reason, guarded.Message)
		}
	}
	for name, merchant := range last {
		if guarded := condition(merchant.Status.Conditions, v1alpha1.ConditionRefundsGuarded); guarded.Status != metav1.ConditionTrue {
			j.notYet(RefundApproved, Number{MchID: merchant.Spec.MchID}, "Merchant %s does not show RefundsGuarded", name)
		}
	}
}
