package simulator

import (
	"slices"
	"time"
)

// SignType is the algorithm of a signature.
type SignType string

// The sign types.
const (
	MD5        SignType = "MD5"
	HMACSHA256 SignType = "HMAC-SHA256"
)

// TradeState is the state of an order.
type TradeState string

// The trade states that orders of these trade types can have.
const (
	StateNotPay  TradeState = "NOTPAY"
	StateSuccess TradeState = "SUCCESS"
	StateRefund  TradeState = "REFUND"
	StateClosed  TradeState = "CLOSED"
)

// RefundStatus is the state of a refund.
type RefundStatus string

// The refund states.
const (
	RefundProcessing RefundStatus = "PROCESSING"
	RefundSuccess    RefundStatus = "SUCCESS"
	RefundChange     RefundStatus = "CHANGE"
	RefundClosed     RefundStatus = "REFUNDCLOSE"
)

// Ledger is a copy of everything the simulator knows, in order of creation.
type Ledger struct {
	Time      time.Time        `json:"time"`
	Merchants []MerchantRecord `json:"merchants"`
	Orders    []Order          `json:"orders"`
	Refunds   []Refund         `json:"refunds"`
	Callbacks []Callback       `json:"callbacks"`
	// Calls are the latest calls, CallCounts counts all of them by operation and outcome.
	Calls      []Call                       `json:"calls"`
	CallCounts map[Operation]map[string]int `json:"call_counts"`
	Violations []Violation                  `json:"violations"`
}

// MerchantRecord is what the ledger shows of a merchant: everything but its key.
type MerchantRecord struct {
	MchID   string   `json:"mch_id"`
	AppIDs  []string `json:"appids"`
	Balance *int64   `json:"balance,omitempty"`
	// InvalidRefundCalls counts refund calls that WeChat holds against the merchant, Blocks how often they
	// blocked it, BlockedUntil the end of the last block.
	InvalidRefundCalls int        `json:"invalid_refund_calls"`
	Blocks             int        `json:"blocks"`
	BlockedUntil       *time.Time `json:"blocked_until,omitempty"`
}

// Order is an order with its payment.
type Order struct {
	MchID      string     `json:"mch_id"`
	AppID      string     `json:"appid"`
	OutTradeNo string     `json:"out_trade_no"`
	TradeType  string     `json:"trade_type"`
	TotalFee   int64      `json:"total_fee"`
	FeeType    string     `json:"fee_type"`
	SignType   SignType   `json:"sign_type"`
	State      TradeState `json:"state"`
	// Params are the fields of the first unifiedorder call, less sign and nonce_str.
	Params map[string]string `json:"params"`
	// UnifiedOrderCalls counts the calls with this number that passed verification.
	UnifiedOrderCalls int        `json:"unified_order_calls"`
	Prepays           []Prepay   `json:"prepays"`
	CreateTime        time.Time  `json:"create_time"`
	ExpireTime        *time.Time `json:"expire_time,omitempty"`
	CloseTime         *time.Time `json:"close_time,omitempty"`
	Payment           *Payment   `json:"payment,omitempty"`
	Sums              OrderSums  `json:"sums"`
	// LastRefundCall is what MinRefundInterval counts from.
	LastRefundCall *time.Time `json:"last_refund_call,omitempty"`
}

// Prepay is one answer of unifiedorder.
type Prepay struct {
	ID             string    `json:"id"`
	CodeURL        string    `json:"code_url,omitempty"`
	MwebURL        string    `json:"mweb_url,omitempty"`
	ExpireTime     time.Time `json:"expire_time"`
	MwebExpireTime time.Time `json:"mweb_expire_time"`
}

// Payment is the payment of an order.
type Payment struct {
	TransactionID      string    `json:"transaction_id"`
	Time               time.Time `json:"time"`
	OpenID             string    `json:"openid"`
	BankType           string    `json:"bank_type"`
	TotalFee           int64     `json:"total_fee"`
	FeeType            string    `json:"fee_type"`
	CashFee            int64     `json:"cash_fee"`
	CashFeeType        string    `json:"cash_fee_type"`
	RateValue          string    `json:"rate_value,omitempty"`
	SettlementTotalFee *int64    `json:"settlement_total_fee,omitempty"`
	Coupons            []Coupon  `json:"coupons,omitempty"`
	PromotionDetail    string    `json:"promotion_detail,omitempty"`
	// Forced payments came after the order was closed or expired.
	Forced bool `json:"forced,omitempty"`
}

