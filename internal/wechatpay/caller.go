package wechatpay

import (
	"context"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// Caller makes the calls of one account. Implementations are safe for concurrent use, verify TLS and the proof of every
// answer, and repeat a call by themselves at most once, on the backup host.
//
// Every error that a method returns is an *Error; use OutcomeOf, MeaningOf and errors.As.
type Caller interface {
	// CreateOrder makes the order at WeChat, or finds it again when the same request was sent before.
	CreateOrder(ctx context.Context, request OrderRequest) (Prepay, error)
	// QueryOrder asks for the state of an order. An order that WeChat does not know is the meaning OrderNotExist.
	QueryOrder(ctx context.Context, order OrderRef) (Trade, error)
	// CloseOrder closes an unpaid order. A closed order is a nil error; a paid one is the meaning OrderPaid.
	CloseOrder(ctx context.Context, order OrderRef) error

	// CreateRefund asks WeChat to pay back. A nil error means accepted, not paid back: only QueryRefund tells that.
	CreateRefund(ctx context.Context, request RefundRequest) (RefundAcceptance, error)
	// QueryRefund asks for one refund. A refund that WeChat does not know is the meaning RefundNotExist.
	QueryRefund(ctx context.Context, refund RefundRef) (RefundFact, error)
	// QueryRefunds lists every refund of an order, over all pages. None is the meaning RefundNotExist.
	QueryRefunds(ctx context.Context, order OrderRef) ([]RefundFact, error)
}

// OrderRef names an order of an account.
type OrderRef struct {
	OutTradeNo string
	// AppID is the appid that the order was made under.
	AppID string
}

// RefundRef names a refund of an account.
type RefundRef struct {
	OutRefundNo string
	// AppID is the appid that the order was made under.
	AppID string
}

// Scheme is an algorithm that a protocol signs with, spelled as WeChat spells it. Which of two is weaker is the
// protocol's to say (Protocol.Weaker).
type Scheme string

// TradeType says where the payer pays.
type TradeType string

// The trade types of an order.
const (
	TradeTypeJSAPI  TradeType = "JSAPI"
	TradeTypeNative TradeType = "NATIVE"
	TradeTypeApp    TradeType = "APP"
	TradeTypeMWEB   TradeType = "MWEB"
)

// OrderRequest is every parameter of CreateOrder that is not the merchant's. It is a pure function of the
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
	// ClientIP is the payer's address.
	ClientIP string
	OpenID   string
	// ExpireTime is sent as time_expire, in Beijing time; zero means it is not sent.
	ExpireTime    time.Time
	NotifyURL     string
	Attach        string
	Detail        string
	GoodsTag      string
	DeviceInfo    string
	ProductID     string
	LimitPay      string
	Receipt       string
	ProfitSharing string
	SceneInfo     string
	// Scheme to sign with; empty means that of the account. A prepay that is refreshed keeps the scheme that its order was
	// made with, whatever the Merchant uses by now.
	Scheme Scheme
}

// Prepay is what a successful CreateOrder returns: what the payer's client needs.
type Prepay struct {
	// ID is prepay_id; it and CodeURL live two hours.
	ID string
	// JSAPI is set for JSAPI, and App for APP.
	JSAPI *v1alpha1.JSAPIParameters
	App   *v1alpha1.AppParameters
	// CodeURL is set for NATIVE: the content of the QR code.
	CodeURL string
	// MWEBURL is set for MWEB and lives five minutes.
	MWEBURL string
}

// TradeState is trade_state, which all protocols spell alike.
type TradeState string

// The states that a query reports. Success and Refund both mean that the order was paid.
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

// Trade is what QueryOrder says of an order.
type Trade struct {
	State TradeState
	// Attach is what the order was made with, whatever its state; empty when WeChat did not say.
	Attach string
	// Payment is set when State.Paid().
	Payment Payment
}

// Payment is a verified statement of WeChat's that an order was paid, by a query or by a callback.
type Payment struct {
	AppID, MchID, OutTradeNo string
	TransactionID            string
	// Total, in minor units of Currency, is the one to compare with the Order, before coupons.
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

// RefundRequest is every parameter of CreateRefund that is not the merchant's.
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

// RefundAcceptance is what a successful CreateRefund returns: WeChat took the request.
type RefundAcceptance struct {
	RefundID string
}

// RefundStatus is the state of a refund at WeChat. A state that this operator does not know keeps WeChat's spelling.
type RefundStatus string

// The states of a refund. Abnormal is not final: a person must act in the merchant platform.
const (
	RefundStatusProcessing RefundStatus = "Processing"
	RefundStatusSucceeded  RefundStatus = "Succeeded"
	RefundStatusClosed     RefundStatus = "Closed"
	RefundStatusAbnormal   RefundStatus = "Abnormal"
)

// RefundFact is what WeChat says of one refund.
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
