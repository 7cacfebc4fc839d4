package explore_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/settlement"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

func isReady(merchant *v1alpha1.Merchant) bool {
	return meta.IsStatusConditionTrue(merchant.Status.Conditions, v1alpha1.ConditionReady)
}

func number(object client.Object) string {
	switch object := object.(type) {
	case *v1alpha1.Order:
		return object.Number()
	case *v1alpha1.Refund:
		return object.Number()
	default:
		return ""
	}
}

// checkChange looks at every write of a status as it happens: what is paid stays paid, and nothing is said of money that the
// ledger does not say.
func (w *world) checkChange(before, after client.Object) {
	if w.flow.losesStatus && summary(after) == "" {
		return // the restore that the flow is about
	}
	ledger := w.sim.Ledger()
	switch after := after.(type) {
	case *v1alpha1.Order:
		w.checkOrderChange(ledger, before.(*v1alpha1.Order), after)
	case *v1alpha1.Refund:
		w.checkRefundChange(ledger, before.(*v1alpha1.Refund), after)
	}
}

func (w *world) checkOrderChange(ledger simulator.Ledger, before, after *v1alpha1.Order) {
	there := ledger.Order(mchID, after.Number())
	if settlement.IsPaid(before) && (!settlement.IsPaid(after) || after.Status.Transaction.ID != before.Status.Transaction.ID) {
		w.violate("Paid was left: %s", summary(after))
	}
	if settlement.IsPaid(after) && (there == nil || there.Payment == nil || there.Payment.TransactionID != after.Status.Transaction.ID) {
		w.violate("%s is shown as paid and is not", after.Name)
	}
	if settlement.IsFinished(after) && !settlement.IsPaid(after) && !settlement.IsFinished(before) {
		reason := settlement.PaidReason(after)
		if there != nil && there.State == simulator.StateNotPay && reason != v1alpha1.ReasonNumberInUse {
			w.violate("%s is shown as %s and can still be paid", after.Name, reason)
		}
	}
	if shown := after.Status.OutTradeNo; shown != "" && shown != after.Number() {
		w.violate("%s shows the number %s", after.Name, shown)
	}
}

func (w *world) checkRefundChange(ledger simulator.Ledger, before, after *v1alpha1.Refund) {
	there := ledger.Refund(mchID, after.Number())
	if settlement.RefundFinal(before) && settlement.SucceededReason(before) != settlement.SucceededReason(after) {
		w.violate("the end of %s was left: %s, then %s", after.Name, summary(before), summary(after))
	}
	if settlement.RefundAccepted(after) && there == nil {
		w.violate("%s is shown as accepted and is not", after.Name)
	}
	if settlement.RefundSucceeded(after) && (there == nil || there.Status != simulator.RefundSuccess) {
		w.violate("%s is shown as succeeded and did not", after.Name)
	}
}

// checkCall looks at every call before it leaves: the number is that of an object, and nobody is paid back without a yes.
func (w *world) checkCall(p *process, operation, called string) {
	if operation == "orderquery" && called == "WECHATPAY-OPERATOR-PROBE" {
		return
	}
	var of client.Object
	w.mutex.Lock()
	for _, object := range w.created {
		isRefund := kindOf(object) == kindRefund
		if number(object) == called && isRefund == strings.HasPrefix(operation, "refund") || isRefund && operation == "refundquery" && object.(*v1alpha1.Refund).Spec.OrderRef.Name == called {
			of = object
		}
	}
	w.mutex.Unlock()
	if of == nil {
		w.violate("%s: %s is called with the number %s, which is no object's", p.name, operation, called)
		return
	}
	refund, ok := of.(*v1alpha1.Refund)
	if !ok || operation != "refund" {
		return
	}
	policy := v1alpha1.RefundApprovalManual
	if found, ok := w.objects()[key{kindMerchant, merchantName}].(*v1alpha1.Merchant); ok {
		policy = found.Spec.RefundApproval
	}
	if !settlement.MayBeSent(refund, policy) {
		w.violate("%s: refund %s is asked for and nobody approved it", p.name, called)
	}
}

// checkAcknowledged is called when a callback was answered with SUCCESS: what it told must stand in the API server by then.
func (w *world) checkAcknowledged() {
	ledger := w.sim.Ledger()
	for _, callback := range ledger.Callbacks {
		underWay := callback.State == simulator.CallbackPending && callback.NextAttempt == nil
		if !underWay {
			continue
		}
		for _, object := range w.objects() {
			switch object := object.(type) {
			case *v1alpha1.Order:
				if callback.Operation == simulator.OperationPaymentCallback && object.Number() == callback.Number && !settlement.IsPaid(object) {
					w.violate("the payment of %s was acknowledged and is not stored: %s", object.Name, summary(object))
				}
			case *v1alpha1.Refund:
				if callback.Operation == simulator.OperationRefundCallback && object.Number() == callback.Number && !settlement.RefundFinal(object) {
					w.violate("the end of %s was acknowledged and is not stored: %s", object.Name, summary(object))
				}
			}
		}
	}
}

