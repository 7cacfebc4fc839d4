package simulator

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
)

// restart starts another simulator of the same payments from the state file, of which a kill may have
// torn the last line.
func (f *fixture) restart(state string) {
	f.t.Helper()
	content, err := os.ReadFile(state)
	f.Expect(err).NotTo(HaveOccurred())
	killed := filepath.Join(f.t.TempDir(), "weixin.jsonl")
	f.Expect(os.WriteFile(killed, append(content, `{"shipping":{"appid":"wx`...), 0o600)).To(Succeed())
	clock, ledger := f.clock, f.ledger
	*f = *start(f.t, func(o *Options) { o.StateFile, o.Payments, o.Now = killed, ledger, clock.Now })
	f.clock, f.ledger = clock, ledger
}

func TestARestartedSimulatorKnowsWhatWasUploaded(t *testing.T) {
	state := filepath.Join(t.TempDir(), "weixin.jsonl")
	f := start(t, func(o *Options) { o.StateFile = state })
	f.known("order-0001")
	part := func(tracking string, last bool) members {
		return members{"delivery_mode": 2, "is_all_delivered": last, "shipping_list": []any{parcel(tracking)}, "upload_time": f.clock.Now().Format(time.RFC3339)}
	}
	f.Expect(f.upload("order-0001", part("T1", false))).To(Equal(CodeOK))
	f.clock.Step(time.Second)
	f.Expect(f.upload("order-0001", part("T2", true))).To(Equal(CodeOK))
	f.clock.Step(time.Second)
	f.Expect(f.upload("order-0001", part("T3", true))).To(Equal(CodeOK), "the one chance to ship again")
	f.Expect(f.sim.Receive(testMerchant, "order-0001", Confirmed)).To(Succeed())
	before := f.sim.Journal()
	f.Expect(before.Violations).To(HaveLen(1))

	f.restart(state)
	after := f.sim.Journal()
	f.Expect(cmp.Diff(before.Shippings, after.Shippings)).To(BeEmpty())
	f.Expect(cmp.Diff(before.Uploads, after.Uploads)).To(BeEmpty())
	f.Expect(cmp.Diff(before.Violations, after.Violations)).To(BeEmpty())
	f.clock.Step(time.Second)
	f.Expect(f.upload("order-0001", part("T4", true))).To(Equal(CodeNotShippable), "the payer has the goods")
	f.Expect(f.sim.Journal().Uploads).To(HaveLen(4))
}

func TestABrokenStateFileIsNotTakenForAnEmptyOne(t *testing.T) {
	g := NewWithT(t)
	state := filepath.Join(t.TempDir(), "weixin.jsonl")
	g.Expect(os.WriteFile(state, []byte("{\"upload\":{}}\nnonsense\n"), 0o600)).To(Succeed())
	pay, err := sharedPay()
	g.Expect(err).NotTo(HaveOccurred())
	certificate, err := pay.ServerCertificate()
	g.Expect(err).NotTo(HaveOccurred())
	_, err = New(Options{Certificate: certificate, Payments: &ledger{}, StateFile: state})
	g.Expect(err).To(MatchError(ContainSubstring("line 2")))
}
