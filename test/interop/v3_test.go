package interop

import (
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

const (
	apiV3Key    = "InteropTestsApiV3Key000000000000"
	provider    = "1900000100"
	providerApp = "wx8888888888888888"
	sub         = "1900000200"
	subApp      = "wx9999999999999999"
	// wechatHost is where clients call that can't be told of another host.
	wechatHost = "api.mch.weixin.qq.com"
)

// houseV3 is a simulator with an ordinary merchant and a service provider, and a shop.
type houseV3 struct {
	*house
	mchID  string
	serial string
	keyPEM string
	// taken are the callbacks that the shop's handler took.
	taken chan map[string]any
}

// openV3 starts them. read is how the client under test reads a callback: it returns what it
// decrypted, or an error if it refuses it.
func openV3(t *testing.T, mchID string, change ...func(*simulator.Options)) *houseV3 {
	options := simulator.Options{
		Merchants: []simulator.Merchant{
			{MchID: merchant, AppIDs: []string{app}, APIV3Key: apiV3Key},
			{
				MchID: provider, AppIDs: []string{providerApp}, APIV3Key: apiV3Key,
				SubMerchants: []simulator.SubMerchant{{SubMchID: sub, SubAppIDs: []string{subApp}, RefundRight: true}},
			},
		},
		ServerNames: []string{wechatHost},
		TimeScale:   600, // a minute lasts 100 ms
	}
	for _, c := range change {
		c(&options)
	}
	h := &houseV3{house: &house{T: t}, mchID: mchID, taken: make(chan map[string]any, 10)}
	sim, err := simulator.New(options)
	h.must(err)
	t.Cleanup(func() { h.must(sim.Close()) })
	h.sim = sim
	issued, err := sim.IssueClientCertificate(mchID)
	h.must(err)
	h.serial, err = issued.SerialNo()
	h.must(err)
	h.keyPEM = string(issued.KeyPEM)
	return h
}

// receiveWith opens the shop: it answers 204 to what read takes, and 401 to what it refuses.
func (h *houseV3) receiveWith(read func(*http.Request) (any, error)) {
	h.shop = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		content, err := read(r)
		if err != nil {
			w.WriteHeader(http.StatusUnauthorized)
			_ = json.NewEncoder(w).Encode(map[string]string{"code": "FAIL", "message": "签名错误"})
			return
		}
		text, err := json.Marshal(content)
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		fields := map[string]any{}
		if json.Unmarshal(text, &fields) == nil {
			h.taken <- fields
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	h.Cleanup(h.shop.Close)
}

// transport connects to the simulator, whatever host is called.
func (h *houseV3) transport() *http.Transport {
	address := h.sim.URL()[len("https://"):]
	dialer := &tls.Dialer{Config: &tls.Config{RootCAs: h.sim.CertPool(), ServerName: wechatHost}}
	transport := &http.Transport{}
	transport.DialTLSContext = dialTo(dialer, address)
	h.Cleanup(transport.CloseIdleConnections)
	return transport
}

// privateKey is the merchant's.
func (h *houseV3) privateKey() *rsa.PrivateKey {
	block, _ := pem.Decode([]byte(h.keyPEM))
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	h.must(err)
	return parsed.(*rsa.PrivateKey)
}

// publicKey is WeChat Pay's.
func (h *houseV3) publicKey() *rsa.PublicKey {
	block, _ := pem.Decode([]byte(h.sim.Platform().PublicKeyPEM))
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	h.must(err)
	return parsed.(*rsa.PublicKey)
}

// forge makes the next callback or answer one with a wrong signature.
func (h *houseV3) spoil(operation simulator.Operation, kind simulator.FaultKind) {
	_, err := h.sim.AddFault(simulator.Fault{Operation: operation, Kind: kind, Count: 1})
	h.must(err)
}

// refusedOnce checks that the first attempt of a payment's callback was refused.
func (h *houseV3) refusedOnce(number string) {
	h.Helper()
	attempts := h.sim.Ledger().CallbacksOf(simulator.OperationPaymentCallback, number)[0].Attempts
	h.equal("attempts", len(attempts), 2)
	h.equal("first attempt", attempts[0].Outcome, simulator.OutcomeRefused)
}
