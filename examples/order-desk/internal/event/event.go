package event

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// The types of events that this version knows. It stores and forwards others as well.
const (
	OrderPaid       = "OrderPaid"
	OrderPaidLate   = "OrderPaidLate"
	OrderClosed     = "OrderClosed"
	RefundRequested = "RefundRequested"
	RefundSucceeded = "RefundSucceeded"
	RefundFailed    = "RefundFailed"

	ShipmentUploaded = "ShipmentUploaded"
)

// The states of a payment that the goods may have been shipped for already; docs/troubleshooting.md describes them.
const (
	PaidEarlier              = "PaidEarlier"
	PaidUnderOtherParameters = "PaidUnderOtherParameters"
)

// The resources that events are about.
const (
	orders    = "orders"
	refunds   = "refunds"
	shipments = "shipments"
)

// resources says what each type is about. The body does not, and the ce-source that does is not signed.
var resources = map[string]string{
	OrderPaid: orders, OrderPaidLate: orders, OrderClosed: orders,
	RefundRequested: refunds, RefundSucceeded: refunds, RefundFailed: refunds,
	ShipmentUploaded: shipments,
}

// TypePrefix precedes the type in ce-type.
const TypePrefix = "io.wechatpay-operator."

// Event is what happened to an Order, a Refund or a Shipment.
type Event struct {
	// ID is <uid of the object>/<type>, the same whenever the event is sent.
	ID   string `json:"id"`
	Type string `json:"type"`
	// Time is when it happened, as the sender says. It is not signed: for display only.
	Time time.Time `json:"time,omitzero"`
	// Data is the body as it was signed.
	Data json.RawMessage `json:"data"`

	Object Object `json:"-"`
}

// Object is what the body says of an object; docs/events.md describes it.
type Object struct {
	Namespace     string          `json:"namespace"`
	Name          string          `json:"name"`
	UID           string          `json:"uid"`
	State         string          `json:"state"`
	Merchant      Merchant        `json:"merchant"`
	OutTradeNo    string          `json:"outTradeNo"`
	TradeType     string          `json:"tradeType"`
	TransactionID string          `json:"transactionID"`
	PaidTime      time.Time       `json:"paidTime"`
	Order         string          `json:"order"`
	OutRefundNo   string          `json:"outRefundNo"`
	Amount        json.RawMessage `json:"amount"`

	// Total is Amount in minor units. A Refund is in the currency of its Order, which it does not
	// name.
	Total    int64  `json:"-"`
	Currency string `json:"-"`
}

// Merchant names the Merchant of an Order.
type Merchant struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// IsPayment reports whether the event says that an Order was paid.
func (e Event) IsPayment() bool { return e.Type == OrderPaid || e.Type == OrderPaidLate }

// MayBeShipped reports whether the event says that the payment may be of an earlier object, so that people have to compare first.
func (e Event) MayBeShipped() bool {
	return e.IsPayment() && (e.Object.State == PaidEarlier || e.Object.State == PaidUnderOtherParameters)
}

// IsSamePayment reports whether two events tell of the same money: an Order that was deleted and applied again, or restored, is another
// object with other ids, and its payment is the one from before.
func (e Event) IsSamePayment(other Event) bool {
	a, b := e.Object, other.Object
	return e.IsPayment() && other.IsPayment() && a.TransactionID != "" && a.TransactionID == b.TransactionID &&
		a.OutTradeNo == b.OutTradeNo && a.Merchant == b.Merchant
}

// IsRefund reports whether the event is about a Refund.
func (e Event) IsRefund() bool { return resources[e.Type] == refunds }

// Number returns the object's number at WeChat Pay, or its name if it has none there.
func (e Event) Number() string {
	switch resources[e.Type] {
	case orders:
		return cmp.Or(e.Object.OutTradeNo, e.Object.Name)
	case refunds:
		return cmp.Or(e.Object.OutRefundNo, e.Object.Name)
	}
	return e.Object.Name
}

// Source returns the path of the object at the API server. Of a type that this version does not know it is the path of the namespace:
// nothing signed says of which kind the object is, and a guess would name another one.
func (e Event) Source() string {
	namespace := "/apis/wechatpay-operator.io/v1alpha1/namespaces/" + e.Object.Namespace
	resource, known := resources[e.Type]
	if !known {
		return namespace
	}
	return namespace + "/" + resource + "/" + e.Object.Name
}

// Parse reads an event whose signature was verified. The signature covers webhook-id and the body.
// The ce- headers are not covered, so nothing is taken from them but ce-time: whoever replays a
// message with other ce- headers must not be able to make another event of it.
func Parse(header http.Header, body []byte) (Event, error) {
	id := header.Get(standardwebhooks.HeaderWebhookID)
	uid, kind, _ := strings.Cut(id, "/")
	if uid == "" || !isWord(kind) {
		return Event{}, errors.New("webhook-id must be <uid>/<type>")
	}
	if header.Get("ce-id") != id || header.Get("ce-type") != TypePrefix+kind || header.Get("ce-specversion") != "1.0" {
		return Event{}, errors.New("ce-id, ce-type or ce-specversion contradicts the signed webhook-id")
	}
	event := Event{ID: id, Type: kind, Data: body}
	if happened, err := time.Parse(time.RFC3339, header.Get("ce-time")); err == nil {
		event.Time = happened.UTC()
	}
	if err := event.read(); err != nil {
		return Event{}, err
	}
	if event.Object.UID != uid {
		return Event{}, errors.New("the uid in the body is not the one in webhook-id")
	}
	return event, nil
}

// UnmarshalJSON reads an event that was stored.
func (e *Event) UnmarshalJSON(content []byte) error {
	type plain Event
	if err := json.Unmarshal(content, (*plain)(e)); err != nil {
		return err
	}
	return e.read()
}

// read fills Object from Data.
func (e *Event) read() error {
	if err := json.Unmarshal(e.Data, &e.Object); err != nil {
		return fmt.Errorf("the body is no JSON as docs/events.md describes it: %w", err)
	}
	if e.Object.Namespace == "" || e.Object.Name == "" {
		return errors.New("the body names no object")
	}
	if e.IsRefund() {
		return json.Unmarshal(e.Object.Amount, &e.Object.Total)
	}
	if len(e.Object.Amount) == 0 || resources[e.Type] != orders {
		return nil
	}
	var amount struct {
		Total    int64  `json:"total"`
		Currency string `json:"currency"`
	}
	if err := json.Unmarshal(e.Object.Amount, &amount); err != nil {
		return err
	}
	e.Object.Total, e.Object.Currency = amount.Total, amount.Currency
	return nil
}

func isWord(text string) bool {
	return text != "" && strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") == ""
}
