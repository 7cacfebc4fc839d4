package sender_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/callbackprobe"
	"github.com/wechatpay-operator/wechatpay-operator/internal/callbackprobe/sender"
)

// impatient is the timeout for servers that never finish: long enough for a slow test machine,
// short enough to wait for.
const impatient = 3 * time.Second

func want(t *testing.T, got sender.Finding, reason, says string) {
	t.Helper()
	if got.Reason != reason || !strings.Contains(got.Message, says) {
		t.Errorf("want %s (%s), got %s (%s)", reason, says, got.Reason, got.Message)
	}
	if strings.Contains(got.Message, secret) {
		t.Errorf("it repeats what the other side said: %s", got.Message)
	}
	if reason != v1alpha1.ReasonReachable && reason != v1alpha1.ReasonNotChecked && !strings.Contains(got.Message, "from inside of the cluster") {
		t.Errorf("it does not say where it was looked from: %s", got.Message)
	}
}

func TestReachable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.serve(w.authority.leaf(t), func(rw http.ResponseWriter, request *http.Request) {
		if request.Method != http.MethodPost || request.URL.Path != "/notify/v2/shop/main/payment" || request.Host != host ||
			request.Header.Get("Content-Type") != "text/xml" || request.ContentLength <= 0 || request.TLS.ServerName != host {
			t.Errorf("%s %s %v %d", request.Method, request.URL, request.Header, request.ContentLength)
		}
		operator(keys, target, nil)(rw, request)
	})
	want(t, w.probe(), v1alpha1.ReasonReachable, "arrived unmodified")
	if !slices.Equal(w.asked, []string{host + "."}) || !slices.Equal(w.dialled, []string{"8.8.8.8:443"}) {
		t.Errorf("asked for %q, dialled %q", w.asked, w.dialled)
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	page := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	redirect := func(to string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusMovedPermanently)
		}
	}
	other := callbackprobe.Target{Namespace: "shop", Name: "second", UID: "uid-2", Kind: "payment"}
	earlier := keys.Probe(target, "AAAAAAAAAAAAAAAAAAAAAAAAAA", time.Now())
	replayed, err := keys.Answer(target, earlier.Body, time.Now())
	must(t, err)
	html := "<html><body>" + secret + "</body></html>"
	for name, c := range map[string]struct {
		handler      http.HandlerFunc
		reason, says string
	}{
		"no path":              {page(404, html), v1alpha1.ReasonHTTPStatus, "HTTP 404. The path does not exist"},
		"a firewall":           {page(403, html), v1alpha1.ReasonHTTPStatus, "HTTP 403. A firewall"},
		"no replica":           {page(503, html), v1alpha1.ReasonHTTPStatus, "HTTP 503. The ingress reaches no replica"},
		"too large for it":     {page(413, ""), v1alpha1.ReasonHTTPStatus, "HTTP 413. A proxy in front"},
		"an error":             {page(500, html), v1alpha1.ReasonHTTPStatus, "HTTP 500"},
		"no content":           {page(204, ""), v1alpha1.ReasonHTTPStatus, "HTTP 204"},
		"a status of its own":  {page(599, strings.Repeat("x", 1<<20)), v1alpha1.ReasonHTTPStatus, "HTTP 599"},
		"another cluster":      {func(w http.ResponseWriter, _ *http.Request) { refuse(w, 404) }, v1alpha1.ReasonHTTPStatus, "HTTP 404 with this operator's text. It does not know this Merchant"},
		"another key":          {operator(callbackprobe.NewKeys(strings.ToUpper(apiKey), ""), target, nil), v1alpha1.ReasonHTTPStatus, "HTTP 403 with this operator's text. It did not recognise"},
		"a replica in trouble": {func(w http.ResponseWriter, _ *http.Request) { refuse(w, 503) }, v1alpha1.ReasonHTTPStatus, "could not read the Merchant's key"},
		"another Merchant":     {operator(keys, other, nil), v1alpha1.ReasonHTTPStatus, "did not recognise"},
		"an emptied body":      {operator(keys, target, func([]byte) []byte { return nil }), v1alpha1.ReasonHTTPStatus, "did not recognise"},

		"https of itself":      {redirect("https://" + host + "/login?next=" + secret), v1alpha1.ReasonRedirected, "(HTTP 301) to another path of the same host"},
		"a path":               {redirect("/" + secret), v1alpha1.ReasonRedirected, "to another path of the same host"},
		"to http":              {redirect("http://" + host + "/" + secret), v1alpha1.ReasonRedirected, "to http://" + host + ", and"},
		"a login":              {redirect("https://sso.example.com/" + secret), v1alpha1.ReasonRedirected, "to https://sso.example.com, and"},
		"inwards":              {redirect("http://169.254.169.254/latest"), v1alpha1.ReasonRedirected, "to http://169.254.169.254, and"},
		"nowhere":              {redirect("javascript:" + secret), v1alpha1.ReasonRedirected, "elsewhere"},
		"a host of strange":    {redirect("https://" + secret + "<script>/"), v1alpha1.ReasonRedirected, "elsewhere"},
		"a user":               {redirect("https://" + secret + "@sso.example.com/"), v1alpha1.ReasonRedirected, "to https://sso.example.com, and"},
		"without saying where": {page(302, html), v1alpha1.ReasonHTTPStatus, "HTTP 302"},
		"a page":               {page(200, html), v1alpha1.ReasonWrongAnswer, "another server answered"},
		"nothing":              {page(200, ""), v1alpha1.ReasonWrongAnswer, "another server answered"},
		"WeChat's yes":         {page(200, "<xml><return_code><![CDATA[SUCCESS]]></return_code></xml>"), v1alpha1.ReasonWrongAnswer, "another server"},
		"huge":                 {page(200, strings.Repeat("x", 8<<20)), v1alpha1.ReasonWrongAnswer, "another server"},
		"a replay":             {page(200, string(replayed)), v1alpha1.ReasonWrongAnswer, "another server"},
		"an echo":              {func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }, v1alpha1.ReasonWrongAnswer, "another server"},
		"XML written anew":     {operator(keys, target, func(b []byte) []byte { return append([]byte("<?xml version=\"1.0\"?>\n"), b...) }), v1alpha1.ReasonBodyAltered, "modified body"},
		"CDATA stripped":       {operator(keys, target, withoutCDATA), v1alpha1.ReasonBodyAltered, "modified body"},
		"an answer cut at once": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "300")
			_, _ = io.WriteString(w, "<")
		}, v1alpha1.ReasonNoAnswer, "closed before a complete response"},
		"hung up":      {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, v1alpha1.ReasonNoAnswer, "closed before a complete response"},
		"huge headers": {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 64<<10)) }, v1alpha1.ReasonNoAnswer, "the response is not HTTP"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.serve(w.authority.leaf(t), c.handler)
			want(t, w.probe(), c.reason, c.says)
			if len(w.dialled) != 1 {
				t.Errorf("called %q", w.dialled)
			}
		})
	}
}

