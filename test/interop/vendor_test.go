package interop

import (
	"encoding/json"
	"errors"
	"net/http"
	"testing"

	"github.com/wechatpay-apiv3/wechatpay-go/core"
	"github.com/wechatpay-apiv3/wechatpay-go/core/auth"
	"github.com/wechatpay-apiv3/wechatpay-go/core/auth/verifiers"
	"github.com/wechatpay-apiv3/wechatpay-go/core/downloader"
	"github.com/wechatpay-apiv3/wechatpay-go/core/notify"
	"github.com/wechatpay-apiv3/wechatpay-go/core/option"
	partner "github.com/wechatpay-apiv3/wechatpay-go/services/partnerpayments/jsapi"
	inapp "github.com/wechatpay-apiv3/wechatpay-go/services/payments/app"
	"github.com/wechatpay-apiv3/wechatpay-go/services/payments/h5"
	"github.com/wechatpay-apiv3/wechatpay-go/services/payments/jsapi"
	"github.com/wechatpay-apiv3/wechatpay-go/services/payments/native"
	"github.com/wechatpay-apiv3/wechatpay-go/services/refunddomestic"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

// vendor is WeChat Pay's own SDK in a house.
type vendor struct {
	*houseV3
	*core.Client
	// certificates are those that it downloaded; nil if there are none.
	certificates *downloader.CertificateDownloader
}

// openVendor makes its client, which verifies as WeChat Pay has it for the merchant.
func openVendor(t *testing.T, mchID string, verification simulator.Verification) *vendor {
	h := openV3(t, mchID, func(o *simulator.Options) {
		for i := range o.Merchants {
			o.Merchants[i].Verification, o.Merchants[i].PublicKeyShare = verification, 0.5
		}
	})
	through := option.WithHTTPClient(&http.Client{Transport: h.transport()})
	me := option.WithMerchantCredential(mchID, h.serial, h.privateKey())
	var verifier auth.Verifier
	plain, err := core.NewClient(t.Context(), me, through, option.WithoutValidator())
	h.must(err)
	certificates, err := downloader.NewCertificateDownloaderWithClient(t.Context(), plain, apiV3Key)
	publicKeyID := h.sim.Platform().PublicKeyID
	switch verification {
	case simulator.VerifyByPublicKey:
		if !core.IsAPIError(err, "RESOURCE_NOT_EXISTS") {
			t.Fatalf("certificates of a merchant that has none: %v", err)
		}
		verifier = verifiers.NewSHA256WithRSAPubkeyVerifier(publicKeyID, *h.publicKey())
	case simulator.VerifyMigrating:
		h.must(err)
		verifier = verifiers.NewSHA256WithRSACombinedVerifier(certificates, publicKeyID, *h.publicKey())
	default:
		h.must(err)
		verifier = verifiers.NewSHA256WithRSAVerifier(certificates)
	}
	client, err := core.NewClient(t.Context(), me, through, option.WithVerifier(verifier))
	h.must(err)
	handler, err := notify.NewRSANotifyHandler(apiV3Key, verifier)
	h.must(err)
	h.receiveWith(func(r *http.Request) (any, error) {
		content := map[string]any{}
		_, err := handler.ParseNotifyRequest(r.Context(), r, &content)
		return content, err
	})
	return &vendor{houseV3: h, Client: client, certificates: certificates}
}

func TestVendorsSDK(t *testing.T) {
	for _, verification := range []simulator.Verification{
		simulator.VerifyByCertificate, simulator.VerifyMigrating, simulator.VerifyByPublicKey,
	} {
		t.Run(string(verification), func(t *testing.T) { openVendor(t, merchant, verification).direct() })
	}
}

// While a platform certificate is replaced, the SDK refuses what the new one signed until it has
// downloaded it.
func TestVendorsSDKDuringARotation(t *testing.T) {
	v := openVendor(t, merchant, simulator.VerifyByCertificate)
	codes := native.NativeApiService{Client: v.Client}
	_, _, err := codes.Prepay(t.Context(), native.PrepayRequest{
		Appid: core.String(app), Mchid: core.String(merchant), Description: core.String("soap"), OutTradeNo: core.String("order-0001"),
		NotifyUrl: core.String(v.shop.URL), Amount: &native.Amount{Total: core.Int64(101)},
	})
	v.must(err)
	refused := func() (refused int) {
		for range 4 {
			_, _, err := codes.QueryOrderByOutTradeNo(t.Context(), native.QueryOrderByOutTradeNoRequest{
				OutTradeNo: core.String("order-0001"), Mchid: core.String(merchant),
			})
			if err != nil {
				refused++
			}
		}
		return refused
	}
	old := v.sim.Platform().Certificates[0].SerialNo
	next, err := v.sim.AddPlatformCertificate()
	v.must(err)
	v.equal("refused before the new certificate signs", refused(), 0)
	v.must(v.sim.SignWithPlatformCertificates(old, next.SerialNo))
	v.equal("refused while it is not known", refused(), 2)
	v.must(v.certificates.DownloadCertificates(t.Context()))
	v.equal("refused when it is", refused(), 0)
	v.must(v.sim.RemovePlatformCertificate(old))
	v.equal("refused after the old one", refused(), 0)
}

func (v *vendor) direct() {
	ctx, notifyURL := v.Context(), core.String(v.shop.URL+"/payment")
	pages := jsapi.JsapiApiService{Client: v.Client}
	prepay, _, err := pages.PrepayWithRequestPayment(ctx, jsapi.PrepayRequest{
		Appid: core.String(app), Mchid: core.String(merchant), Description: core.String("店-肥皂 <x1> & more"),
		OutTradeNo: core.String("order-0001"), Attach: core.String("a b"), NotifyUrl: notifyURL,
		Amount: &jsapi.Amount{Total: core.Int64(101), Currency: core.String("CNY")},
		Payer:  &jsapi.Payer{Openid: core.String("oUpF8uMuAJO_M2pxb1Q9zNjWeS6o")},
		Detail: &jsapi.Detail{GoodsDetail: []jsapi.GoodsDetail{{
			MerchantGoodsId: core.String("soap-1"), Quantity: core.Int64(1), UnitPrice: core.Int64(101),
		}}},
		SceneInfo: &jsapi.SceneInfo{PayerClientIp: core.String("203.0.113.7"), StoreInfo: &jsapi.StoreInfo{Id: core.String("s1")}},
	})
	v.must(err)
	apps := inapp.AppApiService{Client: v.Client}
	inApp, _, err := apps.PrepayWithRequestPayment(ctx, inapp.PrepayRequest{
		Appid: core.String(app), Mchid: core.String(merchant), Description: core.String("soap"), OutTradeNo: core.String("order-0002"),
		NotifyUrl: notifyURL, Amount: &inapp.Amount{Total: core.Int64(101)},
	})
	v.must(err)
	codes := native.NativeApiService{Client: v.Client}
	_, _, err = codes.Prepay(ctx, native.PrepayRequest{
		Appid: core.String(app), Mchid: core.String(merchant), Description: core.String("soap"), OutTradeNo: core.String("order-0003"),
		NotifyUrl: notifyURL, Amount: &native.Amount{Total: core.Int64(101)},
	})
	v.must(err)
	browsers := h5.H5ApiService{Client: v.Client}
	_, _, err = browsers.Prepay(ctx, h5.PrepayRequest{
		Appid: core.String(app), Mchid: core.String(merchant), Description: core.String("soap"), OutTradeNo: core.String("order-0004"),
		NotifyUrl: notifyURL, Amount: &h5.Amount{Total: core.Int64(101)},
		SceneInfo: &h5.SceneInfo{PayerClientIp: core.String("203.0.113.7"), H5Info: &h5.H5Info{Type: core.String("Wap")}},
	})
	v.must(err)

	v.spoil(simulator.OperationPaymentCallback, simulator.FaultSignTest)
	payment := v.requestPayment(prepay, simulator.PayOptions{})
	told := receive(v.house, v.taken)
	v.equal("transaction_id", told["transaction_id"], payment.TransactionID)
	v.settled()
	v.refusedOnce("order-0001")
	v.requestPayment(inApp, simulator.PayOptions{NoCallback: true})

	paid, _, err := pages.QueryOrderById(ctx, jsapi.QueryOrderByIdRequest{
		TransactionId: core.String(payment.TransactionID), Mchid: core.String(merchant),
	})
	v.must(err)
	v.equal("trade_state", *paid.TradeState, "SUCCESS")
	v.equal("payer_total", *paid.Amount.PayerTotal, int64(101))
	_, err = pages.CloseOrder(ctx, jsapi.CloseOrderRequest{OutTradeNo: core.String("order-0003"), Mchid: core.String(merchant)})
	v.must(err)
	closed, _, err := pages.QueryOrderByOutTradeNo(ctx, jsapi.QueryOrderByOutTradeNoRequest{
		OutTradeNo: core.String("order-0003"), Mchid: core.String(merchant),
	})
	v.must(err)
	v.equal("trade_state", *closed.TradeState, "CLOSED")
	_, _, err = pages.QueryOrderByOutTradeNo(ctx, jsapi.QueryOrderByOutTradeNoRequest{
		OutTradeNo: core.String("order-9999"), Mchid: core.String(merchant),
	})
	if !core.IsAPIError(err, "ORDER_NOT_EXIST") {
		v.Fatalf("query of an unknown order: %v", err)
	}
	v.refund("order-0001", nil)

	v.spoil(simulator.OperationOrderQuery, simulator.FaultBadSignature)
	_, _, err = pages.QueryOrderById(ctx, jsapi.QueryOrderByIdRequest{
		TransactionId: core.String(payment.TransactionID), Mchid: core.String(merchant),
	})
	if err == nil {
		v.Fatal("the SDK took an answer with a wrong signature")
	}
	v.settled()
	v.equal("violations", len(v.sim.Ledger().Violations), 0)
}

// requestPayment hands to WeChat what the SDK made for the payer's client.
func (v *vendor) requestPayment(parameters any, options simulator.PayOptions) simulator.Payment {
	v.Helper()
	text, err := json.Marshal(parameters)
	v.must(err)
	var request simulator.ClientPayment
	v.must(json.Unmarshal(text, &request))
	switch made := parameters.(type) {
	case *jsapi.PrepayWithRequestPaymentResponse:
		request.AppID = *made.Appid
	case *inapp.PrepayWithRequestPaymentResponse:
		request.AppID = app
		request.PrepayID = *made.PrepayId
	}
	payment, err := v.sim.RequestPayment(request, options)
	v.must(err)
	return payment
}

func (v *vendor) refund(order string, subMchID *string) {
	v.Helper()
	refunds := refunddomestic.RefundsApiService{Client: v.Client}
	accepted, _, err := refunds.Create(v.Context(), refunddomestic.CreateRequest{
		SubMchid: subMchID, OutTradeNo: core.String(order), OutRefundNo: core.String("refund-1"), Reason: core.String("质量问题"),
		NotifyUrl: core.String(v.shop.URL + "/refund"),
		Amount:    &refunddomestic.AmountReq{Refund: core.Int64(50), Total: core.Int64(101), Currency: core.String("CNY")},
	})
	v.must(err)
	told := receive(v.house, v.taken)
	v.equal("refund_id", told["refund_id"], *accepted.RefundId)
	v.equal("refund_status", told["refund_status"], "SUCCESS")
	found, _, err := refunds.QueryByOutRefundNo(v.Context(), refunddomestic.QueryByOutRefundNoRequest{
		OutRefundNo: core.String("refund-1"), SubMchid: subMchID,
	})
	v.must(err)
	v.equal("status", string(*found.Status), "SUCCESS")
	v.equal("refund", *found.Amount.Refund, int64(50))
}

func TestVendorsSDKAsAServiceProvider(t *testing.T) {
	v := openVendor(t, provider, simulator.VerifyByCertificate)
	pages := partner.JsapiApiService{Client: v.Client}
	_, _, err := pages.Prepay(t.Context(), partner.PrepayRequest{
		SpAppid: core.String(providerApp), SpMchid: core.String(provider), SubAppid: core.String(subApp), SubMchid: core.String(sub),
		Description: core.String("soap"), OutTradeNo: core.String("order-0001"), NotifyUrl: core.String(v.shop.URL + "/payment"),
		Amount: &partner.Amount{Total: core.Int64(101)}, Payer: &partner.Payer{SpOpenid: core.String("oProviderUser000000000000000")},
	})
	v.must(err)
	_, err = v.sim.Pay(provider, "order-0001", simulator.PayOptions{})
	v.must(err)
	told := receive(v.house, v.taken)
	v.equal("sub_mchid", told["sub_mchid"], sub)
	paid, _, err := pages.QueryOrderByOutTradeNo(t.Context(), partner.QueryOrderByOutTradeNoRequest{
		OutTradeNo: core.String("order-0001"), SpMchid: core.String(provider), SubMchid: core.String(sub),
	})
	v.must(err)
	v.equal("trade_state", *paid.TradeState, "SUCCESS")
	v.refund("order-0001", core.String(sub))
	_, err = pages.CloseOrder(t.Context(), partner.CloseOrderRequest{
		OutTradeNo: core.String("order-0001"), SpMchid: core.String(provider), SubMchid: core.String(sub),
	})
	if !core.IsAPIError(err, "ORDER_PAID") {
		t.Fatalf("close of a paid order: %v", err)
	}
	v.settled()
}

func TestVendorsSDKWithAWrongKey(t *testing.T) {
	v := openVendor(t, merchant, simulator.VerifyByCertificate)
	stranger, err := v.sim.IssueClientCertificate(provider)
	v.must(err)
	v.keyPEM = string(stranger.KeyPEM)
	client, err := core.NewClient(t.Context(), option.WithMerchantCredential(merchant, v.serial, v.privateKey()),
		option.WithHTTPClient(&http.Client{Transport: v.transport()}), option.WithoutValidator())
	v.must(err)
	pages := jsapi.JsapiApiService{Client: client}
	_, _, err = pages.QueryOrderByOutTradeNo(t.Context(), jsapi.QueryOrderByOutTradeNoRequest{
		OutTradeNo: core.String("order-0001"), Mchid: core.String(merchant),
	})
	var refused *core.APIError
	if !errors.As(err, &refused) || refused.Code != "SIGN_ERROR" || refused.StatusCode != http.StatusUnauthorized {
		t.Fatalf("a request signed with another key: %v", err)
	}
}
