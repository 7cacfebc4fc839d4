package webhookserver_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/hosts"
	"github.com/wechatpay-operator/wechatpay-operator/internal/index"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
	"github.com/wechatpay-operator/wechatpay-operator/webhookserver"
)

// success is the only answer that WeChat accepts as a success (chapter 9_7).
const success = `<xml><return_code><![CDATA[SUCCESS]]></return_code><return_msg><![CDATA[OK]]></return_msg></xml>`

const (
	previousKey = "PreviousTestKey0PreviousTestKey0"
	secondKey   = "SecondMerchantK0SecondMerchantK0"
	secondMchID = "1900000110"
	secondName  = "second"
)

// fixture is a shop without reconcilers, so only callbacks change objects. It has two Merchants:
// "shop", and "second" in the other namespace, with another merchant number and another key.
type fixture struct {
	*framework.Shop
	informers cache.Cache
	cached    client.WithWatch
	live      client.Client
	// registry reads the Secrets for each callback.
	registry *account.Registry
	http     *http.Client
}

func openFixture(t testing.TB, change ...func(*v1alpha1.Merchant)) *fixture {
	t.Helper()
	return openFixtureIn(t, framework.DefaultProtocol(), change...)
}

// openFixtureIn is for a test of what only one protocol has.
func openFixtureIn(t testing.TB, protocol v1alpha1.Protocol, change ...func(*v1alpha1.Merchant)) *fixture {
	t.Helper()
	env := environment(t)
	shop := framework.Open(t, env, framework.WithoutOperator(), framework.WithNamespaces(1), framework.Speaking(protocol))
	d := &fixture{Shop: shop, live: shop.Client, http: newHTTPClient(t)}
	d.openCache(env)
	d.registry = account.NewRegistry(d.live, account.Options{
		NotifyBaseURL: "https://pay.example.com", EndpointHosts: hosts.MustParse(framework.WeChatHost), RefreshAfter: time.Nanosecond, Limits: account.Limits{BreakAfter: 1000},
	})
	d.CreateCredentialsOf(d.WeChat, d.Other(0), "second-key", secondMchID, secondKey)
	first := d.NewMerchant(append([]func(*v1alpha1.Merchant){knowsPlatform}, change...)...)
	second := d.NewMerchant(knowsPlatform, func(m *v1alpha1.Merchant) {
		m.Namespace, m.Name, m.Spec.MchID = d.Other(0), secondName, secondMchID
		framework.UseCredentials(m, "second-key")
	})
	d.Create(first, second)
	d.proven(first, framework.APIKey, previousKey)
	d.proven(second, secondKey)
	d.sync(first, second)
	return d
}

// openCache starts a cache with the operator's indexes.
func (d *fixture) openCache(env *controlplane.Environment) {
	d.T.Helper()
	informers, err := cache.New(env.Config, cache.Options{
		Scheme: controlplane.Scheme(), DefaultNamespaces: map[string]cache.Config{d.Namespace: {}, d.Other(0): {}},
	})
	d.Must(err)
	d.Must(index.Setup(d.Context(), informers))
	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- informers.Start(ctx) }()
	d.T.Cleanup(func() {
		stop()
		if err := <-stopped; err != nil {
			d.T.Errorf("the cache stopped with an error: %v", err)
		}
	})
	_, err = informers.GetInformer(ctx, &v1alpha1.Merchant{})
	d.Must(err)
	informers.WaitForCacheSync(ctx)
	d.informers, d.cached = informers, cachedClient(d.Shop, env.Config, informers)
}

// cachedClient returns a client like the operator's, which waits for its own writes.
func cachedClient(shop *framework.Shop, config *rest.Config, informers cache.Cache) client.WithWatch {
	shop.T.Helper()
	c, err := client.NewWithWatch(config, client.Options{Scheme: controlplane.Scheme(), Cache: &client.CacheOptions{
		Reader: informers, EnableReadYourWritesConsistency: ptr.To(true),
	}})
	shop.Must(err)
	return c
}

