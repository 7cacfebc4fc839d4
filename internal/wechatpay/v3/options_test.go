package v3

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

func TestInvalidOptions(t *testing.T) {
	elliptical, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	small := &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 1023), E: 65537}
	for want, change := range map[string]func(*Options){
		"the merchant number is not 8 to 10 digits":                         func(o *Options) { o.MchID = "1900" },
		"the APIv3 key is not 32 letters and digits":                        func(o *Options) { o.Key = o.Key[1:] },
		"the previous APIv3 key is not 32 letters and digits":               func(o *Options) { o.PreviousKey = strings.Repeat("密", 32) },
		"the sub merchant's number is not 8 to 10 digits":                   func(o *Options) { o.Partner = &wechatpay.Partner{} },
		"the sub merchant's number is the service provider's own":           func(o *Options) { o.Partner = &wechatpay.Partner{SubMchID: testMchID} },
		"the merchant's certificate has no certificate or no private key":   func(o *Options) { o.Certificate = &tls.Certificate{} },
		"the merchant's private key is not an RSA key":                      func(o *Options) { o.Certificate.PrivateKey = elliptical },
		"the merchant's certificate cannot be read":                         func(o *Options) { o.Certificate.Leaf, o.Certificate.Certificate = nil, [][]byte{{1}} },
		"the merchant's certificate has no serial number":                   func(o *Options) { o.Certificate.Leaf = &x509.Certificate{} },
		"the id of a WeChat Pay public key is not PUB_KEY_ID_ and digits":   func(o *Options) { o.PublicKeys[0].ID = "PUB_KEY_ID_" },
		"two WeChat Pay public keys have the same id":                       func(o *Options) { o.PublicKeys = append(o.PublicKeys, o.PublicKeys[0]) },
		"a WeChat Pay public key is not an RSA key of 2048 bits":            func(o *Options) { o.PublicKeys[0].Key = small },
		"the endpoint is not an https URL without user, query and fragment": func(o *Options) { o.Endpoint = &url.URL{Scheme: "http", Host: "x"} },
		"there is a backup endpoint but no endpoint":                        func(o *Options) { o.BackupEndpoint = &url.URL{Scheme: "https", Host: "x"} },
		"a timeout is negative":                                             func(o *Options) { o.Timeouts.Pay = -1 },
	} {
		options := testOptions()
		change(&options)
		if _, err := New(options); err == nil || err.Error() != want {
			t.Errorf("%v, not %s", err, want)
		}
	}
}

func TestOpen(t *testing.T) {
	options := testOptions()
	options.PreviousKey = testOtherKey
	options.Certificate.Leaf = nil // read from the certificate
	connection, err := Protocol{}.Open(options.Settings, options.Secrets)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if len(connection.KeyIDs) != 1 || connection.KeyIDs[0] != fingerprintOf(options.Certificate.PrivateKey.(crypto.Signer).Public().(*rsa.PublicKey)) {
		t.Errorf("key ids %v", connection.KeyIDs)
	}
	if len(connection.Shared) != 2 || connection.Shared[0] != testKey || connection.Shared[1] != testOtherKey {
		t.Error("what is shared with WeChat are the two keys")
	}
	if connection.ClockSkew() != 0 || len(connection.Verifiers()) != 1 || connection.Receiver == nil {
		t.Errorf("%+v", connection)
	}
	options.Certificate = nil
	callbacksOnly, err := Protocol{}.Open(options.Settings, options.Secrets)
	if err != nil || len(callbacksOnly.KeyIDs) != 0 {
		t.Errorf("%v, %v", callbacksOnly, err)
	}
	if _, err := (Protocol{}).Open(wechatpay.Settings{}, wechatpay.Secrets{}); err == nil {
		t.Error("opens nothing")
	}
}

func TestHostsAndTLS(t *testing.T) {
	c := newTestClient(t, testOptions())
	if c.settings.Endpoint.String() != "https://api.mch.weixin.qq.com" || c.settings.BackupEndpoint.String() != "https://api2.mch.weixin.qq.com" {
		t.Errorf("calls %s and %s", c.settings.Endpoint, c.settings.BackupEndpoint)
	}
	transport, ok := c.http.Transport.(*http.Transport)
	if !ok || transport.TLSClientConfig.InsecureSkipVerify || transport.TLSClientConfig.MinVersion < tls.VersionTLS12 || transport.TLSClientConfig.GetClientCertificate != nil {
		t.Error("TLS is not what it should be")
	}
}

func TestKeyForm(t *testing.T) {
	form := Protocol{}.KeyForm()
	for key, fits := range map[string]bool{testKey: true, testKey[1:]: false, testKey + "0": false, strings.Repeat("-", 32): false, "": false} {
		if form.Fits(key) != fits {
			t.Errorf("%q fits: %v", key, !fits)
		}
	}
}

func TestNoCallbackIsWeaker(t *testing.T) {
	for _, order := range []wechatpay.Scheme{"", "MD5", "HMAC-SHA256", SHA256WithRSA} {
		if (Protocol{}).Weaker(SHA256WithRSA, order) {
			t.Errorf("weaker than %q", order)
		}
	}
}