// OrderSums add up an order's money.
type OrderSums struct {
	Paid int64 `json:"paid"`
	// Accepted are all refunds that were not closed, Refunded those that succeeded.
	Accepted int64 `json:"accepted"`
	Refunded int64 `json:"refunded"`
	Count    int   `json:"count"`
}

// Refund is a refund that was accepted.
type Refund struct {
	MchID         string       `json:"mch_id"`
	AppID         string       `json:"appid"`
	OutTradeNo    string       `json:"out_trade_no"`
	TransactionID string       `json:"transaction_id"`
	OutRefundNo   string       `json:"out_refund_no"`
	RefundID      string       `json:"refund_id"`
	TotalFee      int64        `json:"total_fee"`
	RefundFee     int64        `json:"refund_fee"`
	FeeType       string       `json:"fee_type"`
	Status        RefundStatus `json:"status"`
	// Params are the fields of the first refund call, less sign and nonce_str.
	Params        map[string]string `json:"params,omitempty"`
	NotifyURL     string            `json:"notify_url,omitempty"`
	RequestSource string            `json:"request_source"`
	// Calls counts the refund calls with this number; Payouts how often money went out, which is at most once.
	Calls       int        `json:"calls"`
	Payouts     int        `json:"payouts"`
	AcceptTime  time.Time  `json:"accept_time"`
	SettleTime  *time.Time `json:"settle_time,omitempty"`
	SuccessTime *time.Time `json:"success_time,omitempty"`
	// Outcome is what the refund will turn to at SettleTime.
	Outcome RefundStatus `json:"outcome,omitempty"`
}

// Call is one API call.
type Call struct {
	Time      time.Time `json:"time"`
	Host      Host      `json:"host"`
	Operation Operation `json:"operation"`
	MchID     string    `json:"mch_id,omitempty"`
	// Number is out_trade_no, or out_refund_no for refund and refundquery, or whatever number the call had.
	Number string `json:"number,omitempty"`
	// Outcome is SUCCESS, an err_code, a return_msg, or the kind of fault that kept the call from an answer.
	Outcome string `json:"outcome"`
	// Fault is the kind of fault that struck, if any.
	Fault FaultKind `json:"fault,omitempty"`
}

// CallbackState is how far a callback has come.
type CallbackState string

// The callback states.
const (
	CallbackPending   CallbackState = "pending"
	CallbackDelivered CallbackState = "delivered"
	CallbackExhausted CallbackState = "exhausted"
)

// Callback is a message that the shop is to receive, with every attempt to deliver it.
type Callback struct {
	ID        string        `json:"id"`
	Operation Operation     `json:"operation"`
	MchID     string        `json:"mch_id"`
	Number    string        `json:"number"`
	URL       string        `json:"url"`
	State     CallbackState `json:"state"`
	// Round counts the attempts of the schedule; a duplicate is two attempts in one round.
	Round       int               `json:"round"`
	NextAttempt *time.Time        `json:"next_attempt,omitempty"`
	Attempts    []CallbackAttempt `json:"attempts"`
	// RefundStatus is the status that a refund callback tells.
	RefundStatus RefundStatus `json:"refund_status,omitempty"`
}

// CallbackOutcome is what became of an attempt.
type CallbackOutcome string

// The callback outcomes.
const (
	OutcomeAccepted    CallbackOutcome = "accepted"    // status 200 and the exact answer in time
	OutcomeRefused     CallbackOutcome = "refused"     // any other answer
	OutcomeTimeout     CallbackOutcome = "timeout"     // no answer in time
	OutcomeUnreachable CallbackOutcome = "unreachable" // no connection, or a broken one
	OutcomeLost        CallbackOutcome = "lost"        // never sent, by a fault
)

// CallbackAttempt is one attempt to deliver a callback.
type CallbackAttempt struct {
	Time    time.Time       `json:"time"`
	Outcome CallbackOutcome `json:"outcome"`
	Fault   FaultKind       `json:"fault,omitempty"`
	Status  int             `json:"status,omitempty"`
	// Body is the answer, cut after 1 KiB; Error is why there was none.
	Body       string `json:"body,omitempty"`
	Error      string `json:"error,omitempty"`
	TookMillis int64  `json:"took_millis"`
}

