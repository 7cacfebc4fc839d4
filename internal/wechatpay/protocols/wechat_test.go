package protocols_test

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	v2 "github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/v2"
	v3 "github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/v3"
)

const (
	mchID    = "1900000109"
	appID    = "wxd678efh567hg6787"
	subMchID = "1900000200"
	subAppID = "wx9999999999999999"
	apiKey   = "Zx81TestOnlyKey0Zx81TestOnlyKey0"
	apiV3Key = "VectorsOnlyKey0123456789abcdefgh"
)

// account is a merchant number at the simulator, with a connection in each protocol and a shop that
// takes the callbacks of both.
type account struct {
	*GomegaWithT
	t           *testing.T
	sim         *simulator.Simulator
	connections map[simulator.Protocol]*wechatpay.Connection
	shop        *httptest.Server
	taken       chan taken
	appID       string
	openID      string
	subOpenID   string
}

// taken is a callback that its protocol verified.
type taken struct {
	protocol simulator.Protocol
	wechatpay.Notification
}

func open(t *testing.T, partner bool, verification simulator.Verification, change ...func(*simulator.Options, *wechatpay.Settings)) *account {
	a := &account{
		GomegaWithT: NewWithT(t), t: t, connections: map[simulator.Protocol]*wechatpay.Connection{}, taken: make(chan taken, 10),
		appID: appID, openID: "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o",
	}
	merchant := simulator.Merchant{
		MchID: mchID, AppIDs: []string{appID}, APIKey: apiKey, APIV3Key: apiV3Key, Verification: verification, PublicKeyShare: 0.5,
	}
	settings := wechatpay.Settings{MchID: mchID, Scheme: v2.HMACSHA256, UserAgent: "tests"}
	if partner {
		merchant.SubMerchants = []simulator.SubMerchant{{SubMchID: subMchID, SubAppIDs: []string{subAppID}, RefundRight: true}}
		settings.Partner = &wechatpay.Partner{SubMchID: subMchID, SubAppID: subAppID}
		a.appID, a.openID, a.subOpenID = subAppID, "", "oSubUserUnderTheSubApp000000"
	}
	options := simulator.Options{
		Merchants: []simulator.Merchant{merchant}, TimeScale: 600, Rules: simulator.Rules{
			MinRefundInterval: -1, CallbackSchedule: make([]time.Duration, 15),
		},
	}
	for _, c := range change {
		c(&options, &settings)
	}
	sim, err := simulator.New(options)
	a.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { a.Expect(sim.Close()).To(Succeed()) })
	a.sim = sim
	a.shop = httptest.NewServer(http.HandlerFunc(a.receive))
	t.Cleanup(a.shop.Close)

	issued, err := sim.IssueClientCertificate(mchID)
	a.Expect(err).NotTo(HaveOccurred())
	certificate, err := issued.TLS()
	a.Expect(err).NotTo(HaveOccurred())
	settings.Endpoint, _ = url.Parse(sim.URL())
	settings.BackupEndpoint, _ = url.Parse(sim.BackupURL())
	settings.RootCAs = sim.CertPool()
	secrets := wechatpay.Secrets{Key: apiV3Key, Certificate: &certificate}
	if verification != simulator.VerifyByCertificate {
		secrets.PublicKeys = []wechatpay.PublicKey{{ID: sim.Platform().PublicKeyID, Key: a.publicKey()}}
	}
	a.connect(simulator.ProtocolV3, v3.Protocol{}, settings, secrets)
	a.connect(simulator.ProtocolV2, v2.Protocol{}, settings, wechatpay.Secrets{Key: apiKey, Certificate: &certificate})
	return a
}

func (a *account) connect(name simulator.Protocol, protocol wechatpay.Protocol, settings wechatpay.Settings, secrets wechatpay.Secrets) {
	a.t.Helper()
	connection, err := protocol.Open(settings, secrets)
	a.Expect(err).NotTo(HaveOccurred())
	a.t.Cleanup(connection.Close)
	a.connections[name] = connection
}

func (a *account) publicKey() *rsa.PublicKey {
	block, _ := pem.Decode([]byte(a.sim.Platform().PublicKeyPEM))
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	a.Expect(err).NotTo(HaveOccurred())
	return parsed.(*rsa.PublicKey)
}

