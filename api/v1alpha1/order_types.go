package v1alpha1

import (
	"cmp"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TradeType defines where the payer pays.
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

// DesiredState is the state that the shop wants.
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

	// namespace of the Merchant; defaults to the Order's. For another namespace the Merchant's spec.allowedNamespaces
	// must allow it.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`
}

// Currency is an ISO 4217 code that WeChat Pay supports. Mainland merchants: CNY only.
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

	// currency is the ISO 4217 code (fee_type). Mainland merchants, and all under protocol V3: CNY
	// only, the default.
	// +optional
	// +default="CNY"
	// +kubebuilder:default=CNY
	Currency Currency `json:"currency,omitempty"`
}

// Payer identifies the payer.
// +kubebuilder:validation:XValidation:rule="has(self.openID) != has(self.subOpenID)",message="payer needs openID, or subOpenID (under the partner.subAppID of a service provider's Merchant), and not both"
type Payer struct {
	// openID of the payer under the Order's appID (openid).
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[0-9A-Za-z_-]+$`
	OpenID string `json:"openID,omitempty"`

	// subOpenID of the payer under the sub merchant's appid (sub_openid), partner.subAppID of a
	// service provider's Merchant.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[0-9A-Za-z_-]+$`
	SubOpenID string `json:"subOpenID,omitempty"`
}

