package account_test

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"testing"

	"go.uber.org/goleak"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// TestForgottenMerchantsLeaveNothing: the connections of a Merchant are closed when it is forgotten
// or its credentials change. The test is not parallel, since it checks which goroutines remain.
func TestForgottenMerchantsLeaveNothing(t *testing.T) {
	p := newFixture(t)
	p.storeKey(key1)
	weChat := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<xml></xml>")) }))
	t.Cleanup(weChat.Close)
	m := p.merchant(func(spec *v1alpha1.MerchantSpec) {
		spec.Endpoint = &v1alpha1.Endpoint{
			URL: weChat.URL, CABundle: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: weChat.Certificate().Raw}),
		}
	})
	before := goleak.IgnoreCurrent()
	for _, key := range []string{key1, key2} {
		p.storeKey(key)
		p.advance(2 * refresh)
		if _, err := p.get(m).QueryOrder(t.Context(), wechatpay.OrderRef{OutTradeNo: "order-0001", AppID: appID}); wechatpay.OutcomeOf(err) != wechatpay.Unknown {
			t.Fatalf("WeChat was not asked: %v", err)
		}
	}
	p.registry.Forget(m.UID)
	goleak.VerifyNone(t, before)
}
