package console

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	own      = "/apis/wechatpay-operator.io/v1alpha1/namespaces/shop"
	decided  = `{"metadata":{"resourceVersion":"7"},"spec":{"approval":"Denied","approvalMessage":"no"}}`
	asking   = `{"spec":{"resourceAttributes":{"namespace":"shop","verb":"approve","group":"wechatpay-operator.io","resource":"refunds"}}}`
	accesses = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
	reviews  = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
)

// TestWhatIsPassedOn has each request that the page makes, and the request that reaches the API server.
func TestWhatIsPassedOn(t *testing.T) {
	f := open(t)
	for _, test := range []struct{ method, target, body, wantTarget, wantBody string }{
		{"GET", own + "/orders", "", own + "/orders?limit=500", ""},
		{"GET", own + "/orders?limit=20&continue=abc%2F%3D", "", own + "/orders?continue=abc%2F%3D&limit=20", ""},
		{"GET", own + "/orders?limit=100000", "", own + "/orders?limit=500", ""},
		{"GET", own + "/refunds?fieldSelector=spec.approval%3D", "", own + "/refunds?fieldSelector=spec.approval%3D&limit=500", ""},
		{"GET", own + "/orders?watch=1&resourceVersion=5&timeoutSeconds=100000", "", own + "/orders?resourceVersion=5&timeoutSeconds=240&watch=1", ""},
		{"GET", own + "/orders?watch=0&timeoutSeconds=7", "", own + "/orders?timeoutSeconds=7&watch=1", ""},
		{"GET", own + "/orders/order-1.x", "", own + "/orders/order-1.x", ""},
		{"GET", own + "/merchants/shop", "", own + "/merchants/shop", ""},
		{"GET", own + "/statements", "", own + "/statements?limit=500", ""},
		{"GET", own + "/shipments", "", own + "/shipments?limit=500", ""},
		{"PATCH", own + "/refunds/refund-1?fieldManager=me", decided, own + "/refunds/refund-1?fieldManager=wechatpay-console", decided},
		{"POST", accesses, asking, accesses, `{"apiVersion":"authorization.k8s.io/v1","kind":"SelfSubjectAccessReview",` + asking[1:]},
		{"POST", reviews, `{"a":1}`, reviews, whoAmI},
		{"GET", "/api/v1/namespaces/shop/events?fieldSelector=involvedObject.uid%3D5", "", "/api/v1/namespaces/shop/events?fieldSelector=involvedObject.uid%3D5&limit=500", ""},
	} {
		before := len(f.api.requests())
		kind := "application/json"
		if test.method == "PATCH" {
			kind = "application/merge-patch+json"
		}
		response := f.send(test.method, test.target, test.body, withToken("a-token"), withHeader("Content-Type", kind))
		got := f.api.requests()
		if response.StatusCode != http.StatusOK || len(got) != before+1 {
			t.Errorf("%s %s: %s, %s", test.method, test.target, response.Status, bodyOf(t, response))
			continue
		}
		last := got[len(got)-1]
		if last.method != test.method || last.target != test.wantTarget || last.body != test.wantBody {
			t.Errorf("%s %s arrived as %s %s %s", test.method, test.target, last.method, last.target, last.body)
		}
		if last.header.Get("Authorization") != "Bearer a-token" {
			t.Errorf("%s %s arrived as %s", test.method, test.target, last.header.Get("Authorization"))
		}
	}
}

