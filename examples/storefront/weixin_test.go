package main

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"

	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

const appSecret = "TestOnlyAppSecret0TestOnlyApp000"

// fakeWeixin is an api.weixin.qq.com that knows codes, each for one login.
type fakeWeixin struct {
	*httptest.Server
	mutex sync.Mutex
	codes map[string]string // openid by code; empty when used
	// says replaces the next answers.
	says string
}

func newFakeWeixin(t testing.TB) *fakeWeixin {
	w := &fakeWeixin{codes: map[string]string{}}
	w.Server = httptest.NewTLSServer(http.HandlerFunc(w.serve))
	t.Cleanup(w.Close)
	return w
}

func (w *fakeWeixin) authority() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.Certificate().Raw}))
}

// code is what wx.login gives to somebody's page.
func (w *fakeWeixin) code(openID string) string {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	code := "code-" + strconv.Itoa(len(w.codes))
	w.codes[code] = openID
	return code
}

// say has all logins answered like this; empty ends it.
func (w *fakeWeixin) say(answer string) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.says = answer
}

func (w *fakeWeixin) serve(answer http.ResponseWriter, r *http.Request) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	query := r.URL.Query()
	code := query.Get("code")
	if r.URL.Path == "/sns/jscode2session" {
		code = query.Get("js_code")
	}
	openID, known := w.codes[code]
	switch {
	case w.says != "":
		fmt.Fprint(answer, w.says)
	case query.Get("appid") != framework.AppID:
		fmt.Fprint(answer, `{"errcode":40013,"errmsg":"invalid appid"}`)
	case query.Get("secret") != appSecret:
		fmt.Fprint(answer, `{"errcode":40125,"errmsg":"invalid appsecret"}`)
	case !known || query.Get("grant_type") != "authorization_code":
		fmt.Fprint(answer, `{"errcode":40029,"errmsg":"invalid code"}`)
	case openID == "":
		fmt.Fprint(answer, `{"errcode":40163,"errmsg":"code been used"}`)
	default:
		w.codes[code] = ""
		fmt.Fprintf(answer, `{"openid":%q,"session_key":"dGhpcyBpcyBhIHNlc3Npb24ga2V5","access_token":"a"}`, openID)
	}
}
