package chaos_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
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

// checkChange checks every write of a status: what is paid stays paid, and the status says nothing
// about money that the ledger does not say.
func (w *world) checkChange(before, after client.Object) {
	if w.flow.losesStatus && summary(after) == "" {
		return // the restore of this flow
	}
	if before.GetUID() != after.GetUID() {
		return // another object with the same name
	}
	w.holds(agreement)
	ledger := w.sim.Ledger()
	switch after := after.(type) {
	case *v1alpha1.Order:
		w.checkOrderChange(ledger, before.(*v1alpha1.Order), after)
	case *v1alpha1.Refund:
		w.checkRefundChange(ledger, before.(*v1alpha1.Refund), after)
	case *v1alpha1.Shipment:
		w.checkShipmentChange(before.(*v1alpha1.Shipment), after)
	}
}

// isPaidRightly reports whether the ledger has the payment that an Order expects: the same amount
// in the same currency.
func isPaidRightly(there *simulator.Order, order *v1alpha1.Order) bool {
	return there != nil && there.Payment != nil && there.AppID == appID &&
		there.Payment.TotalFee == order.Spec.Amount.Total && there.Payment.FeeType == string(v1alpha1.CurrencyCNY)
}

func lostNumber(order *v1alpha1.Order) bool {
	return lifecycle.PaidReason(order) == v1alpha1.ReasonNumberInUse
}

func (w *world) checkOrderChange(ledger simulator.Ledger, before, after *v1alpha1.Order) {
	there := w.ownOrder(ledger, after)
	if lifecycle.IsPaid(before) && (!lifecycle.IsPaid(after) || after.Status.Transaction.ID != before.Status.Transaction.ID) {
		w.violate("Paid was left: %s", summary(after))
	}
	if lifecycle.IsPaid(after) && (!isPaidRightly(there, after) || there.Payment.TransactionID != after.Status.Transaction.ID) {
		w.violate("%s is shown as paid and is not", after.Name)
	}
	if lostNumber(before) && !lostNumber(after) {
		w.violate("%s had lost its number and shows %s", after.Name, summary(after))
	}
	if lifecycle.IsFinished(after) && !lifecycle.IsPaid(after) && !lifecycle.IsFinished(before) && !lostNumber(after) {
		switch {
		case there == nil:
		case there.State == simulator.StateNotPay:
			w.violate("%s is shown as %s and can still be paid", after.Name, lifecycle.PaidReason(after))
		case isPaidRightly(there, after) && !there.Payment.Forced:
			w.violate("%s is shown as %s and was paid in time", after.Name, lifecycle.PaidReason(after))
		}
	}
	if shown := after.Status.OutTradeNo; shown != "" && shown != after.Number() {
		w.violate("%s shows the number %s", after.Name, shown)
	}
	w.checkPrepay(there, after)
	w.checkAlone(after)
	if shown, back := after.Status.Refunded, w.wentBack(ledger, after); shown != nil && shown.Total > back {
		w.violate("%s shows that %d went back, and %d did", after.Name, shown.Total, back)
	}
}

// checkAlone checks that of several Orders with one number only one can be paid.
func (w *world) checkAlone(order *v1alpha1.Order) {
	for k, object := range w.objects() {
		rival, ok := object.(*v1alpha1.Order)
		if ok && k != keyOf(order) && rival.Number() == order.Number() && rival.Status.Prepay != nil && order.Status.Prepay != nil {
			w.violate("%s and %s both show a prepay of the number %s", keyOf(order), k, order.Number())
		}
	}
}

// checkPrepay checks that the payer gets WeChat Pay's prepay, in the form of the trade type.
func (w *world) checkPrepay(there *simulator.Order, order *v1alpha1.Order) {
	shown := order.Status.Prepay
	if shown == nil {
		return
	}
	if shown.ID == "" && shown.CodeURL == "" && shown.MWEBURL == "" {
		w.checkOnlyHad(there, order)
		return
	}
	made := madePrepay(there, shown)
	switch {
	case made == nil:
		w.violate("%s shows the prepay %s, which WeChat Pay did not make", order.Name, shown.ID)
	case shown.CodeURL != made.CodeURL || shown.MWEBURL != made.MwebURL:
		w.violate("%s shows another address to pay at than WeChat Pay's", order.Name)
	case (order.Spec.TradeType == v1alpha1.TradeTypeJSAPI) != (shown.JSAPI != nil) || (order.Spec.TradeType == v1alpha1.TradeTypeApp) != (shown.App != nil):
		w.violate("%s shows what its trade type %s has no use for, or lacks what it needs", order.Name, order.Spec.TradeType)
	case shown.JSAPI != nil && shown.JSAPI.Package != "prepay_id="+shown.ID, shown.App != nil && shown.App.PrepayID != shown.ID:
		w.violate("%s signs another prepay than it shows", order.Name)
	}
}

