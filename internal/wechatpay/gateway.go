package wechatpay

import (
	"context"
	"time"
)

// Gateway is one merchant number at WeChat Pay with its credentials. Implementations are safe for concurrent use,
// verify TLS and the signature of every reply, and repeat a call by themselves at most once, on the backup host.
//
// Every error returned by a method that talks to WeChat is an *Error; use OutcomeOf, MeaningOf and errors.As.
type Gateway interface {
	// UnifiedOrder makes the order at WeChat, or finds it again when the same request was sent before.
	UnifiedOrder(ctx context.Context, request OrderRequest) (Prepay, error)
	// QueryOrder asks what became of an order. An order that WeChat does not know is the meaning OrderNotExist.
	QueryOrder(ctx context.Context, outTradeNo, appID string) (Trade, error)
	// CloseOrder closes an unpaid order. A closed order is a nil error; a paid one is the meaning OrderPaid.
	CloseOrder(ctx context.Context, outTradeNo, appID string) error

	// Refund asks WeChat to pay back. A nil error means accepted, not paid back: only QueryRefund tells that.
	Refund(ctx context.Context, request RefundRequest) (RefundAcceptance, error)
	// QueryRefund asks for one refund. A refund that WeChat does not know is the meaning RefundNotExist.
	QueryRefund(ctx context.Context, outRefundNo, appID string) (RefundFact, error)
	// QueryRefunds lists every refund of an order, over all pages. None is the meaning RefundNotExist.
	QueryRefunds(ctx context.Context, outTradeNo, appID string) ([]RefundFact, error)

	// JSAPIParameters signs what wx.requestPayment takes. The timestamp is that of now; the nonce is random.
	JSAPIParameters(appID, prepayID string, signType SignType, now time.Time) JSAPIParameters
	// AppParameters signs what the WeChat SDK of a native app takes.
	AppParameters(appID, prepayID string, signType SignType, now time.Time) AppParameters

	// ParsePaymentNotification verifies a payment callback over its raw fields and returns what it says.
	ParsePaymentNotification(body []byte) (PaymentNotification, error)
	// ParseRefundNotification decrypts a refund callback. It proves nothing: it only tells which refund to ask for.
	ParseRefundNotification(body []byte) (RefundNotification, error)

	// SignType is the algorithm that requests are signed with.
	SignType() SignType
}

// SignType is a signature algorithm of protocol v2, spelled as WeChat spells it.
type SignType string

// The two algorithms of v2.
const (
	SignTypeMD5        SignType = "MD5"
	SignTypeHMACSHA256 SignType = "HMAC-SHA256"
)

// TradeType says where the payer pays.
type TradeType string

// The trade types that unifiedorder takes.
const (
	TradeTypeJSAPI  TradeType = "JSAPI"
	TradeTypeNative TradeType = "NATIVE"
	TradeTypeApp    TradeType = "APP"
	TradeTypeMWEB   TradeType = "MWEB"
)

// OrderRequest is every parameter of unifiedorder that is not the merchant's. It is a pure function of the
// Order's immutable spec, so that a repeated call is the same call.
type OrderRequest struct {
	OutTradeNo string
	AppID      string
	TradeType  TradeType
	// Description is `body`, at most 127 bytes.
	Description string
	// Total is in minor units of Currency (fen for CNY).
	Total    int64
	Currency string
	// ClientIP is spbill_create_ip.
	ClientIP string
	OpenID   string
	// ExpireTime is sent as time_expire, in Beijing time; zero means it is not sent.
	ExpireTime    time.Time
	NotifyURL     string
	Attach        string
	GoodsTag      string
	DeviceInfo    string
	ProductID     string
	LimitPay      string
	Receipt       string
	ProfitSharing string
	// Goods, Store and H5 are nil where the Order has none.
	Goods *Goods
	Store *Store
	H5    *H5
	// SignType to sign with; empty means the Gateway's. A prepay that is refreshed keeps the algorithm that its order was
	// made with, whatever the merchant uses by now.
	SignType SignType
}

// Prepay is what a successful unifiedorder returns.
type Prepay struct {
	// ID is prepay_id; it and CodeURL live two hours.
	ID string
	// CodeURL is set for NATIVE: the content of the QR code.
	CodeURL string
	// MWEBURL is set for MWEB and lives five minutes.
	MWEBURL string
}

