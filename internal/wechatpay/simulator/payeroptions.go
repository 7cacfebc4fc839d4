package simulator

// PayOptions are the properties of a payment. The zero value is an ordinary payment of the whole
// amount.
type PayOptions struct {
	// Force makes the payment succeed although the order is closed or expired or its prepay_id is
	// too old: the late payment that WeChat Pay rules out but shops report. An order is never paid
	// twice.
	Force bool `json:"force,omitempty"`
	// TransactionID is WeChat Pay's number of the payment; by default a new one.
	TransactionID string `json:"transaction_id,omitempty"`
	// OpenID is the payer under the order's appid, SubOpenID the same one under its sub_appid.
	OpenID    string `json:"openid,omitempty"`
	SubOpenID string `json:"sub_openid,omitempty"`
	BankType  string `json:"bank_type,omitempty"`
	// TotalFee and FeeType replace the order's own, for tests of a payment that does not match its
	// order.
	TotalFee *int64 `json:"total_fee,omitempty"`
	FeeType  string `json:"fee_type,omitempty"`
	// CashFee is by default the total minus the coupons. For a foreign currency set CashFee,
	// CashFeeType (CNY) and RateValue (rate x 10^8).
	CashFee     *int64   `json:"cash_fee,omitempty"`
	CashFeeType string   `json:"cash_fee_type,omitempty"`
	RateValue   string   `json:"rate_value,omitempty"`
	Coupons     []Coupon `json:"coupons,omitempty"`
	// PromotionDetail is returned for orders placed with version 1.0.
	PromotionDetail string `json:"promotion_detail,omitempty"`
	// NoCallback suppresses the payment callback.
	NoCallback bool `json:"no_callback,omitempty"`
}

// Coupon is one coupon of a payment; Type is CASH or NO_CASH.
type Coupon struct {
	ID   string `json:"id"`
	Type string `json:"type"`
	Fee  int64  `json:"fee"`
}