// OrderSpec defines what is to be paid. All fields but desiredState and ttlSecondsAfterFinished are immutable, so that
// every call to WeChat can be repeated with the same parameters. The rules for that are at Order.
type OrderSpec struct {
	// merchantRef names the Merchant that is paid.
	// +required
	MerchantRef MerchantReference `json:"merchantRef,omitzero"`

	// outTradeNo is the order's number at WeChat (out_trade_no): 6 to 32 characters of [0-9A-Za-z_-|*], unique for the
	// merchant number for ever. Defaults to metadata.name. Immutable.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.size() == 0 || self.matches('^[0-9A-Za-z_|*-]{6,32}$')",message="outTradeNo must be 6 to 32 characters of [0-9A-Za-z_-|*]"
	OutTradeNo string `json:"outTradeNo,omitempty"`

	// appID under which the payer pays (appid); defaults to the Merchant's. It must be bound to the merchant number, or
	// be the partner.subAppID of a service provider's Merchant. Immutable.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[0-9A-Za-z_-]+$`
	AppID string `json:"appID,omitempty"`

	// tradeType is where the payer pays: JSAPI (mini program, official account), NATIVE (QR code), APP, MWEB (browser
	// outside WeChat).
	// +required
	TradeType TradeType `json:"tradeType,omitempty"`

	// description of what is sold, shown to the payer (body), at most 127 bytes in UTF-8: 42 Chinese characters.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=127
	// +kubebuilder:validation:XValidation:rule="size(bytes(self)) <= 127 && !self.matches('[\\\\p{Cc}\\uFFFE\\uFFFF\\\\x{10000}-\\\\x{10FFFF}]|&[A-Za-z_][0-9A-Za-z_.-]*=') && self == self.trim()",messageExpression="size(bytes(self)) > 127 ? 'description must be at most 127 bytes in UTF-8 (42 Chinese characters)' : self.matches('[\\\\x{10000}-\\\\x{10FFFF}]') ? 'description must not hold emoji or other characters of four bytes in UTF-8: WeChat Pay does not take them' : 'description must not hold control characters, nor an ampersand with a name and an equals sign (&name=, which WeChat Pay\\'s signature does not tell from another field), nor begin or end with white space'"
	Description string `json:"description,omitempty"`

	// amount to pay.
	// +required
	Amount Amount `json:"amount,omitzero"`

	// payer identifies the payer; required for JSAPI.
	// +optional
	Payer *Payer `json:"payer,omitempty"`

	// clientIP is the payer's IPv4 or IPv6 address (spbill_create_ip). Required for MWEB, where WeChat checks it. If it
	// is absent otherwise, V2 sends 127.0.0.1 and V3 nothing.
	// +optional
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=45
	// +kubebuilder:validation:XValidation:rule="isIP(self)",message="clientIP must be an IPv4 or IPv6 address"
	ClientIP string `json:"clientIP,omitempty"`

	// expireAfterSeconds is how long the Order stays open, from its creation, unless expireTime is set. The operator then
	// closes it at WeChat. 360 (6 minutes) to 604800 (7 days), default 7200 (2 hours).
	// +optional
	// +default=7200
	// +kubebuilder:default=7200
	// +kubebuilder:validation:Minimum=360
	// +kubebuilder:validation:Maximum=604800
	ExpireAfterSeconds int32 `json:"expireAfterSeconds,omitempty"`

	// expireTime is when the Order ends, instead of expireAfterSeconds. Only this absolute time is sent to WeChat
	// (time_expire), which requires it to be at least 5 minutes ahead. RFC 3339 in whole seconds with an offset, such
	// as 2026-11-21T20:00:00+08:00. Immutable.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=date-time
	// +kubebuilder:validation:Pattern=`^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])$`
	ExpireTime *metav1.Time `json:"expireTime,omitempty"`

	// attach is returned unchanged in callbacks and queries, at most 127 bytes in UTF-8, without & and =.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=127
	// +kubebuilder:validation:XValidation:rule="size(bytes(self)) <= 127 && !self.matches('[&=\\\\p{Cc}\\uFFFE\\uFFFF\\\\x{10000}-\\\\x{10FFFF}]') && self == self.trim()",messageExpression="size(bytes(self)) > 127 ? 'attach must be at most 127 bytes in UTF-8' : self.matches('[\\\\x{10000}-\\\\x{10FFFF}]') ? 'attach must not hold emoji or other characters of four bytes in UTF-8: WeChat Pay does not take them' : 'attach must not hold & or = (WeChat Pay\\'s signature does not tell them from field borders) or control characters, nor begin or end with white space'"
	Attach string `json:"attach,omitempty"`

	// goods are the sold items, for coupons on single goods (detail): at most 6000 bytes in WeChat Pay's JSON.
	// +optional
	Goods *Goods `json:"goods,omitempty"`

	// goodsTag marks the order for coupons (goods_tag).
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="size(bytes(self)) <= 32 && !self.matches('[&=\\\\p{Cc}\\uFFFE\\uFFFF\\\\x{10000}-\\\\x{10FFFF}]') && self == self.trim()",messageExpression="self.matches('[\\\\x{10000}-\\\\x{10FFFF}]') ? 'goodsTag must not hold emoji or other characters of four bytes in UTF-8: WeChat Pay does not take them' : 'goodsTag must be at most 32 bytes in UTF-8, without &, = and control characters, and not begin or end with white space'"
	GoodsTag string `json:"goodsTag,omitempty"`

	// deviceInfo is the number of the terminal or shop (device_info).
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="size(bytes(self)) <= 32 && !self.matches('[&=\\\\p{Cc}\\uFFFE\\uFFFF\\\\x{10000}-\\\\x{10FFFF}]') && self == self.trim()",messageExpression="self.matches('[\\\\x{10000}-\\\\x{10FFFF}]') ? 'deviceInfo must not hold emoji or other characters of four bytes in UTF-8: WeChat Pay does not take them' : 'deviceInfo must be at most 32 bytes in UTF-8, without &, = and control characters, and not begin or end with white space'"
	DeviceInfo string `json:"deviceInfo,omitempty"`

	// productID is the shop's own number of the goods (product_id). Protocol V2 requires one for NATIVE; if it is
	// absent, the Order's number is sent.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="size(bytes(self)) <= 32 && !self.matches('[&=\\\\p{Cc}\\uFFFE\\uFFFF\\\\x{10000}-\\\\x{10FFFF}]') && self == self.trim()",messageExpression="self.matches('[\\\\x{10000}-\\\\x{10FFFF}]') ? 'productID must not hold emoji or other characters of four bytes in UTF-8: WeChat Pay does not take them' : 'productID must be at most 32 bytes in UTF-8, without &, = and control characters, and not begin or end with white space'"
	ProductID string `json:"productID,omitempty"`

	// limitPay no_credit refuses credit cards (limit_pay).
	// +optional
	// +kubebuilder:validation:Enum=no_credit
	LimitPay string `json:"limitPay,omitempty"`

	// receipt Y shows the payer an entry for an invoice (receipt).
	// +optional
	Receipt YesNo `json:"receipt,omitempty"`

	// profitSharing Y freezes the money for profit sharing (profit_sharing).
	// +optional
	ProfitSharing YesNo `json:"profitSharing,omitempty"`

	// store is where the payment takes place (scene_info).
	// +optional
	Store *Store `json:"store,omitempty"`

	// h5 is the page or the app that sends the payer to WeChat (scene_info); required for MWEB.
	// +optional
	H5 *H5 `json:"h5,omitempty"`

	// desiredState is Open, or Closed to close an unpaid Order at WeChat. It can't go back to Open.
	// +optional
	// +default="Open"
	// +kubebuilder:default=Open
	DesiredState DesiredState `json:"desiredState,omitempty"`

	// ttlSecondsAfterFinished deletes the Order this many seconds after it was paid, closed, expired or rejected, as in
	// batch/v1 Job. Absent: it stays.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=2147483647
	TTLSecondsAfterFinished *int32 `json:"ttlSecondsAfterFinished,omitempty"`
}

