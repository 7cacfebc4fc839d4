package weixin

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// Logistics is how goods reach the payer.
type Logistics int

// The kinds of logistics, by WeChat's number.
const (
	Express    Logistics = 1
	SameCity   Logistics = 2
	Virtual    Logistics = 3
	SelfPickup Logistics = 4
)

// OrderRef names an order of WeChat Pay in order shipping management.
type OrderRef struct {
	// MchID is the merchant number; SubMchID is that of the sub merchant in service-provider mode.
	MchID, SubMchID, OutTradeNo string
}

// Parcel is one parcel, or what is handed over at once.
type Parcel struct {
	TrackingNumber, Carrier, Items string
	// ConsignorContact and ReceiverContact are masked telephone numbers.
	ConsignorContact, ReceiverContact string
}

// Shipping is an upload. All of it follows from immutable fields, so a repeated upload is
// identical.
type Shipping struct {
	Order     OrderRef
	OpenID    string
	Logistics Logistics
	Parcels   []Parcel
	// Split says that this is a part of what was bought; Complete that it is the last one.
	Split, Complete bool
	// UploadTime orders the uploads of one order.
	UploadTime time.Time
}

type (
	uploadRequest struct {
		OrderKey       orderKey  `json:"order_key"`
		LogisticsType  Logistics `json:"logistics_type"`
		DeliveryMode   int       `json:"delivery_mode"`
		IsAllDelivered *bool     `json:"is_all_delivered,omitempty"`
		ShippingList   []parcel  `json:"shipping_list"`
		UploadTime     string    `json:"upload_time"`
		Payer          payer     `json:"payer"`
	}
	orderKey struct {
		OrderNumberType int    `json:"order_number_type"`
		MchID           string `json:"mchid"`
		OutTradeNo      string `json:"out_trade_no"`
	}
	parcel struct {
		TrackingNo     string   `json:"tracking_no,omitempty"`
		ExpressCompany string   `json:"express_company,omitempty"`
		ItemDesc       string   `json:"item_desc"`
		Contact        *contact `json:"contact,omitempty"`
	}
	contact struct {
		ConsignorContact string `json:"consignor_contact,omitempty"`
		ReceiverContact  string `json:"receiver_contact,omitempty"`
	}
	payer struct {
		OpenID string `json:"openid"`
	}
)

// WeChat's numbers: an order by the merchant's number, and the delivery modes.
const (
	byOutTradeNo = 1
	modeUnified  = 1
	modeSplit    = 2
)

// uploadTimeFormat is RFC 3339 with milliseconds.
const uploadTimeFormat = "2006-01-02T15:04:05.000Z07:00"

// beijing is the offset of WeChat's own examples.
var beijing = time.FixedZone("", 8*3600)

// UploadShipping uploads shipping information.
func (c *Client) UploadShipping(ctx context.Context, shipping Shipping) error {
	return c.call(ctx, OperationUploadShipping, "/wxa/sec/order/upload_shipping_info", requestOf(shipping), nil)
}

func requestOf(s Shipping) uploadRequest {
	request := uploadRequest{
		OrderKey:      orderKey{OrderNumberType: byOutTradeNo, MchID: cmp.Or(s.Order.SubMchID, s.Order.MchID), OutTradeNo: s.Order.OutTradeNo},
		LogisticsType: s.Logistics, DeliveryMode: modeUnified,
		UploadTime: s.UploadTime.In(beijing).Format(uploadTimeFormat), Payer: payer{OpenID: s.OpenID},
	}
	if s.Split {
		request.DeliveryMode, request.IsAllDelivered = modeSplit, &s.Complete
	}
	for _, p := range s.Parcels {
		sent := parcel{TrackingNo: p.TrackingNumber, ExpressCompany: p.Carrier, ItemDesc: p.Items}
		if p.ConsignorContact != "" || p.ReceiverContact != "" {
			sent.Contact = &contact{ConsignorContact: p.ConsignorContact, ReceiverContact: p.ReceiverContact}
		}
		request.ShippingList = append(request.ShippingList, sent)
	}
	return request
}

// OrderState is the state of an order in order shipping management.
type OrderState int

