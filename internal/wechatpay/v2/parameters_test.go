package v2

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

func TestClientParameters(t *testing.T) {
	c := rotating(t)
	c.settings.Now = func() time.Time { return time.UnixMilli(1490840662999) }
	for _, algorithm := range []wechatpay.Scheme{MD5, HMACSHA256} {
		prepayFor := func(tradeType wechatpay.TradeType) wechatpay.Prepay {
			prepay := wechatpay.Prepay{ID: "wx2017", Scheme: algorithm}
			c.signParameters(&prepay, wechatpay.OrderRequest{AppID: testAppID, TradeType: tradeType})
			return prepay
		}
		jsapi := *prepayFor(wechatpay.TradeTypeJSAPI).JSAPI
		jsapiSigned := map[string]string{
			"appId": testAppID, "timeStamp": "1490840662", "nonceStr": jsapi.NonceStr, "package": "prepay_id=wx2017", "signType": string(algorithm),
		}
		want := v1alpha1.JSAPIParameters{
			AppID: testAppID, TimeStamp: "1490840662", NonceStr: jsapi.NonceStr, Package: "prepay_id=wx2017", SignType: string(algorithm),
			PaySign: oracleSign(jsapiSigned, testKey, algorithm),
		}
		if diff := cmp.Diff(want, jsapi); diff != "" {
			t.Errorf("%s (-want +got):\n%s", algorithm, diff)
		}

		app := *prepayFor(wechatpay.TradeTypeApp).App
		appSigned := map[string]string{
			"appid": testAppID, "partnerid": testMchID, "prepayid": "wx2017", "package": "Sign=WXPay", "noncestr": app.NonceStr, "timestamp": "1490840662",
		}
		wantApp := v1alpha1.AppParameters{
			AppID: testAppID, PartnerID: testMchID, PrepayID: "wx2017", Package: "Sign=WXPay", NonceStr: app.NonceStr, Timestamp: "1490840662",
			Sign: oracleSign(appSigned, testKey, algorithm),
		}
		if diff := cmp.Diff(wantApp, app); diff != "" {
			t.Errorf("%s (-want +got):\n%s", algorithm, diff)
		}
	}
}

func TestNoncesDiffer(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		nonce := newNonce()
		if seen[nonce] || len(nonce) > 32 || len(nonce) < 22 || strings.Trim(nonce, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" {
			t.Fatalf("%q", nonce)
		}
		seen[nonce] = true
	}
}
