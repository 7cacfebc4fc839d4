package v1alpha1

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TradeType says where the payer pays.
// +kubebuilder:validation:Enum=JSAPI;NATIVE;APP;MWEB
type TradeType string

// The trade types of unifiedorder.
const (
	// TradeTypeJSAPI is for mini programs and official accounts.
	TradeTypeJSAPI TradeType = "JSAPI"
	// TradeTypeNative is a QR code that the payer scans.
	TradeTypeNative TradeType = "NATIVE"
	// TradeTypeApp is for native apps with WeChat's SDK.
	TradeTypeApp TradeType = "APP"
	// TradeTypeMWEB is for browsers outside WeChat (H5).
	TradeTypeMWEB TradeType = "MWEB"
)

// DesiredState is what the shop wishes an Order to be.
// +kubebuilder:validation:Enum=Open;Closed
type DesiredState string

// Open may become Closed, never the other way.
const (
	DesiredStateOpen   DesiredState = "Open"
	DesiredStateClosed DesiredState = "Closed"
)

// YesNo is WeChat's flag.
// +kubebuilder:validation:Enum=Y;N
type YesNo string

// MerchantReference names a Merchant.
type MerchantReference struct {
	// name of the Merchant.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// namespace of the Merchant; defaults to the Order's. Another namespace needs a grant by the Merchant's
	// spec.allowedNamespaces.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`
}

// Currency is an ISO 4217 code that WeChat Pay takes. Mainland merchants: CNY only.
// +kubebuilder:validation:Enum=CNY;HKD;GBP;USD;JPY;CAD;AUD;EUR;NZD;KRW;THB;SGD;RUB;CHF;SEK;DKK;NOK;AED;TRY;MOP;TWD;CZK;MYR;PHP;IDR;MNT;QAR;HUF;KHR;ISK
type Currency string

// CurrencyCNY is the default.
const CurrencyCNY Currency = "CNY"

// Amount is a sum of money in minor units.
type Amount struct {
	// total in minor units of the currency (fen for CNY): 101 is 1.01 yuan. A whole number from 1 to 2147483647
	// (total_fee). Currencies without minor unit, such as JPY, count whole units.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=2147483647
	Total int64 `json:"total,omitempty"`

	// currency is the ISO 4217 code (fee_type). Mainland merchants: CNY only, the default.
	// +optional
	// +default="CNY"
	// +kubebuilder:default=CNY
	Currency Currency `json:"currency,omitempty"`
}

