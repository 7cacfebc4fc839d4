// Package framework provides a shop for tests: a namespace of a real control plane, a simulated
// WeChat Pay, an operator and an ingress in front of it. Each test has its own, so that tests run
// in parallel.
package framework

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/controllers"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/guard"
	"github.com/wechatpay-operator/wechatpay-operator/internal/hosts"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/manager"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	weixin "github.com/wechatpay-operator/wechatpay-operator/internal/weixin/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

// Names and numbers shared by all shops.
const (
	MchID  = "1900000109"
	AppID  = "wxd678efh567hg6787"
	APIKey = "Zx81TestOnlyKey0Zx81TestOnlyKey0"
	// APIV3Key is the merchant's APIv3 key.
	APIV3Key = "V3TestOnlyKey000V3TestOnlyKey000"
	OpenID   = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"
	// MerchantName is the Merchant that Orders of NewOrder refer to.
	MerchantName = "shop"
	// WeChatHost is where the simulator listens, for --endpoint-hosts.
	WeChatHost = "127.0.0.1"
)

// Patience is how long a test waits for a condition before it fails. It is long, because only
// failing tests wait that long.
const Patience = 45 * time.Second

// Shop is the fixture of a test.
type Shop struct {
	T         testing.TB
	Namespace string
	Client    client.Client
	WeChat    *simulator.Simulator
	// Weixin is the simulated api.weixin.qq.com of OpenWeixin.
	Weixin *weixin.Simulator
	// Base is the public address of the ingress.
	Base string
	// Protocol is what NewMerchant speaks.
	Protocol v1alpha1.Protocol

	env       *controlplane.Environment
	options   manager.Options
	simulated simulator.Options
	other     []string

	mutex    sync.Mutex
	replicas []*replica
	next     atomic.Uint64
}

type replica struct {
	operator *manager.Operator
	stop     context.CancelFunc
	stopped  chan error
	// callbacks counts the callbacks that the ingress forwarded here.
	callbacks int
}

// Option configures a Shop before it opens.
type Option func(*Shop)

// WithTiming changes the operator's intervals.
func WithTiming(change func(*controllers.Timing)) Option {
	return func(s *Shop) { change(&s.options.Timing) }
}

// WithOptions changes the operator's options.
func WithOptions(change func(*manager.Options)) Option {
	return func(s *Shop) { change(&s.options) }
}

// WithWeChat changes the simulated WeChat Pay.
func WithWeChat(change func(*simulator.Options)) Option {
	return func(s *Shop) { change(&s.simulated) }
}

// WithNamespaces adds namespaces that the operator watches; see Shop.Other.
func WithNamespaces(count int) Option {
	return func(s *Shop) { s.other = make([]string, count) }
}

// WithoutOperator opens the Shop without an operator; see Shop.StartOperator.
func WithoutOperator() Option {
	return func(s *Shop) { s.options.MaxConcurrentReconciles = 0 }
}

// WithLeaderElection makes the replicas elect a leader by a Lease in the shop's namespace.
func WithLeaderElection() Option {
	return func(s *Shop) { s.options.LeaderElect = true }
}

// WithGuard makes the operator check the approval policy, as in production. The policies must be
// installed.
func WithGuard() Option {
	return func(s *Shop) { s.options.Guard = nil }
}

// Guarded replaces the approval policy in tests about something else: most run without policies.
type Guarded struct{}

var inForce = guard.Finding{State: guard.InForce}

// Look reports that the policy is in force.
func (Guarded) Look(context.Context, string) guard.Finding { return inForce }

// LookNow reports that the policy was and is in force.
func (Guarded) LookNow(context.Context, *v1alpha1.Refund) (before, now guard.Finding) {
	return inForce, inForce
}

// Listen does nothing, because the state never changes.
func (Guarded) Listen(func(string)) {}

