package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// accepting makes the API server accept tokens that begin with good.
func accepting(w http.ResponseWriter, r *http.Request) {
	code := http.StatusCreated
	if !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer good") && !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer eyJ") {
		code = http.StatusUnauthorized
	}
	w.WriteHeader(code)
	fmt.Fprint(w, `{"kind":"Status"}`)
}

func (f *fixture) logIn(token string) *http.Response {
	f.Helper()
	body, err := json.Marshal(map[string]string{"token": token})
	if err != nil {
		f.Fatal(err)
	}
	return f.send("POST", "/session", string(body), withHeader("Content-Type", "application/json"))
}

// TestLogIn: the token is stored where scripts and other sites can't read it, is used for requests, and is deleted at
// logout.
func TestLogIn(t *testing.T) {
	f := open(t)
	f.api.answer = accepting
	response := f.logIn(" good-token\n")
	body := bodyOf(t, response)
	if response.StatusCode != http.StatusOK || len(response.Cookies()) != 1 {
		t.Fatalf("%s %s", response.Status, body)
	}
	cookie := response.Cookies()[0]
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || cookie.Path != "/" || cookie.Domain != "" || strings.Contains(cookie.Value+body, "good-token") {
		t.Errorf("the cookie is %+v, the answer %s", cookie, body)
	}
	if response := f.send("GET", own+"/orders", "", withCookie(cookie)); response.StatusCode != http.StatusCreated {
		t.Errorf("with the cookie: %s", response.Status)
	}
	got := f.api.requests()
	if last := got[len(got)-1]; last.header.Get("Authorization") != "Bearer good-token" || last.header.Get("Cookie") != "" {
		t.Errorf("the API server got %v", last.header)
	}
	// The header of a proxy has precedence over the cookie.
	f.send("GET", own+"/orders", "", withCookie(cookie), withToken("good-other"))
	got = f.api.requests()
	if last := got[len(got)-1]; last.header.Get("Authorization") != "Bearer good-other" {
		t.Errorf("the API server got %v", last.header)
	}
	if response := f.send("GET", "/session", "", withCookie(cookie)); response.StatusCode != http.StatusOK {
		t.Errorf("the session: %s", response.Status)
	}
	out := f.send("DELETE", "/session", "", withCookie(cookie))
	if out.StatusCode != http.StatusNoContent || out.Cookies()[0].MaxAge >= 0 || out.Cookies()[0].Value != "" {
		t.Errorf("logged out by %s %+v", out.Status, out.Cookies())
	}
	if strings.Contains(f.logged.String(), "good-") || strings.Contains(f.logged.String(), cookie.Value) {
		t.Errorf("logged: %s", f.logged)
	}
}

// TestCookiesOfHTTPS are Secure, and bound to the host.
func TestCookiesOfHTTPS(t *testing.T) {
	f := open(t, func(o *Options) { o.InsecureCookies = false })
	f.api.answer = accepting
	cookie := f.logIn("good-token").Cookies()[0]
	if !cookie.Secure || cookie.Name != "__Host-wechatpay-console" {
		t.Errorf("the cookie is %+v", cookie)
	}
}

// TestLogInRefused without further details.
func TestLogInRefused(t *testing.T) {
	f := open(t)
	f.api.answer = accepting
	for name, test := range map[string]struct {
		kind, body string
		code       int
	}{
		"another token":       {"application/json", `{"token":"stale"}`, 401},
		"no token":            {"application/json", `{"token":""}`, 400},
		"a header in it":      {"application/json", `{"token":"good\r\nImpersonate-User: admin"}`, 400},
		"a form":              {"application/x-www-form-urlencoded", `token=good`, 415},
		"plain text":          {"text/plain", `{"token":"good"}`, 415},
		"more":                {"application/json", `{"token":"good","admin":true}`, 400},
		"too long for cookie": {"application/json", `{"token":"good` + strings.Repeat("a", 4000) + `"}`, 400},
		"huge":                {"application/json", `{"token":"good` + strings.Repeat("a", 10_000) + `"}`, 413},
	} {
		response := f.send("POST", "/session", test.body, withHeader("Content-Type", test.kind))
		if response.StatusCode != test.code || len(response.Cookies()) > 0 {
			t.Errorf("%s: %s %v", name, response.Status, response.Cookies())
		}
	}
}

