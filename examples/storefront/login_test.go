package main

import (
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// TestLogin: a code is for one login, and what WeChat knows of a person stays at the server.
func TestLogin(t *testing.T) {
	t.Parallel()
	f := openShop(t)
	p := page{t: t, base: f.start().base}
	code := f.code(framework.OpenID)
	a := p.post("/login", `{"code":"`+code+`"}`).ok(t)
	if a.ExpiresIn != 3600 || a.Token == "" || strings.Contains(a.Text, framework.OpenID) || strings.Contains(a.Text, "session_key") {
		t.Errorf("the login was answered %s", a.Text)
	}
	p.post("/login", `{"code":"`+code+`"}`).refused(t, codeLogInAgain)
	for body, code := range map[string]int{
		`{}`: codeBadRequest, `{"code":""}`: codeBadRequest, `{"code":7}`: codeBadRequest, `{"code":"x","source":"Elsewhere"}`: codeBadRequest,
		`{"code":"` + strings.Repeat("x", longestCode+1) + `"}`: codeBadRequest, `{"code":"unknown"}`: codeLogInAgain, `{"ticket":"invented"}`: codeLogInAgain,
	} {
		p.post("/login", body).refused(t, code)
	}
	without := f.start(func(s *settings) { s.officialAccount = app{} })
	page{t: t, base: without.base}.post("/login", `{"code":"x","source":"OfficialAccount"}`).refused(t, codeLoginRefused)

	f.Must(f.weixin.SetHighRisk(framework.AppID, "oRisky", true))
	p.post("/login", `{"code":"`+f.code("oRisky")+`"}`).refused(t, codeLoginRefused)
	f.Must(f.weixin.SetAppSecret(framework.AppID, strings.Repeat("f", 32)))
	p.post("/login", `{"code":"`+f.code(framework.OpenID)+`"}`).refused(t, codeTryAgain)
	f.Must(os.WriteFile(f.settings.miniProgram.secretFile, []byte(strings.Repeat("f", 32)), 0o600)) // no restart
	p.post("/login", `{"code":"`+f.code(framework.OpenID)+`"}`).ok(t)
	f.weixin.Close()
	p.post("/login", `{"code":"c"}`).refused(t, codeTryAgain) // nothing of the URL is logged: see withoutSecrets
}

// TestOfficialAccount: its payers have openids of its own appid, under which they pay.
func TestOfficialAccount(t *testing.T) {
	t.Parallel()
	f := openShop(t)
	p := page{t: t, base: f.start().base}
	code, err := f.weixin.Login(accountAppID, "oFollower")
	f.Must(err)
	p.post("/login", `{"code":"`+code+`"}`).refused(t, codeLogInAgain) // it is not the mini program's
	p.token = p.post("/login", `{"code":"`+code+`","source":"OfficialAccount"}`).ok(t).Token
	bought := p.post("/createdOrder", `{"id":"soap","num":1}`).ok(t)
	if order := f.Order(bought.OrderNumber); order.Spec.AppID != accountAppID || order.Spec.Payer.OpenID != "oFollower" || bought.PayInfo["appId"] != accountAppID {
		t.Errorf("the Order is %+v", order.Spec)
	}
	f.pay(bought)
}

// TestATicketIsForOneLogin: at whichever of two replicas it is shown, and however often at once.
func TestATicketIsForOneLogin(t *testing.T) {
	t.Parallel()
	f := openShop(t)
	replicas := []*replica{f.start(), f.start()}
	p := f.visit(replicas[0], framework.OpenID)
	mine := p.post("/createdOrder", `{"id":"soap","num":1}`).ok(t)
	ticket := p.post("/ticket", "").ok(t).Ticket
	var logins sync.WaitGroup
	var succeeded atomic.Int32
	for i := range 10 {
		logins.Go(func() {
			web := page{t: t, base: replicas[i%2].base}
			a := web.post("/login", `{"ticket":"`+ticket+`"}`)
			if a.Code == codeLogInAgain {
				return
			}
			succeeded.Add(1)
			web.token = a.ok(t).Token
			if at := web.get("/pay/" + mine.OrderNumber); at.Code != codeSuccess {
				t.Errorf("who came by a ticket does not see the payer's order: %s", at.Text)
			}
		})
	}
	logins.Wait()
	if succeeded.Load() != 1 {
		t.Errorf("a ticket let %d in", succeeded.Load())
	}
	f.visitAsGuest(replicas[0]).post("/ticket", "").refused(t, codeBadRequest)
	orphan := p.post("/ticket", "").ok(t).Ticket
	replicas[0].stop()
	page{t: t, base: replicas[1].base}.post("/login", `{"ticket":"`+orphan+`"}`).refused(t, codeTryAgain)
}

func TestUsedTicketsAreForgottenWhenTheyExpire(t *testing.T) {
	u := usedTickets{until: map[string]time.Time{}}
	now := time.Now()
	first := ticket{ID: "1", Expires: now.Add(ticketLifetime)}
	if !u.use(first, now) || u.use(first, now) {
		t.Error("a ticket is not used once")
	}
	if u.use(ticket{ID: "2", Expires: now.Add(time.Hour)}, now.Add(ticketLifetime)); len(u.until) != 1 {
		t.Errorf("it remembers %v", u.until)
	}
}
