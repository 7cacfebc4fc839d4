package interop

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-pay/gopay"
	"github.com/go-pay/gopay/pkg/xhttp"
	"github.com/go-pay/gopay/wechat"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

const (
	merchant = "1900000109"
	app      = "wxd678efh567hg6787"
	key      = "Zx81TestOnlyKey0Zx81TestOnlyKey0"
)

// house is a simulator, a shop that reads callbacks with gopay, and gopay's client.
type house struct {
	*testing.T
	sim      *simulator.Simulator
	client   *wechat.Client
	shop     *httptest.Server
	signType string
	payments chan gopay.BodyMap
	refunds  chan *wechat.RefundNotify
}

func open(t *testing.T, signType string) *house {
	h := &house{T: t, signType: signType, payments: make(chan gopay.BodyMap, 10), refunds: make(chan *wechat.RefundNotify, 10)}
	mux := http.NewServeMux()
	mux.HandleFunc("/payment", h.receivePayment)
	mux.HandleFunc("/refund", h.receiveRefund)
	h.shop = httptest.NewServer(mux)
	t.Cleanup(h.shop.Close)

	sim, err := simulator.New(simulator.Options{
		Merchants: []simulator.Merchant{{MchID: merchant, AppIDs: []string{app}, APIKey: key}},
		TimeScale: 600, // a minute lasts 100 ms
	})
	h.must(err)
	t.Cleanup(func() { h.must(sim.Close()) })
	h.sim = sim

	issued, err := sim.IssueClientCertificate(merchant)
	h.must(err)
	certificate, err := issued.TLS()
	h.must(err)
	h.client = wechat.NewClient(app, merchant, key, true).SetProxyUrl(sim.URL())
	h.client.SetHttpClient(xhttp.NewClient().SetHttpTLSConfig(&tls.Config{RootCAs: sim.CertPool()}))
	h.client.SetTLSHttpClient(xhttp.NewClient().SetHttpTLSConfig(&tls.Config{
		RootCAs: sim.CertPool(), Certificates: []tls.Certificate{certificate},
	}))
	return h
}

func (h *house) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

