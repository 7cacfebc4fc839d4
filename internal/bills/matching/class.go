package matching

// Class is a kind of difference.
type Class string

// The differences of payments.
const (
	// PaymentNotInLedger: neither the cluster nor the ledger knows the payment.
	PaymentNotInLedger Class = "PaymentNotInLedger"
	// PaymentNotInBill: an Order is Paid, and WeChat does not list the payment.
	PaymentNotInBill Class = "PaymentNotInBill"
	// PaymentNotRecorded: WeChat lists the payment, and the Order is not Paid. A query repairs it.
	PaymentNotRecorded Class = "PaymentNotRecorded"
	// PaymentReversed: the payment was reversed, which the operator never does.
	PaymentReversed Class = "PaymentReversed"
	// PaymentAmountDiffers: the amounts of the order are not the same.
	PaymentAmountDiffers Class = "PaymentAmountDiffers"
	// PaymentSettlementDiffers: the merchant gets another amount than WeChat's earlier answer stated.
	PaymentSettlementDiffers Class = "PaymentSettlementDiffers"
	// PaymentCurrencyDiffers: the currencies are not the same, so the amounts are not compared.
	PaymentCurrencyDiffers Class = "PaymentCurrencyDiffers"
	// PaymentNumberDiffers: one of the payment's two numbers is that of an Order and the other one is not.
	PaymentNumberDiffers Class = "PaymentNumberDiffers"
	// PaymentMerchantDiffers: the payment belongs to another merchant.
	PaymentMerchantDiffers Class = "PaymentMerchantDiffers"
	// PaymentAppIDDiffers: the payment was made under another appid.
	PaymentAppIDDiffers Class = "PaymentAppIDDiffers"
	// PaymentDayDiffers: WeChat stated two different days.
	PaymentDayDiffers Class = "PaymentDayDiffers"
	// PaymentDuplicated: the bill lists the payment twice.
	PaymentDuplicated Class = "PaymentDuplicated"
)

// The differences of refunds.
const (
	// RefundNotInLedger: neither the cluster nor the ledger knows the refund. It may have been made by hand.
	RefundNotInLedger Class = "RefundNotInLedger"
	// RefundNotInBill: WeChat accepted the Refund, and does not list it.
	RefundNotInBill Class = "RefundNotInBill"
	// RefundNotRecorded: WeChat lists the refund, and the Refund is not Accepted. A query repairs it.
	RefundNotRecorded Class = "RefundNotRecorded"
	// RefundAmountDiffers: the requested amounts are not the same.
	RefundAmountDiffers Class = "RefundAmountDiffers"
	// RefundCurrencyDiffers: the currencies are not the same, so the amounts are not compared.
	RefundCurrencyDiffers Class = "RefundCurrencyDiffers"
	// RefundNumberDiffers: one of the numbers of the refund or of its order is another one.
	RefundNumberDiffers Class = "RefundNumberDiffers"
	// RefundMerchantDiffers: the refund belongs to another merchant.
	RefundMerchantDiffers Class = "RefundMerchantDiffers"
	// RefundDayDiffers: WeChat stated two different days.
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

// RepairedByQuery reports whether a query of the object that a difference names can resolve it.
func (c Class) RepairedByQuery() bool { return c == PaymentNotRecorded || c == RefundNotRecorded }

// PendingReason is why it can't be decided yet whether a row is missing in the bill.
type PendingReason string

// The reasons.
const (
	// NeedsRechargeBill: refunds from the available balance are in a separate bill.
	NeedsRechargeBill PendingReason = "needs-recharge-bill"
	// AwaitingNeighbour: the row may be in the bill of the day before or after.
	AwaitingNeighbour PendingReason = "awaiting-neighbour"
)
