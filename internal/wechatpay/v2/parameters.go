package v2

import (
	"strconv"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// JSAPIParameters signs the parameters of wx.requestPayment (chapter 7_7). They must not contain
// values chosen by a payer: the same key signs callbacks, and the signed text does not show where a
// value ends and the next name starts.
func (c *Client) JSAPIParameters(appID, prepayID string, signType wechatpay.SignType, now time.Time) wechatpay.JSAPIParameters {
	return c.current.jsapiParameters(appID, prepayID, newNonce(), unixSeconds(now), signType)
}

func (s *signer) jsapiParameters(appID, prepayID, nonce, timestamp string, signType wechatpay.SignType) wechatpay.JSAPIParameters {
	parameters := wechatpay.JSAPIParameters{
		AppID: appID, TimeStamp: timestamp, NonceStr: nonce, Package: "prepay_id=" + prepayID, SignType: string(signType),
	}
	parameters.PaySign = s.sign(fields{
		{"appId", parameters.AppID},
		{"nonceStr", parameters.NonceStr},
		{"package", parameters.Package},
		{"signType", parameters.SignType},
		{"timeStamp", parameters.TimeStamp},
	}, signType)
	return parameters
}

// AppParameters signs the parameters of the native app SDK. Its names are lower case, and signType
// is not among them.
func (c *Client) AppParameters(appID, prepayID string, signType wechatpay.SignType, now time.Time) wechatpay.AppParameters {
	return c.current.appParameters(appID, c.mchID, prepayID, newNonce(), unixSeconds(now), signType)
}

func (s *signer) appParameters(appID, mchID, prepayID, nonce, timestamp string, signType wechatpay.SignType) wechatpay.AppParameters {
	parameters := wechatpay.AppParameters{
		AppID: appID, PartnerID: mchID, PrepayID: prepayID, Package: "Sign=WXPay", NonceStr: nonce, Timestamp: timestamp,
	}
	parameters.Sign = s.sign(fields{
		{"appid", parameters.AppID},
		{"noncestr", parameters.NonceStr},
		{"package", parameters.Package},
		{"partnerid", parameters.PartnerID},
		{"prepayid", parameters.PrepayID},
		{"timestamp", parameters.Timestamp},
	}, signType)
	return parameters
}

func unixSeconds(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }
