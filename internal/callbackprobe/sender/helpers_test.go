package sender_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	stdlog "log"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/callbackprobe"
	"github.com/wechatpay-operator/wechatpay-operator/internal/callbackprobe/sender"
)

const (
	host    = "pay.example.com"
	address = "https://" + host + "/notify/v2/shop/main/payment"
	apiKey  = "ProberTestOnlyKey0ProberTestOnly"
	secret  = "what-the-other-side-says"
)

var (
	keys     = callbackprobe.NewKeys(apiKey, "")
	target   = callbackprobe.Target{Namespace: "shop", Name: "main", UID: "uid-1", Kind: "payment"}
	publicIP = netip.MustParseAddr("8.8.8.8")
)

// authority is a test certificate authority.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

var serial = struct {
	sync.Mutex
	next int64
}{}

func issue(t testing.TB, template x509.Certificate, by *authority) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	serial.Lock()
	serial.next++
	template.SerialNumber = big.NewInt(serial.next)
	serial.Unlock()
	template.BasicConstraintsValid = true
	parent, signer := &template, key
	if by != nil {
		parent, signer = by.certificate, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, parent, &key.PublicKey, signer)
	must(t, err)
	certificate, err := x509.ParseCertificate(der)
	must(t, err)
	return certificate, key
}

func newAuthority(t testing.TB) *authority {
	certificate, key := issue(t, x509.Certificate{
		Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}, nil)
	return &authority{certificate, key}
}

// leaf issues a server certificate, valid for host unless changed.
func (a *authority) leaf(t testing.TB, change ...func(*x509.Certificate)) *tls.Certificate {
	t.Helper()
	template := x509.Certificate{
		Subject: pkix.Name{CommonName: secret}, DNSNames: []string{host}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	for _, c := range change {
		c(&template)
	}
	certificate, key := issue(t, template, a)
	return &tls.Certificate{Certificate: [][]byte{certificate.Raw}, PrivateKey: key}
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return pool
}

// world simulates DNS and an Internet with one host.
type world struct {
	t         testing.TB
	authority *authority
	options   sender.Options

	mutex sync.Mutex
	// asked and dialled record look-ups and connections.
	asked, dialled []string
	// answers are the DNS answers in order; the last one repeats.
	answers [][]netip.Addr
	dnsErr  error
	to      string
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, authority: newAuthority(t), answers: [][]netip.Addr{{publicIP}}}
	w.options = sender.Options{UserAgent: "test", Resolver: w, Dial: w.dial, Roots: w.authority.pool()}
	return w
}

// LookupNetIP implements Resolver.
func (w *world) LookupNetIP(_ context.Context, _, name string) ([]netip.Addr, error) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.asked = append(w.asked, name)
	answer := w.answers[0]
	if len(w.answers) > 1 {
		w.answers = w.answers[1:]
	}
	return answer, w.dnsErr
}

func (w *world) dial(ctx context.Context, network, address string) (net.Conn, error) {
	w.mutex.Lock()
	w.dialled = append(w.dialled, address)
	to := w.to
	w.mutex.Unlock()
	return (&net.Dialer{}).DialContext(ctx, network, to)
}

func (w *world) probe() sender.Finding {
	return sender.New(w.options).Probe(context.Background(), address, keys, target)
}

// serve answers with a handler over TLS.
func (w *world) serve(certificate *tls.Certificate, handler http.HandlerFunc) {
	listener := w.listen()
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: time.Minute, ErrorLog: stdlog.New(io.Discard, "", 0),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{*certificate}, MinVersion: tls.VersionTLS12},
	}
	w.t.Cleanup(func() { _ = server.Close() })
	go func() { _ = server.ServeTLS(listener, "", "") }()
}

func (w *world) listen() net.Listener {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(w.t, err)
	w.t.Cleanup(func() { _ = listener.Close() })
	w.to = listener.Addr().String()
	return listener
}

// serveRaw passes each connection to a function and closes it when the test ends.
func (w *world) serveRaw(talk func(net.Conn)) {
	listener := w.listen()
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			w.t.Cleanup(func() { _ = connection.Close() })
			go talk(connection)
		}
	}()
}

// operator answers like the callback server.
func operator(keys callbackprobe.Keys, target callbackprobe.Target, change func([]byte) []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, request *http.Request) {
		body, _ := io.ReadAll(request.Body)
		if change != nil {
			body = change(body)
		}
		if !callbackprobe.IsProbe(body) {
			refuse(w, http.StatusForbidden)
			return
		}
		answer, err := keys.Answer(target, body, time.Now())
		if err != nil {
			refuse(w, http.StatusForbidden)
			return
		}
		_, _ = w.Write(answer)
	}
}

func refuse(w http.ResponseWriter, status int) {
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "<xml><return_code><![CDATA[FAIL]]></return_code><return_msg><![CDATA["+secret+"]]></return_msg></xml>")
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
