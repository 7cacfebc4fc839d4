package simulator

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

func TestACodeIsGoodOnce(t *testing.T) {
	f := start(t)
	text := f.login(testApp)
	reply := f.session(text)
	f.Expect(reply).To(HaveKeyWithValue("openid", testOpenID))
	f.Expect(reply).To(HaveKey("session_key"))
	f.Expect(reply).NotTo(HaveKey("errcode"), "success has no errcode")
	f.Expect(code(f.session(text))).To(Equal(CodeUsedCode))
}

func TestRefusedLogins(t *testing.T) {
	f := start(t)
	for name, c := range map[string]struct {
		pairs []string
		want  Errcode
	}{
		"another code":         {[]string{"js_code", "nothing"}, CodeInvalidCode},
		"no code":              {[]string{"js_code", ""}, CodeMissingCode},
		"another appid":        {[]string{"appid", "wx9"}, CodeInvalidAppID},
		"no appid":             {[]string{"appid", ""}, CodeMissingAppID},
		"a wrong secret":       {[]string{"secret", "x"}, CodeInvalidSecret},
		"no secret":            {[]string{"secret", ""}, CodeMissingSecret},
		"another grant":        {[]string{"grant_type", "x"}, CodeInvalidGrantType},
		"an official account":  {[]string{"appid", testOfficial}, CodeNotAuthorized},
		"another app's code":   {[]string{"js_code", f.login(testOfficial)}, CodeInvalidCode},
		"nothing out of order": {nil, CodeOK},
	} {
		t.Run(name, func(t *testing.T) {
			NewWithT(t).Expect(code(f.session(f.login(testApp), c.pairs...))).To(Equal(c.want))
		})
	}
}

func TestACodeEndsAfterFiveMinutes(t *testing.T) {
	f := start(t, func(o *Options) { o.TimeScale = 60 })
	text, other := f.login(testApp), f.login(testApp)
	f.clock.Step(4900 * time.Millisecond)
	f.Expect(code(f.session(text))).To(Equal(CodeOK))
	f.clock.Step(100 * time.Millisecond)
	f.Expect(code(f.session(other))).To(Equal(CodeInvalidCode))
}

func TestUsersAreSlowedAndBlocked(t *testing.T) {
	f := start(t, func(o *Options) { o.Rules.LoginsPerMinute = 2 })
	f.Expect(code(f.session(f.login(testApp)))).To(Equal(CodeOK))
	f.Expect(code(f.session(f.login(testApp)))).To(Equal(CodeOK))
	f.Expect(code(f.session(f.login(testApp)))).To(Equal(CodeTooFast))
	f.clock.Step(time.Minute)
	f.Expect(code(f.session(f.login(testApp)))).To(Equal(CodeOK))
	f.Expect(f.sim.SetHighRisk(testApp, testOpenID, true)).To(Succeed())
	f.Expect(code(f.session(f.login(testApp)))).To(Equal(CodeHighRisk))
}

func TestOfficialAccountsLogInByOAuth2(t *testing.T) {
	f := start(t)
	f.Expect(f.sim.SetUnionID(testOfficial, testOpenID, "union")).To(Succeed())
	text := f.login(testOfficial)
	ask := func() members {
		return f.get("/sns/oauth2/access_token", "appid", testOfficial, "secret", testSecret, "code", text, "grant_type", "authorization_code")
	}
	reply := ask()
	f.Expect(reply).To(And(HaveKeyWithValue("openid", testOpenID), HaveKeyWithValue("unionid", "union"), HaveKey("access_token")))
	f.Expect(code(ask())).To(Equal(CodeUsedCode))
}

func TestTheJournalHoldsNoSecret(t *testing.T) {
	f := start(t)
	f.session(f.login(testApp))
	calls := f.sim.Journal().CallsOf(OperationSession)
	f.Expect(calls).To(HaveLen(1))
	f.Expect(calls[0].AppID).To(Equal(testApp))
	f.Expect(calls[0].OpenID).To(Equal(testOpenID))
}
