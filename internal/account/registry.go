// Package account creates a ready-to-use Caller from a Merchant and its Secrets, and keeps it until
// they change.
package account

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/callbackprobe"
	"github.com/wechatpay-operator/wechatpay-operator/internal/hosts"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/protocols"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/transport"
)

// Options configure a Registry. The zero value of a field means its default.
type Options struct {
	// NotifyBaseURL is the manager's --notify-base-url, for Merchants without their own.
	NotifyBaseURL string
	// EndpointHosts are the hosts that Merchants may name as their endpoint; WeChat's own by
	// default.
	EndpointHosts hosts.List
	// CallbacksOnly is set in a process that creates no orders and no refunds. It needs no callback
	// address, and does not read client certificates, so it needs no permission for them.
	CallbacksOnly bool
	// UserAgent is sent with every call.
	UserAgent string
	// RefreshAfter is the maximum age of credentials before their Secrets are read again; 30 s by
	// default.
	RefreshAfter time.Duration
	// Limits of each account.
	Limits Limits
	// Timeouts of calls to WeChat.
	Timeouts wechatpay.Timeouts
	// Clock is the real one by default.
	Clock clock.PassiveClock
}

// Registry keeps an Account for each Merchant, by UID. It gets Secrets by name from the API server,
// without a cache, so it needs no list or watch on Secrets, and a changed Secret takes effect
// within RefreshAfter.
type Registry struct {
	secrets client.Reader
	options Options
	flights singleflight.Group

	mutex   sync.Mutex
	entries map[types.UID]*entry
	swept   time.Time
	// quotas are those of merchant numbers, which several Merchants may share. concurrency is
	// shared by all Merchants.
	quotas      *quotas
	concurrency map[Workers]*concurrencyLimit
	// answers are the accepted answers, by the key that they are signed with.
	answers map[answersKey]*memoryOfKey
	// listener is called with each Merchant whose state changed.
	listener atomic.Pointer[func(types.NamespacedName)]
	// restoredListeners are called with each Merchant whose credentials changed or are accepted
	// again.
	restoredListeners []func(types.NamespacedName)
	// proofs are the hosts that have proven to be WeChat Pay.
	proofs transport.Proofs
}

type entry struct {
	// account is nil while no credentials can be used. problem holds the reason if those for the
	// Merchant's protocol can't be; callbacks of another one may still be accepted then.
	account    *Account
	problem    *Problem
	generation int64
	// readTime is when the Secrets were last read, and retryTime when they are read next after a
	// failure.
	readTime, retryTime time.Time
}

const (
	// maxStaleness is how long an Account is used after the last successful read of its Secrets
	// while the API server does not answer. A short outage must not stop payments, but a revoked
	// key must not work forever.
	maxStaleness = 5 * time.Minute
	// retryAfter is the interval between failing reads, with or without an Account: thousands of
	// Orders may wait for one Secret.
	retryAfter = 5 * time.Second
	// unusedTTL is how long a Merchant is kept that is not used. Forget is called on the leader
	// only.
	unusedTTL = time.Hour
)

// NewRegistry returns a Registry that reads Secrets with the given reader, which must not be a
// cache.
func NewRegistry(secrets client.Reader, options Options) *Registry {
	options.RefreshAfter = cmp.Or(options.RefreshAfter, 30*time.Second)
	if options.Clock == nil {
		options.Clock = clock.RealClock{}
	}
	if options.EndpointHosts.IsZero() {
		options.EndpointHosts = hosts.MustParse(hosts.WeChats)
	}
	options.Limits = options.Limits.orDefaults()
	r := &Registry{
		secrets: secrets, options: options, entries: map[types.UID]*entry{},
		quotas: newQuotas(options.Limits, options.Clock), concurrency: map[Workers]*concurrencyLimit{},
		answers: map[answersKey]*memoryOfKey{},
	}
	for _, workers := range []Workers{OrderWorkers, RefundWorkers, MerchantWorkers, CallbackWorkers} {
		r.concurrency[workers] = newConcurrencyLimit(options.Limits)
	}
	return r
}