func withoutCDATA(body []byte) []byte {
	return []byte(strings.NewReplacer("<![CDATA[", "", "]]>", "", "a&b", "a&amp;b").Replace(string(body)))
}

func TestCertificates(t *testing.T) {
	t.Parallel()
	stranger := newAuthority(t)
	for name, c := range map[string]struct {
		certificate func(*authority) *tls.Certificate
		says        string
	}{
		"expired": {func(a *authority) *tls.Certificate {
			return a.leaf(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
		}, "the certificate has expired"},
		"not yet": {func(a *authority) *tls.Certificate {
			return a.leaf(t, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) })
		}, "not valid yet"},
		"another host": {func(a *authority) *tls.Certificate {
			return a.leaf(t, func(c *x509.Certificate) { c.DNSNames = []string{secret + ".example.com"} })
		}, "the certificate is not for " + host},
		"another authority": {func(*authority) *tls.Certificate { return stranger.leaf(t) }, "issued by a private authority"},
		"not for servers": {func(a *authority) *tls.Certificate {
			return a.leaf(t, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })
		}, "can't be verified"},
		"self-signed": {func(*authority) *tls.Certificate {
			certificate, key := issue(t, x509.Certificate{DNSNames: []string{host}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}, nil)
			return &tls.Certificate{Certificate: [][]byte{certificate.Raw}, PrivateKey: key}
		}, "self-signed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.serve(c.certificate(w.authority), func(http.ResponseWriter, *http.Request) { t.Error("it was called all the same") })
			want(t, w.probe(), v1alpha1.ReasonTLSFailed, c.says)
		})
	}
}

