package controllers_test

import (
	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// These functions let a test about credentials run with either protocol. WeChat rejects a wrong API
// key under V2, and an API certificate that is not the merchant's under V3.

// rejectCredentials makes WeChat reject the credentials that are in the Secret.
func rejectCredentials(shop *framework.Shop) {
	shop.T.Helper()
	if shop.Protocol == v1alpha1.ProtocolV2 {
		shop.Must(shop.WeChat.SetAPIKey(framework.MchID, secondKey))
		return
	}
	for _, operation := range []simulator.Operation{
		simulator.OperationUnifiedOrder, simulator.OperationOrderQuery, simulator.OperationCloseOrder,
		simulator.OperationRefund, simulator.OperationRefundQuery,
	} {
		shop.Fault(simulator.Fault{Operation: operation, Kind: simulator.FaultError, ErrCode: "SIGN_ERROR", ErrCodeDes: "签名错误"})
	}
}

// acceptCredentials makes WeChat accept them again.
func acceptCredentials(shop *framework.Shop) {
	shop.T.Helper()
	shop.Must(shop.WeChat.SetAPIKey(framework.MchID, framework.APIKey))
	shop.WeChat.ClearFaults()
}

// renewCredentials puts into the Secret what WeChat accepts after rejectCredentials.
func renewCredentials(shop *framework.Shop) {
	shop.T.Helper()
	if shop.Protocol == v1alpha1.ProtocolV2 {
		setSecret(shop, "wechatpay", map[string][]byte{"apiKey": []byte(secondKey)})
		return
	}
	shop.WeChat.ClearFaults()
	setCertificate(shop, shop.WeChat)
}

// setWrongCredentials puts well-formed credentials into the Secret that WeChat does not accept.
func setWrongCredentials(shop *framework.Shop) {
	shop.T.Helper()
	if shop.Protocol == v1alpha1.ProtocolV2 {
		setSecret(shop, "wechatpay", map[string][]byte{"apiKey": []byte(secondKey)})
		return
	}
	setCertificate(shop, elsewhere(shop, secondKey))
}

// setGoodCredentials puts the right ones back.
func setGoodCredentials(shop *framework.Shop) {
	shop.T.Helper()
	if shop.Protocol == v1alpha1.ProtocolV2 {
		setSecret(shop, "wechatpay", map[string][]byte{"apiKey": []byte(framework.APIKey)})
		return
	}
	setCertificate(shop, shop.WeChat)
}

// elsewhere opens another WeChat, where the merchant number has another key and other certificates.
func elsewhere(shop *framework.Shop, key string) *simulator.Simulator {
	shop.T.Helper()
	opened, err := simulator.New(simulator.Options{Merchants: []simulator.Merchant{framework.NewParty(framework.MchID, framework.AppID, key)}})
	shop.Must(err)
	shop.T.Cleanup(func() { _ = opened.Close() })
	return opened
}

// setCertificate puts a new API certificate into the Secret.
func setCertificate(shop *framework.Shop, by *simulator.Simulator) {
	shop.T.Helper()
	issued, err := by.IssueClientCertificate(framework.MchID)
	shop.Must(err)
	setSecret(shop, "wechatpay-cert", map[string][]byte{"tls.crt": issued.CertPEM, "tls.key": issued.KeyPEM})
}

// believe makes a Merchant of V3 verify the answers of another WeChat.
func believe(merchant *v1alpha1.Merchant, weChat *simulator.Simulator) {
	if len(merchant.Spec.PublicKeys) > 0 {
		merchant.Spec.PublicKeys = framework.PublicKeysOf(weChat)
	}
}
