package v2

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// request is a request that reached a test server.
type request struct {
	path, contentType, userAgent string
	fields                       map[string]string
	certificates                 []*x509.Certificate
}

// server simulates one WeChat Pay host.
type server struct {
	*httptest.Server
	mu       sync.Mutex
	requests []request
}

// answer is WeChat Pay's part in one call.
type answer func(w http.ResponseWriter, r *http.Request, sent map[string]string)

// newServer starts a server that requests a client certificate, as WeChat Pay's do, and accepts any
// or none.
func newServer(t testing.TB, reply answer) *server {
	t.Helper()
	return startServer(t, reply, &tls.Config{ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12})
}

func startServer(t testing.TB, reply answer, configuration *tls.Config) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("reading a request: %v", err)
		}
		sent, err := oracleRead(body, messageRoot)
		if err != nil {
			t.Errorf("a request that is no message: %q", body)
		}
		s.mu.Lock()
		s.requests = append(s.requests, request{
			r.URL.Path, r.Header.Get("Content-Type"), r.UserAgent(), sent, r.TLS.PeerCertificates,
		})
		s.mu.Unlock()
		reply(w, r, sent)
	}))
	s.TLS = configuration
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func (s *server) url(t testing.TB) *url.URL {
	t.Helper()
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// seen returns the requests that reached the server.
func (s *server) seen() []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]request(nil), s.requests...)
}

// only returns the single request that reached the server.
func (s *server) only(t testing.TB) request {
	t.Helper()
	seen := s.seen()
	if len(seen) != 1 {
		t.Fatalf("%d requests reached the server, not one", len(seen))
	}
	return seen[0]
}

// options returns Options to reach and trust the server, and the backup if there is one.
func (s *server) options(t testing.TB, backup ...*server) Options {
	t.Helper()
	options := testOptions()
	options.Endpoint = s.url(t)
	options.RootCAs = x509.NewCertPool()
	options.RootCAs.AddCert(s.Certificate())
	for _, b := range backup {
		options.BackupEndpoint = b.url(t)
		options.RootCAs.AddCert(b.Certificate())
	}
	options.Certificate = testCertificate
	return options
}

func (s *server) client(t testing.TB, backup ...*server) *Client {
	t.Helper()
	return newTestClient(t, s.options(t, backup...))
}

// Answers of the test servers.

func raw(status int, body string) answer {
	return func(w http.ResponseWriter, _ *http.Request, _ map[string]string) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// says answers with a message that has a new nonce and is signed like the request.
func says(message map[string]string) answer {
	return func(w http.ResponseWriter, _ *http.Request, sent map[string]string) {
		fresh := maps.Clone(message)
		fresh["nonce_str"] = newNonce()
		_, _ = w.Write(oracleWrite(messageRoot, signed(fresh, testKey, wechatpay.Scheme(sent["sign_type"]))))
	}
}

// done answers with success and more fields.
func done(more map[string]string) answer { return says(reply("result_code", "SUCCESS", more)) }

// fails answers with an error code.
func fails(code, description string) answer {
	return says(reply("result_code", "FAIL", map[string]string{"err_code": code, "err_code_des": description}))
}

// refuses answers at the communication level, unsigned.
func refuses(code, text string) answer {
	return raw(http.StatusOK, string(oracleWrite(messageRoot, map[string]string{"return_code": code, "return_msg": text})))
}

// hangsUp closes the connection.
func hangsUp(w http.ResponseWriter, _ *http.Request, _ map[string]string) {
	connection, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = connection.Close()
	}
}

// staysSilent never answers, even after the client has disconnected.
func staysSilent(_ http.ResponseWriter, r *http.Request, _ map[string]string) {
	<-r.Context().Done()
	panic(http.ErrAbortHandler)
}

// inTurn gives one answer after the other, and repeats the last.
func inTurn(answers ...answer) answer {
	var mu sync.Mutex
	return func(w http.ResponseWriter, r *http.Request, sent map[string]string) {
		mu.Lock()
		next := answers[0]
		if len(answers) > 1 {
			answers = answers[1:]
		}
		mu.Unlock()
		next(w, r, sent)
	}
}

func reply(name, value string, more map[string]string) map[string]string {
	message := map[string]string{
		"return_code": "SUCCESS", "return_msg": "OK", "appid": testAppID, "mch_id": testMchID, "nonce_str": "5K8264ILTKCH16CQ", name: value,
	}
	maps.Copy(message, more)
	return message
}

// Typical calls.

