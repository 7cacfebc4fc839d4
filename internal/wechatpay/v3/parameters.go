package v3

import (
	"cmp"
	"strconv"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// signParameters adds the parameters for the payer's client, signed with the key that signed the
// prepay. The appid is that of the app in which the payer pays.
func (c *Client) signParameters(prepay *wechatpay.Prepay, request wechatpay.OrderRequest) (err error) {
	appID, now := cmp.Or(request.PayerAppID, request.AppID), c.settings.Now()
	switch request.TradeType {
	case wechatpay.TradeTypeJSAPI:
		if request.PayerAppID == "" && request.SubOpenID != "" {
			appID = c.settings.Partner.SubAppID
		}
		prepay.JSAPI, err = c.signer.jsapiParameters(appID, prepay.ID, newNonce(), now)
	case wechatpay.TradeTypeApp:
		prepay.App, err = c.signer.appParameters(appID, c.settings.Payee(appID), prepay.ID, newNonce(), now)
	}
	return err
}

// jsapiParameters signs the parameters for a mini program or the page of an official account.
func (s *signer) jsapiParameters(appID, prepayID, nonce string, now time.Time) (*v1alpha1.JSAPIParameters, error) {
	parameters := &v1alpha1.JSAPIParameters{
		AppID: appID, TimeStamp: strconv.FormatInt(now.Unix(), 10), NonceStr: nonce, Package: "prepay_id=" + prepayID, SignType: "RSA",
	}
	var err error
	parameters.PaySign, err = s.sign(lines(parameters.Package, parameters.AppID, parameters.TimeStamp, parameters.NonceStr))
	return parameters, err
}

// appParameters signs the parameters for the SDK of a native app. The last line is the bare
// prepay_id.
func (s *signer) appParameters(appID, mchID, prepayID, nonce string, now time.Time) (*v1alpha1.AppParameters, error) {
	parameters := &v1alpha1.AppParameters{
		AppID: appID, PartnerID: mchID, PrepayID: prepayID, Package: "Sign=WXPay", NonceStr: nonce, Timestamp: strconv.FormatInt(now.Unix(), 10),
	}
	var err error
	parameters.Sign, err = s.sign(lines(parameters.PrepayID, parameters.AppID, parameters.Timestamp, parameters.NonceStr))
	return parameters, err
}