// QuickTiming is the production timing in seconds instead of minutes, with polls so rare that they
// do not disturb tests about something else.
func QuickTiming() controllers.Timing {
	timing := controllers.DefaultTiming()
	timing.MinimumLeft = 2 * time.Second
	timing.RefundSpacing = time.Second
	timing.NotExistGrace = 500 * time.Millisecond
	timing.SecondAnswer = 100 * time.Millisecond
	timing.RetryFirst, timing.RetryMost = 50*time.Millisecond, 500*time.Millisecond
	timing.RetrySlowly = 300 * time.Millisecond
	timing.RetryRight = 500 * time.Millisecond
	timing.CloseRetry = 200 * time.Millisecond
	timing.DeletionSettles = 20 * time.Millisecond
	timing.SecretsCheck = 200 * time.Millisecond
	timing.ProbeRejected = 300 * time.Millisecond
	timing.GuardCheck, timing.GuardRetry = 200*time.Millisecond, 100*time.Millisecond
	timing.CallbackRetryFirst, timing.CallbackRetryMost = 100*time.Millisecond, 500*time.Millisecond
	timing.AbandonAfter = 2 * time.Second
	timing.MiniProgramCheck = 10 * time.Second
	timing.Bills.Spread, timing.Bills.Look, timing.Bills.Busy = 0, 200*time.Millisecond, 50*time.Millisecond
	timing.Bills.RetryFirst, timing.Bills.RetryMost, timing.Bills.RetrySlowly = 100*time.Millisecond, 300*time.Millisecond, 300*time.Millisecond
	timing.Bills.RepairFirst, timing.Bills.RepairMost, timing.Bills.Policy.Retry = 300*time.Millisecond, time.Second, 200*time.Millisecond
	timing.Events.RetryFirst, timing.Events.RetryMost = 50*time.Millisecond, 500*time.Millisecond
	timing.Events.StatusInterval, timing.Events.Overlap = 100*time.Millisecond, 2*time.Second
	return timing
}

// EverySoOften is a Schedule for tests about polling.
func EverySoOften(interval time.Duration) lifecycle.Schedule {
	return lifecycle.Schedule{Ages: []time.Duration{interval}, Repeat: true}
}

// quiet discards the operator's log in tests.
var quiet = sync.OnceFunc(func() { ctrl.SetLogger(logr.Discard()) })

// Open opens a Shop and closes it when the test ends.
func Open(t testing.TB, env *controlplane.Environment, options ...Option) *Shop {
	t.Helper()
	quiet()
	s := &Shop{T: t, Client: env.Client, Protocol: DefaultProtocol(), env: env, options: manager.DefaultOptions()}
	s.options.Timing = QuickTiming()
	s.options.NotifyBindAddress = "127.0.0.1:0"
	s.options.MetricsBindAddress, s.options.HealthProbeBindAddress = "0", "0"
	s.options.SeveralInProcess = true
	s.options.Accounts.EndpointHosts = hosts.MustParse(WeChatHost)
	s.options.EventHosts = hosts.MustParse(WeChatHost) // where tests listen
	s.options.Guard = Guarded{}
	s.options.Accounts.RefreshAfter = 100 * time.Millisecond
	s.options.Accounts.Limits.BreakAfter, s.options.Accounts.Limits.BreakFor = 1000, 300*time.Millisecond
	s.simulated = simulator.Options{
		Merchants: []simulator.Merchant{{MchID: MchID, AppIDs: []string{AppID}, APIKey: APIKey, APIV3Key: APIV3Key, Verification: simulator.VerifyByPublicKey}},
		TimeScale: 60, NewRSAKey: rsaKeysFor(t),
		Rules: simulator.Rules{MinTimeExpire: -1, RefundDelay: -1, MinRefundInterval: 900 * time.Millisecond},
	}
	for _, option := range options {
		option(s)
	}
	s.Namespace = s.createNamespace()
	for i := range s.other {
		s.other[i] = s.createNamespace()
	}
	s.options.Namespaces = append([]string{s.Namespace}, s.other...)
	if s.options.LeaderElect {
		s.allowElections()
	}
	s.openIngress()
	s.openWeChat()
	s.CreateCredentials(s.Namespace)
	t.Cleanup(s.StopOperators)
	if s.options.MaxConcurrentReconciles > 0 {
		s.StartOperator()
	}
	return s
}

