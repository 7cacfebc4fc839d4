package interop

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// The merchant of ../../internal/wechatpay/testdata/vectors-v3.json.
const (
	comparisonMchID    = "1900000001"
	comparisonAppIDV3  = "wx0000000000000001"
	comparisonAPIV3Key = "VectorsOnlyKey0123456789abcdefgh"
	jsapiPath          = "/v3/pay/transactions/jsapi"
)

// keyV3 is one of its keys.
type keyV3 struct {
	Serial  string `json:"serial_no"`
	Private string `json:"private_key_pem"`
	Public  string `json:"public_key_pem"`
}

func (k keyV3) parse(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	block, _ := pem.Decode([]byte(k.Private))
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return parsed.(*rsa.PrivateKey)
}

// comparisonKeys are the merchant's key and WeChat Pay's.
func comparisonKeys(t testing.TB) (merchant, wechat keyV3) {
	t.Helper()
	content, err := os.ReadFile("../../internal/wechatpay/testdata/vectors-v3.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors struct{ Keys map[string]keyV3 }
	if err := json.Unmarshal(content, &vectors); err != nil {
		t.Fatal(err)
	}
	return vectors.Keys["merchant"], vectors.Keys["wechatpay_pub"]
}

// messageV3 is a signed message as it comes in.
type messageV3 struct {
	header http.Header
	body   []byte
	sent   *bytes.Reader
}

func (m messageV3) reader() io.ReadCloser {
	m.sent.Reset(m.body)
	return io.NopCloser(m.sent)
}

// comparisonMessage signs a body now, as WeChat does.
func comparisonMessage(t testing.TB, name string) messageV3 {
	t.Helper()
	body := comparisonFile(t, name)
	_, key := comparisonKeys(t)
	timestamp, nonce := strconv.FormatInt(time.Now().Unix(), 10), "5d2b6c2a8db53831f7eda20a"
	digest := sha256.Sum256([]byte(timestamp + "\n" + nonce + "\n" + string(body) + "\n"))
	signature, err := rsa.SignPKCS1v15(nil, key.parse(t), crypto.SHA256, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	header := http.Header{}
	header.Set("Wechatpay-Timestamp", timestamp)
	header.Set("Wechatpay-Nonce", nonce)
	header.Set("Wechatpay-Signature", base64.StdEncoding.EncodeToString(signature))
	header.Set("Wechatpay-Signature-Type", "WECHATPAY2-SHA256-RSA2048")
	header.Set("Wechatpay-Serial", key.Serial)
	return messageV3{header, body, bytes.NewReader(nil)}
}

// sentV3 is a request, and paymentV3 what is found in a callback or an answer.
type (
	sentV3    struct{ body, authorization string }
	paymentV3 struct {
		number, transaction, openID, attach, state, time string
		total                                            int64
	}
)

// What is compared is right: the same facts as our client finds, and every member that it sends.
func TestComparisonV3(t *testing.T) {
	want := paymentV3{
		number: "order-20260101-0001", transaction: "4200000000202601010000000001", openID: "oUpF8uMEb4qRXf22hE3X68TekukE",
		attach: "支付测试", state: "SUCCESS", time: "2026-01-01T12:05:00+08:00", total: 101,
	}
	for _, c := range []clientV3{gopayComparison(t), vendorComparison(t)} {
		if payment, err := c.payment(comparisonMessage(t, "payment-v3.json")); err != nil || payment != want {
			t.Errorf("%s: a payment: %+v, %v", c.name, payment, err)
		}
		if trade, err := c.reply(comparisonMessage(t, "trade-v3.json")); err != nil || trade != want {
			t.Errorf("%s: a reply: %+v, %v", c.name, trade, err)
		}
		for _, spoil := range []func(messageV3) (paymentV3, error){c.payment, c.reply} {
			forged := comparisonMessage(t, "payment-v3.json")
			forged.body = append(forged.body, ' ')
			if _, err := spoil(forged); err == nil {
				t.Errorf("%s: took a message with a wrong signature", c.name)
			}
		}
		sent, err := c.order()
		if err != nil {
			t.Fatal(err)
		}
		var got, wanted any
		if err := json.Unmarshal([]byte(sent.body), &got); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(comparisonFile(t, "order-v3.json"), &wanted); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, wanted) {
			t.Errorf("%s: sends %s", c.name, sent.body)
		}
		checkAuthorization(t, sent)
	}
}

var authorizationV3 = regexp.MustCompile(`^WECHATPAY2-SHA256-RSA2048 mchid="1900000001",nonce_str="([^"]{32})",` +
	`timestamp="(\d+)",serial_no="([^"]+)",signature="([^"]+)"$`)

func checkAuthorization(t *testing.T, sent sentV3) {
	t.Helper()
	said := authorizationV3.FindStringSubmatch(sent.authorization)
	merchant, _ := comparisonKeys(t)
	if said == nil || said[3] != merchant.Serial {
		t.Fatalf("Authorization: %s", sent.authorization)
	}
	digest := sha256.Sum256([]byte("POST\n" + jsapiPath + "\n" + said[2] + "\n" + said[1] + "\n" + sent.body + "\n"))
	signature, err := base64.StdEncoding.DecodeString(said[4])
	if err != nil {
		t.Fatal(err)
	}
	if err := rsa.VerifyPKCS1v15(&merchant.parse(t).PublicKey, crypto.SHA256, digest[:], signature); err != nil {
		t.Errorf("Authorization: %v", err)
	}
}
