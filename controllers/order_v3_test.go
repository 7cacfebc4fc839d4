package controllers_test

import (
	"testing"

	"github.com/onsi/gomega"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

func TestEveryTradeTypeGetsWhatItsClientNeedsUnderV3(t *testing.T) {
	shop, g := openReady(t, inV3)
	shop.Create(shop.NewOrder("order-jsapi"), shop.NewOrder("order-native", native), shop.NewOrder("order-mweb", inBrowser),
		shop.NewOrder("order-app", func(o *v1alpha1.Order) { o.Spec.TradeType, o.Spec.Payer = v1alpha1.TradeTypeApp, nil }))

	prepay := shop.WaitOrder("order-jsapi", "Prepared=True/Prepared").Status.Prepay
	g.Expect(prepay.Protocol).To(gomega.Equal(v1alpha1.ProtocolV3))
	g.Expect(prepay.JSAPI.Package).To(gomega.Equal("prepay_id=" + prepay.ID))
	g.Expect(prepay.JSAPI.AppID).To(gomega.Equal(framework.AppID))
	g.Expect(prepay.JSAPI.SignType).To(gomega.Equal("RSA"))
	g.Expect(prepay.JSAPI.PaySign).To(gomega.MatchRegexp("^[0-9A-Za-z+/]{342}==$"))
	g.Expect(prepay.App).To(gomega.BeNil())
	g.Expect(prepay.NotifyURL).To(gomega.Equal(shop.Base + "/notify/v3/" + shop.Namespace + "/shop/payment"))

	prepay = shop.WaitOrder("order-native", "Prepared=True/Prepared").Status.Prepay
	g.Expect(prepay.CodeURL).To(gomega.HavePrefix("weixin://wxpay/bizpayurl"))
	prepay = shop.WaitOrder("order-app", "Prepared=True/Prepared").Status.Prepay
	g.Expect(prepay.App.PartnerID).To(gomega.Equal(framework.MchID))
	g.Expect(prepay.App.Package).To(gomega.Equal("Sign=WXPay"))
	g.Expect(prepay.App.Sign).To(gomega.MatchRegexp("^[0-9A-Za-z+/]{342}==$"))
	prepay = shop.WaitOrder("order-mweb", "Prepared=True/Prepared").Status.Prepay
	g.Expect(prepay.MWEBURL).To(gomega.HavePrefix("https://"))

	for _, number := range []string{"order-jsapi", "order-native", "order-app", "order-mweb"} {
		shop.Pay(number)
		shop.WaitOrder(number, "Paid=True/Paid")
	}
	shop.NoViolations()
}

// TestOrdersKeepTheirProtocol: a Merchant that moves to V3 finishes what it began with V2, and what
// one protocol ordered the other refunds.
func TestOrdersKeepTheirProtocol(t *testing.T) {
	shop, g := openReady(t, framework.Speaking(v1alpha1.ProtocolV2))
	shop.Create(shop.NewOrder("order-0001"), shop.NewOrder("order-0002"))
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	shop.WaitOrder("order-0002", "Prepared=True/Prepared")
	merchant := shop.NewMerchant()
	shop.Must(shop.Client.Get(shop.Context(), keyOf(merchant), merchant))
	shop.Speak(merchant, v1alpha1.ProtocolV3)
	shop.Must(shop.Client.Update(shop.Context(), merchant))
	shop.ChangeMerchant(`{"spec":{"protocol":"V3"}}`) // waits until the operator has seen it
	shop.Create(shop.NewOrder("order-0003"))
	g.Expect(shop.WaitOrder("order-0003", "Prepared=True/Prepared").Status.Prepay.Protocol).To(gomega.Equal(v1alpha1.ProtocolV3))

	shop.Patch(shop.NewOrder("order-0001"), `{"metadata":{"annotations":{"wechatpay-operator.io/refresh-prepay":"1"}}}`)
	shop.Eventually("order-0001 is refreshed", func() error { return differs(shop.Order("order-0001").Status.Prepay.RefreshRequest, "") })
	prepay := shop.Order("order-0001").Status.Prepay
	g.Expect(prepay.JSAPI.SignType).To(gomega.Equal("HMAC-SHA256"))
	g.Expect(prepay.NotifyURL).To(gomega.ContainSubstring("/notify/v2/"))
	shop.Pay("order-0001") // its callback comes by V2
	shop.WaitOrder("order-0001", "Paid=True/Paid")
	shop.Patch(shop.NewOrder("order-0002"), wishClosed)
	shop.WaitOrder("order-0002", "Paid=False/Closed")
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 50, approved))
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
	g.Expect(shop.WeChat.Ledger().Refund(framework.MchID, "refund-0001").Protocol).To(gomega.Equal(simulator.ProtocolV3))
	shop.NoViolations()
}

// TestRefundsMadeByStaffCountAtWeChatUnderV3: this protocol can't list the refunds of an order, so
// WeChat's words are shown, and the call is repeated slowly.
func TestRefundsMadeByStaffCountAtWeChatUnderV3(t *testing.T) {
	shop, _ := paidShop(t, inV3)
	_, err := shop.WeChat.RefundByStaff(framework.MchID, "order-0001", 100)
	shop.Must(err)
	refund := shop.NewRefund("refund-0001", "order-0001", 2, approved)
	shop.Create(refund)
	shown := shop.WaitRefund("refund-0001", "Accepted=False/Rejected")
	shop.Must(contains(message(shown.Status.Conditions, v1alpha1.ConditionAccepted), "INVALID_REQUEST: 申请退款金额大于订单可退金额"))
	shop.Must(shop.Client.Delete(shop.Context(), refund))
	shop.WaitGone(refund)
}

// TestGoodsAndStoreReachWeChatUnderV3 in the words of the protocol.
func TestGoodsAndStoreReachWeChatUnderV3(t *testing.T) {
	shop, g := openReady(t, inV3)
	shop.Create(shop.NewOrder("order-0001", func(o *v1alpha1.Order) {
		o.Spec.Goods = &v1alpha1.Goods{ReceiptID: "R-1", Items: []v1alpha1.GoodsItem{{ID: "soap", Name: "肥皂 & more", Quantity: 1, Price: 101}}}
		o.Spec.Store = &v1alpha1.Store{ID: "S-1", Name: "一号店", AreaCode: "440305"}
		o.Spec.ClientIP = "203.0.113.7"
	}))
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	sent := shop.WeChat.Ledger().Order(framework.MchID, "order-0001").Params
	for name, value := range map[string]string{
		"detail.invoice_id": "R-1", "scene_info.payer_client_ip": "203.0.113.7", "scene_info.store_info.id": "S-1",
		"scene_info.store_info.name": "一号店", "scene_info.store_info.area_code": "440305",
	} {
		g.Expect(sent).To(gomega.HaveKeyWithValue(name, value))
	}
	shop.Pay("order-0001")
	shop.WaitOrder("order-0001", "Paid=True/Paid")
	shop.NoViolations()
}
