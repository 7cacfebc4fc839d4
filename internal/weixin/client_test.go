package weixin_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	wechatpaysimulator "github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/internal/weixin"
	"github.com/wechatpay-operator/wechatpay-operator/internal/weixin/simulator"
)

const (
	appID  = "wxd678efh567hg6787"
	secret = "0123456789abcdef0123456789abcdef"
	mchID  = "1900000109"
	openID = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"
)

// clock is one that a test moves.
type clock struct {
	mutex sync.Mutex
	t     time.Time
}

func (c *clock) now() time.Time {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.t = c.t.Add(d)
}

// paid is a paid order; nothing else is known.
type paid struct{ order simulator.Order }

func (p paid) Order(merchant, number string) (simulator.Order, bool) {
	return p.order, number == p.order.OutTradeNo && (merchant == p.order.MchID || merchant == p.order.SubMchID)
}

func (p paid) Transaction(id string) (simulator.Order, bool) {
	return p.order, id == p.order.Payment.TransactionID
}

type fixture struct {
	*GomegaWithT
	sim    *simulator.Simulator
	client *weixin.Client
	clock  *clock
}

var sharedPay = sync.OnceValues(func() (*wechatpaysimulator.Simulator, error) {
	return wechatpaysimulator.New(wechatpaysimulator.Options{})
})

func open(t *testing.T, change ...func(*weixin.Settings)) *fixture {
	t.Helper()
	g := NewWithT(t)
	pay, err := sharedPay()
	g.Expect(err).NotTo(HaveOccurred())
	certificate, err := pay.ServerCertificate()
	g.Expect(err).NotTo(HaveOccurred())
	f := &fixture{GomegaWithT: g, clock: &clock{t: time.Now().Truncate(time.Second)}}
	f.sim, err = simulator.New(simulator.Options{
		Certificate: certificate, Now: f.clock.now, Rules: simulator.Rules{OrderDelay: -1},
		MiniPrograms: []simulator.MiniProgram{{AppID: appID, AppSecret: secret}},
		Payments: paid{simulator.Order{
			MchID: mchID, OutTradeNo: "order-0001",
			Payment: &simulator.Payment{TransactionID: "4200", Time: f.clock.now(), Total: 101, OpenIDs: map[string]string{appID: openID}},
		}},
	})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(f.sim.Close)
	host, err := url.Parse(f.sim.URL())
	g.Expect(err).NotTo(HaveOccurred())
	settings := weixin.Settings{AppID: appID, AppSecret: secret, Endpoint: host, RootCAs: pay.CertPool(), Timeout: time.Second, Now: f.clock.now}
	for _, c := range change {
		c(&settings)
	}
	f.client = weixin.New(settings)
	t.Cleanup(f.client.Close)
	return f
}

func (f *fixture) fault(fault simulator.Fault) {
	_, err := f.sim.AddFault(fault)
	f.Expect(err).NotTo(HaveOccurred())
}

func (f *fixture) tokenCalls() int { return len(f.sim.Journal().CallsOf(simulator.OperationToken)) }

// shipping is one parcel of the paid order.
func (f *fixture) shipping() weixin.Shipping {
	return weixin.Shipping{
		Order: weixin.OrderRef{MchID: mchID, OutTradeNo: "order-0001"}, OpenID: openID, Logistics: weixin.Express, Complete: true,
		Parcels:    []weixin.Parcel{{Carrier: "SF", TrackingNumber: "SF1", Items: "肥皂 & <茶>", ReceiverContact: "189****1234"}},
		UploadTime: f.clock.now(),
	}
}

func TestTokenIsFetchedOnceAndRenewedBeforeItsEnd(t *testing.T) {
	f := open(t)
	var callers sync.WaitGroup
	for range 20 {
		callers.Go(func() { f.Expect(f.client.Token(t.Context())).To(Succeed()) })
	}
	callers.Wait()
	f.Expect(f.tokenCalls()).To(Equal(1))
	f.clock.advance(116 * time.Minute)
	f.Expect(f.client.Token(t.Context())).To(Succeed())
	f.Expect(f.tokenCalls()).To(Equal(1))
	f.clock.advance(2 * time.Minute)
	f.Expect(f.client.Token(t.Context())).To(Succeed())
	f.Expect(f.tokenCalls()).To(Equal(2))
}

