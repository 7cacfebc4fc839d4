package simulator

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

// managed asks whether the trade is managed, with an access token.
func (f *fixture) managed(token any) Errcode {
	f.t.Helper()
	text, _ := token.(string)
	return code(f.post("/wxa/sec/order/is_trade_managed?access_token="+text, members{"appid": testApp}))
}

func TestATokenStaysTheSameUntilItsLastFiveMinutes(t *testing.T) {
	f := start(t)
	first := f.token(false)
	f.Expect(first["expires_in"]).To(BeEquivalentTo(7200))
	f.clock.Step(114 * time.Minute)
	f.Expect(f.token(false)["access_token"]).To(Equal(first["access_token"]))
	f.clock.Step(time.Minute)
	second := f.token(false)
	f.Expect(second["access_token"]).NotTo(Equal(first["access_token"]))
	f.Expect(f.managed(first["access_token"])).To(Equal(CodeOK), "both are valid for five minutes")
	f.clock.Step(5 * time.Minute)
	f.Expect(f.managed(first["access_token"])).To(Equal(CodeExpiredToken))
	f.Expect(f.managed(second["access_token"])).To(Equal(CodeOK))
}

func TestForceRefreshEndsTheOldToken(t *testing.T) {
	f := start(t, func(o *Options) { o.Rules.ForcedPerDay = 2 })
	first, second := f.token(false), f.token(true)
	f.Expect(f.managed(first["access_token"])).To(Equal(CodeInvalidCredential))
	f.Expect(f.managed(second["access_token"])).To(Equal(CodeOK))
	f.Expect(code(f.token(true))).To(Equal(CodeTooFast))
	f.clock.Step(30 * time.Second)
	f.Expect(code(f.token(true))).To(Equal(CodeOK))
	f.clock.Step(30 * time.Second)
	f.Expect(code(f.token(true))).To(Equal(CodeDailyQuota))
}

func TestRefusedTokenCalls(t *testing.T) {
	f := start(t)
	for name, c := range map[string]struct {
		body any
		want Errcode
	}{
		"a number as text": {`{"grant_type":"client_credential","appid":1,"secret":"x"}`, CodeMalformed},
		"no JSON":          {`appid=1`, CodeMalformed},
		"two values":       {`{}{}`, CodeMalformed},
		"another grant":    {members{"grant_type": "x", "appid": testApp, "secret": testSecret}, CodeInvalidGrantType},
		"a wrong secret":   {members{"grant_type": "client_credential", "appid": testApp, "secret": "x"}, CodeInvalidSecret},
		"another appid":    {members{"grant_type": "client_credential", "appid": "wx9", "secret": testSecret}, CodeInvalidAppID},
	} {
		t.Run(name, func(t *testing.T) {
			NewWithT(t).Expect(code(f.post("/cgi-bin/stable_token", c.body))).To(Equal(c.want))
		})
	}
	f.Expect(code(f.get("/cgi-bin/stable_token"))).To(Equal(CodeWantsPOST))
	f.Expect(f.managed("")).To(Equal(CodeMissingToken))
	f.Expect(f.managed("short")).To(Equal(CodeInvalidToken))
}

func TestQuotasAndTheAllowListOfAddresses(t *testing.T) {
	f := start(t, func(o *Options) { o.Rules.TokensPerMinute, o.Rules.TokensPerDay = 2, 3 })
	f.Expect(f.sim.SetAllowedAddresses(testApp, []string{"203.0.113.7"})).To(Succeed())
	refused := f.token(false)
	f.Expect(code(refused)).To(Equal(CodeAddressNotAllowed))
	f.Expect(refused["errmsg"]).To(ContainSubstring("127.0.0.1"))
	f.Expect(f.sim.SetAllowedAddresses(testApp, nil)).To(Succeed())
	f.Expect(code(f.token(false))).To(Equal(CodeOK))
	f.Expect(code(f.token(false))).To(Equal(CodeOK))
	f.Expect(code(f.token(false))).To(Equal(CodeTooFast))
	f.clock.Step(time.Minute)
	f.Expect(code(f.token(false))).To(Equal(CodeOK))
	f.clock.Step(time.Minute)
	f.Expect(code(f.token(false))).To(Equal(CodeDailyQuota))
}

func TestARevokedTokenIsRefusedAndReplaced(t *testing.T) {
	f := start(t)
	first := f.token(false)
	f.Expect(f.sim.RevokeTokens(testApp)).To(Succeed())
	f.Expect(f.managed(first["access_token"])).To(Equal(CodeInvalidCredential))
	f.Expect(f.managed(f.token(false)["access_token"])).To(Equal(CodeOK))
}
