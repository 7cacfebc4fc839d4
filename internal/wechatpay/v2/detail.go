package v2

import (
	"fmt"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/transport"
)

// Two parameters of unifiedorder are JSON. A repeated call has to be the same call byte for byte, so
// they are written from structs, whose members have a fixed order, and never from maps.

// How many bytes WeChat accepts (chapter 9_1; newer pages say 6144 for detail).
const (
	maxDetail    = 6000
	maxSceneInfo = 256
)

// detail is the goods of an order, for coupons on single goods (chapter 9_1).
type detail struct {
	CostPrice   int64         `json:"cost_price,omitempty"`
	ReceiptID   string        `json:"receipt_id,omitempty"`
	GoodsDetail []goodsDetail `json:"goods_detail"`
}

// goodsDetail is a wechatpay.GoodsItem in the names of V2.
type goodsDetail struct {
	ID       string `json:"goods_id"`
	WeChatID string `json:"wxpay_goods_id,omitempty"`
	Name     string `json:"goods_name,omitempty"`
	Quantity int64  `json:"quantity"`
	Price    int64  `json:"price"`
}

// sceneInfo is where the payment takes place (chapter 9_1).
type sceneInfo struct {
	StoreInfo *storeInfo `json:"store_info,omitempty"`
	H5Info    *h5Info    `json:"h5_info,omitempty"`
}

// storeInfo is a wechatpay.Store.
type storeInfo struct {
	ID       string `json:"id"`
	Name     string `json:"name,omitempty"`
	AreaCode string `json:"area_code,omitempty"`
	Address  string `json:"address,omitempty"`
}

// h5Info has the members of one of its three types.
type h5Info struct {
	Type        string `json:"type"`
	WapURL      string `json:"wap_url,omitempty"`
	WapName     string `json:"wap_name,omitempty"`
	AppName     string `json:"app_name,omitempty"`
	BundleID    string `json:"bundle_id,omitempty"`
	PackageName string `json:"package_name,omitempty"`
}

// detailOf writes the goods of an order as detail; empty when there are none.
func detailOf(goods *wechatpay.Goods) (string, error) {
	if goods == nil {
		return "", nil
	}
	written := detail{CostPrice: goods.CostPrice, ReceiptID: goods.ReceiptID, GoodsDetail: make([]goodsDetail, 0, len(goods.Items))}
	for _, item := range goods.Items {
		written.GoodsDetail = append(written.GoodsDetail, goodsDetail(item))
	}
	return withinLimit(written, "the goods come", "detail", maxDetail)
}

// sceneInfoOf writes the store and the page or app of an order as scene_info; empty when there is neither.
func sceneInfoOf(store *wechatpay.Store, h5 *wechatpay.H5) (string, error) {
	written := sceneInfo{StoreInfo: (*storeInfo)(store), H5Info: h5InfoOf(h5)}
	if written == (sceneInfo{}) {
		return "", nil
	}
	return withinLimit(written, "store and h5 come", "scene_info", maxSceneInfo)
}

func h5InfoOf(h5 *wechatpay.H5) *h5Info {
	switch {
	case h5 == nil:
		return nil
	case h5.Type == wechatpay.H5TypeIOS:
		// In capitals, unlike V3.
		return &h5Info{Type: "IOS", AppName: h5.Name, BundleID: h5.BundleID}
	case h5.Type == wechatpay.H5TypeAndroid:
		return &h5Info{Type: "Android", AppName: h5.Name, PackageName: h5.PackageName}
	default:
		return &h5Info{Type: string(h5.Type), WapURL: h5.URL, WapName: h5.Name}
	}
}

// withinLimit writes JSON that the signature can't confuse with other fields (withoutBorders), and
// returns an error if it is too long.
func withinLimit(value any, what, parameter string, limit int) (string, error) {
	written, err := transport.PlainJSON(value) // escapes would count
	if err != nil {
		return "", fmt.Errorf("%s can't be written: %w", parameter, err)
	}
	text := withoutBorders(string(written))
	if len(text) > limit {
		return "", fmt.Errorf("%s is too long: WeChat Pay's protocol V2 takes %d bytes of it, and %s to %d. Create another Order with less",
			parameter, limit, what, len(text))
	}
	return text, nil
}
