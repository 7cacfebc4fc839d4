package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"reflect"
	"slices"
	"time"
)

// OrderState is the state of an order in order shipping management.
type OrderState int

// The order states.
const (
	ToShip            OrderState = 1
	Shipped           OrderState = 2
	Confirmed         OrderState = 3
	Completed         OrderState = 4
	OrderRefunded     OrderState = 5
	SettlementPending OrderState = 6
)

// Shipping is the shipping information of an order.
type Shipping struct {
	AppID         string        `json:"appid"`
	MchID         string        `json:"mchid"`
	OutTradeNo    string        `json:"out_trade_no"`
	TransactionID string        `json:"transaction_id"`
	LogisticsType LogisticsType `json:"logistics_type"`
	DeliveryMode  DeliveryMode  `json:"delivery_mode"`
	Parcels       []Parcel      `json:"parcels"`
	// Finished says that everything is shipped; FinishCount is 2 when the one chance to ship again is
	// used.
	Finished    bool      `json:"finished"`
	FinishCount int       `json:"finish_count"`
	UploadTime  time.Time `json:"upload_time"`
	// Received is Confirmed or Completed once the payer has the goods.
	Received OrderState `json:"received,omitempty"`
}

// upload is POST /wxa/sec/order/upload_shipping_info.
func (s *Simulator) upload(a *app, body []byte, noted *Call) (any, error) {
	noteOfUpload := Upload{Time: s.now(), AppID: a.AppID, Body: compact(body)}
	err := s.uploadAndNote(a, body, &noteOfUpload)
	if refused, isFailure := err.(failure); isFailure { //nolint:errorlint // made two calls below
		noteOfUpload.Errcode = refused.code
	}
	noted.Number = noteOfUpload.OutTradeNo
	s.journal.Uploads = append(s.journal.Uploads, noteOfUpload)
	s.state.Note("", entry{Upload: &noteOfUpload})
	return nil, err
}

func (s *Simulator) uploadAndNote(a *app, body []byte, note *Upload) error {
	var request uploadRequest
	if err := decode(body, &request); err != nil {
		return err
	}
	at, err := request.check()
	if err != nil {
		return err
	}
	order, found := s.find(request)
	if found {
		note.MchID, note.OutTradeNo = merchantOf(order), order.OutTradeNo
	}
	if found && order.Payment == nil {
		s.violate(ViolationUnpaid, a.AppID, order.OutTradeNo, "the order is not paid")
	}
	if !found || !s.knows(a, order) {
		return refuse(CodePaymentNotFound, "支付单不存在")
	}
	if order.Payment.OpenIDs[a.AppID] != request.Payer.OpenID {
		return refuse(CodeNotOfPayer, "该笔支付单不属于openid所指定的用户")
	}
	if err := s.ship(a, order, request, at); err != nil {
		return err
	}
	s.keepShipping(s.shipped[order.Payment.TransactionID])
	return nil
}

// keepShipping writes the shipping information of an order as it is now.
func (s *Simulator) keepShipping(known *Shipping) {
	s.state.Note("shipping/"+known.TransactionID, entry{Shipping: known})
}

func (s *Simulator) find(request uploadRequest) (Order, bool) {
	if request.OrderKey.OrderNumberType == byTransaction {
		return s.payments.Transaction(request.OrderKey.TransactionID)
	}
	order, found := s.payments.Order(request.OrderKey.MchID, request.OrderKey.OutTradeNo)
	return order, found && merchantOf(order) == request.OrderKey.MchID
}

// merchantOf is the number under which this system has an order: in service-provider mode the sub
// merchant's.
func merchantOf(o Order) string {
	if o.SubMchID != "" {
		return o.SubMchID
	}
	return o.MchID
}

// knows reports whether a payment of the mini program has reached this system.
func (s *Simulator) knows(a *app, o Order) bool {
	if o.Payment == nil || o.Payment.OpenIDs[a.AppID] == "" {
		return false
	}
	delay := s.rules.OrderDelay
	if delay == 0 {
		hash := fnv.New32a()
		_, _ = hash.Write([]byte(o.Payment.TransactionID))
		delay = s.rules.longestDelay * time.Duration(5+hash.Sum32()%56) / 60 // 5 to 60 seconds, scaled
	}
	return s.now().Sub(o.Payment.Time) >= delay
}

