package merchant

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/text"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// previousSuffix marks the entry of a Secret that holds the key before the current one, while keys are being rotated.
const previousSuffix = ".previous"

// legalAPIKey is the form of an APIv2 key (v2 key overview: 32 letters and digits).
var legalAPIKey = regexp.MustCompile(`^[0-9A-Za-z]{32}$`)

// apiKeys are the current key and, while rotating, the one before.
type apiKeys struct {
	current, previous string
}

// readAPIKeys takes the keys out of their Secret. White space at the end is dropped: it is what a text editor adds.
func readAPIKeys(merchant *v1alpha1.Merchant, secret *corev1.Secret) (apiKeys, *Problem) {
	entry := apiKeyEntry(merchant)
	raw, ok := secret.Data[entry]
	if !ok {
		return apiKeys{}, &Problem{v1alpha1.ReasonSecretNotFound, fmt.Sprintf(
			"Secret %s/%s has no entry %q: put the API key (APIv2 密钥) there, or name the entry in spec.apiKeySecretRef.key", secret.Namespace, secret.Name, entry)}
	}
	keys := apiKeys{current: strings.TrimSpace(string(raw)), previous: strings.TrimSpace(string(secret.Data[entry+previousSuffix]))}
	if !legalAPIKey.MatchString(keys.current) {
		return apiKeys{}, &Problem{v1alpha1.ReasonInvalidAPIKey, fmt.Sprintf(
			"The entry %q of Secret %s/%s has %d characters or others than letters and digits; an API key (APIv2 密钥) has exactly 32 letters and digits. Copy it from the merchant platform: 账户中心 → API安全",
			entry, secret.Namespace, secret.Name, len(keys.current))}
	}
	if keys.previous != "" && !legalAPIKey.MatchString(keys.previous) {
		return apiKeys{}, &Problem{v1alpha1.ReasonInvalidAPIKey, fmt.Sprintf(
			"The entry %q of Secret %s/%s is not an API key of 32 letters and digits: correct it, or remove it when the rotation is over", entry+previousSuffix, secret.Namespace, secret.Name)}
	}
	return keys, nil
}

func previousKeyID(keys apiKeys, merchant *v1alpha1.Merchant) string {
	if keys.previous == "" {
		return ""
	}
	return wechatpay.KeyID(keys.previous, merchant.Spec.MchID)
}

func apiKeyEntry(merchant *v1alpha1.Merchant) string {
	if merchant.Spec.APIKeySecretRef.Key != "" {
		return merchant.Spec.APIKeySecretRef.Key
	}
	return "apiKey"
}

// readCertificate takes the client certificate out of its Secret. The leaf is returned for display even if a Problem
// forbids its use.
func readCertificate(secret *corev1.Secret, now time.Time) (*tls.Certificate, *x509.Certificate, *Problem) {
	where := fmt.Sprintf("Secret %s/%s", secret.Namespace, secret.Name)
	certificatePEM, keyPEM := secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey]
	for _, entry := range []string{corev1.TLSCertKey, corev1.TLSPrivateKeyKey} {
		if len(secret.Data[entry]) == 0 {
			return nil, nil, &Problem{v1alpha1.ReasonInvalidCertificate, fmt.Sprintf(
				"%s has no entry %q: create it with `kubectl create secret tls` from apiclient_cert.pem and apiclient_key.pem. Refunds stop until then, Orders do not", where, entry)}
		}
	}
	leaf, problem := parseLeaf(certificatePEM, where)
	if problem != nil {
		return nil, nil, problem
	}
	pair, err := tls.X509KeyPair(certificatePEM, keyPEM)
	if err != nil {
		return nil, leaf, keyProblem(err, where)
	}
	pair.Leaf = leaf
	switch {
	case now.After(leaf.NotAfter):
		return nil, leaf, &Problem{v1alpha1.ReasonCertificateExpired, fmt.Sprintf(
			"The certificate in %s expired on %s: get a new one in the merchant platform (账户中心 → API安全 → API证书). Refunds stop until then, Orders do not", where, leaf.NotAfter.UTC().Format(time.DateOnly))}
	case now.Before(leaf.NotBefore):
		return nil, leaf, &Problem{v1alpha1.ReasonCertificateExpired, fmt.Sprintf(
			"The certificate in %s is valid only from %s on. Refunds stop until then, Orders do not", where, leaf.NotBefore.UTC().Format(time.RFC3339))}
	}
	return &pair, leaf, nil
}

// keyProblem tells a key that belongs to another certificate from one that can't be read. crypto/tls says which in words
// only, so a comparison of the words is what there is.
func keyProblem(err error, where string) *Problem {
	if strings.Contains(err.Error(), "does not match") {
		return &Problem{v1alpha1.ReasonCertificateMismatch, fmt.Sprintf(
			"The private key in %s is not that of its certificate: tls.crt must be apiclient_cert.pem and tls.key the apiclient_key.pem made with it. Refunds stop until then, Orders do not", where)}
	}
	return &Problem{v1alpha1.ReasonInvalidCertificate, fmt.Sprintf(
		"The private key (tls.key) in %s can't be read as PEM: it must be apiclient_key.pem. Refunds stop until then, Orders do not", where)}
}

// describe keeps what a certificate says of itself within what the API takes, or no status could be written at all.
func describe(leaf *x509.Certificate) *v1alpha1.MerchantCertificate {
	if leaf == nil {
		return nil
	}
	described := &v1alpha1.MerchantCertificate{
		SerialNumber: text.AtMost(64, strings.ToUpper(leaf.SerialNumber.Text(16))),
		Subject:      text.AtMost(1024, leaf.Subject.String()),
	}
	if year := leaf.NotAfter.UTC().Year(); year >= 1970 && year <= 9999 { // what the API takes
		notAfter := metav1.NewTime(leaf.NotAfter)
		described.NotAfter = &notAfter
	}
	return described
}

// checksum tells whether credentials changed without keeping them.
func checksum(parts ...[]byte) string {
	hash := sha256.New()
	for _, part := range parts {
		length := sha256.Sum256(part)
		_, _ = hash.Write(length[:])
	}
	return hex.EncodeToString(hash.Sum(nil))
}