// allowElections grants the operator in the shop's namespace the permissions of its own namespace,
// because each test has its own leader election.
func (s *Shop) allowElections() {
	s.T.Helper()
	s.OperatorConfig() // also installs the roles
	var role rbacv1.Role
	s.Must(s.Client.Get(s.Context(), client.ObjectKey{Namespace: controlplane.OperatorNamespace, Name: "wechatpay-operator-leader-election"}, &role))
	here := metav1.ObjectMeta{Namespace: s.Namespace, Name: role.Name}
	s.Create(&rbacv1.Role{ObjectMeta: here, Rules: role.Rules}, &rbacv1.RoleBinding{
		ObjectMeta: here,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: controlplane.OperatorNamespace, Name: controlplane.OperatorServiceAccount}},
	})
	s.options.LeaderElectionNamespace = s.Namespace
}

// Other returns the i-th additional namespace of WithNamespaces.
func (s *Shop) Other(i int) string { return s.other[i] }

func (s *Shop) createNamespace() string {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "shop-"}}
	s.Must(s.Client.Create(s.Context(), namespace))
	return namespace.Name
}

// openIngress forwards callbacks to the replicas in turn, like an ingress controller.
func (s *Shop) openIngress() {
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			if to := s.callbackAddress(); to != nil {
				r.SetURL(to)
			}
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	ingress := httptest.NewServer(proxy)
	s.T.Cleanup(ingress.Close)
	s.Base = ingress.URL
	s.options.NotifyBaseURL = s.Base
}

func (s *Shop) callbackAddress() *url.URL {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for range s.replicas {
		chosen := s.replicas[s.next.Add(1)%uint64(len(s.replicas))]
		if chosen.operator.Callbacks == nil {
			continue
		}
		if address := chosen.operator.Callbacks.Address(); address != nil {
			chosen.callbacks++
			return &url.URL{Scheme: "http", Host: address.String()}
		}
	}
	return nil
}

// CallbacksByReplica returns how many callbacks the ingress forwarded to each replica.
func (s *Shop) CallbacksByReplica() []int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	var counts []int
	for _, r := range s.replicas {
		counts = append(counts, r.callbacks)
	}
	return counts
}

func (s *Shop) openWeChat() {
	weChat, err := simulator.New(s.simulated)
	s.Must(err)
	s.WeChat = weChat
	s.T.Cleanup(func() { _ = weChat.Close() })
}

// OperatorConfig returns the configuration of the operator's ServiceAccount, with the shipped
// permissions.
func (s *Shop) OperatorConfig() *rest.Config {
	s.T.Helper()
	config, err := s.env.Operator(s.Context())
	s.Must(err)
	return config
}

// StartOperator starts another replica with the operator's own permissions, and waits until it
// receives callbacks.
func (s *Shop) StartOperator(change ...func(*manager.Options)) {
	s.T.Helper()
	s.StartOperatorAs(s.OperatorConfig(), change...)
}

// StartOperatorAs starts another replica with another identity.
func (s *Shop) StartOperatorAs(config *rest.Config, change ...func(*manager.Options)) {
	s.T.Helper()
	options := s.options
	if options.MaxConcurrentReconciles == 0 {
		options.MaxConcurrentReconciles = manager.DefaultOptions().MaxConcurrentReconciles
	}
	for _, c := range change {
		c(&options)
	}
	ctx, stop := context.WithCancel(context.Background())
	config, err := lagging(config)
	s.Must(err)
	operator, err := manager.New(ctx, config, options)
	s.Must(err)
	started := &replica{operator: operator, stop: stop, stopped: make(chan error, 1)}
	go func() { started.stopped <- operator.Start(ctx) }()
	s.mutex.Lock()
	s.replicas = append(s.replicas, started)
	s.mutex.Unlock()
	s.Eventually("the operator takes callbacks", func() error {
		select {
		case err := <-started.stopped:
			s.T.Fatalf("the operator stopped: %v", err)
		default:
		}
		if operator.Callbacks == nil {
			return nil
		}
		return operator.Callbacks.Ready(nil)
	})
}