// checkEnd compares what the run came to with the ledger.
func (w *world) checkEnd() {
	ledger := w.sim.Ledger()
	for _, found := range ledger.Violations {
		if found.Kind == simulator.ViolationRefundPace && w.cut != nil && w.cut.fault.pace {
			continue
		}
		w.violate("WeChat Pay complains: %s %s %s: %s", found.Kind, found.Operation, found.Number, found.Detail)
	}
	w.checkNumbers(ledger)
	for k, object := range w.created {
		now, exists := w.objects()[k]
		if exists {
			object = now
		}
		switch object := object.(type) {
		case *v1alpha1.Order:
			w.checkOrderEnd(ledger, object, exists)
		case *v1alpha1.Refund:
			w.checkRefundEnd(ledger, object, exists)
		}
	}
	if w.cut != nil && !w.cutDone {
		w.violate("the run is not the same as the uncut one: there is no step %d", w.cut.at)
	}
}

func (w *world) checkNumbers(ledger simulator.Ledger) {
	for _, there := range ledger.Orders {
		if w.created[key{kindOrder, there.OutTradeNo}] == nil {
			w.violate("WeChat Pay has the order %s, which is no object's", there.OutTradeNo)
		}
		if there.Sums.Accepted > there.Sums.Paid {
			w.violate("of %d paid for %s, %d went back", there.Sums.Paid, there.OutTradeNo, there.Sums.Accepted)
		}
	}
	for _, there := range ledger.Refunds {
		refund, ok := w.created[key{kindRefund, there.OutRefundNo}].(*v1alpha1.Refund)
		if !ok || refund.Spec.Amount != there.RefundFee || refund.Spec.OrderRef.Name != there.OutTradeNo {
			w.violate("WeChat Pay has the refund %s over %d of %s, which is no object's", there.OutRefundNo, there.RefundFee, there.OutTradeNo)
		}
		if there.Payouts > 1 {
			w.violate("the refund %s was paid out %d times", there.OutRefundNo, there.Payouts)
		}
	}
}

func (w *world) checkOrderEnd(ledger simulator.Ledger, order *v1alpha1.Order, exists bool) {
	there := ledger.Order(mchID, order.Number())
	state := "nothing"
	if there != nil {
		state = string(there.State)
	}
	paid := there != nil && there.Payment != nil
	switch {
	case !exists && there != nil && there.State == simulator.StateNotPay:
		w.violate("%s is gone and can still be paid", order.Name)
	case !exists:
	case paid != settlement.IsPaid(order):
		w.violate("WeChat Pay has %s for %s, which shows %s", state, order.Name, summary(order))
	case !settlement.IsFinished(order):
		w.violate("%s is not finished (WeChat Pay has %s): %s", order.Name, state, summary(order))
	case order.DeletionTimestamp != nil:
		w.violate("%s is deleted and does not go: %s", order.Name, summary(order))
	}
	var back int64
	for _, refund := range ledger.RefundsOf(mchID, order.Number()) {
		if refund.Status == simulator.RefundSuccess {
			back += refund.RefundFee
		}
	}
	if exists && back > 0 && (order.Status.Refunded == nil || order.Status.Refunded.Total != back) {
		w.violate("%d went back of %s, which shows %v", back, order.Name, order.Status.Refunded)
	}
}

func (w *world) checkRefundEnd(ledger simulator.Ledger, refund *v1alpha1.Refund, exists bool) {
	there := ledger.Refund(mchID, refund.Number())
	state := "nothing"
	if there != nil {
		state = string(there.Status)
	}
	succeeded := there != nil && there.Status == simulator.RefundSuccess
	switch {
	case !exists && there != nil && there.Status == simulator.RefundProcessing:
		w.violate("%s is gone and under way", refund.Name)
	case !exists:
	case succeeded != settlement.RefundSucceeded(refund):
		w.violate("WeChat Pay has %s for %s, which shows %s", state, refund.Name, summary(refund))
	case refund.DeletionTimestamp != nil:
		w.violate("%s is deleted and does not go: %s", refund.Name, summary(refund))
	case !settlement.RefundFinal(refund) && settlement.ApprovedReason(refund) != v1alpha1.ReasonAwaitingApproval:
		w.violate("%s has no end (WeChat Pay has %s): %s", refund.Name, state, summary(refund))
	}
}

// end is what a run came to, in words that are the same for the same end: objects, ledger, and every parameter that WeChat was
// given.
func (w *world) end() string {
	var lines []string
	objects := w.objects()
	for _, k := range objects.keys() {
		if k.kind != kindMerchant {
			lines = append(lines, fmt.Sprintf("%s %s", k, summary(objects[k])))
		}
	}
	ledger := w.sim.Ledger()
	for _, there := range ledger.Orders {
		lines = append(lines, fmt.Sprintf("order %s %s %s", there.OutTradeNo, there.State, w.parameters(there.Params)))
	}
	slices.SortFunc(ledger.Refunds, func(a, b simulator.Refund) int { return strings.Compare(a.OutRefundNo, b.OutRefundNo) })
	for _, there := range ledger.Refunds {
		lines = append(lines, fmt.Sprintf("refund %s %s %s", there.OutRefundNo, there.Status, w.parameters(there.Params)))
	}
	return strings.Join(lines, "\n")
}

func (w *world) parameters(given map[string]string) string {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(given)) {
		words = append(words, name+"="+strings.ReplaceAll(given[name], w.namespace, "NAMESPACE"))
	}
	return strings.Join(words, " ")
}
