package console

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/transport"

	"github.com/wechatpay-operator/wechatpay-operator/internal/console"
	"github.com/wechatpay-operator/wechatpay-operator/test/browser/chromium"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

var env *controlplane.Environment

func TestMain(m *testing.M) {
	controlplane.Main(m, &env, func() error {
		ctx := context.Background()
		_, err := env.Operator(ctx) // with the roles
		return errors.Join(err, env.Apply(ctx, "config/policy/*.yaml"))
	})
}

// desk is a shop with a console, and the people who use it.
type desk struct {
	*framework.Shop
	t *testing.T
	// url is the console's, and address what it listens on.
	url, address string
	options      console.Options
	stop         func()
	faults       *faults
}

// faults stands between the console and the API server, to break what a test wants broken.
type faults struct {
	*httptest.Server
	mutex sync.Mutex
	hook  func(w http.ResponseWriter, r *http.Request) (handled bool)
}

func (f *faults) set(hook func(http.ResponseWriter, *http.Request) bool) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.hook = hook
}

func newFaults(t *testing.T) *faults {
	t.Helper()
	config, err := rest.AnonymousClientConfig(env.Config).TransportConfig()
	if err != nil {
		t.Fatal(err)
	}
	verified, err := transport.TLSConfigFor(config)
	if err != nil {
		t.Fatal(err)
	}
	to, err := url.Parse(env.Config.Host)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		FlushInterval: -1, Transport: &http.Transport{TLSClientConfig: verified, ForceAttemptHTTP2: true},
		Rewrite:  func(r *httputil.ProxyRequest) { r.SetURL(to) },
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	f := &faults{}
	f.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mutex.Lock()
		hook := f.hook
		f.mutex.Unlock()
		if hook == nil || !hook(w, r) {
			proxy.ServeHTTP(w, r)
		}
	}))
	f.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	f.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	f.StartTLS()
	t.Cleanup(f.Close)
	t.Cleanup(f.CloseClientConnections)
	return f
}

// open starts a shop without an operator, whose objects a test writes itself, and a console.
func open(t *testing.T, options ...framework.Option) *desk {
	t.Helper()
	t.Parallel() // each has a namespace, a console and browsers of its own
	d := &desk{Shop: framework.Open(t, env, options...), t: t, faults: newFaults(t)}
	folder := t.TempDir()
	d.options = console.DefaultOptions()
	d.options.APIServer, d.options.APIServerCAFile = d.faults.URL, filepath.Join(folder, "ca.crt")
	d.options.InsecureCookies, d.options.BindAddress = true, "127.0.0.1:0"
	d.options.SessionKeyFile = filepath.Join(folder, "keys")
	for file, content := range map[string][]byte{
		d.options.APIServerCAFile: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: d.faults.Certificate().Raw}),
		d.options.SessionKeyFile:  []byte(strings.Repeat("A", 43) + "="),
	} {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d.options.Namespaces = []string{d.Namespace}
	d.start()
	t.Cleanup(func() { d.stop() })
	return d
}

// start runs the console, at the address that it had before if there was one.
func (d *desk) start() {
	d.t.Helper()
	server, err := console.New(d.options, slog.New(slog.DiscardHandler))
	if err != nil {
		d.t.Fatal(err)
	}
	at := d.address
	if at == "" {
		at = "127.0.0.1:0"
	}
	listener, err := net.Listen("tcp", at)
	if err != nil {
		d.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- server.Serve(ctx, listener) }()
	d.address, d.url = listener.Addr().String(), "http://"+listener.Addr().String()
	d.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-stopped; err != nil {
			d.t.Errorf("the console stopped with %v", err)
		}
	})
}

// restart ends the console's process, and starts another one with other options.
func (d *desk) restart(change func(*console.Options)) {
	d.stop()
	change(&d.options)
	d.start()
}

// token makes a ServiceAccount with roles in the shop's namespace, and returns a token of it.
func (d *desk) token(name string, roles ...string) string {
	d.t.Helper()
	d.Create(&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: d.Namespace, Name: name}})
	for _, role := range roles {
		d.bind(name, role)
	}
	token, err := controlplane.ServiceAccountToken(d.Context(), d.Client, d.Namespace, name)
	d.Must(err)
	return token
}

// The roles of people, as they are shipped. The last one is what the cluster's own role view is made of: what
// aggregates them is not part of an API server.
const (
	viewerRole   = "wechatpay-operator-viewer"
	approverRole = "wechatpay-operator-approver"
	viewRole     = "system:aggregate-to-view"
)

func (d *desk) viewer() string   { return d.token("viewer", viewerRole, viewRole) }
func (d *desk) approver() string { return d.token("wang", viewerRole, approverRole, viewRole) }

// desktop is the screen of a computer.
var desktop = chromium.Options{Width: 1280, Height: 900, Language: "en"}

// logIn opens a page of the console as somebody.
func (d *desk) logIn(o chromium.Options, token, page string) *chromium.Page {
	d.t.Helper()
	o.Refusals = true // the first question is asked before the login
	p := chromium.Open(d.t, o)
	p.Do(chromedp.Navigate(d.url + "/#/" + d.Namespace + "/" + page))
	enter(p, token)
	return p
}

func enter(p *chromium.Page, token string) {
	p.Helper()
	p.Do(chromedp.WaitVisible(chromedp.CSS("#token")), chromedp.SendKeys(chromedp.CSS("#token"), token+"\n"), chromedp.WaitVisible(chromedp.CSS("#user")))
}

// click presses what is there and enabled. A click at the place where it was a moment ago would miss it when something
// arrives above it.
func click(p *chromium.Page, selector string) {
	p.Helper()
	p.Await(fmt.Sprintf(`document.querySelector(%[1]q) && !document.querySelector(%[1]q).disabled`, selector))
	chromium.Read[bool](p, fmt.Sprintf(`(document.querySelector(%q).click(), true)`, selector))
}

func enterText(p *chromium.Page, selector, text string) {
	p.Helper()
	p.Do(chromedp.SendKeys(chromedp.CSS(selector), text))
}

const live = `document.querySelector('.liveness[data-live=true]')`

// bind gives a role to a ServiceAccount that is there.
func (d *desk) bind(name, role string) {
	d.t.Helper()
	d.Create(&rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: d.Namespace, Name: name + "-" + strings.TrimPrefix(role, "system:")},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: d.Namespace, Name: name}},
	})
}

// authorize has the browser send a header, as a proxy in front would.
func authorize(token string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Authorization": "Bearer " + token}})
		return err
	})
}
