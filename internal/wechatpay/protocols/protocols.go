// Package protocols lists the versions of WeChat Pay's API that the operator supports, and where a
// Merchant keeps the credentials of each. No other package knows that.
package protocols

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	v2 "github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/v2"
	v3 "github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/v3"
)

// Credentials say where a Merchant keeps the credentials of a protocol.
type Credentials struct {
	// Secret is the name of the Secret with the key, Entry the key's entry in it, and Field the field
	// of the Merchant that names them. Secret is empty if the Merchant does not name one.
	Secret, Entry, Field string
	// InvalidKey is the reason of the condition Ready for a key that can't be used.
	InvalidKey string
	// Certificate says which calls need the API certificate.
	Certificate CertificateUse
	// PublicKeys are those of WeChat Pay that the Merchant names.
	PublicKeys []v1alpha1.PublicKey
}

// CertificateUse says which calls need the merchant's API certificate.
type CertificateUse int

// The values of CertificateUse.
const (
	// CertificateNotUsed: no call needs it.
	CertificateNotUsed CertificateUse = iota
	// CertificateForRefunds: only refund requests present it.
	CertificateForRefunds
	// CertificateForAllCalls: every call is signed with it.
	CertificateForAllCalls
)

// NeededFor reports whether a call needs the certificate.
func (u CertificateUse) NeededFor(operation wechatpay.Operation) bool {
	return u == CertificateForAllCalls || u == CertificateForRefunds && operation == wechatpay.OperationCreateRefund
}

// IdentifiesMerchant reports whether WeChat recognises the merchant by the certificate. Otherwise it
// does by the key.
func (u CertificateUse) IdentifiesMerchant() bool { return u == CertificateForAllCalls }

// description is a protocol and where a Merchant keeps its credentials.
type description struct {
	protocol    wechatpay.Protocol
	credentials func(*v1alpha1.MerchantSpec) Credentials
}

var protocols = map[v1alpha1.Protocol]description{
	v1alpha1.ProtocolV2: {v2.Protocol{}, func(spec *v1alpha1.MerchantSpec) Credentials {
		return Credentials{
			Secret: spec.APIKeySecretRef.Name, Entry: cmp.Or(spec.APIKeySecretRef.Key, "apiKey"), Field: "spec.apiKeySecretRef",
			InvalidKey: v1alpha1.ReasonInvalidAPIKey, Certificate: CertificateForRefunds,
		}
	}},
	v1alpha1.ProtocolV3: {v3.Protocol{}, func(spec *v1alpha1.MerchantSpec) Credentials {
		return Credentials{
			Secret: spec.APIV3KeySecretRef.Name, Entry: cmp.Or(spec.APIV3KeySecretRef.Key, "apiV3Key"), Field: "spec.apiV3KeySecretRef",
			InvalidKey: v1alpha1.ReasonInvalidAPIV3Key, Certificate: CertificateForAllCalls, PublicKeys: spec.PublicKeys,
		}
	}},
}

// orDefault: an empty name, of an object older than the field, means V2.
func orDefault(name v1alpha1.Protocol) v1alpha1.Protocol { return cmp.Or(name, v1alpha1.ProtocolV2) }

// Of returns the protocol of a name.
func Of(name v1alpha1.Protocol) (protocol wechatpay.Protocol, known bool) {
	described, known := protocols[orDefault(name)]
	return described.protocol, known
}

// OfMerchant returns the name of a Merchant's protocol.
func OfMerchant(merchant *v1alpha1.Merchant) v1alpha1.Protocol {
	return orDefault(merchant.Spec.Protocol)
}

// Names returns the names of all protocols.
func Names() []v1alpha1.Protocol { return slices.Sorted(maps.Keys(protocols)) }

// CredentialsOf returns where a Merchant keeps the credentials of a protocol.
func CredentialsOf(name v1alpha1.Protocol, merchant *v1alpha1.Merchant) Credentials {
	return protocols[orDefault(name)].credentials(&merchant.Spec)
}

// Path returns the segment of callback URLs that names a protocol.
func Path(name v1alpha1.Protocol) string { return strings.ToLower(string(orDefault(name))) }
