package account

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"strings"
	"unicode/utf16"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// plainText removes what editors and shells add to a text file: a byte order mark, or UTF-16, which
// PowerShell's > writes.
func plainText(content []byte) []byte {
	switch {
	case len(content) >= 3 && string(content[:3]) == "\xEF\xBB\xBF":
		return content[3:]
	case len(content) >= 2 && content[0] == 0xFF && content[1] == 0xFE:
		return fromUTF16(content[2:], binary.LittleEndian)
	case len(content) >= 2 && content[0] == 0xFE && content[1] == 0xFF:
		return fromUTF16(content[2:], binary.BigEndian)
	default:
		return content
	}
}

func fromUTF16(content []byte, order binary.ByteOrder) []byte {
	units := make([]uint16, 0, len(content)/2)
	for ; len(content) >= 2; content = content[2:] {
		units = append(units, order.Uint16(content))
	}
	return []byte(string(utf16.Decode(units)))
}

// parseCertificates parses all certificates of a PEM file, or one in DER. It skips what it can't
// parse.
func parseCertificates(content []byte) []*x509.Certificate {
	var found []*x509.Certificate
	rest := plainText(content)
	for block, after := pem.Decode(rest); block != nil; block, after = pem.Decode(after) {
		if block.Type != "CERTIFICATE" && block.Type != "X509 CERTIFICATE" && block.Type != "TRUSTED CERTIFICATE" {
			continue
		}
		if certificate := parseCertificate(block.Bytes); certificate != nil {
			found = append(found, certificate)
		}
	}
	if found == nil {
		if certificate := parseCertificate(content); certificate != nil {
			found = append(found, certificate)
		}
	}
	return found
}

// parsePublicKey parses an RSA public key of at least 2048 bits in PEM, or returns nil.
func parsePublicKey(content []byte) *rsa.PublicKey {
	block, _ := pem.Decode(plainText(content))
	if block == nil || block.Type != "PUBLIC KEY" {
		return nil
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	key, isRSA := parsed.(*rsa.PublicKey)
	if err != nil || !isRSA || key.N.BitLen() < 2048 {
		return nil
	}
	return key
}

// keyProblem is the reason why a private key can't be used.
type keyProblem string

const (
	keyUsable     keyProblem = ""
	keyMissing    keyProblem = "is missing: put apiclient_key.pem there"
	keyEncrypted  keyProblem = "is encrypted. Take the password off: openssl pkey -in apiclient_key.pem -out plain.pem, and put plain.pem there"
	keyPKCS12     keyProblem = "is no PEM file; it looks like apiclient_cert.p12. Take the key out: openssl pkcs12 -in apiclient_cert.p12 -nocerts -nodes -out apiclient_key.pem (the password is the merchant number)"
	keyUnreadable keyProblem = "can't be read as PEM: it must be apiclient_key.pem"
)

// parseKey parses the first private key of a PEM file, or one in DER.
func parseKey(content []byte) (crypto.Signer, keyProblem) {
	if len(content) == 0 {
		return nil, keyMissing
	}
	for block, rest := pem.Decode(plainText(content)); block != nil; block, rest = pem.Decode(rest) {
		switch {
		case block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"):
			return nil, keyEncrypted
		case !strings.HasSuffix(block.Type, "PRIVATE KEY"):
			continue
		}
		if key := parseKeyDER(block.Bytes); key != nil {
			return key, keyUsable
		}
		return nil, keyUnreadable
	}
	if key := parseKeyDER(content); key != nil {
		return key, keyUsable
	}
	if looksLikePKCS12(content) {
		return nil, keyPKCS12
	}
	return nil, keyUnreadable
}

func parseKeyDER(der []byte) crypto.Signer {
	if key, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		signer, _ := key.(crypto.Signer)
		return signer
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key
	}
	return nil
}

// looksLikePKCS12 detects the start of a .p12 file: a sequence with version 3.
func looksLikePKCS12(content []byte) bool {
	return len(content) > 8 && content[0] == 0x30 && (string(content[4:7]) == "\x02\x01\x03" || string(content[2:5]) == "\x02\x01\x03")
}

// rootCAs returns the pool of a Merchant's CA bundle; nil means the system's.
func rootCAs(bundle []byte) (*x509.CertPool, *Problem) {
	if len(bundle) == 0 {
		return nil, nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(plainText(bundle)) {
		return nil, &Problem{v1alpha1.ReasonInvalidEndpoint,
			"spec.endpoint.caBundle holds no PEM certificate: put the CA of the endpoint there, base64 encoded, or leave it out to trust the system's"}
	}
	return pool, nil
}
