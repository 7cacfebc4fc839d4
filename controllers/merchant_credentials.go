package controllers

import (
	"fmt"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/protocols"
)

// credentialSecret returns the Secret with what WeChat recognises the merchant by.
func credentialSecret(m *v1alpha1.Merchant, handle *account.Account) string {
	if handle.CertificateUse.IdentifiesMerchant() {
		return certificateSecret(m)
	}
	return protocols.CredentialsOf(handle.Protocol, m).Secret
}

// rejectedMessage says what to do about credentials that WeChat does not accept.
func rejectedMessage(m *v1alpha1.Merchant, handle *account.Account, err error, again time.Duration) string {
	if handle.CertificateUse.IdentifiesMerchant() {
		return fmt.Sprintf("%v. WeChat Pay does not accept the API certificate in Secret %s/%s: put the current apiclient_cert.pem and apiclient_key.pem of merchant number %s there (账户中心 → API安全 → API证书). "+
			"Nothing is sent for this Merchant until then; the certificate is tried again every %s", err, m.Namespace, credentialSecret(m, handle), m.Spec.MchID, again)
	}
	return fmt.Sprintf("%v. WeChat Pay does not accept the %s in Secret %s/%s for the merchant number %s: compare both with the merchant platform (账户中心 → API安全); spec.mchID is immutable, so create another Merchant if it is wrong. Nothing is sent for this Merchant until then; the key is tried again every %s",
		err, handle.KeyName, m.Namespace, credentialSecret(m, handle), m.Spec.MchID, again)
}

// notVerified returns why WeChat's answers can't be verified or opened; the reason is empty for any
// other error. A single answer that is not verified says nothing about credentials that worked:
// WeChat sends such answers on purpose now and then.
func notVerified(m *v1alpha1.Merchant, handle *account.Account, err error) (reason, message string) {
	switch wechatpay.MeaningOf(err) {
	case wechatpay.KeyMismatch:
		return protocols.CredentialsOf(handle.Protocol, m).InvalidKey, keyMismatchMessage(m, handle, "Nothing is sent until then, since no answer could be verified")
	case wechatpay.VerifiersMissing:
		return v1alpha1.ReasonPlatformCertificatesMissing, fmt.Sprintf(
			"%v. WeChat Pay has no platform certificates for merchant number %s, so its answers can't be verified: download the public key in the merchant platform (账户中心 → API安全 → 微信支付公钥) and name it with its id in spec.publicKeys", err, m.Spec.MchID)
	case wechatpay.NotVerified:
		if handle.KeyProven(m) && handle.Paused(account.OrderCalls) == nil {
			return "", ""
		}
		return v1alpha1.ReasonAnswersNotVerified, fmt.Sprintf(
			"%v. None of the keys that are known verifies WeChat Pay's answers: compare the ids and keys in spec.publicKeys with those of merchant number %s in the merchant platform (账户中心 → API安全 → 微信支付公钥); they are tried again automatically", err, m.Spec.MchID)
	default:
		return "", ""
	}
}

// callbacksUnopened is what follows where only callbacks can't be opened.
const callbacksUnopened = "Payments are found by queries until then, since callbacks can't be opened; WeChat Pay repeats them for a day"

// keyMismatchMessage says which key to correct, and what happens until then.
func keyMismatchMessage(m *v1alpha1.Merchant, handle *account.Account, untilThen string) string {
	credentials := protocols.CredentialsOf(handle.Protocol, m)
	return fmt.Sprintf("What WeChat Pay encrypted for merchant number %s can't be opened with the %s in the entry %q of Secret %s/%s: set the same key there as in the merchant platform (账户中心 → API安全). %s",
		m.Spec.MchID, handle.KeyName, credentials.Entry, m.Namespace, credentials.Secret, untilThen)
}

// Skews of the clock. WeChat accepts requests within five minutes.
const (
	clockWarns  = 4 * time.Minute
	clockBreaks = 5 * time.Minute
)

// clockBreaksCalls reports whether WeChat rejects requests because of the operator's clock, which says
// nothing about the credentials. Nothing is stopped for it: calls succeed again as soon as the clock
// is right.
func clockBreaksCalls(handle *account.Account) bool { return handle.ClockSkew().Abs() > clockBreaks }

// clockSkewed reports whether the operator's clock is too far from WeChat's, and explains it in words
// that are stable while the skew is. A smaller skew does not hide another problem.
func clockSkewed(handle *account.Account, ready bool) (skewed bool, message string) {
	skew := handle.ClockSkew()
	ahead := "ahead of"
	if skew < 0 {
		skew, ahead = -skew, "behind"
	}
	if skew <= clockWarns || !ready && skew <= clockBreaks {
		return false, ""
	}
	return true, fmt.Sprintf("The clock of the operator's node is about %d minutes %s WeChat Pay's, which takes requests within 5 minutes only: run NTP on the nodes. This clears with WeChat Pay's next answer",
		int(skew.Round(time.Minute)/time.Minute), ahead)
}