func newHTTPClient(t testing.TB) *http.Client {
	transport := &http.Transport{MaxIdleConnsPerHost: 32}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport:     transport,
		Timeout:       framework.Patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// sync waits until the cache has the current objects.
func (d *fixture) sync(objects ...client.Object) {
	d.T.Helper()
	for _, object := range objects {
		key, kind := client.ObjectKeyFromObject(object), object
		cached, live := kind.DeepCopyObject().(client.Object), kind.DeepCopyObject().(client.Object)
		d.Eventually("the cache has "+key.String(), func() error {
			if err := d.live.Get(d.Context(), key, live); err != nil {
				return err
			}
			if err := d.cached.Get(d.Context(), key, cached); err != nil {
				return err
			}
			if cached.GetResourceVersion() != live.GetResourceVersion() {
				return io.ErrNoProgress
			}
			return nil
		})
	}
}

// prepared creates an Order that the payer can pay now.
func (d *fixture) prepared(name string, change ...func(*v1alpha1.Order)) *v1alpha1.Order {
	d.T.Helper()
	order := d.NewOrder(name, change...)
	d.Create(order)
	return d.asPrepared(order, v1alpha1.SignTypeHMACSHA256)
}

func (d *fixture) asPrepared(order *v1alpha1.Order, how v1alpha1.SignType) *v1alpha1.Order {
	d.T.Helper()
	return d.update(order, func(o *v1alpha1.Order) {
		expires := metav1.NewTime(time.Now().Add(2 * time.Hour))
		prepay := v1alpha1.OrderPrepay{ID: "wx2026", SignType: how, ExpireTime: &expires}
		if d.Protocol == v1alpha1.ProtocolV3 {
			prepay.Protocol, prepay.SignType = d.Protocol, ""
		}
		lifecycle.Prepared(o, prepay, time.Now())
	})
}

// update changes an Order's status like a reconciler, and waits for the cache.
func (d *fixture) update(order *v1alpha1.Order, change func(*v1alpha1.Order)) *v1alpha1.Order {
	d.T.Helper()
	change(order)
	d.Must(d.live.Status().Update(d.Context(), order))
	d.sync(order)
	return order
}

// callbackServer is a running callback server.
type callbackServer struct {
	d       *fixture
	base    string
	handler *webhookserver.Handler
	log     *logbook
	events  *eventbook
}

// callbackServer starts a callback server. A test may intercept its client.
func (d *fixture) callbackServer(disturb ...interceptor.Funcs) *callbackServer {
	d.T.Helper()
	c := &callbackServer{d: d, log: &logbook{}, events: &eventbook{}}
	writer := d.cached
	for _, funcs := range disturb {
		writer = interceptor.NewClient(writer, funcs)
	}
	c.handler = &webhookserver.Handler{
		Client: writer, APIReader: d.live, Registry: d.registry, Recorder: c.events, Clock: clock.RealClock{}, Log: allLogs.copying(c.log),
	}
	c.base = serve(d.Shop, c.handler)
	return c
}

// serve runs a server until the test ends.
func serve(shop *framework.Shop, handler *webhookserver.Handler) string {
	shop.T.Helper()
	server := &webhookserver.Server{BindAddress: "127.0.0.1:0", Handler: handler.Routes(), Log: handler.Log}
	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- server.Start(ctx) }()
	shop.T.Cleanup(func() {
		stop()
		if err := <-stopped; err != nil {
			shop.T.Errorf("the server stopped with an error: %v", err)
		}
	})
	shop.Eventually("the server listens", func() error { return server.Ready(nil) })
	return "http://" + server.Address().String()
}

// paymentPath and the following functions return the paths of callbacks.
func (d *fixture) paymentPath() string {
	return root(d.Protocol) + d.Namespace + "/" + framework.MerchantName + "/payment"
}
func (d *fixture) refundPath() string {
	return root(d.Protocol) + d.Namespace + "/" + framework.MerchantName + "/refund"
}
func (d *fixture) secondPath() string {
	return root(d.Protocol) + d.Other(0) + "/" + secondName + "/payment"
}

// answer is what a client receives.
type answer struct {
	// v3 reports that it is an answer to a callback of V3.
	v3     bool
	status int
	kind   string
	body   string
	err    error
}

// success reports whether WeChat takes it for a success: one document of V2, and an empty body of
// V3.
func (a answer) success() bool {
	if a.v3 {
		return a.status == http.StatusNoContent && a.body == ""
	}
	return a.status == http.StatusOK && a.body == success
}