// ViolationKind names something a client must not do.
type ViolationKind string

// The violations.
const (
	ViolationRefundPace      ViolationKind = "refund-pace"              // two refund calls for an order too close together
	ViolationInvalidRefunds  ViolationKind = "invalid-refunds"          // so many invalid refund calls that WeChat blocked the merchant
	ViolationCallWhenBlocked ViolationKind = "call-when-blocked"        // a refund call of a blocked merchant
	ViolationOrderParams     ViolationKind = "order-other-params"       // an out_trade_no used again with other parameters
	ViolationRefundParams    ViolationKind = "refund-other-amounts"     // an out_refund_no used again with other amounts or for another order
	ViolationRefundTotal     ViolationKind = "refund-wrong-total"       // total_fee is not the order's
	ViolationRefundSum       ViolationKind = "refund-exceeds-paid"      // more refunds than was paid
	ViolationRefundCount     ViolationKind = "refund-too-many"          // more than 50 refunds of one order
	ViolationForgedCallback  ViolationKind = "forged-callback-answered" // a forged callback was answered with SUCCESS
)

// Violation is something the client did that WeChat does not like.
type Violation struct {
	Time      time.Time     `json:"time"`
	Kind      ViolationKind `json:"kind"`
	Operation Operation     `json:"operation"`
	MchID     string        `json:"mch_id"`
	Number    string        `json:"number,omitempty"`
	Detail    string        `json:"detail,omitempty"`
}

// Order finds an order; nil if there is none.
func (l Ledger) Order(mchID, outTradeNo string) *Order {
	for i := range l.Orders {
		if l.Orders[i].MchID == mchID && l.Orders[i].OutTradeNo == outTradeNo {
			return &l.Orders[i]
		}
	}
	return nil
}

// Refund finds a refund; nil if there is none.
func (l Ledger) Refund(mchID, outRefundNo string) *Refund {
	for i := range l.Refunds {
		if l.Refunds[i].MchID == mchID && l.Refunds[i].OutRefundNo == outRefundNo {
			return &l.Refunds[i]
		}
	}
	return nil
}

// RefundsOf finds the refunds of an order.
func (l Ledger) RefundsOf(mchID, outTradeNo string) []Refund {
	var found []Refund
	for _, refund := range l.Refunds {
		if refund.MchID == mchID && refund.OutTradeNo == outTradeNo {
			found = append(found, refund)
		}
	}
	return found
}

// CallsOf finds the recorded calls of one operation for one number; an empty number matches all.
func (l Ledger) CallsOf(operation Operation, number string) []Call {
	var found []Call
	for _, call := range l.Calls {
		if call.Operation == operation && (number == "" || call.Number == number) {
			found = append(found, call)
		}
	}
	return found
}

// CallbacksOf finds the callbacks of one kind for one number; an empty number matches all.
func (l Ledger) CallbacksOf(operation Operation, number string) []Callback {
	var found []Callback
	for _, callback := range l.Callbacks {
		if callback.Operation == operation && (number == "" || callback.Number == number) {
			found = append(found, callback)
		}
	}
	return found
}

// ViolationsOf finds the violations of one kind.
func (l Ledger) ViolationsOf(kind ViolationKind) []Violation {
	var found []Violation
	for _, violation := range l.Violations {
		if violation.Kind == kind {
			found = append(found, violation)
		}
	}
	return found
}

// narrow keeps what belongs to one merchant and one number; empty matches all. An order keeps its refunds.
func (l Ledger) narrow(mchID, number string) Ledger {
	mine := func(mch string, numbers ...string) bool {
		return (mchID == "" || mch == mchID) && (number == "" || slices.Contains(numbers, number))
	}
	l.Orders = slices.DeleteFunc(l.Orders, func(o Order) bool { return !mine(o.MchID, o.OutTradeNo) })
	l.Refunds = slices.DeleteFunc(l.Refunds, func(r Refund) bool { return !mine(r.MchID, r.OutTradeNo, r.OutRefundNo) })
	l.Callbacks = slices.DeleteFunc(l.Callbacks, func(c Callback) bool { return !mine(c.MchID, c.Number) })
	l.Calls = slices.DeleteFunc(l.Calls, func(c Call) bool { return !mine(c.MchID, c.Number) })
	l.Violations = slices.DeleteFunc(l.Violations, func(v Violation) bool { return !mine(v.MchID, v.Number) })
	return l
}