// TestWhatIsNotPassedOn: other paths, verbs, queries and bodies are refused.
func TestWhatIsNotPassedOn(t *testing.T) {
	f := open(t)
	merge := "application/merge-patch+json"
	for _, test := range []struct {
		method, target, kind, body string
		code                       int
	}{
		{"GET", "/api/v1/namespaces/shop/secrets", "", "", 404},
		{"GET", "/apis/events.k8s.io/v1/namespaces/shop/events?fieldSelector=regarding.uid%3D5", "", "", 404},
		{"GET", "/api/v1/namespaces/shop", "", "", 404},
		{"GET", "/api/v1/namespaces", "", "", 404},
		{"GET", "/namespaces/shop/orders", "", "", 404},
		{"GET", "/api/v1/namespaces/shop/events/e", "", "", 404},
		{"GET", "/api", "", "", 404},
		{"GET", "/apis", "", "", 404},
		{"GET", "/version", "", "", 404},
		{"GET", "/apis/wechatpay-operator.io/v1alpha1/orders", "", "", 404}, // all namespaces
		{"GET", own + "/secrets", "", "", 404},
		{"GET", own + "/eventsinks", "", "", 404}, // the page does not show them
		{"GET", own + "/orders/order-1/status", "", "", 404},
		{"GET", own + "/orders/", "", "", 404},
		{"GET", own + "/orders/../secrets", "", "", 404},
		{"GET", own + "/orders/..", "", "", 404},
		{"GET", own + "/orders/%2e%2e", "", "", 404},
		{"GET", own + "/orders%2forder-1", "", "", 404},
		{"GET", own + "/orders/order%2f1", "", "", 404},
		{"GET", own + "/orders/..%2f..%2f..%2fsecrets", "", "", 404},
		{"GET", own + "/orders/a%00b", "", "", 404},
		{"GET", own + "/orders/a%0d%0aX-Remote-User:%20admin", "", "", 404},
		{"GET", own + "//orders", "", "", 404},
		{"GET", "//apis/wechatpay-operator.io/v1alpha1/namespaces/shop/orders", "", "", 404},
		{"GET", "/apis/wechatpay-operator.io/v1alpha1/namespaces/SHOP/orders", "", "", 404},
		{"GET", "/apis/wechatpay-operator.io/v1alpha1/namespaces//orders", "", "", 404},
		{"GET", "/apis/wechatpay-operator.io/v1/namespaces/shop/orders", "", "", 404},
		{"GET", "/apis/apps/v1/namespaces/shop/deployments", "", "", 404},
		{"GET", own + "/orders?limit=1&limit=2", "", "", 400},
		{"GET", own + "/orders?labelSelector=a", "", "", 400},
		{"GET", own + "/orders?pretty=1", "", "", 400},
		{"GET", own + "/orders?a;b", "", "", 400},
		{"GET", own + "/orders?resourceVersion=0", "", "", 400}, // a list of unbounded size
		{"GET", own + "/orders/order-1?watch=1", "", "", 400},
		{"GET", own + "/orders?continue=" + strings.Repeat("a", 5000), "", "", 400},
		{"GET", "/api/v1/namespaces/shop/events", "", "", 404},
		{"GET", "/api/v1/namespaces/shop/events?fieldSelector=type%3DNormal", "", "", 404},
		{"GET", "/api/v1/namespaces/shop/events?fieldSelector=involvedObject.kind%3DSecret", "", "", 404},
		{"GET", "/api/v1/namespaces/shop/events?fieldSelector=involvedObject.uid%3D", "", "", 404},
		{"GET", "/api/v1/namespaces/shop/events?fieldSelector=involvedObject.uid%3D5&watch=1", "", "", 404},
		{"GET", "/api/v1/namespaces/shop/events?fieldSelector=involvedObject.name%21%3Dx", "", "", 404},
		{"GET", "/api/v1/namespaces/shop/events?fieldSelector=involvedObject.uid%3D5,involvedObject.kind%21%3DOrder", "", "", 404},
		{"DELETE", own + "/refunds/refund-1", "", "", 404},
		{"PUT", own + "/refunds/refund-1", "application/json", decided, 404},
		{"POST", own + "/refunds", "application/json", "{}", 404},
		{"PATCH", own + "/refunds", merge, decided, 404},
		{"PATCH", own + "/orders/order-1", merge, decided, 404},
		{"PATCH", own + "/refunds/refund-1/status", merge, decided, 404},
		{"PATCH", own + "/refunds/refund-1", "application/json-patch+json", "[]", 415},
		{"PATCH", own + "/refunds/refund-1", "application/apply-patch+yaml", decided, 415},
		{"PATCH", own + "/refunds/refund-1", "", decided, 415},
		{"PATCH", own + "/refunds/refund-1?dryRun=All", merge, decided, 400},
		{"PATCH", own + "/refunds/refund-1", merge, `{"spec":{"approval":"Approved"}}`, 400},
		{"PATCH", own + "/refunds/refund-1", merge, `{"metadata":{"resourceVersion":"1"},"spec":{"approval":"Maybe"}}`, 400},
		{"PATCH", own + "/refunds/refund-1", merge, `{"metadata":{"resourceVersion":"1"},"spec":{"approval":null}}`, 400},
		{"PATCH", own + "/refunds/refund-1", merge, `{"metadata":{"resourceVersion":"1","finalizers":null},"spec":{"approval":"Approved"}}`, 400},
		{"PATCH", own + "/refunds/refund-1", merge, `{"metadata":{"resourceVersion":"1"},"spec":{"approval":"Approved","amount":1}}`, 400},
		{"PATCH", own + "/refunds/refund-1", merge, `{"metadata":{"resourceVersion":"1"},"spec":{"approval":"Approved"},"status":{}}`, 400},
		{"PATCH", own + "/refunds/refund-1", merge, decided + decided, 400},
		{"PATCH", own + "/refunds/refund-1", merge, "not JSON", 400},
		{"PATCH", own + "/refunds/refund-1", merge, strings.Repeat(" ", maxBody+1), 413},
		{"POST", accesses, "application/json", strings.Replace(asking, "wechatpay-operator.io", "", 1), 400},
		{"POST", accesses, "application/json", `{"spec":{"user":"admin"}}`, 400},
		{"POST", accesses + "/x", "application/json", asking, 404},
		{"POST", reviews + "?dryRun=All", "application/json", "", 400},
		{"POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", "application/json", asking, 404},
		{"OPTIONS", own + "/orders", "", "", 404},
		{"HEAD", own + "/orders", "", "", 404},
		{"TRACE", own + "/orders", "", "", 404},
	} {
		response := f.send(test.method, test.target, test.body, withToken("a-token"), withHeader("Content-Type", test.kind))
		if response.StatusCode != test.code {
			t.Errorf("%s %s %s: %s, want %d", test.method, test.target, test.body, response.Status, test.code)
		}
	}
	if got := f.api.requests(); len(got) > 0 {
		t.Errorf("the API server got %+v", got)
	}
}

