package simulator

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	clocktesting "k8s.io/utils/clock/testing"
)

const (
	testMerchant = "1900000109"
	testApp      = "wxd678efh567hg6787"
	testKey      = "Zx81TestOnlyKey0Zx81TestOnlyKey0"
)

// All tests share one CA and one merchant certificate, because generating RSA keys is slow.
var (
	sharedDir         string
	sharedCertificate tls.Certificate
	sharedIssued      ClientCertificate
)

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "simulator-ca")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ca, err := openAuthority(dir)
	if err == nil {
		var issued ClientCertificate
		issued, err = ca.issueClient(testMerchant, time.Now().Add(-time.Hour), time.Now().AddDate(5, 0, 0))
		if err == nil {
			sharedIssued = issued
			sharedCertificate, err = issued.TLS()
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	sharedDir = dir
	return m.Run()
}

// fixture is a simulator with a merchant, a shop and a client.
type fixture struct {
	*GomegaWithT
	t        *testing.T
	sim      *Simulator
	clock    *clocktesting.FakeClock
	shop     *testShop
	signType SignType
	key      string
	// certified presents the client certificate that refunds need.
	plain, certified *http.Client
}

func start(t *testing.T, change ...func(*Options)) *fixture {
	t.Helper()
	f := &fixture{
		GomegaWithT: NewWithT(t), t: t, shop: newTestShop(t), signType: HMACSHA256, key: testKey,
		clock: clocktesting.NewFakeClock(time.Now().Truncate(time.Second)),
	}
	options := Options{
		Merchants:      []Merchant{{MchID: testMerchant, AppIDs: []string{testApp, "wx0000000000000002"}, APIKey: testKey}},
		CertificateDir: sharedDir,
		Now:            f.clock.Now,
	}
	for _, c := range change {
		c(&options)
	}
	sim, err := New(options)
	f.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { f.Expect(sim.Close()).To(Succeed()) })
	f.sim = sim
	f.plain = f.client()
	f.certified = f.client(sharedCertificate)
	return f
}

// in returns the fixture for a subtest, so that failures are reported there.
func (f *fixture) in(t *testing.T) *fixture {
	copied := *f
	copied.t, copied.GomegaWithT = t, NewWithT(t)
	return &copied
}

func (f *fixture) client(certificates ...tls.Certificate) *http.Client {
	transport := &http.Transport{MaxIdleConnsPerHost: 32, TLSClientConfig: &tls.Config{RootCAs: f.sim.CertPool(), Certificates: certificates}}
	f.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// with returns a copy of the fields with changes; an empty value removes a field.
func (m message) with(pairs ...string) message {
	out := maps.Clone(m)
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = pairs[i+1]
	}
	return out
}

func (f *fixture) order(number string, pairs ...string) message {
	return message{
		"body": "肥皂 x1", "out_trade_no": number, "total_fee": "101", "spbill_create_ip": "203.0.113.7",
		"notify_url": f.shop.URL + "/payment", "trade_type": "JSAPI", "openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o",
	}.with(pairs...)
}

func (f *fixture) refund(order, number string, amount string, pairs ...string) message {
	return message{
		"out_trade_no": order, "out_refund_no": number, "total_fee": "101", "refund_fee": amount,
		"notify_url": f.shop.URL + "/refund",
	}.with(pairs...)
}

var paths = func() map[Operation]string {
	out := map[Operation]string{}
	for path, operation := range operationsByPath {
		out[operation] = path
	}
	return out
}()

// sign adds the common fields and the signature to a request.
func (f *fixture) sign(fields message) message {
	out := message{"appid": testApp, "mch_id": testMerchant, "nonce_str": newNonce()}
	if f.signType == HMACSHA256 {
		out["sign_type"] = string(HMACSHA256)
	}
	maps.Copy(out, fields)
	out["sign"] = signature(out, f.key, f.signType)
	maps.DeleteFunc(out, func(_, value string) bool { return value == "" })
	return out
}

