package v3

import (
	"cmp"
	"errors"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/wechatpay-operator/wechatpay-operator/internal/text"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// transaction is an order in an answer to a query and in a callback, which share their members.
type transaction struct {
	Parties       parties `json:",inline"`
	OutTradeNo    string  `json:"out_trade_no"`
	TransactionID string  `json:"transaction_id"`
	TradeType     string  `json:"trade_type"`
	TradeState    string  `json:"trade_state"`
	BankType      string  `json:"bank_type"`
	Attach        string  `json:"attach"`
	SuccessTime   string  `json:"success_time"`
	Payer         payer   `json:"payer"`
	Amount        struct {
		Total         int64  `json:"total"`
		PayerTotal    *int64 `json:"payer_total"`
		Currency      string `json:"currency"`
		PayerCurrency string `json:"payer_currency"`
	} `json:"amount"`
}

// otherMembers distinguish contents of other products from a transaction: members of combined
// orders, and of shared profits, whose events and types are called the same.
type otherMembers struct {
	CombineOutTradeNo jsontext.Value `json:"combine_out_trade_no"`
	SubOrders         jsontext.Value `json:"sub_orders"`
	OrderID           jsontext.Value `json:"order_id"`
	OutOrderNo        jsontext.Value `json:"out_order_no"`
	Receiver          jsontext.Value `json:"receiver"`
	Receivers         jsontext.Value `json:"receivers"`
}

func (o *otherMembers) areCombined() bool { return o.CombineOutTradeNo != nil || o.SubOrders != nil }

func (o *otherMembers) areShared() bool {
	return o.OrderID != nil || o.OutOrderNo != nil || o.Receiver != nil || o.Receivers != nil
}

// isOther reports whether a content is another product's. Its members may have other types than a
// transaction's of the same names, so none of those is read.
func isOther(content []byte) bool {
	var parsed struct {
		Others     otherMembers   `json:",inline"`
		TradeState jsontext.Value `json:"trade_state"`
	}
	err := readJSON(content, &parsed)
	return err == nil && (parsed.Others.areCombined() || parsed.TradeState == nil && parsed.Others.areShared())
}

// payment returns the payment of a paid order. It requires the members that identify and record a
// payment; the others may be absent.
func (t *transaction) payment() (wechatpay.Payment, error) {
	appID := cmp.Or(t.Parties.AppID, t.Parties.SpAppID)
	switch {
	case appID == "":
		return wechatpay.Payment{}, errors.New("appid is missing")
	case t.Amount.Total <= 0 || t.Amount.Total > maxAmount:
		return wechatpay.Payment{}, errors.New("amount.total is not an amount")
	case t.TransactionID == "":
		return wechatpay.Payment{}, errors.New("transaction_id is missing")
	case !text.IsClean(t.TransactionID):
		return wechatpay.Payment{}, errors.New("transaction_id holds control characters")
	case t.OutTradeNo == "":
		return wechatpay.Payment{}, errors.New("out_trade_no is missing")
	}
	cash := amountIfSaid(t.Amount.PayerTotal, t.Amount.Total)
	return wechatpay.Payment{
		AppID:         appID,
		MchID:         cmp.Or(t.Parties.MchID, t.Parties.SpMchID),
		OutTradeNo:    t.OutTradeNo,
		TransactionID: t.TransactionID,
		Total:         t.Amount.Total,
		Currency:      cmp.Or(t.Amount.Currency, currency),
		CashTotal:     cash,
		CashCurrency:  t.Amount.PayerCurrency,
		CouponTotal:   couponTotal(t.Amount.Total, cash),
		OpenID:        cmp.Or(t.Payer.OpenID, t.Payer.SpOpenID),
		SubOpenID:     t.Payer.SubOpenID,
		BankType:      t.BankType,
		PaidTime:      timeIfSaid(t.SuccessTime),
		TradeType:     t.TradeType,
		Attach:        t.Attach,
	}, nil
}

// amountIfSaid returns an informational amount, or nil if it is missing or impossible: a payment
// must not be lost because of it.
func amountIfSaid(amount *int64, most int64) *int64 {
	if amount == nil || *amount < 0 || *amount > most {
		return nil
	}
	return amount
}

// couponTotal is what coupons paid: the amount less what the payer paid.
func couponTotal(total int64, cash *int64) *int64 {
	if cash == nil || *cash == total {
		return nil
	}
	coupons := total - *cash
	return &coupons
}
