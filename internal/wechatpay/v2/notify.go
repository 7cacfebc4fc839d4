package v2

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// receiver reads the callbacks of one merchant number.
type receiver struct {
	mchID string
	// partner is nil in direct mode.
	partner *wechatpay.Partner
	// keys are those that callbacks may have been made with, the current one first.
	keys []*signer
}

func newReceiver(settings wechatpay.Settings, secrets wechatpay.Secrets) *receiver {
	r := &receiver{mchID: settings.MchID, partner: settings.Partner}
	for _, apiKey := range secrets.Keys() {
		made := newSigner(apiKey)
		made.id = wechatpay.KeyID(apiKey, settings.MchID)
		r.keys = append(r.keys, made)
	}
	return r
}

// Parse reads a callback. Everything that counts is in its body.
func (r *receiver) Parse(delivery wechatpay.Delivery) (wechatpay.Notification, error) {
	if delivery.Kind == wechatpay.RefundCallback {
		return readCallback(wechatpay.OperationRefundCallback, delivery.Body, ofPayments, r.readRefundNotification)
	}
	return readCallback(wechatpay.OperationPaymentCallback, delivery.Body, ofRefunds, r.readPaymentNotification)
}

// readCallback reads a callback, and rejects one that has a foreign field. A rejected callback
// proves nothing, not even that our key is wrong.
func readCallback(operation wechatpay.Operation, body []byte, foreign []string, read func(fields) (wechatpay.Notification, error)) (wechatpay.Notification, error) {
	message, err := readFields(body, messageRoot, maxCallbackFields)
	if err == nil {
		// Refund callbacks are unsigned, and replies are signed with the same key: none may pass
		// for a payment.
		err = message.checkHasNone(ofAnswers, foreign)
	}
	if err == nil {
		err = message.checkOneReading(operation)
	}
	var notification wechatpay.Notification
	if err == nil {
		notification, err = read(message)
	}
	if err != nil {
		return wechatpay.Notification{}, &wechatpay.Error{Operation: operation, Outcome: wechatpay.Refused, Meaning: wechatpay.Rejected, Err: err}
	}
	return notification, nil
}

// readPaymentNotification verifies a payment callback (chapter 9_7). Anyone who knows the URL can post
// to it, so an unsigned message or one for another merchant is rejected.
func (r *receiver) readPaymentNotification(message fields) (wechatpay.Notification, error) {
	algorithm, key, err := r.verifyCallback(message)
	if err := cmp.Or(err, r.checkRecipient(message), checkNamesSubMerchant(r.partner, message)); err != nil {
		return wechatpay.Notification{}, err
	}
	if message.get("return_code") != success || message.get("result_code") != success {
		return wechatpay.Notification{}, errors.New("return_code and result_code are not both SUCCESS")
	}
	payment, err := readPayment(message)
	if err != nil {
		return wechatpay.Notification{}, err
	}
	return wechatpay.Notification{Payment: &payment, Proven: true, Scheme: algorithm, KeyID: key}, nil
}

// verifyCallback finds the algorithm and verifies the signature. A callback is signed like its
// order and usually does not name the algorithm, but the length of the signature shows it. The
// caller knows the order's algorithm, and rejects the weaker one.
func (r *receiver) verifyCallback(message fields) (algorithm wechatpay.Scheme, key string, err error) {
	switch len(message.get(signField)) {
	case 0:
		return "", "", errors.New("the signature is missing")
	case 32:
		algorithm = MD5
	case 64:
		algorithm = HMACSHA256
	default:
		return "", "", errors.New("the signature has a length that no algorithm has")
	}
	if named := message.get("sign_type"); named != "" && named != string(algorithm) {
		return "", "", errors.New("sign_type and the signature do not agree")
	}
	for _, key := range r.keys {
		if key.verifies(message, algorithm) {
			return algorithm, key.id, nil
		}
	}
	return "", "", errors.New("the signature is wrong")
}

// Prepare does nothing: callbacks are signed with the merchant's own key.
func (*receiver) Prepare(context.Context, wechatpay.Delivery) {}

// readRefundNotification decrypts a refund callback (chapter 9_16). Successful decryption is its
// only authentication: ECB binds its blocks neither to each other nor to a time.
func (r *receiver) readRefundNotification(message fields) (wechatpay.Notification, error) {
	if message.get("return_code") != success {
		return wechatpay.Notification{}, errors.New("return_code is not SUCCESS")
	}
	// Only the outer message names a sub merchant, and what req_info says is queried anyway.
	if err := cmp.Or(r.checkRecipient(message), checkSubMerchant(r.partner, message)); err != nil {
		return wechatpay.Notification{}, err
	}
	info, key, err := r.readRefundInfo(message.get("req_info"))
	if err := cmp.Or(err, info.checkOneReading(wechatpay.OperationRefundCallback)); err != nil {
		return wechatpay.Notification{}, fmt.Errorf("req_info: %w", err)
	}
	if info.get("out_trade_no") == "" || info.get("out_refund_no") == "" {
		return wechatpay.Notification{}, errors.New("out_trade_no or out_refund_no is missing")
	}
	return wechatpay.Notification{
		Refund: &wechatpay.RefundFact{
			OutTradeNo:  info.get("out_trade_no"),
			OutRefundNo: info.get("out_refund_no"),
			RefundID:    info.get("refund_id"),
			Status:      refundStatus(info.get("refund_status")),
		},
		KeyID: key,
	}, nil
}

// readRefundInfo tries the current key, then the previous one. If neither works, it returns the
// current key's error.
func (r *receiver) readRefundInfo(requestInfo string) (info fields, keyID string, err error) {
	for _, key := range r.keys {
		read, failure := key.readRefundInfo(requestInfo)
		if failure == nil {
			return read, key.id, nil
		}
		if err == nil {
			err = failure
		}
	}
	return nil, "", err
}

func (r *receiver) checkRecipient(message fields) error {
	switch {
	case message.get("appid") == "":
		return errors.New("appid is missing")
	case message.get("mch_id") != r.mchID:
		return errors.New("mch_id is not ours")
	default:
		return nil
	}
}
