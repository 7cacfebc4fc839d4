package simulator

import (
	"slices"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/simulation"
)

// Protocol is a version of WeChat Pay's API. What one protocol ordered the other can query, close
// and refund.
type Protocol string

// The protocols.
const (
	ProtocolV2 Protocol = "V2" // XML, signed with the API key
	ProtocolV3 Protocol = "V3" // JSON, signed with RSA keys
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

// Ledger is a copy of the simulator's state, in order of creation.
type Ledger struct {
	Time      time.Time        `json:"time"`
	Merchants []MerchantRecord `json:"merchants"`
	Orders    []Order          `json:"orders"`
	Refunds   []Refund         `json:"refunds"`
	Callbacks []Callback       `json:"callbacks"`
	// Calls are the latest calls; CallCounts counts all calls by operation and outcome.
	Calls      []Call                       `json:"calls"`
	CallCounts map[Operation]map[string]int `json:"call_counts"`
	Violations []Violation                  `json:"violations"`
}

// MerchantRecord is a merchant in the ledger, without its key.
type MerchantRecord struct {
	MchID   string   `json:"mch_id"`
	AppIDs  []string `json:"appids"`
	Balance *int64   `json:"balance,omitempty"`
	// Verification is how API v3 can be verified.
	Verification Verification `json:"verification,omitempty"`
	// SubMerchants are those of a service provider.
	SubMerchants []SubMerchant `json:"sub_merchants,omitempty"`
	// InvalidRefundCalls counts the invalid refund calls that WeChat Pay counts, Blocks how often
	// they blocked the merchant, BlockedUntil the end of the last block.
	InvalidRefundCalls int        `json:"invalid_refund_calls"`
	Blocks             int        `json:"blocks"`
	BlockedUntil       *time.Time `json:"blocked_until,omitempty"`
}

// Call is one API call.
type Call struct {
	Time      time.Time `json:"time"`
	Host      Host      `json:"host"`
	Protocol  Protocol  `json:"protocol,omitempty"`
	Operation Operation `json:"operation"`
	MchID     string    `json:"mch_id,omitempty"`
	SubMchID  string    `json:"sub_mchid,omitempty"`
	// Number is out_trade_no, out_refund_no for refund and refundquery, or any other number in the
	// call.
	Number string `json:"number,omitempty"`
	// Outcome is SUCCESS, an err_code, a return_msg, a code of API v3, or the kind of fault that
	// prevented a reply.
	Outcome string `json:"outcome"`
	// Fault is the kind of fault that struck, if any.
	Fault FaultKind `json:"fault,omitempty"`
}

// CallbackState is the state of a callback's delivery.
type CallbackState string

// The callback states.
const (
	CallbackPending   CallbackState = "pending"
	CallbackDelivered CallbackState = "delivered"
	CallbackExhausted CallbackState = "exhausted"
)

// Callback is a message to the shop, with every attempt to deliver it.
type Callback struct {
	ID        string        `json:"id"`
	Protocol  Protocol      `json:"protocol"`
	Operation Operation     `json:"operation"`
	MchID     string        `json:"mch_id"`
	Number    string        `json:"number"`
	URL       string        `json:"url"`
	State     CallbackState `json:"state"`
	// Round counts the scheduled attempts; a duplicate is two attempts in one round.
	Round       int               `json:"round"`
	NextAttempt *time.Time        `json:"next_attempt,omitempty"`
	Attempts    []CallbackAttempt `json:"attempts"`
	// RefundStatus is the status in a refund callback.
	RefundStatus RefundStatus `json:"refund_status,omitempty"`
	// EventID is the id of an API v3 notification, the same in every attempt.
	EventID   string     `json:"event_id,omitempty"`
	EventTime *time.Time `json:"event_time,omitempty"`
}

// CallbackOutcome is the result of an attempt.
type CallbackOutcome string

// The callback outcomes.
const (
	OutcomeAccepted    CallbackOutcome = "accepted"    // API v2: status 200 and the exact answer in time; API v3: status 200 or 204
	OutcomeRefused     CallbackOutcome = "refused"     // any other answer
	OutcomeTimeout     CallbackOutcome = "timeout"     // no answer in time
	OutcomeUnreachable CallbackOutcome = "unreachable" // no connection, or a broken one
	OutcomeLost        CallbackOutcome = "lost"        // not sent because of a fault
)

// CallbackAttempt is one attempt to deliver a callback.
type CallbackAttempt struct {
	Time    time.Time       `json:"time"`
	Outcome CallbackOutcome `json:"outcome"`
	Fault   FaultKind       `json:"fault,omitempty"`
	Status  int             `json:"status,omitempty"`
	// Body is the response, cut after 1 KiB; Error says why there was none.
	Body       string `json:"body,omitempty"`
	Error      string `json:"error,omitempty"`
	TookMillis int64  `json:"took_millis"`
}

// ViolationKind names something that a client must not do.
type ViolationKind string

// The violations.
const (
	ViolationRefundPace      ViolationKind = "refund-pace"              // two refund calls for an order too close together
	ViolationInvalidRefunds  ViolationKind = "invalid-refunds"          // so many invalid refund calls that WeChat blocked the merchant
	ViolationCallWhenBlocked ViolationKind = "call-when-blocked"        // a refund call of a blocked merchant
	ViolationOrderParams     ViolationKind = "order-other-params"       // an out_trade_no reused with other parameters
	ViolationRefundParams    ViolationKind = "refund-other-amounts"     // an out_refund_no reused with other amounts or for another order
	ViolationRefundTotal     ViolationKind = "refund-wrong-total"       // total_fee is not the order's
	ViolationRefundSum       ViolationKind = "refund-exceeds-paid"      // more refunded than paid
	ViolationRefundCount     ViolationKind = "refund-too-many"          // more than 50 refunds of one order
	ViolationForgedCallback  ViolationKind = "forged-callback-answered" // a forged callback was answered with SUCCESS
	ViolationNonceReuse      ViolationKind = "nonce-reuse"              // two different API v3 requests with one nonce_str
)

// Violation is something that the client must not do but did.
type Violation struct {
	Time      time.Time     `json:"time"`
	Kind      ViolationKind `json:"kind"`
	Operation Operation     `json:"operation"`
	MchID     string        `json:"mch_id"`
	Number    string        `json:"number,omitempty"`
	Detail    string        `json:"detail,omitempty"`
}

// Order returns an order; nil if there is none.
func (l Ledger) Order(mchID, outTradeNo string) *Order {
	return simulation.First(l.Orders, func(o *Order) bool { return o.MchID == mchID && o.OutTradeNo == outTradeNo })
}

// Refund returns a refund; nil if there is none.
func (l Ledger) Refund(mchID, outRefundNo string) *Refund {
	return simulation.First(l.Refunds, func(r *Refund) bool { return r.MchID == mchID && r.OutRefundNo == outRefundNo })
}

// RefundsOf returns the refunds of an order.
func (l Ledger) RefundsOf(mchID, outTradeNo string) []Refund {
	return simulation.Matching(l.Refunds, func(r Refund) bool { return r.MchID == mchID && r.OutTradeNo == outTradeNo })
}

// CallsOf returns the recorded calls of one operation for one number; an empty number matches all.
func (l Ledger) CallsOf(operation Operation, number string) []Call {
	return simulation.Matching(l.Calls, func(c Call) bool { return c.Operation == operation && (number == "" || c.Number == number) })
}

// CallbacksOf returns the callbacks of one kind for one number; an empty number matches all.
func (l Ledger) CallbacksOf(operation Operation, number string) []Callback {
	return simulation.Matching(l.Callbacks, func(c Callback) bool { return c.Operation == operation && (number == "" || c.Number == number) })
}

// ViolationsOf returns the violations of one kind.
func (l Ledger) ViolationsOf(kind ViolationKind) []Violation {
	return simulation.Matching(l.Violations, func(v Violation) bool { return v.Kind == kind })
}

// narrow keeps what belongs to one merchant and one number; empty matches all. An order keeps its
// refunds.
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