// Get returns the Account of a Merchant. The error is a *Problem if its protocol can't be used; any
// other error is the API server's.
func (r *Registry) Get(ctx context.Context, merchant *v1alpha1.Merchant) (*Account, error) {
	account, err := r.find(ctx, merchant)
	if err == nil && account.unusable() != nil {
		return nil, account.unusable()
	}
	return account, err
}

// In returns the Account of a Merchant and its Connection in a protocol, which may be another than
// the Merchant's. The errors are those of Get.
func (r *Registry) In(ctx context.Context, merchant *v1alpha1.Merchant, protocol v1alpha1.Protocol) (*Account, *Connection, error) {
	account, err := r.find(ctx, merchant)
	if err != nil {
		return nil, nil, err
	}
	connection, err := account.In(protocol)
	if err == nil && connection.unusable() != nil {
		err = connection.unusable()
	}
	if err != nil {
		return nil, nil, err
	}
	return account, connection, nil
}

// ForProbe returns the Account of a Merchant for trying its key, although the callback addresses
// may be wrong (NotifyProblem): otherwise a key that WeChat no longer accepts would count as proven
// until they are corrected. Other errors are those of Get.
func (r *Registry) ForProbe(ctx context.Context, merchant *v1alpha1.Merchant) (*Account, error) {
	account, err := r.find(ctx, merchant)
	if err == nil && account.problem != nil {
		return nil, account.problem
	}
	return account, err
}

// find returns an Account of which some protocol can be used.
func (r *Registry) find(ctx context.Context, merchant *v1alpha1.Merchant) (*Account, error) {
	if account, problem := r.cached(merchant); account != nil {
		return account, nil
	} else if problem != nil {
		return nil, problem
	}
	// Many Orders of one Merchant call Get at the same moment, and share one read of the Secrets.
	// The read continues if the caller that started it stops waiting, such as a callback that has
	// to be answered.
	flight := r.flights.DoChan(fmt.Sprintf("%s/%d", merchant.UID, merchant.Generation), func() (any, error) {
		return r.read(context.WithoutCancel(ctx), merchant)
	})
	select {
	case result := <-flight:
		if result.Err != nil {
			return nil, result.Err
		}
		return result.Val.(*Account), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// KnownProblem returns why a Merchant can't be used in any protocol, from the cache; it reads
// nothing.
func (r *Registry) KnownProblem(merchant *v1alpha1.Merchant) *Problem {
	account, problem := r.cached(merchant)
	if account == nil {
		return problem
	}
	for _, connection := range account.connections {
		if connection.unusable() == nil {
			return nil
		}
	}
	return account.unusable()
}

// MaxInFlight returns how many calls may be in flight for one kind of workers.
func (r *Registry) MaxInFlight() int { return r.options.Limits.MaxInFlight }

// Listen sets a function that is called with each Merchant whose state changed: its calls were
// paused or resumed, or WeChat accepted or rejected its credentials. It is called during calls, so
// it must not block.
func (r *Registry) Listen(listener func(types.NamespacedName)) { r.listener.Store(&listener) }

func (r *Registry) notify(merchant types.NamespacedName) {
	if listener := r.listener.Load(); listener != nil {
		(*listener)(merchant)
	}
}

// OnCredentialsRestored adds a function that is called with each Merchant whose credentials
// changed, or are accepted by WeChat after they were rejected, so that failed calls may succeed
// now. It must not block or call the Registry.
func (r *Registry) OnCredentialsRestored(listener func(types.NamespacedName)) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.restoredListeners = append(r.restoredListeners, listener)
}

func (r *Registry) notifyRestored(merchant types.NamespacedName) {
	r.mutex.Lock()
	listeners := r.restoredListeners
	r.mutex.Unlock()
	for _, listener := range listeners {
		listener(merchant)
	}
}

// OnStartedLeading is called when this process starts to make refund requests. The previous leader
// may have had failing refunds in its last second, so the failure budgets start exhausted, as do
// those of quotas that are created later.
func (r *Registry) OnStartedLeading() { r.quotas.drain() }

// Forget drops what is kept for a deleted Merchant.
func (r *Registry) Forget(uid types.UID) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.forget(uid)
}

func (r *Registry) forget(uid types.UID) {
	if cached := r.entries[uid]; cached != nil {
		cached.drop()
		delete(r.entries, uid)
	}
}

