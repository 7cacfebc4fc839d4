package simulator

// reason is why WeChat Pay refuses a call, whatever protocol it came in. Each wire says it in its
// own words.
type reason string

// Error implements error.
func (r reason) Error() string { return string(r) }

// The reasons that both protocols share.
const (
	errOrderNotExist      reason = "the order does not exist"
	errOrderUnpaid        reason = "the order is not paid, so there is nothing to refund"
	errOrderPaid          reason = "the order is paid"
	errPaidNotClosable    reason = "the order is paid and can't be closed"
	errOrderClosed        reason = "the order is closed"
	errClosedAlready      reason = "the order was closed before"
	errClosesTooSoon      reason = "an order can't be closed in its first five minutes"
	errDuplicateOrder     reason = "the number was used with other parameters"
	errDeadlineTooClose   reason = "time_expire is too close"
	errTransactionID      reason = "the transaction_id is unknown"
	errRefundMismatch     reason = "the amounts differ from the order's or from an earlier request's"
	errRefundCurrency     reason = "the currency is not the order's"
	errRefundNotExist     reason = "the refund does not exist"
	errRefundOverdue      reason = "the order is too old to be refunded"
	errRefundedInFull     reason = "the order is refunded in full"
	errRefundExceeds      reason = "the refund exceeds what is left of the order"
	errRefundCount        reason = "the order has been refunded too often"
	errRefundNotAbnormal  reason = "the refund is not abnormal"
	errNotEnough          reason = "the balance does not suffice"
	errFrequencyLimited   reason = "the calls come too often"
	errRateLimited        reason = "the calls come too often, said before the call was read"
	errTooManyInvalid     reason = "too many invalid refunds"
	errNeedRetry          reason = "the refund has to be requested again"
	errSystem             reason = "system error"
	errSignature          reason = "the signature is wrong"
	errAppIDMismatch      reason = "the appid does not belong to the merchant"
	errSubAppIDMismatch   reason = "the sub_appid does not belong to the sub merchant"
	errSubMchRequired     reason = "a service provider has to name the sub merchant"
	errSubMchForbidden    reason = "an ordinary merchant must not name a sub merchant"
	errSubMchIsProvider   reason = "the sub merchant is the provider itself"
	errNoRelation         reason = "there is no relation with the sub merchant"
	errSubMchMismatch     reason = "the sub merchant is not the order's"
	errNoBill             reason = "nothing happened on the day, so there is no bill"
	errBillCreating       reason = "the bill is being made"
	errBillOfToday        reason = "the day is not over"
	errBillTooOld         reason = "the bill is not kept any more"
	errNoRefundRight      reason = "the sub merchant never granted the right to refund"
	errRefundRightRevoked reason = "the sub merchant revoked the right to refund"
)
