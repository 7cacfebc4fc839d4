package interop

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/go-pay/gopay"
	wechatv3 "github.com/go-pay/gopay/wechat/v3"
	"github.com/go-pay/util"
	"github.com/wechatpay-apiv3/wechatpay-go/core"
	"github.com/wechatpay-apiv3/wechatpay-go/core/auth"
	"github.com/wechatpay-apiv3/wechatpay-go/core/auth/credentials"
	"github.com/wechatpay-apiv3/wechatpay-go/core/auth/signers"
	"github.com/wechatpay-apiv3/wechatpay-go/core/auth/validators"
	"github.com/wechatpay-apiv3/wechatpay-go/core/auth/verifiers"
	"github.com/wechatpay-apiv3/wechatpay-go/core/notify"
	"github.com/wechatpay-apiv3/wechatpay-go/services/payments"
	"github.com/wechatpay-apiv3/wechatpay-go/services/payments/jsapi"
)

// gopayComparison is gopay. It checks no times.
func gopayComparison(t testing.TB) clientV3 {
	merchant, wechat := comparisonKeys(t)
	client, err := wechatv3.NewClientV3(comparisonMchID, merchant.Serial, comparisonAPIV3Key, merchant.Private)
	if err == nil {
		err = client.AutoVerifySignByPublicKey([]byte(wechat.Public), wechat.Serial)
	}
	if err != nil {
		t.Fatal(err)
	}
	known := client.WxPublicKeyMap() // the call makes a new map
	key, p := merchant.parse(t), comparisonParameters(t)
	sign := func(digest []byte) ([]byte, error) { return rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest) }
	signature := make([]byte, key.Size())
	unsigned := func([]byte) ([]byte, error) { return signature, nil }
	return clientV3{
		name: "gopay",
		payment: func(m messageV3) (paymentV3, error) {
			notice, err := wechatv3.V3ParseNotify(&http.Request{Header: m.header, Body: m.reader()})
			if err != nil {
				return paymentV3{}, err
			}
			if err := notice.VerifySignByPKMap(known); err != nil {
				return paymentV3{}, err
			}
			paid, err := notice.DecryptPayCipherText(comparisonAPIV3Key)
			if err != nil {
				return paymentV3{}, err
			}
			return paymentV3{
				paid.OutTradeNo, paid.TransactionId, paid.Payer.Openid, paid.Attach, paid.TradeState, paid.SuccessTime,
				int64(paid.Amount.Total),
			}, nil
		},
		order:    func() (sentV3, error) { return gopayOrder(p, merchant.Serial, sign) },
		unsigned: func() (sentV3, error) { return gopayOrder(p, merchant.Serial, unsigned) },
		reply:    func(m messageV3) (paymentV3, error) { return gopayReply(m, known) },
	}
}

// gopayOrder does what V3TransactionJsapi does before it sends: the body is written once to be
// signed, and once to be sent.
func gopayOrder(p map[string]string, serial string, sign func([]byte) ([]byte, error)) (sentV3, error) {
	total, err := strconv.Atoi(p["total_fee"])
	if err != nil {
		return sentV3{}, err
	}
	order := make(gopay.BodyMap)
	order.Set("appid", comparisonAppIDV3).Set("mchid", comparisonMchID).Set("description", p["body"]).
		Set("out_trade_no", p["out_trade_no"]).Set("attach", p["attach"]).Set("notify_url", p["notify_url"]).
		SetBodyMap("amount", func(b gopay.BodyMap) { b.Set("total", total).Set("currency", p["fee_type"]) }).
		SetBodyMap("payer", func(b gopay.BodyMap) { b.Set("openid", p["openid"]) }).
		SetBodyMap("scene_info", func(b gopay.BodyMap) { b.Set("payer_client_ip", p["spbill_create_ip"]) })
	timestamp, nonce := strconv.FormatInt(time.Now().Unix(), 10), util.RandomString(32)
	text := "POST\n" + jsapiPath + "\n" + timestamp + "\n" + nonce + "\n" + order.JsonBody() + "\n"
	digest := sha256.Sum256([]byte(text))
	signed, err := sign(digest[:])
	if err != nil {
		return sentV3{}, err
	}
	authorization := wechatv3.Authorization + ` mchid="` + comparisonMchID + `",nonce_str="` + nonce + `",timestamp="` + timestamp +
		`",serial_no="` + serial + `",signature="` + base64.StdEncoding.EncodeToString(signed) + `"`
	body, err := json.Marshal(order)
	return sentV3{string(body), authorization}, err
}

