package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/test/framework/tenancy"
	"github.com/wechatpay-operator/wechatpay-operator/test/soak/judge"
)

// forgery is the way in which a callback of V3 is signed by somebody who is not WeChat Pay.
type forgery string

const (
	forgedUnderTrueSerial    forgery = "with another key, under WeChat Pay's serial"
	forgedUnderUnknownSerial forgery = "with another key, under an unknown serial"
	forgedAsSignTest         forgery = "with WECHATPAY/SIGNTEST/"
	forgedUnsigned           forgery = "without a signature"
)

var forgeries = []forgery{forgedUnderTrueSerial, forgedUnderUnknownSerial, forgedAsSignTest, forgedUnsigned}

// strangersKey is the private key of whoever forges callbacks.
var strangersKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// forge sends a false callback that the Order is paid. Its sender knows everything but WeChat Pay's
// private key: the Order, its amount and the APIv3 key.
func (l *life) forge(ctx context.Context) {
	if l.forgery == "" || !l.until(ctx, l.forgeAfter) {
		return
	}
	l.memory.count("callbacks forged " + string(l.forgery))
	transaction := "42009999" + strconv.FormatInt(time.Now().UnixNano(), 10)
	accepted := false
	ctx, cancel := context.WithTimeout(ctx, forgerPatience)
	defer cancel()
	l.try(ctx, func() error {
		status, err := l.sendForged(ctx, transaction)
		if err == nil && status >= http.StatusBadGateway {
			err = fmt.Errorf("no replica answers: %d", status)
		}
		accepted = accepted || err == nil && status < http.StatusMultipleChoices
		return err
	})
	l.memory.forged(judge.Forgery{Number: l.number, TransactionID: transaction, Accepted: accepted})
}

func (l *life) sendForged(ctx context.Context, transaction string) (status int, err error) {
	body, err := l.forgedPayment(transaction)
	if err != nil {
		return 0, err
	}
	url := l.ingress + "/notify/v3/" + l.account.namespace + "/" + l.account.name + "/payment"
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	request.Header.Set("Content-Type", "application/json")
	if err := l.signForged(ctx, request.Header, body); err != nil {
		return 0, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, err
}

// forgedPayment is a callback whose content fits the Order but for the transaction.
func (l *life) forgedPayment(transaction string) ([]byte, error) {
	content := map[string]any{
		"out_trade_no": l.number.Number, "transaction_id": transaction, "trade_type": l.tradeType, "trade_state": "SUCCESS",
		"bank_type": "OTHERS", "success_time": time.Now().Format(time.RFC3339), "attach": tenancy.Attach(l.order),
		"amount": map[string]any{"total": l.total, "payer_total": l.total, "currency": "CNY", "payer_currency": "CNY"},
	}
	if partner := l.account.partner; partner != nil {
		content["sp_mchid"], content["sp_appid"], content["sub_mchid"] = l.account.mchID, l.account.appID, partner.SubMchID
		content["payer"] = map[string]any{"sp_openid": payerAt(l.namespace).OpenID}
	} else {
		content["mchid"], content["appid"] = l.account.mchID, l.account.appID
		content["payer"] = map[string]any{"openid": payerAt(l.namespace).OpenID}
	}
	plain, err := json.Marshal(content)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher([]byte(l.account.apiV3Key))
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	nonce := rand.Text()[:gcm.NonceSize()]
	return json.Marshal(map[string]any{
		"id": rand.Text(), "create_time": time.Now().Format(time.RFC3339), "event_type": "TRANSACTION.SUCCESS", "resource_type": "encrypt-resource",
		"summary": "支付成功", "resource": map[string]any{
			"original_type": "transaction", "algorithm": "AEAD_AES_256_GCM", "associated_data": "transaction", "nonce": nonce,
			"ciphertext": base64.StdEncoding.EncodeToString(gcm.Seal(nil, []byte(nonce), plain, []byte("transaction"))),
		},
	})
}

// signForged sets the headers of a signature.
func (l *life) signForged(ctx context.Context, header http.Header, body []byte) error {
	if l.forgery == forgedUnsigned {
		return nil
	}
	platform, err := l.wechat.Platform(ctx)
	if err != nil {
		return err
	}
	serial := platform.PublicKeyID
	switch {
	case l.forgery == forgedUnderUnknownSerial:
		serial = strings.ToUpper(rand.Text())
	case l.born.UnixNano()%2 == 0 && len(platform.Certificates) > 0:
		serial = platform.Certificates[0].SerialNo
	}
	key, err := strangersKey()
	if err != nil {
		return err
	}
	timestamp, nonce := strconv.FormatInt(time.Now().Unix(), 10), rand.Text()
	digest := sha256.Sum256([]byte(timestamp + "\n" + nonce + "\n" + string(body) + "\n"))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
	if err != nil {
		return err
	}
	encoded := base64.StdEncoding.EncodeToString(signature)
	if l.forgery == forgedAsSignTest {
		encoded = "WECHATPAY/SIGNTEST/" + encoded[len("WECHATPAY/SIGNTEST/"):]
	}
	for name, value := range map[string]string{
		"Wechatpay-Timestamp": timestamp, "Wechatpay-Nonce": nonce, "Wechatpay-Signature": encoded, "Wechatpay-Serial": serial,
		"Wechatpay-Signature-Type": "WECHATPAY2-SHA256-RSA2048",
	} {
		header.Set(name, value)
	}
	return nil
}