func TestTokenThatCanNotBeRenewedIsGoodToItsEnd(t *testing.T) {
	f := open(t)
	f.Expect(f.client.Token(t.Context())).To(Succeed())
	f.clock.advance(118 * time.Minute)
	f.fault(simulator.Fault{Operation: simulator.OperationToken, Kind: simulator.FaultBusy})
	f.Expect(f.client.IsTradeManaged(t.Context())).To(BeTrue())
	f.clock.advance(2 * time.Minute)
	f.Expect(weixin.Means(f.client.Token(t.Context()), weixin.Repeat)).To(BeTrue())
}

func TestRejectedTokenIsFetchedAgainOnce(t *testing.T) {
	f := open(t)
	f.Expect(f.client.Token(t.Context())).To(Succeed())
	f.fault(simulator.Fault{Operation: simulator.OperationManaged, Kind: simulator.FaultRevoke, Count: 1})
	f.Expect(f.client.IsTradeManaged(t.Context())).To(BeTrue())
	f.fault(simulator.Fault{Operation: simulator.OperationManaged, Kind: simulator.FaultError, Errcode: simulator.CodeExpiredToken, Errmsg: "expired"})
	before := len(f.sim.Journal().CallsOf(simulator.OperationManaged))
	_, err := f.client.IsTradeManaged(t.Context())
	f.Expect(weixin.Means(err, weixin.TokenRejected)).To(BeTrue())
	f.Expect(f.sim.Journal().CallsOf(simulator.OperationManaged)).To(HaveLen(before + 2))
}

func TestUploadIsReadBack(t *testing.T) {
	f := open(t)
	shipping := f.shipping()
	f.Expect(f.client.UploadShipping(t.Context(), shipping)).To(Succeed())
	known, err := f.client.GetOrder(t.Context(), shipping.Order)
	f.Expect(err).NotTo(HaveOccurred())
	f.Expect(known.Has(shipping)).To(BeTrue())
	f.Expect(known.State).To(Equal(weixin.StateShipped))
	f.Expect(weixin.Means(f.client.UploadShipping(t.Context(), shipping), weixin.AlreadyShipped)).To(BeTrue())
	other := f.shipping()
	other.Parcels[0].TrackingNumber = "SF2"
	f.Expect(known.Has(other)).To(BeFalse())
	f.Expect(f.sim.Journal().Shippings[0].Parcels[0].ItemDesc).To(Equal("肥皂 & <茶>"))
	f.Expect(string(f.sim.Journal().Uploads[0].Body)).To(ContainSubstring("& <"), "WeChat shows it as it is sent")
}

func TestPartOfADeliveryIsNotAllOfIt(t *testing.T) {
	f := open(t)
	part := f.shipping()
	part.Split, part.Complete = true, false
	f.Expect(f.client.UploadShipping(t.Context(), part)).To(Succeed())
	known, err := f.client.GetOrder(t.Context(), part.Order)
	f.Expect(err).NotTo(HaveOccurred())
	f.Expect(known.Has(part)).To(BeTrue())
	f.Expect(known.Has(f.shipping())).To(BeFalse(), "the whole delivery is not complete there")
}

