package hostile

import (
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
	"github.com/wechatpay-operator/wechatpay-operator/test/performance/internal/callback"
)

const (
	hangingKey = "HangingTestKey0HangingTestKey012"
	forgedKey  = "ForgedKey0ForgedKey0ForgedKey012"
)

// payment is a payment callback that the shop's Merchant takes.
func payment(outTradeNo string) string { return paymentOf(outTradeNo).Signed(framework.APIKey) }

// forged is one that only the signature tells from it.
func forged(outTradeNo string) string { return paymentOf(outTradeNo).Signed(forgedKey) }

func paymentOf(outTradeNo string) callback.Payment {
	return callback.Payment{AppID: framework.AppID, MchID: framework.MchID, OpenID: framework.OpenID, OutTradeNo: outTradeNo, Total: 101}
}

// unconfirmed is a refund callback of the Merchant whose WeChat hangs.
func unconfirmed() string {
	body, err := callback.Refund{AppID: framework.AppID, MchID: hangingMchID, OutTradeNo: hangingOrder, OutRefundNo: hangingFund}.Sealed(hangingKey)
	if err != nil {
		panic(err) // of AES with a key of 32 bytes there is none
	}
	return body
}
