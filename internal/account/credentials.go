package account

import (
	"crypto"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/text"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/protocols"
)

// previousSuffix marks the entry of a Secret that holds the previous key during a rotation.
const previousSuffix = ".previous"

// apiKeys are the current key and, during a rotation, the previous one.
type apiKeys struct {
	current, previous string
}

// readAPIKeys reads the keys from their Secret. It drops trailing white space and a byte order
// mark, which text editors add. The message is the same whether the entry is missing or holds
// something else: users who can see or write a Merchant may not be allowed to read its Secret, and
// must not learn about its content here. The message says how users who may read the Secret can
// find the cause.
func readAPIKeys(secret *corev1.Secret, credentials protocols.Credentials, form wechatpay.KeyForm) (apiKeys, *Problem) {
	entry := credentials.Entry
	keys := apiKeys{current: keyText(secret.Data[entry]), previous: keyText(secret.Data[entry+previousSuffix])}
	if !form.Fits(keys.current) {
		return apiKeys{}, &Problem{credentials.InvalidKey, fmt.Sprintf(
			"The entry %q of Secret %s/%s can't be used as an %s: it must be there and have %s, as in the merchant platform (账户中心 → API安全). "+
				"Users who may read the Secret can find the cause: docs/rotate-credentials.md, \"When a Secret can't be used\"", entry, secret.Namespace, secret.Name, form.Name, form.Looks)}
	}
	if keys.previous != "" && !form.Fits(keys.previous) {
		return apiKeys{}, &Problem{credentials.InvalidKey, fmt.Sprintf(
			"The entry %q of Secret %s/%s can't be used as an %s: correct it, or remove it when the rotation is over", entry+previousSuffix, secret.Namespace, secret.Name, form.Name)}
	}
	return keys, nil
}

func keyText(content []byte) string { return strings.TrimSpace(string(plainText(content))) }

// readPublicKeys parses WeChat Pay's public keys.
func readPublicKeys(named []v1alpha1.PublicKey) ([]wechatpay.PublicKey, *Problem) {
	var keys []wechatpay.PublicKey
	for _, one := range named {
		key := parsePublicKey([]byte(one.PEM))
		if key == nil {
			return nil, &Problem{v1alpha1.ReasonInvalidPublicKey, fmt.Sprintf(
				"The pem of spec.publicKeys %s is no RSA public key of at least 2048 bits: copy the whole pub_key.pem of the merchant platform (账户中心 → API安全 → 微信支付公钥), from -----BEGIN PUBLIC KEY----- on", text.Clean(one.ID))}
		}
		keys = append(keys, wechatpay.PublicKey{ID: one.ID, Key: key})
	}
	return keys, nil
}

// readCertificate reads the client certificate from its Secret. It returns the leaf for display
// even if a Problem forbids its use.
//
// A user who can write a Merchant can name any Secret, such as that of an ingress, without being
// allowed to read it. So a certificate is neither shown nor presented to the endpoint unless its
// subject has the merchant number, as in all certificates that WeChat issues. Until then the
// message is the same as for a missing certificate. After that the Secret is this merchant's, and
// the message states in full what is wrong with its private key.
func readCertificate(secret *corev1.Secret, mchID string, now time.Time) (*tls.Certificate, *x509.Certificate, *Problem) {
	where := fmt.Sprintf("Secret %s/%s", secret.Namespace, secret.Name)
	key, form := parseKey(secret.Data[corev1.TLSPrivateKeyKey])
	chain := leafFirst(merchantCertificates(parseCertificates(secret.Data[corev1.TLSCertKey]), mchID), key)
	if chain == nil {
		return nil, nil, &Problem{v1alpha1.ReasonInvalidCertificate, fmt.Sprintf(
			"%s can't be used as the API certificate of merchant number %s: tls.crt must be apiclient_cert.pem and tls.key apiclient_key.pem of the merchant platform (账户中心 → API安全 → API证书), "+
				"as `kubectl create secret tls` makes it. Users who may read the Secret can find the cause: docs/rotate-credentials.md, \"When a Secret can't be used\"", where, mchID)}
	}
	leaf := chain[0]
	switch {
	case form != keyUsable:
		return nil, leaf, &Problem{v1alpha1.ReasonInvalidCertificate, fmt.Sprintf("The private key (tls.key) in %s %s", where, form)}
	case !keyMatches(leaf, key):
		return nil, leaf, &Problem{v1alpha1.ReasonCertificateMismatch, fmt.Sprintf(
			"The private key in %s is not that of its certificate: tls.crt must be apiclient_cert.pem and tls.key the apiclient_key.pem made with it", where)}
	case now.After(leaf.NotAfter):
		return nil, leaf, &Problem{v1alpha1.ReasonCertificateExpired, fmt.Sprintf(
			"The certificate in %s expired on %s: get a new one in the merchant platform (账户中心 → API安全 → API证书)", where, leaf.NotAfter.UTC().Format(time.DateOnly))}
	case now.Before(leaf.NotBefore):
		return nil, leaf, &Problem{v1alpha1.ReasonCertificateExpired, fmt.Sprintf(
			"The certificate in %s is valid only from %s on", where, leaf.NotBefore.UTC().Format(time.RFC3339))}
	}
	pair := &tls.Certificate{PrivateKey: key, Leaf: leaf}
	for _, certificate := range chain {
		pair.Certificate = append(pair.Certificate, certificate.Raw)
	}
	return pair, leaf, nil
}