// TestFailures: what each failure means, and that no text of an error holds a secret.
func TestFailures(t *testing.T) {
	lost := func(kind simulator.FaultKind) simulator.Fault {
		return simulator.Fault{Operation: simulator.OperationUpload, Kind: kind, DelayMillis: 60_000, Location: "https://elsewhere.example/"}
	}
	answered := func(code simulator.Errcode) simulator.Fault {
		return simulator.Fault{Operation: simulator.OperationUpload, Kind: simulator.FaultError, Errcode: code, Errmsg: "words"}
	}
	for name, c := range map[string]struct {
		fault   simulator.Fault
		outcome wechatpay.Outcome
		meaning weixin.Meaning
	}{
		"reset":          {lost(simulator.FaultDrop), wechatpay.Unknown, weixin.Repeat},
		"hang":           {lost(simulator.FaultHang), wechatpay.Unknown, weixin.Repeat},
		"half":           {lost(simulator.FaultTruncate), wechatpay.Unknown, weixin.Repeat},
		"gateway":        {lost(simulator.FaultHTML), wechatpay.Unknown, weixin.Repeat},
		"redirect":       {lost(simulator.FaultRedirect), wechatpay.Unknown, weixin.NeedsAttention},
		"busy":           {lost(simulator.FaultBusy), wechatpay.Failed, weixin.Repeat},
		"not known":      {answered(simulator.CodePaymentNotFound), wechatpay.Failed, weixin.NotYetKnown},
		"nothing left":   {answered(simulator.CodeReshipUsed), wechatpay.Failed, weixin.NothingLeft},
		"another payer":  {answered(simulator.CodeNotOfPayer), wechatpay.Failed, weixin.Rejected},
		"unheard of":     {answered(99999), wechatpay.Failed, weixin.NeedsAttention},
		"a day's quota":  {answered(simulator.CodeDailyQuota), wechatpay.Failed, weixin.QuotaExhausted},
		"not documented": {answered(simulator.CodeMalformed), wechatpay.Failed, weixin.Rejected},
	} {
		t.Run(name, func(t *testing.T) {
			f := open(t)
			f.fault(c.fault)
			err := f.client.UploadShipping(t.Context(), f.shipping())
			failure := weixin.AsError(err)
			f.Expect(failure.Outcome).To(Equal(c.outcome), "%v", err)
			f.Expect(failure.Meaning).To(Equal(c.meaning), "%v", err)
			for _, hidden := range []string{secret, "access_token=", "rid:", openID} {
				f.Expect(strings.Contains(err.Error(), hidden)).To(BeFalse(), "%v holds %s", err, hidden)
			}
		})
	}
}

func TestCredentialsAndAddressesOfTokens(t *testing.T) {
	f := open(t, func(s *weixin.Settings) { s.AppSecret = "wrong" })
	f.Expect(weixin.Means(f.client.Token(t.Context()), weixin.CredentialsRejected)).To(BeTrue())
	f = open(t)
	f.Expect(f.sim.SetAllowedAddresses(appID, []string{"203.0.113.7"})).To(Succeed())
	f.Expect(weixin.Means(f.client.Token(t.Context()), weixin.AddressNotAllowed)).To(BeTrue())
}

// trust proves nobody.
type trust struct{ proven bool }

func (t *trust) Proven(*url.URL) bool { return t.proven }
func (t *trust) Prove(*url.URL)       { t.proven = true }

func TestUnprovenHostsFailInOneWord(t *testing.T) {
	var texts []string
	for _, c := range []func(*weixin.Settings){
		func(s *weixin.Settings) { s.Endpoint = &url.URL{Scheme: "https", Host: "127.0.0.1:1"} },
		func(s *weixin.Settings) { s.RootCAs = nil },
		func(s *weixin.Settings) { s.Endpoint = &url.URL{Scheme: "https", Host: "nobody.invalid"} },
	} {
		f := open(t, c, func(s *weixin.Settings) { s.Trust = &trust{} })
		err := f.client.Token(t.Context())
		f.Expect(err).To(HaveOccurred())
		texts = append(texts, err.Error())
	}
	f := open(t)
	f.Expect(texts[1]).To(Equal(texts[0]))
	f.Expect(texts[2]).To(Equal(texts[0]))
	known := &trust{}
	f = open(t, func(s *weixin.Settings) { s.Trust = known })
	f.Expect(f.client.Token(t.Context())).To(Succeed())
	f.Expect(known.proven).To(BeTrue())
}

func TestWaitersGoWithTheirContext(t *testing.T) {
	f := open(t, func(s *weixin.Settings) { s.Timeout = time.Minute })
	f.fault(simulator.Fault{Operation: simulator.OperationToken, Kind: simulator.FaultHang, Count: 1})
	first, end := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.client.Token(first) }()
	f.Eventually(f.tokenCalls).Should(Equal(1))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	f.Expect(f.client.Token(gone)).NotTo(Succeed())
	end()
	f.Expect(errors.Is(<-ended, http.ErrServerClosed)).To(BeFalse())
	f.Expect(f.client.Token(t.Context())).To(Succeed())
}
