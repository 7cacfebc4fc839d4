package interop

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

// A client for Node.js, which is there after `make frontends`.
func TestAxiosPlugin(t *testing.T) {
	node, noNode := exec.LookPath("node")
	_, notInstalled := os.Stat("axios/node_modules/wechatpay-axios-plugin")
	if noNode != nil || notInstalled != nil {
		if os.Getenv("REQUIRE_FRONTENDS") == "1" {
			t.Fatal("Node.js and make frontends are needed")
		}
		t.Skip("without Node.js and make frontends there is no such client")
	}
	h := openV3(t, merchant, func(o *simulator.Options) { o.Merchants[0].Verification = simulator.VerifyByPublicKey })
	platform := h.sim.Platform()
	settings, err := json.Marshal(map[string]string{
		"mchid": merchant, "appid": app, "serial": h.serial, "privateKey": h.keyPEM, "apiV3Key": apiV3Key,
		"publicKeyID": platform.PublicKeyID, "publicKey": platform.PublicKeyPEM, "url": h.sim.URL(), "adminURL": h.sim.AdminURL(),
	})
	h.must(err)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	h.must(os.WriteFile(ca, h.sim.CAPEM(), 0o600))
	command := exec.CommandContext(t.Context(), node, "client.cjs")
	command.Dir = "axios"
	command.Env = append(os.Environ(), "SETTINGS="+string(settings), "NODE_EXTRA_CA_CERTS="+ca)
	var errOut strings.Builder
	command.Stderr = &errOut
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, errOut.String())
	}
	var seen struct {
		Refused     int
		CodeURL     string
		Close       int
		Closed      string
		Codes       map[string]string
		Payment     map[string]any
		Query       map[string]any
		Accepted    map[string]any
		Refund      map[string]any
		RefundQuery map[string]any
	}
	h.must(json.Unmarshal(out, &seen))
	ledger := h.sim.Ledger()
	payment := ledger.Order(merchant, "order-0001").Payment
	h.equal("refused callbacks", seen.Refused, 1)
	h.equal("transaction_id of the callback", seen.Payment["transaction_id"], payment.TransactionID)
	h.equal("trade_state", seen.Query["trade_state"], "SUCCESS")
	h.equal("status of close", seen.Close, 204)
	h.equal("trade_state of the closed order", seen.Closed, "CLOSED")
	h.equal("status of the accepted refund", seen.Accepted["status"], "PROCESSING")
	h.equal("refund_status of the callback", seen.Refund["refund_status"], "SUCCESS")
	h.equal("status of the refund", seen.RefundQuery["status"], "SUCCESS")
	h.equal("code of an unknown order", seen.Codes["unknown"], "ORDER_NOT_EXIST")
	h.equal("what it says to a wrong signature", seen.Codes["badSignature"], "EV3_RES_HEADER_SIGNATURE_DIGEST")
	if !strings.HasPrefix(seen.CodeURL, "weixin://") {
		t.Fatalf("code_url %q", seen.CodeURL)
	}
	h.equal("violations", len(ledger.Violations), 0)
}