// gopayReply does what V3TransactionQueryOrder does with an answer.
func gopayReply(m messageV3, known map[string]*rsa.PublicKey) (paymentV3, error) {
	body, err := io.ReadAll(io.LimitReader(m.reader(), 5<<20))
	if err != nil {
		return paymentV3{}, err
	}
	si := &wechatv3.SignInfo{
		HeaderTimestamp: m.header.Get(wechatv3.HeaderTimestamp), HeaderNonce: m.header.Get(wechatv3.HeaderNonce),
		HeaderSignature: m.header.Get(wechatv3.HeaderSignature), HeaderSerial: m.header.Get(wechatv3.HeaderSerial),
		SignBody: string(body),
	}
	paid := new(wechatv3.QueryOrder)
	if err := json.Unmarshal(body, paid); err != nil {
		return paymentV3{}, err
	}
	err = wechatv3.V3VerifySignByPK(si.HeaderTimestamp, si.HeaderNonce, si.SignBody, si.HeaderSignature, known[si.HeaderSerial])
	if err != nil {
		return paymentV3{}, err
	}
	return paymentV3{
		paid.OutTradeNo, paid.TransactionId, paid.Payer.Openid, paid.Attach, paid.TradeState, paid.SuccessTime, int64(paid.Amount.Total),
	}, nil
}

// vendorComparison is WeChat Pay's own SDK.
func vendorComparison(t testing.TB) clientV3 {
	merchant, wechat := comparisonKeys(t)
	verifier := verifiers.NewSHA256WithRSAPubkeyVerifier(wechat.Serial, wechat.parse(t).PublicKey)
	handler, err := notify.NewRSANotifyHandler(comparisonAPIV3Key, verifier)
	if err != nil {
		t.Fatal(err)
	}
	validator := validators.NewWechatPayResponseValidator(verifier)
	signer := &signers.SHA256WithRSASigner{MchID: comparisonMchID, CertificateSerialNo: merchant.Serial, PrivateKey: merchant.parse(t)}
	ctx, p := t.Context(), comparisonParameters(t)
	return clientV3{
		name: "wechatpay-go",
		payment: func(m messageV3) (paymentV3, error) {
			paid := new(payments.Transaction)
			_, err := handler.ParseNotifyRequest(ctx, &http.Request{Header: m.header, Body: m.reader()}, paid)
			return vendorPayment(paid, err)
		},
		order:    func() (sentV3, error) { return vendorOrder(ctx, p, signer) },
		unsigned: func() (sentV3, error) { return vendorOrder(ctx, p, signedBefore{signer, make([]byte, 256)}) },
		reply: func(m messageV3) (paymentV3, error) {
			// What Client.Request and QueryOrderByOutTradeNo do with an answer.
			answer, paid := &http.Response{StatusCode: http.StatusOK, Header: m.header, Body: m.reader()}, new(payments.Transaction)
			err := core.CheckResponse(answer)
			if err == nil {
				err = validator.Validate(ctx, answer)
			}
			if err == nil {
				err = core.UnMarshalResponse(answer, paid)
			}
			return vendorPayment(paid, err)
		},
	}
}

// signedBefore is its signer with a signature that is made already.
type signedBefore struct {
	*signers.SHA256WithRSASigner
	signature []byte
}

func (s signedBefore) Sign(_ context.Context, message string) (*auth.SignatureResult, error) {
	_ = sha256.Sum256([]byte(message))
	return &auth.SignatureResult{
		MchID: s.MchID, CertificateSerialNo: s.CertificateSerialNo, Signature: base64.StdEncoding.EncodeToString(s.signature),
	}, nil
}

// vendorOrder does what Prepay and Client.Request do before they send.
func vendorOrder(ctx context.Context, p map[string]string, signer auth.Signer) (sentV3, error) {
	total, err := strconv.ParseInt(p["total_fee"], 10, 64)
	if err != nil {
		return sentV3{}, err
	}
	order := &jsapi.PrepayRequest{
		Appid: core.String(comparisonAppIDV3), Mchid: core.String(comparisonMchID), Description: core.String(p["body"]),
		OutTradeNo: core.String(p["out_trade_no"]), Attach: core.String(p["attach"]), NotifyUrl: core.String(p["notify_url"]),
		Amount:    &jsapi.Amount{Total: core.Int64(total), Currency: core.String(p["fee_type"])},
		Payer:     &jsapi.Payer{Openid: core.String(p["openid"])},
		SceneInfo: &jsapi.SceneInfo{PayerClientIp: core.String(p["spbill_create_ip"])},
	}
	body := new(bytes.Buffer)
	if err := json.NewEncoder(body).Encode(order); err != nil {
		return sentV3{}, err
	}
	credential := &credentials.WechatPayCredentials{Signer: signer}
	authorization, err := credential.GenerateAuthorizationHeader(ctx, http.MethodPost, jsapiPath, body.String())
	return sentV3{body.String(), authorization}, err
}

func vendorPayment(paid *payments.Transaction, err error) (paymentV3, error) {
	if err != nil {
		return paymentV3{}, err
	}
	return paymentV3{
		*paid.OutTradeNo, *paid.TransactionId, *paid.Payer.Openid, *paid.Attach, *paid.TradeState, *paid.SuccessTime, *paid.Amount.Total,
	}, nil
}
