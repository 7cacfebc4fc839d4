package merchant

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// parseLeaf reads the first certificate of a PEM file.
func parseLeaf(content []byte, where string) (*x509.Certificate, *Problem) {
	unreadable := &Problem{v1alpha1.ReasonInvalidCertificate, fmt.Sprintf(
		"The certificate (tls.crt) in %s can't be read as PEM: it must be apiclient_cert.pem. Refunds stop until then, Orders do not", where)}
	for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		leaf, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, unreadable
		}
		return leaf, nil
	}
	return nil, unreadable
}

// rootCAs turns a Merchant's CA bundle into a pool; nil means the system's.
func rootCAs(bundle []byte) (*x509.CertPool, *Problem) {
	if len(bundle) == 0 {
		return nil, nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(bundle) {
		return nil, &Problem{v1alpha1.ReasonInvalidEndpoint,
			"spec.endpoint.caBundle holds no PEM certificate: put the CA of the endpoint there, base64 encoded, or leave it out to trust the system's"}
	}
	return pool, nil
}