func TestConnectionsThatFail(t *testing.T) {
	t.Parallel()
	drip := func(first string) func(net.Conn) {
		return func(connection net.Conn) {
			_, err := io.WriteString(connection, first)
			for err == nil {
				_, err = io.WriteString(connection, " ")
			}
		}
	}
	overTLS := func(w *world, talk func(net.Conn)) func(net.Conn) {
		certificate := w.authority.leaf(t)
		return func(connection net.Conn) {
			secured := tls.Server(connection, &tls.Config{Certificates: []tls.Certificate{*certificate}, MinVersion: tls.VersionTLS12})
			_, _ = secured.Read(make([]byte, 4096))
			talk(secured)
		}
	}
	silent := func(net.Conn) {}
	for name, c := range map[string]struct {
		prepare      func(*world)
		reason, says string
	}{
		"refused": {func(w *world) { must(t, w.listen().Close()) }, v1alpha1.ReasonConnectFailed, "was refused. Compare from outside"},
		"never connected": {func(w *world) {
			w.options.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}
		}, v1alpha1.ReasonConnectFailed, "port 443 did not respond in time"},
		"no handshake": {func(w *world) { w.serveRaw(silent) }, v1alpha1.ReasonTLSFailed, "the TLS handshake timed out"},
		"plain HTTP":   {func(w *world) { w.serveRaw(drip("HTTP/1.1 400 " + secret + "\r\n\r\n")) }, v1alpha1.ReasonTLSFailed, "does not speak TLS"},
		"closed":       {func(w *world) { w.serveRaw(func(c net.Conn) { _ = c.Close() }) }, v1alpha1.ReasonTLSFailed, "closed during the TLS handshake"},
		"an alert":     {func(w *world) { w.serveRaw(func(c net.Conn) { _, _ = c.Write([]byte{21, 3, 3, 0, 2, 2, 112}) }) }, v1alpha1.ReasonTLSFailed, "refused the TLS handshake"},
		"no answer":    {func(w *world) { w.serveRaw(overTLS(w, silent)) }, v1alpha1.ReasonNoAnswer, "no complete response arrived in time"},
		"not HTTP":     {func(w *world) { w.serveRaw(overTLS(w, drip("SSH-2.0-"+secret+"\r\n"))) }, v1alpha1.ReasonNoAnswer, "the response is not HTTP"},
		"drops of a body": {func(w *world) {
			w.serveRaw(overTLS(w, trickle("HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n", " ")))
		}, v1alpha1.ReasonNoAnswer, "no complete response arrived in time"},
		"drops of a head": {func(w *world) { w.serveRaw(overTLS(w, trickle("HTTP/1.1 200 OK\r\nX: ", "x"))) }, v1alpha1.ReasonNoAnswer, "no complete response arrived in time"},
		"NXDOMAIN":        {func(w *world) { w.dnsErr = &net.DNSError{Err: secret, Name: host, IsNotFound: true} }, v1alpha1.ReasonDNSFailed, "is not in DNS"},
		"no DNS":          {func(w *world) { w.dnsErr = &net.DNSError{Err: secret, Server: secret, IsTimeout: true} }, v1alpha1.ReasonDNSFailed, "DNS did not respond"},
		"DNS in disorder": {func(w *world) { w.dnsErr = errors.New(secret) }, v1alpha1.ReasonDNSFailed, "DNS did not respond"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.options.Timeout = impatient
			c.prepare(w)
			want(t, w.probe(), c.reason, c.says)
		})
	}
}

// trickle writes a little at a time, which keeps the connection busy forever.
func trickle(first, drop string) func(net.Conn) {
	return func(connection net.Conn) {
		_, err := io.WriteString(connection, first)
		for err == nil {
			<-time.After(100 * time.Millisecond)
			_, err = io.WriteString(connection, drop)
		}
	}
}

// TestHostsThatAreNeverCalled: whatever DNS returns, only public addresses are dialled.
func TestHostsThatAreNeverCalled(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"127.0.0.1", "169.254.169.254", "10.0.0.1", "192.168.1.1", "172.16.0.1", "100.64.0.1", "0.0.0.0", "224.0.0.1", "168.63.129.16",
		"::1", "::", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a00:1", "2002:a00:1::", "fd00::1", "fe80::1",
	} {
		w := newWorld(t)
		w.answers = [][]netip.Addr{{netip.MustParseAddr(text)}}
		want(t, w.probe(), v1alpha1.ReasonNotChecked, "has no public address")
		literal := "https://" + text + "/notify/v2/shop/main/payment"
		if strings.Contains(text, ":") {
			literal = "https://[" + text + "]/notify/v2/shop/main/payment"
		}
		want(t, sender.New(w.options).Probe(t.Context(), literal, keys, target), v1alpha1.ReasonNotChecked, "has no public address")
		if len(w.dialled) != 0 || len(w.asked) != 1 {
			t.Errorf("%s: asked for %q, dialled %q", text, w.asked, w.dialled)
		}
	}
	w := newWorld(t)
	w.answers = [][]netip.Addr{nil}
	want(t, w.probe(), v1alpha1.ReasonNotChecked, "has no public address")
	for _, odd := range []string{
		"http://" + host + "/", "https://" + host + ":8443/", "https://" + host + ":443/", "ftp://" + host, "https://%", "file:///etc/passwd", "",
		"https://127.1/", "https://2130706433/", "https://0x7f.1/", "https:///x",
	} {
		w.answers = [][]netip.Addr{{netip.MustParseAddr("127.0.0.1")}}
		if got := sender.New(w.options).Probe(t.Context(), odd, keys, target); got.Reason != v1alpha1.ReasonNotChecked {
			t.Errorf("%q: %+v", odd, got)
		}
	}
	if len(w.dialled) != 0 {
		t.Errorf("dialled %q", w.dialled)
	}
}

