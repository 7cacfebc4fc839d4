package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// JSAPIParameters are the parameters of wx.requestPayment, under the same names.
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
	// signType with which paySign was made.
	// +required
	// +kubebuilder:validation:MaxLength=32
	SignType string `json:"signType"`
	// paySign is the signature over the other five. That of an RSA key of 2048 bits has 344 characters.
	// +required
	// +kubebuilder:validation:MaxLength=512
	PaySign string `json:"paySign"`
}

// AppParameters are the parameters of WeChat's SDK for native apps.
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

// OrderPrepay has what the payer's client needs to pay.
type OrderPrepay struct {
	// id is WeChat's prepay_id.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	ID string `json:"id,omitempty"`

	// expireTime is when id and codeURL stop working, two hours after WeChat gave them. The operator refreshes them
	// while the Order is open.
	// +optional
	ExpireTime *metav1.Time `json:"expireTime,omitempty"`

	// codeURL is the content of the QR code for NATIVE.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	CodeURL string `json:"codeURL,omitempty"`

	// mwebURL is where the payer's browser is sent for MWEB. It is valid for five minutes: set the annotation
	// wechatpay-operator.io/refresh-prepay to any new value to get a new one.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	MWEBURL string `json:"mwebURL,omitempty"`

	// jsapi has the parameters of wx.requestPayment, under the same names.
	// +optional
	JSAPI *JSAPIParameters `json:"jsapi,omitempty"`

	// app has the parameters of WeChat's SDK for native apps.
	// +optional
	App *AppParameters `json:"app,omitempty"`

	// protocol with which the order was made. Absent on Orders that were prepared before there was more than one; those
	// were made with V2.
	// +optional
	Protocol Protocol `json:"protocol,omitempty"`

	// signType with which the order was made and its callback must be signed, in protocol V2.
	// +optional
	SignType SignType `json:"signType,omitempty"`

	// notifyURL that was sent to WeChat for the callback.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	NotifyURL string `json:"notifyURL,omitempty"`

	// attach that was sent to WeChat: spec.attach, with "<namespace>/" before it if the Merchant is in another
	// namespace. A payment with another attach does not belong to this Order. Absent on Orders in other namespaces that
	// were prepared before their attach named the namespace; for those spec.attach was sent unchanged.
	// +optional
	// +kubebuilder:validation:MaxLength=127
	Attach string `json:"attach,omitempty"`

	// refreshRequest is the value of the annotation wechatpay-operator.io/refresh-prepay for which this was made.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	RefreshRequest string `json:"refreshRequest,omitempty"`
}

// Transaction is the payment as WeChat reported it, verified.
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
	// settlementTotal is what the merchant is credited if coupons were used (settlement_total_fee).
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=9007199254740991
	SettlementTotal *int64 `json:"settlementTotal,omitempty"`
	// couponTotal is the value of the used coupons (coupon_fee).
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=9007199254740991
	CouponTotal *int64 `json:"couponTotal,omitempty"`
	// openID of the payer.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	OpenID string `json:"openID,omitempty"`
	// subOpenID of the payer, under the sub merchant's appid of a service provider's Merchant.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	SubOpenID string `json:"subOpenID,omitempty"`
	// bankType with which the payer paid, in WeChat's code (bank_type).
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

// Refunded adds up the refunds of an Order that succeeded, including those whose objects are gone.
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
	// refunds that are part of the total, so that each counts once and is not forgotten with its object.
	// +optional
	// +listType=map
	// +listMapKey=outRefundNo
	// +kubebuilder:validation:MaxItems=50
	Refunds []RefundedItem `json:"refunds,omitempty"`
}

// OrderStatus is the state of the order at WeChat.
type OrderStatus struct {
	// conditions of the Order: Prepared (the payer can pay now) and Paid.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// outTradeNo is the number that is used at WeChat.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	OutTradeNo string `json:"outTradeNo,omitempty"`

	// expireTime is when the Order will be closed if it is not paid.
	// +optional
	ExpireTime *metav1.Time `json:"expireTime,omitempty"`

	// prepay has what the payer's client needs to pay. If Prepared was never True, it has only attach: WeChat had the
	// order when it was closed.
	// +optional
	Prepay *OrderPrepay `json:"prepay,omitempty"`

	// transaction is the payment.
	// +optional
	Transaction *Transaction `json:"transaction,omitempty"`

	// lateRefund is the name of the Refund that was created for a payment after the Order was closed (the Merchant's
	// latePayment is Refund). It is created once, even if it was denied or deleted since.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	LateRefund string `json:"lateRefund,omitempty"`

	// refunded adds up the refunds that succeeded.
	// +optional
	Refunded *Refunded `json:"refunded,omitempty"`
}