// TestOnlyKnownHeadersArrive, whatever a browser, a proxy or an attacker adds.
func TestOnlyKnownHeadersArrive(t *testing.T) {
	f := open(t)
	f.send("GET", own+"/orders", "", withToken("a-token"), func(r *http.Request) {
		for _, name := range []string{"Impersonate-User", "Impersonate-Group", "Impersonate-Extra-scopes", "Impersonate-Uid", "X-Remote-User", "X-Remote-Group", "X-Remote-Extra-A",
			"X-Forwarded-For", "X-Forwarded-Access-Token", "Cookie", "Te", "Forwarded", "Origin", "Referer", "X_Remote_User", "Proxy-Authorization", "Range", "X-HTTP-Method-Override"} {
			r.Header[name] = []string{"admin"}
		}
		r.Header.Set("Connection", "Authorization")
		r.Header.Set("Accept", "application/yaml")
		r.Header.Set("User-Agent", "mine")
	})
	got := f.api.requests()
	if len(got) != 1 {
		t.Fatalf("the API server got %+v", got)
	}
	for name, values := range got[0].header {
		want := map[string]string{"Authorization": "Bearer a-token", "Accept": "application/json", "User-Agent": "wechatpay-console/dev"}[name]
		if len(values) != 1 || values[0] != want {
			t.Errorf("%s: %v arrived", name, values)
		}
	}
	f.send("GET", own+"/orders", "", withToken("a-token"), withHeader("Accept", table), withHeader("Accept-Encoding", "br, gzip"))
	if header := f.api.requests()[1].header; header.Get("Accept") != table || header.Get("Accept-Encoding") != "gzip" {
		t.Errorf("%v arrived", header)
	}
}

// TestTheLogTellsWhatBecameOfADecision, including one that the API server refused.
func TestTheLogTellsWhatBecameOfADecision(t *testing.T) {
	f := open(t)
	for _, code := range []int{http.StatusOK, http.StatusForbidden, http.StatusConflict} {
		f.api.mutex.Lock()
		f.api.answer = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
		f.api.mutex.Unlock()
		_ = bodyOf(t, f.send("PATCH", own+"/refunds/refund-1", decided, withToken("a-token"), withHeader("Content-Type", "application/merge-patch+json")))
	}
	f.api.Close()
	_ = bodyOf(t, f.send("PATCH", own+"/refunds/refund-1", decided, withToken("a-token"), withHeader("Content-Type", "application/merge-patch+json")))
	f.stop() // it waits for requests in progress
	f.stopped <- <-f.stopped
	for _, code := range []int{200, 403, 409, 502} {
		if want := fmt.Sprintf(`msg="a decision was passed on" namespace=shop refund=refund-1 answer=%d`, code); !strings.Contains(f.logged.String(), want) {
			t.Errorf("the log lacks %s:\n%s", want, f.logged)
		}
	}
}