// StopOperators stops all replicas, as SIGTERM does.
func (s *Shop) StopOperators() {
	s.mutex.Lock()
	stopping := s.replicas
	s.replicas = nil
	s.mutex.Unlock()
	for _, r := range stopping {
		r.stop()
	}
	for _, r := range stopping {
		if err := <-r.stopped; err != nil {
			s.T.Errorf("the operator stopped with an error: %v", err)
		}
	}
}

// Context returns the context for API calls.
func (s *Shop) Context() context.Context { return context.Background() }

// Must fails the test on an error.
func (s *Shop) Must(err error) {
	s.T.Helper()
	if err != nil {
		s.T.Fatal(err)
	}
}

// Eventually waits until a check returns nil.
func (s *Shop) Eventually(what string, check func() error) {
	s.T.Helper()
	deadline := time.Now().Add(Patience)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			s.T.Fatalf("%s: still not so after %s: %v", what, Patience, err)
		}
		<-time.After(10 * time.Millisecond)
	}
}

// NewMerchant returns the shop's Merchant with the simulator as its endpoint.
func (s *Shop) NewMerchant(change ...func(*v1alpha1.Merchant)) *v1alpha1.Merchant {
	merchant := &v1alpha1.Merchant{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: MerchantName},
		Spec: v1alpha1.MerchantSpec{
			MchID: MchID, AppID: AppID,
			CertificateSecretRef: &v1alpha1.SecretReference{Name: "wechatpay-cert"},
			Endpoint:             &v1alpha1.Endpoint{URL: s.WeChat.URL(), BackupURL: s.WeChat.BackupURL(), CABundle: s.WeChat.CAPEM()},
		},
	}
	s.Speak(merchant, s.Protocol)
	return changed(merchant, change)
}

// changed applies a test's changes to an object.
func changed[T any](object *T, change []func(*T)) *T {
	for _, c := range change {
		c(object)
	}
	return object
}

// TakeKeys records in a Merchant's status that its endpoint accepted the keys, as a leader does
// after trying them.
func (s *Shop) TakeKeys(m *v1alpha1.Merchant, keys ...string) {
	s.T.Helper()
	ids := []string{}
	for _, key := range keys {
		ids = append(ids, wechatpay.KeyID(key, m.Spec.MchID))
	}
	m.Status.Keys, m.Status.KeysEndpoint = ids, account.EndpointID(m)
	s.Must(s.Client.Status().Update(s.Context(), m))
}

// CreateCredentials creates the Secrets that NewMerchant references.
func (s *Shop) CreateCredentials(namespace string) {
	s.T.Helper()
	s.createCredentials(s.WeChat, namespace, "wechatpay", MchID, APIKey, APIV3Key)
}

// NewOrder returns a JSAPI Order of 101 fen.
func (s *Shop) NewOrder(name string, change ...func(*v1alpha1.Order)) *v1alpha1.Order {
	return changed(&v1alpha1.Order{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: name},
		Spec: v1alpha1.OrderSpec{
			MerchantRef: v1alpha1.MerchantReference{Name: MerchantName},
			TradeType:   v1alpha1.TradeTypeJSAPI, Description: "肥皂 x1",
			Amount: v1alpha1.Amount{Total: 101},
			Payer:  &v1alpha1.Payer{OpenID: OpenID},
		},
	}, change)
}

// NewRefund returns a Refund of an Order.
func (s *Shop) NewRefund(name, order string, amount int64, change ...func(*v1alpha1.Refund)) *v1alpha1.Refund {
	return changed(&v1alpha1.Refund{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: name},
		Spec:       v1alpha1.RefundSpec{OrderRef: v1alpha1.OrderReference{Name: order}, Amount: amount},
	}, change)
}

// Create creates objects.
func (s *Shop) Create(objects ...client.Object) {
	s.T.Helper()
	for _, object := range objects {
		if err := s.Client.Create(s.Context(), object); err != nil {
			s.T.Fatalf("creating %T %s: %v", object, object.GetName(), err)
		}
	}
}
