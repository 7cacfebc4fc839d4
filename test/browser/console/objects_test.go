package console

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// quiet opens a shop whose objects only the test writes.
var quiet = framework.WithoutOperator()

const transactionID = "4200000000202611301234567890"

// condition writes a condition into the status of an object.
func (d *desk) condition(object client.Object, conditions *[]metav1.Condition, kind string, status metav1.ConditionStatus, reason, message string) {
	d.t.Helper()
	meta.SetStatusCondition(conditions, metav1.Condition{Type: kind, Status: status, Reason: reason, Message: message, ObservedGeneration: object.GetGeneration()})
	d.Must(d.Client.Status().Update(d.Context(), object))
}

// order creates an Order that waits for its payer.
func (d *desk) order(name string, change ...func(*v1alpha1.Order)) *v1alpha1.Order {
	d.t.Helper()
	order := d.NewOrder(name, change...)
	d.Create(order)
	return order
}

// paid creates an Order that is paid.
func (d *desk) paid(name string, change ...func(*v1alpha1.Order)) *v1alpha1.Order {
	d.t.Helper()
	order := d.order(name, change...)
	d.pay(order)
	return order
}

func (d *desk) pay(order *v1alpha1.Order) {
	d.t.Helper()
	now := metav1.NewTime(time.Now().Truncate(time.Second))
	order.Status.OutTradeNo = order.Number()
	order.Status.Transaction = &v1alpha1.Transaction{ID: transactionID, Total: order.Spec.Amount.Total, Currency: string(order.Spec.Amount.Currency), PaidTime: &now}
	d.condition(order, &order.Status.Conditions, v1alpha1.ConditionPaid, metav1.ConditionTrue, v1alpha1.ReasonPaid, "WeChat Pay says SUCCESS")
}

// refund creates a Refund that waits for a decision.
func (d *desk) refund(name, order string, amount int64, change ...func(*v1alpha1.Refund)) *v1alpha1.Refund {
	d.t.Helper()
	refund := d.NewRefund(name, order, amount, append([]func(*v1alpha1.Refund){func(r *v1alpha1.Refund) {
		r.Spec.Reason = "质量问题"
		r.Annotations = map[string]string{"wechatpay-operator.io/requested-by": "system:serviceaccount:shop:storefront"}
	}}, change...)...)
	d.Create(refund)
	d.condition(refund, &refund.Status.Conditions, v1alpha1.ConditionApproved, metav1.ConditionUnknown, v1alpha1.ReasonAwaitingApproval, "nobody has decided yet")
	return refund
}
