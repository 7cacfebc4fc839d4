package transport

import (
	"cmp"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// CheckSettings returns why settings can't be used. It never includes a value: a wrong one may be a
// secret in the wrong field.
func CheckSettings(s wechatpay.Settings) error {
	switch {
	case !isMchID(s.MchID):
		return errors.New("the merchant number is not 8 to 10 digits")
	case s.Partner != nil && !isMchID(s.Partner.SubMchID):
		return errors.New("the sub merchant's number is not 8 to 10 digits")
	case s.Partner != nil && s.Partner.SubMchID == s.MchID:
		return errors.New("the sub merchant's number is the service provider's own")
	case s.Partner != nil && s.Partner.SubAppID != "" && !isAppID(s.Partner.SubAppID):
		return errors.New("the sub merchant's appid has other characters than letters, digits, _ and -, or more than 32")
	case s.Endpoint != nil && !isEndpoint(s.Endpoint):
		return errors.New("the endpoint is not an https URL without user, query and fragment")
	case s.BackupEndpoint != nil && !isEndpoint(s.BackupEndpoint):
		return errors.New("the backup endpoint is not an https URL without user, query and fragment")
	case s.Endpoint == nil && s.BackupEndpoint != nil:
		return errors.New("there is a backup endpoint but no endpoint")
	case s.Timeouts.Connect < 0 || s.Timeouts.Query < 0 || s.Timeouts.Pay < 0:
		return errors.New("a timeout is negative")
	default:
		return nil
	}
}

// IsAPIKey reports whether a text has the form of the keys that are entered in the merchant platform.
func IsAPIKey(text string) bool {
	return len(text) == 32 && strings.Trim(text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

func isMchID(text string) bool {
	return len(text) >= 8 && len(text) <= 10 && strings.Trim(text, "0123456789") == ""
}

func isAppID(text string) bool {
	return len(text) <= 32 && strings.Trim(text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-") == ""
}

func isEndpoint(u *url.URL) bool {
	return u.Scheme == "https" && u.Host != "" && u.Opaque == "" && u.User == nil &&
		u.RawQuery == "" && !u.ForceQuery && u.Fragment == ""
}

// WithDefaults fills in the defaults of all settings except the scheme: calls go to WeChat Pay's
// own two hosts unless the settings name an endpoint.
func WithDefaults(s wechatpay.Settings) wechatpay.Settings {
	if s.Endpoint == nil {
		s.Endpoint, s.BackupEndpoint = &url.URL{Scheme: "https", Host: "api.mch.weixin.qq.com"}, &url.URL{Scheme: "https", Host: "api2.mch.weixin.qq.com"}
	}
	s.BackupEndpoint = cmp.Or(s.BackupEndpoint, s.Endpoint)
	s.Timeouts.Connect = cmp.Or(s.Timeouts.Connect, 5*time.Second)
	s.Timeouts.Query = cmp.Or(s.Timeouts.Query, 10*time.Second)
	s.Timeouts.Pay = cmp.Or(s.Timeouts.Pay, 20*time.Second)
	s.Answers = cmp.Or(s.Answers, wechatpay.NewTakenAnswers())
	s.Certificates = cmp.Or(s.Certificates, wechatpay.NewPlatformCertificates())
	if s.Changed == nil {
		s.Changed = func() {}
	}
	if s.Now == nil {
		s.Now = time.Now
	}
	return s
}

// Limit returns the timeout of one attempt at an operation. Callers shorten it with the context.
func Limit(t wechatpay.Timeouts, operation wechatpay.Operation) time.Duration {
	switch operation {
	case wechatpay.OperationCreateOrder, wechatpay.OperationCreateRefund, wechatpay.OperationResolveAbnormalRefund,
		wechatpay.OperationDownloadBill, wechatpay.OperationFetchBill:
		return t.Pay
	default:
		return t.Query
	}
}
