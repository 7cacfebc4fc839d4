package simulator

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// maxPrepays is how many prepay_ids are kept per order.
const maxPrepays = 20

// maxAmount is the maximum of an int32, the type of the protocol's amounts.
const maxAmount = 1<<31 - 1

var (
	outTradeNoFormat  = regexp.MustCompile(`^[0-9A-Za-z_\-|*]{6,32}$`)
	outRefundNoFormat = regexp.MustCompile(`^[0-9A-Za-z_\-|*@]{1,64}$`)
)

// placeOrder creates an order, or issues another prepay_id for it.
func (s *Simulator) placeOrder(wanted *Order) (*Order, Prepay, error) {
	order := s.store.order(wanted.MchID, wanted.OutTradeNo)
	if order == nil {
		if err := s.checkDeadline(wanted); err != nil {
			return nil, Prepay{}, err
		}
		order = wanted
	} else if err := s.reenter(order, wanted); err != nil {
		return nil, Prepay{}, err
	}
	return order, s.issuePrepay(order, wanted.SignType), nil
}

// checkDeadline applies to an order's first call only, which fixes time_expire. API v2 refuses a
// deadline that is too close, API v3 moves it.
func (s *Simulator) checkDeadline(o *Order) error {
	if o.ExpireTime == nil {
		return nil
	}
	now := s.now()
	if o.Protocol == ProtocolV3 {
		earliest, latest := now.Add(s.rules.minTimeExpireV3), now.Add(s.rules.maxTimeExpire)
		if o.ExpireTime.Before(earliest) {
			o.ExpireTime = &earliest
		}
		if o.ExpireTime.After(latest) {
			o.ExpireTime = &latest
		}
		return nil
	}
	if o.ExpireTime.Before(now.Add(s.rules.minTimeExpire)) {
		return errDeadlineTooClose
	}
	return nil
}

// reenter checks whether a call for an existing number is permitted.
func (s *Simulator) reenter(order, wanted *Order) error {
	order.UnifiedOrderCalls++
	s.store.saveOrder(order)
	s.ageOut(order)
	differing := differences(order, wanted)
	if len(differing) > 0 {
		s.violate(ViolationOrderParams, OperationUnifiedOrder, order.MchID, order.OutTradeNo,
			"fields that differ from the first call: "+strings.Join(differing, ", "))
	}
	switch {
	case order.Payment != nil:
		return errOrderPaid
	case order.State == StateClosed:
		return errOrderClosed
	case len(differing) > 0 || order.Protocol != wanted.Protocol:
		return errDuplicateOrder
	}
	return nil
}

// differences returns the fields in which two calls for one number differ, except for sign_type,
// which is no property of the order. Calls of different protocols name their fields differently,
// so only what both have is compared: such a call is refused, but is a violation only if it is for
// something else.
func differences(first, second *Order) []string {
	if first.Protocol != second.Protocol {
		return differingMap(sharedParams(first), sharedParams(second))
	}
	return differingMap(first.Params, second.Params)
}

func differingMap(first, second map[string]string) []string {
	names := map[string]bool{}
	for name := range first {
		names[name] = true
	}
	for name := range second {
		names[name] = true
	}
	delete(names, "sign_type")
	maps.DeleteFunc(names, func(name string, _ bool) bool { return first[name] == second[name] })
	return slices.Sorted(maps.Keys(names))
}

func sharedParams(o *Order) map[string]string {
	return map[string]string{
		"sub_mchid": o.SubMchID, "trade_type": o.TradeType, "total": formatInt(o.TotalFee), "currency": o.FeeType,
		"description": o.Description, "attach": o.Attach,
	}
}

// issuePrepay issues a new prepay_id with its own lifetime. An expired order can't be paid with it.
func (s *Simulator) issuePrepay(o *Order, signType SignType) Prepay {
	now := s.now()
	prepay := Prepay{ID: newPrepayID(now), ExpireTime: now.Add(s.rules.prepayLife), SignType: signType}
	switch o.TradeType {
	case "NATIVE":
		prepay.CodeURL = newCodeURL()
	case "MWEB":
		prepay.MwebURL = newMwebURL(s.mwebBase(), prepay.ID)
		prepay.MwebExpireTime = now.Add(s.rules.mwebLife)
	}
	if len(o.Prepays) >= maxPrepays {
		delete(s.store.byPrepay, o.Prepays[0].ID)
		o.Prepays = slices.Clone(o.Prepays[1:])
	}
	o.Prepays = append(o.Prepays, prepay)
	if o.UnifiedOrderCalls == 0 {
		o.UnifiedOrderCalls = 1
		s.planPayment(o)
	}
	s.store.saveOrder(o)
	return prepay
}

// closeOrder closes an unpaid order.
func (s *Simulator) closeOrder(order *Order) error {
	switch {
	case order.Payment != nil:
		return errPaidNotClosable
	case order.State == StateClosed:
		return errClosedAlready
	case s.now().Before(order.CreateTime.Add(s.rules.earlyClose)):
		return errClosesTooSoon
	}
	s.closeAt(order, s.now())
	return nil
}

// orderRef is how a call names an order.
type orderRef struct {
	mchID, subMchID           string
	transactionID, outTradeNo string
}

// findOrder finds an order by transaction_id, or else by out_trade_no. Orders of service-provider
// mode are seen in that mode only, and direct ones in direct mode only.
func (s *Simulator) findOrder(ref orderRef) (*Order, error) {
	var order *Order
	if ref.transactionID != "" {
		order = s.store.transaction(ref.mchID, ref.transactionID)
	} else {
		order = s.store.order(ref.mchID, ref.outTradeNo)
	}
	switch {
	case order == nil || (order.SubMchID == "") != (ref.subMchID == ""):
		return nil, errOrderNotExist
	case order.SubMchID != ref.subMchID:
		return nil, errSubMchMismatch
	}
	s.ageOut(order)
	return order, nil
}

// violate records a violation by the client.
func (s *Simulator) violate(kind ViolationKind, operation Operation, mchID, number, detail string) {
	s.store.addViolation(Violation{
		Time: s.now(), Kind: kind, Operation: operation, MchID: mchID, Number: number, Detail: detail,
	})
	s.logger.Warn("violation", "kind", kind, "operation", operation, "merchant", mchID, "number", number, "detail", detail)
}

func formatInt(n int64) string { return fmt.Sprintf("%d", n) }
