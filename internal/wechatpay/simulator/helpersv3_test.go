package simulator

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

const (
	testAPIV3Key = "VectorsOnlyKey0123456789abcdefgh"
	testProvider = "1900000100"
	testSub      = "1900000200"
	otherSub     = "1900000300"
	testSpApp    = "wx8888888888888888"
	testSubApp   = "wx9999999999999999"
)

// clientV3 is a merchant's client of API v3.
type clientV3 struct {
	*fixture
	mchID    string
	serial   string
	key      *rsa.PrivateKey
	apiV3Key string
	// wanted is sent as Wechatpay-Serial.
	wanted string
	// spoil changes a request after it was signed.
	spoil func(*http.Request)
	base  string
}

// startV3 starts a simulator with an ordinary merchant and a provider with two sub merchants, all
// with the shared certificate's key.
func startV3(t *testing.T, change ...func(*Options)) *clientV3 {
	t.Helper()
	f := start(t, append([]func(*Options){func(o *Options) {
		o.Merchants[0].APIV3Key = testAPIV3Key
		o.Merchants[0].Certificates = []string{string(sharedIssued.CertPEM)}
		o.Merchants = append(o.Merchants, Merchant{
			MchID: testProvider, AppIDs: []string{testSpApp}, APIKey: testKey, APIV3Key: testAPIV3Key,
			Certificates: []string{string(sharedIssued.CertPEM)},
			SubMerchants: []SubMerchant{
				{SubMchID: testSub, SubAppIDs: []string{testSubApp}, RefundRight: true}, {SubMchID: otherSub},
			},
		})
	}}, change...)...)
	serial, err := sharedIssued.SerialNo()
	f.Expect(err).NotTo(HaveOccurred())
	key, err := parseRSAKey(string(sharedIssued.KeyPEM))
	f.Expect(err).NotTo(HaveOccurred())
	return &clientV3{fixture: f, mchID: testMerchant, serial: serial, key: key, apiV3Key: testAPIV3Key, base: f.sim.URL()}
}

func (c *clientV3) in(t *testing.T) *clientV3 {
	copied := *c
	copied.fixture = c.fixture.in(t)
	return &copied
}

// provider is the same client acting for the service provider.
func (c *clientV3) provider() *clientV3 {
	copied := *c
	copied.mchID = testProvider
	return &copied
}

// authorize makes the Authorization header.
func (c *clientV3) authorize(method, target string, body []byte, at time.Time, nonce string) string {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	signature := signRSA(c.key, method+"\n"+target+"\n"+timestamp+"\n"+nonce+"\n"+string(body)+"\n")
	return fmt.Sprintf(`WECHATPAY2-SHA256-RSA2048 mchid="%s",nonce_str="%s",timestamp="%s",serial_no="%s",signature="%s"`,
		c.mchID, nonce, timestamp, c.serial, signature)
}

// replyV3 is an answer.
type replyV3 struct {
	status int
	header http.Header
	raw    []byte
	body   map[string]any
}

// code is the code of a failure; empty for a success.
func (r replyV3) code() string {
	code, _ := r.body["code"].(string)
	return code
}

func (r replyV3) text(path ...string) string {
	var at any = r.body
	for _, name := range path {
		inside, _ := at.(map[string]any)
		at = inside[name]
	}
	if at == nil {
		return ""
	}
	return fmt.Sprint(at)
}

// request makes a signed request.
func (c *clientV3) request(method, target string, body any) *http.Request {
	c.t.Helper()
	var raw []byte
	switch b := body.(type) {
	case nil:
	case string:
		raw = []byte(b)
	default:
		var err error
		raw, err = json.Marshal(b)
		c.Expect(err).NotTo(HaveOccurred())
	}
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.base+target, bytes.NewReader(raw))
	c.Expect(err).NotTo(HaveOccurred())
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", c.authorize(method, r.URL.RequestURI(), raw, c.clock.Now(), newNonce()))
	if c.wanted != "" {
		r.Header.Set("Wechatpay-Serial", c.wanted)
	}
	if c.spoil != nil {
		c.spoil(r)
	}
	return r
}

