package v3

import (
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// detail is the goods of an order, for coupons on single goods.
type detail struct {
	CostPrice   int64         `json:"cost_price,omitzero"`
	InvoiceID   string        `json:"invoice_id,omitempty"`
	GoodsDetail []goodsDetail `json:"goods_detail,omitempty"`
}

type goodsDetail struct {
	MerchantGoodsID  string `json:"merchant_goods_id"`
	WechatpayGoodsID string `json:"wechatpay_goods_id,omitempty"`
	GoodsName        string `json:"goods_name,omitempty"`
	Quantity         int64  `json:"quantity"`
	UnitPrice        int64  `json:"unit_price"`
}

// sceneInfo is where the payment takes place.
type sceneInfo struct {
	PayerClientIP string     `json:"payer_client_ip"`
	DeviceID      string     `json:"device_id,omitempty"`
	StoreInfo     *storeInfo `json:"store_info,omitempty"`
	H5Info        *h5Info    `json:"h5_info,omitempty"`
}

type storeInfo struct {
	ID       string `json:"id"`
	Name     string `json:"name,omitempty"`
	AreaCode string `json:"area_code,omitempty"`
	Address  string `json:"address,omitempty"`
}

type h5Info struct {
	Type        string `json:"type"`
	AppName     string `json:"app_name,omitempty"`
	AppURL      string `json:"app_url,omitempty"`
	BundleID    string `json:"bundle_id,omitempty"`
	PackageName string `json:"package_name,omitempty"`
}

// detailOf writes the goods of an order; nil when there are none.
func detailOf(goods *wechatpay.Goods) *detail {
	if goods == nil {
		return nil
	}
	written := &detail{CostPrice: goods.CostPrice, InvoiceID: goods.ReceiptID}
	for _, item := range goods.Items {
		written.GoodsDetail = append(written.GoodsDetail, goodsDetail{
			MerchantGoodsID: item.ID, WechatpayGoodsID: item.WeChatID, GoodsName: item.Name, Quantity: item.Quantity, UnitPrice: item.Price,
		})
	}
	return written
}

// unknownPayerIP stands for an address that is not known, where scene_info is needed: WeChat takes
// none without.
const unknownPayerIP = "127.0.0.1"

// sceneInfoOf writes what is known of the place of a payment; nil when that is nothing.
func sceneInfoOf(request wechatpay.OrderRequest) *sceneInfo {
	if request.ClientIP == "" && request.DeviceInfo == "" && request.Store == nil && request.H5 == nil {
		return nil
	}
	written := &sceneInfo{PayerClientIP: request.ClientIP, DeviceID: request.DeviceInfo}
	if written.PayerClientIP == "" {
		written.PayerClientIP = unknownPayerIP
	}
	if store := request.Store; store != nil {
		written.StoreInfo = &storeInfo{ID: store.ID, Name: store.Name, AreaCode: store.AreaCode, Address: store.Address}
	}
	if h5 := request.H5; h5 != nil {
		written.H5Info = &h5Info{Type: string(h5.Type), AppName: h5.Name, AppURL: h5.URL, BundleID: h5.BundleID, PackageName: h5.PackageName}
	}
	return written
}
