package v3

import (
	"context"
	"errors"
	"net/http"

	"github.com/go-json-experiment/json"

	"github.com/wechatpay-operator/wechatpay-operator/internal/text"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/transport"
)

// prepayPaths are the last segments of the paths that create an order.
var prepayPaths = map[wechatpay.TradeType]string{
	wechatpay.TradeTypeJSAPI:  "jsapi",
	wechatpay.TradeTypeNative: "native",
	wechatpay.TradeTypeApp:    "app",
	wechatpay.TradeTypeMWEB:   "h5",
}

// prepayRequest is the body of a prepay. It is written from structs, whose members have one order:
// a repeated call has to be the same call byte for byte. WeChat accepts no null and no member that
// it does not know.
type prepayRequest struct {
	AppID       string      `json:"appid,omitempty"`
	MchID       string      `json:"mchid,omitempty"`
	SpAppID     string      `json:"sp_appid,omitempty"`
	SpMchID     string      `json:"sp_mchid,omitempty"`
	SubAppID    string      `json:"sub_appid,omitempty"`
	SubMchID    string      `json:"sub_mchid,omitempty"`
	Description string      `json:"description"`
	OutTradeNo  string      `json:"out_trade_no"`
	TimeExpire  string      `json:"time_expire,omitempty"`
	Attach      string      `json:"attach,omitempty"`
	NotifyURL   string      `json:"notify_url"`
	GoodsTag    string      `json:"goods_tag,omitempty"`
	LimitPay    []string    `json:"limit_pay,omitempty"`
	Fapiao      bool        `json:"support_fapiao,omitzero"`
	Amount      orderAmount `json:"amount"`
	Payer       *payer      `json:"payer,omitempty"`
	Detail      *detail     `json:"detail,omitempty"`
	SceneInfo   *sceneInfo  `json:"scene_info,omitempty"`
	SettleInfo  *settleInfo `json:"settle_info,omitempty"`
}

type orderAmount struct {
	Total    int64  `json:"total"`
	Currency string `json:"currency"`
}

// payer has the member that the mode and the appid of the payer demand.
type payer struct {
	OpenID    string `json:"openid,omitempty"`
	SpOpenID  string `json:"sp_openid,omitempty"`
	SubOpenID string `json:"sub_openid,omitempty"`
}

type settleInfo struct {
	ProfitSharing bool `json:"profit_sharing"`
}

// prepayAnswer has one member, by the kind of order.
type prepayAnswer struct {
	PrepayID string `json:"prepay_id"`
	CodeURL  string `json:"code_url"`
	H5URL    string `json:"h5_url"`
}

// CreateOrder creates the order, or repeats it: the same parameters with the same number return a
// prepay_id that is valid for another two hours.
func (c *Client) CreateOrder(ctx context.Context, request wechatpay.OrderRequest) (wechatpay.Prepay, error) {
	call, err := c.prepayCall(request)
	if err != nil {
		return wechatpay.Prepay{}, transport.NotSent(wechatpay.OperationCreateOrder, wechatpay.Rejected, err)
	}
	body, failure := c.exchange(ctx, call)
	return transport.Read(wechatpay.OperationCreateOrder, body, failure, func(body []byte) (wechatpay.Prepay, error) {
		prepay, err := readPrepay(body, request.TradeType)
		if err == nil {
			err = c.signParameters(&prepay, request)
		}
		return prepay, err
	})
}

func (c *Client) prepayCall(request wechatpay.OrderRequest) (call, error) {
	path, known := prepayPaths[request.TradeType]
	if !known {
		return call{}, errors.New("the trade type is not JSAPI, NATIVE, APP or MWEB")
	}
	if err := c.checkOrder(request); err != nil {
		return call{}, err
	}
	body, err := json.Marshal(c.prepayRequest(request))
	if err != nil {
		return call{}, errors.New("a parameter is not UTF-8")
	}
	return call{operation: wechatpay.OperationCreateOrder, method: http.MethodPost, target: c.transactions() + "/" + path, body: body}, nil
}

// transactions is the path of the orders, which differs between the modes.
func (c *Client) transactions() string {
	if c.settings.Partner != nil {
		return "/v3/pay/partner/transactions"
	}
	return "/v3/pay/transactions"
}

func (c *Client) prepayRequest(request wechatpay.OrderRequest) prepayRequest {
	written := prepayRequest{
		Description: request.Description,
		OutTradeNo:  request.OutTradeNo,
		TimeExpire:  formatTime(request.ExpireTime),
		Attach:      request.Attach,
		NotifyURL:   request.NotifyURL,
		GoodsTag:    request.GoodsTag,
		Fapiao:      request.Receipt == yes,
		Amount:      orderAmount{Total: request.Total, Currency: currency},
		Payer:       c.payerOf(request),
		Detail:      detailOf(request.Goods),
		SceneInfo:   sceneInfoOf(request),
	}
	if c.settings.Partner == nil {
		written.AppID, written.MchID = request.AppID, c.settings.MchID
	} else {
		written.SpAppID, written.SpMchID = request.AppID, c.settings.MchID
		written.SubAppID, written.SubMchID = c.settings.Partner.SubAppID, c.settings.Partner.SubMchID
	}
	if request.LimitPay != "" {
		written.LimitPay = []string{request.LimitPay}
	}
	if request.ProfitSharing == yes {
		written.SettleInfo = &settleInfo{ProfitSharing: true}
	}
	return written
}

// yes is true in an OrderRequest.
const yes = "Y"

// currency is the only one that these calls accept.
const currency = "CNY"

// payerOf returns who pays. Only a prepay for JSAPI has a payer; the others take none.
func (c *Client) payerOf(request wechatpay.OrderRequest) *payer {
	switch {
	case request.TradeType != wechatpay.TradeTypeJSAPI:
		return nil
	case c.settings.Partner == nil:
		return &payer{OpenID: request.OpenID}
	default:
		return &payer{SpOpenID: request.OpenID, SubOpenID: request.SubOpenID}
	}
}

// readPrepay requires what the payer needs. The URLs are accepted as they are: real ones are longer
// than documented.
func readPrepay(body []byte, tradeType wechatpay.TradeType) (wechatpay.Prepay, error) {
	var answer prepayAnswer
	if err := readJSON(body, &answer); err != nil {
		return wechatpay.Prepay{}, transport.Unreadable(body, err)
	}
	prepay := wechatpay.Prepay{}
	name, needed := "prepay_id", answer.PrepayID
	switch tradeType {
	case wechatpay.TradeTypeNative:
		name, needed, prepay.CodeURL = "code_url", answer.CodeURL, answer.CodeURL
	case wechatpay.TradeTypeMWEB:
		name, needed, prepay.MWEBURL = "h5_url", answer.H5URL, answer.H5URL
	default:
		prepay.ID = answer.PrepayID
	}
	switch {
	case needed == "":
		return wechatpay.Prepay{}, errors.New("the reply has no " + name)
	case !text.IsClean(needed):
		// It works only unmodified, so it is not cleaned.
		return wechatpay.Prepay{}, errors.New(name + " of the reply holds control characters")
	default:
		return prepay, nil
	}
}
