package simulator

import "time"

// orderRequest is the body of get_order. Its members have other names than those of
// upload_shipping_info.
type orderRequest struct {
	TransactionID   string `json:"transaction_id"`
	MerchantID      string `json:"merchant_id"`
	SubMerchantID   string `json:"sub_merchant_id"`
	MerchantTradeNo string `json:"merchant_trade_no"`
}

type orderReply struct {
	errorReply
	Order orderView `json:"order"`
}

type orderView struct {
	TransactionID   string       `json:"transaction_id"`
	MerchantID      string       `json:"merchant_id"`
	SubMerchantID   string       `json:"sub_merchant_id,omitempty"`
	MerchantTradeNo string       `json:"merchant_trade_no"`
	Description     string       `json:"description"`
	PaidAmount      int64        `json:"paid_amount"`
	OpenID          string       `json:"openid"`
	TradeCreateTime int64        `json:"trade_create_time"`
	PayTime         int64        `json:"pay_time"`
	OrderState      OrderState   `json:"order_state"`
	InComplaint     bool         `json:"in_complaint"`
	Shipping        shippingView `json:"shipping"`
}

type shippingView struct {
	DeliveryMode        DeliveryMode  `json:"delivery_mode,omitempty"`
	LogisticsType       LogisticsType `json:"logistics_type,omitempty"`
	FinishShipping      bool          `json:"finish_shipping"`
	FinishShippingCount int           `json:"finish_shipping_count"`
	GoodsDesc           string        `json:"goods_desc"`
	ShippingList        []parcelView  `json:"shipping_list"`
}

type parcelView struct {
	TrackingNo     string   `json:"tracking_no,omitempty"`
	ExpressCompany string   `json:"express_company,omitempty"`
	GoodsDesc      string   `json:"goods_desc"`
	UploadTime     int64    `json:"upload_time"`
	Contact        *Contact `json:"contact,omitempty"`
}

// getOrder is POST /wxa/sec/order/get_order.
func (s *Simulator) getOrder(a *app, body []byte, noted *Call) (any, error) {
	var request orderRequest
	if err := decode(body, &request); err != nil {
		return nil, err
	}
	order, found := s.asked(request)
	if found {
		noted.Number = order.OutTradeNo
	}
	if !found || !s.knows(a, order) {
		return nil, refuse(CodePaymentNotFound, "支付单不存在")
	}
	known := s.shipped[order.Payment.TransactionID]
	reply := orderReply{errorReply: errorReply{Errmsg: "ok"}, Order: orderView{
		TransactionID: order.Payment.TransactionID, MerchantID: order.MchID, SubMerchantID: order.SubMchID,
		MerchantTradeNo: order.OutTradeNo, Description: order.Description, PaidAmount: order.Payment.Total,
		OpenID: order.Payment.OpenIDs[a.AppID], TradeCreateTime: order.CreateTime.Unix(), PayTime: order.Payment.Time.Unix(),
		OrderState: s.stateOf(order, known), Shipping: shippingView{ShippingList: []parcelView{}},
	}}
	if known != nil {
		reply.Order.Shipping = known.view()
	}
	return reply, nil
}

func (s *Simulator) asked(request orderRequest) (Order, bool) {
	if request.TransactionID != "" {
		return s.payments.Transaction(request.TransactionID)
	}
	mchID := request.MerchantID
	if request.SubMerchantID != "" {
		mchID = request.SubMerchantID
	}
	order, found := s.payments.Order(mchID, request.MerchantTradeNo)
	return order, found && order.MchID == request.MerchantID && order.SubMchID == request.SubMerchantID
}

func (k *Shipping) view() shippingView {
	view := shippingView{
		DeliveryMode: k.DeliveryMode, LogisticsType: k.LogisticsType, FinishShipping: k.Finished, FinishShippingCount: k.FinishCount,
	}
	for _, parcel := range k.Parcels {
		view.GoodsDesc = parcel.ItemDesc
		view.ShippingList = append(view.ShippingList, parcelView{
			TrackingNo: parcel.TrackingNo, ExpressCompany: parcel.ExpressCompany, GoodsDesc: parcel.ItemDesc,
			UploadTime: k.UploadTime.Truncate(time.Second).Unix(), Contact: parcel.Contact,
		})
	}
	return view
}

type managedReply struct {
	errorReply
	IsTradeManaged bool `json:"is_trade_managed"`
}

// isTradeManaged is POST /wxa/sec/order/is_trade_managed.
func (s *Simulator) isTradeManaged(a *app, body []byte, _ *Call) (any, error) {
	var request struct {
		AppID string `json:"appid"`
	}
	if err := decode(body, &request); err != nil {
		return nil, err
	}
	if request.AppID != a.AppID {
		return nil, refuse(CodeInvalidAppID, "invalid appid")
	}
	return managedReply{errorReply: errorReply{Errmsg: "ok"}, IsTradeManaged: !a.Unmanaged}, nil
}