// TestWithoutATokenNothingIsAsked: the API server would treat the caller as anonymous. The header must be a single
// bearer token.
func TestWithoutATokenNothingIsAsked(t *testing.T) {
	f := open(t)
	for name, test := range map[string]struct {
		change func(*http.Request)
		code   int
	}{
		"none":               {func(*http.Request) {}, 401},
		"another's cookie":   {withCookie(&http.Cookie{Name: "wechatpay-console", Value: "AAAA"}), 401},
		"the proxy's cookie": {withCookie(&http.Cookie{Name: "_oauth2_proxy", Value: "x"}), 401},
		"two":                {func(r *http.Request) { r.Header["Authorization"] = []string{"Bearer a", "Bearer b"} }, 400},
		"one of two":         {func(r *http.Request) { r.Header["Authorization"] = []string{"Bearer a, Bearer b"} }, 400},
		"basic":              {withHeader("Authorization", "Basic YTpi"), 400},
		"empty":              {withHeader("Authorization", ""), 400},
		"no token":           {withHeader("Authorization", "Bearer "), 400},
		"a tab":              {withHeader("Authorization", "Bearer a\tb"), 400},
		"too long":           {withHeader("Authorization", "Bearer "+strings.Repeat("a", 17_000)), 400},
		"expired":            {withToken(tokenUntil(time.Now().Add(-time.Minute))), 401},
		"in the query":       {func(r *http.Request) { r.URL.RawQuery = "access_token=a" }, 400},
	} {
		response := f.send("GET", own+"/orders", "", test.change)
		body := bodyOf(t, response)
		if response.StatusCode != test.code || !strings.Contains(body, `"kind":"Status"`) {
			t.Errorf("%s: %s", name, response.Status)
		}
		if name == "expired" && !strings.Contains(body, "the token has expired") {
			t.Errorf("an expired token is answered with %s", body)
		}
	}
	if got := f.api.requests(); len(got) > 0 {
		t.Errorf("the API server got %+v", got)
	}
}

// TestHostileConnections sends what http.Client does not.
func TestHostileConnections(t *testing.T) {
	f := open(t)
	head := "Host: console\r\nAuthorization: Bearer a-token\r\nConnection: close\r\n"
	for name, test := range map[string]struct{ request, status string }{
		"websocket":            {"GET " + own + "/orders?watch=1 HTTP/1.1\r\nHost: console\r\nAuthorization: Bearer a-token\r\nConnection: close, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: YWFhYWFhYWFhYWFhYWFhYQ==\r\nSec-WebSocket-Version: 13\r\n\r\n", "404"},
		"spdy":                 {"POST " + reviews + " HTTP/1.1\r\nHost: console\r\nAuthorization: Bearer a-token\r\nConnection: close, Upgrade\r\nUpgrade: SPDY/3.1\r\nContent-Length: 0\r\n\r\n", "404"},
		"another host":         {"GET https://kubernetes.default.svc/api/v1/secrets HTTP/1.1\r\n" + head + "\r\n", "404"},
		"absolute":             {"GET http://console" + own + "/orders HTTP/1.1\r\n" + head + "\r\n", "404"},
		"connect":              {"CONNECT kubernetes.default.svc:443 HTTP/1.1\r\n" + head + "\r\n", "404"},
		"star":                 {"OPTIONS * HTTP/1.1\r\n" + head + "\r\n", "200"}, // net/http itself answers it
		"two lengths":          {"PATCH " + own + "/refunds/a HTTP/1.1\r\n" + head + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}", "400"},
		"length and chunks":    {"PATCH " + own + "/refunds/a HTTP/1.1\r\n" + head + "Content-Type: application/merge-patch+json\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", "400"},
		"odd coding":           {"PATCH " + own + "/refunds/a HTTP/1.1\r\n" + head + "Transfer-Encoding: chunked, identity\r\n\r\n", "501"},
		"space before a colon": {"GET " + own + "/orders HTTP/1.1\r\n" + head + "X-Remote-User : admin\r\n\r\n", "400"},
		"a folded header":      {"GET " + own + "/orders HTTP/1.1\r\n" + head + "A: b\r\n Impersonate-User: admin\r\n\r\n", "200"}, // one header, which does not arrive
		"large headers":        {"GET " + own + "/orders HTTP/1.1\r\n" + head + "A: " + strings.Repeat("a", 64<<10) + "\r\n\r\n", "431"},
		"no version":           {"GET " + own + "/orders\r\n\r\n", "400"},
	} {
		if line := f.raw(test.request); !strings.Contains(line, " "+test.status+" ") && !strings.HasSuffix(line, " "+test.status) {
			t.Errorf("%s: %s, want %s", name, line, test.status)
		}
	}
	for _, got := range f.api.requests() {
		if got.target != own+"/orders?limit=500" || got.header.Get("Impersonate-User") != "" || got.header.Get("A") != "" {
			t.Errorf("the API server got %+v", got)
		}
	}
}

