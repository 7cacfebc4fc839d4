package interop

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"hash"
	"io"
	"maps"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/go-pay/gopay"
	"github.com/go-pay/gopay/wechat"
	"github.com/go-pay/util"
)

// What is measured here with gopay is measured with our client in internal/wechatpay/v2, under the same names and with
// the same bytes. gopay is used as its documentation says; where there is a choice, it has the cheaper one.

const (
	comparison    = "../../internal/wechatpay/testdata/comparison/"
	comparisonApp = "wx8888888888888888"
)

var signTypes = []string{wechat.SignType_MD5, wechat.SignType_HMAC_SHA256}

// compare runs a step for each algorithm, as often as it takes.
func compare(b *testing.B, step func(t testing.TB, signType string) func() error) {
	for _, signType := range signTypes {
		b.Run(signType+"/gopay", func(b *testing.B) {
			once := step(b, signType)
			b.ReportAllocs()
			for b.Loop() {
				if err := once(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A payment callback: its body is read and parsed, and the signature verified.
func BenchmarkPaymentCallback(b *testing.B) {
	compare(b, func(t testing.TB, signType string) func() error {
		body, sent := comparisonFile(t, "payment-"+signType+".xml"), bytes.NewReader(nil)
		request := &http.Request{Body: io.NopCloser(sent)}
		return func() error {
			sent.Reset(body)
			_, err := takePayment(request, signType)
			return err
		}
	})
}

// A unifiedorder: the order is checked, signed and written.
func BenchmarkUnifiedOrder(b *testing.B) {
	compare(b, func(t testing.TB, signType string) func() error {
		parameters, state := comparisonParameters(t), newHash(signType)
		return func() error {
			_, err := makeOrder(parameters, signType, state)
			return err
		}
	})
}

// The reply to it: read, and the signature verified.
func BenchmarkReply(b *testing.B) {
	compare(b, func(t testing.TB, signType string) func() error {
		body := comparisonFile(t, "reply-"+signType+".xml")
		return func() error {
			_, err := takeReply(body, signType)
			return err
		}
	})
}

var errSignature = errors.New("the signature is wrong")

func takePayment(request *http.Request, signType string) (gopay.BodyMap, error) {
	notice, err := wechat.ParseNotifyToBodyMap(request)
	if err != nil {
		return nil, err
	}
	if good, err := wechat.VerifySign(key, signType, notice); !good || err != nil {
		return nil, errors.Join(errSignature, err)
	}
	return notice, nil
}

// makeOrder does what Client.UnifiedOrder does before it sends, with the hash that a Client keeps from call to call.
func makeOrder(parameters map[string]string, signType string, state hash.Hash) (string, error) {
	order := make(gopay.BodyMap)
	order.Set("nonce_str", util.RandomString(32)).Set("sign_type", signType)
	for name, value := range parameters {
		order.Set(name, value)
	}
	err := order.CheckEmptyError("nonce_str", "body", "out_trade_no", "total_fee", "spbill_create_ip", "notify_url", "trade_type")
	if err != nil {
		return "", err
	}
	order.Set("appid", comparisonApp).Set("mch_id", merchant)
	state.Reset()
	state.Write([]byte(order.EncodeWeChatSignParams(key)))
	order.Set("sign", strings.ToUpper(hex.EncodeToString(state.Sum(nil))))
	return wechat.GenerateXml(order), nil
}

func takeReply(body []byte, signType string) (*wechat.UnifiedOrderResponse, error) {
	reply := new(wechat.UnifiedOrderResponse)
	if err := xml.Unmarshal(body, reply); err != nil {
		return nil, err
	}
	if good, err := wechat.VerifySign(key, signType, reply); !good || err != nil {
		return nil, errors.Join(errSignature, err)
	}
	return reply, nil
}

func newHash(signType string) hash.Hash {
	if signType == wechat.SignType_HMAC_SHA256 {
		return hmac.New(sha256.New, []byte(key))
	}
	return md5.New()
}

// What is compared is right: the same facts as our client finds, and every parameter that it sends.
func TestComparison(t *testing.T) {
	for _, signType := range signTypes {
		body := bytes.NewReader(comparisonFile(t, "payment-"+signType+".xml"))
		payment, err := takePayment(&http.Request{Body: io.NopCloser(body)}, signType)
		if err != nil || payment["out_trade_no"] != "order-20260101-0001" || payment["total_fee"] != "101" {
			t.Errorf("a payment by %s: %v, %v", signType, payment, err)
		}
		reply, err := takeReply(comparisonFile(t, "reply-"+signType+".xml"), signType)
		if err != nil || reply.PrepayId != "wx01120412345678901234567890abcd0000" {
			t.Errorf("a reply by %s: %+v, %v", signType, reply, err)
		}
		document, err := makeOrder(comparisonParameters(t), signType, newHash(signType))
		if err != nil {
			t.Fatal(err)
		}
		sent, err := takePayment(&http.Request{Body: io.NopCloser(strings.NewReader(document))}, signType)
		if err != nil {
			t.Fatal(err)
		}
		if len(sent["nonce_str"].(string)) != 32 {
			t.Errorf("nonce_str is %q", sent["nonce_str"])
		}
		want := gopay.BodyMap{"appid": comparisonApp, "mch_id": merchant, "nonce_str": sent["nonce_str"], "sign_type": signType}
		for name, value := range comparisonParameters(t) {
			want[name] = value
		}
		if !maps.Equal(sent, want) {
			t.Errorf("sends %v, not %v", sent, want)
		}
	}
}

func comparisonFile(t testing.TB, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(comparison + name)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// comparisonParameters are those of the order that both sides send.
func comparisonParameters(t testing.TB) (parameters map[string]string) {
	t.Helper()
	if err := json.Unmarshal(comparisonFile(t, "order.json"), &parameters); err != nil {
		t.Fatal(err)
	}
	return parameters
}