// madePrepay returns WeChat Pay's record of a prepay. API v3 gives no prepay_id to who pays at an
// address.
func madePrepay(there *simulator.Order, shown *v1alpha1.OrderPrepay) *simulator.Prepay {
	if there == nil {
		return nil
	}
	for i := range there.Prepays {
		made := &there.Prepays[i]
		if shown.ID != "" && made.ID == shown.ID || shown.ID == "" && made.CodeURL == shown.CodeURL && made.MwebURL == shown.MWEBURL {
			return made
		}
	}
	return nil
}

// checkOnlyHad checks that an Order whose status only says that WeChat Pay had it is right, and has
// ended.
func (w *world) checkOnlyHad(there *simulator.Order, order *v1alpha1.Order) {
	if there == nil || !lifecycle.IsFinished(order) {
		w.violate("%s says that WeChat Pay had it when it was closed", order.Name)
	}
	if only := (v1alpha1.OrderPrepay{Attach: order.Status.Prepay.Attach}); *order.Status.Prepay != only {
		w.violate("%s shows something to pay with that WeChat Pay did not make", order.Name)
	}
}

// wentBack returns how much of an Order's payment was refunded.
func (w *world) wentBack(ledger simulator.Ledger, order *v1alpha1.Order) int64 {
	var sum int64
	if w.ownOrder(ledger, order) == nil {
		return 0
	}
	for _, refund := range ledger.RefundsOf(mchID, order.Number()) {
		if refund.Status == simulator.RefundSuccess {
			sum += refund.RefundFee
		}
	}
	return sum
}

func (w *world) checkRefundChange(ledger simulator.Ledger, before, after *v1alpha1.Refund) {
	there := w.ownRefund(ledger, after)
	if lifecycle.RefundFinal(before) && lifecycle.SucceededReason(before) != lifecycle.SucceededReason(after) {
		w.violate("the end of %s was left: %s, then %s", after.Name, summary(before), summary(after))
	}
	if lifecycle.RefundAccepted(after) && there == nil {
		w.violate("%s is shown as accepted and is not", after.Name)
	}
	if lifecycle.RefundSucceeded(after) && (there == nil || there.Status != simulator.RefundSuccess) {
		w.violate("%s is shown as succeeded and did not", after.Name)
	}
	if lifecycle.RefundFinal(after) && !lifecycle.RefundSucceeded(after) && there != nil && there.Status != simulator.RefundClosed {
		w.violate("%s is shown as %s and WeChat Pay has it: %s", after.Name, lifecycle.SucceededReason(after), there.Status)
	}
}

// checkRelease checks an object whose finalizer the operator removes: nothing of it may be open,
// and its last status must be true.
func (w *world) checkRelease(object client.Object) {
	ledger := w.sim.Ledger()
	switch object := object.(type) {
	case *v1alpha1.Order:
		there := w.ownOrder(ledger, object)
		if there == nil {
			return
		}
		switch {
		case lostNumber(object):
		case there.State == simulator.StateNotPay:
			w.violate("%s is let go and can still be paid", object.Name)
		case isPaidRightly(there, object) != lifecycle.IsPaid(object):
			w.violate("%s is let go, WeChat Pay has it as %s, and it shows %s", object.Name, there.State, summary(object))
		}
		for _, refund := range ledger.RefundsOf(mchID, object.Number()) {
			if refund.Status == simulator.RefundProcessing {
				w.violate("%s is let go and its refund %s is under way", object.Name, refund.OutRefundNo)
			}
		}
	case *v1alpha1.Refund:
		there := w.ownRefund(ledger, object)
		if there != nil && (there.Status == simulator.RefundProcessing || (there.Status == simulator.RefundSuccess) != lifecycle.RefundSucceeded(object)) {
			w.violate("%s is let go, WeChat Pay has it as %s, and it shows %s", object.Name, there.Status, summary(object))
		}
	case *v1alpha1.Merchant:
		for _, user := range w.objects() {
			if order, ok := user.(*v1alpha1.Order); ok && merchantKey(order) == keyOf(object) && isHeldOpen(order) {
				w.violate("the Merchant %s is let go and %s needs it", object.Name, order.Name)
			}
		}
	}
}

func isHeldOpen(order *v1alpha1.Order) bool {
	return slices.Contains(order.Finalizers, v1alpha1.Finalizer) && !lifecycle.IsFinished(order)
}

