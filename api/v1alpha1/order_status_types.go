package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// JSAPIParameters is, name for name, what wx.requestPayment takes.
type JSAPIParameters struct {
	// appId of the mini program or official account.
	// +required
	// +kubebuilder:validation:MaxLength=32
	AppID string `json:"appId"`
	// timeStamp in seconds since 1970, as a string.
	// +required
	// +kubebuilder:validation:MaxLength=32
	TimeStamp string `json:"timeStamp"`
	// nonceStr is random.
	// +required
	// +kubebuilder:validation:MaxLength=32
	NonceStr string `json:"nonceStr"`
	// package is prepay_id=...
	// +required
	// +kubebuilder:validation:MaxLength=128
	Package string `json:"package"`
	// signType that paySign was made with.
	// +required
	// +kubebuilder:validation:MaxLength=32
	SignType string `json:"signType"`
	// paySign is the signature over the other five. That of an RSA key of 2048 bits has 344 characters.
	// +required
	// +kubebuilder:validation:MaxLength=512
	PaySign string `json:"paySign"`
}

// AppParameters is what WeChat's SDK for native apps takes.
type AppParameters struct {
	// appid of the app.
	// +required
	// +kubebuilder:validation:MaxLength=32
	AppID string `json:"appid"`
	// partnerid is the merchant number.
	// +required
	// +kubebuilder:validation:MaxLength=32
	PartnerID string `json:"partnerid"`
	// prepayid from WeChat.
	// +required
	// +kubebuilder:validation:MaxLength=128
	PrepayID string `json:"prepayid"`
	// package is Sign=WXPay.
	// +required
	// +kubebuilder:validation:MaxLength=128
	Package string `json:"package"`
	// noncestr is random.
	// +required
	// +kubebuilder:validation:MaxLength=32
	NonceStr string `json:"noncestr"`
	// timestamp in seconds since 1970, as a string.
	// +required
	// +kubebuilder:validation:MaxLength=32
	Timestamp string `json:"timestamp"`
	// sign is the signature over the others. That of an RSA key of 2048 bits has 344 characters.
	// +required
	// +kubebuilder:validation:MaxLength=512
	Sign string `json:"sign"`
}

// OrderPrepay is what the payer's client needs to pay.
type OrderPrepay struct {
	// id is WeChat's prepay_id.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	ID string `json:"id,omitempty"`

	// expireTime is when id and codeURL stop working, two hours after WeChat gave them. They are refreshed by themselves
	// while the Order is open.
	// +optional
	ExpireTime *metav1.Time `json:"expireTime,omitempty"`

	// codeURL is the content of the QR code for NATIVE.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	CodeURL string `json:"codeURL,omitempty"`

	// mwebURL is where the payer's browser is sent for MWEB. It lives five minutes: set the annotation
	// wechatpay-operator.io/refresh-prepay to any new value to get a fresh one.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	MWEBURL string `json:"mwebURL,omitempty"`

	// jsapi is, name for name, what wx.requestPayment takes.
	// +optional
	JSAPI *JSAPIParameters `json:"jsapi,omitempty"`

	// app is what WeChat's SDK for native apps takes.
	// +optional
	App *AppParameters `json:"app,omitempty"`

	// protocol that the order was made with. Absent on Orders that were prepared before there was more than one; those were made
	// with V2.
	// +optional
	Protocol Protocol `json:"protocol,omitempty"`

	// signType that the order was made with, and its callback has to be signed with, in protocol V2.
	// +optional
	SignType SignType `json:"signType,omitempty"`

	// notifyURL that WeChat was given for the callback.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	NotifyURL string `json:"notifyURL,omitempty"`

	// attach that WeChat was given: spec.attach, with "<namespace>/" before it where the Merchant is of another namespace. A
	// payment that states another one is not this Order's. Absent on Orders of other namespaces that were prepared before
	// their attach named them; those were sent spec.attach as it is.
	// +optional
	// +kubebuilder:validation:MaxLength=127
	Attach string `json:"attach,omitempty"`

	// refreshRequest is the value of the annotation wechatpay-operator.io/refresh-prepay that this was made for.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	RefreshRequest string `json:"refreshRequest,omitempty"`
}

