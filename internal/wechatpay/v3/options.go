package v3

import (
	"crypto"
	"crypto/rsa"
	"crypto/tls"
	"errors"
	"strings"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/transport"
)

// SHA256WithRSA is the only algorithm of signatures here, in WeChat's spelling.
const SHA256WithRSA wechatpay.Scheme = "WECHATPAY2-SHA256-RSA2048"

// Options say which merchant a Client is, and how it reaches WeChat. Settings.Scheme has no
// meaning: there is one algorithm.
type Options struct {
	wechatpay.Settings
	wechatpay.Secrets
}

// publicKeyPrefix begins the id of every public key of WeChat Pay, and no serial number.
const publicKeyPrefix = "PUB_KEY_ID_"

// smallestKey in bits: WeChat Pay's keys have 2048.
const smallestKey = 2048

// validate never includes a value in its error: a wrong value may be a secret in the wrong field.
func (o Options) validate() error {
	if err := transport.CheckSettings(o.Settings); err != nil {
		return err
	}
	switch {
	case !transport.IsAPIKey(o.Key):
		return errors.New("the APIv3 key is not 32 letters and digits")
	case o.PreviousKey != "" && !transport.IsAPIKey(o.PreviousKey):
		return errors.New("the previous APIv3 key is not 32 letters and digits")
	}
	if err := checkMerchantCertificate(o.Certificate); err != nil {
		return err
	}
	return checkPublicKeys(o.PublicKeys)
}

func checkMerchantCertificate(certificate *tls.Certificate) error {
	if certificate == nil {
		return nil // a process that only receives callbacks
	}
	key, signs := certificate.PrivateKey.(crypto.Signer)
	if len(certificate.Certificate) == 0 || !signs {
		return errors.New("the merchant's certificate has no certificate or no private key")
	}
	if _, isRSA := key.Public().(*rsa.PublicKey); !isRSA {
		return errors.New("the merchant's private key is not an RSA key")
	}
	return nil
}

func checkPublicKeys(keys []wechatpay.PublicKey) error {
	seen := map[string]bool{}
	for _, key := range keys {
		number, named := strings.CutPrefix(key.ID, publicKeyPrefix)
		switch {
		case !named || number == "" || strings.Trim(number, "0123456789") != "":
			return errors.New("the id of a WeChat Pay public key is not PUB_KEY_ID_ and digits")
		case seen[key.ID]:
			return errors.New("two WeChat Pay public keys have the same id")
		case key.Key == nil || key.Key.N == nil || key.Key.N.BitLen() < smallestKey:
			return errors.New("a WeChat Pay public key is not an RSA key of 2048 bits")
		}
		seen[key.ID] = true
	}
	return nil
}
