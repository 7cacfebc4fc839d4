package v3

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// What WeChat accepts, by its documentation of the prepay calls. Lengths are in characters, but for
// detail, which counts in bytes.
const (
	maxDetail   = 6144
	letters     = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-"
	ofNumbers   = letters + "|*"
	ofRefundNos = ofNumbers + "@"
)

// checkOrder rejects, before sending, an order that WeChat could not accept. Its errors name the
// parameters as an Order does, where it has them.
func (c *Client) checkOrder(request wechatpay.OrderRequest) error {
	switch {
	case request.AppID == "":
		return errors.New("the appid is missing")
	case request.Total <= 0 || request.Total > maxAmount:
		return errors.New("the amount is out of range")
	case request.Currency != "" && request.Currency != currency:
		return errors.New("WeChat Pay's protocol V3 takes no other currency than CNY here")
	case request.Description == "":
		return errors.New("the description is missing")
	case request.Goods != nil && request.Goods.CostPrice < 0:
		return errors.New("goods.costPrice is negative")
	}
	return cmp.Or(checkOutTradeNo(request.OutTradeNo), checkNotifyURL(request.NotifyURL, 255),
		c.checkPayer(request), checkTexts(request), checkGoods(request), checkScene(request))
}

// checkOutTradeNo checks the number of an order, which is a part of addresses too.
func checkOutTradeNo(number string) error {
	if len(number) < 6 || len(number) > 32 || strings.Trim(number, ofNumbers) != "" {
		return errors.New("the order's number is not 6 to 32 characters of [0-9A-Za-z_-|*]")
	}
	return nil
}

// checkOutRefundNo checks the number of a refund.
func checkOutRefundNo(number string) error {
	if number == "" || len(number) > 64 || strings.Trim(number, ofRefundNos) != "" {
		return errors.New("the refund's number is not 1 to 64 characters of [0-9A-Za-z_-|*@]")
	}
	return nil
}

// checkNotifyURL: WeChat calls back only a complete address without a query. WeChat's own
// hosts accept public https addresses only, which is checked when the Merchant is read; a simulator
// or a proxy accepts others.
func checkNotifyURL(address string, most int) error {
	switch {
	case !strings.HasPrefix(address, "https://") && !strings.HasPrefix(address, "http://"):
		return errors.New("the callback's URL does not begin with https://")
	case strings.ContainsAny(address, "?#"):
		return errors.New("the callback's URL has a query or a fragment")
	case len(address) > most:
		return fmt.Errorf("the callback's URL has %d characters: WeChat Pay takes %d", len(address), most)
	default:
		return nil
	}
}

// checkPayer: an openid belongs to one appid, and the payer pays in the app of one of them.
func (c *Client) checkPayer(request wechatpay.OrderRequest) error {
	subAppID := ""
	if c.settings.Partner != nil {
		subAppID = c.settings.Partner.SubAppID
	}
	switch {
	case request.SubOpenID != "" && c.settings.Partner == nil:
		return errors.New("payer.subOpenID is for the Merchants of service providers")
	case request.SubOpenID != "" && subAppID == "":
		return errors.New("payer.subOpenID takes the sub merchant's appid, which the Merchant does not have")
	case request.SubOpenID != "" && request.OpenID != "":
		return errors.New("payer has both openID and subOpenID")
	case request.PayerAppID != "" && request.PayerAppID != request.AppID && request.PayerAppID != subAppID:
		return errors.New("the appid in which the payer pays is neither the Merchant's nor the sub merchant's")
	case request.TradeType == wechatpay.TradeTypeJSAPI && request.OpenID == "" && request.SubOpenID == "":
		return errors.New("JSAPI takes the payer's openid")
	default:
		return within("payer", 128, request.OpenID, request.SubOpenID)
	}
}

func checkTexts(request wechatpay.OrderRequest) error {
	return cmp.Or(
		within("description", 127, request.Description),
		within("attach", 128, request.Attach),
		within("goodsTag", 32, request.GoodsTag),
		within("deviceInfo", 32, request.DeviceInfo),
		within("clientIP", 45, request.ClientIP),
	)
}

func checkGoods(request wechatpay.OrderRequest) error {
	if request.Goods == nil {
		return nil
	}
	if err := within("goods.receiptID", 32, request.Goods.ReceiptID); err != nil {
		return err
	}
	for i, item := range request.Goods.Items {
		if err := checkGoodsItem(item); err != nil {
			return fmt.Errorf("goods.items[%d]: %w", i, err)
		}
	}
	written, err := json.Marshal(detailOf(request.Goods))
	if err != nil {
		return errors.New("goods are not UTF-8")
	}
	if len(written) > maxDetail {
		return fmt.Errorf("the goods come to %d bytes: WeChat Pay's protocol V3 takes %d. Create another Order with less", len(written), maxDetail)
	}
	return nil
}

func checkGoodsItem(item wechatpay.GoodsItem) error {
	switch {
	case item.ID == "" || strings.Trim(item.ID, letters) != "":
		return errors.New("id is not characters of [0-9A-Za-z_-]")
	case item.Quantity <= 0 || item.Quantity > maxAmount:
		return errors.New("quantity is out of range")
	case item.Price < 0 || item.Price > maxAmount:
		return errors.New("price is out of range")
	default:
		return cmp.Or(within("id", 32, item.ID), within("weChatID", 32, item.WeChatID), within("name", 256, item.Name))
	}
}

func checkScene(request wechatpay.OrderRequest) error {
	if store := request.Store; store != nil {
		if store.ID == "" {
			return errors.New("store.id is missing")
		}
		if err := cmp.Or(within("store.id", 32, store.ID), within("store.name", 256, store.Name),
			within("store.areaCode", 32, store.AreaCode), within("store.address", 512, store.Address)); err != nil {
			return err
		}
	}
	h5 := request.H5
	switch isH5 := request.TradeType == wechatpay.TradeTypeMWEB; {
	case isH5 && h5 == nil:
		return errors.New("MWEB takes h5, which says what sends the payer to WeChat")
	case isH5 && request.ClientIP == "":
		return errors.New("MWEB takes the payer's address (clientIP): WeChat Pay compares it with that of the browser")
	case !isH5 && h5 != nil:
		return errors.New("h5 is for MWEB only")
	case h5 == nil:
		return nil
	default:
		return cmp.Or(within("h5.name", 64, h5.Name), within("h5.url", 128, h5.URL),
			within("h5.bundleID", 128, h5.BundleID), within("h5.packageName", 128, h5.PackageName))
	}
}

// within checks that texts have at most so many characters, and none of four bytes in UTF-8, which
// WeChat refuses.
func within(name string, most int, texts ...string) error {
	for _, text := range texts {
		switch length := utf8.RuneCountInString(text); {
		case !utf8.ValidString(text):
			return errors.New(name + " is not UTF-8")
		case length > most:
			return fmt.Errorf("%s has %d characters: WeChat Pay takes %d", name, length, most)
		case strings.ContainsFunc(text, hasFourBytes):
			return errors.New(name + " holds an emoji or another character of four bytes in UTF-8, which WeChat Pay does not take")
		}
	}
	return nil
}

func hasFourBytes(r rune) bool { return r > 0xFFFF }

// withoutFourBytes leaves out the characters that WeChat refuses.
func withoutFourBytes(text string) string {
	return strings.Map(func(r rune) rune {
		if hasFourBytes(r) {
			return -1
		}
		return r
	}, text)
}
