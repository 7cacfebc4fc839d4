package simulator

import (
	"errors"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	wechatpay "github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

func TestAdminAPI(t *testing.T) {
	f := start(t)
	admin, ctx := NewAdminClient(f.sim.AdminURL()+"/"), t.Context()
	f.Expect(admin.URL(ctx)).To(Equal(f.sim.URL()))
	f.Expect(admin.AddMiniProgram(ctx, MiniProgram{AppID: "wx3", AppSecret: "s"})).To(Succeed())
	f.Expect(errors.Is(admin.AddMiniProgram(ctx, MiniProgram{AppID: "wx3"}), ErrInvalid)).To(BeTrue())
	text, err := admin.Login(ctx, testApp, testOpenID)
	f.Expect(err).NotTo(HaveOccurred())
	f.Expect(f.session(text)).To(HaveKeyWithValue("openid", testOpenID))
	_, err = admin.Login(ctx, "wx9", testOpenID)
	f.Expect(errors.Is(err, ErrNotFound)).To(BeTrue())
	f.Expect(admin.Subscribe(ctx, testApp, testOpenID, "paid")).To(Succeed())
	f.Expect(admin.RevokeTokens(ctx, testApp)).To(Succeed())
	f.known("order-0001")
	f.Expect(f.upload("order-0001")).To(Equal(CodeOK))
	f.Expect(admin.Receive(ctx, testMerchant, "order-0001", Confirmed)).To(Succeed())
	f.Expect(errors.Is(admin.Receive(ctx, testMerchant, "order-0002", Confirmed), ErrNotFound)).To(BeTrue())
	added, err := admin.AddFault(ctx, Fault{Operation: OperationToken, Kind: FaultBusy})
	f.Expect(err).NotTo(HaveOccurred())
	f.Expect(added.ID).NotTo(BeEmpty())
	f.Expect(code(f.token(false))).To(Equal(CodeBusy))
	f.Expect(admin.ClearFaults(ctx)).To(Succeed())
	journal, err := admin.Journal(ctx)
	f.Expect(err).NotTo(HaveOccurred())
	f.Expect(journal.Shipping("order-0001").Received).To(Equal(Confirmed))
}

// TestPaymentsOfWeChatPay: what the WeChat Pay simulator has in its ledger is known here.
func TestPaymentsOfWeChatPay(t *testing.T) {
	g := NewWithT(t)
	pay, err := wechatpay.New(wechatpay.Options{})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { g.Expect(pay.Close()).To(Succeed()) })
	_, found := WeChatPay(pay).Order(testMerchant, "order-0001")
	g.Expect(found).To(BeFalse())
	_, found = WeChatPay(pay).Transaction("4200")
	g.Expect(found).To(BeFalse())
	order := orderOf(wechatpay.Order{
		MchID: testMerchant, AppID: "wx1", SubMchID: "1900000200", SubAppID: testApp, OutTradeNo: "order-0001",
		Payment: &wechatpay.Payment{TransactionID: "4200", Time: time.Unix(1, 0), OpenID: "oProvider", SubOpenID: testOpenID, TotalFee: 101},
		Sums:    wechatpay.OrderSums{Paid: 101, Refunded: 101},
	})
	g.Expect(order.Refunded).To(BeTrue())
	g.Expect(order.Payment.OpenIDs).To(Equal(map[string]string{"wx1": "oProvider", testApp: testOpenID}))
	g.Expect(merchantOf(order)).To(Equal("1900000200"))
}
