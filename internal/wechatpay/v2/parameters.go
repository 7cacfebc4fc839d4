package v2

import (
	"cmp"
	"strconv"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// signParameters adds the signed parameters for the payer's client. No value is chosen by a payer:
// the same key signs callbacks, and the signed text does not show where one value ends and the next
// name begins (chapter 7_7).
func (c *Client) signParameters(prepay *wechatpay.Prepay, request wechatpay.OrderRequest) {
	scheme, now := prepay.Scheme, strconv.FormatInt(c.settings.Now().Unix(), 10)
	appID := cmp.Or(request.PayerAppID, request.AppID)
	switch request.TradeType {
	case wechatpay.TradeTypeJSAPI:
		prepay.JSAPI = c.current.jsapiParameters(appID, prepay.ID, newNonce(), now, scheme)
	case wechatpay.TradeTypeApp:
		prepay.App = c.current.appParameters(appID, c.settings.Payee(appID), prepay.ID, newNonce(), now, scheme)
	}
}

func (s *signer) jsapiParameters(appID, prepayID, nonce, timestamp string, scheme wechatpay.Scheme) *v1alpha1.JSAPIParameters {
	parameters := &v1alpha1.JSAPIParameters{
		AppID: appID, TimeStamp: timestamp, NonceStr: nonce, Package: "prepay_id=" + prepayID, SignType: string(scheme),
	}
	parameters.PaySign = s.sign(fields{
		{"appId", parameters.AppID},
		{"nonceStr", parameters.NonceStr},
		{"package", parameters.Package},
		{"signType", parameters.SignType},
		{"timeStamp", parameters.TimeStamp},
	}, scheme)
	return parameters
}

// appParameters signs the parameters for the SDK of a native app. Its names are lower case, and
// signType is not among them.
func (s *signer) appParameters(appID, mchID, prepayID, nonce, timestamp string, scheme wechatpay.Scheme) *v1alpha1.AppParameters {
	parameters := &v1alpha1.AppParameters{
		AppID: appID, PartnerID: mchID, PrepayID: prepayID, Package: "Sign=WXPay", NonceStr: nonce, Timestamp: timestamp,
	}
	parameters.Sign = s.sign(fields{
		{"appid", parameters.AppID},
		{"noncestr", parameters.NonceStr},
		{"package", parameters.Package},
		{"partnerid", parameters.PartnerID},
		{"prepayid", parameters.PrepayID},
		{"timestamp", parameters.Timestamp},
	}, scheme)
	return parameters
}
