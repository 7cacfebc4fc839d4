package simulator

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
)

func TestARestartedSimulatorKnowsEverything(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state.jsonl")
	f := start(t, func(o *Options) {
		o.StateFile = state
		o.Merchants[0].Balance = pointer(int64(1000))
		o.Rules.MinRefundInterval = -1
	})
	f.paidOrder("order-0001", "attach", "a\nb")
	f.mustCall(OperationUnifiedOrder, f.order("order-0002"))
	f.mustCall(OperationUnifiedOrder, f.order("order-0002"))
	f.call(OperationUnifiedOrder, f.order("order-0002", "total_fee", "1"))
	f.mustCall(OperationRefund, f.refund("order-0001", "refund-1", "50"))
	f.mustCall(OperationRefund, f.refund("order-0001", "refund-2", "1"))
	f.Expect(f.sim.SetRefundStatus(testMerchant, "refund-2", RefundSuccess)).To(Succeed())
	f.delivered(OperationPaymentCallback, "order-0001", CallbackDelivered)
	f.delivered(OperationRefundCallback, "refund-2", CallbackDelivered)
	key, err := f.sim.RotateAPIKey(testMerchant)
	f.Expect(err).NotTo(HaveOccurred())
	before := f.sim.Ledger()

	// A killed process leaves what it wrote, and possibly a torn last line.
	content, err := os.ReadFile(state)
	f.Expect(err).NotTo(HaveOccurred())
	killed := filepath.Join(t.TempDir(), "state.jsonl")
	f.Expect(os.WriteFile(killed, append(content, `{"order":{"mch_id":"19`...), 0o600)).To(Succeed())

	options := Options{
		Merchants: []Merchant{{MchID: testMerchant, AppIDs: before.Merchants[0].AppIDs, APIKey: testKey, Balance: pointer(int64(1000))}},
		StateFile: killed, CertificateDir: sharedDir, Now: f.clock.Now,
	}
	again, err := New(options)
	f.Expect(err).NotTo(HaveOccurred())
	defer func() { _ = again.Close() }()
	f.Expect(cmp.Diff(before, again.Ledger())).To(BeEmpty())

	f.sim, f.key = again, key
	f.mustCall(OperationOrderQuery, message{"out_trade_no": "order-0001"})
	f.clock.Step(time.Minute)
	f.Expect(f.mustCall(OperationRefundQuery, message{"out_refund_no": "refund-1"})["refund_status_0"]).To(Equal("SUCCESS"))
	f.delivered(OperationRefundCallback, "refund-1", CallbackDelivered)
	f.Expect(*f.sim.Ledger().Merchants[0].Balance).To(Equal(int64(949)))

	// The third start reads the file that the second rewrote and extended.
	f.Expect(again.Close()).To(Succeed())
	third, err := New(options)
	f.Expect(err).NotTo(HaveOccurred())
	defer func() { _ = third.Close() }()
	f.Expect(third.Ledger().Refund(testMerchant, "refund-1").Status).To(Equal(RefundSuccess))
	f.Expect(third.Ledger().CallCounts).To(Equal(again.Ledger().CallCounts))
}

func TestOwedCallbacksSurviveARestart(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state.jsonl")
	f := start(t, func(o *Options) { o.StateFile = state })
	f.shop.answer(say(500, ""))
	f.paidOrder("order-0001")
	f.attempted(OperationPaymentCallback, "order-0001", 1)
	f.Expect(f.sim.Close()).To(Succeed())

	again, err := New(Options{StateFile: state, CertificateDir: sharedDir, Now: f.clock.Now})
	f.Expect(err).NotTo(HaveOccurred())
	defer func() { _ = again.Close() }()
	f.sim = again
	f.clock.Step(15 * time.Second)
	c := f.delivered(OperationPaymentCallback, "order-0001", CallbackDelivered)
	f.Expect(c.Attempts).To(HaveLen(2))
}

func TestABrokenStateFileIsNotTakenForAnEmptyOne(t *testing.T) {
	g := NewWithT(t)
	state := filepath.Join(t.TempDir(), "state.jsonl")
	g.Expect(os.WriteFile(state, []byte("{\"order\":{}}\nnonsense\n"), 0o600)).To(Succeed())
	_, err := New(Options{StateFile: state})
	g.Expect(err).To(MatchError(ContainSubstring("line 2")))
}

func TestARestartKeepsItsAuthority(t *testing.T) {
	g := NewWithT(t)
	dir := filepath.Join(t.TempDir(), "certificates")
	first, err := openAuthority(dir)
	g.Expect(err).NotTo(HaveOccurred())
	second, err := openAuthority(dir)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(second.pem).To(Equal(first.pem))
	info, err := os.Stat(filepath.Join(dir, authorityKeyFile))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(info.Mode().Perm()).To(Equal(os.FileMode(0o600)))
	g.Expect(os.WriteFile(filepath.Join(dir, authorityCertFile), []byte("x"), 0o600)).To(Succeed())
	_, err = openAuthority(dir)
	g.Expect(err).To(HaveOccurred())
}
