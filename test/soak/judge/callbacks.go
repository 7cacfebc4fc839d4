package judge

import (
	"slices"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

// forgedBy are the faults after which a message does not prove that WeChat Pay sent it.
var forgedBy = []simulator.FaultKind{
	simulator.FaultForge, simulator.FaultMD5, simulator.FaultUnsigned, simulator.FaultSignTest, simulator.FaultUnknownSerial, simulator.FaultReplay,
	simulator.FaultWrongKey,
}

// untrue are the faults that make a message false, so that the answer to it proves nothing.
var untrue = append([]simulator.FaultKind{
	simulator.FaultWrongAmount, simulator.FaultWrongCurrency, simulator.FaultWrongMchID, simulator.FaultWrongSubMchID,
}, forgedBy...)

// callbacks compares when a callback was answered as accepted with when an Order first showed the
// payment, or a Refund its end. Conditions have a resolution of a second, so only a second that
// began after the answer proves that the write came later.
func (j *judge) callbacks() {
	for i := range j.Ledger.Callbacks {
		callback := &j.Ledger.Callbacks[i]
		number := Number{callback.MchID, callback.Number}
		told, shown := j.told(callback, number)
		if !told {
			continue
		}
		for _, attempt := range callback.Attempts {
			if attempt.Outcome != simulator.OutcomeAccepted || slices.Contains(untrue, attempt.Fault) {
				continue
			}
			j.lookAt(AnswerAfterWrite)
			answered := attempt.Time.Add(time.Duration(attempt.TookMillis+1) * time.Millisecond)
			if shown.IsZero() || shown.After(answered) {
				j.find(AnswerAfterWrite, number, "a %s of %s was accepted at %s, first shown at %s", callback.Operation, callback.Protocol,
					answered.Format(time.RFC3339Nano), shown.Format(time.RFC3339Nano))
				break
			}
		}
	}
}

// told reports whether a callback tells something of an object that was requested, and when that was
// first shown; zero if never.
func (j *judge) told(callback *simulator.Callback, number Number) (bool, time.Time) {
	if callback.Operation == simulator.OperationPaymentCallback {
		order, requested := j.Ledger.Order(number.MchID, number.Number), j.Orders[number]
		if order == nil || order.Payment == nil || requested == nil {
			return false, time.Time{}
		}
		return true, j.past.firstPaid[transactionOf{key(requested.Order), order.Payment.TransactionID}]
	}
	requested := j.askedRefund(number)
	if requested == nil || callback.RefundStatus != simulator.RefundSuccess {
		return false, time.Time{}
	}
	return true, j.past.firstSucceeded[key(requested.Refund)]
}

// forgeries checks that nobody but WeChat Pay can tell the operator of a payment.
func (j *judge) forgeries() {
	claimed := map[string]Number{}
	for _, forgery := range j.Forgeries {
		j.lookAt(NothingForged)
		claimed[forgery.TransactionID] = forgery.Number
		if forgery.Accepted {
			j.find(NothingForged, forgery.Number, "a forged callback of transaction %s was accepted", forgery.TransactionID)
		}
	}
	for _, change := range j.History {
		order, isOrder := change.Object.(*v1alpha1.Order)
		if !isOrder {
			continue
		}
		if number, forged := claimed[transactionID(order)]; forged {
			j.find(NothingForged, number, "%s shows transaction %s of a forged callback", key(order), transactionID(order))
			delete(claimed, transactionID(order)) // later versions show it again
		}
	}
	for _, violation := range j.Ledger.ViolationsOf(simulator.ViolationForgedCallback) {
		j.find(NothingForged, Number{violation.MchID, violation.Number}, "a forged %s was accepted: %s", violation.Operation, violation.Detail)
	}
	for _, callback := range j.Ledger.Callbacks {
		for _, attempt := range callback.Attempts {
			if slices.Contains(forgedBy, attempt.Fault) {
				j.lookAt(NothingForged)
			}
		}
	}
}

// payers checks that every paySign was taken.
func (j *judge) payers() {
	for range j.Payments {
		j.lookAt(PayerCanPay)
	}
	for _, number := range j.Unpayable {
		j.find(PayerCanPay, number, "WeChat Pay refuses its paySign")
	}
}