// Payer is who pays.
type Payer struct {
	// openID of the payer under the Order's appID (openid).
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[0-9A-Za-z_-]+$`
	OpenID string `json:"openID,omitempty"`
}

// Every write of an Order runs every rule, a status update too, and each field that a rule selects (self.attach, and
// has(self.attach) as well) makes the API server copy the schema of the whole spec. So immutability is said in two parts:
// a field itself says that it may not change (self == oldSelf, where nothing is selected), and the spec says only what a
// field can't know, that an optional one neither comes nor goes. What is required or has a default is always there.
// For the same reason a rule asks for the cheaper thing first, such as the name before the spec.

// OrderSpec says what is to be paid. Everything is immutable but desiredState and ttlSecondsAfterFinished, so that
// every call to WeChat can be repeated with the same parameters.
//
// +kubebuilder:validation:XValidation:rule="self.tradeType != 'JSAPI' || has(self.payer)",fieldPath=".payer",message="payer.openID is required for tradeType JSAPI"
// +kubebuilder:validation:XValidation:rule="self.tradeType != 'NATIVE' || has(self.productID)",fieldPath=".productID",message="productID is required for tradeType NATIVE"
// +kubebuilder:validation:XValidation:rule="self.tradeType != 'MWEB' || has(self.sceneInfo)",fieldPath=".sceneInfo",message="sceneInfo is required for tradeType MWEB"
// +kubebuilder:validation:XValidation:rule="self.tradeType != 'MWEB' || has(self.clientIP)",fieldPath=".clientIP",message="clientIP is required for tradeType MWEB: WeChat compares it with the payer's address"
// +kubebuilder:validation:XValidation:rule="has(self.outTradeNo) == has(oldSelf.outTradeNo) || (has(self.outTradeNo) ? self.outTradeNo : oldSelf.outTradeNo) == \"\"",fieldPath=".outTradeNo",message="outTradeNo is immutable: it is what keeps a payment from being made twice"
// +kubebuilder:validation:XValidation:rule="has(self.appID) == has(oldSelf.appID)",fieldPath=".appID",message="appID is immutable"
// +kubebuilder:validation:XValidation:rule="has(self.payer) == has(oldSelf.payer)",fieldPath=".payer",message="payer is immutable"
// +kubebuilder:validation:XValidation:rule="has(self.clientIP) == has(oldSelf.clientIP)",fieldPath=".clientIP",message="clientIP is immutable"
// +kubebuilder:validation:XValidation:rule="has(self.expireTime) == has(oldSelf.expireTime)",fieldPath=".expireTime",message="expireTime is immutable"
// +kubebuilder:validation:XValidation:rule="has(self.attach) == has(oldSelf.attach)",fieldPath=".attach",message="attach is immutable"
// +kubebuilder:validation:XValidation:rule="has(self.detail) == has(oldSelf.detail)",fieldPath=".detail",message="detail is immutable"
// +kubebuilder:validation:XValidation:rule="has(self.goodsTag) == has(oldSelf.goodsTag)",fieldPath=".goodsTag",message="goodsTag is immutable"
// +kubebuilder:validation:XValidation:rule="has(self.deviceInfo) == has(oldSelf.deviceInfo)",fieldPath=".deviceInfo",message="deviceInfo is immutable"
// +kubebuilder:validation:XValidation:rule="has(self.productID) == has(oldSelf.productID)",fieldPath=".productID",message="productID is immutable"
// +kubebuilder:validation:XValidation:rule="has(self.limitPay) == has(oldSelf.limitPay)",fieldPath=".limitPay",message="limitPay is immutable"
// +kubebuilder:validation:XValidation:rule="has(self.receipt) == has(oldSelf.receipt)",fieldPath=".receipt",message="receipt is immutable"
// +kubebuilder:validation:XValidation:rule="has(self.profitSharing) == has(oldSelf.profitSharing)",fieldPath=".profitSharing",message="profitSharing is immutable"
// +kubebuilder:validation:XValidation:rule="has(self.sceneInfo) == has(oldSelf.sceneInfo)",fieldPath=".sceneInfo",message="sceneInfo is immutable"
type OrderSpec struct {
	// merchantRef names the Merchant that is paid.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="merchantRef is immutable"
	MerchantRef MerchantReference `json:"merchantRef,omitzero"`

	// outTradeNo is the order's number at WeChat (out_trade_no): 6 to 32 characters of [0-9A-Za-z_-|*], unique for the
	// merchant number for ever. Defaults to metadata.name. Immutable.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.size() == 0 || self.matches('^[0-9A-Za-z_|*-]{6,32}$')",message="outTradeNo must be 6 to 32 characters of [0-9A-Za-z_-|*]"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="outTradeNo is immutable: it is what keeps a payment from being made twice"
	OutTradeNo string `json:"outTradeNo,omitempty"`

	// appID under which the payer pays (appid); defaults to the Merchant's. It must be bound to the merchant number.
	// Immutable.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[0-9A-Za-z_-]+$`
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="appID is immutable"
	AppID string `json:"appID,omitempty"`

	// tradeType says where the payer pays: JSAPI (mini program, official account), NATIVE (QR code), APP, MWEB
	// (browser outside WeChat).
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="tradeType is immutable"
	TradeType TradeType `json:"tradeType,omitempty"`

	// description of what is sold, shown to the payer (body), at most 127 bytes in UTF-8: 42 Chinese characters.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=127
	// +kubebuilder:validation:XValidation:rule="size(bytes(self)) <= 127",message="description must be at most 127 bytes in UTF-8 (42 Chinese characters)"
	// +kubebuilder:validation:XValidation:rule="!self.matches('[\\\\p{Cc}\\uFFFE\\uFFFF]|&[A-Za-z_][0-9A-Za-z_.-]*=') && self == self.trim()",message="description must not hold control characters, nor an ampersand with a name and an equals sign (&name=, which WeChat's signature does not tell from another field), nor begin or end with white space"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="description is immutable"
	Description string `json:"description,omitempty"`

	// amount to pay.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="amount is immutable: create another Order for another amount"
	Amount Amount `json:"amount,omitzero"`

	// payer is who pays; required for JSAPI.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="payer is immutable"
	Payer *Payer `json:"payer,omitempty"`

	// clientIP is the payer's IPv4 or IPv6 address (spbill_create_ip). Required for MWEB, where WeChat checks it;
	// otherwise 127.0.0.1 is sent when it is absent.
	// +optional
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=45
	// +kubebuilder:validation:XValidation:rule="isIP(self)",message="clientIP must be an IPv4 or IPv6 address"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="clientIP is immutable"
	ClientIP string `json:"clientIP,omitempty"`

	// expireAfterSeconds is how long the Order stays open, from its creation, unless expireTime is set. The operator then
	// closes it at WeChat. 360 (6 minutes) to 604800 (7 days), default 7200 (2 hours).
	// +optional
	// +default=7200
	// +kubebuilder:default=7200
	// +kubebuilder:validation:Minimum=360
	// +kubebuilder:validation:Maximum=604800
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="expireAfterSeconds is immutable"
	ExpireAfterSeconds int32 `json:"expireAfterSeconds,omitempty"`

	// expireTime is the moment at which the Order ends, in place of expireAfterSeconds. Only this absolute time is sent to
	// WeChat (time_expire), which wants it at least 5 minutes ahead. RFC 3339 in whole seconds with an offset, such as
	// 2026-11-21T20:00:00+08:00. Immutable.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=date-time
	// +kubebuilder:validation:Pattern=`^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])$`
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="expireTime is immutable"
	ExpireTime *metav1.Time `json:"expireTime,omitempty"`

	// attach comes back unchanged in callbacks and queries, at most 127 bytes in UTF-8, without & and =.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=127
	// +kubebuilder:validation:XValidation:rule="size(bytes(self)) <= 127",message="attach must be at most 127 bytes in UTF-8"
	// +kubebuilder:validation:XValidation:rule="!self.matches('[&=\\\\p{Cc}\\uFFFE\\uFFFF]') && self == self.trim()",message="attach must not hold & or = (WeChat's signature does not tell them from field borders) or control characters, nor begin or end with white space"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="attach is immutable"
	Attach string `json:"attach,omitempty"`

	// detail is JSON about the goods, as WeChat's protocol has it (detail), at most 6000 bytes in UTF-8.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=6000
	// +kubebuilder:validation:XValidation:rule="size(bytes(self)) <= 6000 && (!self.matches('&[A-Za-z_][0-9A-Za-z_.-]*=') || size(bytes(self)) + 5 * (size(self.split('&')) - 1) <= 6000)",message="detail must be at most 6000 bytes in UTF-8, each & counted as 6 when one stands before a name and an equals sign (it is sent as the JSON escape of it)"
	// +kubebuilder:validation:XValidation:rule="self.startsWith('{') && self.endsWith('}') && !self.matches('[\\\\x00-\\\\x08\\\\x0B-\\\\x1F\\\\x7F\\uFFFE\\uFFFF]')",message="detail must be a JSON object that begins with { and ends with } (no line break after it: |- in YAML, not |), without control characters other than line feed and tab"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="detail is immutable"
	Detail string `json:"detail,omitempty"`

	// goodsTag marks the order for coupons (goods_tag).
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="size(bytes(self)) <= 32 && !self.matches('[&=\\\\p{Cc}\\uFFFE\\uFFFF]') && self == self.trim()",message="goodsTag must be at most 32 bytes in UTF-8, without &, = and control characters, and not begin or end with white space"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="goodsTag is immutable"
	GoodsTag string `json:"goodsTag,omitempty"`

	// deviceInfo is the number of the terminal or shop (device_info).
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="size(bytes(self)) <= 32 && !self.matches('[&=\\\\p{Cc}\\uFFFE\\uFFFF]') && self == self.trim()",message="deviceInfo must be at most 32 bytes in UTF-8, without &, = and control characters, and not begin or end with white space"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="deviceInfo is immutable"
	DeviceInfo string `json:"deviceInfo,omitempty"`

	// productID is the shop's own number of what is sold (product_id); required for NATIVE.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="size(bytes(self)) <= 32 && !self.matches('[&=\\\\p{Cc}\\uFFFE\\uFFFF]') && self == self.trim()",message="productID must be at most 32 bytes in UTF-8, without &, = and control characters, and not begin or end with white space"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="productID is immutable"
	ProductID string `json:"productID,omitempty"`

	// limitPay no_credit refuses credit cards (limit_pay).
	// +optional
	// +kubebuilder:validation:Enum=no_credit
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="limitPay is immutable"
	LimitPay string `json:"limitPay,omitempty"`

	// receipt Y shows the payer an entry for an invoice (receipt).
	// +optional
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="receipt is immutable"
	Receipt YesNo `json:"receipt,omitempty"`

	// profitSharing Y freezes the money for profit sharing (profit_sharing).
	// +optional
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="profitSharing is immutable"
	ProfitSharing YesNo `json:"profitSharing,omitempty"`

	// sceneInfo is JSON about where the payment takes place, as WeChat's protocol has it (scene_info), at most 256 bytes
	// in UTF-8. Required for MWEB, for example {"h5_info":{"type":"Wap","wap_url":"https://shop.example.com","wap_name":"Shop"}}.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="size(bytes(self)) <= 256 && (!self.matches('&[A-Za-z_][0-9A-Za-z_.-]*=') || size(bytes(self)) + 5 * (size(self.split('&')) - 1) <= 256)",message="sceneInfo must be at most 256 bytes in UTF-8, each & counted as 6 when one stands before a name and an equals sign (it is sent as the JSON escape of it)"
	// +kubebuilder:validation:XValidation:rule="self.startsWith('{') && self.endsWith('}') && !self.matches('[\\\\x00-\\\\x08\\\\x0B-\\\\x1F\\\\x7F\\uFFFE\\uFFFF]')",message="sceneInfo must be a JSON object that begins with { and ends with } (no line break after it: |- in YAML, not |), without control characters other than line feed and tab"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="sceneInfo is immutable"
	SceneInfo string `json:"sceneInfo,omitempty"`

	// desiredState is Open, or Closed to have an unpaid Order closed at WeChat. It can't go back to Open.
	// +optional
	// +default="Open"
	// +kubebuilder:default=Open
	// +kubebuilder:validation:XValidation:rule="oldSelf != 'Closed' || self == 'Closed'",message="desiredState can't go back from Closed to Open: create another Order"
	DesiredState DesiredState `json:"desiredState,omitempty"`

	// ttlSecondsAfterFinished deletes the Order this many seconds after it was paid, closed, expired or rejected, as in
	// batch/v1 Job. Absent: it stays.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=2147483647
	TTLSecondsAfterFinished *int32 `json:"ttlSecondsAfterFinished,omitempty"`
}

