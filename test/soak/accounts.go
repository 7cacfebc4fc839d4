package main

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

// account is a Merchant with its namespace.
type account struct {
	namespace, name, mchID, appID string
	// apiKey and apiV3Key are the keys of V2 and V3; empty for a protocol that it can't speak.
	apiKey, apiV3Key string
	// protocol is that of the beginning: a turn may change it.
	protocol v1alpha1.Protocol
	// verification is how WeChat Pay signs for the merchant number in V3, at the beginning.
	verification simulator.Verification
	// partner is set for a sub merchant of a service provider, whose number mchID is then.
	partner  *v1alpha1.Partner
	signType v1alpha1.SignType
	approval v1alpha1.RefundApproval
	late     v1alpha1.LatePayment
	// guests are the other namespaces that may use the Merchant.
	guests []string
}

// accounts cover every policy, both protocols and every way of verification. The keys are for the
// simulator only.
var accounts = []account{
	{
		namespace: "soap", name: "shop", mchID: "1900000109", appID: "wxd678efh567hg6787", apiKey: "SoakOnlyKey0SoakOnlyKey0SoakOnly", protocol: v1alpha1.ProtocolV2,
		signType: v1alpha1.SignTypeHMACSHA256, approval: v1alpha1.RefundApprovalManual, late: v1alpha1.LatePaymentHold, guests: []string{"towels"},
	},
	{
		namespace: "soap", name: "kiosk", mchID: "1900000110", appID: "wxd678efh567hg6788", apiKey: "SoakOnlyKey1SoakOnlyKey1SoakOnly", protocol: v1alpha1.ProtocolV2,
		signType: v1alpha1.SignTypeMD5, approval: v1alpha1.RefundApprovalAutomatic, late: v1alpha1.LatePaymentRefund,
	},
	{
		namespace: "towels", name: "shop", mchID: "1900000111", appID: "wxd678efh567hg6789", apiKey: "SoakOnlyKey2SoakOnlyKey2SoakOnly", protocol: v1alpha1.ProtocolV2,
		signType: v1alpha1.SignTypeHMACSHA256, approval: v1alpha1.RefundApprovalManual, late: v1alpha1.LatePaymentAccept,
	},
	byPublicKey, migrating, moving, wicks, tapers,
}

// byPublicKey is the account whose APIv3 key is rotated.
var byPublicKey = account{
	namespace: "candles", name: "shop", mchID: "1900000112", appID: "wxd678efh567hg6790", apiV3Key: "SoakOnlyKey3SoakOnlyKey3SoakOnly", protocol: v1alpha1.ProtocolV3,
	verification: simulator.VerifyByPublicKey, approval: v1alpha1.RefundApprovalManual, late: v1alpha1.LatePaymentHold,
}

// migrating is the account that WeChat Pay moves from platform certificates to the public key.
var migrating = account{
	namespace: "candles", name: "kiosk", mchID: "1900000113", appID: "wxd678efh567hg6791", apiV3Key: "SoakOnlyKey4SoakOnlyKey4SoakOnly", protocol: v1alpha1.ProtocolV3,
	verification: simulator.VerifyByCertificate, approval: v1alpha1.RefundApprovalAutomatic, late: v1alpha1.LatePaymentRefund,
}

// moving is the account whose Merchant changes its protocol back and forth.
var moving = account{
	namespace: "lamps", name: "shop", mchID: "1900000114", appID: "wxd678efh567hg6792",
	apiKey: "SoakOnlyKey5SoakOnlyKey5SoakOnly", apiV3Key: "SoakOnlyKey6SoakOnlyKey6SoakOnly", protocol: v1alpha1.ProtocolV2,
	verification: simulator.VerifyByPublicKey, signType: v1alpha1.SignTypeHMACSHA256, approval: v1alpha1.RefundApprovalManual, late: v1alpha1.LatePaymentHold,
	guests: []string{"candles"},
}

// wicks and tapers are sub merchants of one service provider, which verifies with platform certificates. A turn revokes
// the right to refund for the first one, and grants it again.
var (
	wicks  = subMerchant("wicks", "1900000201", v1alpha1.RefundApprovalAutomatic)
	tapers = subMerchant("tapers", "1900000202", v1alpha1.RefundApprovalManual)
)

