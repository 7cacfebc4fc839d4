package simulator

import (
	"fmt"
	"net/http"
	"time"
)

// replayAge is how old the signature of a replayed callback is, by the simulator's clock as well as
// by WeChat Pay's, if that is wrong.
const replayAge = 10 * time.Minute

// Notification is an API v3 callback of a test's own making.
type Notification struct {
	Header http.Header
	Body   []byte
}

// composeV3 encrypts an order or a refund with the APIv3 key and signs the body.
func (s *Simulator) composeV3(c *Callback, m *merchant, f *Fault) (notification, error) {
	content, eventType, originalType, err := s.eventOf(c)
	if err != nil {
		return notification{}, err
	}
	if f != nil {
		tamperEvent(content, f)
	}
	apiV3Key := m.APIV3Key
	if f.kind() == FaultWrongKey {
		apiV3Key = randomText(32)
	}
	if len(apiV3Key) != 32 {
		return notification{}, fmt.Errorf("merchant %s: no APIv3 key: %w", m.MchID, ErrInvalid)
	}
	created := s.now()
	if c.EventTime != nil {
		created = *c.EventTime
	}
	body := envelope(c.EventID, created, eventType, originalType, content, apiV3Key)
	header := http.Header{"Content-Type": {"application/json; charset=utf-8"}}
	header.Set("Request-ID", "08"+randomHex(16)+"-0")
	made := notification{header: header, document: body}
	if f.kind() != FaultUnsigned {
		at := s.wireTimeLocked()
		if f.kind() == FaultReplay {
			if now := s.now(); now.Before(at) {
				at = now
			}
			at = at.Add(-replayAge)
		}
		by := s.callbackSigner(m)
		made.sign = func() { sign(header, by, at.Unix(), body, f) }
	}
	return made, nil
}

// envelope is the body of a callback, with its content encrypted.
func envelope(id string, created time.Time, eventType, originalType string, content document, apiV3Key string) []byte {
	resource := seal(apiV3Key, originalType, content.bytes())
	resource["original_type"] = originalType
	return document{
		"id": id, "create_time": rfc3339(created), "event_type": eventType, "resource_type": "encrypt-resource",
		"summary": summaries[eventType], "resource": resource,
	}.bytes()
}

// summaries are WeChat's words for the events.
var summaries = map[string]string{
	"TRANSACTION.SUCCESS": "支付成功", "REFUND.SUCCESS": "退款成功", "REFUND.ABNORMAL": "退款异常", "REFUND.CLOSED": "退款关闭",
}

// eventOf is what a callback tells, before it is encrypted.
func (s *Simulator) eventOf(c *Callback) (content document, eventType, originalType string, err error) {
	if c.Operation == OperationPaymentCallback {
		o := s.store.order(c.MchID, c.Number)
		if o == nil || o.Payment == nil {
			return nil, "", "", fmt.Errorf("paid order %s: %w", c.Number, ErrNotFound)
		}
		content = transactionOf(o)
		content["trade_state"], content["trade_state_desc"] = string(StateSuccess), stateWordsV3[StateSuccess]
		return content, "TRANSACTION.SUCCESS", "transaction", nil
	}
	r := s.store.refund(c.MchID, c.Number)
	if r == nil {
		return nil, "", "", fmt.Errorf("refund %s: %w", c.Number, ErrNotFound)
	}
	return refundNotice(r, s.store.order(r.MchID, r.OutTradeNo), c.RefundStatus), "REFUND." + statusesV3[c.RefundStatus], "refund", nil
}

// tamperEvent changes an event before it is encrypted and signed.
func tamperEvent(content document, f *Fault) {
	amount, _ := content["amount"].(document)
	switch f.Kind {
	case FaultWrongAmount:
		for _, name := range []string{"refund", "total"} { // the refund's amount, or else the order's
			if value, given := amount[name].(int64); given {
				amount[name] = value + 1
				break
			}
		}
	case FaultWrongCurrency:
		amount["currency"] = "USD"
	case FaultWrongMchID:
		for _, name := range []string{"mchid", "sp_mchid"} {
			if content[name] != nil {
				content[name] = foreignMchID
			}
		}
	case FaultWrongSubMchID, FaultExtraFields:
		tamperV3(content, f)
	}
}

// Notify builds an API v3 callback for a merchant: the content is encrypted with its APIv3 key and
// the whole signed as WeChat Pay does now. Tests send it themselves.
func (s *Simulator) Notify(mchID, eventType, originalType string, content map[string]any) (Notification, error) {
	return changed(s, func() (out Notification, err error) {
		m := s.store.merchants[mchID]
		if m == nil || m.APIV3Key == "" {
			return out, fmt.Errorf("merchant %s with an APIv3 key: %w", mchID, ErrNotFound)
		}
		out.Body = envelope(newEventID(), s.now(), eventType, originalType, content, m.APIV3Key)
		out.Header = http.Header{"Content-Type": {"application/json; charset=utf-8"}}
		sign(out.Header, s.callbackSigner(m), s.wireTimeLocked().Unix(), out.Body, nil)
		return out, nil
	})
}
