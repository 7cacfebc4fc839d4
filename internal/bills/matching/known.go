package matching

import "time"

// Account identifies the rows that are compared: those of a merchant number, or of a sub merchant of a service
// provider.
type Account struct {
	// MchID is the merchant number, in partner mode the provider's. If it is empty, it is not compared.
	MchID string
	// SubMchID is empty unless it is a sub merchant.
	SubMchID string
}

// Order is the operator's record of a payment.
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
	// Paid is also true for an order that was refunded later.
	Paid bool
	// PaidTime is when it was paid, by WeChat's clock; zero if unknown.
	PaidTime time.Time
	// PaidTimeLocal: PaidTime is when the operator learned of the payment, because WeChat did not state when it was
	// paid.
	PaidTimeLocal bool
}

// Refund is the operator's record of a refund.
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
	// Accepted reports whether WeChat accepted it, whatever its state is now.
	Accepted bool
	// AcceptedTime is when it was accepted; zero if unknown.
	AcceptedTime time.Time
	// AcceptedTimeLocal: WeChat did not state the time, so AcceptedTime is when its answer arrived.
	AcceptedTimeLocal bool
	// Doubtful: the outcome of an earlier call was unknown, so it may have been accepted long before AcceptedTime.
	Doubtful bool
	// FromAvailableBalance: such a refund is only in the bill of recharge refunds.
	FromAvailableBalance bool
}

// Finder looks up orders and refunds that were not added: an order that is not paid, or was paid on another day. Either
// number may be empty.
type Finder interface {
	FindOrder(transactionID, outTradeNo string) (Order, bool)
	FindRefund(refundID, outRefundNo string) (Refund, bool)
}

// Foreign defines which payments belong to other systems on the same merchant number. A payment or refund that the
// operator knows is never foreign.
type Foreign struct {
	// Prefixes are prefixes of out_trade_no.
	Prefixes []string
	AppIDs   []string
	// TradeTypes are written as WeChat writes them, such as MICROPAY.
	TradeTypes []string
}

// Rules define how to compare.
type Rules struct {
	Foreign Foreign
	// Edge is the tolerated difference between a local time and WeChat's: that close to midnight, the bill of the
	// neighbouring day decides. Zero means DefaultEdge.
	Edge time.Duration
	// Limit is how many differences are listed; zero means DefaultLimit. All are counted.
	Limit int
	// Find looks up objects that were not added; nil if all were added.
	Find Finder
}

// The defaults of Rules.
const (
	DefaultEdge  = 10 * time.Minute
	DefaultLimit = 50
)
