package v2

import (
	"errors"
	"fmt"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// ParsePaymentNotification verifies a payment callback (chapter 9_7). Anyone who knows the URL can
// post to it, so an unsigned message or one for another merchant is rejected.
func (c *Client) ParsePaymentNotification(body []byte) (wechatpay.PaymentNotification, error) {
	notification, err := c.readPaymentNotification(body)
	if err != nil {
		return wechatpay.PaymentNotification{}, refusedCallback(wechatpay.OperationPaymentCallback, err)
	}
	return notification, nil
}

func (c *Client) readPaymentNotification(body []byte) (wechatpay.PaymentNotification, error) {
	message, err := readFields(body, messageRoot, maxCallbackFields)
	if err != nil {
		return wechatpay.PaymentNotification{}, err
	}
	// Refund callbacks are unsigned, and replies are signed with the same key: none may pass for a
	// payment.
	if err := message.checkHasNone(ofAnswers, ofRefunds); err != nil {
		return wechatpay.PaymentNotification{}, err
	}
	if err := message.checkOneReading(wechatpay.OperationPaymentCallback); err != nil {
		return wechatpay.PaymentNotification{}, err
	}
	algorithm, key, err := c.verifyCallback(message)
	if err != nil {
		return wechatpay.PaymentNotification{}, err
	}
	if err := c.checkRecipient(message); err != nil {
		return wechatpay.PaymentNotification{}, err
	}
	if message.get("return_code") != success || message.get("result_code") != success {
		return wechatpay.PaymentNotification{}, errors.New("return_code and result_code are not both SUCCESS")
	}
	payment, err := readPayment(message)
	if err != nil {
		return wechatpay.PaymentNotification{}, err
	}
	return wechatpay.PaymentNotification{Payment: payment, SignType: algorithm, KeyID: key}, nil
}

// verifyCallback finds the algorithm and verifies the signature. A callback is signed like its
// order and usually does not name the algorithm, but the length of the signature shows it. The
// caller knows the order's algorithm, and rejects the weaker one.
func (c *Client) verifyCallback(message fields) (algorithm wechatpay.SignType, key string, err error) {
	switch len(message.get(signField)) {
	case 0:
		return "", "", errors.New("the signature is missing")
	case 32:
		algorithm = wechatpay.SignTypeMD5
	case 64:
		algorithm = wechatpay.SignTypeHMACSHA256
	default:
		return "", "", errors.New("the signature has a length that no algorithm has")
	}
	if said := message.get("sign_type"); said != "" && said != string(algorithm) {
		return "", "", errors.New("sign_type and the signature do not agree")
	}
	for _, key := range c.keys {
		if key.verifies(message, algorithm) {
			return algorithm, key.id, nil
		}
	}
	return "", "", errors.New("the signature is wrong")
}

// ParseRefundNotification decrypts a refund callback (chapter 9_16). Successful decryption is its
// only authentication: ECB binds its blocks neither to each other nor to a time.
func (c *Client) ParseRefundNotification(body []byte) (wechatpay.RefundNotification, error) {
	notification, err := c.readRefundNotification(body)
	if err != nil {
		return wechatpay.RefundNotification{}, refusedCallback(wechatpay.OperationRefundCallback, err)
	}
	return notification, nil
}

func (c *Client) readRefundNotification(body []byte) (wechatpay.RefundNotification, error) {
	message, err := readFields(body, messageRoot, maxCallbackFields)
	if err != nil {
		return wechatpay.RefundNotification{}, err
	}
	if err := message.checkHasNone(ofAnswers, ofPayments); err != nil {
		return wechatpay.RefundNotification{}, err
	}
	if err := message.checkOneReading(wechatpay.OperationRefundCallback); err != nil {
		return wechatpay.RefundNotification{}, err
	}
	if message.get("return_code") != success {
		return wechatpay.RefundNotification{}, errors.New("return_code is not SUCCESS")
	}
	if err := c.checkRecipient(message); err != nil {
		return wechatpay.RefundNotification{}, err
	}
	info, key, err := c.readRefundInfo(message.get("req_info"))
	if err != nil {
		return wechatpay.RefundNotification{}, fmt.Errorf("req_info: %w", err)
	}
	if err := info.checkOneReading(wechatpay.OperationRefundCallback); err != nil {
		return wechatpay.RefundNotification{}, fmt.Errorf("req_info: %w", err)
	}
	if info.get("out_trade_no") == "" || info.get("out_refund_no") == "" {
		return wechatpay.RefundNotification{}, errors.New("out_trade_no or out_refund_no is missing")
	}
	return wechatpay.RefundNotification{
		AppID:       message.get("appid"),
		MchID:       message.get("mch_id"),
		OutTradeNo:  info.get("out_trade_no"),
		OutRefundNo: info.get("out_refund_no"),
		RefundID:    info.get("refund_id"),
		Status:      wechatpay.RefundStatus(info.get("refund_status")),
		KeyID:       key,
	}, nil
}

// readRefundInfo tries the current key, then the previous one. If neither works, it returns the
// current key's error.
func (c *Client) readRefundInfo(requestInfo string) (info fields, keyID string, err error) {
	for _, key := range c.keys {
		read, trouble := key.readRefundInfo(requestInfo)
		if trouble == nil {
			return read, key.id, nil
		}
		if err == nil {
			err = trouble
		}
	}
	return nil, "", err
}

func (c *Client) checkRecipient(message fields) error {
	switch {
	case message.get("appid") == "":
		return errors.New("appid is missing")
	case message.get("mch_id") != c.mchID:
		return errors.New("mch_id is not ours")
	default:
		return nil
	}
}

// refusedCallback: a rejected callback proves nothing, not even that our key is wrong.
func refusedCallback(operation wechatpay.Operation, err error) *wechatpay.Error {
	return &wechatpay.Error{Operation: operation, Outcome: wechatpay.Refused, Meaning: wechatpay.Rejected, Err: err}
}
