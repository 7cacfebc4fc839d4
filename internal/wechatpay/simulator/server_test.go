package simulator

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gleak"
)

func TestCloseLeavesNothingBehind(t *testing.T) {
	g := NewWithT(t)
	before := gleak.Goroutines()
	release := make(chan struct{})
	shop := newTestShop(t)
	shop.answer(func(http.ResponseWriter) { <-release })
	sim, err := New(Options{
		Merchants:      []Merchant{{MchID: testMerchant, AppIDs: []string{testApp}, APIKey: testKey}},
		CertificateDir: sharedDir,
	})
	g.Expect(err).NotTo(HaveOccurred())
	f := &fixture{GomegaWithT: g, t: t, sim: sim, shop: shop, signType: MD5, key: testKey}
	f.plain = f.client()
	f.paidOrder("order-0001") // its callback hangs at the shop
	f.fault(Fault{Operation: OperationOrderQuery, Kind: FaultHang})
	var hanging sync.WaitGroup
	hanging.Go(func() {
		_, _, err := f.post(sim.URL(), OperationOrderQuery, formatXML(f.sign(message{"out_trade_no": "order-0001"}), "xml"))
		g.Expect(err).To(HaveOccurred())
	})
	g.Eventually(func() []Call { return sim.Ledger().CallsOf(OperationOrderQuery, "") }).Should(HaveLen(1))
	g.Eventually(shop.messages).Should(HaveLen(1))

	began := time.Now()
	g.Expect(sim.Close()).To(Succeed())
	g.Expect(sim.Close()).To(Succeed(), "closing twice is harmless")
	g.Expect(time.Since(began)).To(BeNumerically("<", 5*time.Second))
	hanging.Wait()
	close(release)
	f.plain.CloseIdleConnections()
	shop.Close()
	g.Eventually(gleak.Goroutines).WithTimeout(5 * time.Second).ShouldNot(gleak.HaveLeaked(before))
}

func TestAddressesInUseAreReported(t *testing.T) {
	f := start(t)
	_, err := New(Options{ListenAddress: f.sim.URL()[len("https://"):]})
	f.Expect(err).To(MatchError(ContainSubstring("address already in use")))
	_, err = New(Options{TimeScale: -1})
	f.Expect(err).To(HaveOccurred())
	for _, m := range []Merchant{
		{MchID: "1", AppIDs: []string{"a"}, APIKey: testKey}, {MchID: testMerchant, APIKey: testKey},
		{MchID: testMerchant, AppIDs: []string{"a"}, APIKey: "k"},
		{MchID: testMerchant, AppIDs: []string{"a"}, APIKey: testKey, Balance: pointer(int64(-1))},
	} {
		_, err = New(Options{Merchants: []Merchant{m}})
		f.Expect(err).To(MatchError(ErrInvalid))
	}
}

func TestRealTimeRunsScaled(t *testing.T) {
	f := start(t, func(o *Options) { o.Now, o.TimeScale = nil, 600 }) // a minute lasts 100 ms
	f.paidOrder("order-0001")
	f.delivered(OperationPaymentCallback, "order-0001", CallbackDelivered)
	f.mustCall(OperationRefund, f.refund("order-0001", "refund-1", "50"))
	f.Eventually(func() string {
		return f.mustCall(OperationRefundQuery, message{"out_refund_no": "refund-1"})["refund_status_0"]
	}).WithTimeout(10 * time.Second).Should(Equal("SUCCESS"))
	f.delivered(OperationRefundCallback, "refund-1", CallbackDelivered)
}

func TestManyAtOnce(t *testing.T) {
	f := start(t, func(o *Options) { o.Now, o.TimeScale = nil, 600 })
	var running sync.WaitGroup
	for range 10 {
		running.Go(func() {
			for range 5 {
				number := "n" + randomDigits(15)
				f.mustCall(OperationUnifiedOrder, f.order(number))
				f.mustCall(OperationUnifiedOrder, f.order(number))
				_, err := f.sim.Pay(testMerchant, number, PayOptions{})
				f.Expect(err).NotTo(HaveOccurred())
				f.mustCall(OperationRefund, f.refund(number, "r-"+number, "101"))
				f.mustCall(OperationOrderQuery, message{"out_trade_no": number})
			}
			f.sim.Ledger()
		})
	}
	running.Wait()
	f.Eventually(func() int {
		n := 0
		for _, c := range f.sim.Ledger().Callbacks {
			if c.State == CallbackDelivered {
				n++
			}
		}
		return n
	}).WithTimeout(20 * time.Second).WithPolling(50 * time.Millisecond).Should(Equal(100))
	ledger := f.sim.Ledger()
	f.Expect(ledger.Violations).To(BeEmpty())
	f.Expect(ledger.Refunds).To(HaveEach(HaveField("Payouts", 1)))
	f.Expect(ledger.CallCounts[OperationUnifiedOrder]).To(Equal(map[string]int{"SUCCESS": 100}))
}

