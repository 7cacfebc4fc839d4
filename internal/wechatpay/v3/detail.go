package v3

import (
	"cmp"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// detail is the goods of an order, for coupons on single goods.
type detail struct {
	CostPrice   int64         `json:"cost_price,omitzero"`
	InvoiceID   string        `json:"invoice_id,omitempty"`
	GoodsDetail []goodsDetail `json:"goods_detail,omitempty"`
}

// goodsDetail is a wechatpay.GoodsItem in the names of V3.
type goodsDetail struct {
	ID       string `json:"merchant_goods_id"`
	WeChatID string `json:"wechatpay_goods_id,omitempty"`
	Name     string `json:"goods_name,omitempty"`
	Quantity int64  `json:"quantity"`
	Price    int64  `json:"unit_price"`
}

// sceneInfo is where the payment takes place.
type sceneInfo struct {
	PayerClientIP string     `json:"payer_client_ip"`
	DeviceID      string     `json:"device_id,omitempty"`
	StoreInfo     *storeInfo `json:"store_info,omitempty"`
	H5Info        *h5Info    `json:"h5_info,omitempty"`
}

// storeInfo is a wechatpay.Store.
type storeInfo struct {
	ID       string `json:"id"`
	Name     string `json:"name,omitempty"`
	AreaCode string `json:"area_code,omitempty"`
	Address  string `json:"address,omitempty"`
}

// h5Info is a wechatpay.H5 in the names of V3.
type h5Info struct {
	Type        wechatpay.H5Type `json:"type"`
	Name        string           `json:"app_name,omitempty"`
	URL         string           `json:"app_url,omitempty"`
	BundleID    string           `json:"bundle_id,omitempty"`
	PackageName string           `json:"package_name,omitempty"`
}

// detailOf writes the goods of an order; nil when there are none.
func detailOf(goods *wechatpay.Goods) *detail {
	if goods == nil {
		return nil
	}
	written := &detail{CostPrice: goods.CostPrice, InvoiceID: goods.ReceiptID}
	for _, item := range goods.Items {
		written.GoodsDetail = append(written.GoodsDetail, goodsDetail(item))
	}
	return written
}

// unknownPayerIP is sent if the payer's address is not known and scene_info is needed, which
// requires one.
const unknownPayerIP = "127.0.0.1"

// sceneInfoOf returns scene_info; nil if nothing is known about the place of the payment.
func sceneInfoOf(request wechatpay.OrderRequest) *sceneInfo {
	if request.ClientIP == "" && request.DeviceInfo == "" && request.Store == nil && request.H5 == nil {
		return nil
	}
	return &sceneInfo{
		PayerClientIP: cmp.Or(request.ClientIP, unknownPayerIP), DeviceID: request.DeviceInfo,
		StoreInfo: (*storeInfo)(request.Store), H5Info: (*h5Info)(request.H5),
	}
}
