package simulator

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/simulation"
)

// Journal is a copy of what happened, in order of time.
type Journal struct {
	Time time.Time `json:"time"`
	// Uploads are all calls of upload_shipping_info that carried a valid access token.
	Uploads []Upload `json:"uploads"`
	// Shippings are the orders that have shipping information, as it is now.
	Shippings []Shipping `json:"shippings"`
	Messages  []Message  `json:"messages"`
	// Calls are the latest calls; CallCounts counts all calls by operation and outcome.
	Calls      []Call                       `json:"calls"`
	CallCounts map[Operation]map[string]int `json:"call_counts"`
	Violations []Violation                  `json:"violations"`
}

// Call is one call. It holds no secret.
type Call struct {
	Time      time.Time `json:"time"`
	Operation Operation `json:"operation"`
	AppID     string    `json:"appid,omitempty"`
	OpenID    string    `json:"openid,omitempty"`
	// Number is the out_trade_no or the transaction that the call names.
	Number  string  `json:"number,omitempty"`
	Errcode Errcode `json:"errcode"`
	// Fault is the kind of the fault that struck, if any.
	Fault FaultKind `json:"fault,omitempty"`
}

// Upload is a call of upload_shipping_info.
type Upload struct {
	Time  time.Time `json:"time"`
	AppID string    `json:"appid"`
	// MchID is the merchant number or sub merchant number, OutTradeNo the order's number; both are
	// empty if the call names an order that does not exist.
	MchID      string `json:"mchid,omitempty"`
	OutTradeNo string `json:"out_trade_no,omitempty"`
	// Body is the call as it came.
	Body    json.RawMessage `json:"body"`
	Errcode Errcode         `json:"errcode"`
}

// Message is a subscribe message that was sent.
type Message struct {
	Time       time.Time         `json:"time"`
	AppID      string            `json:"appid"`
	OpenID     string            `json:"openid"`
	TemplateID string            `json:"template_id"`
	Page       string            `json:"page,omitempty"`
	Data       map[string]string `json:"data"`
}

// ViolationKind names something that a client must not do.
type ViolationKind string

// The violations.
const (
	ViolationUnpaid ViolationKind = "upload-unpaid" // an upload for an order that is not paid
	ViolationReship ViolationKind = "reship"        // an upload that changed what was completely shipped
)

// Violation is something that the client must not do but did.
type Violation struct {
	Time   time.Time     `json:"time"`
	Kind   ViolationKind `json:"kind"`
	AppID  string        `json:"appid"`
	Number string        `json:"number,omitempty"`
	Detail string        `json:"detail,omitempty"`
}

// maxCalls limits Journal.Calls.
const maxCalls = 100_000

func (s *Simulator) record(call Call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	outcome := outcomeOf(call)
	s.calls.Add(call, call.Operation, outcome)
	s.logger.Debug("call", "operation", call.Operation, "appid", call.AppID, "number", call.Number, "outcome", outcome)
}

func (s *Simulator) violate(kind ViolationKind, appID, number, detail string) {
	violation := Violation{Time: s.now(), Kind: kind, AppID: appID, Number: number, Detail: detail}
	s.journal.Violations = append(s.journal.Violations, violation)
	s.state.Note("", entry{Violation: &violation})
}

// Journal returns a copy of what happened.
func (s *Simulator) Journal() Journal {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := Journal{
		Time: s.now(), Uploads: append([]Upload{}, s.journal.Uploads...), Shippings: []Shipping{},
		Messages: append([]Message{}, s.journal.Messages...), Calls: s.calls.Latest(),
		CallCounts: s.calls.Counted(), Violations: append([]Violation{}, s.journal.Violations...),
	}
	for _, shipping := range s.order {
		copied := *shipping
		copied.Parcels = slices.Clone(shipping.Parcels)
		out.Shippings = append(out.Shippings, copied)
	}
	return out
}

// UploadsOf returns the uploads for an order.
func (j Journal) UploadsOf(outTradeNo string) []Upload {
	return simulation.Matching(j.Uploads, func(u Upload) bool { return u.OutTradeNo == outTradeNo })
}

// CallsOf returns the recorded calls of one operation.
func (j Journal) CallsOf(operation Operation) []Call {
	return simulation.Matching(j.Calls, func(c Call) bool { return c.Operation == operation })
}

// Shipping returns the shipping information of an order; nil if there is none.
func (j Journal) Shipping(outTradeNo string) *Shipping {
	return simulation.First(j.Shippings, func(s *Shipping) bool { return s.OutTradeNo == outTradeNo })
}