func TestOneRefundNumberAtOnce(t *testing.T) {
	f := start(t, func(o *Options) { o.Rules.MinRefundInterval, o.Rules.RefundDelay = -1, -1 })
	f.paidOrder("order-0001")
	var running sync.WaitGroup
	for range 10 {
		running.Go(func() { f.mustCall(OperationRefund, f.refund("order-0001", "refund-1", "101")) })
	}
	running.Wait()
	f.Expect(f.sim.Ledger().Refunds).To(HaveExactElements(And(HaveField("Payouts", 1), HaveField("Calls", 10))))
}

func TestCallbacksOverTLS(t *testing.T) {
	f := start(t)
	secure := newTestShopTLS(t)
	authorities := x509.NewCertPool()
	authorities.AddCert(secure.Certificate())
	sim, err := New(Options{
		Merchants:         []Merchant{{MchID: testMerchant, AppIDs: []string{testApp}, APIKey: testKey}},
		CertificateDir:    sharedDir,
		CallbackTLSConfig: &tls.Config{RootCAs: authorities},
	})
	f.Expect(err).NotTo(HaveOccurred())
	defer func() { f.Expect(sim.Close()).To(Succeed()) }()
	f.sim = sim
	f.paidOrder("order-0001", "notify_url", secure.URL+"/payment")
	f.delivered(OperationPaymentCallback, "order-0001", CallbackDelivered)
}

func TestLedgerIsACopy(t *testing.T) {
	f := start(t)
	f.paidOrder("order-0001")
	taken := f.sim.Ledger()
	taken.Orders[0].Params["body"] = "changed"
	taken.Orders[0].Payment.TotalFee = 1
	taken.Orders[0].Prepays[0].ID = "changed"
	f.Expect(f.sim.Ledger().Orders[0]).To(And(HaveField("Params", HaveKeyWithValue("body", "肥皂 x1")),
		HaveField("Payment.TotalFee", int64(101)), HaveField("Prepays", Not(ContainElement(HaveField("ID", "changed"))))))
}

func TestCallsAreBoundedAndCountedAll(t *testing.T) {
	f := start(t, func(o *Options) { o.MaxCalls = 3 })
	for _, number := range []string{"order-0001", "order-0002", "order-0003", "order-0004", "order-0005", "order-0006", "order-0007"} {
		f.call(OperationOrderQuery, message{"out_trade_no": number})
	}
	ledger := f.sim.Ledger()
	f.Expect(ledger.Calls).To(HaveExactElements(HaveField("Number", "order-0005"), HaveField("Number", "order-0006"), HaveField("Number", "order-0007")))
	f.Expect(ledger.CallCounts[OperationOrderQuery]).To(Equal(map[string]int{"ORDERNOTEXIST": 7}))
}

