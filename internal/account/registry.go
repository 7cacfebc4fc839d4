// Package account turns a Merchant and its Secrets into a Caller that is ready for use, and keeps it until they change.
package account

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/callbackprobe"
	"github.com/wechatpay-operator/wechatpay-operator/internal/hosts"
	"github.com/wechatpay-operator/wechatpay-operator/internal/text"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/protocols"
)

// Options tune a Registry. The zero value of a field means its default.
type Options struct {
	// NotifyBaseURL is the manager's --notify-base-url, for Merchants without their own.
	NotifyBaseURL string
	// EndpointHosts are the hosts that Merchants may name as their endpoint; WeChat's own by default.
	EndpointHosts hosts.List
	// CallbacksOnly is for a process that places no orders and makes no refunds: it needs no address for callbacks, and leaves
	// client certificates unread, so that it needs no right to them.
	CallbacksOnly bool
	// UserAgent is sent with every call.
	UserAgent string
	// RefreshAfter is how old credentials may get before their Secrets are read again; 30 s by default.
	RefreshAfter time.Duration
	// Limits that each Merchant gets.
	Limits Limits
	// Timeouts of calls to WeChat.
	Timeouts wechatpay.Timeouts
	// Clock is the real one by default.
	Clock clock.PassiveClock
}

// Registry keeps an Account for each Merchant, by UID. Secrets are read live and only by name, so that no list or watch on
// Secrets is needed, and a changed one takes effect within RefreshAfter.
type Registry struct {
	secrets client.Reader
	options Options
	flights singleflight.Group

	mutex   sync.Mutex
	entries map[types.UID]*entry
	swept   time.Time
	// accounts are WeChat's view of merchant numbers, which several Merchants may share. places are all Merchants'.
	accounts    *quotas
	concurrency map[Workers]*concurrencyLimit
	// answers are those that were taken, by the key that they are signed with.
	answers map[answersKey]*answersOfKey
	// listener is told of Merchants of which something new is known.
	listener atomic.Pointer[func(types.NamespacedName)]
	// restoredListeners are told of Merchants whose credentials are others than before, or are taken again.
	restoredListeners []func(types.NamespacedName)
	// proofs are the hosts that have shown that they are WeChat Pay.
	proofs proofs
}

type entry struct {
	// handle is nil while the credentials can't be used; problem then says why.
	handle     *Account
	problem    *Problem
	generation int64
	// readTime is when the Secrets were last read, and retryTime, after a read that failed, when they are tried next.
	readTime, retryTime time.Time
}

const (
	// servedFor is how long an Account outlives the last reading of its Secrets when the API server does not answer. A hiccup
	// must not stop payments, and a key that was taken away must not work for ever.
	servedFor = 5 * time.Minute
	// retryAfter is the pause between readings that fail, while an Account is served all the same or there is none: thousands
	// of Orders may wait for one Secret.
	retryAfter = 5 * time.Second
	// unusedFor is after how long a Merchant that nobody asked for is dropped. Forget is called on the leader only.
	unusedFor = time.Hour
)

// NewRegistry returns a Registry that reads Secrets with the given reader, which must not be a cache.
func NewRegistry(secrets client.Reader, options Options) *Registry {
	if options.RefreshAfter == 0 {
		options.RefreshAfter = 30 * time.Second
	}
	if options.Clock == nil {
		options.Clock = clock.RealClock{}
	}
	if options.EndpointHosts.IsZero() {
		options.EndpointHosts = hosts.MustParse(hosts.WeChats)
	}
	options.Limits = options.Limits.orDefaults()
	r := &Registry{
		secrets: secrets, options: options, entries: map[types.UID]*entry{},
		accounts: newQuotas(options.Limits, options.Clock), concurrency: map[Workers]*concurrencyLimit{},
		answers: map[answersKey]*answersOfKey{},
	}
	for _, workers := range []Workers{OrderWorkers, RefundWorkers, MerchantWorkers, CallbackWorkers} {
		r.concurrency[workers] = newConcurrencyLimit(options.Limits)
	}
	return r
}