// TestSessionEnd with the token, or earlier if the console says so. A token that the API server rejects is deleted.
func TestSessionEnd(t *testing.T) {
	f := open(t, func(o *Options) { o.SessionDuration = time.Hour })
	f.api.answer = accepting
	for name, test := range map[string]struct {
		token string
		want  time.Duration
	}{
		"the token's": {tokenUntil(time.Now().Add(10 * time.Minute)), 10 * time.Minute},
		"ours":        {tokenUntil(time.Now().Add(10 * time.Hour)), time.Hour},
		"unknown":     {"good-token", time.Hour},
	} {
		var answer struct{ Expires time.Time }
		if err := json.Unmarshal([]byte(bodyOf(t, f.logIn(test.token))), &answer); err != nil {
			t.Fatal(err)
		}
		if left := time.Until(answer.Expires); left > test.want+time.Second || left < test.want-time.Minute {
			t.Errorf("%s: the session ends in %s, want %s", name, left, test.want)
		}
	}
	over := f.console.sealer.seal([]byte(`{"token":"good","expires":"2020-01-01T00:00:00Z"}`))
	if response := f.send("GET", own+"/orders", "", withCookie(&http.Cookie{Name: "wechatpay-console", Value: over})); response.StatusCode != http.StatusUnauthorized {
		t.Errorf("a session that is over: %s", response.Status)
	}
	revoked := f.console.sealer.seal([]byte(`{"token":"stale","expires":"2999-01-01T00:00:00Z"}`))
	response := f.send("GET", own+"/orders", "", withCookie(&http.Cookie{Name: "wechatpay-console", Value: revoked}))
	if response.StatusCode != http.StatusUnauthorized || len(response.Cookies()) != 1 || response.Cookies()[0].MaxAge >= 0 {
		t.Errorf("a token that is not taken any more: %s %v", response.Status, response.Cookies())
	}
}

// TestCookiesOfOthers: a changed cookie, one of another key, two cookies.
func TestCookiesOfOthers(t *testing.T) {
	f, other := open(t), open(t)
	f.api.answer, other.api.answer = accepting, accepting
	mine, theirs := f.logIn("good-token").Cookies()[0], other.logIn("good-token").Cookies()[0]
	changed := *mine
	changed.Value = mine.Value[:len(mine.Value)-2] + "AA"
	for name, changes := range map[string][]func(*http.Request){
		"changed":     {withCookie(&changed)},
		"another key": {withCookie(theirs)},
		"two":         {withCookie(mine), withCookie(mine)},
	} {
		if response := f.send("GET", own+"/orders", "", changes...); response.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: %s", name, response.Status)
		}
	}
}

// TestKeysAreReplaced: a new key encrypts, and the old one still decrypts.
func TestKeysAreReplaced(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys")
	older, newer := strings.Repeat("A", 43)+"=", strings.Repeat("B", 43)+"="
	write := func(text string) *sealer {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := newSealer(file)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	before := write(older + "\n")
	during := write(newer + "\n" + older + "\n")
	after := write(newer)
	if _, err := during.open(before.seal([]byte("x"))); err != nil {
		t.Errorf("the old key does not open: %v", err)
	}
	if plain, err := after.open(during.seal([]byte("x"))); err != nil || string(plain) != "x" {
		t.Errorf("the new key does not seal: %v", err)
	}
	if _, err := after.open(before.seal([]byte("x"))); err == nil {
		t.Error("a key that was taken away still opens")
	}
	for _, text := range []string{"", "short", "not Base64!"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := newSealer(file); err == nil {
			t.Errorf("%q is taken for a key", text)
		}
	}
}

// TestBehindAProxyThereAreNoCookies: only the proxy's header is accepted.
func TestBehindAProxyThereAreNoCookies(t *testing.T) {
	f := open(t, func(o *Options) { o.Login, o.InsecureCookies, o.SignOutURL = LoginProxy, false, "/oauth2/sign_out" })
	f.api.answer = accepting
	if response := f.logIn("good-token"); response.StatusCode != http.StatusNotFound || len(response.Cookies()) > 0 {
		t.Errorf("a login: %s", response.Status)
	}
	sealed := f.console.sealer.seal([]byte(`{"token":"good","expires":"2999-01-01T00:00:00Z"}`))
	for _, name := range []string{"wechatpay-console", "__Host-wechatpay-console"} {
		if response := f.send("GET", own+"/orders", "", withCookie(&http.Cookie{Name: name, Value: sealed})); response.StatusCode != http.StatusUnauthorized {
			t.Errorf("a cookie: %s", response.Status)
		}
	}
	if response := f.send("GET", own+"/orders", "", withToken("good")); response.StatusCode != http.StatusCreated {
		t.Errorf("the header: %s", response.Status)
	}
	if body := bodyOf(t, f.send("GET", "/config.json", "")); !strings.Contains(body, `"login":"proxy","signOut":"/oauth2/sign_out"`) {
		t.Errorf("the page is told %s", body)
	}
}
