package controllers_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/onsi/gomega"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/hosts"
	"github.com/wechatpay-operator/wechatpay-operator/internal/manager"
	weixin "github.com/wechatpay-operator/wechatpay-operator/internal/weixin/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// openWithMiniProgram opens a shop with a Merchant and a MiniProgram that are Ready.
func openWithMiniProgram(t *testing.T, options ...framework.Option) (*framework.Shop, *gomega.GomegaWithT) {
	t.Helper()
	shop, g := openReady(t, options...)
	shop.OpenWeixin()
	shop.Create(shop.NewMiniProgram("shop"))
	shop.WaitMiniProgram("shop", "Ready=True/Ready")
	return shop, g
}

func TestMiniProgramShowsWhatWeChatSays(t *testing.T) {
	shop, g := openWithMiniProgram(t)
	secret := shop.NewAppSecret(shop.Namespace, "")

	shop.Patch(secret, `{"stringData":{"appSecret":"wrong"}}`)
	rejected := shop.WaitMiniProgram("shop", "Ready=False/CredentialsRejected")
	g.Expect(rejected.Status.Conditions[0].Message).To(gomega.ContainSubstring("40125"))
	shop.Patch(secret, `{"stringData":{"appSecret":""}}`)
	shop.Eventually("an empty entry is told", func() error {
		return contains(shop.WaitMiniProgram("shop", "Ready=False/CredentialsRejected").Status.Conditions[0].Message, "can't be used as an AppSecret")
	})
	shop.Must(shop.Client.Delete(shop.Context(), secret))
	shop.WaitMiniProgram("shop", "Ready=False/SecretNotFound")

	shop.Must(shop.Weixin.SetAllowedAddresses(framework.AppID, []string{"203.0.113.7"}))
	shop.Create(shop.NewAppSecret(shop.Namespace, framework.AppSecret))
	refused := shop.WaitMiniProgram("shop", "Ready=False/AddressNotAllowed")
	g.Expect(refused.Status.Conditions[0].Message).To(gomega.And(gomega.ContainSubstring("127.0.0.1"), gomega.Not(gomega.ContainSubstring("rid:"))))
	shop.Must(shop.Weixin.SetAllowedAddresses(framework.AppID, nil))
	shop.WaitMiniProgram("shop", "Ready=True/Ready")
}

func TestMiniProgramTriesAgainWhenWeChatIsAway(t *testing.T) {
	shop, _ := openReady(t)
	wechat := shop.OpenWeixin()
	for _, fault := range []weixin.Fault{
		{Operation: weixin.OperationToken, Kind: weixin.FaultBusy, Count: 1}, {Operation: weixin.OperationToken, Kind: weixin.FaultDrop, Count: 1},
		{Operation: weixin.OperationToken, Kind: weixin.FaultTruncate, Count: 1}, {Operation: weixin.OperationManaged, Kind: weixin.FaultHTML, Count: 1},
		{Operation: weixin.OperationManaged, Kind: weixin.FaultRevoke, Count: 1},
	} {
		_, err := wechat.AddFault(fault)
		shop.Must(err)
	}
	shop.Create(shop.NewMiniProgram("shop"))
	shop.WaitMiniProgram("shop", "Ready=True/Ready")
	for _, fault := range wechat.Faults() {
		if fault.Struck != 1 {
			t.Errorf("%s of %s struck %d times", fault.Kind, fault.Operation, fault.Struck)
		}
	}
}

func TestMiniProgramWithoutTradeManagementIsReady(t *testing.T) {
	shop, _ := openReady(t)
	shop.OpenWeixin(func(o *weixin.Options) { o.MiniPrograms[0].Unmanaged = true })
	shop.Create(shop.NewMiniProgram("shop"))
	shop.WaitMiniProgram("shop", "Ready=True/TradeNotManaged")
}

func TestMiniProgramQuotaIsExhausted(t *testing.T) {
	shop, _ := openReady(t)
	_, err := shop.OpenWeixin().AddFault(weixin.Fault{Operation: weixin.OperationToken, Kind: weixin.FaultError, Errcode: weixin.CodeDailyQuota, Errmsg: "reach max api daily quota limit", Count: 1})
	shop.Must(err)
	shop.Create(shop.NewMiniProgram("shop"))
	shop.WaitMiniProgram("shop", "Ready=False/QuotaExhausted")
	shop.WaitMiniProgram("shop", "Ready=True/Ready")
}

// TestMiniProgramCallsAllowedHostsOnly: and of hosts that never answered as WeChat does, every failure
// has the same text.
func TestMiniProgramCallsAllowedHostsOnly(t *testing.T) {
	shop, g := openReady(t, framework.WithOptions(func(o *manager.Options) { o.Accounts.EndpointHosts = hosts.MustParse("127.0.0.1,localhost") }))
	shop.OpenWeixin()
	at := func(name, url string) func(*v1alpha1.MiniProgram) {
		return func(m *v1alpha1.MiniProgram) { m.Name, m.Spec.Endpoint.URL = name, url }
	}
	shop.Create(
		shop.NewMiniProgram("elsewhere", at("elsewhere", "https://10.0.0.1")),
		shop.NewMiniProgram("closed", at("closed", "https://localhost:1")),
		shop.NewMiniProgram("stranger", at("stranger", shop.Weixin.URL()), func(m *v1alpha1.MiniProgram) { m.Spec.Endpoint.CABundle = nil }),
	)
	shop.WaitMiniProgram("elsewhere", "Ready=False/EndpointNotAllowed")
	closed := shop.WaitMiniProgram("closed", "Ready=Unknown/WeChatUnreachable").Status.Conditions[0].Message
	stranger := shop.WaitMiniProgram("stranger", "Ready=Unknown/WeChatUnreachable").Status.Conditions[0].Message
	g.Expect(closed).To(gomega.Equal(stranger))
}

// TestSecretsOfMiniPrograms: neither AppSecret nor access token is in any object or event.
func TestSecretsOfMiniProgramsAreNowhereShown(t *testing.T) {
	shop, g := openWithMiniProgram(t)
	shop.Must(shop.Weixin.SetAppSecret(framework.AppID, "another"))
	shop.Must(shop.Weixin.RevokeTokens(framework.AppID))
	shop.Paid("order-0001")
	shop.Create(shop.NewShipment("shipment-0001", "order-0001"))
	shipment := shop.WaitShipment("shipment-0001", "Uploaded=False/MiniProgramNotReady")
	text, err := json.Marshal([]any{shipment, shop.WaitMiniProgram("shop", "Ready=True/Ready"), shop.Weixin.Journal()})
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(strings.Contains(string(text), framework.AppSecret)).To(gomega.BeFalse())
}
