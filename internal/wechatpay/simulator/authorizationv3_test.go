package simulator

import (
	"net/http"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

func TestAuthorizationIsChecked(t *testing.T) {
	c := startV3(t)
	const path = "/v3/pay/transactions/out-trade-no/order-0001?mchid=" + testMerchant
	replace := func(old, with string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), old, with, 1))
		}
	}
	at := func(d time.Duration) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set("Authorization", c.authorize(r.Method, r.URL.RequestURI(), nil, c.clock.Now().Add(d), newNonce()))
		}
	}
	foreign, err := c.sim.IssueClientCertificate(testProvider)
	c.Expect(err).NotTo(HaveOccurred())
	expired, err := c.sim.IssueClientCertificateValid(testMerchant, c.clock.Now().AddDate(-1, 0, 0), c.clock.Now().AddDate(0, 0, -1))
	c.Expect(err).NotTo(HaveOccurred())
	with := func(issued ClientCertificate) func(*http.Request) {
		return func(r *http.Request) {
			other := *c
			other.serial, _ = issued.SerialNo()
			other.key, _ = parseRSAKey(string(issued.KeyPEM))
			r.Header.Set("Authorization", other.authorize(r.Method, r.URL.RequestURI(), nil, c.clock.Now(), newNonce()))
		}
	}
	issued, err := c.sim.IssueClientCertificate(testMerchant)
	c.Expect(err).NotTo(HaveOccurred())
	for name, test := range map[string]struct {
		spoil func(*http.Request)
		want  string
	}{
		"good":               {func(*http.Request) {}, "ORDER_NOT_EXIST"},
		"issued certificate": {with(issued), "ORDER_NOT_EXIST"},
		"five minutes slow":  {at(-5 * time.Minute), "ORDER_NOT_EXIST"},
		"five minutes fast":  {at(5 * time.Minute), "ORDER_NOT_EXIST"},
		"too slow":           {at(-5*time.Minute - time.Second), "SIGN_ERROR"},
		"too fast":           {at(5*time.Minute + time.Second), "SIGN_ERROR"},
		"no header":          {func(r *http.Request) { r.Header.Del("Authorization") }, "SIGN_ERROR"},
		"another scheme":     {replace("WECHATPAY2-SHA256-RSA2048", "Bearer"), "SIGN_ERROR"},
		"another body":       {func(r *http.Request) { r.URL.RawQuery += "&x=1" }, "SIGN_ERROR"},
		"no nonce":           {replace("nonce_str", "nonce"), "SIGN_ERROR"},
		"unknown merchant":   {replace(testMerchant, "1900000999"), "SIGN_ERROR"},
		"serial in lower case": {func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), c.serial, strings.ToLower(c.serial), 1))
		}, "SIGN_ERROR"},
		"serial without its zero": {replace(`serial_no="0`, `serial_no="`), "SIGN_ERROR"},
		"of another merchant":     {with(foreign), "SIGN_ERROR"},
		"expired certificate":     {with(expired), "SIGN_ERROR"},
		"no Accept":               {func(r *http.Request) { r.Header.Del("Accept") }, "PARAM_ERROR"},
		"no User-Agent":           {func(r *http.Request) { r.Header.Set("User-Agent", "") }, "PARAM_ERROR"},
	} {
		t.Run(name, func(t *testing.T) {
			c := c.in(t)
			c.spoil = test.spoil
			reply := c.get(path)
			c.Expect(reply.code()).To(Equal(test.want), "%s", reply.raw)
			if test.want == "SIGN_ERROR" {
				c.Expect(reply.status).To(Equal(401))
				c.Expect(reply.text("detail", "sign_information", "method")).To(Equal("GET"))
			}
		})
	}
	c.Expect(c.violations()).To(BeEmpty())
}

func TestNonceReuse(t *testing.T) {
	c := startV3(t)
	send := func(number, nonce string) {
		c.spoil = func(r *http.Request) {
			r.Header.Set("Authorization", c.authorize(r.Method, r.URL.RequestURI(), nil, c.clock.Now(), nonce))
		}
		c.get("/v3/pay/transactions/out-trade-no/" + number + "?mchid=" + testMerchant)
	}
	send("order-0001", "nonce1")
	c.base = c.sim.BackupURL()
	send("order-0001", "nonce1")
	c.Expect(c.violations()).To(BeEmpty(), "the same request may go to the other host")
	send("order-0002", "nonce1")
	c.Expect(c.violations()).To(Equal([]ViolationKind{ViolationNonceReuse}))
	c.clock.Step(21 * time.Minute)
	send("order-0003", "nonce1")
	c.Expect(c.violations()).To(HaveLen(1))
}

func TestClockSkew(t *testing.T) {
	c := startV3(t)
	const path = "/v3/pay/transactions/out-trade-no/order-0001?mchid=" + testMerchant
	for _, skew := range []time.Duration{4 * time.Minute, -4 * time.Minute, 6 * time.Minute} {
		c.sim.SetClockSkew(skew)
		reply := c.get(path)
		wechat := c.clock.Now().Add(skew)
		c.Expect(reply.header.Get("Date")).To(Equal(wechat.UTC().Format(http.TimeFormat)))
		c.Expect(reply.header.Get("Wechatpay-Timestamp")).To(Equal(formatInt(wechat.Unix())))
		c.Expect(reply.code()).To(Equal(map[bool]string{true: "SIGN_ERROR", false: "ORDER_NOT_EXIST"}[skew > 5*time.Minute]))
	}
}