// TestOtherSitesPages can't make a decision with a user's session.
func TestOtherSitesPages(t *testing.T) {
	f := open(t)
	for name, change := range map[string]func(*http.Request){
		"by fetch metadata": withHeader("Sec-Fetch-Site", "cross-site"),
		"same site":         withHeader("Sec-Fetch-Site", "same-site"),
		"by origin":         withHeader("Origin", "https://evil.example.com"),
		"no origin":         withHeader("Origin", "null"),
	} {
		for _, target := range []string{own + "/refunds/refund-1", "/session"} {
			response := f.send("PATCH", target, decided, withToken("a-token"), withHeader("Content-Type", "application/merge-patch+json"), change)
			if response.StatusCode != http.StatusForbidden {
				t.Errorf("%s, %s: %s", name, target, response.Status)
			}
		}
	}
	if got := f.api.requests(); len(got) > 0 {
		t.Errorf("the API server got %+v", got)
	}
}

// TestAnswersAreFiltered: cookies and addresses of the API server don't reach the browser, and redirects and protocol
// upgrades are refused.
func TestAnswersAreFiltered(t *testing.T) {
	f := open(t)
	f.api.answer = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Set-Cookie", "a=b")
		w.Header().Set("Location", "https://elsewhere")
		w.Header().Set("X-Kubernetes-Pf-Flowschema-Uid", "1")
		w.Header().Set("Audit-Id", "audit")
		w.Header().Set("Retry-After", "1")
		w.Header().Set("Content-Type", "application/json")
		code := 403
		if r.URL.Path == own+"/orders/moved" {
			code = 302
		}
		w.WriteHeader(code)
		fmt.Fprint(w, `{"kind":"Status"}`)
	}
	response := f.send("GET", own+"/orders", "", withToken("a-token"))
	if response.StatusCode != http.StatusForbidden || response.Header.Get("Set-Cookie")+response.Header.Get("Location")+response.Header.Get("X-Kubernetes-Pf-Flowschema-Uid") != "" {
		t.Errorf("%s %v", response.Status, response.Header)
	}
	if response.Header.Get("Audit-Id") != "audit" || response.Header.Get("Cache-Control") != "no-store" || response.Header.Get("Content-Security-Policy") == "" {
		t.Errorf("%v", response.Header)
	}
	if response := f.send("GET", own+"/orders/moved", "", withToken("a-token")); response.StatusCode != http.StatusBadGateway || response.Header.Get("Location") != "" {
		t.Errorf("a redirect: %s %v", response.Status, response.Header)
	}
}

// TestTheAPIServerIsVerified: a server with another authority's certificate gets no token.
func TestTheAPIServerIsVerified(t *testing.T) {
	f := open(t, func(o *Options) { o.APIServerCAFile = stranger(t) })
	response := f.send("GET", own+"/orders", "", withToken("a-token"))
	if body := bodyOf(t, response); response.StatusCode != http.StatusBadGateway || strings.Contains(body, "x509") {
		t.Errorf("%s %s", response.Status, body)
	}
	if got := f.api.requests(); len(got) > 0 {
		t.Errorf("it got %+v", got)
	}
	if strings.Contains(f.logged.String(), "a-token") || !strings.Contains(f.logged.String(), "x509") {
		t.Errorf("logged: %s", f.logged)
	}
}

