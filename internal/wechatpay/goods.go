package wechatpay

// Goods are what an order sells, line by line. A protocol writes them as its detail.
type Goods struct {
	// CostPrice of the whole receipt in minor units, before discounts; zero means that it is not
	// sent.
	CostPrice int64
	ReceiptID string
	Items     []GoodsItem
}

// GoodsItem is one line of a receipt.
type GoodsItem struct {
	// ID is the shop's, WeChatID what WeChat calls the goods.
	ID, WeChatID, Name string
	Quantity           int64
	// Price of one in minor units.
	Price int64
}

// Store is where a payment takes place. A protocol writes it as a part of its scene_info.
type Store struct {
	ID, Name, AreaCode, Address string
}

// H5Type says what sends the payer to WeChat.
type H5Type string

// The types of H5.
const (
	H5TypeWap     H5Type = "Wap"
	H5TypeIOS     H5Type = "iOS"
	H5TypeAndroid H5Type = "Android"
)

// H5 is the page or the app that sends the payer to WeChat. A protocol writes it as a part of its scene_info.
type H5 struct {
	Type                             H5Type
	Name, URL, BundleID, PackageName string
}
