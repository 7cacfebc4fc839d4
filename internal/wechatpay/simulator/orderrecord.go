package simulator

import "time"

// Order is an order with its payment.
type Order struct {
	// Protocol is the one in which the order was created; its callbacks come in it.
	Protocol Protocol `json:"protocol"`
	MchID    string   `json:"mch_id"`
	AppID    string   `json:"appid"`
	// SubMchID and SubAppID are set in service-provider mode, where MchID and AppID are the
	// provider's.
	SubMchID   string     `json:"sub_mchid,omitempty"`
	SubAppID   string     `json:"sub_appid,omitempty"`
	OutTradeNo string     `json:"out_trade_no"`
	TradeType  string     `json:"trade_type"`
	TotalFee   int64      `json:"total_fee"`
	FeeType    string     `json:"fee_type"`
	SignType   SignType   `json:"sign_type"`
	State      TradeState `json:"state"`
	// What both protocols know of an order.
	Description string `json:"description,omitempty"`
	Attach      string `json:"attach,omitempty"`
	NotifyURL   string `json:"notify_url,omitempty"`
	OpenID      string `json:"openid,omitempty"`
	SubOpenID   string `json:"sub_openid,omitempty"`
	DeviceInfo  string `json:"device_info,omitempty"`
	// Params are the fields of the first call in its protocol's words: those of unifiedorder
	// without sign and nonce_str, or the members of API v3, such as amount.total.
	Params map[string]string `json:"params"`
	// UnifiedOrderCalls counts the calls with this number that passed verification.
	UnifiedOrderCalls int      `json:"unified_order_calls"`
	Prepays           []Prepay `json:"prepays"`
	// Cancelled counts how often CancelPayment turned back.
	Cancelled  int        `json:"cancelled,omitempty"`
	CreateTime time.Time  `json:"create_time"`
	ExpireTime *time.Time `json:"expire_time,omitempty"`
	CloseTime  *time.Time `json:"close_time,omitempty"`
	Payment    *Payment   `json:"payment,omitempty"`
	Sums       OrderSums  `json:"sums"`
	// LastRefundCall is where MinRefundInterval starts.
	LastRefundCall *time.Time `json:"last_refund_call,omitempty"`
}

// Prepay is one reply of unifiedorder.
type Prepay struct {
	ID             string    `json:"id"`
	CodeURL        string    `json:"code_url,omitempty"`
	MwebURL        string    `json:"mweb_url,omitempty"`
	ExpireTime     time.Time `json:"expire_time"`
	MwebExpireTime time.Time `json:"mweb_expire_time"`
	// SignType is that of the call, in API v2.
	SignType SignType `json:"sign_type,omitempty"`
}

// Payment is the payment of an order.
type Payment struct {
	TransactionID      string    `json:"transaction_id"`
	Time               time.Time `json:"time"`
	OpenID             string    `json:"openid"`
	SubOpenID          string    `json:"sub_openid,omitempty"`
	BankType           string    `json:"bank_type"`
	TotalFee           int64     `json:"total_fee"`
	FeeType            string    `json:"fee_type"`
	CashFee            int64     `json:"cash_fee"`
	CashFeeType        string    `json:"cash_fee_type"`
	RateValue          string    `json:"rate_value,omitempty"`
	SettlementTotalFee *int64    `json:"settlement_total_fee,omitempty"`
	Coupons            []Coupon  `json:"coupons,omitempty"`
	PromotionDetail    string    `json:"promotion_detail,omitempty"`
	// Forced is true if the order was closed or expired before.
	Forced bool `json:"forced,omitempty"`
}

// OrderSums are the sums of an order's money.
type OrderSums struct {
	Paid int64 `json:"paid"`
	// Accepted are all refunds that are not closed, Refunded those that succeeded.
	Accepted int64 `json:"accepted"`
	Refunded int64 `json:"refunded"`
	Count    int   `json:"count"`
}
