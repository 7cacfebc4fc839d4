package simulator

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrPaySign means that WeChat refuses what the payer's client handed over: its signature, or an
// appid, a merchant number or a package that is not the order's.
var ErrPaySign = errors.New("the client's parameters or their paySign are wrong")

// ClientPayment is what the payer's client hands to WeChat: to wx.requestPayment of a mini program,
// to getBrandWCPayRequest of a web page, or to WeChat's SDK in an app, which has PartnerID, PrepayID
// and Sign in place of Package's prepay_id and PaySign. In JSON the case of the names is free.
//
// A mini program does not pass its appId, because WeChat knows it. Tests have to.
type ClientPayment struct {
	AppID     string `json:"appId"`
	TimeStamp string `json:"timeStamp"`
	NonceStr  string `json:"nonceStr"`
	// Package is prepay_id=..., or in an app, where it may also be called packageValue, Sign=WXPay.
	Package      string `json:"package,omitempty"`
	PackageValue string `json:"packageValue,omitempty"`
	SignType     string `json:"signType,omitempty"`
	PaySign      string `json:"paySign,omitempty"`
	PartnerID    string `json:"partnerId,omitempty"`
	PrepayID     string `json:"prepayId,omitempty"`
	Sign         string `json:"sign,omitempty"`
}

const appPackage = "Sign=WXPay"

// prepayID returns the prepay_id, and whether it is an app's request.
func (p ClientPayment) prepayID() (id string, inApp bool) {
	if p.PrepayID != "" {
		return p.PrepayID, true
	}
	return strings.TrimPrefix(p.Package, "prepay_id="), false
}

// RequestPayment pays an order as the payer's client asks for it, after verifying what it hands
// over: MD5 or HMAC-SHA256 with the API key in API v2, RSA with the merchant's API certificate in
// API v3. What is wrong is ErrPaySign.
func (s *Simulator) RequestPayment(request ClientPayment, options PayOptions) (Payment, error) {
	return changed(s, func() (Payment, error) {
		order, prepayID, err := s.openCheckout(request)
		if err != nil {
			return Payment{}, err
		}
		return s.pay(order, prepayID, options)
	})
}

// CancelPayment is the payer who looks at what RequestPayment would show and goes back. The same is
// verified; the order stays as it is.
func (s *Simulator) CancelPayment(request ClientPayment) error {
	return s.change(func() error {
		order, prepayID, err := s.openCheckout(request)
		if err != nil {
			return err
		}
		return s.leave(order, prepayID)
	})
}

// leave counts that a payer opened an order that can be paid, and left it.
func (s *Simulator) leave(o *Order, prepayID string) error {
	s.ageOut(o)
	if err := s.refusePayment(o, prepayID); err != nil {
		return fmt.Errorf("order %s: %w", o.OutTradeNo, err)
	}
	o.Cancelled++
	s.store.saveOrder(o)
	return nil
}

// openCheckout finds the order of a client's request and verifies the request.
func (s *Simulator) openCheckout(request ClientPayment) (*Order, string, error) {
	id, inApp := request.prepayID()
	order := s.store.byPrepay[id]
	if order == nil {
		return nil, "", fmt.Errorf("prepay_id %s: %w", id, ErrNotFound)
	}
	m := s.store.merchants[order.MchID]
	if m == nil {
		return nil, "", fmt.Errorf("merchant %s: %w", order.MchID, ErrNotFound)
	}
	refuse := func(why string) (*Order, string, error) {
		return nil, "", fmt.Errorf("order %s: %w: %s", order.OutTradeNo, ErrPaySign, why)
	}
	mine := func(given string, numbers ...string) bool { return given != "" && slices.Contains(numbers, given) }
	switch {
	case order.TradeType != "APP" && inApp, order.TradeType != "JSAPI" && !inApp:
		return refuse("the order is of type " + order.TradeType)
	case !mine(request.AppID, order.AppID, order.SubAppID):
		return refuse("appId is none of the order's")
	case request.TimeStamp == "" || request.NonceStr == "" || len(request.NonceStr) > 32:
		return refuse("timeStamp or nonceStr is missing or too long")
	case inApp && !mine(request.PartnerID, order.MchID, order.SubMchID):
		return refuse("partnerid is not the order's merchant")
	case inApp && cmp.Or(request.Package, request.PackageValue) != appPackage:
		return refuse("package is not " + appPackage)
	case !inApp && !strings.HasPrefix(request.Package, "prepay_id="):
		return refuse("package does not begin with prepay_id=")
	}
	verify := s.verifiesPaySignV2
	if order.Protocol == ProtocolV3 {
		verify = s.verifiesPaySignV3
	}
	if !verify(m, order, request, inApp) {
		return refuse("the signature does not fit")
	}
	return order, id, nil
}

// signTypeOfPrepay is the sign type of the call that issued a prepay_id.
func (o *Order) signTypeOfPrepay(id string) SignType {
	for _, prepay := range o.Prepays {
		if prepay.ID == id && prepay.SignType != "" {
			return prepay.SignType
		}
	}
	return o.SignType
}