// checkCall checks every call before it is sent: the number is that of an object, the parameters
// are those of the first call, and no refund is sent without an approval.
func (w *world) checkCall(p *process, call apiCall) {
	operation, called := call.operation, call.number
	if operation == "orderquery" && called == "WECHATPAY-OPERATOR-PROBE" {
		return
	}
	known := false
	w.mutex.Lock()
	for _, object := range w.created {
		isRefund := kindOf(object) == kindRefund
		known = known || number(object) == called && isRefund == strings.HasPrefix(operation, "refund") ||
			isRefund && operation == "refundquery" && object.(*v1alpha1.Refund).Spec.OrderRef.Name == called
	}
	acting := p.acting
	of := w.created[acting]
	w.mutex.Unlock()
	if !known {
		w.violate("%s: %s is called with the number %s, which is no object's", p.name, operation, called)
		return
	}
	w.checkCaller(p, acting, operation, called)
	w.checkConstant(p, acting.place+" "+string(call.protocol)+" "+operation+" "+called, call.fields)
	if refund, ok := of.(*v1alpha1.Refund); ok && operation == "refund" {
		w.checkApproved(p, refund)
	}
}

// checkConstant compares the parameters of a call with those of the first one for the number in the
// same protocol. Only authentication fields may differ.
func (w *world) checkConstant(p *process, called string, fields map[string]string) {
	given := maps.Clone(fields)
	for _, proof := range []string{"sign", "nonce_str", "sign_type"} {
		delete(given, proof)
	}
	words := w.parameters(given)
	first, repeated := w.asked[called]
	switch {
	case !repeated:
		w.asked[called] = words
	case first != words:
		w.violate("%s: %s is called with other parameters than before:\n%s\nnot:\n%s", p.name, called, words, first)
	}
}

// checkApproved checks the approval without the operator's own code.
func (w *world) checkApproved(p *process, refund *v1alpha1.Refund) {
	w.holds(noneUnapproved)
	automatic := false
	if order := w.orderOf(refund); order != nil {
		found, ok := w.objects()[merchantKey(order)].(*v1alpha1.Merchant)
		automatic = ok && found.Spec.RefundApproval == v1alpha1.RefundApprovalAutomatic
	}
	if w.guarded() && (refund.Spec.Approval == v1alpha1.ApprovalApproved || refund.Spec.Approval == "" && automatic) {
		return
	}
	w.breaks(noneUnapproved, "%s: refund %s is asked for and nobody approved it", p.name, refund.Number())
}

// checkAcknowledged is called when a callback was answered with SUCCESS: its content must be stored
// in the API server by then.
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
				if callback.Operation == simulator.OperationPaymentCallback && object.Number() == callback.Number && w.ownOrder(ledger, object) != nil && !lostNumber(object) && !lifecycle.IsPaid(object) {
					w.violate("the payment of %s was acknowledged and is not stored: %s", object.Name, summary(object))
				}
			case *v1alpha1.Refund:
				if callback.Operation == simulator.OperationRefundCallback && object.Number() == callback.Number && w.ownRefund(ledger, object) != nil && !showsRefund(object, callback.RefundStatus) {
					w.violate("that %s is %s was acknowledged and is not stored: %s", object.Name, callback.RefundStatus, summary(object))
				}
			}
		}
	}
}

// showsRefund reports whether a Refund shows the status of a callback, or a later one.
func showsRefund(refund *v1alpha1.Refund, told simulator.RefundStatus) bool {
	return lifecycle.RefundFinal(refund) || told == simulator.RefundChange && lifecycle.SucceededReason(refund) == v1alpha1.ReasonAbnormal
}

// checkArrival checks a delayed call: an object must still exist that shows its effect at WeChat
// Pay.
func (w *world) checkArrival(call apiCall, done bool) {
	fields := call.fields
	if !done || call.operation == "closeorder" {
		return
	}
	ledger, here := w.sim.Ledger(), false
	for _, object := range w.objects() {
		switch object := object.(type) {
		case *v1alpha1.Order:
			here = here || fields["out_refund_no"] == "" && object.Number() == fields["out_trade_no"] && w.ownOrder(ledger, object) != nil
		case *v1alpha1.Refund:
			here = here || fields["out_refund_no"] != "" && object.Number() == fields["out_refund_no"] && w.ownRefund(ledger, object) != nil
		}
	}
	if !here {
		w.violate("a call for %s%s arrives after it was let go", fields["out_trade_no"], fields["out_refund_no"])
	}
}

// checkEnd compares the result of the run with the ledger.
func (w *world) checkEnd() {
	ledger := w.sim.Ledger()
	for _, found := range ledger.Violations {
		if found.Kind == simulator.ViolationRefundPace && slices.ContainsFunc(w.cuts, func(c cut) bool { return c.fault.pace }) {
			continue
		}
		if w.flow.losesOwners && (found.Kind == simulator.ViolationOrderParams || found.Kind == simulator.ViolationRefundParams) {
			continue
		}
		w.violate("WeChat Pay complains: %s %s %s: %s", found.Kind, found.Operation, found.Number, found.Detail)
	}
	w.checkNumbers(ledger)
	w.checkShipping()
	for _, k := range slices.SortedFunc(maps.Keys(w.created), key.compare) {
		object, exists := w.objects()[k]
		if !exists {
			object = w.created[k]
		}
		switch object := object.(type) {
		case *v1alpha1.Order:
			w.checkOrderEnd(ledger, object, exists)
		case *v1alpha1.Refund:
			w.checkRefundEnd(ledger, object, exists)
		}
	}
	if w.cutsMade < len(w.cuts) {
		w.violate("the run is not the same as before: there is no step %d", w.cuts[w.cutsMade].at)
	}
}