// Every write of an Order evaluates every rule, including status updates. For each field that a rule selects, the API
// server copies the schemas of all its siblings, and the spec has many. So the rules at Order first check whether that
// can be skipped:
//
//   - Fields that can never change are checked at creation only, when there is no oldSelf.
//   - A write changes the status or the rest, never both, since the status is a subresource. So if the status changes, no
//     immutable field does.
//   - All immutable fields are in one rule. It has each field twice: to compare it, and to name it in the message.
//     TestImmutable fails for a field that is left out. Optional fields are compared by has(), since the API server can't
//     bound the cost of .? and refuses the rule.
//
// A field has its own rule only for its text. That rule is evaluated if the field is set.

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
// +kubebuilder:validation:XValidation:rule="oldSelf.hasValue() || self.metadata.name.matches('^[0-9a-z-]{6,32}$') || (has(self.spec.outTradeNo) && self.spec.outTradeNo != \"\")",optionalOldSelf=true,message="metadata.name is the order's number at WeChat unless spec.outTradeNo is set, so it must be 6 to 32 characters of [0-9a-z-]: choose such a name, or set spec.outTradeNo"
// +kubebuilder:validation:XValidation:rule="oldSelf.hasValue() || self.spec.tradeType != 'JSAPI' || has(self.spec.payer)",optionalOldSelf=true,fieldPath=".spec.payer",message="payer.openID is required for tradeType JSAPI (payer.subOpenID for one under the sub merchant's appid)"
// +kubebuilder:validation:XValidation:rule="oldSelf.hasValue() || self.spec.tradeType != 'MWEB' || has(self.spec.h5)",optionalOldSelf=true,fieldPath=".spec.h5",message="h5 is required for tradeType MWEB"
// +kubebuilder:validation:XValidation:rule="oldSelf.hasValue() || self.spec.tradeType != 'MWEB' || has(self.spec.clientIP)",optionalOldSelf=true,fieldPath=".spec.clientIP",message="clientIP is required for tradeType MWEB: WeChat compares it with the payer's address"
// +kubebuilder:validation:XValidation:rule="has(self.status) && (!has(oldSelf.status) || self.status != oldSelf.status) || self.spec == oldSelf.spec || ((has(self.spec.outTradeNo) ? self.spec.outTradeNo : \"\") == (has(oldSelf.spec.outTradeNo) ? oldSelf.spec.outTradeNo : \"\") && self.spec.merchantRef == oldSelf.spec.merchantRef && (has(self.spec.appID) ? has(oldSelf.spec.appID) && self.spec.appID == oldSelf.spec.appID : !has(oldSelf.spec.appID)) && self.spec.tradeType == oldSelf.spec.tradeType && self.spec.description == oldSelf.spec.description && self.spec.amount == oldSelf.spec.amount && (has(self.spec.payer) ? has(oldSelf.spec.payer) && self.spec.payer == oldSelf.spec.payer : !has(oldSelf.spec.payer)) && (has(self.spec.clientIP) ? has(oldSelf.spec.clientIP) && self.spec.clientIP == oldSelf.spec.clientIP : !has(oldSelf.spec.clientIP)) && self.spec.expireAfterSeconds == oldSelf.spec.expireAfterSeconds && (has(self.spec.expireTime) ? has(oldSelf.spec.expireTime) && self.spec.expireTime == oldSelf.spec.expireTime : !has(oldSelf.spec.expireTime)) && (has(self.spec.attach) ? has(oldSelf.spec.attach) && self.spec.attach == oldSelf.spec.attach : !has(oldSelf.spec.attach)) && (has(self.spec.goods) ? has(oldSelf.spec.goods) && self.spec.goods == oldSelf.spec.goods : !has(oldSelf.spec.goods)) && (has(self.spec.goodsTag) ? has(oldSelf.spec.goodsTag) && self.spec.goodsTag == oldSelf.spec.goodsTag : !has(oldSelf.spec.goodsTag)) && (has(self.spec.deviceInfo) ? has(oldSelf.spec.deviceInfo) && self.spec.deviceInfo == oldSelf.spec.deviceInfo : !has(oldSelf.spec.deviceInfo)) && (has(self.spec.productID) ? has(oldSelf.spec.productID) && self.spec.productID == oldSelf.spec.productID : !has(oldSelf.spec.productID)) && (has(self.spec.limitPay) ? has(oldSelf.spec.limitPay) && self.spec.limitPay == oldSelf.spec.limitPay : !has(oldSelf.spec.limitPay)) && (has(self.spec.receipt) ? has(oldSelf.spec.receipt) && self.spec.receipt == oldSelf.spec.receipt : !has(oldSelf.spec.receipt)) && (has(self.spec.profitSharing) ? has(oldSelf.spec.profitSharing) && self.spec.profitSharing == oldSelf.spec.profitSharing : !has(oldSelf.spec.profitSharing)) && (has(self.spec.store) ? has(oldSelf.spec.store) && self.spec.store == oldSelf.spec.store : !has(oldSelf.spec.store)) && (has(self.spec.h5) ? has(oldSelf.spec.h5) && self.spec.h5 == oldSelf.spec.h5 : !has(oldSelf.spec.h5)) && (oldSelf.spec.desiredState != 'Closed' || self.spec.desiredState == 'Closed'))",fieldPath=".spec",messageExpression="((has(self.spec.outTradeNo) ? self.spec.outTradeNo : \"\") == (has(oldSelf.spec.outTradeNo) ? oldSelf.spec.outTradeNo : \"\") ? \"\" : 'outTradeNo is immutable; ') + (self.spec.merchantRef == oldSelf.spec.merchantRef ? \"\" : 'merchantRef is immutable; ') + ((has(self.spec.appID) ? has(oldSelf.spec.appID) && self.spec.appID == oldSelf.spec.appID : !has(oldSelf.spec.appID)) ? \"\" : 'appID is immutable; ') + (self.spec.tradeType == oldSelf.spec.tradeType ? \"\" : 'tradeType is immutable; ') + (self.spec.description == oldSelf.spec.description ? \"\" : 'description is immutable; ') + (self.spec.amount == oldSelf.spec.amount ? \"\" : 'amount is immutable; ') + ((has(self.spec.payer) ? has(oldSelf.spec.payer) && self.spec.payer == oldSelf.spec.payer : !has(oldSelf.spec.payer)) ? \"\" : 'payer is immutable; ') + ((has(self.spec.clientIP) ? has(oldSelf.spec.clientIP) && self.spec.clientIP == oldSelf.spec.clientIP : !has(oldSelf.spec.clientIP)) ? \"\" : 'clientIP is immutable; ') + (self.spec.expireAfterSeconds == oldSelf.spec.expireAfterSeconds ? \"\" : 'expireAfterSeconds is immutable; ') + ((has(self.spec.expireTime) ? has(oldSelf.spec.expireTime) && self.spec.expireTime == oldSelf.spec.expireTime : !has(oldSelf.spec.expireTime)) ? \"\" : 'expireTime is immutable; ') + ((has(self.spec.attach) ? has(oldSelf.spec.attach) && self.spec.attach == oldSelf.spec.attach : !has(oldSelf.spec.attach)) ? \"\" : 'attach is immutable; ') + ((has(self.spec.goods) ? has(oldSelf.spec.goods) && self.spec.goods == oldSelf.spec.goods : !has(oldSelf.spec.goods)) ? \"\" : 'goods is immutable; ') + ((has(self.spec.goodsTag) ? has(oldSelf.spec.goodsTag) && self.spec.goodsTag == oldSelf.spec.goodsTag : !has(oldSelf.spec.goodsTag)) ? \"\" : 'goodsTag is immutable; ') + ((has(self.spec.deviceInfo) ? has(oldSelf.spec.deviceInfo) && self.spec.deviceInfo == oldSelf.spec.deviceInfo : !has(oldSelf.spec.deviceInfo)) ? \"\" : 'deviceInfo is immutable; ') + ((has(self.spec.productID) ? has(oldSelf.spec.productID) && self.spec.productID == oldSelf.spec.productID : !has(oldSelf.spec.productID)) ? \"\" : 'productID is immutable; ') + ((has(self.spec.limitPay) ? has(oldSelf.spec.limitPay) && self.spec.limitPay == oldSelf.spec.limitPay : !has(oldSelf.spec.limitPay)) ? \"\" : 'limitPay is immutable; ') + ((has(self.spec.receipt) ? has(oldSelf.spec.receipt) && self.spec.receipt == oldSelf.spec.receipt : !has(oldSelf.spec.receipt)) ? \"\" : 'receipt is immutable; ') + ((has(self.spec.profitSharing) ? has(oldSelf.spec.profitSharing) && self.spec.profitSharing == oldSelf.spec.profitSharing : !has(oldSelf.spec.profitSharing)) ? \"\" : 'profitSharing is immutable; ') + ((has(self.spec.store) ? has(oldSelf.spec.store) && self.spec.store == oldSelf.spec.store : !has(oldSelf.spec.store)) ? \"\" : 'store is immutable; ') + ((has(self.spec.h5) ? has(oldSelf.spec.h5) && self.spec.h5 == oldSelf.spec.h5 : !has(oldSelf.spec.h5)) ? \"\" : 'h5 is immutable; ') + ((oldSelf.spec.desiredState != 'Closed' || self.spec.desiredState == 'Closed') ? \"\" : 'desiredState can\\'t go back from Closed to Open; ') + 'create another Order'"
type Order struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec defines what is to be paid.
	// +required
	Spec OrderSpec `json:"spec,omitzero"`

	// status is the state of the order at WeChat.
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

// Number is the order's number at WeChat: spec.outTradeNo, or the name. It never changes.
func (o *Order) Number() string {
	return cmp.Or(o.Spec.OutTradeNo, o.Name)
}

// Deadline is when an unpaid Order is closed: spec.expireTime, or creation plus spec.expireAfterSeconds.
func (o *Order) Deadline() time.Time {
	if o.Spec.ExpireTime != nil {
		return o.Spec.ExpireTime.Time
	}
	return o.CreationTimestamp.Add(time.Duration(o.Spec.ExpireAfterSeconds) * time.Second)
}

// MerchantKey is the namespace and name of the Merchant that the Order refers to.
func (o *Order) MerchantKey() (namespace, name string) {
	return cmp.Or(o.Spec.MerchantRef.Namespace, o.Namespace), o.Spec.MerchantRef.Name
}
