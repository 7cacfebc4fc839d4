package weixin_test

import (
	"net/url"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/wechatpay-operator/wechatpay-operator/internal/weixin"
	"github.com/wechatpay-operator/wechatpay-operator/internal/weixin/simulator"
)

// trusted is whether a host gave an access token.
type trusted struct{ proven bool }

func (t *trusted) Proven(*url.URL) bool { return t.proven }
func (t *trusted) Prove(*url.URL)       { t.proven = true }

// TestWordsOfAnUnprovenHostAreNotRepeated: it may be anything that speaks JSON, such as a service that
// only the operator reaches. Once it gave an access token it is WeChat, or a proxy to it.
func TestWordsOfAnUnprovenHostAreNotRepeated(t *testing.T) {
	trust := &trusted{}
	f := open(t, func(s *weixin.Settings) { s.Trust = trust })
	refuse := func(code simulator.Errcode) error {
		f.sim.ClearFaults("")
		f.fault(simulator.Fault{Operation: simulator.OperationToken, Kind: simulator.FaultError, Errcode: code, Errmsg: "secret of the inside"})
		f.client.Forget()
		return f.client.Token(t.Context())
	}
	unknown, known := refuse(123456), refuse(simulator.CodeInvalidSecret)
	f.Expect(unknown.Error()).NotTo(Or(ContainSubstring("123456"), ContainSubstring("inside")))
	f.Expect(weixin.Means(unknown, weixin.Repeat)).To(BeTrue())
	f.Expect(known.Error()).To(Equal("GetAccessToken: WeChat answered 40125"))
	f.Expect(weixin.Means(known, weixin.CredentialsRejected)).To(BeTrue())

	f.sim.ClearFaults("")
	f.Expect(f.client.Token(t.Context())).To(Succeed())
	f.Expect(trust.proven).To(BeTrue())
	f.Expect(refuse(123456).Error()).To(ContainSubstring("secret of the inside"))
}

func TestOrderNamesItsPayment(t *testing.T) {
	f := open(t)
	known, err := f.client.GetOrder(t.Context(), f.shipping().Order)
	f.Expect(err).NotTo(HaveOccurred())
	f.Expect(known.TransactionID).To(Equal("4200"))
}
