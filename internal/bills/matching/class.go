package matching

// Class is a kind of difference.
type Class string

// The differences of payments.
const (
	// PaymentNotInLedger: nobody here knows the payment.
	PaymentNotInLedger Class = "PaymentNotInLedger"
	// PaymentNotInBill: an Order is Paid, and WeChat does not list the money.
	PaymentNotInBill Class = "PaymentNotInBill"
	// PaymentNotRecorded: WeChat lists the money, and the Order is not Paid. A query repairs it.
	PaymentNotRecorded Class = "PaymentNotRecorded"
	// PaymentReversed: the money was taken back, which the operator never does.
	PaymentReversed Class = "PaymentReversed"
	// PaymentAmountDiffers: the amounts of the order are not the same.
	PaymentAmountDiffers Class = "PaymentAmountDiffers"
	// PaymentSettlementDiffers: the merchant gets another amount than WeChat's earlier answer said.
	PaymentSettlementDiffers Class = "PaymentSettlementDiffers"
	// PaymentCurrencyDiffers: the currencies are not the same. Amounts are not compared then.
	PaymentCurrencyDiffers Class = "PaymentCurrencyDiffers"
	// PaymentNumberDiffers: of the two numbers of a payment one is an Order's and the other is not.
	PaymentNumberDiffers Class = "PaymentNumberDiffers"
	// PaymentMerchantDiffers: the payment is another merchant's.
	PaymentMerchantDiffers Class = "PaymentMerchantDiffers"
	// PaymentAppIDDiffers: the payment was made under another appid.
	PaymentAppIDDiffers Class = "PaymentAppIDDiffers"
	// PaymentDayDiffers: WeChat told two different days.
	PaymentDayDiffers Class = "PaymentDayDiffers"
	// PaymentDuplicated: the bill lists the payment twice.
	PaymentDuplicated Class = "PaymentDuplicated"
)

// The differences of refunds.
const (
	// RefundNotInLedger: nobody here knows the refund. It may have been made by hand.
	RefundNotInLedger Class = "RefundNotInLedger"
	// RefundNotInBill: WeChat accepted the Refund, and does not list it.
	RefundNotInBill Class = "RefundNotInBill"
	// RefundNotRecorded: WeChat lists it, and the Refund is not accepted as far as it knows. A query
	// repairs it.
	RefundNotRecorded Class = "RefundNotRecorded"
	// RefundAmountDiffers: the requested amounts are not the same.
	RefundAmountDiffers Class = "RefundAmountDiffers"
	// RefundCurrencyDiffers: the currencies are not the same. Amounts are not compared then.
	RefundCurrencyDiffers Class = "RefundCurrencyDiffers"
	// RefundNumberDiffers: one of the numbers of the refund, or of its order, is another one.
	RefundNumberDiffers Class = "RefundNumberDiffers"
	// RefundMerchantDiffers: the refund is another merchant's.
	RefundMerchantDiffers Class = "RefundMerchantDiffers"
	// RefundDayDiffers: WeChat told two different days.
	RefundDayDiffers Class = "RefundDayDiffers"
	// RefundDuplicated: the bill lists the refund twice.
	RefundDuplicated Class = "RefundDuplicated"
)

// BillMissingWithActivity: WeChat has no bill for a day on which there were payments or refunds.
const BillMissingWithActivity Class = "BillMissingWithActivity"

// Classes are all kinds of differences.
var Classes = []Class{
	PaymentNotInLedger, PaymentNotInBill, PaymentNotRecorded, PaymentReversed, PaymentAmountDiffers, PaymentSettlementDiffers,
	PaymentCurrencyDiffers, PaymentNumberDiffers, PaymentMerchantDiffers, PaymentAppIDDiffers, PaymentDayDiffers, PaymentDuplicated,
	RefundNotInLedger, RefundNotInBill, RefundNotRecorded, RefundAmountDiffers, RefundCurrencyDiffers, RefundNumberDiffers,
	RefundMerchantDiffers, RefundDayDiffers, RefundDuplicated,
	BillMissingWithActivity,
}

// RepairedByQuery reports whether a query of the object that a difference names may end it.
func (c Class) RepairedByQuery() bool { return c == PaymentNotRecorded || c == RefundNotRecorded }

// PendingReason is why it is not known yet whether something is missing in the bill.
type PendingReason string

// The reasons.
const (
	// NeedsRechargeBill: refunds from the available balance are in a bill of their own.
	NeedsRechargeBill PendingReason = "needs-recharge-bill"
	// AwaitingNeighbour: it may be in the bill of the day before or after.
	AwaitingNeighbour PendingReason = "awaiting-neighbour"
)
