package framework

import (
	"os"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

// ProtocolVariable is the environment variable that names the protocol of tests that name none:
// they run with each.
const ProtocolVariable = "TEST_PROTOCOL"

// DefaultProtocol returns the protocol of tests that name none.
func DefaultProtocol() v1alpha1.Protocol {
	if name := os.Getenv(ProtocolVariable); name != "" {
		return v1alpha1.Protocol(name)
	}
	return v1alpha1.ProtocolV2
}

// Speaking opens the Shop with a protocol, for a test of what only that one has.
func Speaking(protocol v1alpha1.Protocol) Option {
	return func(s *Shop) { s.Protocol = protocol }
}

// Speak gives a Merchant the credentials of a protocol, beside those that it has.
func (s *Shop) Speak(merchant *v1alpha1.Merchant, protocol v1alpha1.Protocol) {
	merchant.Spec.Protocol = protocol
	if protocol == v1alpha1.ProtocolV2 {
		merchant.Spec.APIKeySecretRef = v1alpha1.SecretKeyReference{Name: "wechatpay"}
		return
	}
	merchant.Spec.APIV3KeySecretRef = v1alpha1.APIV3KeyReference{Name: "wechatpay"}
	merchant.Spec.PublicKeys = s.PublicKeys()
}

// PublicKeys returns the simulated WeChat Pay's public key.
func (s *Shop) PublicKeys() []v1alpha1.PublicKey { return PublicKeysOf(s.WeChat) }

// PublicKeysOf returns the public key of a simulated WeChat Pay.
func PublicKeysOf(weChat *simulator.Simulator) []v1alpha1.PublicKey {
	platform := weChat.Platform()
	return []v1alpha1.PublicKey{{ID: platform.PublicKeyID, PEM: platform.PublicKeyPEM}}
}

// NewParty returns a merchant for a simulated WeChat Pay that may speak both protocols. Its APIv3
// key is the same text as its API key.
func NewParty(mchID, appID, key string) simulator.Merchant {
	return simulator.Merchant{
		MchID: mchID, AppIDs: []string{appID}, APIKey: key, APIV3Key: key, Verification: simulator.VerifyByPublicKey,
	}
}

// CreateCredentialsOf creates the Secrets of a merchant of NewParty: one with a name, and one with
// "-cert" after it for the certificate.
func (s *Shop) CreateCredentialsOf(weChat *simulator.Simulator, namespace, name, mchID, key string) {
	s.T.Helper()
	s.createCredentials(weChat, namespace, name, mchID, key, key)
}

func (s *Shop) createCredentials(weChat *simulator.Simulator, namespace, name, mchID, apiKey, apiV3Key string) {
	s.T.Helper()
	certificate, err := weChat.IssueClientCertificate(mchID)
	s.Must(err)
	s.Create(
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Data: map[string][]byte{"apiKey": []byte(apiKey), "apiV3Key": []byte(apiV3Key)}},
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name + "-cert"}, Type: corev1.SecretTypeTLS,
			Data: map[string][]byte{corev1.TLSCertKey: certificate.CertPEM, corev1.TLSPrivateKeyKey: certificate.KeyPEM}},
	)
}

// UseCredentials makes a Merchant take its keys and its certificate from the Secrets of
// CreateCredentialsOf.
func UseCredentials(merchant *v1alpha1.Merchant, name string) {
	UseKey(merchant, name)
	merchant.Spec.CertificateSecretRef = &v1alpha1.SecretReference{Name: name + "-cert"}
}

// UseKey makes a Merchant take the keys that it has from another Secret.
func UseKey(merchant *v1alpha1.Merchant, name string) {
	if merchant.Spec.APIKeySecretRef.Name != "" {
		merchant.Spec.APIKeySecretRef.Name = name
	}
	if merchant.Spec.APIV3KeySecretRef.Name != "" {
		merchant.Spec.APIV3KeySecretRef.Name = name
	}
}

// KeyEntry is the entry of the Secret with the key of the Shop's protocol.
func (s *Shop) KeyEntry() string {
	if s.Protocol == v1alpha1.ProtocolV3 {
		return "apiV3Key"
	}
	return "apiKey"
}

// Key is the merchant's key of the Shop's protocol.
func (s *Shop) Key() string {
	if s.Protocol == v1alpha1.ProtocolV3 {
		return APIV3Key
	}
	return APIKey
}

// Code returns the Shop's protocol's spelling of an error code of V2.
func (s *Shop) Code(code string) string {
	return simulator.Spelling(simulator.Protocol(s.Protocol), code)
}

// Param returns the Shop's protocol's name of a parameter of V2 in the simulator's ledger.
func (s *Shop) Param(name string) string {
	return simulator.ParamName(simulator.Protocol(s.Protocol), name)
}
