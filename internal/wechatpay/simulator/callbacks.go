package simulator

import (
	"fmt"
	"slices"
	"strconv"
)

// callBackPayment schedules the callback of a payment.
func (s *Simulator) callBackPayment(o *Order) {
	s.callBack(&Callback{
		Operation: OperationPaymentCallback, MchID: o.MchID, Number: o.OutTradeNo, URL: o.Params["notify_url"],
	})
}

// callBackRefund schedules the callback of a refund, if it has a notify_url.
func (s *Simulator) callBackRefund(r *Refund) {
	if r.NotifyURL != "" {
		s.callBack(&Callback{
			Operation: OperationRefundCallback, MchID: r.MchID, Number: r.OutRefundNo, URL: r.NotifyURL, RefundStatus: r.Status,
		})
	}
}

func (s *Simulator) callBack(c *Callback) {
	now := s.now()
	c.ID, c.State, c.NextAttempt = strconv.Itoa(len(s.store.callbackList)+1), CallbackPending, &now
	s.store.saveCallback(c)
	s.planDelivery(c)
}

// ResendCallback sends the latest callback of an order or a refund again, now, whether or not it
// was accepted before.
func (s *Simulator) ResendCallback(operation Operation, mchID, number string) error {
	return s.change(func() error {
		for _, c := range slices.Backward(s.store.callbackList) {
			if c.Operation == operation && c.MchID == mchID && c.Number == number {
				now := s.now()
				c.State, c.NextAttempt = CallbackPending, &now
				s.store.saveCallback(c)
				s.planDelivery(c)
				return nil
			}
		}
		return fmt.Errorf("%s for %s: %w", operation, number, ErrNotFound)
	})
}

// tampering are the faults that send a false message: its delivery never counts. forgery are the
// ones that a shop must not answer with SUCCESS.
var (
	tampering = []FaultKind{FaultForge, FaultWrongAmount, FaultWrongCurrency, FaultWrongMchID, FaultMD5, FaultUnsigned}
	forgery   = []FaultKind{FaultForge, FaultWrongMchID, FaultMD5, FaultUnsigned}
)

// foreignMchID is a merchant number that belongs to nobody.
const foreignMchID = "1999999999"

// compose builds a callback as it is sent now, with the merchant's current key.
func (s *Simulator) compose(c *Callback, f *Fault) ([]byte, error) {
	m := s.store.merchants[c.MchID]
	if m == nil {
		return nil, fmt.Errorf("merchant %s: %w", c.MchID, ErrNotFound)
	}
	key := m.APIKey
	kind := FaultKind("")
	if f != nil {
		kind = f.Kind
	}
	if kind == FaultForge {
		key = randomText(32)
	}
	if c.Operation == OperationPaymentCallback {
		return s.composePayment(c, f, kind, key)
	}
	return s.composeRefund(c, f, kind, key)
}

// composePayment signs with the order's sign type. The message has no sign_type, not even for
// HMAC-SHA256.
func (s *Simulator) composePayment(c *Callback, f *Fault, kind FaultKind, key string) ([]byte, error) {
	o := s.store.order(c.MchID, c.Number)
	if o == nil || o.Payment == nil {
		return nil, fmt.Errorf("paid order %s: %w", c.Number, ErrNotFound)
	}
	fields := paymentFields(o)
	fields["return_code"], fields["result_code"] = "SUCCESS", "SUCCESS"
	fields["appid"], fields["mch_id"], fields["version"] = o.AppID, o.MchID, o.Params["version"]
	signType := o.SignType
	switch kind {
	case FaultWrongAmount:
		fields["total_fee"] = formatInt(o.Payment.TotalFee + 1)
	case FaultWrongCurrency:
		fields["fee_type"] = "USD"
		if o.Payment.FeeType == "USD" {
			fields["fee_type"] = "CNY"
		}
	case FaultWrongMchID:
		fields["mch_id"] = foreignMchID
	case FaultMD5:
		signType = MD5
	case FaultExtraFields:
		addExtraFields(fields, f)
	}
	fields = signed(fields, key, signType)
	if kind == FaultUnsigned {
		delete(fields, "sign")
	}
	return formatXML(fields, "xml"), nil
}

// composeRefund encrypts the refund information and signs nothing.
func (s *Simulator) composeRefund(c *Callback, f *Fault, kind FaultKind, key string) ([]byte, error) {
	r := s.store.refund(c.MchID, c.Number)
	if r == nil {
		return nil, fmt.Errorf("refund %s: %w", c.Number, ErrNotFound)
	}
	info, mchID := refundInfo(r, c.RefundStatus, r.SuccessTime), r.MchID
	switch kind {
	case FaultWrongAmount:
		info["refund_fee"] = formatInt(r.RefundFee + 1)
	case FaultWrongMchID:
		mchID = foreignMchID
	case FaultExtraFields:
		addExtraFields(info, f)
	}
	return RefundDocument(r.AppID, mchID, info, key)
}