func (c *callbackServer) pay(m message) answer    { return c.post(c.d.paymentPath(), m) }
func (c *callbackServer) refund(m message) answer { return c.post(c.d.refundPath(), m) }

func (c *callbackServer) post(path string, m message) answer { return c.deliver(path, m.to(path)) }

func (c *callbackServer) deliver(path string, sent delivery) answer {
	return c.d.send(http.MethodPost, c.base+path, strings.NewReader(sent.body), sent.setHeader)
}

// setHeader sets the headers of a request.
func (d delivery) setHeader(request *http.Request) {
	for name := range d.header {
		request.Header.Set(name, d.header.Get(name))
	}
}

func (d *fixture) send(method, url string, body io.Reader, change ...func(*http.Request)) answer {
	request, err := http.NewRequest(method, url, body)
	if err != nil {
		return answer{err: err}
	}
	request.Header.Set("Content-Type", "text/xml")
	for _, c := range change {
		c(request)
	}
	response, err := d.http.Do(request)
	if err != nil {
		return answer{err: err}
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return answer{v3: isV3(url), status: response.StatusCode, kind: response.Header.Get("Content-Type"), body: string(text), err: err}
}

// dial opens a TCP connection, to send what no HTTP client would.
func (c *callbackServer) dial() net.Conn {
	c.d.T.Helper()
	connection, err := (&net.Dialer{}).DialContext(c.d.Context(), "tcp", strings.TrimPrefix(c.base, "http://"))
	c.d.Must(err)
	c.d.T.Cleanup(func() { _ = connection.Close() })
	c.d.Must(connection.SetDeadline(time.Now().Add(framework.Patience)))
	return connection
}

// expectSuccess fails the test unless the answer is WeChat's success, byte for byte.
func expectSuccess(t testing.TB, got answer) {
	t.Helper()
	kind := "text/xml; charset=utf-8"
	if got.v3 {
		kind = "" // there is no body
	}
	if got.err != nil || !got.success() || got.kind != kind {
		t.Fatalf("want SUCCESS, got %d %q %q %v", got.status, got.kind, got.body, got.err)
	}
}

// expectFail fails the test unless the answer has the status and is not a success.
func expectFail(t testing.TB, got answer, status int) {
	t.Helper()
	isJSON := strings.HasPrefix(got.kind, "application/json") // what the handler of callbacks answers
	if got.err != nil || got.status != status || strings.Contains(got.body, "SUCCESS") || isJSON && !strings.HasPrefix(got.body, `{"code":"FAIL","message":"`) {
		t.Fatalf("want %d and no SUCCESS, got %d %q %v", status, got.status, got.body, got.err)
	}
}

// versions are the resource versions of all Orders and Refunds of the fixture.
func (d *fixture) versions() map[string]string {
	d.T.Helper()
	found := map[string]string{}
	for _, namespace := range []string{d.Namespace, d.Other(0)} {
		var orders v1alpha1.OrderList
		d.Must(d.live.List(d.Context(), &orders, client.InNamespace(namespace)))
		for _, o := range orders.Items {
			found["Order "+o.Namespace+"/"+o.Name] = o.ResourceVersion
		}
		var refunds v1alpha1.RefundList
		d.Must(d.live.List(d.Context(), &refunds, client.InNamespace(namespace)))
		for _, r := range refunds.Items {
			found["Refund "+r.Namespace+"/"+r.Name] = r.ResourceVersion
		}
	}
	return found
}

// stateOf returns "Status/Reason" of a condition.
func stateOf(conditions []metav1.Condition, kind string) string {
	for _, c := range conditions {
		if c.Type == kind {
			return string(c.Status) + "/" + c.Reason
		}
	}
	return ""
}

func (d *fixture) expectPaid(order *v1alpha1.Order, want string) *v1alpha1.Order {
	d.T.Helper()
	now := &v1alpha1.Order{}
	d.Must(d.live.Get(d.Context(), client.ObjectKeyFromObject(order), now))
	if got := stateOf(now.Status.Conditions, v1alpha1.ConditionPaid); got != want {
		d.T.Fatalf("Order %s: Paid=%s, want %s", now.Name, got, want)
	}
	return now
}
