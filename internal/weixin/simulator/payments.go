package simulator

import (
	"time"

	wechatpay "github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

// Payments is what the order shipping system hears of WeChat Pay.
type Payments interface {
	// Order returns the order of a merchant number; in service-provider mode that of the sub merchant.
	Order(mchID, outTradeNo string) (Order, bool)
	// Transaction returns the order that a transaction paid.
	Transaction(id string) (Order, bool)
}

// Order is an order of WeChat Pay.
type Order struct {
	MchID, SubMchID, OutTradeNo, Description string
	CreateTime                               time.Time
	// Payment is nil until the order is paid.
	Payment *Payment
	// Refunded is true when everything that was paid is refunded.
	Refunded bool
}

// Payment is the payment of an order.
type Payment struct {
	TransactionID string
	Time          time.Time
	Total         int64
	// OpenIDs are the payer's, by the appid that each belongs to.
	OpenIDs map[string]string
}

// WeChatPay connects the WeChat Pay simulator.
func WeChatPay(pay *wechatpay.Simulator) Payments { return payLedger{pay} }

type payLedger struct{ pay *wechatpay.Simulator }

func (l payLedger) Order(mchID, outTradeNo string) (Order, bool) {
	order, found := l.pay.Order(mchID, outTradeNo)
	return orderOf(order), found
}

func (l payLedger) Transaction(id string) (Order, bool) {
	order, found := l.pay.OrderByTransaction(id)
	return orderOf(order), found
}

func orderOf(o wechatpay.Order) Order {
	out := Order{MchID: o.MchID, SubMchID: o.SubMchID, OutTradeNo: o.OutTradeNo, Description: o.Description, CreateTime: o.CreateTime}
	if o.Payment == nil {
		return out
	}
	out.Payment = &Payment{
		TransactionID: o.Payment.TransactionID, Time: o.Payment.Time, Total: o.Payment.TotalFee,
		OpenIDs: map[string]string{o.AppID: o.Payment.OpenID},
	}
	if o.SubAppID != "" {
		out.Payment.OpenIDs[o.SubAppID] = o.Payment.SubOpenID
	}
	out.Refunded = o.Sums.Refunded >= o.Sums.Paid
	return out
}