func (f *fixture) post(base string, operation Operation, body []byte) (*http.Response, []byte, error) {
	client := f.plain
	if operation == OperationRefund {
		client = f.certified
	}
	response, err := client.Post(base+paths[operation], "text/xml; charset=utf-8", bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	reply, err := io.ReadAll(response.Body)
	return response, reply, err
}

// call makes a call and returns its reply; any reply except a refusal must have a valid signature.
func (f *fixture) call(operation Operation, fields message) message {
	f.t.Helper()
	return f.callAt(f.sim.URL(), operation, fields)
}

func (f *fixture) callAt(base string, operation Operation, fields message) message {
	f.t.Helper()
	response, body, err := f.post(base, operation, formatXML(f.sign(fields), "xml"))
	f.Expect(err).NotTo(HaveOccurred())
	f.Expect(response.StatusCode).To(Equal(http.StatusOK))
	reply, err := parseXML(body, "xml")
	f.Expect(err).NotTo(HaveOccurred())
	if reply["return_code"] == "SUCCESS" {
		f.Expect(reply["sign"]).To(Equal(signature(reply, f.key, f.signType)), "signature of %s", body)
	} else {
		f.Expect(reply).To(HaveLen(2), "a refusal has return_code and return_msg alone")
	}
	return reply
}

// outcome returns SUCCESS, an err_code, or a return_msg.
func outcome(reply message) string {
	switch {
	case reply["return_code"] != "SUCCESS":
		return reply["return_msg"]
	case reply["result_code"] != "SUCCESS":
		return reply["err_code"]
	}
	return "SUCCESS"
}

func (f *fixture) mustCall(operation Operation, fields message) message {
	f.t.Helper()
	reply := f.call(operation, fields)
	f.Expect(outcome(reply)).To(Equal("SUCCESS"), "%v", reply)
	return reply
}

// paidOrder creates and pays an order.
func (f *fixture) paidOrder(number string, pairs ...string) Payment {
	f.t.Helper()
	f.mustCall(OperationUnifiedOrder, f.order(number, pairs...))
	payment, err := f.sim.Pay(testMerchant, number, PayOptions{})
	f.Expect(err).NotTo(HaveOccurred())
	return payment
}

func (f *fixture) violations() []ViolationKind {
	var kinds []ViolationKind
	for _, v := range f.sim.Ledger().Violations {
		kinds = append(kinds, v.Kind)
	}
	return kinds
}

// testShop receives callbacks.
type testShop struct {
	*httptest.Server
	mu       sync.Mutex
	received []receivedRequest
	// exact makes the shop answer each protocol as it wants to be answered; otherwise it says what
	// API v2 wants, whose status API v3 takes as well.
	exact   bool
	answers []func(http.ResponseWriter)
}

// receivedRequest is a callback that came.
type receivedRequest struct {
	header http.Header
	body   []byte
}

func newTestShop(t *testing.T) *testShop {
	shop := &testShop{}
	shop.Server = httptest.NewServer(shop)
	t.Cleanup(shop.Close)
	return shop
}

func (s *testShop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.received = append(s.received, receivedRequest{header: r.Header, body: body})
	answer := func(w http.ResponseWriter) { _, _ = io.WriteString(w, acknowledgement) }
	if s.exact && r.Header.Get("Content-Type") != "text/xml" {
		answer = say(http.StatusNoContent, "")
	}
	if len(s.answers) > 0 {
		answer, s.answers = s.answers[0], s.answers[1:]
	}
	s.mu.Unlock()
	answer(w)
}

func (s *testShop) answer(answers ...func(http.ResponseWriter)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers = append(s.answers, answers...)
}

func (s *testShop) messages() [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	var bodies [][]byte
	for _, r := range s.received {
		bodies = append(bodies, r.body)
	}
	return bodies
}

func (s *testShop) requests() []receivedRequest {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.received)
}

func say(status int, body string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func pointer[T any](value T) *T { return &value }

func newTestShopTLS(t *testing.T) *testShop {
	shop := &testShop{}
	shop.Server = httptest.NewTLSServer(shop)
	t.Cleanup(shop.Close)
	return shop
}