// Get returns the Account of a Merchant. A *Problem says why there is none; any other error is the API server's.
func (r *Registry) Get(ctx context.Context, merchant *v1alpha1.Merchant) (*Account, error) {
	if handle, problem := r.fresh(merchant); problem != nil {
		return nil, problem
	} else if handle != nil {
		return handle, nil
	}
	// Many Orders of one Merchant ask at the same moment; one read of the Secrets serves them all. It goes on when the caller
	// that began it does not wait any longer, as a callback that has to be answered.
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

// KnownProblem is why a Merchant can't be used, as far as that was read a moment ago; it reads nothing.
func (r *Registry) KnownProblem(merchant *v1alpha1.Merchant) *Problem {
	_, problem := r.fresh(merchant)
	return problem
}

// Places are how many calls may be under way at once for one kind of workers.
func (r *Registry) Places() int { return r.options.Limits.Places }

// Listen has a function told of each Merchant of which something new is known: that its calls are paused, or go on again, or
// what WeChat says of its credentials. It is called in the middle of calls, so it must return at once.
func (r *Registry) Listen(listener func(types.NamespacedName)) { r.listener.Store(&listener) }

func (r *Registry) notify(merchant types.NamespacedName) {
	if listener := r.listener.Load(); listener != nil {
		(*listener)(merchant)
	}
}

// OnCredentialsRestored has a function told of each Merchant whose credentials changed, or are taken by WeChat after they were not: what did not
// work may work now. It must return at once, and not call the Registry.
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

// BeginLeading is called when this process begins to make refund requests. A leader that stops hands over at once, so what it
// had failing in its last second counts here: the budgets of failures start used up, as those of an account that is met later do.
func (r *Registry) BeginLeading() { r.accounts.drain() }

// Forget drops what is kept for a Merchant that is gone.
func (r *Registry) Forget(uid types.UID) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.forget(uid)
}

func (r *Registry) forget(uid types.UID) {
	if known := r.entries[uid]; known != nil {
		known.drop()
		delete(r.entries, uid)
	}
}

// drop lets go of the Account. Calls under way go on.
func (e *entry) drop() {
	if e.handle != nil {
		e.handle.close()
		e.handle = nil
	}
}

// fresh returns what was read a short while ago: an Account, or the Problem that there is none.
func (r *Registry) fresh(merchant *v1alpha1.Merchant) (*Account, *Problem) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	known := r.entries[merchant.UID]
	// A caller whose Merchant is behind (a cache that lags) gets what is known of the newer one.
	if known == nil || known.generation < merchant.Generation {
		return nil, nil
	}
	now := r.options.Clock.Now()
	age := now.Sub(known.readTime)
	switch {
	case known.handle == nil && age <= min(r.options.RefreshAfter, retryAfter):
		return nil, known.problem
	case known.handle != nil && age <= r.options.RefreshAfter:
		return known.handle, nil
	case known.handle != nil && now.Before(known.retryTime) && age <= servedFor:
		return known.handle, nil
	default:
		return nil, nil
	}
}

// afterFailure returns the Account that is served although its Secrets could not be read again, if there is one.
func (r *Registry) afterFailure(merchant *v1alpha1.Merchant) *Account {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	known := r.entries[merchant.UID]
	now := r.options.Clock.Now()
	// A changed spec may name another Secret or host, so what was made for the old one does not do.
	if known == nil || known.handle == nil || known.generation < merchant.Generation || now.Sub(known.readTime) > servedFor {
		return nil
	}
	known.retryTime = now.Add(retryAfter)
	return known.handle
}

func (r *Registry) hasHandle(uid types.UID) bool {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.entries[uid] != nil && r.entries[uid].handle != nil
}

// The reading of Secrets, which all waiting callers share, is bounded: more tightly where there is an Account to go on with, as
// a callback has only a few seconds.
const (
	readDeadline    = 10 * time.Second
	refreshDeadline = 2 * time.Second
)

func (r *Registry) read(ctx context.Context, merchant *v1alpha1.Merchant) (*Account, error) {
	deadline := readDeadline
	if r.hasHandle(merchant.UID) {
		deadline = refreshDeadline
	}
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()

	parts, err := r.gather(ctx, merchant)
	if err == nil {
		handle, changed, err := r.keep(merchant, parts)
		if changed {
			r.notifyRestored(client.ObjectKeyFromObject(merchant))
		}
		return handle, err
	}
	if problem, ok := AsProblem(err); ok {
		r.dropUnusable(merchant, problem)
		return nil, err
	}
	if served := r.afterFailure(merchant); served != nil {
		return served, nil
	}
	return nil, err
}

