package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

const merchant = "1900000109:wxd678efh567hg6787,wx0000000000000002:Zx81TestOnlyKey0Zx81TestOnlyKey0:500"

// launch runs the command until the test ends it, and reads its output.
func launch(t *testing.T, args ...string) (urls map[string]string, stop func()) {
	t.Helper()
	g := NewWithT(t)
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, args, writer, io.Discard) }()
	line, err := bufio.NewReader(reader).ReadBytes('\n')
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(json.Unmarshal(line, &urls)).To(Succeed())
	return urls, func() {
		cancel()
		g.Eventually(ended).WithTimeout(10 * time.Second).Should(Receive(BeNil()))
	}
}

func TestARestartKeepsCertificatesAndState(t *testing.T) {
	g := NewWithT(t)
	dir := t.TempDir()
	args := []string{"--merchant", merchant, "--certificates", dir, "--state", filepath.Join(dir, "state.jsonl"), "--time-scale", "60"}
	urls, stop := launch(t, args...)
	g.Expect(urls["url"]).To(HavePrefix("https://127.0.0.1:"))
	g.Expect(urls["backup_url"]).To(HavePrefix("https://127.0.0.1:"))
	admin := simulator.NewAdminClient(urls["admin_url"])
	balance := int64(7)
	g.Expect(admin.SetBalance(t.Context(), "1900000109", &balance)).To(Succeed())
	certificate, err := os.ReadFile(filepath.Join(dir, "1900000109-cert.pem"))
	g.Expect(err).NotTo(HaveOccurred())
	ca, err := admin.CAPEM(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	stop()

	urls, stop = launch(t, args...)
	defer stop()
	again, err := os.ReadFile(filepath.Join(dir, "1900000109-cert.pem"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(again).To(Equal(certificate))
	g.Expect(os.ReadFile(filepath.Join(dir, "ca.pem"))).To(Equal(ca))
	ledger, err := simulator.NewAdminClient(urls["admin_url"]).Ledger(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(ledger.Merchants[0].AppIDs).To(HaveLen(2))
	g.Expect(*ledger.Merchants[0].Balance).To(Equal(int64(7)))
}

func TestMerchantsFromAFile(t *testing.T) {
	g := NewWithT(t)
	path := filepath.Join(t.TempDir(), "merchants.json")
	content := `[{"mch_id":"1900000110","appids":["wx1"],"api_key":"Zx81TestOnlyKey0Zx81TestOnlyKey0","currencies":["USD"]}]`
	g.Expect(os.WriteFile(path, []byte(content), 0o600)).To(Succeed())
	o, err := parse([]string{"--merchants", path, "--merchant", merchant, "--callback-schedule", "1s,2s"}, io.Discard)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(o.Merchants).To(HaveLen(2))
	g.Expect(o.Merchants[0].Currencies).To(Equal([]string{"USD"}))
	g.Expect(o.Rules.CallbackSchedule).To(Equal([]time.Duration{time.Second, 2 * time.Second}))
}

func TestBadFlags(t *testing.T) {
	for _, args := range []string{
		"--merchant 1900000109", "--merchant 1:2:3:x", "--merchants /nowhere", "--callback-schedule 1s,x", "--callback-ca /nowhere",
		"--merchant-v3 1900000109", "--merchant-v3 1900000109:wx1", "--sub-merchant 1900000109:1900000200", "--sub-merchant 1",
		"--verification 1900000109:certificate", "--verification 1", "--verification 1900000109:migrating:half", "--log-level loud", "argument", "--time-scale -1", "--merchant 1:wx:short",
	} {
		err := run(t.Context(), strings.Fields(args), io.Discard, io.Discard)
		NewWithT(t).Expect(err).To(HaveOccurred(), args)
	}
}
