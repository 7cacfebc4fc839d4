package framework

import (
	"os"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
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
func (s *Shop) PublicKeys() []v1alpha1.PublicKey {
	platform := s.WeChat.Platform()
	return []v1alpha1.PublicKey{{ID: platform.PublicKeyID, PEM: platform.PublicKeyPEM}}
}