func (c *clientV3) try(method, target string, body any) (replyV3, error) {
	c.t.Helper()
	response, err := c.plain.Do(c.request(method, target, body))
	if err != nil {
		return replyV3{}, err
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	reply := replyV3{status: response.StatusCode, header: response.Header, raw: raw}
	_ = json.Unmarshal(raw, &reply.body) // a damaged answer has no body
	return reply, err
}

// do makes a call, whose answer must be signed.
func (c *clientV3) do(method, target string, body any) replyV3 {
	c.t.Helper()
	reply, err := c.try(method, target, body)
	c.Expect(err).NotTo(HaveOccurred())
	c.Expect(c.verifies(reply.header, reply.raw)).To(BeTrue(), "signature of %d %s", reply.status, reply.raw)
	c.Expect(reply.header.Get("Request-Id")).NotTo(BeEmpty())
	return reply
}

func (c *clientV3) post(target string, body any) replyV3 { return c.do(http.MethodPost, target, body) }
func (c *clientV3) get(target string) replyV3            { return c.do(http.MethodGet, target, nil) }

// verifies checks a signature with WeChat Pay's keys.
func (c *clientV3) verifies(header http.Header, body []byte) bool {
	c.t.Helper()
	signature, err := base64.StdEncoding.DecodeString(header.Get("Wechatpay-Signature"))
	if err != nil {
		return false
	}
	message := header.Get("Wechatpay-Timestamp") + "\n" + header.Get("Wechatpay-Nonce") + "\n" + string(body) + "\n"
	platform, serial := c.sim.Platform(), header.Get("Wechatpay-Serial")
	if serial == platform.PublicKeyID {
		block, _ := pem.Decode([]byte(platform.PublicKeyPEM))
		parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
		c.Expect(err).NotTo(HaveOccurred())
		return verifiesRSA(parsed.(*rsa.PublicKey), message, signature)
	}
	for _, certificate := range platform.Certificates {
		if certificate.SerialNo == serial {
			parsed, err := parseCertificate([]byte(certificate.CertPEM))
			c.Expect(err).NotTo(HaveOccurred())
			return verifiesRSA(parsed.PublicKey.(*rsa.PublicKey), message, signature)
		}
	}
	return false
}

// open decrypts a resource.
func (c *clientV3) open(resource map[string]any) map[string]any {
	c.t.Helper()
	sealed, err := base64.StdEncoding.DecodeString(resource["ciphertext"].(string))
	c.Expect(err).NotTo(HaveOccurred())
	block, err := aes.NewCipher([]byte(c.apiV3Key))
	c.Expect(err).NotTo(HaveOccurred())
	gcm, err := cipher.NewGCM(block)
	c.Expect(err).NotTo(HaveOccurred())
	plain, err := gcm.Open(nil, []byte(resource["nonce"].(string)), sealed, []byte(resource["associated_data"].(string)))
	c.Expect(err).NotTo(HaveOccurred())
	var content map[string]any
	if json.Unmarshal(plain, &content) != nil {
		content = map[string]any{"plain": string(plain)}
	}
	return content
}

type fields = map[string]any

// but returns a copy with changes by name; a nil value removes the member.
func but(body fields, pairs ...any) fields {
	out := maps.Clone(body)
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == nil {
			delete(out, pairs[i].(string))
		} else {
			out[pairs[i].(string)] = pairs[i+1]
		}
	}
	return out
}

func (c *clientV3) jsapi(number string, pairs ...any) fields {
	return but(fields{
		"appid": testApp, "mchid": testMerchant, "description": "肥皂 x1", "out_trade_no": number,
		"notify_url": c.shop.URL + "/v3/payment", "amount": fields{"total": 101, "currency": "CNY"},
		"payer": fields{"openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"},
	}, pairs...)
}

func (c *clientV3) partnerJSAPI(number string, pairs ...any) fields {
	return but(fields{
		"sp_appid": testSpApp, "sp_mchid": testProvider, "sub_appid": testSubApp, "sub_mchid": testSub, "description": "肥皂 x1",
		"out_trade_no": number, "notify_url": c.shop.URL + "/v3/payment", "amount": fields{"total": 101, "currency": "CNY"},
		"payer": fields{"sub_openid": "oSubUserUnderTheSubApp000000"},
	}, pairs...)
}

func (c *clientV3) refundBody(order, number string, amount int, pairs ...any) fields {
	return but(fields{
		"out_trade_no": order, "out_refund_no": number, "reason": "质量问题", "notify_url": c.shop.URL + "/v3/refund",
		"amount": fields{"refund": amount, "total": 101, "currency": "CNY"},
	}, pairs...)
}

const (
	jsapiPath   = "/v3/pay/transactions/jsapi"
	partnerPath = "/v3/pay/partner/transactions/jsapi"
	refundsPath = "/v3/refund/domestic/refunds"
)

func (c *clientV3) mustOrder(number string, pairs ...any) string {
	c.t.Helper()
	reply := c.post(jsapiPath, c.jsapi(number, pairs...))
	c.Expect(reply.status).To(Equal(200), "%s", reply.raw)
	return reply.text("prepay_id")
}

func (c *clientV3) mustPay(number string) Payment {
	c.t.Helper()
	payment, err := c.sim.Pay(c.mchID, number, PayOptions{})
	c.Expect(err).NotTo(HaveOccurred())
	return payment
}