// ship takes an upload for an order that may be shipped.
func (s *Simulator) ship(a *app, o Order, request uploadRequest, at time.Time) error {
	known := s.shipped[o.Payment.TransactionID]
	whole := request.DeliveryMode == Unified || *request.IsAllDelivered
	switch {
	case s.stateOf(o, known) >= Confirmed:
		return refuse(CodeNotShippable, "支付单处于不可发货的状态")
	case known == nil:
		known = &Shipping{AppID: a.AppID, MchID: merchantOf(o), OutTradeNo: o.OutTradeNo, TransactionID: o.Payment.TransactionID}
		s.shipped[known.TransactionID] = known
		s.order = append(s.order, known)
		known.replace(request, at, whole)
		return nil
	case known.holds(request) && (known.Finished || !whole):
		if known.Finished && request.DeliveryMode == Split && !whole {
			return refuse(CodeAlreadyShipped, "支付单已完成发货，无法继续发货")
		}
		return refuse(CodeNothingChanged, "发货信息未更新")
	case !at.After(known.UploadTime):
		return refuse(CodeParameter, "参数错误: upload_time须晚于上一次上传")
	case !known.Finished && request.DeliveryMode == known.DeliveryMode && known.together(request) > maxParcels:
		return refuse(CodeListTooLong, "物流信息列表太长")
	case !known.Finished && request.DeliveryMode == known.DeliveryMode:
		known.add(request, at, whole)
		return nil
	case known.FinishCount >= 2:
		return refuse(CodeReshipUsed, "支付单已使用重新发货机会")
	}
	s.violate(ViolationReship, a.AppID, o.OutTradeNo, fmt.Sprintf("%d parcels by logistics type %d", len(request.ShippingList), request.LogisticsType))
	known.FinishCount = 1 // the chance is used, whether or not the first delivery was complete
	known.replace(request, at, true)
	return nil
}

// replace takes an upload as all that is known.
func (k *Shipping) replace(request uploadRequest, at time.Time, whole bool) {
	k.Parcels = nil
	k.LogisticsType, k.DeliveryMode = request.LogisticsType, request.DeliveryMode
	k.add(request, at, whole)
}

// add takes an upload of a split delivery: its parcels come to those that are known.
func (k *Shipping) add(request uploadRequest, at time.Time, whole bool) {
	for _, parcel := range request.ShippingList {
		if !k.has(parcel) {
			k.Parcels = append(k.Parcels, parcel)
		}
	}
	k.UploadTime, k.Finished = at, whole
	if whole {
		k.FinishCount++
	}
}

// together counts the parcels that are known with those of an upload.
func (k *Shipping) together(request uploadRequest) int {
	count := len(k.Parcels)
	for _, parcel := range request.ShippingList {
		if !k.has(parcel) {
			count++
		}
	}
	return count
}

func (k *Shipping) has(parcel Parcel) bool {
	return slices.ContainsFunc(k.Parcels, func(known Parcel) bool { return reflect.DeepEqual(known, parcel) })
}

// holds reports whether an upload says nothing new.
func (k *Shipping) holds(request uploadRequest) bool {
	return k.DeliveryMode == request.DeliveryMode && k.LogisticsType == request.LogisticsType &&
		!slices.ContainsFunc(request.ShippingList, func(p Parcel) bool { return !k.has(p) })
}

// stateOf is an order's state here.
func (s *Simulator) stateOf(o Order, known *Shipping) OrderState {
	switch {
	case o.Refunded:
		return OrderRefunded
	case known == nil:
		return ToShip
	case known.Received != 0:
		return known.Received
	case known.Finished:
		return Shipped
	}
	return ToShip
}

// Receive plays the payer who confirms that the goods came (Confirmed), or the time that does so
// (Completed).
func (s *Simulator) Receive(mchID, outTradeNo string, state OrderState) error {
	if state != Confirmed && state != Completed {
		return fmt.Errorf("%w: order state %d", ErrInvalid, state)
	}
	order, _ := s.payments.Order(mchID, outTradeNo)
	s.mu.Lock()
	defer s.mu.Unlock()
	if order.Payment == nil || s.shipped[order.Payment.TransactionID] == nil {
		return fmt.Errorf("shipping of order %s: %w", outTradeNo, ErrNotFound)
	}
	known := s.shipped[order.Payment.TransactionID]
	known.Received = state
	s.keepShipping(known)
	return s.state.Flush()
}

// compact keeps a body that is not JSON as a text, so that the journal stays JSON.
func compact(body []byte) json.RawMessage {
	var out bytes.Buffer
	if json.Compact(&out, body) != nil {
		quoted, _ := json.Marshal(string(body))
		return quoted
	}
	return out.Bytes()
}
