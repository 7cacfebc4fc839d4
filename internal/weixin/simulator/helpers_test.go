package simulator

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	clocktesting "k8s.io/utils/clock/testing"

	wechatpay "github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

const (
	testApp      = "wxd678efh567hg6787"
	testOfficial = "wx0000000000000002"
	testSecret   = "0123456789abcdef0123456789abcdef"
	testMerchant = "1900000109"
	testOpenID   = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"
)

// ledger are the payments that a test makes.
type ledger struct {
	mu     sync.Mutex
	orders map[string]Order // by merchant and number
}

func (l *ledger) Order(mchID, outTradeNo string) (Order, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	order, found := l.orders[mchID+"/"+outTradeNo]
	return order, found
}

func (l *ledger) Transaction(id string) (Order, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, order := range l.orders {
		if order.Payment != nil && order.Payment.TransactionID == id {
			return order, true
		}
	}
	return Order{}, false
}

// put adds or replaces an order.
func (l *ledger) put(o Order) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.orders[merchantOf(o)+"/"+o.OutTradeNo] = o
}

// fixture is a simulator with a mini program, an official account and a client.
type fixture struct {
	*GomegaWithT
	t      *testing.T
	sim    *Simulator
	clock  *clocktesting.FakeClock
	ledger *ledger
	client *http.Client
}

// sharedPay issues certificates for all tests.
var sharedPay = sync.OnceValues(func() (*wechatpay.Simulator, error) { return wechatpay.New(wechatpay.Options{}) })

func start(t *testing.T, change ...func(*Options)) *fixture {
	t.Helper()
	f := &fixture{
		GomegaWithT: NewWithT(t), t: t, clock: clocktesting.NewFakeClock(time.Now().Truncate(time.Second)), ledger: &ledger{orders: map[string]Order{}},
	}
	pay, err := sharedPay()
	f.Expect(err).NotTo(HaveOccurred())
	certificate, err := pay.ServerCertificate()
	f.Expect(err).NotTo(HaveOccurred())
	options := Options{
		Certificate: certificate, Payments: f.ledger, Now: f.clock.Now,
		MiniPrograms: []MiniProgram{
			{AppID: testApp, AppSecret: testSecret, Templates: []Template{{ID: "paid", Keys: []string{"thing1", "amount2"}}}},
			{AppID: testOfficial, AppSecret: testSecret, OfficialAccount: true},
		},
	}
	for _, c := range change {
		c(&options)
	}
	f.sim, err = New(options)
	f.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(f.sim.Close)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pay.CertPool()}}
	t.Cleanup(transport.CloseIdleConnections)
	f.client = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return f
}

// paid adds a paid order.
func (f *fixture) paid(number string) Order {
	order := Order{
		MchID: testMerchant, OutTradeNo: number, CreateTime: f.clock.Now(),
		Payment: &Payment{TransactionID: "420000" + number, Time: f.clock.Now(), Total: 101, OpenIDs: map[string]string{testApp: testOpenID}},
	}
	f.ledger.put(order)
	return order
}

type members = map[string]any

// get calls a GET API and returns its answer.
func (f *fixture) get(path string, pairs ...string) members {
	f.t.Helper()
	query := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		query.Set(pairs[i], pairs[i+1])
	}
	response, err := f.client.Get(f.sim.URL() + path + "?" + query.Encode())
	return f.read(response, err)
}

func (f *fixture) read(response *http.Response, err error) members {
	f.t.Helper()
	f.Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close()
	f.Expect(response.StatusCode).To(Equal(http.StatusOK))
	body, err := io.ReadAll(response.Body)
	f.Expect(err).NotTo(HaveOccurred())
	var reply members
	f.Expect(json.Unmarshal(body, &reply)).To(Succeed(), "%s", body)
	return reply
}

// post calls a POST API with a value or a text as its body.
func (f *fixture) post(path string, body any) members {
	f.t.Helper()
	content, isText := body.(string)
	if !isText {
		encoded, err := json.Marshal(body)
		f.Expect(err).NotTo(HaveOccurred())
		content = string(encoded)
	}
	response, err := f.client.Post(f.sim.URL()+path, "application/json", bytes.NewBufferString(content))
	return f.read(response, err)
}

func (f *fixture) token(force bool) members {
	f.t.Helper()
	return f.post("/cgi-bin/stable_token", members{"grant_type": "client_credential", "appid": testApp, "secret": testSecret, "force_refresh": force})
}

// call calls an API with an access token.
func (f *fixture) call(path string, body any) members {
	f.t.Helper()
	token, _ := f.token(false)["access_token"].(string)
	f.Expect(token).NotTo(BeEmpty())
	return f.post(path+"?access_token="+token, body)
}

// code returns the errcode of an answer; 0 if it has none.
func code(reply members) Errcode {
	number, _ := reply["errcode"].(float64)
	return Errcode(number)
}

func (f *fixture) login(appID string) string {
	f.t.Helper()
	text, err := f.sim.Login(appID, testOpenID)
	f.Expect(err).NotTo(HaveOccurred())
	return text
}

func (f *fixture) session(code string, pairs ...string) members {
	f.t.Helper()
	return f.get("/sns/jscode2session", append([]string{
		"appid", testApp, "secret", testSecret, "js_code", code, "grant_type", "authorization_code",
	}, pairs...)...)
}