// Order is one payment by one payer.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=wxo,categories=wechatpay
// +kubebuilder:printcolumn:name="STATE",type=string,JSONPath=`.status.conditions[?(@.type=="Paid")].reason`
// +kubebuilder:printcolumn:name="TYPE",type=string,JSONPath=`.spec.tradeType`
// +kubebuilder:printcolumn:name="TOTAL",type=integer,JSONPath=`.spec.amount.total`
// +kubebuilder:printcolumn:name="CURRENCY",type=string,JSONPath=`.spec.amount.currency`
// +kubebuilder:printcolumn:name="AGE",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="TRANSACTION",type=string,JSONPath=`.status.transaction.id`,priority=1
// +kubebuilder:printcolumn:name="PAID",type=string,JSONPath=`.status.transaction.paidTime`,priority=1
// +kubebuilder:printcolumn:name="MESSAGE",type=string,JSONPath=`.status.conditions[?(@.type=="Paid")].message`,priority=1
// +kubebuilder:selectablefield:JSONPath=`.spec.merchantRef.name`
// +kubebuilder:selectablefield:JSONPath=`.spec.tradeType`
// +kubebuilder:selectablefield:JSONPath=`.status.outTradeNo`
// +kubebuilder:selectablefield:JSONPath=`.status.transaction.id`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.matches('^[0-9a-z-]{6,32}$') || (has(self.spec.outTradeNo) && self.spec.outTradeNo != \"\")",message="metadata.name is the order's number at WeChat unless spec.outTradeNo is set, so it must be 6 to 32 characters of [0-9a-z-]: choose such a name, or set spec.outTradeNo"
type Order struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec says what is to be paid.
	// +required
	Spec OrderSpec `json:"spec,omitzero"`

	// status is what WeChat said of the order.
	// +optional
	Status OrderStatus `json:"status,omitzero"`
}

// OrderList is a list of Orders.
//
// +kubebuilder:object:root=true
type OrderList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Order `json:"items"`
}

// Number is the order's number at WeChat: spec.outTradeNo, or the name. Never anything else.
func (o *Order) Number() string {
	if o.Spec.OutTradeNo != "" {
		return o.Spec.OutTradeNo
	}
	return o.Name
}

// Deadline is when an unpaid Order is to be closed: spec.expireTime, or creation plus spec.expireAfterSeconds.
func (o *Order) Deadline() time.Time {
	if o.Spec.ExpireTime != nil {
		return o.Spec.ExpireTime.Time
	}
	return o.CreationTimestamp.Add(time.Duration(o.Spec.ExpireAfterSeconds) * time.Second)
}

// MerchantKey is the namespace and name of the Merchant that the Order refers to.
func (o *Order) MerchantKey() (namespace, name string) {
	if o.Spec.MerchantRef.Namespace != "" {
		return o.Spec.MerchantRef.Namespace, o.Spec.MerchantRef.Name
	}
	return o.Namespace, o.Spec.MerchantRef.Name
}