// dropUnusable forgets an Account whose credentials are gone or bad. An API server that does not answer is no reason to.
func (r *Registry) dropUnusable(merchant *v1alpha1.Merchant, problem *Problem) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if known := r.entries[merchant.UID]; known != nil {
		known.drop()
	}
	r.entries[merchant.UID] = &entry{problem: problem, readTime: r.options.Clock.Now(), generation: merchant.Generation}
}

// parts are what an Account is made of.
type parts struct {
	protocol           wechatpay.Protocol
	settings           wechatpay.Settings
	secrets            wechatpay.Secrets
	payment, refund    string
	description        *v1alpha1.MerchantCertificate
	certificateProblem *Problem
	version, endpoint  string
}

func (r *Registry) gather(ctx context.Context, merchant *v1alpha1.Merchant) (*parts, error) {
	protocol, known := protocols.Of(merchant.Spec.Protocol)
	if !known {
		return nil, &Problem{v1alpha1.ReasonInvalidEndpoint, fmt.Sprintf("This operator does not speak the protocol %s of spec.protocol: update it, or choose another", merchant.Spec.Protocol)}
	}
	primary, backup, problem := endpoints(merchant, r.options.EndpointHosts)
	if problem != nil {
		return nil, problem
	}
	payment, refund, problem := notifyURLs(merchant, r.options.NotifyBaseURL, primary)
	if problem != nil && !r.options.CallbacksOnly {
		return nil, problem
	}
	bundle := bundleOf(merchant)
	roots, problem := rootCAs(bundle)
	if problem != nil {
		return nil, problem
	}
	keySecret, err := r.secret(ctx, merchant, merchant.Spec.APIKeySecretRef.Name, "the API key", "spec.apiKeySecretRef")
	if err != nil {
		return nil, err
	}
	keys, problem := readAPIKeys(merchant, keySecret, protocol.KeyForm())
	if problem != nil {
		return nil, problem
	}
	certificate, err := r.certificate(ctx, merchant)
	if err != nil {
		return nil, err
	}
	return &parts{
		protocol: protocol,
		settings: wechatpay.Settings{
			MchID: merchant.Spec.MchID, Scheme: wechatpay.Scheme(merchant.Spec.SignType),
			Endpoint: primary, BackupEndpoint: backup, RootCAs: roots,
			UserAgent: r.options.UserAgent, Timeouts: r.options.Timeouts, Trust: newTrust(&r.proofs, bundle),
			Now: r.options.Clock.Now,
		},
		secrets:  wechatpay.Secrets{Key: keys.current, PreviousKey: keys.previous, Certificate: certificate.pair},
		endpoint: EndpointID(merchant),
		payment:  payment, refund: refund,
		description: describe(certificate.leaf), certificateProblem: certificate.problem,
		version: checksum([]byte(keys.current), []byte(keys.previous), certificate.raw, bundle,
			[]byte(primary.String()), []byte(backupOf(backup)), []byte(payment), []byte(merchant.Spec.SignType), []byte(certificate.message())),
	}, nil
}

// certificateParts are what a certificate Secret gave.
type certificateParts struct {
	pair    *tls.Certificate
	leaf    *x509.Certificate
	problem *Problem
	raw     []byte
}

func (c certificateParts) message() string {
	if c.problem == nil {
		return ""
	}
	return c.problem.Message
}

func backupOf(backup *url.URL) string {
	if backup == nil {
		return ""
	}
	return backup.String()
}

// certificate reads the client certificate. What is wrong with it stops refunds only, so it is no error.
func (r *Registry) certificate(ctx context.Context, merchant *v1alpha1.Merchant) (certificateParts, error) {
	reference := merchant.Spec.CertificateSecretRef
	if reference == nil || r.options.CallbacksOnly {
		return certificateParts{}, nil
	}
	secret, err := r.secret(ctx, merchant, reference.Name, "the client certificate", "spec.certificateSecretRef")
	if err != nil {
		if problem, ok := AsProblem(err); ok {
			problem.Message += ". Refunds stop until then, Orders do not"
			return certificateParts{problem: problem}, nil
		}
		return certificateParts{}, err
	}
	pair, leaf, problem := readCertificate(secret, merchant.Spec.MchID, r.options.Clock.Now())
	raw := append(append([]byte{}, secret.Data[corev1.TLSCertKey]...), secret.Data[corev1.TLSPrivateKeyKey]...)
	return certificateParts{pair: pair, leaf: leaf, problem: problem, raw: raw}, nil
}

