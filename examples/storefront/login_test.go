package main

import (
	"errors"
	"net/url"
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
	account := func(s *settings) { s.officialAccount = s.miniProgram }
	r := f.start(account)
	p := page{t: t, base: r.base}
	code := f.weixin.code(framework.OpenID)
	a := p.post("/login", `{"code":"`+code+`"}`).ok(t)
	if a.ExpiresIn != 3600 || a.Token == "" || strings.Contains(a.Text, framework.OpenID) || strings.Contains(a.Text, "session_key") {
		t.Errorf("the login was answered %s", a.Text)
	}
	p.post("/login", `{"code":"`+code+`"}`).refused(t, codeLogInAgain)
	p.post("/login", `{"code":"`+f.weixin.code(framework.OpenID)+`","source":"OfficialAccount"}`).ok(t)
	for body, code := range map[string]int{
		`{}`: codeBadRequest, `{"code":""}`: codeBadRequest, `{"code":7}`: codeBadRequest, `{"code":"x","source":"Elsewhere"}`: codeBadRequest,
		`{"code":"` + strings.Repeat("x", longestCode+1) + `"}`: codeBadRequest, `{"code":"unknown"}`: codeLogInAgain, `{"ticket":"invented"}`: codeLogInAgain,
	} {
		p.post("/login", body).refused(t, code)
	}
	page{t: t, base: f.start().base}.post("/login", `{"code":"x","source":"OfficialAccount"}`).refused(t, codeLoginRefused)

	for says, code := range map[string]int{
		`{"errcode":-1}`: codeTryAgain, `{"errcode":45011}`: codeTryAgain, `{"errcode":40226}`: codeLoginRefused, `{"errcode":40125,"errmsg":"invalid appsecret"}`: codeTryAgain,
		`<html>`: codeTryAgain, `{}`: codeTryAgain, `{"openid":"o p"}`: codeTryAgain, `{"openid":"` + strings.Repeat("o", 129) + `"}`: codeTryAgain,
	} {
		f.weixin.say(says)
		if a := p.post("/login", `{"code":"c"}`); a.Code != code {
			t.Errorf("when WeChat says %s, the page is told %s", says, a.Text)
		}
	}
	f.weixin.Close()
	p.post("/login", `{"code":"c"}`).refused(t, codeTryAgain) // the error holds the URL: see withoutSecrets
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

func TestErrorsHaveNoURL(t *testing.T) {
	inner := errors.New("connection refused")
	if err := withoutURL(&url.Error{Op: "Get", URL: "https://x/?secret=" + appSecret, Err: inner}); !errors.Is(err, inner) || strings.Contains(err.Error(), appSecret) {
		t.Errorf("the error is %v", err)
	}
	if err := withoutURL(inner); !errors.Is(err, inner) {
		t.Errorf("the error is %v", err)
	}
}