// merchantCertificates returns the certificates of a file if one of them is of a merchant number.
// WeChat sets the number as the common name; older certificates have it elsewhere in the subject.
func merchantCertificates(file []*x509.Certificate, mchID string) []*x509.Certificate {
	if slices.ContainsFunc(file, func(certificate *x509.Certificate) bool { return isOfMerchant(certificate, mchID) }) {
		// The merchant's own certificates come first, so that no CA certificate is taken for the
		// leaf.
		slices.SortStableFunc(file, func(a, b *x509.Certificate) int { return rank(a, mchID) - rank(b, mchID) })
		return file
	}
	return nil
}

func rank(certificate *x509.Certificate, mchID string) int {
	if isOfMerchant(certificate, mchID) {
		return 0
	}
	return 1
}

// isOfMerchant reports whether an attribute of the subject is the merchant number or contains it as
// a word.
func isOfMerchant(certificate *x509.Certificate, mchID string) bool {
	for _, attribute := range certificate.Subject.Names {
		text, _ := attribute.Value.(string)
		if slices.Contains(strings.FieldsFunc(text, func(r rune) bool { return r < '0' || r > '9' }), mchID) {
			return true
		}
	}
	return false
}

// leafFirst moves the leaf, whose private key is given, to the front.
func leafFirst(file []*x509.Certificate, key crypto.Signer) []*x509.Certificate {
	leaf := slices.IndexFunc(file, func(certificate *x509.Certificate) bool { return keyMatches(certificate, key) })
	if leaf <= 0 {
		return file
	}
	return slices.Concat(file[leaf:leaf+1], file[:leaf], file[leaf+1:])
}

func keyMatches(certificate *x509.Certificate, key crypto.Signer) bool {
	if key == nil {
		return false
	}
	public, known := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	return known && public.Equal(certificate.PublicKey)
}

// describe shortens the values of a certificate to what the API accepts; otherwise the status could
// not be written at all.
func describe(leaf *x509.Certificate) *v1alpha1.MerchantCertificate {
	if leaf == nil {
		return nil
	}
	return &v1alpha1.MerchantCertificate{
		// Two digits for each byte, as the merchant platform shows it.
		SerialNumber: text.AtMost(64, fmt.Sprintf("%X", leaf.SerialNumber.Bytes())),
		Subject:      text.AtMost(1024, leaf.Subject.String()),
		NotAfter:     describeTime(leaf.NotAfter),
	}
}

// describeTime returns nil for a time that the API does not accept.
func describeTime(t time.Time) *metav1.Time {
	if year := t.UTC().Year(); year < 1970 || year > 9999 {
		return nil
	}
	return new(metav1.NewTime(t))
}

// Checksum detects a change of the credentials without storing them. The quotes keep a part from
// running into the next one.
func Checksum(parts ...string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", parts))
	return hex.EncodeToString(sum[:])
}