func (h *house) equal(what string, got, want any) {
	h.Helper()
	if got != want {
		h.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

// verified has gopay check an answer's signature.
func (h *house) verified(answer any) {
	h.Helper()
	good, err := wechat.VerifySign(key, h.signType, answer)
	h.must(err)
	if !good {
		h.Fatalf("gopay does not accept the signature of %+v", answer)
	}
}

func (h *house) receivePayment(w http.ResponseWriter, r *http.Request) {
	notice, err := wechat.ParseNotifyToBodyMap(r)
	answer := &wechat.NotifyResponse{ReturnCode: gopay.FAIL, ReturnMsg: "签名错误"}
	if err == nil {
		if good, err := wechat.VerifySign(key, h.signType, notice); good && err == nil {
			answer = &wechat.NotifyResponse{ReturnCode: gopay.SUCCESS, ReturnMsg: gopay.OK}
			h.payments <- notice
		}
	}
	_, _ = io.WriteString(w, answer.ToXmlString())
}

func (h *house) receiveRefund(w http.ResponseWriter, r *http.Request) {
	notice, err := wechat.ParseRefundNotify(r)
	answer := &wechat.NotifyResponse{ReturnCode: gopay.FAIL, ReturnMsg: "解密失败"}
	if err == nil {
		if refund, err := wechat.DecryptRefundNotifyReqInfo(notice.ReqInfo, key); err == nil {
			answer = &wechat.NotifyResponse{ReturnCode: gopay.SUCCESS, ReturnMsg: gopay.OK}
			h.refunds <- refund
		}
	}
	_, _ = io.WriteString(w, answer.ToXmlString())
}

func receive[T any](h *house, from chan T) T {
	h.Helper()
	select {
	case got := <-from:
		return got
	case <-time.After(20 * time.Second):
		h.Fatal("no callback came")
		panic("unreachable")
	}
}

// request are the fields of a call, with what every call has.
func (h *house) request(pairs ...string) gopay.BodyMap {
	fields := make(gopay.BodyMap)
	fields.Set("nonce_str", "5K8264ILTKCH16CQ2502SI8ZNMTM67VS").Set("sign_type", h.signType)
	for i := 0; i < len(pairs); i += 2 {
		fields.Set(pairs[i], pairs[i+1])
	}
	return fields
}

func (h *house) order(number, tradeType string, pairs ...string) *wechat.UnifiedOrderResponse {
	h.Helper()
	fields := h.request(append([]string{
		"body", "店-肥皂 <x1> & more", "out_trade_no", number, "total_fee", "101", "spbill_create_ip", "203.0.113.7",
		"notify_url", h.shop.URL + "/payment", "trade_type", tradeType, "attach", "a b",
	}, pairs...)...)
	answer, err := h.client.UnifiedOrder(h.Context(), fields)
	h.must(err)
	h.equal("return_msg of unifiedorder", answer.ReturnMsg, "OK")
	h.verified(answer)
	return answer
}

func both(t *testing.T, test func(h *house)) {
	for _, signType := range []string{wechat.SignType_MD5, wechat.SignType_HMAC_SHA256} {
		t.Run(signType, func(t *testing.T) { test(open(t, signType)) })
	}
}

func TestTradeTypes(t *testing.T) {
	both(t, func(h *house) {
		scene := `{"h5_info":{"type":"Wap","wap_url":"https://shop.example.com","wap_name":"店"}}`
		jsapi := h.order("order-0001", wechat.TradeType_JsApi, "openid", "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o")
		native := h.order("order-0002", wechat.TradeType_Native, "product_id", "p1")
		inApp := h.order("order-0003", wechat.TradeType_App)
		mweb := h.order("order-0004", wechat.TradeType_H5, "scene_info", scene)
		for _, answer := range []*wechat.UnifiedOrderResponse{jsapi, native, inApp, mweb} {
			h.equal("result of "+answer.TradeType, answer.ResultCode, "SUCCESS")
			if !strings.HasPrefix(answer.PrepayId, "wx") {
				h.Fatalf("prepay_id %q", answer.PrepayId)
			}
		}
		if !strings.HasPrefix(native.CodeUrl, "weixin://wxpay/bizpayurl") || !strings.HasPrefix(mweb.MwebUrl, "https://") {
			h.Fatalf("code_url %q, mweb_url %q", native.CodeUrl, mweb.MwebUrl)
		}
		again := h.order("order-0003", wechat.TradeType_App, "total_fee", "102")
		h.equal("err_code_des of a number used again", again.ErrCodeDes, "201 商户订单号重复")
		h.equal("what the simulator read", h.sim.Ledger().Order(merchant, "order-0001").Params["body"], "店-肥皂 <x1> & more")
	})
}

func TestQueryAndClose(t *testing.T) {
	both(t, func(h *house) {
		h.order("order-0001", wechat.TradeType_App)
		query := func() gopay.BodyMap {
			_, raw, err := h.client.QueryOrder(h.Context(), h.request("out_trade_no", "order-0001"))
			h.must(err)
			answer := gopay.BodyMap{}
			for name, value := range raw { // verifying takes the signature out
				answer[name] = value
			}
			h.verified(answer)
			return raw
		}
		h.equal("state", query()["trade_state"], "NOTPAY")
		closed, err := h.client.CloseOrder(h.Context(), h.request("out_trade_no", "order-0001"))
		h.must(err)
		h.equal("close", closed.ResultCode, "SUCCESS")
		h.equal("state", query()["trade_state"], "CLOSED")
		unknown, err := h.client.CloseOrder(h.Context(), h.request("out_trade_no", "order-9999"))
		h.must(err)
		h.equal("close of an unknown order", unknown.ErrCode, "ORDERNOTEXIST")
		h.verified(unknown)
	})
}

func TestPaymentRefundAndTheirCallbacks(t *testing.T) {
	both(t, func(h *house) {
		h.order("order-0001", wechat.TradeType_JsApi, "openid", "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o")
		payment, err := h.sim.Pay(merchant, "order-0001", simulator.PayOptions{
			Coupons: []simulator.Coupon{{ID: "c1", Type: "CASH", Fee: 1}, {ID: "c2", Type: "CASH", Fee: 2}},
		})
		h.must(err)
		notice := receive(h, h.payments)
		h.equal("transaction_id", notice["transaction_id"], payment.TransactionID)
		h.equal("total_fee", notice["total_fee"], "101")
		h.equal("attach", notice["attach"], "a b")

		paid, raw, err := h.client.QueryOrder(h.Context(), h.request("transaction_id", payment.TransactionID))
		h.must(err)
		h.verified(raw)
		h.equal("trade_state", paid.TradeState, "SUCCESS")
		h.equal("cash_fee", paid.CashFee, "98")

		refund := func() *wechat.RefundResponse {
			answer, raw, err := h.client.Refund(h.Context(), h.request("out_trade_no", "order-0001", "out_refund_no", "refund-1",
				"total_fee", "101", "refund_fee", "50", "refund_desc", "质量问题", "notify_url", h.shop.URL+"/refund"))
			h.must(err)
			h.verified(raw)
			return answer
		}
		accepted := refund()
		h.equal("refund", accepted.ResultCode, "SUCCESS")
		told := receive(h, h.refunds)
		h.equal("refund_id", told.RefundId, accepted.RefundId)
		h.equal("refund_status", told.RefundStatus, "SUCCESS")
		h.equal("refund_fee", told.RefundFee, "50")
		h.equal("refund_recv_accout", told.RefundRecvAccout, "支付用户零钱")

		_, raw, err = h.client.QueryRefund(h.Context(), h.request("out_refund_no", "refund-1"))
		h.must(err)
		h.equal("refund_status_0", raw["refund_status_0"], "SUCCESS")
		h.verified(raw)
		h.equal("repeated refund", refund().RefundId, accepted.RefundId)
		ledger := h.sim.Ledger()
		h.equal("payouts", ledger.Refund(merchant, "refund-1").Payouts, 1)
		h.equal("violations", len(ledger.Violations), 0)
		h.settled()
	})
}

// settled waits until every callback has been answered as WeChat wants it.
func (h *house) settled() {
	h.Helper()
	ctx, done := context.WithTimeout(h.Context(), 20*time.Second)
	defer done()
	for {
		pending := ""
		for _, c := range h.sim.Ledger().Callbacks {
			if c.State != simulator.CallbackDelivered {
				pending = c.Number
			}
		}
		if pending == "" {
			return
		}
		select {
		case <-ctx.Done():
			h.Fatalf("the callback for %s was never answered well", pending)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func TestAWrongKeyAndNoCertificate(t *testing.T) {
	h := open(t, wechat.SignType_HMAC_SHA256)
	h.client.ApiKey = "wrongOnlyKey0000wrongOnlyKey0000"
	answer, _, err := h.client.QueryOrder(t.Context(), h.request("out_trade_no", "order-0001"))
	h.must(err)
	h.equal("return_code", answer.ReturnCode, "FAIL")
	h.equal("return_msg", answer.ReturnMsg, "签名错误")

	h.client.SetTLSHttpClient(xhttp.NewClient().SetHttpTLSConfig(&tls.Config{RootCAs: h.sim.CertPool()}))
	_, _, err = h.client.Refund(t.Context(), h.request("out_trade_no", "order-0001", "out_refund_no", "refund-1", "total_fee", "1", "refund_fee", "1"))
	if err == nil || !strings.Contains(err.Error(), "400") {
		t.Fatalf("a refund without certificate: %v", err)
	}
}
