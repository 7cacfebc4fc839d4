package matching

import "time"

// Account is whose rows are compared: a merchant number, or a sub merchant of a service provider.
type Account struct {
	// MchID is the merchant number, the provider's in partner mode. Empty means that it is not
	// compared.
	MchID string
	// SubMchID is empty for the merchant number itself.
	SubMchID string
}

// Order is what the operator knows of a payment.
type Order struct {
	OutTradeNo string
	// TransactionID is empty if it is not known.
	TransactionID string
	AppID         string
	SubMchID      string
	Total         int64
	Currency      string
	// SettlementTotal is what the merchant gets after coupons; nil if it is not known.
	SettlementTotal *int64
	// Paid also holds for an order that was refunded later.
	Paid bool
	// PaidTime is when it was paid, by WeChat's clock; zero if it is not known.
	PaidTime time.Time
	// PaidTimeLocal: PaidTime is when the operator learned of the payment, because WeChat did not
	// say when it was.
	PaidTimeLocal bool
}

// Refund is what the operator knows of a refund.
type Refund struct {
	OutRefundNo string
	// RefundID is empty if it is not known.
	RefundID string
	// OutTradeNo and TransactionID are those of the order; either may be empty.
	OutTradeNo, TransactionID string
	SubMchID                  string
	Amount                    int64
	// Currency is empty if it is not known.
	Currency string
	// Accepted reports whether WeChat accepted it, whatever became of it afterwards.
	Accepted bool
	// AcceptedTime is when it was accepted; zero if it is not known.
	AcceptedTime time.Time
	// AcceptedTimeLocal: WeChat did not say when, so AcceptedTime is when its answer arrived.
	AcceptedTimeLocal bool
	// Doubtful: the outcome of an earlier call was unknown, so it may have been accepted long
	// before AcceptedTime.
	Doubtful bool
	// FromAvailableBalance: such a refund is in the bill of recharge refunds only.
	FromAvailableBalance bool
}

// Finder looks up what was not added: an order that is not paid, or was on another day. Either
// number may be empty.
type Finder interface {
	FindOrder(transactionID, outTradeNo string) (Order, bool)
	FindRefund(refundID, outRefundNo string) (Refund, bool)
}

// Foreign says which payments belong to other systems on the same merchant number. Whatever the
// operator knows is never foreign.
type Foreign struct {
	// Prefixes are those of out_trade_no.
	Prefixes []string
	AppIDs   []string
	// TradeTypes are in WeChat's spelling, such as MICROPAY.
	TradeTypes []string
}

// Rules say how to compare.
type Rules struct {
	Foreign Foreign
	// Edge is how far a local time may be from WeChat's: so near to midnight the neighbouring day's
	// bill decides. Zero means DefaultEdge.
	Edge time.Duration
	// Limit is how many differences are listed; zero means DefaultLimit. All are counted.
	Limit int
	// Find looks up what was not added; nil if everything was.
	Find Finder
}

// The defaults of Rules.
const (
	DefaultEdge  = 10 * time.Minute
	DefaultLimit = 50
)
