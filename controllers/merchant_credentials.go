package controllers

import (
	"fmt"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/protocols"
)

// credentialName returns the name of what WeChat recognises the merchant by.
func credentialName(acc *account.Account) string {
	if acc.CertificateUse.IdentifiesMerchant() {
		return "API certificate"
	}
	return "API key"
}

// credentialSecret returns the Secret with what WeChat recognises the merchant by.
func credentialSecret(m *v1alpha1.Merchant, acc *account.Account) string {
	if acc.CertificateUse.IdentifiesMerchant() {
		return certificateSecret(m)
	}
	return protocols.CredentialsOf(acc.Protocol, m).Secret
}

// rejectedMessage says what to do about credentials that WeChat does not accept.
func rejectedMessage(m *v1alpha1.Merchant, acc *account.Account, err error, again time.Duration) string {
	if acc.CertificateUse.IdentifiesMerchant() {
		return fmt.Sprintf("%v. WeChat Pay does not accept the API certificate in Secret %s/%s: put the current apiclient_cert.pem and apiclient_key.pem of merchant number %s there (账户中心 → API安全 → API证书). "+
			"Nothing is sent for this Merchant until then; the operator tries the certificate again every %s", err, m.Namespace, credentialSecret(m, acc), m.Spec.MchID, again)
	}
	return fmt.Sprintf("%v. WeChat Pay does not accept the %s in Secret %s/%s for the merchant number %s: compare both with the merchant platform (账户中心 → API安全); spec.mchID is immutable, so create another Merchant if it is wrong. Nothing is sent for this Merchant until then; the operator tries the key again every %s",
		err, acc.KeyName, m.Namespace, credentialSecret(m, acc), m.Spec.MchID, again)
}

// notVerified returns why WeChat's answers can't be verified or opened; the reason is empty for any
// other error. A single answer that is not verified says nothing about credentials that worked:
// WeChat sends such answers on purpose now and then.
func notVerified(m *v1alpha1.Merchant, acc *account.Account, err error) (reason, message string) {
	switch wechatpay.MeaningOf(err) {
	case wechatpay.KeyMismatch:
		return protocols.CredentialsOf(acc.Protocol, m).InvalidKey, keyMismatchMessage(m, acc, "Nothing is sent until then, since no answer could be verified")
	case wechatpay.VerifiersMissing:
		return v1alpha1.ReasonPlatformCertificatesMissing, fmt.Sprintf(
			"%v. WeChat Pay has no platform certificates for merchant number %s, so its answers can't be verified: download the public key in the merchant platform (账户中心 → API安全 → 微信支付公钥) and name it with its id in spec.publicKeys", err, m.Spec.MchID)
	case wechatpay.NotVerified:
		if acc.KeyProven(m) && acc.Paused(account.OrderCalls) == nil {
			return "", ""
		}
		return v1alpha1.ReasonAnswersNotVerified, fmt.Sprintf(
			"%v. None of the keys that are known verifies WeChat Pay's answers: compare the ids and keys in spec.publicKeys with those of merchant number %s in the merchant platform (账户中心 → API安全 → 微信支付公钥); the operator tries again automatically", err, m.Spec.MchID)
	default:
		return "", ""
	}
}

// callbacksUnopened is what follows where only callbacks can't be opened.
const callbacksUnopened = "Payments are found by queries until then, since callbacks can't be opened; WeChat Pay repeats them for a day"

// keyMismatchMessage says which key to correct, and what happens until then.
func keyMismatchMessage(m *v1alpha1.Merchant, acc *account.Account, untilThen string) string {
	credentials := protocols.CredentialsOf(acc.Protocol, m)
	return fmt.Sprintf("What WeChat Pay encrypted for merchant number %s can't be opened with the %s in the entry %q of Secret %s/%s: set the same key there as in the merchant platform (账户中心 → API安全). %s",
		m.Spec.MchID, acc.KeyName, credentials.Entry, m.Namespace, credentials.Secret, untilThen)
}

// certificateRejected reports whether WeChat rejects the certificate. Only refund requests show
// that, so the status keeps the result until another request or another certificate replaces it.
func certificateRejected(m *v1alpha1.Merchant, acc *account.Account) (message string, rejected bool) {
	refusal, known := acc.CertificateRefusal()
	_, reason, shown := readyCondition(m)
	switch {
	case refusal != "":
		return fmt.Sprintf("%s. WeChat Pay does not accept the client certificate in Secret %s/%s: put the merchant's current API certificate there (账户中心 → API安全 → API证书). "+
			"Refunds stop until then, Orders do not; the operator tries one waiting refund now and then, which shows when WeChat Pay accepts it", refusal, m.Namespace, certificateSecret(m)), true
	case !known && acc.CertificateUse == protocols.CertificateForRefunds && reason == v1alpha1.ReasonCertificateRejected && sameCertificate(m.Status.Certificate, acc.Certificate):
		return shown, true
	default:
		return "", false
	}
}

func certificateSecret(m *v1alpha1.Merchant) string {
	if m.Spec.CertificateSecretRef == nil {
		return ""
	}
	return m.Spec.CertificateSecretRef.Name
}

func sameCertificate(a, b *v1alpha1.MerchantCertificate) bool {
	return a != nil && b != nil && a.SerialNumber == b.SerialNumber
}