// stranger is a file with the certificate of an unrelated authority.
func stranger(t *testing.T) string {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// watching makes the API server send a line for each text of the channel.
func watching(lines <-chan string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		for {
			select {
			case <-r.Context().Done():
				return
			case line, more := <-lines:
				if !more {
					return
				}
				fmt.Fprintln(w, line)
				_ = http.NewResponseController(w).Flush()
			}
		}
	}
}

// TestAWatchIsPassedOnAtOnce, line by line.
func TestAWatchIsPassedOnAtOnce(t *testing.T) {
	f := open(t)
	lines := make(chan string)
	f.api.answer = watching(lines)
	response := f.send("GET", own+"/orders?watch=1", "", withToken("a-token"))
	reader := bufio.NewReader(response.Body)
	for _, want := range []string{"one", "two"} {
		lines <- want
		if line, err := reader.ReadString('\n'); err != nil || line != want+"\n" {
			t.Fatalf("%q, %v", line, err)
		}
	}
}

// TestAWatchEndsWithItsToken, at the second at which the token expires, although the API server would continue.
func TestAWatchEndsWithItsToken(t *testing.T) {
	f := open(t)
	f.api.answer = watching(nil)
	end := time.Now().Add(2 * time.Second)
	response := f.send("GET", own+"/orders?watch=1", "", withToken(tokenUntil(end)))
	tooLate := time.AfterFunc(30*time.Second, func() { _ = response.Body.Close() })
	_, err := io.ReadAll(response.Body)
	if err == nil || !tooLate.Stop() || time.Now().Before(end.Truncate(time.Second)) {
		t.Errorf("the watch ended with %v at %s, the token at %s", err, time.Now(), end)
	}
}

// TestPlacesOfACaller: a caller with too many watches is refused, others are not, and a released slot can be used
// again.
func TestPlacesOfACaller(t *testing.T) {
	f := open(t, func(o *Options) {
		o.Limits = Limits{WatchesPerCaller: 2, RequestsPerCaller: 5, Watches: 3, Requests: 9}
	})
	f.api.answer = watching(nil)
	watch := func(token string) *http.Response { return f.send("GET", own+"/orders?watch=1", "", withToken(token)) }
	first := watch("a")
	for i, test := range []struct {
		token string
		code  int
	}{{"a", 200}, {"a", 429}, {"b", 200}, {"c", 429}} {
		if response := watch(test.token); response.StatusCode != test.code {
			t.Errorf("watch %d, of %s: %s, want %d", i, test.token, response.Status, test.code)
		}
	}
	f.api.mutex.Lock()
	f.api.answer = nil
	f.api.mutex.Unlock()
	if response := f.send("GET", own+"/orders", "", withToken("a")); response.StatusCode != http.StatusOK {
		t.Errorf("a list beside the watches: %s", response.Status)
	}
	_ = first.Body.Close()
	f.api.mutex.Lock()
	f.api.answer = watching(nil)
	f.api.mutex.Unlock()
	for deadline := time.Now().Add(30 * time.Second); ; {
		if response := watch("c"); response.StatusCode == http.StatusOK {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the place does not get free")
		}
	}
}

// TestShutdown: watches end, and earlier requests are answered.
func TestShutdown(t *testing.T) {
	f := open(t)
	release := make(chan struct{})
	f.api.answer = func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.RequestURI, "watch=1") {
			watching(nil)(w, r)
			return
		}
		<-release
		fmt.Fprint(w, "{}")
	}
	watch := f.send("GET", own+"/orders?watch=1", "", withToken("a-token"))
	answered := make(chan int, 1)
	go func() {
		request, _ := http.NewRequestWithContext(context.Background(), http.MethodGet, f.url+own+"/orders", http.NoBody)
		request.Header.Set("Authorization", "Bearer a-token")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			answered <- 0
			return
		}
		_ = response.Body.Close()
		answered <- response.StatusCode
	}()
	for len(f.api.requests()) < 2 {
		<-time.After(time.Millisecond)
	}
	f.stop()
	close(release)
	if code := <-answered; code != http.StatusOK {
		t.Errorf("what was asked before was answered with %d", code)
	}
	_, _ = io.ReadAll(watch.Body) // ends
	err := <-f.stopped
	f.stopped <- err
	if err != nil {
		t.Error(err)
	}
}