// receive takes a callback on the path of its protocol, and answers as the protocol does.
func (a *account) receive(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // a broken body does not verify
	_, path, _ := strings.Cut(r.URL.Path, "/")
	name, kind, _ := strings.Cut(path, "/")
	protocols := map[simulator.Protocol]wechatpay.Protocol{simulator.ProtocolV2: v2.Protocol{}, simulator.ProtocolV3: v3.Protocol{}}
	protocol := protocols[simulator.Protocol(name)]
	parsed, err := a.connections[simulator.Protocol(name)].Receiver.Parse(wechatpay.Delivery{
		Kind: wechatpay.CallbackKind(kind), Header: r.Header, Body: bytes.Clone(body), Time: time.Now(),
	})
	if err != nil {
		protocol.Reply(w, wechatpay.Reply{Status: http.StatusBadRequest, Reason: "not verified"})
		return
	}
	protocol.Reply(w, wechatpay.Reply{Confirm: true})
	a.taken <- taken{protocol: simulator.Protocol(name), Notification: parsed}
}

func (a *account) next() taken {
	a.t.Helper()
	var got taken
	a.Eventually(a.taken).WithTimeout(20 * time.Second).Should(Receive(&got))
	return got
}

func (a *account) order(protocol simulator.Protocol, number string) wechatpay.OrderRequest {
	return wechatpay.OrderRequest{
		OutTradeNo: number, AppID: appID, PayerAppID: a.appID, TradeType: wechatpay.TradeTypeJSAPI, Description: "肥皂 <x1> & more",
		Total: 101, Currency: "CNY", ClientIP: "203.0.113.7", OpenID: a.openID, SubOpenID: a.subOpenID, Attach: "a b",
		NotifyURL: a.shop.URL + "/" + string(protocol) + "/payment", ExpireTime: time.Now().Add(time.Hour),
		Goods: &wechatpay.Goods{Items: []wechatpay.GoodsItem{{ID: "soap-1", Name: "肥皂", Quantity: 1, Price: 101}}},
		Store: &wechatpay.Store{ID: "store-1"},
	}
}

// pay is the payer's client, which hands over what the shop gave it.
func (a *account) pay(prepay wechatpay.Prepay) simulator.Payment {
	a.t.Helper()
	text, err := json.Marshal(prepay.JSAPI)
	a.Expect(err).NotTo(HaveOccurred())
	var handed simulator.ClientPayment
	a.Expect(json.Unmarshal(text, &handed)).To(Succeed())
	a.Expect(a.sim.CancelPayment(handed)).To(Succeed())
	payment, err := a.sim.RequestPayment(handed, simulator.PayOptions{})
	a.Expect(err).NotTo(HaveOccurred())
	return payment
}

var both = []simulator.Protocol{simulator.ProtocolV2, simulator.ProtocolV3}

// What one protocol ordered the other queries, refunds and closes, in both modes.
func TestProtocolsShareOrdersAndRefunds(t *testing.T) {
	for _, partner := range []bool{false, true} {
		for i, first := range both {
			second := both[1-i]
			t.Run(string(first)+" then "+string(second)+map[bool]string{true: " as a provider"}[partner], func(t *testing.T) {
				t.Parallel()
				open(t, partner, simulator.VerifyByCertificate).share(first, second)
			})
		}
	}
}

func (a *account) share(first, second simulator.Protocol) {
	ctx := a.t.Context()
	ref := wechatpay.OrderRef{OutTradeNo: "order-0001", AppID: appID}
	prepay, err := a.connections[first].CreateOrder(ctx, a.order(first, "order-0001"))
	a.Expect(err).NotTo(HaveOccurred())
	_, err = a.connections[second].CreateOrder(ctx, a.order(second, "order-0001"))
	a.Expect(err).To(HaveOccurred(), "an order keeps the protocol of its first prepay")
	payment := a.pay(prepay)
	told := a.next()
	a.Expect(told.protocol).To(Equal(first))
	a.Expect(told.Payment).To(HaveValue(HaveField("TransactionID", payment.TransactionID)))
	for _, protocol := range both {
		trade, err := a.connections[protocol].QueryOrder(ctx, ref)
		a.Expect(err).NotTo(HaveOccurred())
		a.Expect(trade.State).To(Equal(wechatpay.TradeStateSuccess))
		a.Expect(trade.Payment).To(And(HaveField("Total", int64(101)), HaveField("TransactionID", payment.TransactionID)))
		a.Expect(trade.Attach).To(Equal("a b"))
	}

	refund := wechatpay.RefundRequest{
		OutTradeNo: "order-0001", OutRefundNo: "refund-1", AppID: appID, Total: 101, Amount: 50, Currency: "CNY", Reason: "质量问题",
		NotifyURL: a.shop.URL + "/" + string(second) + "/refund",
	}
	accepted, err := a.connections[second].CreateRefund(ctx, refund)
	a.Expect(err).NotTo(HaveOccurred())
	told = a.next()
	a.Expect(told.protocol).To(Equal(second))
	a.Expect(told.Refund).To(HaveValue(HaveField("RefundID", accepted.RefundID)))
	for _, protocol := range both {
		fact, err := a.connections[protocol].QueryRefund(ctx, wechatpay.RefundRef{OutRefundNo: "refund-1", AppID: appID})
		a.Expect(err).NotTo(HaveOccurred())
		a.Expect(fact).To(And(HaveField("Status", wechatpay.RefundStatusSucceeded), HaveField("Amount", int64(50))))
	}

	_, err = a.connections[first].CreateOrder(ctx, a.order(first, "order-0002"))
	a.Expect(err).NotTo(HaveOccurred())
	a.Expect(a.connections[second].CloseOrder(ctx, wechatpay.OrderRef{OutTradeNo: "order-0002", AppID: appID})).To(Succeed())
	trade, err := a.connections[first].QueryOrder(ctx, wechatpay.OrderRef{OutTradeNo: "order-0002", AppID: appID})
	a.Expect(err).NotTo(HaveOccurred())
	a.Expect(trade.State).To(Equal(wechatpay.TradeStateClosed))
	a.Expect(a.connections[second].CloseOrder(ctx, ref)).NotTo(Succeed(), "it is paid")
	a.Expect(a.sim.Ledger().Violations).To(BeEmpty())
}

