package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

// One command prints all that an SDK of API v3 needs, and a restart prints the same.
func TestMerchantsOfV3(t *testing.T) {
	g := NewWithT(t)
	args := []string{
		"--merchant-v3", "1900000109:wxd678efh567hg6787", "--sub-merchant", "1900000109:1900000200:wx1,wx2:refund",
		"--sub-merchant", "1900000109:1900000300", "--merchant", "1900000110:wx3:Zx81TestOnlyKey0Zx81TestOnlyKey0",
		"--merchant-v3", "1900000110:wx3:VectorsOnlyKey0123456789abcdefgh", "--verification", "1900000110:migrating:0.5",
		"--certificates", t.TempDir(),
	}
	start := func() (merchants []merchantV3, admin *simulator.AdminClient, stop func()) {
		ctx, cancel := context.WithCancel(t.Context())
		reader, writer := io.Pipe()
		ended := make(chan error, 1)
		go func() { ended <- run(ctx, args, writer, io.Discard) }()
		lines := json.NewDecoder(bufio.NewReader(reader))
		var urls map[string]string
		g.Expect(lines.Decode(&urls)).To(Succeed())
		merchants = make([]merchantV3, 2)
		for i := range merchants {
			g.Expect(lines.Decode(&merchants[i])).To(Succeed())
		}
		return merchants, simulator.NewAdminClient(urls["admin_url"]), func() {
			cancel()
			g.Eventually(ended).WithTimeout(10 * time.Second).Should(Receive(BeNil()))
		}
	}
	first, admin, stop := start()
	g.Expect(first[0].SubMchIDs).To(Equal([]string{"1900000200", "1900000300"}))
	g.Expect(first[0].APIV3Key).To(MatchRegexp("^[0-9A-Z]{32}$"))
	g.Expect(first[0].Verification).To(Equal("certificate"))
	g.Expect(first[1].APIV3Key).To(Equal("VectorsOnlyKey0123456789abcdefgh"))
	g.Expect(first[1].Verification).To(Equal("migrating"))
	platform, err := admin.Platform(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(first[0].PublicKeyID).To(Equal(platform.PublicKeyID))
	g.Expect(os.ReadFile(first[0].PublicKey)).To(BeEquivalentTo(platform.PublicKeyPEM))
	for _, file := range []string{first[0].Certificate, first[0].PrivateKey} {
		content, err := os.ReadFile(file)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(strings.HasPrefix(string(content), "-----BEGIN ")).To(BeTrue())
	}
	ledger, err := admin.Ledger(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(ledger.Merchants[0].SubMerchants).To(Equal([]simulator.SubMerchant{
		{SubMchID: "1900000200", SubAppIDs: []string{"wx1", "wx2"}, RefundRight: true}, {SubMchID: "1900000300"},
	}))
	stop()
	again, _, stop := start()
	defer stop()
	g.Expect(again).To(Equal(first))
}