// JSAPIParameters is, name for name, what wx.requestPayment takes.
type JSAPIParameters struct {
	AppID, TimeStamp, NonceStr, Package, SignType, PaySign string
}

// AppParameters is what the SDK of a native app takes, where all names are lower case.
type AppParameters struct {
	AppID, PartnerID, PrepayID, Package, NonceStr, Timestamp, Sign string
}

// TradeState is trade_state of orderquery.
type TradeState string

// The states that orderquery reports. Success and Refund both mean that the order was paid.
const (
	TradeStateSuccess    TradeState = "SUCCESS"
	TradeStateRefund     TradeState = "REFUND"
	TradeStateNotPay     TradeState = "NOTPAY"
	TradeStateClosed     TradeState = "CLOSED"
	TradeStateRevoked    TradeState = "REVOKED"
	TradeStateUserPaying TradeState = "USERPAYING"
	TradeStateAccept     TradeState = "ACCEPT"
	TradeStatePayError   TradeState = "PAYERROR"
)

// Paid says whether money was taken from the payer.
func (s TradeState) Paid() bool { return s == TradeStateSuccess || s == TradeStateRefund }

// Closed says whether the order can no longer be paid and was not.
func (s TradeState) Closed() bool {
	return s == TradeStateClosed || s == TradeStateRevoked
}

// Trade is what orderquery says of an order.
type Trade struct {
	State       TradeState
	Description string
	// Attach is what the order was made with, whatever its state; empty when WeChat did not say.
	Attach string
	// Payment is set when State.Paid().
	Payment Payment
}

// Payment is a verified statement of WeChat's that an order was paid, by orderquery or by callback.
type Payment struct {
	AppID, MchID, OutTradeNo string
	TransactionID            string
	// Total and Currency are total_fee and fee_type, the ones to compare with the Order. An absent fee_type is CNY.
	Total    int64
	Currency string
	// CashTotal is what the payer paid after coupons; nil when WeChat did not say.
	CashTotal    *int64
	CashCurrency string
	// SettlementTotal is what the merchant gets when coupons were used; nil when WeChat did not say.
	SettlementTotal *int64
	CouponTotal     *int64
	OpenID          string
	BankType        string
	// PaidTime is time_end; zero when WeChat did not say.
	PaidTime time.Time
	// TradeType as WeChat says it; may be empty.
	TradeType string
	Attach    string
}

// PaymentNotification is a verified payment callback.
type PaymentNotification struct {
	Payment
	// SignType is the algorithm that the callback was found signed with. The caller refuses MD5 for an Order
	// that was not prepared with MD5.
	SignType SignType
	// KeyID is that of the key that the signature was verified with: the current or the previous one.
	KeyID string
}

// RefundRequest is every parameter of refund that is not the merchant's.
type RefundRequest struct {
	OutTradeNo  string
	OutRefundNo string
	AppID       string
	// Total is the Order's whole amount, Amount this refund's, both in minor units of Currency.
	Total, Amount int64
	Currency      string
	// Reason is refund_desc, shown to the payer, at most 80 bytes.
	Reason    string
	NotifyURL string
}

// RefundAcceptance is what a successful refund call returns: WeChat took it.
type RefundAcceptance struct {
	RefundID string
}

// RefundStatus is refund_status_$n.
type RefundStatus string

// The states that refundquery reports. Change is not final: a person must act in the merchant platform.
const (
	RefundStatusProcessing RefundStatus = "PROCESSING"
	RefundStatusSuccess    RefundStatus = "SUCCESS"
	RefundStatusClosed     RefundStatus = "REFUNDCLOSE"
	RefundStatusChange     RefundStatus = "CHANGE"
)

// RefundFact is what refundquery says of one refund.
type RefundFact struct {
	OutTradeNo, OutRefundNo, RefundID string
	Status                            RefundStatus
	// Amount is in minor units of the order's currency.
	Amount int64
	// ReceivedAccount is where the money went, in WeChat's words.
	ReceivedAccount string
	// SuccessTime is zero unless Status is Success.
	SuccessTime time.Time
}

// RefundNotification is a decrypted refund callback. It carries no signature.
type RefundNotification struct {
	AppID, MchID, OutTradeNo, OutRefundNo, RefundID string
	Status                                          RefundStatus
	// KeyID is that of the key that it was decrypted with.
	KeyID string
}
