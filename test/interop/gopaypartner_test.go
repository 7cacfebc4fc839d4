package interop

import (
	"crypto/tls"
	"testing"

	"github.com/go-pay/gopay/pkg/xhttp"
	"github.com/go-pay/gopay/wechat"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

// A service provider orders and refunds for its sub merchant by API v2.
func TestGopayAsAServiceProvider(t *testing.T) {
	both(t, func(h *house) {
		h.must(h.sim.AddMerchant(simulator.Merchant{
			MchID: provider, AppIDs: []string{providerApp}, APIKey: key,
			SubMerchants: []simulator.SubMerchant{{SubMchID: sub, SubAppIDs: []string{subApp}}},
		}))
		issued, err := h.sim.IssueClientCertificate(provider)
		h.must(err)
		certificate, err := issued.TLS()
		h.must(err)
		h.client = wechat.NewClient(providerApp, provider, key, true).SetProxyUrl(h.sim.URL())
		h.client.SetHttpClient(xhttp.NewClient().SetHttpTLSConfig(&tls.Config{RootCAs: h.sim.CertPool()}))
		h.client.SetTLSHttpClient(xhttp.NewClient().SetHttpTLSConfig(&tls.Config{
			RootCAs: h.sim.CertPool(), Certificates: []tls.Certificate{certificate},
		}))
		of := []string{"sub_mch_id", sub, "sub_appid", subApp}
		prepay := h.order("order-0001", wechat.TradeType_JsApi, append(of, "sub_openid", "oSubUserUnderTheSubApp000000")...)
		h.equal("sub_mch_id", prepay.SubMchId, sub)
		_, err = h.sim.Pay(provider, "order-0001", simulator.PayOptions{})
		h.must(err)
		notice := receive(h, h.payments)
		h.equal("sub_mch_id of the callback", notice["sub_mch_id"], sub)
		paid, raw, err := h.client.QueryOrder(h.Context(), h.request(append(of, "out_trade_no", "order-0001")...))
		h.must(err)
		h.verified(raw)
		h.equal("trade_state", paid.TradeState, "SUCCESS")

		fields := h.request("sub_mch_id", sub, "out_trade_no", "order-0001", "out_refund_no", "refund-1", "total_fee", "101", "refund_fee", "50")
		refused, _, err := h.client.Refund(h.Context(), fields)
		h.must(err)
		h.equal("refund without a right", refused.ReturnMsg, "特约子商户商户号未授权服务商的产品权限")
		h.must(h.sim.SetRefundRight(provider, sub, true))
		accepted, raw, err := h.client.Refund(h.Context(), fields)
		h.must(err)
		h.verified(raw)
		h.equal("refund", accepted.ResultCode, "SUCCESS")
		h.settled()
	})
}
