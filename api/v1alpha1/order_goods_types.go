package v1alpha1

// Bounds are the narrower ones of WeChat Pay's protocols V2 and V3, and lengths are in bytes, so either protocol can
// send an accepted Order.

// Goods are the sold items. WeChat Pay uses them for coupons on single goods.
type Goods struct {
	// costPrice of the whole receipt, before discounts, in minor units of the Order's currency (cost_price). It does
	// not change the amount to pay. If it differs from amount.total, WeChat treats the Order as part of a receipt and
	// gives no coupons; so leave it out unless the receipt is split.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=2147483647
	CostPrice int64 `json:"costPrice,omitempty"`

	// receiptID is the shop's number of the receipt (receipt_id in V2, invoice_id in V3).
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="size(bytes(self)) <= 32 && !self.matches('[\\\\p{Cc}\\uFFFE\\uFFFF\\\\x{10000}-\\\\x{10FFFF}]') && self == self.trim()",messageExpression="self.matches('[\\\\x{10000}-\\\\x{10FFFF}]') ? 'receiptID must not hold emoji or other characters of four bytes in UTF-8: WeChat Pay does not take them' : 'receiptID must be at most 32 bytes in UTF-8, without control characters, and not begin or end with white space'"
	ReceiptID string `json:"receiptID,omitempty"`

	// items are the lines of the receipt (goods_detail).
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=100
	Items []GoodsItem `json:"items,omitempty"`
}

// GoodsItem is one line of a receipt.
type GoodsItem struct {
	// id of the goods in the shop, of [0-9A-Za-z_-] (goods_id in V2, merchant_goods_id in V3).
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[0-9A-Za-z_-]+$`
	ID string `json:"id,omitempty"`

	// weChatID is WeChat Pay's number of the goods (wxpay_goods_id in V2, wechatpay_goods_id in V3).
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[0-9A-Za-z_-]+$`
	WeChatID string `json:"weChatID,omitempty"`

	// name of the goods (goods_name), at most 256 bytes in UTF-8.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="size(bytes(self)) <= 256 && !self.matches('[\\\\p{Cc}\\uFFFE\\uFFFF\\\\x{10000}-\\\\x{10FFFF}]') && self == self.trim()",messageExpression="self.matches('[\\\\x{10000}-\\\\x{10FFFF}]') ? 'name must not hold emoji or other characters of four bytes in UTF-8: WeChat Pay does not take them' : 'name must be at most 256 bytes in UTF-8, without control characters, and not begin or end with white space'"
	Name string `json:"name,omitempty"`

	// quantity of these goods.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=2147483647
	Quantity int64 `json:"quantity,omitempty"`

	// price of one, in minor units of the Order's currency, after the shop's own discounts (price in V2, unit_price in
	// V3).
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=2147483647
	Price int64 `json:"price,omitempty"`
}

// Store is where a payment takes place.
// +kubebuilder:validation:XValidation:rule="size(bytes(self.id)) + (has(self.name) ? size(bytes(self.name)) : 0) + (has(self.address) ? size(bytes(self.address)) : 0) <= 188",message="store.id, store.name and store.address must be at most 188 bytes in UTF-8 together: protocol V2 takes 256 bytes of scene_info"
type Store struct {
	// id of the store (store_info.id).
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="size(bytes(self)) <= 32 && !self.matches('[\\\\p{Cc}\\uFFFE\\uFFFF\\\\x{10000}-\\\\x{10FFFF}]') && self == self.trim()",messageExpression="self.matches('[\\\\x{10000}-\\\\x{10FFFF}]') ? 'id must not hold emoji or other characters of four bytes in UTF-8: WeChat Pay does not take them' : 'id must be at most 32 bytes in UTF-8, without control characters, and not begin or end with white space'"
	ID string `json:"id,omitempty"`

	// name of the store, at most 64 bytes in UTF-8.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="size(bytes(self)) <= 64 && !self.matches('[\\\\p{Cc}\\uFFFE\\uFFFF\\\\x{10000}-\\\\x{10FFFF}]') && self == self.trim()",messageExpression="self.matches('[\\\\x{10000}-\\\\x{10FFFF}]') ? 'name must not hold emoji or other characters of four bytes in UTF-8: WeChat Pay does not take them' : 'name must be at most 64 bytes in UTF-8, without control characters, and not begin or end with white space'"
	Name string `json:"name,omitempty"`

	// areaCode is the administrative division of the store, six digits (GB/T 2260), such as 440305.
	// +optional
	// +kubebuilder:validation:MinLength=6
	// +kubebuilder:validation:MaxLength=6
	// +kubebuilder:validation:Pattern=`^[0-9]{6}$`
	AreaCode string `json:"areaCode,omitempty"`

	// address of the store, at most 128 bytes in UTF-8.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="size(bytes(self)) <= 128 && !self.matches('[\\\\p{Cc}\\uFFFE\\uFFFF\\\\x{10000}-\\\\x{10FFFF}]') && self == self.trim()",messageExpression="self.matches('[\\\\x{10000}-\\\\x{10FFFF}]') ? 'address must not hold emoji or other characters of four bytes in UTF-8: WeChat Pay does not take them' : 'address must be at most 128 bytes in UTF-8, without control characters, and not begin or end with white space'"
	Address string `json:"address,omitempty"`
}

// H5Type is what sends the payer to WeChat.
// +kubebuilder:validation:Enum=Wap;iOS;Android
type H5Type string

// The types of H5.
const (
	// H5TypeWap is a page in the phone's browser.
	H5TypeWap H5Type = "Wap"
	// H5TypeIOS is an app on an Apple phone.
	H5TypeIOS H5Type = "iOS"
	// H5TypeAndroid is an app on an Android phone.
	H5TypeAndroid H5Type = "Android"
)

// H5 is the page or the app that sends the payer to WeChat (h5_info).
type H5 struct {
	// type is Wap (a page in a browser), iOS or Android (an app).
	// +required
	Type H5Type `json:"type,omitempty"`

	// name of the page or the app (wap_name or app_name), at most 64 bytes in UTF-8.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="size(bytes(self)) <= 64 && !self.matches('[\\\\p{Cc}\\uFFFE\\uFFFF\\\\x{10000}-\\\\x{10FFFF}]') && self == self.trim()",messageExpression="self.matches('[\\\\x{10000}-\\\\x{10FFFF}]') ? 'name must not hold emoji or other characters of four bytes in UTF-8: WeChat Pay does not take them' : 'name must be at most 64 bytes in UTF-8, without control characters, and not begin or end with white space'"
	Name string `json:"name,omitempty"`

	// url of the page (wap_url in V2, app_url in V3). V2 has none for an app.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="isURL(self) && self.matches('^https?://[!-~]+$') && url(self).getHostname().size() > 0",message="url must be an absolute http or https URL in ASCII, such as https://shop.example.com"
	URL string `json:"url,omitempty"`

	// bundleID of the app on iOS, such as com.example.shop (bundle_id).
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[0-9A-Za-z._-]+$`
	BundleID string `json:"bundleID,omitempty"`

	// packageName of the app on Android, such as com.example.shop (package_name).
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[0-9A-Za-z._-]+$`
	PackageName string `json:"packageName,omitempty"`
}