func TestAdminClientDoesWhatTheMethodsDo(t *testing.T) {
	f := start(t, func(o *Options) { o.Rules.MinRefundInterval = -1 })
	ctx := context.Background()
	admin := NewAdminClient(f.sim.AdminURL())
	admin.Client = &http.Client{Transport: &http.Transport{}}
	t.Cleanup(admin.Client.CloseIdleConnections)

	f.Expect(admin.Health(ctx)).To(Succeed())
	primary, backup, err := admin.URLs(ctx)
	f.Expect(err).NotTo(HaveOccurred())
	f.Expect([]string{primary, backup}).To(Equal([]string{f.sim.URL(), f.sim.BackupURL()}))
	ca, err := admin.CAPEM(ctx)
	f.Expect(err).NotTo(HaveOccurred())
	f.Expect(ca).To(Equal(f.sim.CAPEM()))
	issued, err := admin.IssueClientCertificate(ctx, testMerchant)
	f.Expect(err).NotTo(HaveOccurred())
	pair, err := issued.TLS()
	f.Expect(err).NotTo(HaveOccurred())
	f.Expect(pair.Leaf.Subject.CommonName).To(Equal(testMerchant))
	f.certified = f.client(pair)
	_, err = admin.IssueClientCertificate(ctx, "x")
	f.Expect(err).To(HaveOccurred())

	prepay := f.mustCall(OperationUnifiedOrder, f.order("order-0001"))["prepay_id"]
	payment, err := admin.PayByPrepayID(ctx, prepay, PayOptions{BankType: "CMB_CREDIT"})
	f.Expect(err).NotTo(HaveOccurred())
	f.Expect(payment).To(And(HaveField("BankType", "CMB_CREDIT"), HaveField("TotalFee", int64(101))))
	_, err = admin.Pay(ctx, testMerchant, "order-0001", PayOptions{})
	f.Expect(err).To(MatchError(ErrOrderPaid))
	_, err = admin.Pay(ctx, testMerchant, "order-9999", PayOptions{})
	f.Expect(err).To(MatchError(ErrNotFound))
	f.mustCall(OperationUnifiedOrder, f.order("order-0002"))
	f.mustCall(OperationCloseOrder, message{"out_trade_no": "order-0002"})
	_, err = admin.Pay(ctx, testMerchant, "order-0002", PayOptions{})
	f.Expect(err).To(MatchError(ErrOrderClosed))
	_, err = admin.PayAfterClose(ctx, testMerchant, "order-0002", PayOptions{})
	f.Expect(err).NotTo(HaveOccurred())

	f.mustCall(OperationRefund, f.refund("order-0001", "refund@1", "50"))
	f.Expect(admin.SetRefundStatus(ctx, testMerchant, "refund@1", RefundSuccess)).To(Succeed())
	staff, err := admin.RefundByStaff(ctx, testMerchant, "order-0001", 1)
	f.Expect(err).NotTo(HaveOccurred())
	f.Expect(staff.RequestSource).To(Equal("VENDOR_PLATFORM"))
	f.delivered(OperationPaymentCallback, "order-0001", CallbackDelivered)
	f.Expect(admin.ResendCallback(ctx, OperationPaymentCallback, testMerchant, "order-0001")).To(Succeed())
	f.Expect(admin.SetBalance(ctx, testMerchant, pointer(int64(0)))).To(Succeed())
	f.Expect(outcome(f.call(OperationRefund, f.refund("order-0001", "refund-2", "1")))).To(Equal("NOTENOUGH"))
	f.Expect(admin.SetBalance(ctx, testMerchant, nil)).To(Succeed())

	fault, err := admin.AddFault(ctx, Fault{Operation: OperationOrderQuery, Kind: FaultSystemError})
	f.Expect(err).NotTo(HaveOccurred())
	f.Expect(admin.RemoveFault(ctx, fault.ID)).To(Succeed())
	f.Expect(admin.RemoveFault(ctx, fault.ID)).To(MatchError(ErrNotFound))
	_, err = admin.AddFault(ctx, Fault{Operation: OperationOrderQuery, Kind: "rain"})
	f.Expect(err).To(MatchError(ErrInvalid))
	_, err = admin.AddFault(ctx, Fault{Operation: OperationOrderQuery, Kind: FaultDrop})
	f.Expect(err).NotTo(HaveOccurred())
	faults, err := admin.Faults(ctx)
	f.Expect(err).NotTo(HaveOccurred())
	f.Expect(faults).To(HaveLen(1))
	f.Expect(admin.ClearFaults(ctx)).To(Succeed())

	f.Expect(admin.AddMerchant(ctx, Merchant{MchID: "1900000110", AppIDs: []string{testApp}, APIKey: testKey})).To(Succeed())
	f.mustCall(OperationUnifiedOrder, f.order("order-0003", "mch_id", "1900000110"))
	key, err := admin.RotateAPIKey(ctx, testMerchant)
	f.Expect(err).NotTo(HaveOccurred())
	f.key = key
	f.mustCall(OperationOrderQuery, message{"out_trade_no": "order-0001"})
	f.Expect(admin.SetAPIKey(ctx, testMerchant, testKey)).To(Succeed())

	whole, err := admin.Ledger(ctx)
	f.Expect(err).NotTo(HaveOccurred())
	f.Expect(whole.Orders).To(HaveLen(3))
	f.Expect(whole.Calls).NotTo(BeEmpty())
	some, err := admin.LedgerOf(ctx, testMerchant, "order-0001")
	f.Expect(err).NotTo(HaveOccurred())
	f.Expect(some.Orders).To(HaveLen(1))
	f.Expect(some.Refunds).To(HaveLen(2))
	f.Expect(some.Calls).To(BeEmpty())

	nonsense, err := admin.Client.Post(f.sim.AdminURL()+"/pay", "application/json", nil)
	f.Expect(err).NotTo(HaveOccurred())
	defer nonsense.Body.Close()
	f.Expect(nonsense.StatusCode).To(Equal(http.StatusBadRequest))
}
