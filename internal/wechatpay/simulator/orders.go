package simulator

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// orderLengths are the documented maximum lengths of unifiedorder's fields.
var orderLengths = map[string]int{
	"device_info": 32, "body": 127, "detail": 6000, "attach": 127, "out_trade_no": 32, "fee_type": 16,
	"spbill_create_ip": 64, "time_start": 14, "time_expire": 14, "goods_tag": 32, "notify_url": 256, "trade_type": 16,
	"product_id": 32, "limit_pay": 32, "openid": 128, "receipt": 8, "profit_sharing": 1, "scene_info": 256, "version": 32,
}

// maxPrepays is how many prepay_ids are kept per order.
const maxPrepays = 20

// unifiedOrder creates an order, or issues another prepay_id for it.
func (s *Simulator) unifiedOrder(c *call) (message, error) {
	wanted, err := s.readOrder(c)
	if err != nil {
		return nil, err
	}
	order := s.store.order(wanted.MchID, wanted.OutTradeNo)
	if order == nil {
		if err := s.checkDeadline(wanted); err != nil {
			return nil, err
		}
		order = wanted
	} else if err := s.reenter(order, wanted); err != nil {
		return nil, err
	}
	return s.handOutPrepay(order), nil
}

// readOrder validates the required fields and the values of a request.
func (s *Simulator) readOrder(c *call) (*Order, error) {
	request := c.request
	if err := require(request, "body", "out_trade_no", "total_fee", "spbill_create_ip", "notify_url", "trade_type"); err != nil {
		return nil, err
	}
	if err := checkLengths(request, orderLengths); err != nil {
		return nil, err
	}
	if !outTradeNoFormat.MatchString(request["out_trade_no"]) {
		return nil, malformed("out_trade_no")
	}
	for _, check := range []error{
		checkIP(request, "spbill_create_ip"),
		checkNotifyURL(request, s.rules.strictNotifyURL),
		oneOf(request, "trade_type", "JSAPI", "NATIVE", "APP", "MWEB"),
		oneOf(request, "limit_pay", "no_credit"),
		oneOf(request, "receipt", "Y", "N"),
		oneOf(request, "profit_sharing", "Y", "N"),
		checkTradeType(request),
	} {
		if check != nil {
			return nil, check
		}
	}
	return s.newOrder(c)
}

// checkTradeType requires the fields specific to a trade type.
func checkTradeType(request message) error {
	switch request["trade_type"] {
	case "JSAPI":
		return require(request, "openid")
	case "NATIVE":
		return require(request, "product_id")
	case "MWEB":
		if err := require(request, "scene_info"); err != nil {
			return err
		}
		return checkH5Scene(request)
	}
	return nil
}

func (s *Simulator) newOrder(c *call) (*Order, error) {
	total, err := amountOf(c.request, "total_fee")
	if err != nil {
		return nil, err
	}
	currency := c.request["fee_type"]
	if currency == "" {
		currency = "CNY"
	}
	if !currencyFormat.MatchString(currency) || !c.merchant.mayOrderIn(currency) {
		return nil, malformed("fee_type")
	}
	if _, err := timeOf(c.request, "time_start"); err != nil {
		return nil, err
	}
	expire, err := timeOf(c.request, "time_expire")
	if err != nil {
		return nil, err
	}
	return &Order{
		MchID: c.request["mch_id"], AppID: c.request["appid"], OutTradeNo: c.request["out_trade_no"],
		TradeType: c.request["trade_type"], TotalFee: total, FeeType: currency, SignType: c.signType,
		State: StateNotPay, Params: paramsOf(c.request), CreateTime: s.now(), ExpireTime: expire,
	}, nil
}

// paramsOf returns a request's fields without those that may differ between two calls for the same
// order or refund.
func paramsOf(request message) map[string]string {
	params := make(map[string]string, len(request))
	for name, value := range request {
		if name != "sign" && name != "nonce_str" && value != "" {
			params[name] = value
		}
	}
	return params
}

// checkDeadline applies to an order's first call only, which fixes time_expire.
func (s *Simulator) checkDeadline(o *Order) error {
	if o.ExpireTime != nil && o.ExpireTime.Before(s.now().Add(s.rules.minTimeExpire)) {
		return fail("INVALID_REQUEST", "time_expire时间过短,刷卡至少1分钟,其他5分钟")
	}
	return nil
}

// reenter checks whether a call for an existing number is permitted.
func (s *Simulator) reenter(order, wanted *Order) error {
	order.UnifiedOrderCalls++
	s.store.saveOrder(order)
	s.ageOut(order)
	differing := differences(order.Params, wanted.Params)
	if len(differing) > 0 {
		s.violate(ViolationOrderParams, OperationUnifiedOrder, order.MchID, order.OutTradeNo,
			"fields that differ from the first call: "+strings.Join(differing, ", "))
	}
	switch {
	case order.Payment != nil:
		return errOrderPaid
	case order.State == StateClosed:
		return errOrderClosed
	case len(differing) > 0:
		return errDuplicateOrder
	}
	return nil
}

// differences returns the fields in which two calls for one number differ, except for sign_type,
// which is no property of the order.
func differences(first, second map[string]string) []string {
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

// handOutPrepay issues a new prepay_id with its own lifetime. An expired order can't be paid with
// it.
func (s *Simulator) handOutPrepay(o *Order) message {
	now := s.now()
	prepay := Prepay{ID: newPrepayID(now), ExpireTime: now.Add(s.rules.prepayLife)}
	switch o.TradeType {
	case "NATIVE":
		prepay.CodeURL = newCodeURL()
	case "MWEB":
		prepay.MwebURL = newMwebURL(prepay.ID)
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
	return message{
		"trade_type": o.TradeType, "prepay_id": prepay.ID, "code_url": prepay.CodeURL, "mweb_url": prepay.MwebURL,
		"device_info": o.Params["device_info"],
	}
}

// ageOut closes an order that was not paid in the time WeChat Pay keeps it open. An order with
// time_expire stays NOTPAY after it.
func (s *Simulator) ageOut(o *Order) {
	closes := o.CreateTime.Add(s.rules.orderLife)
	if o.State == StateNotPay && o.ExpireTime == nil && s.now().After(closes) {
		s.closeAt(o, closes)
	}
}

func (s *Simulator) closeAt(o *Order, at time.Time) {
	o.State, o.CloseTime = StateClosed, &at
	s.store.saveOrder(o)
}

// violate records a violation by the client.
func (s *Simulator) violate(kind ViolationKind, operation Operation, mchID, number, detail string) {
	s.store.addViolation(Violation{
		Time: s.now(), Kind: kind, Operation: operation, MchID: mchID, Number: number, Detail: detail,
	})
	s.logger.Warn("violation", "kind", kind, "operation", operation, "merchant", mchID, "number", number, "detail", detail)
}

// findOrder finds an order by transaction_id, or else by out_trade_no. An order of another appid is
// not found.
func (s *Simulator) findOrder(request message) (*Order, error) {
	var order *Order
	switch {
	case request["transaction_id"] != "":
		order = s.store.transaction(request["mch_id"], request["transaction_id"])
	case request["out_trade_no"] != "":
		order = s.store.order(request["mch_id"], request["out_trade_no"])
	default:
		return nil, fail("PARAM_ERROR", "缺少参数 transaction_id 或 out_trade_no")
	}
	if order == nil || order.AppID != request["appid"] {
		return nil, errOrderNotExist
	}
	s.ageOut(order)
	return order, nil
}

func formatInt(n int64) string { return fmt.Sprintf("%d", n) }
