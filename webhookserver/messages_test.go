package webhookserver_test

import (
	"crypto/aes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// fields are the fields of a message. This file writes messages according to WeChat's
// documentation, without any code of the operator.
type fields map[string]string

// with returns a copy with other values; an empty value removes the field.
func (f fields) with(pairs ...string) fields {
	changed := maps.Clone(f)
	for i := 0; i < len(pairs); i += 2 {
		changed[pairs[i]] = pairs[i+1]
		if pairs[i+1] == "" {
			delete(changed, pairs[i])
		}
	}
	return changed
}

// xml encodes the fields. It does not support values with ]]>.
func (f fields) xml(root string) string {
	var text strings.Builder
	text.WriteString("<" + root + ">")
	for _, name := range slices.Sorted(maps.Keys(f)) {
		text.WriteString("<" + name + "><![CDATA[" + f[name] + "]]></" + name + ">")
	}
	text.WriteString("</" + root + ">")
	return text.String()
}

type algorithm string

const (
	md5Sign  algorithm = "MD5"
	hmacSign algorithm = "HMAC-SHA256"
)

// signed adds the signature (chapter 4_3).
func (f fields) signed(key string, how algorithm) fields {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(f)) {
		if name != "sign" && f[name] != "" {
			pairs = append(pairs, name+"="+f[name])
		}
	}
	text := strings.Join(pairs, "&") + "&key=" + key
	var sum []byte
	if how == md5Sign {
		hashed := md5.Sum([]byte(text))
		sum = hashed[:]
	} else {
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write([]byte(text))
		sum = mac.Sum(nil)
	}
	return f.with("sign", strings.ToUpper(hex.EncodeToString(sum)))
}

// body signs and encodes.
func (f fields) body(key string, how algorithm) string { return f.signed(key, how).xml("xml") }

// goodXML is the body that the shop's Merchant accepts under V2.
func (f fields) goodXML() string { return f.body(framework.APIKey, hmacSign) }

// transactionOf returns the transaction id of an Order's payment in these tests.
func transactionOf(outTradeNo string) string { return "42000000002026" + outTradeNo }

// paymentOf returns the callback for a paid Order (chapter 9_7).
func paymentOf(order *v1alpha1.Order) fields {
	beijing := time.FixedZone("CST", 8*60*60)
	return fields{
		"return_code": "SUCCESS", "result_code": "SUCCESS", "appid": framework.AppID, "mch_id": framework.MchID,
		"nonce_str": "5d2b6c2a8db53831f7eda20af46e531c", "openid": framework.OpenID, "is_subscribe": "N",
		"trade_type": "JSAPI", "bank_type": "CMC", "fee_type": "CNY", "cash_fee_type": "CNY",
		"total_fee": fmt.Sprint(order.Spec.Amount.Total), "cash_fee": fmt.Sprint(order.Spec.Amount.Total),
		"out_trade_no": order.Number(), "transaction_id": transactionOf(order.Number()),
		"time_end":  time.Now().In(beijing).Format("20060102150405"),
		"new_field": "of a later version of the protocol",
	}
}

// refundOf returns the encrypted part of a refund callback (chapter 9_16).
func refundOf(refund *v1alpha1.Refund, order *v1alpha1.Order, status string) fields {
	return fields{
		"out_trade_no": order.Number(), "out_refund_no": refund.Number(), "refund_id": "503000000020260101", "refund_status": status,
		"transaction_id": transactionOf(order.Number()), "refund_recv_accout": "支付用户零钱", "success_time": "2026-01-02 10:00:00",
		"total_fee": fmt.Sprint(order.Spec.Amount.Total), "refund_fee": fmt.Sprint(refund.Spec.Amount),
	}
}

// sealed encrypts the refund information and puts it into its message.
func (f fields) sealed(key string) fields {
	return fields{
		"return_code": "SUCCESS", "appid": framework.AppID, "mch_id": framework.MchID, "nonce_str": "5d2b6c2a8db53831f7eda20af46e531c",
		"req_info": seal(f.xml("root"), key),
	}
}

// seal encrypts with AES-256-ECB and PKCS #7 padding under the lower-case hexadecimal MD5 of the
// key, and encodes in base64.
func seal(text, key string) string {
	hashed := md5.Sum([]byte(key))
	block, err := aes.NewCipher([]byte(hex.EncodeToString(hashed[:])))
	if err != nil {
		panic(err)
	}
	padding := block.BlockSize() - len(text)%block.BlockSize()
	plain := append([]byte(text), strings.Repeat(string(rune(padding)), padding)...)
	for at := 0; at < len(plain); at += block.BlockSize() {
		block.Encrypt(plain[at:], plain[at:])
	}
	return base64.StdEncoding.EncodeToString(plain)
}