// drop closes the Account. Calls in flight continue.
func (e *entry) drop() {
	if e.account != nil {
		e.account.close()
		e.account = nil
	}
}

// cached returns the result of a recent read: an Account or a Problem.
func (r *Registry) cached(merchant *v1alpha1.Merchant) (*Account, *Problem) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	cached := r.entries[merchant.UID]
	// A caller with an outdated Merchant (from a lagging cache) gets the Account of the newer one.
	if cached == nil || cached.generation < merchant.Generation {
		return nil, nil
	}
	now := r.options.Clock.Now()
	age := now.Sub(cached.readTime)
	switch {
	case cached.account == nil && age <= min(r.options.RefreshAfter, retryAfter):
		return nil, cached.problem
	case cached.account != nil && age <= r.refreshAfter(cached.account):
		return cached.account, nil
	case cached.account != nil && now.Before(cached.retryTime) && age <= maxStaleness:
		return cached.account, nil
	default:
		return nil, nil
	}
}

// refreshAfter is shorter while the Merchant's protocol can't be used, so that a corrected Secret
// takes effect soon.
func (r *Registry) refreshAfter(account *Account) time.Duration {
	if account.unusable() != nil {
		return min(r.options.RefreshAfter, retryAfter)
	}
	return r.options.RefreshAfter
}

// staleAccount returns the Account that is still used although its Secrets could not be read again,
// or nil.
func (r *Registry) staleAccount(merchant *v1alpha1.Merchant) *Account {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	cached := r.entries[merchant.UID]
	now := r.options.Clock.Now()
	// A changed spec may name another Secret or host, so the old Account can't be used.
	if cached == nil || cached.account == nil || cached.generation < merchant.Generation || now.Sub(cached.readTime) > maxStaleness {
		return nil
	}
	cached.retryTime = now.Add(retryAfter)
	return cached.account
}

func (r *Registry) hasAccount(uid types.UID) bool {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.entries[uid] != nil && r.entries[uid].account != nil
}

// Reads of Secrets, which all waiting callers share, have a deadline. It is shorter if there is an
// Account to fall back to, since a callback has only a few seconds.
const (
	readDeadline    = 10 * time.Second
	refreshDeadline = 2 * time.Second
)

func (r *Registry) read(ctx context.Context, merchant *v1alpha1.Merchant) (*Account, error) {
	deadline := readDeadline
	if r.hasAccount(merchant.UID) {
		deadline = refreshDeadline
	}
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()

	in, err := r.readInputs(ctx, merchant)
	if err == nil {
		account, changed, err := r.replaceIfChanged(merchant, in)
		if changed {
			r.notifyRestored(client.ObjectKeyFromObject(merchant))
			r.notify(client.ObjectKeyFromObject(merchant))
		}
		return account, err
	}
	if problem, ok := AsProblem(err); ok {
		r.dropUnusable(merchant, problem)
		return nil, err
	}
	if stale := r.staleAccount(merchant); stale != nil {
		return stale, nil
	}
	return nil, err
}

// dropUnusable drops an Account whose credentials are missing or invalid. It is not called when the
// API server does not answer.
func (r *Registry) dropUnusable(merchant *v1alpha1.Merchant, problem *Problem) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if cached := r.entries[merchant.UID]; cached != nil {
		cached.drop()
	}
	r.entries[merchant.UID] = &entry{problem: problem, readTime: r.options.Clock.Now(), generation: merchant.Generation}
}

