package v3

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/transport"
)

// abnormalTypes are WeChat's words for where the money goes.
var abnormalTypes = map[wechatpay.AbnormalRefundTarget]string{
	wechatpay.AbnormalToMerchantBankCard: "MERCHANT_BANK_CARD",
	wechatpay.AbnormalToUserBankCard:     "USER_BANK_CARD",
}

// abnormalRequest has the bank card encrypted for WeChat, so it differs at every repetition.
type abnormalRequest struct {
	OutRefundNo string `json:"out_refund_no"`
	SubMchID    string `json:"sub_mchid,omitempty"`
	Type        string `json:"type"`
	BankType    string `json:"bank_type,omitempty"`
	BankAccount string `json:"bank_account,omitempty"`
	RealName    string `json:"real_name,omitempty"`
}

// ResolveAbnormalRefund tells WeChat where the money of an abnormal refund goes. It is repeated at
// once only if it was not sent.
func (c *Client) ResolveAbnormalRefund(ctx context.Context, request wechatpay.AbnormalRefundRequest) error {
	const operation = wechatpay.OperationResolveAbnormalRefund
	if err := checkAbnormal(request); err != nil {
		return transport.NotSent(operation, wechatpay.Rejected, err)
	}
	if failure := c.prepare(ctx, operation); failure != nil {
		return failure
	}
	call, err := c.abnormalCall(request)
	if err != nil {
		return transport.NotSent(operation, wechatpay.NeedsAttention, err)
	}
	reply, failure := c.exchange(ctx, call)
	_, err = transport.Read(operation, reply, failure, func(reply []byte) (refundAnswer, error) {
		answer, err := c.readRefund(reply)
		switch {
		case err != nil:
		case answer.OutRefundNo != request.OutRefundNo:
			err = errors.New("the reply is for another out_refund_no")
		case answer.RefundID != request.RefundID:
			err = errors.New("the reply is for another refund_id")
		}
		return answer, err
	})
	return err
}

// checkAbnormal never includes a value in its error: it is the payer's.
func checkAbnormal(request wechatpay.AbnormalRefundRequest) error {
	if err := checkOutRefundNo(request.OutRefundNo); err != nil {
		return err
	}
	_, known := abnormalTypes[request.To]
	toUser := request.To == wechatpay.AbnormalToUserBankCard
	switch {
	case request.RefundID == "" || strings.Trim(request.RefundID, letters) != "":
		return errors.New("WeChat Pay's number of the refund is missing or not letters and digits")
	case !known:
		return errors.New("the target is neither MerchantBankCard nor UserBankCard")
	case toUser && (request.BankType == "" || request.Account == "" || request.Name == ""):
		return errors.New("UserBankCard takes the bank type, and account and name of the card")
	case toUser && !strings.HasSuffix(request.BankType, "_DEBIT"):
		return errors.New("the bank type is not that of a debit card (like ICBC_DEBIT)")
	case !toUser && (request.BankType != "" || request.Account != "" || request.Name != ""):
		return errors.New("MerchantBankCard takes no bank card: the money goes to the merchant's own")
	default:
		return nil
	}
}

func (c *Client) abnormalCall(request wechatpay.AbnormalRefundRequest) (call, error) {
	written := abnormalRequest{OutRefundNo: request.OutRefundNo, Type: abnormalTypes[request.To], BankType: request.BankType}
	if c.settings.Partner != nil {
		written.SubMchID = c.settings.Partner.SubMchID
	}
	serial, key := c.verifiers.preferred(c.settings.Now())
	if request.To == wechatpay.AbnormalToUserBankCard {
		if key == nil {
			return call{}, errors.New("there is no key of WeChat Pay to encrypt the bank card with")
		}
		var err error
		if written.BankAccount, err = encrypt(request.Account, key); err != nil {
			return call{}, err
		}
		if written.RealName, err = encrypt(request.Name, key); err != nil {
			return call{}, err
		}
	}
	body, err := json.Marshal(written)
	if err != nil {
		return call{}, errors.New("the bank type is not UTF-8")
	}
	return call{
		operation: wechatpay.OperationResolveAbnormalRefund, method: http.MethodPost,
		target: refundsPath + "/" + request.RefundID + "/apply-abnormal-refund", body: body, serial: serial,
	}, nil
}

// encrypt encrypts a member for WeChat: RSA-OAEP with SHA-1, as its documentation of sensitive
// members demands.
func encrypt(value string, key *rsa.PublicKey) (string, error) {
	encrypted, err := rsa.EncryptOAEP(sha1.New(), rand.Reader, key, []byte(value), nil)
	if err != nil {
		return "", errors.New("the bank card can't be encrypted: account or name is too long")
	}
	return base64.StdEncoding.EncodeToString(encrypted), nil
}
