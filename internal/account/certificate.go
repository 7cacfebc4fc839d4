package account

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"time"
)

// parseCertificate parses a certificate as leniently as OpenSSL does, and returns nil if that
// fails. crypto/x509 refuses some certificates that WeChat has issued and accepts, such as those
// with an illegal character in a PrintableString. Nothing is trusted because of the result: it is
// the merchant's own certificate, which WeChat verifies.
func parseCertificate(der []byte) *x509.Certificate {
	if certificate, err := x509.ParseCertificate(der); err == nil {
		return certificate
	}
	var read struct {
		TBS struct {
			Version   int `asn1:"optional,explicit,default:0,tag:0"`
			Serial    *big.Int
			Signature asn1.RawValue
			Issuer    asn1.RawValue
			Validity  struct{ NotBefore, NotAfter time.Time }
			Subject   asn1.RawValue
			PublicKey asn1.RawValue
		}
	}
	// The rest of the sequence (extensions, the signature) is ignored.
	if _, err := asn1.Unmarshal(der, &read); err != nil {
		return nil
	}
	key, err := x509.ParsePKIXPublicKey(read.TBS.PublicKey.FullBytes)
	if err != nil {
		return nil
	}
	return &x509.Certificate{
		Raw: der, SerialNumber: read.TBS.Serial, PublicKey: key,
		NotBefore: read.TBS.Validity.NotBefore, NotAfter: read.TBS.Validity.NotAfter, Subject: lenientName(read.TBS.Subject.FullBytes),
	}
}

// lenientName returns the values of a name unchanged, whatever their string type allows.
func lenientName(der []byte) pkix.Name {
	var parts []asn1.RawValue
	var name pkix.Name
	if _, err := asn1.Unmarshal(der, &parts); err != nil {
		return name
	}
	for _, part := range parts {
		var attribute struct {
			Type  asn1.ObjectIdentifier
			Value asn1.RawValue
		}
		if _, err := asn1.Unmarshal(part.Bytes, &attribute); err != nil {
			continue
		}
		text := string(attribute.Value.Bytes)
		name.Names = append(name.Names, pkix.AttributeTypeAndValue{Type: attribute.Type, Value: text})
		if attribute.Type.Equal(asn1.ObjectIdentifier{2, 5, 4, 3}) {
			name.CommonName = text
		}
	}
	return name
}