func (w *world) checkNumbers(ledger simulator.Ledger) {
	for _, there := range ledger.Orders {
		if !exists(slices.Values(w.everything()), func(order *v1alpha1.Order) bool {
			return order.Number() == there.OutTradeNo && w.ownOrder(ledger, order) != nil
		}) {
			w.violate("WeChat Pay has the order %s, which is no object's", there.OutTradeNo)
		}
		if there.Sums.Accepted > there.Sums.Paid {
			w.violate("of %d paid for %s, %d went back", there.Sums.Paid, there.OutTradeNo, there.Sums.Accepted)
		}
	}
	for _, there := range ledger.Refunds {
		if !exists(slices.Values(w.everything()), func(refund *v1alpha1.Refund) bool {
			return refund.Number() == there.OutRefundNo && w.ownRefund(ledger, refund) != nil
		}) {
			w.violate("WeChat Pay has the refund %s over %d of %s, which is no object's", there.OutRefundNo, there.RefundFee, there.OutTradeNo)
		}
		if there.Payouts > 1 {
			w.violate("the refund %s was paid out %d times", there.OutRefundNo, there.Payouts)
		}
	}
}

func (w *world) checkOrderEnd(ledger simulator.Ledger, order *v1alpha1.Order, exists bool) {
	there := w.ownOrder(ledger, order)
	state := "nothing"
	if there != nil {
		state = string(there.State)
	}
	switch {
	case lostNumber(order): // WeChat Pay's order is another object's
	case !exists && there != nil && there.State == simulator.StateNotPay:
		w.violate("%s is gone and can still be paid", order.Name)
	case !exists:
	case isPaidRightly(there, order) != lifecycle.IsPaid(order):
		w.violate("WeChat Pay has %s for %s, which shows %s", state, order.Name, summary(order))
	case placeOf(order.Namespace) == stranger: // its Merchant never becomes ready, which is expected
	case !lifecycle.IsFinished(order):
		w.violate("%s is not finished (WeChat Pay has %s): %s", order.Name, state, summary(order))
	case order.DeletionTimestamp != nil:
		w.violate("%s is deleted and does not go: %s", order.Name, summary(order))
	}
	back := w.wentBack(ledger, order)
	if exists && back > 0 && !lostNumber(order) && (order.Status.Refunded == nil || order.Status.Refunded.Total != back) {
		w.violate("%d went back of %s, which shows %v", back, order.Name, order.Status.Refunded)
	}
}

func (w *world) checkRefundEnd(ledger simulator.Ledger, refund *v1alpha1.Refund, exists bool) {
	there := w.ownRefund(ledger, refund)
	state := "nothing"
	if there != nil {
		state = string(there.Status)
	}
	succeeded := there != nil && there.Status == simulator.RefundSuccess
	closed := there != nil && there.Status == simulator.RefundClosed
	switch {
	case !exists && there != nil && there.Status == simulator.RefundProcessing:
		w.violate("%s is gone and under way", refund.Name)
	case !exists:
	case succeeded != lifecycle.RefundSucceeded(refund), closed && lifecycle.SucceededReason(refund) != v1alpha1.ReasonClosed:
		w.violate("WeChat Pay has %s for %s, which shows %s", state, refund.Name, summary(refund))
	case refund.DeletionTimestamp != nil:
		w.violate("%s is deleted and does not go: %s", refund.Name, summary(refund))
	case w.neverGranted(refund), placeOf(refund.Namespace) == stranger: // it waits for a grant, or for its own Merchant
	case !lifecycle.RefundFinal(refund) && lifecycle.ApprovedReason(refund) != v1alpha1.ReasonAwaitingApproval:
		w.violate("%s has no end (WeChat Pay has %s): %s", refund.Name, state, summary(refund))
	}
}

// end is the result of a run, as a text that is equal for equal results: objects, ledger, and every
// parameter that WeChat Pay received.
func (w *world) end() string {
	var lines []string
	objects := w.objects()
	for _, k := range objects.keys() {
		if k.kind != kindMerchant && k.kind != kindMiniProgram && k.kind != kindEventSink {
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
	for _, there := range w.weixin.Journal().Shippings {
		lines = append(lines, fmt.Sprintf("shipping %s finished=%t %v", there.OutTradeNo, there.Finished, there.Parcels))
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