// replaceIfChanged returns the existing Account if nothing changed, so that connections and limits
// are kept, and a new one otherwise. The rate limits belong to the quota of the merchant number,
// which the new Account joins when its key is proven. changed reports whether an earlier result was
// replaced.
func (r *Registry) replaceIfChanged(merchant *v1alpha1.Merchant, in *inputs) (account *Account, changed bool, err error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	now := r.options.Clock.Now()
	cached := r.entries[merchant.UID]
	if cached != nil && cached.account != nil && cached.account.Version == in.version {
		r.rememberKeys(in, now)
		cached.readTime, cached.generation, cached.retryTime = now, merchant.Generation, time.Time{}
		cached.account.joinIfProven(merchant)
		return cached.account, false, nil
	}
	key := client.ObjectKeyFromObject(merchant)
	account = &Account{
		Certificate: describe(in.certificate.leaf), CertificateProblem: in.certificate.problem, HasCertificate: in.certificate.pair != nil,
		Version: in.version, endpoint: in.endpoint,
		connections: map[v1alpha1.Protocol]*Connection{},
		notify:      func() { r.notify(key) }, credentialsRestored: func() { r.notifyRestored(key) },
	}
	if cached != nil {
		cached.drop()
	} else {
		r.dropUnused(now)
	}
	account.member = r.newMembership(key, hosts.Canonical(in.settings.Endpoint), IDOf(merchant))
	for protocol, protocolIn := range in.protocols {
		account.connections[protocol] = r.connect(account, in, protocol, protocolIn, now)
	}
	account.Connection = account.connections[protocols.OfMerchant(merchant)]
	if !account.usable() {
		account.close()
		r.entries[merchant.UID] = &entry{problem: account.problem, readTime: now, generation: merchant.Generation}
		return nil, cached != nil, account.problem
	}
	account.joinIfProven(merchant)
	r.entries[merchant.UID] = &entry{account: account, readTime: now, generation: merchant.Generation}
	return account, cached != nil, nil
}

// usable reports whether some protocol of the Account can be used.
func (a *Account) usable() bool {
	for _, connection := range a.connections {
		if connection.problem == nil {
			return true
		}
	}
	return false
}

// close ends the Account. Calls in flight continue.
func (a *Account) close() {
	a.member.close()
	for _, connection := range a.connections {
		if connection.close != nil {
			connection.close()
		}
	}
}

// rememberKeys records that the keys are in use.
func (r *Registry) rememberKeys(in *inputs, now time.Time) {
	for _, protocolIn := range in.protocols {
		if protocolIn.problem == nil {
			r.memoryOf(in, protocolIn, now)
		}
	}
}

func (r *Registry) memoryOf(in *inputs, protocolIn *protocolInputs, now time.Time) *memoryOfKey {
	return r.memory(in.settings.MchID, protocolIn.secrets.Key, in.endpoint, now)
}

// connect opens a protocol of an Account.
func (r *Registry) connect(account *Account, in *inputs, name v1alpha1.Protocol, protocolIn *protocolInputs, now time.Time) *Connection {
	if protocolIn.problem != nil {
		return &Connection{Protocol: name, problem: protocolIn.problem, health: &credentialHealth{}}
	}
	memory := r.memoryOf(in, protocolIn, now)
	settings := in.settings
	settings.Answers, settings.Certificates, settings.Changed = memory.answers, memory.certificates, account.notify
	opened, err := protocolIn.protocol.Open(settings, protocolIn.secrets)
	if err != nil {
		return &Connection{Protocol: name, health: &credentialHealth{}, problem: &Problem{
			v1alpha1.ReasonInvalidEndpoint, fmt.Sprintf("The Merchant can't be used: %v", err)}}
	}
	health := &credentialHealth{}
	return &Connection{
		Caller:           &limitedCaller{Caller: opened, member: account.member, health: health, clock: r.options.Clock},
		Protocol:         name,
		Receiver:         opened.Receiver,
		KeyName:          protocolIn.protocol.KeyForm().Name,
		PaymentNotifyURL: protocolIn.payment, RefundNotifyURL: protocolIn.refund, NotPublic: notPublicURL(protocolIn.payment),
		CertificateUse: protocolIn.certificateUse,
		ProbeKeys:      callbackprobe.NewKeys(opened.Shared...),
		keyIDs:         opened.KeyIDs, verifiers: opened.Verifiers, clockSkew: opened.ClockSkew,
		acceptedUnsigned: protocolIn.protocol.AcceptedUnsigned,
		health:           health, changed: account.notify, close: opened.Close, NotifyProblem: protocolIn.notifyProblem,
	}
}

// dropUnused removes Merchants on replicas that do not lead, where Forget is not called.
func (r *Registry) dropUnused(now time.Time) {
	if now.Sub(r.swept) < unusedTTL/60 {
		return
	}
	r.swept = now
	for uid, cached := range r.entries {
		if now.Sub(cached.readTime) > unusedTTL {
			r.forget(uid)
		}
	}
	r.dropUnusedAnswers(now)
}
