package v3

import (
	"errors"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// parties are the members that say for whom an answer or a callback is. Direct mode has appid and
// mchid, partner mode the others.
type parties struct {
	AppID    string `json:"appid"`
	MchID    string `json:"mchid"`
	SpAppID  string `json:"sp_appid"`
	SpMchID  string `json:"sp_mchid"`
	SubAppID string `json:"sub_appid"`
	SubMchID string `json:"sub_mchid"`
}

// check refuses a message for another merchant number, another sub merchant, or the other mode. A
// complete message has to name its recipient.
func (p parties) check(mchID string, partner *wechatpay.Partner, complete bool) error {
	if partner == nil {
		switch {
		case p.SpMchID != "" || p.SpAppID != "" || p.SubMchID != "" || p.SubAppID != "":
			return errors.New("it is a service provider's, and this Merchant is not one's")
		case p.MchID != "" && p.MchID != mchID:
			return errors.New("mchid is not ours")
		case complete && p.MchID == "":
			return errors.New("mchid is missing")
		}
		return nil
	}
	switch {
	case p.MchID != "" || p.AppID != "":
		return errors.New("it is a direct merchant's, and this Merchant is a service provider's")
	case p.SpMchID != "" && p.SpMchID != mchID:
		return errors.New("sp_mchid is not ours")
	case p.SubMchID != "" && p.SubMchID != partner.SubMchID:
		return errors.New("sub_mchid is another sub merchant's")
	case complete && (p.SpMchID == "" || p.SubMchID == ""):
		return errors.New("sp_mchid or sub_mchid is missing")
	default:
		return nil
	}
}
