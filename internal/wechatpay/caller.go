package wechatpay

import (
	"context"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// Caller makes the calls of one account. Implementations are safe for concurrent use, verify TLS
// and the signature of every answer, and repeat a call at most once, on the backup host.
//
// Every error that a method returns is an *Error; use OutcomeOf, MeaningOf and errors.As.
type Caller interface {
	// CreateOrder creates the order at WeChat, or returns the existing one if the same request was
	// sent before.
	CreateOrder(ctx context.Context, request OrderRequest) (Prepay, error)
	// QueryOrder queries the state of an order. For an unknown order the error means OrderNotExist.
	QueryOrder(ctx context.Context, order OrderRef) (Trade, error)
	// CloseOrder closes an unpaid order. It returns nil for a closed order; for a paid one the
	// error means OrderPaid.
	CloseOrder(ctx context.Context, order OrderRef) error

	// CreateRefund requests a refund. A nil error means accepted, not refunded: only a query or a
	// signed callback confirms that.
	CreateRefund(ctx context.Context, request RefundRequest) (RefundAcceptance, error)
	// QueryRefund queries one refund. For an unknown refund the error means RefundNotExist.
	QueryRefund(ctx context.Context, refund RefundRef) (RefundFact, error)
	// QueryRefunds returns all refunds of an order, over all pages. If there is none the error
	// means RefundNotExist.
	QueryRefunds(ctx context.Context, order OrderRef) ([]RefundFact, error)
	// ResolveAbnormalRefund tells WeChat where the money of an Abnormal refund goes. A nil error
	// means accepted: only a query or a signed callback confirms that it arrived. A protocol
	// without such a call returns NotSent with NotOffered, and its error says what to do instead.
	ResolveAbnormalRefund(ctx context.Context, request AbnormalRefundRequest) error

	// DownloadBill opens a bill of a day. Its body is read as it arrives, and ends with the
	// context. For a day without a bill the error means NoStatement. A bill need not be signed, so
	// it proves neither the host nor the key.
	DownloadBill(ctx context.Context, request BillRequest) (*Bill, error)
}

// OrderRef identifies an order of an account.
type OrderRef struct {
	OutTradeNo string
	// AppID is the appid with which the order was created.
	AppID string
}

// RefundRef identifies a refund of an account.
type RefundRef struct {
	OutRefundNo string
	// AppID is the appid with which the order was created.
	AppID string
}

// Scheme is a signature algorithm of a protocol, in WeChat's spelling. The protocol decides which
// of two is weaker (Protocol.Weaker).
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

// OrderRequest has all parameters of CreateOrder except the merchant's. It follows from immutable
// fields, except for NotifyURL and Scheme. Those are kept once the Order is prepared, so a repeated
// call is identical.
type OrderRequest struct {
	OutTradeNo string
	// AppID is the appid of the merchant number: in partner mode always the provider's.
	AppID string
	// PayerAppID is the appid in which the payer pays: AppID, or the sub merchant's.
	PayerAppID string
	TradeType  TradeType
	// Description is `body`, at most 127 bytes.
	Description string
	// Total is in minor units of Currency (fen for CNY).
	Total    int64
	Currency string
	// ClientIP is the payer's address; empty if it is not known.
	ClientIP string
	// OpenID is the payer under AppID, SubOpenID under the sub merchant's appid. At most one is set.
	OpenID, SubOpenID string
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
	// Scheme to sign with; empty means that of the account. A refreshed prepay keeps the scheme
	// with which its order was created, even if the Merchant has changed. A protocol that has only
	// one ignores it.
	Scheme Scheme
}

// Prepay is the result of CreateOrder: what the payer's client needs.
type Prepay struct {
	// ID is prepay_id. It and CodeURL are valid for two hours.
	ID string
	// JSAPI is set for JSAPI, and App for APP.
	JSAPI *v1alpha1.JSAPIParameters
	App   *v1alpha1.AppParameters
	// CodeURL is set for NATIVE: the content of the QR code.
	CodeURL string
	// MWEBURL is set for MWEB and is valid for five minutes.
	MWEBURL string
	// Scheme is the algorithm that the order was created with; empty if the protocol has only one.
	// It becomes status.prepay.signType, so it must be one of the values that the CRD allows there:
	// with any other the API server refuses every write of the Order's status.
	Scheme Scheme
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

// Paid reports whether the payer has paid.
func (s TradeState) Paid() bool { return s == TradeStateSuccess || s == TradeStateRefund }

// Closed reports whether the order was not paid and can no longer be paid.
func (s TradeState) Closed() bool {
	return s == TradeStateClosed || s == TradeStateRevoked
}

// Trade is the result of QueryOrder.
type Trade struct {
	State TradeState
	// Attach is the attach of the order, whatever its state; empty if WeChat did not return it.
	Attach string
	// Payment is set when State.Paid().
	Payment Payment
}

// Payment is a verified statement of WeChat that an order was paid, from a query or a callback.
type Payment struct {
	AppID, MchID, OutTradeNo string
	TransactionID            string
	// Total, in minor units of Currency, is the amount before coupons, to compare with the Order.
	Total    int64
	Currency string
	// CashTotal is what the payer paid after coupons; nil if WeChat did not return it.
	CashTotal    *int64
	CashCurrency string
	// SettlementTotal is what the merchant gets if coupons were used; nil if WeChat did not return
	// it.
	SettlementTotal *int64
	CouponTotal     *int64
	// OpenID is the payer under AppID, SubOpenID under the sub merchant's appid; either may be empty.
	OpenID, SubOpenID string
	BankType          string
	// PaidTime is time_end; zero if WeChat did not return it.
	PaidTime time.Time
	// TradeType is in WeChat's spelling and may be empty.
	TradeType string
	Attach    string
}

// RefundRequest has all parameters of CreateRefund except the merchant's.
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

// RefundAcceptance is the result of CreateRefund: WeChat accepted the request.
type RefundAcceptance struct {
	RefundID string
}

// AbnormalRefundRequest says where the money of an Abnormal refund goes.
type AbnormalRefundRequest struct {
	OutRefundNo, RefundID string
	To                    AbnormalRefundTarget
	// BankType, Account and Name are the payer's bank card's, for UserBankCard.
	BankType, Account, Name string
}

// AbnormalRefundTarget is where the money of an Abnormal refund goes.
type AbnormalRefundTarget string

// The targets: back to the merchant's settlement card, or to a bank card of the payer.
const (
	AbnormalToMerchantBankCard AbnormalRefundTarget = "MerchantBankCard"
	AbnormalToUserBankCard     AbnormalRefundTarget = "UserBankCard"
)

// RefundStatus is the state of a refund at WeChat. A state that this operator does not know keeps
// WeChat's spelling.
type RefundStatus string

// The states of a refund. Abnormal is not final: a person must act in the merchant platform.
const (
	RefundStatusProcessing RefundStatus = "Processing"
	RefundStatusSucceeded  RefundStatus = "Succeeded"
	RefundStatusClosed     RefundStatus = "Closed"
	RefundStatusAbnormal   RefundStatus = "Abnormal"
)

// RefundFact is what a query or a callback says about one refund.
type RefundFact struct {
	OutTradeNo, OutRefundNo, RefundID string
	Status                            RefundStatus
	// Amount is in minor units of the order's currency.
	Amount int64
	// ReceivedAccount is where the money went, in WeChat's words.
	ReceivedAccount string
	// SuccessTime is zero unless Status is Succeeded.
	SuccessTime time.Time
}
