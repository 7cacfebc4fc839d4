package main

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// account is a Merchant with its namespace.
type account struct {
	namespace, name, mchID, appID, apiKey string
	signType                              v1alpha1.SignType
	approval                              v1alpha1.RefundApproval
	late                                  v1alpha1.LatePayment
	// guests are the other namespaces that may use the Merchant.
	guests []string
}

// accounts cover every policy. The keys are for the simulator only.
var accounts = []account{
	{"soap", "shop", "1900000109", "wxd678efh567hg6787", "SoakOnlyKey0SoakOnlyKey0SoakOnly", v1alpha1.SignTypeHMACSHA256, v1alpha1.RefundApprovalManual, v1alpha1.LatePaymentHold, []string{"towels"}},
	{"soap", "kiosk", "1900000110", "wxd678efh567hg6788", "SoakOnlyKey1SoakOnlyKey1SoakOnly", v1alpha1.SignTypeMD5, v1alpha1.RefundApprovalAutomatic, v1alpha1.LatePaymentRefund, nil},
	{"towels", "shop", "1900000111", "wxd678efh567hg6789", "SoakOnlyKey2SoakOnlyKey2SoakOnly", v1alpha1.SignTypeHMACSHA256, v1alpha1.RefundApprovalManual, v1alpha1.LatePaymentAccept, nil},
}

func (a account) keySecret() string         { return a.name + "-key" }
func (a account) certificateSecret() string { return a.name + "-cert" }

func (a account) merchant(endpoint *v1alpha1.Endpoint) *v1alpha1.Merchant {
	return &v1alpha1.Merchant{
		ObjectMeta: metav1.ObjectMeta{Namespace: a.namespace, Name: a.name},
		Spec: v1alpha1.MerchantSpec{
			MchID: a.mchID, AppID: a.appID, SignType: a.signType, RefundApproval: a.approval, LatePayment: a.late, Endpoint: endpoint,
			APIKeySecretRef:      v1alpha1.SecretKeyReference{Name: a.keySecret(), Key: "apiKey"},
			CertificateSecretRef: &v1alpha1.SecretReference{Name: a.certificateSecret()},
			AllowedNamespaces:    a.grants(),
		},
	}
}

func (a account) secrets(certificate, key []byte) []*corev1.Secret {
	return []*corev1.Secret{
		{ObjectMeta: metav1.ObjectMeta{Namespace: a.namespace, Name: a.keySecret()}, Data: map[string][]byte{"apiKey": []byte(a.apiKey)}},
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