// Nothing but WeChat Pay's own callback is taken, however it can be verified.
func TestFalseCallbacksOfV3(t *testing.T) {
	for _, verification := range []simulator.Verification{
		simulator.VerifyByCertificate, simulator.VerifyMigrating, simulator.VerifyByPublicKey,
	} {
		t.Run(string(verification), func(t *testing.T) {
			t.Parallel()
			a := open(t, false, verification)
			kinds := []simulator.FaultKind{
				simulator.FaultForge, simulator.FaultSignTest, simulator.FaultUnknownSerial, simulator.FaultReplay, simulator.FaultWrongKey,
				simulator.FaultUnsigned, simulator.FaultWrongMchID,
			}
			for _, kind := range kinds {
				_, err := a.sim.AddFault(simulator.Fault{Operation: simulator.OperationPaymentCallback, Kind: kind, Count: 1})
				a.Expect(err).NotTo(HaveOccurred())
			}
			prepay, err := a.connections[simulator.ProtocolV3].CreateOrder(t.Context(), a.order(simulator.ProtocolV3, "order-0001"))
			a.Expect(err).NotTo(HaveOccurred())
			payment := a.pay(prepay)
			a.Expect(a.next().Payment).To(HaveValue(HaveField("TransactionID", payment.TransactionID)))
			attempts := a.sim.Ledger().CallbacksOf(simulator.OperationPaymentCallback, "order-0001")[0].Attempts
			a.Expect(len(attempts)).To(BeNumerically(">=", len(kinds)))
			a.Expect(attempts[:len(kinds)]).To(HaveEach(HaveField("Outcome", simulator.OutcomeRefused)))
			a.Expect(a.sim.Ledger().Violations).To(BeEmpty())
		})
	}
}

// The account and the name of an abnormal refund arrive decrypted.
func TestAbnormalRefundOfV3(t *testing.T) {
	a := open(t, false, simulator.VerifyByCertificate)
	connection, ctx := a.connections[simulator.ProtocolV3], t.Context()
	prepay, err := connection.CreateOrder(ctx, a.order(simulator.ProtocolV3, "order-0001"))
	a.Expect(err).NotTo(HaveOccurred())
	a.pay(prepay)
	_, err = a.sim.AddFault(simulator.Fault{Operation: simulator.OperationRefund, Kind: simulator.FaultRefundHold})
	a.Expect(err).NotTo(HaveOccurred())
	accepted, err := connection.CreateRefund(ctx, wechatpay.RefundRequest{
		OutTradeNo: "order-0001", OutRefundNo: "refund-1", AppID: appID, Total: 101, Amount: 50, Currency: "CNY",
	})
	a.Expect(err).NotTo(HaveOccurred())
	request := wechatpay.AbnormalRefundRequest{
		OutRefundNo: "refund-1", RefundID: accepted.RefundID, To: wechatpay.AbnormalToUserBankCard, BankType: "ICBC_DEBIT",
		Account: "6222020000000000", Name: "张三",
	}
	a.Expect(connection.ResolveAbnormalRefund(ctx, request)).NotTo(Succeed(), "it is not abnormal")
	a.Expect(a.sim.SetRefundStatus(mchID, "refund-1", simulator.RefundChange)).To(Succeed())
	a.Expect(connection.ResolveAbnormalRefund(ctx, request)).To(Succeed())
	a.Expect(a.sim.Ledger().Refund(mchID, "refund-1").Abnormal).To(HaveValue(And(
		HaveField("BankAccount", "6222020000000000"), HaveField("RealName", "张三"))))
}