func subMerchant(namespace, subMchID string, approval v1alpha1.RefundApproval) account {
	return account{
		namespace: namespace, name: "shop", mchID: "1900000115", appID: "wxd678efh567hg6793", apiV3Key: "SoakOnlyKey7SoakOnlyKey7SoakOnly", protocol: v1alpha1.ProtocolV3,
		verification: simulator.VerifyByCertificate, partner: &v1alpha1.Partner{SubMchID: subMchID}, approval: approval, late: v1alpha1.LatePaymentAccept,
	}
}

// key identifies the account's Merchant.
func (a account) key() client.ObjectKey {
	return client.ObjectKey{Namespace: a.namespace, Name: a.name}
}

func (a account) keySecret() string         { return a.name + "-key" }
func (a account) certificateSecret() string { return a.name + "-cert" }

func (a account) merchant(endpoint *v1alpha1.Endpoint, publicKeys []v1alpha1.PublicKey) *v1alpha1.Merchant {
	merchant := &v1alpha1.Merchant{
		ObjectMeta: metav1.ObjectMeta{Namespace: a.namespace, Name: a.name},
		Spec: v1alpha1.MerchantSpec{
			MchID: a.mchID, AppID: a.appID, Protocol: a.protocol, Partner: a.partner,
			SignType: a.signType, RefundApproval: a.approval, LatePayment: a.late, Endpoint: endpoint,
			CertificateSecretRef: &v1alpha1.SecretReference{Name: a.certificateSecret()},
			AllowedNamespaces:    a.grants(),
		},
	}
	if a.apiKey != "" {
		merchant.Spec.APIKeySecretRef = v1alpha1.SecretKeyReference{Name: a.keySecret(), Key: "apiKey"}
	}
	if a.apiV3Key != "" {
		merchant.Spec.APIV3KeySecretRef = v1alpha1.APIV3KeyReference{Name: a.keySecret(), Key: "apiV3Key"}
	}
	if a.verification == simulator.VerifyByPublicKey {
		merchant.Spec.PublicKeys = publicKeys
	}
	return merchant
}

func (a account) secrets(certificate, key []byte) []*corev1.Secret {
	keys := map[string][]byte{}
	if a.apiKey != "" {
		keys["apiKey"] = []byte(a.apiKey)
	}
	if a.apiV3Key != "" {
		keys["apiV3Key"] = []byte(a.apiV3Key)
	}
	return []*corev1.Secret{
		{ObjectMeta: metav1.ObjectMeta{Namespace: a.namespace, Name: a.keySecret()}, Data: keys},
		{
			ObjectMeta: metav1.ObjectMeta{Namespace: a.namespace, Name: a.certificateSecret()}, Type: corev1.SecretTypeTLS,
			Data: map[string][]byte{corev1.TLSCertKey: certificate, corev1.TLSPrivateKeyKey: key},
		},
	}
}

// order builds the Order of a plan. Its deadline is absolute, so that re-creating it uses the same
// spec.
func (p plan) order(created time.Time) *v1alpha1.Order {
	order := &v1alpha1.Order{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: p.name},
		Spec: v1alpha1.OrderSpec{
			MerchantRef: v1alpha1.MerchantReference{Name: p.account.name},
			TradeType:   p.tradeType, Description: "肥皂 " + p.name, Amount: v1alpha1.Amount{Total: p.total}, Attach: "soak",
		},
	}
	if p.namespace != p.account.namespace {
		order.Spec.MerchantRef.Namespace = p.account.namespace
	}
	if p.ownNumber {
		order.Spec.OutTradeNo = "No_" + p.name
	}
	if p.expires > 0 {
		at := metav1.NewTime(created.Add(p.expires).Truncate(time.Second))
		order.Spec.ExpireTime = &at
	}
	switch p.tradeType {
	case v1alpha1.TradeTypeJSAPI:
		order.Spec.Payer = payerAt(p.namespace)
	case v1alpha1.TradeTypeNative:
		order.Spec.ProductID = "soap-1"
	case v1alpha1.TradeTypeMWEB:
		order.Spec.ClientIP = "203.0.113.7"
		order.Spec.H5 = &v1alpha1.H5{Type: v1alpha1.H5TypeWap, URL: "https://shop.example.com", Name: "Shop"}
	}
	return order
}

func (p plan) refund(r refundPlan) *v1alpha1.Refund {
	return &v1alpha1.Refund{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: r.name},
		Spec:       v1alpha1.RefundSpec{OrderRef: v1alpha1.OrderReference{Name: p.name}, Amount: r.amount, Reason: "质量问题"},
	}
}
