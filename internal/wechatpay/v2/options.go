package v2

import (
	"errors"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/transport"
)

// The two algorithms of v2.
const (
	MD5        wechatpay.Scheme = "MD5"
	HMACSHA256 wechatpay.Scheme = "HMAC-SHA256"
)

// Options say which merchant a Client is, and how it reaches WeChat.
type Options struct {
	wechatpay.Settings
	wechatpay.Secrets
}

// validate never includes a value in its error: a wrong value may be a secret in the wrong field.
func (o Options) validate() error {
	if err := transport.CheckSettings(o.Settings); err != nil {
		return err
	}
	switch {
	case !transport.IsAPIKey(o.Key):
		return errors.New("the API key is not 32 letters and digits")
	case o.PreviousKey != "" && !transport.IsAPIKey(o.PreviousKey):
		return errors.New("the previous API key is not 32 letters and digits")
	case o.Scheme != MD5 && o.Scheme != HMACSHA256:
		return errors.New("the sign type is neither MD5 nor HMAC-SHA256")
	case o.Certificate != nil && (len(o.Certificate.Certificate) == 0 || o.Certificate.PrivateKey == nil):
		return errors.New("the client certificate has no certificate or no private key")
	default:
		return nil
	}
}
