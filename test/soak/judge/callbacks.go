package judge

import (
	"slices"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

// untrue are the faults that make a message false, so that the answer to it proves nothing.
var untrue = []simulator.FaultKind{
	simulator.FaultForge, simulator.FaultWrongAmount, simulator.FaultWrongCurrency, simulator.FaultWrongMchID, simulator.FaultMD5,
	simulator.FaultUnsigned,
}

// callbacks compares when a payment's callback was answered with SUCCESS with when an Order first
// showed the payment. Conditions have a resolution of a second, so only a second that began after
// the answer proves that the write came later.
func (j *judge) callbacks() {
	for _, callback := range j.Ledger.Callbacks {
		number := Number{callback.MchID, callback.Number}
		order, requested := j.Ledger.Order(callback.MchID, callback.Number), j.Orders[number]
		if callback.Operation != simulator.OperationPaymentCallback || order == nil || order.Payment == nil || requested == nil {
			continue
		}
		shown, everShown := j.past.firstPaid[transactionOf{key(requested.Order), order.Payment.TransactionID}]
		for _, attempt := range callback.Attempts {
			if attempt.Outcome != simulator.OutcomeAccepted || slices.Contains(untrue, attempt.Fault) {
				continue
			}
			j.lookAt(AnswerAfterWrite)
			answered := attempt.Time.Add(time.Duration(attempt.TookMillis+1) * time.Millisecond)
			if !everShown || shown.After(answered) {
				j.find(AnswerAfterWrite, number, "answered with SUCCESS at %s, first shown at %s", answered.Format(time.RFC3339Nano), shown.Format(time.RFC3339Nano))
				break
			}
		}
	}
}
