package v3

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// callbackDownload limits how long a callback waits for the certificates: WeChat waits five seconds
// for the answer.
const callbackDownload = 3 * time.Second

// maxCallback limits the body of a callback in bytes.
const maxCallback = 64 << 10

// event is the body of a callback.
type event struct {
	EventType string    `json:"event_type"`
	Resource  *resource `json:"resource"`
}

// The types of what callbacks of this operator hold.
const (
	typeTransaction = "transaction"
	typeRefund      = "refund"
)

// Prepare downloads the certificates if a callback names one that is not known. The sender of a
// callback chooses that name, so it is done at most once a minute.
func (c *Client) Prepare(ctx context.Context, delivery wechatpay.Delivery) {
	signed, why := readProof(delivery.Header)
	if why != nil || c.signer == nil || strings.HasPrefix(signed.serial, publicKeyPrefix) || c.verifiers.find(signed.serial, c.settings.Now()) != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, callbackDownload)
	defer cancel()
	_ = c.download(ctx) // Parse says what is missing then
}

// Parse verifies, decrypts and reads a callback. Its body is read only after its signature is
// verified. A genuine event of another product has neither payment nor refund.
func (c *Client) Parse(delivery wechatpay.Delivery) (wechatpay.Notification, error) {
	notification, err := c.parse(delivery)
	if err == nil {
		return notification, nil
	}
	failure := &wechatpay.Error{Operation: operationOf(delivery.Kind), Outcome: wechatpay.Refused, Meaning: wechatpay.Rejected, Err: err}
	why, isUnproven := errors.AsType[*unproven](err)
	switch {
	case isUnproven:
		failure.Meaning = why.meaning
	case errors.Is(err, errKeyMismatch):
		failure.Meaning = wechatpay.KeyMismatch
	}
	return wechatpay.Notification{}, failure
}

func operationOf(kind wechatpay.CallbackKind) wechatpay.Operation {
	if kind == wechatpay.RefundCallback {
		return wechatpay.OperationRefundCallback
	}
	return wechatpay.OperationPaymentCallback
}

func (c *Client) parse(delivery wechatpay.Delivery) (wechatpay.Notification, error) {
	if len(delivery.Body) > maxCallback {
		return wechatpay.Notification{}, errors.New("it is too large")
	}
	received := delivery.Time
	if received.IsZero() {
		received = c.settings.Now()
	}
	signed, why := c.verifyKnown(delivery.Header, delivery.Body, received)
	if why != nil {
		return wechatpay.Notification{}, why
	}
	var body event
	if err := readJSON(delivery.Body, &body); err != nil {
		return wechatpay.Notification{}, err
	}
	if body.Resource == nil {
		return wechatpay.Notification{}, errors.New("it has no resource")
	}
	content, err := body.Resource.open(c.keys)
	if err != nil {
		return wechatpay.Notification{}, err
	}
	notification := wechatpay.Notification{Proven: true, Scheme: SHA256WithRSA, KeyID: fingerprintOf(signed.key)}
	return notification, c.readContent(&notification, body, content)
}

// readContent reads the content of an event that is this operator's. Events and contents of other
// products have other types, or other members.
func (c *Client) readContent(into *wechatpay.Notification, received event, content []byte) (err error) {
	switch {
	case received.EventType == "TRANSACTION.SUCCESS" && received.Resource.OriginalType == typeTransaction:
		into.Payment, err = c.readPayment(content)
	case strings.HasPrefix(received.EventType, "REFUND.") && received.Resource.OriginalType == typeRefund:
		into.Refund, err = c.readRefundNotification(content)
	}
	return err
}

// readPayment returns the payment, or nil for the content of another product.
func (c *Client) readPayment(content []byte) (*wechatpay.Payment, error) {
	var parsed struct {
		Paid   transaction  `json:",inline"`
		Others otherMembers `json:",inline"`
	}
	err := readJSON(content, &parsed)
	if (err != nil || parsed.Others.areCombined() || parsed.Others.areShared()) && isOther(content) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	paid := &parsed.Paid
	if err := paid.Parties.check(c.settings.MchID, c.settings.Partner, true); err != nil {
		return nil, err
	}
	if state := wechatpay.TradeState(paid.TradeState); !state.Paid() {
		return nil, errors.New("trade_state is not SUCCESS")
	}
	payment, err := paid.payment()
	if err != nil {
		return nil, err
	}
	return &payment, nil
}

// readRefundNotification reads a refund, whose state has another member name than in an answer.
func (c *Client) readRefundNotification(content []byte) (*wechatpay.RefundFact, error) {
	var parsed struct {
		Refund       refundAnswer `json:",inline"`
		RefundStatus string       `json:"refund_status"`
	}
	if err := readJSON(content, &parsed); err != nil {
		return nil, err
	}
	refund := parsed.Refund
	refund.Status = parsed.RefundStatus
	if err := refund.Parties.check(c.settings.MchID, c.settings.Partner, true); err != nil {
		return nil, err
	}
	if refund.OutRefundNo == "" {
		return nil, errors.New("out_refund_no is missing")
	}
	fact, err := refund.fact()
	if err != nil {
		return nil, fmt.Errorf("the refund is incomplete: %w", err)
	}
	return &fact, nil
}
