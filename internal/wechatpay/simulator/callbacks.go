package simulator

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
)

// callBackPayment schedules the callback of a payment.
func (s *Simulator) callBackPayment(o *Order) {
	s.callBack(&Callback{
		Protocol: o.Protocol, Operation: OperationPaymentCallback, MchID: o.MchID, Number: o.OutTradeNo, URL: o.NotifyURL,
	})
}

// callBackRefund schedules the callback of a refund, if it has a notify_url.
func (s *Simulator) callBackRefund(r *Refund) {
	if r.NotifyURL != "" {
		s.callBack(&Callback{
			Protocol: r.Protocol, Operation: OperationRefundCallback, MchID: r.MchID, Number: r.OutRefundNo, URL: r.NotifyURL,
			RefundStatus: r.Status,
		})
	}
}

func (s *Simulator) callBack(c *Callback) {
	now := s.now()
	if c.Protocol == ProtocolV3 {
		if m := s.store.merchants[c.MchID]; m == nil || m.APIV3Key == "" {
			s.logger.Warn("no callback, because the merchant has no APIv3 key", "merchant", c.MchID, "number", c.Number)
			return
		}
		c.EventID, c.EventTime = newEventID(), &now
	}
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
// ones that a shop must not take.
var (
	tampering = []FaultKind{FaultForge, FaultWrongAmount, FaultWrongCurrency, FaultWrongMchID, FaultWrongSubMchID, FaultMD5,
		FaultUnsigned, FaultSignTest, FaultUnknownSerial, FaultReplay, FaultWrongKey}
	forgery = []FaultKind{FaultForge, FaultWrongMchID, FaultWrongSubMchID, FaultMD5, FaultUnsigned, FaultSignTest, FaultUnknownSerial,
		FaultReplay, FaultWrongKey}
)

// foreignMchID is a merchant number that belongs to nobody.
const foreignMchID = "1999999999"

// notification is a callback as it is sent.
type notification struct {
	header   http.Header
	document []byte
	// sign sets the signature headers of API v3; nil if there are none. It takes a while, so it is
	// called without the lock.
	sign func()
}

// compose builds a callback as it is sent now, with the merchant's current keys.
func (s *Simulator) compose(c *Callback, f *Fault) (notification, error) {
	m := s.store.merchants[c.MchID]
	if m == nil {
		return notification{}, fmt.Errorf("merchant %s: %w", c.MchID, ErrNotFound)
	}
	if c.Protocol == ProtocolV3 {
		return s.composeV3(c, m, f)
	}
	return s.composeV2(c, m, f)
}