// TestRebinding: a name whose address changes from public to private is looked up once and dialled
// by address.
func TestRebinding(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.answers = [][]netip.Addr{{netip.MustParseAddr("10.0.0.1"), publicIP, netip.MustParseAddr("127.0.0.1")}, {netip.MustParseAddr("127.0.0.1")}}
	w.serve(w.authority.leaf(t), operator(keys, target, nil))
	want(t, w.probe(), v1alpha1.ReasonReachable, "arrived unmodified")
	want(t, w.probe(), v1alpha1.ReasonNotChecked, "has no public address")
	if !slices.Equal(w.dialled, []string{"8.8.8.8:443"}) {
		t.Errorf("dialled %q", w.dialled)
	}
}

// TestAddressesAreTriedInTurn: addresses are tried in turn, up to maxAddresses.
func TestAddressesAreTriedInTurn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var many []netip.Addr
	for i := range 20 {
		many = append(many, netip.MustParseAddr(fmt.Sprintf("8.8.4.%d", i)))
	}
	w.answers = [][]netip.Addr{many}
	w.serve(w.authority.leaf(t), operator(keys, target, nil))
	reachable := w.options.Dial
	w.options.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if address != "8.8.4.2:443" {
			w.mutex.Lock()
			defer w.mutex.Unlock()
			w.dialled = append(w.dialled, address)
			return nil, errors.New("unreachable")
		}
		return reachable(ctx, network, address)
	}
	want(t, w.probe(), v1alpha1.ReasonReachable, "arrived unmodified")
	w.dialled, w.options.Dial = nil, func(_ context.Context, _, address string) (net.Conn, error) {
		w.dialled = append(w.dialled, address)
		return nil, errors.New("unreachable")
	}
	want(t, w.probe(), v1alpha1.ReasonConnectFailed, "connecting to port 443 failed")
	if len(w.dialled) != 4 {
		t.Errorf("dialled %q", w.dialled)
	}
}

// TestProxy is not parallel, because it changes the environment of the process.
func TestProxy(t *testing.T) {
	w := newWorld(t)
	w.serve(w.authority.leaf(t), operator(keys, target, nil))
	t.Setenv("HTTPS_PROXY", "http://user:"+secret+"@127.0.0.1:1")
	t.Setenv("NO_PROXY", "")
	want(t, w.probe(), v1alpha1.ReasonNotChecked, "use a proxy (HTTPS_PROXY)")
	if len(w.asked)+len(w.dialled) != 0 {
		t.Errorf("asked for %q, dialled %q", w.asked, w.dialled)
	}
	t.Setenv("NO_PROXY", host)
	want(t, w.probe(), v1alpha1.ReasonReachable, "arrived unmodified")
}

func TestCancelled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.serveRaw(func(net.Conn) {})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := sender.New(w.options).Probe(ctx, address, keys, target); got.Reason == v1alpha1.ReasonReachable {
		t.Errorf("%+v", got)
	}
}

func TestInternationalNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.serve(w.authority.leaf(t, func(c *x509.Certificate) { c.DNSNames = []string{"xn--c1yn36f.example.com"} }), operator(keys, target, nil))
	want(t, sender.New(w.options).Probe(t.Context(), "https://點看.example.com/x", keys, target), v1alpha1.ReasonReachable, "arrived unmodified")
	if !slices.Equal(w.asked, []string{"xn--c1yn36f.example.com."}) {
		t.Errorf("asked for %q", w.asked)
	}
}

func TestProbesDifferAndAreSmall(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var bodies [][]byte
	w.serve(w.authority.leaf(t), operator(keys, target, func(body []byte) []byte {
		bodies = append(bodies, body)
		return body
	}))
	for range 2 {
		want(t, w.probe(), v1alpha1.ReasonReachable, "arrived unmodified")
	}
	if len(bodies) != 2 || bytes.Equal(bodies[0], bodies[1]) || len(bodies[0]) > 600 {
		t.Errorf("%q", bodies)
	}
}
