package controllers_test

import (
	"strings"
	"testing"

	"github.com/onsi/gomega"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// TestGoodsAndStoreReachWeChat in the words of the protocol.
func TestGoodsAndStoreReachWeChat(t *testing.T) {
	shop, g := openReady(t, framework.Speaking(v1alpha1.ProtocolV2))
	shop.Create(shop.NewOrder("order-0001", func(o *v1alpha1.Order) {
		o.Spec.Goods = &v1alpha1.Goods{ReceiptID: "R-1", Items: []v1alpha1.GoodsItem{{ID: "soap", Name: "肥皂 & more", Quantity: 1, Price: 101}}}
		o.Spec.Store = &v1alpha1.Store{ID: "S-1", Name: "一号店", AreaCode: "440305"}
	}))
	prepay := shop.WaitOrder("order-0001", "Prepared=True/Prepared").Status.Prepay
	g.Expect(prepay.Protocol).To(gomega.Equal(v1alpha1.ProtocolV2))
	sent := shop.WeChat.Ledger().Order(framework.MchID, "order-0001").Params
	g.Expect(sent["detail"]).To(gomega.Equal(`{"receipt_id":"R-1","goods_detail":[{"goods_id":"soap","goods_name":"肥皂 & more","quantity":1,"price":101}]}`))
	g.Expect(sent["scene_info"]).To(gomega.Equal(`{"store_info":{"id":"S-1","name":"一号店","area_code":"440305"}}`))
	shop.Pay("order-0001")
	shop.WaitOrder("order-0001", "Paid=True/Paid")
	shop.NoViolations()
}

// TestTooManyGoodsAreNotSent: the API takes a hundred lines, of which not every hundred fit in detail.
func TestTooManyGoodsAreNotSent(t *testing.T) {
	shop, g := openReady(t, framework.Speaking(v1alpha1.ProtocolV2))
	shop.Create(shop.NewOrder("order-0001", func(o *v1alpha1.Order) {
		o.Spec.Goods = &v1alpha1.Goods{}
		for range 100 {
			o.Spec.Goods.Items = append(o.Spec.Goods.Items, v1alpha1.GoodsItem{ID: "soap", Name: strings.Repeat("肥", 80), Quantity: 1, Price: 1})
		}
	}))
	order := shop.WaitOrder("order-0001", "Prepared=False/NotSent", "Prepared=False/Rejected")
	g.Expect(order.Status.Conditions[0].Message).To(gomega.ContainSubstring("detail is too long: WeChat Pay's protocol V2 takes 6000 bytes of it"))
	g.Expect(shop.WeChat.Ledger().CallsOf(simulator.OperationUnifiedOrder, "order-0001")).To(gomega.BeEmpty())
}