func (r *Registry) secret(ctx context.Context, merchant *v1alpha1.Merchant, name, what, field string) (*corev1.Secret, error) {
	// The CRD takes no other names, but an object of before that rule may have one, and the client refuses it as if that could pass.
	if refused := validation.NameIsDNSSubdomain(name, false); len(refused) > 0 {
		return nil, &Problem{v1alpha1.ReasonSecretNotFound, fmt.Sprintf("No Secret with %s can have the name %q: write the name of an existing one in %s", what, text.Clean(name), field)}
	}
	secret := &corev1.Secret{}
	err := r.secrets.Get(ctx, types.NamespacedName{Namespace: merchant.Namespace, Name: name}, secret)
	if apierrors.IsNotFound(err) {
		return nil, &Problem{v1alpha1.ReasonSecretNotFound, fmt.Sprintf("Secret %s/%s with %s does not exist: create it, or name another in %s", merchant.Namespace, name, what, field)}
	}
	if apierrors.IsForbidden(err) {
		return nil, &Problem{v1alpha1.ReasonSecretNotFound, fmt.Sprintf("The operator may not read Secret %s/%s with %s: give its ServiceAccount the verb get on it", merchant.Namespace, name, what)}
	}
	return secret, err
}

// keep returns the Account that is there when nothing changed, so that connections and limits live on, and a new one
// otherwise. Limits belong to the account, of which the new one becomes a member when its key is proven.
// It says whether there was another one before, or a reason that there was none.
func (r *Registry) keep(merchant *v1alpha1.Merchant, made *parts) (handle *Account, changed bool, err error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	now := r.options.Clock.Now()
	made.settings.Answers = r.answersOf(made.settings.MchID, made.secrets.Key, now)
	known := r.entries[merchant.UID]
	if known != nil && known.handle != nil && known.handle.Version == made.version {
		known.readTime, known.generation, known.retryTime = now, merchant.Generation, time.Time{}
		known.handle.joinIfProven(merchant)
		return known.handle, false, nil
	}
	connection, err := made.protocol.Open(made.settings, made.secrets)
	if err != nil {
		return nil, false, &Problem{v1alpha1.ReasonInvalidEndpoint, fmt.Sprintf("The Merchant can't be used: %v", err)}
	}
	if known != nil {
		known.drop()
	} else {
		r.dropUnused(now)
	}
	suspicion := &credentialHealth{}
	member := r.memberOf(client.ObjectKeyFromObject(merchant), hosts.Canonical(made.settings.Endpoint), IDOf(merchant))
	handle = &Account{
		Caller:           &limitedCaller{Caller: connection, member: member, health: suspicion, clock: r.options.Clock},
		Receiver:         connection.Receiver,
		PaymentNotifyURL: made.payment, RefundNotifyURL: made.refund,
		Certificate: made.description, CertificateProblem: made.certificateProblem, HasCertificate: made.secrets.Certificate != nil,
		Version:       made.version,
		NotPublic:     notPublicURL(made.payment),
		CallbackCheck: callbackprobe.NewKeys(connection.Shared...),
		keyIDs:        connection.KeyIDs, endpoint: made.endpoint,
		member: member, health: suspicion, learned: func() { r.notify(member.merchant) },
		credentialsRestored: func() { r.notifyRestored(member.merchant) },
		close:               func() { member.close(); connection.Close() },
	}
	handle.joinIfProven(merchant)
	r.entries[merchant.UID] = &entry{handle: handle, readTime: now, generation: merchant.Generation}
	return handle, known != nil, nil
}

// dropUnused keeps replicas that do not lead, and so are not told to forget, from keeping Merchants that are gone.
func (r *Registry) dropUnused(now time.Time) {
	if now.Sub(r.swept) < unusedFor/60 {
		return
	}
	r.swept = now
	for uid, known := range r.entries {
		if now.Sub(known.readTime) > unusedFor {
			r.forget(uid)
		}
	}
	r.dropUnusedAnswers(now)
}