// The order states, by WeChat's number.
const (
	StateToShip            OrderState = 1
	StateShipped           OrderState = 2
	StateConfirmed         OrderState = 3
	StateCompleted         OrderState = 4
	StateRefunded          OrderState = 5
	StateSettlementPending OrderState = 6
)

// Order is an order in order shipping management.
type Order struct {
	// TransactionID names the payment.
	TransactionID string
	State         OrderState
	Logistics     Logistics
	// Complete says that everything is shipped.
	Complete bool
	Parcels  []Parcel
}

// Has reports whether WeChat has all parcels of an upload.
func (o Order) Has(s Shipping) bool {
	if len(o.Parcels) == 0 || o.Logistics != s.Logistics || (!s.Split || s.Complete) && !o.Complete {
		return false
	}
	return !slices.ContainsFunc(s.Parcels, func(wanted Parcel) bool { return !slices.ContainsFunc(o.Parcels, wanted.is) })
}

// is reports whether a parcel that WeChat has is this one. Without a tracking number only the
// description can be compared.
func (p Parcel) is(known Parcel) bool {
	return known.TrackingNumber == p.TrackingNumber && known.Carrier == p.Carrier && (p.TrackingNumber != "" || known.Items == p.Items)
}

type (
	orderRequest struct {
		MerchantID      string `json:"merchant_id"`
		SubMerchantID   string `json:"sub_merchant_id,omitempty"`
		MerchantTradeNo string `json:"merchant_trade_no"`
	}
	orderAnswer struct {
		Order *struct {
			TransactionID   string     `json:"transaction_id"`
			MerchantTradeNo string     `json:"merchant_trade_no"`
			OrderState      OrderState `json:"order_state"`
			Shipping        struct {
				LogisticsType  Logistics `json:"logistics_type"`
				FinishShipping bool      `json:"finish_shipping"`
				ShippingList   []struct {
					TrackingNo     string `json:"tracking_no"`
					ExpressCompany string `json:"express_company"`
					GoodsDesc      string `json:"goods_desc"`
				} `json:"shipping_list"`
			} `json:"shipping"`
		} `json:"order"`
	}
)

// GetOrder queries an order in order shipping management.
func (c *Client) GetOrder(ctx context.Context, order OrderRef) (Order, error) {
	var answer orderAnswer
	request := orderRequest{MerchantID: order.MchID, SubMerchantID: order.SubMchID, MerchantTradeNo: order.OutTradeNo}
	if err := c.call(ctx, OperationGetOrder, "/wxa/sec/order/get_order", request, &answer); err != nil {
		return Order{}, err
	}
	if answer.Order == nil || answer.Order.MerchantTradeNo != order.OutTradeNo {
		return Order{}, &Error{Operation: OperationGetOrder, Outcome: wechatpay.Unknown, Meaning: Repeat, Err: errors.New("GetOrder: the answer is about another order")}
	}
	shipping := answer.Order.Shipping
	found := Order{TransactionID: answer.Order.TransactionID, State: answer.Order.OrderState, Logistics: shipping.LogisticsType, Complete: shipping.FinishShipping}
	for _, p := range shipping.ShippingList {
		found.Parcels = append(found.Parcels, Parcel{TrackingNumber: p.TrackingNo, Carrier: p.ExpressCompany, Items: p.GoodsDesc})
	}
	return found, nil
}

// IsTradeManaged reports whether order shipping management holds the money of this mini program until
// shipping information is uploaded.
func (c *Client) IsTradeManaged(ctx context.Context) (bool, error) {
	var answer struct {
		IsTradeManaged *bool `json:"is_trade_managed"`
	}
	if err := c.call(ctx, OperationIsTradeManaged, "/wxa/sec/order/is_trade_managed", map[string]string{"appid": c.settings.AppID}, &answer); err != nil {
		return false, err
	}
	if answer.IsTradeManaged == nil {
		return false, &Error{Operation: OperationIsTradeManaged, Outcome: wechatpay.Unknown, Meaning: Repeat, Err: errors.New("IsTradeManaged: the answer does not say it")}
	}
	return *answer.IsTradeManaged, nil
}