const (
	testNumber       = "ord_20260101-0001"
	testRefundNumber = "rf-20260102-1"
)

func testOrder() wechatpay.OrderRequest {
	return wechatpay.OrderRequest{
		OutTradeNo: testNumber, AppID: testAppID, TradeType: wechatpay.TradeTypeNative, Description: "肥皂 x1",
		Total: 101, Currency: "CNY", ClientIP: "203.0.113.7", NotifyURL: "https://pay.example.com/notify", ProductID: "12",
	}
}

func testRefund() wechatpay.RefundRequest {
	return wechatpay.RefundRequest{
		OutTradeNo: testNumber, OutRefundNo: testRefundNumber, AppID: testAppID, Total: 101, Amount: 50, Currency: "CNY",
		Reason: "质量问题", NotifyURL: "https://pay.example.com/refund",
	}
}

// calls makes each of the calls, and returns only its error.
var calls = map[wechatpay.Operation]func(context.Context, *Client) error{
	wechatpay.OperationCreateOrder: func(ctx context.Context, c *Client) error {
		_, err := c.CreateOrder(ctx, testOrder())
		return err
	},
	wechatpay.OperationQueryOrder: func(ctx context.Context, c *Client) error {
		_, err := c.QueryOrder(ctx, wechatpay.OrderRef{OutTradeNo: testNumber, AppID: testAppID})
		return err
	},
	wechatpay.OperationCloseOrder: func(ctx context.Context, c *Client) error {
		return c.CloseOrder(ctx, wechatpay.OrderRef{OutTradeNo: testNumber, AppID: testAppID})
	},
	wechatpay.OperationCreateRefund: func(ctx context.Context, c *Client) error {
		_, err := c.CreateRefund(ctx, testRefund())
		return err
	},
	wechatpay.OperationQueryRefund: func(ctx context.Context, c *Client) error {
		_, err := c.QueryRefund(ctx, wechatpay.RefundRef{OutRefundNo: testRefundNumber, AppID: testAppID})
		return err
	},
}

// doneFields are the fields of a success reply to each call besides result_code.
var doneFields = map[wechatpay.Operation]map[string]string{
	wechatpay.OperationCreateOrder:  {"trade_type": "NATIVE", "prepay_id": "wx2016", "code_url": "weixin://wxpay/bizpayurl?pr=x"},
	wechatpay.OperationQueryOrder:   {"out_trade_no": testNumber, "trade_state": "NOTPAY"},
	wechatpay.OperationCloseOrder:   {},
	wechatpay.OperationCreateRefund: {"out_trade_no": testNumber, "out_refund_no": testRefundNumber, "refund_id": "503", "refund_fee": "50"},
	wechatpay.OperationQueryRefund: {
		"out_trade_no": testNumber, "refund_count": "1", "out_refund_no_0": testRefundNumber,
		"refund_fee_0": "50", "refund_status_0": "PROCESSING", "refund_id_0": "503",
	},
}

// expect compares an error with the expected outcome, meaning and text; an empty text matches any.
func expect(t testing.TB, err error, outcome wechatpay.Outcome, meaning wechatpay.Meaning, text string) {
	t.Helper()
	failure, ok := errors.AsType[*wechatpay.Error](err)
	if !ok || failure == nil {
		t.Fatalf("got %T %v, not %s/%s", err, err, outcome, meaning)
	}
	if failure.Outcome != outcome || failure.Meaning != meaning {
		t.Errorf("got %s/%s (%v), not %s/%s", failure.Outcome, failure.Meaning, err, outcome, meaning)
	}
	if text != "" && failure.Error() != text {
		t.Errorf("says %q, not %q", failure.Error(), text)
	}
}

// testCertificate is the merchant's client certificate.
var testCertificate = newCertificate(time.Now().Add(-time.Hour), time.Now().Add(time.Hour))

func newCertificate(from, to time.Time) *tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: testMchID}, NotBefore: from, NotAfter: to,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	leaf, err := x509.ParseCertificate(raw)
	if err != nil {
		panic(err)
	}
	return &tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key, Leaf: leaf}
}

// parsePayment and parseRefund read a body as a callback of their kind.
func (r *receiver) parsePayment(body []byte) (wechatpay.Notification, error) {
	return r.Parse(wechatpay.Delivery{Kind: wechatpay.PaymentCallback, Body: body})
}

func (r *receiver) parseRefund(body []byte) (wechatpay.Notification, error) {
	return r.Parse(wechatpay.Delivery{Kind: wechatpay.RefundCallback, Body: body})
}