// Transaction is the payment as WeChat stated it, verified.
type Transaction struct {
	// id is WeChat's number of the payment (transaction_id).
	// +optional
	// +kubebuilder:validation:MaxLength=64
	ID string `json:"id,omitempty"`
	// total in minor units of currency; equals the Order's amount.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=9007199254740991
	Total int64 `json:"total,omitempty"`
	// currency of total (fee_type).
	// +optional
	// +kubebuilder:validation:MaxLength=16
	Currency string `json:"currency,omitempty"`
	// cashTotal is what the payer paid after coupons, in minor units of cashCurrency (cash_fee).
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=9007199254740991
	CashTotal *int64 `json:"cashTotal,omitempty"`
	// cashCurrency of cashTotal (cash_fee_type).
	// +optional
	// +kubebuilder:validation:MaxLength=16
	CashCurrency string `json:"cashCurrency,omitempty"`
	// settlementTotal is what the merchant is credited when coupons were used (settlement_total_fee).
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=9007199254740991
	SettlementTotal *int64 `json:"settlementTotal,omitempty"`
	// couponTotal is the worth of the coupons used (coupon_fee).
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=9007199254740991
	CouponTotal *int64 `json:"couponTotal,omitempty"`
	// openID of who paid.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	OpenID string `json:"openID,omitempty"`
	// subOpenID of who paid, under the sub merchant's appid of a service provider's Merchant.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	SubOpenID string `json:"subOpenID,omitempty"`
	// bankType the payer paid with, in WeChat's code (bank_type).
	// +optional
	// +kubebuilder:validation:MaxLength=32
	BankType string `json:"bankType,omitempty"`
	// paidTime by WeChat's clock (time_end).
	// +optional
	PaidTime *metav1.Time `json:"paidTime,omitempty"`
}

// RefundedItem is one refund that succeeded.
type RefundedItem struct {
	// outRefundNo is the refund's number at WeChat.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	OutRefundNo string `json:"outRefundNo,omitempty"`
	// amount paid back, in minor units of the Order's currency.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=2147483647
	Amount int64 `json:"amount,omitempty"`
}

// Refunded sums the refunds of an Order that succeeded, those whose objects are gone included.
type Refunded struct {
	// total paid back, in minor units of the Order's currency.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=9007199254740991
	Total int64 `json:"total,omitempty"`
	// count of refunds that succeeded.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=2147483647
	Count int32 `json:"count,omitempty"`
	// refunds that the total is made of, so that each counts once and none is forgotten with its object.
	// +optional
	// +listType=map
	// +listMapKey=outRefundNo
	// +kubebuilder:validation:MaxItems=50
	Refunds []RefundedItem `json:"refunds,omitempty"`
}

// OrderStatus is what WeChat said of the order.
type OrderStatus struct {
	// conditions of the Order: Prepared (the payer can pay now) and Paid.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// outTradeNo is the number in use at WeChat.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	OutTradeNo string `json:"outTradeNo,omitempty"`

	// expireTime is when the Order will be closed if it is not paid.
	// +optional
	ExpireTime *metav1.Time `json:"expireTime,omitempty"`

	// prepay is what the payer's client needs to pay. Where Prepared never was True it holds no more than attach: WeChat had the
	// order when it was closed.
	// +optional
	Prepay *OrderPrepay `json:"prepay,omitempty"`

	// transaction is the payment.
	// +optional
	Transaction *Transaction `json:"transaction,omitempty"`

	// lateRefund is the name of the Refund that was made of a payment that came after the Order was closed (the Merchant's latePayment
	// is Refund). It is made once, also when it was denied or deleted since.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	LateRefund string `json:"lateRefund,omitempty"`

	// refunded sums the refunds that succeeded.
	// +optional
	Refunded *Refunded `json:"refunded,omitempty"`
}
