package interop

import (
	"crypto/tls"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/go-pay/gopay"
	"github.com/go-pay/gopay/pkg/xhttp"
	wechatv3 "github.com/go-pay/gopay/wechat/v3"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

// told is what these tests read of a callback; gopay decrypts into structs only.
type told struct {
	TransactionID string `json:"transaction_id"`
	Attach        string `json:"attach"`
	SubMchID      string `json:"sub_mchid"`
	RefundID      string `json:"refund_id"`
	RefundStatus  string `json:"refund_status"`
}

// gopayV3 opens a house and gopay's client of API v3, which downloads the platform certificates.
func gopayV3(t *testing.T, mchID string) (*houseV3, *wechatv3.ClientV3) {
	h := openV3(t, mchID)
	client, err := wechatv3.NewClientV3(mchID, h.serial, apiV3Key, h.keyPEM)
	h.must(err)
	client.SetProxyHost(h.sim.URL())
	client.SetHttpClient(xhttp.NewClient().SetHttpTLSConfig(&tls.Config{RootCAs: h.sim.CertPool()}))
	h.must(client.AutoVerifySign(false))
	h.receiveWith(func(r *http.Request) (any, error) {
		notice, err := wechatv3.V3ParseNotify(r)
		if err != nil {
			return nil, err
		}
		if err := notice.VerifySignByPKMap(client.WxPublicKeyMap()); err != nil {
			return nil, err
		}
		var content told
		err = notice.DecryptCipherTextToStruct(apiV3Key, &content)
		return content, err
	})
	return h, client
}

func (h *houseV3) gopayOrder(number string, payer bool) gopay.BodyMap {
	order := make(gopay.BodyMap)
	order.Set("appid", app).Set("mchid", merchant).Set("description", "店-肥皂 <x1> & more").Set("out_trade_no", number).
		Set("attach", "a b").Set("notify_url", h.shop.URL+"/payment").
		SetBodyMap("amount", func(b gopay.BodyMap) { b.Set("total", 101).Set("currency", "CNY") })
	if payer {
		order.SetBodyMap("payer", func(b gopay.BodyMap) { b.Set("openid", "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o") })
	}
	return order
}

func TestGopayV3(t *testing.T) {
	h, client := gopayV3(t, merchant)
	ctx := t.Context()
	jsapi, err := client.V3TransactionJsapi(ctx, h.gopayOrder("order-0001", true))
	h.must(err)
	h.equal("jsapi", jsapi.Error, "")
	inApp, err := client.V3TransactionApp(ctx, h.gopayOrder("order-0002", false))
	h.must(err)
	h.equal("app", inApp.Error, "")
	native, err := client.V3TransactionNative(ctx, h.gopayOrder("order-0003", false))
	h.must(err)
	if !strings.HasPrefix(native.Response.CodeUrl, "weixin://") {
		t.Fatalf("code_url %q, %s", native.Response.CodeUrl, native.Error)
	}
	browser := h.gopayOrder("order-0004", false)
	browser.SetBodyMap("scene_info", func(b gopay.BodyMap) {
		b.Set("payer_client_ip", "203.0.113.7").SetBodyMap("h5_info", func(b gopay.BodyMap) { b.Set("type", "Wap") })
	})
	h5, err := client.V3TransactionH5(ctx, browser)
	h.must(err)
	h.equal("h5", h5.Error, "")

	// What the client hands to WeChat is accepted, and nothing else.
	page, err := client.PaySignOfApplet(app, jsapi.Response.PrepayId)
	h.must(err)
	request := simulator.ClientPayment{}
	text, err := json.Marshal(page)
	h.must(err)
	h.must(json.Unmarshal(text, &request))
	h.spoil(simulator.OperationPaymentCallback, simulator.FaultForge)
	payment, err := h.sim.RequestPayment(request, simulator.PayOptions{})
	h.must(err)
	told := receive(h.house, h.taken)
	h.equal("transaction_id", told["transaction_id"], payment.TransactionID)
	h.equal("attach", told["attach"], "a b")
	h.settled()
	h.refusedOnce("order-0001")

	inAppParameters, err := client.PaySignOfApp(app, inApp.Response.PrepayId)
	h.must(err)
	text, err = json.Marshal(inAppParameters)
	h.must(err)
	request = simulator.ClientPayment{}
	h.must(json.Unmarshal(text, &request))
	_, err = h.sim.RequestPayment(request, simulator.PayOptions{NoCallback: true})
	h.must(err)

	paid, err := client.V3TransactionQueryOrder(ctx, wechatv3.OutTradeNo, "order-0001")
	h.must(err)
	h.equal("trade_state", paid.Response.TradeState, "SUCCESS")
	h.equal("total", paid.Response.Amount.Total, 101)
	closed, err := client.V3TransactionCloseOrder(ctx, "order-0003")
	h.must(err)
	h.equal("close", closed.Error, "")
	unknown, err := client.V3TransactionQueryOrder(ctx, wechatv3.OutTradeNo, "order-9999")
	h.must(err)
	h.equal("status of an unknown order", unknown.Code, 404)
	h.equal("code of an unknown order", unknown.ErrResponse.Code, "ORDER_NOT_EXIST")

	refund := make(gopay.BodyMap)
	refund.Set("out_trade_no", "order-0001").Set("out_refund_no", "refund-1").Set("notify_url", h.shop.URL+"/refund").
		SetBodyMap("amount", func(b gopay.BodyMap) { b.Set("refund", 50).Set("total", 101).Set("currency", "CNY") })
	accepted, err := client.V3Refund(ctx, refund)
	h.must(err)
	h.equal("refund", accepted.Error, "")
	told = receive(h.house, h.taken)
	h.equal("refund_status", told["refund_status"], "SUCCESS")
	h.equal("refund_id", told["refund_id"], accepted.Response.RefundId)
	refunded, err := client.V3RefundQuery(ctx, "refund-1", nil)
	h.must(err)
	h.equal("status", refunded.Response.Status, "SUCCESS")

	h.spoil(simulator.OperationOrderQuery, simulator.FaultBadSignature)
	if _, err := client.V3TransactionQueryOrder(ctx, wechatv3.OutTradeNo, "order-0001"); err == nil {
		t.Fatal("gopay took an answer with a wrong signature")
	}
	h.settled()
	violations := h.sim.Ledger().Violations
	h.equal("violations", len(violations), 0)
}

func TestGopayV3AsAServiceProvider(t *testing.T) {
	h, client := gopayV3(t, provider)
	ctx := t.Context()
	order := make(gopay.BodyMap)
	order.Set("sp_appid", providerApp).Set("sp_mchid", provider).Set("sub_appid", subApp).Set("sub_mchid", sub).
		Set("description", "soap").Set("out_trade_no", "order-0001").Set("notify_url", h.shop.URL+"/payment").
		SetBodyMap("amount", func(b gopay.BodyMap) { b.Set("total", 101).Set("currency", "CNY") }).
		SetBodyMap("payer", func(b gopay.BodyMap) { b.Set("sub_openid", "oSubUserUnderTheSubApp000000") })
	prepay, err := client.V3PartnerTransactionJsapi(ctx, order)
	h.must(err)
	h.equal("jsapi", prepay.Error, "")
	_, err = h.sim.Pay(provider, "order-0001", simulator.PayOptions{})
	h.must(err)
	told := receive(h.house, h.taken)
	h.equal("sub_mchid", told["sub_mchid"], sub)
	parties := make(gopay.BodyMap)
	parties.Set("sp_mchid", provider).Set("sub_mchid", sub)
	paid, err := client.V3PartnerQueryOrder(ctx, wechatv3.OutTradeNo, "order-0001", parties)
	h.must(err)
	h.equal("trade_state", paid.Response.TradeState, "SUCCESS")
	refund := make(gopay.BodyMap)
	refund.Set("sub_mchid", sub).Set("out_trade_no", "order-0001").Set("out_refund_no", "refund-1").
		SetBodyMap("amount", func(b gopay.BodyMap) { b.Set("refund", 101).Set("total", 101).Set("currency", "CNY") })
	accepted, err := client.V3Refund(ctx, refund)
	h.must(err)
	h.equal("refund", accepted.Error, "")
	mine := make(gopay.BodyMap)
	mine.Set("sub_mchid", sub)
	found, err := client.V3RefundQuery(ctx, "refund-1", mine)
	h.must(err)
	h.equal("refund_id", found.Response.RefundId, accepted.Response.RefundId)
	order.Set("out_trade_no", "order-0002")
	_, err = client.V3PartnerTransactionJsapi(ctx, order)
	h.must(err)
	closed, err := client.V3PartnerCloseOrder(ctx, "order-0002", parties)
	h.must(err)
	h.equal("close", closed.Error, "")
	h.settled()
}
