package v2

import (
	"cmp"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
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

func withDefaults(t wechatpay.Timeouts) wechatpay.Timeouts {
	return wechatpay.Timeouts{
		Connect: cmp.Or(t.Connect, 5*time.Second),
		Query:   cmp.Or(t.Query, 10*time.Second),
		Pay:     cmp.Or(t.Pay, 20*time.Second),
	}
}

// endpoints returns the host for the first attempt and the one for the retry (chapters 9_1 and
// 23_6).
func (o Options) endpoints() (primary, backup *url.URL) {
	if o.Endpoint == nil {
		return &url.URL{Scheme: "https", Host: "api.mch.weixin.qq.com"}, &url.URL{Scheme: "https", Host: "api2.mch.weixin.qq.com"}
	}
	return o.Endpoint, cmp.Or(o.BackupEndpoint, o.Endpoint)
}

// validate never includes a value in its error: a wrong value may be a secret in the wrong field.
func (o Options) validate() error {
	switch {
	case !isMchID(o.MchID):
		return errors.New("the merchant number is not 8 to 10 digits")
	case o.Partner != nil && !isMchID(o.Partner.SubMchID):
		return errors.New("the sub merchant's number is not 8 to 10 digits")
	case o.Partner != nil && o.Partner.SubMchID == o.MchID:
		return errors.New("the sub merchant's number is the service provider's own")
	case o.Partner != nil && o.Partner.SubAppID != "" && !isAppID(o.Partner.SubAppID):
		return errors.New("the sub merchant's appid has other characters than letters, digits, _ and -, or more than 32")
	case !isAPIKey(o.Key):
		return errors.New("the API key is not 32 letters and digits")
	case o.PreviousKey != "" && !isAPIKey(o.PreviousKey):
		return errors.New("the previous API key is not 32 letters and digits")
	case o.Scheme != MD5 && o.Scheme != HMACSHA256:
		return errors.New("the sign type is neither MD5 nor HMAC-SHA256")
	case o.Certificate != nil && (len(o.Certificate.Certificate) == 0 || o.Certificate.PrivateKey == nil):
		return errors.New("the client certificate has no certificate or no private key")
	case o.Endpoint != nil && !isEndpoint(o.Endpoint):
		return errors.New("the endpoint is not an https URL without user, query and fragment")
	case o.BackupEndpoint != nil && !isEndpoint(o.BackupEndpoint):
		return errors.New("the backup endpoint is not an https URL without user, query and fragment")
	case o.Endpoint == nil && o.BackupEndpoint != nil:
		return errors.New("there is a backup endpoint but no endpoint")
	case o.Timeouts.Connect < 0 || o.Timeouts.Query < 0 || o.Timeouts.Pay < 0:
		return errors.New("a timeout is negative")
	default:
		return nil
	}
}

func isMchID(text string) bool {
	return len(text) >= 8 && len(text) <= 10 && digits(text)
}

func isAppID(text string) bool {
	return len(text) <= 32 && strings.Trim(text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-") == ""
}

func isAPIKey(text string) bool {
	return len(text) == 32 && strings.Trim(text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

func isEndpoint(u *url.URL) bool {
	return u.Scheme == "https" && u.Host != "" && u.Opaque == "" && u.User == nil &&
		u.RawQuery == "" && !u.ForceQuery && u.Fragment == ""
}
