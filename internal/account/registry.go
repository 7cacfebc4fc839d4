// Package account creates a ready-to-use Caller from a Merchant and its Secrets, and keeps it until
// they change.
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
	// accounts are the quotas of merchant numbers, which several Merchants may share. concurrency
	// is shared by all Merchants.
	accounts    *quotas
	concurrency map[Workers]*concurrencyLimit
	// answers are the accepted answers, by the key that they are signed with.
	answers map[answersKey]*answersOfKey
	// listener is called with each Merchant whose state changed.
	listener atomic.Pointer[func(types.NamespacedName)]
	// restoredListeners are called with each Merchant whose credentials changed or are accepted
	// again.
	restoredListeners []func(types.NamespacedName)
	// proofs are the hosts that have proven to be WeChat Pay.
	proofs proofs
}

type entry struct {
	// account is nil while the credentials can't be used; problem then holds the reason.
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

// Get returns the Account of a Merchant. The error is a *Problem if there is none; any other error
// is the API server's.
func (r *Registry) Get(ctx context.Context, merchant *v1alpha1.Merchant) (*Account, error) {
	if account, problem := r.cached(merchant); problem != nil {
		return nil, problem
	} else if account != nil {
		return account, nil
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

// KnownProblem returns why a Merchant can't be used, from the cache; it reads nothing.
func (r *Registry) KnownProblem(merchant *v1alpha1.Merchant) *Problem {
	_, problem := r.cached(merchant)
	return problem
}

// Places returns how many calls may be in flight for one kind of workers.
func (r *Registry) Places() int { return r.options.Limits.Places }

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

// BeginLeading is called when this process starts to make refund requests. The previous leader may
// have had failing refunds in its last second, so the failure budgets start exhausted, as do those
// of quotas that are created later.
func (r *Registry) BeginLeading() { r.accounts.drain() }

// Forget drops what is kept for a deleted Merchant.
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
	known := r.entries[merchant.UID]
	// A caller with an outdated Merchant (from a lagging cache) gets the Account of the newer one.
	if known == nil || known.generation < merchant.Generation {
		return nil, nil
	}
	now := r.options.Clock.Now()
	age := now.Sub(known.readTime)
	switch {
	case known.account == nil && age <= min(r.options.RefreshAfter, retryAfter):
		return nil, known.problem
	case known.account != nil && age <= r.options.RefreshAfter:
		return known.account, nil
	case known.account != nil && now.Before(known.retryTime) && age <= maxStaleness:
		return known.account, nil
	default:
		return nil, nil
	}
}

// staleAccount returns the Account that is still used although its Secrets could not be read again,
// or nil.
func (r *Registry) staleAccount(merchant *v1alpha1.Merchant) *Account {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	known := r.entries[merchant.UID]
	now := r.options.Clock.Now()
	// A changed spec may name another Secret or host, so the old Account can't be used.
	if known == nil || known.account == nil || known.generation < merchant.Generation || now.Sub(known.readTime) > maxStaleness {
		return nil
	}
	known.retryTime = now.Add(retryAfter)
	return known.account
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

	parts, err := r.gather(ctx, merchant)
	if err == nil {
		account, changed, err := r.keep(merchant, parts)
		if changed {
			r.notifyRestored(client.ObjectKeyFromObject(merchant))
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
	if known := r.entries[merchant.UID]; known != nil {
		known.drop()
	}
	r.entries[merchant.UID] = &entry{problem: problem, readTime: r.options.Clock.Now(), generation: merchant.Generation}
}

// parts are the inputs of an Account.
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
		return nil, &Problem{v1alpha1.ReasonInvalidEndpoint, fmt.Sprintf("This operator does not support the protocol %s of spec.protocol: update the operator, or choose another protocol", merchant.Spec.Protocol)}
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
	partner := partnerOf(merchant)
	return &parts{
		protocol: protocol,
		settings: wechatpay.Settings{
			MchID: merchant.Spec.MchID, Scheme: wechatpay.Scheme(merchant.Spec.SignType),
			Endpoint: primary, BackupEndpoint: backup, RootCAs: roots, Partner: partner,
			UserAgent: r.options.UserAgent, Timeouts: r.options.Timeouts, Trust: newTrust(&r.proofs, bundle),
			Now: r.options.Clock.Now,
		},
		secrets:  wechatpay.Secrets{Key: keys.current, PreviousKey: keys.previous, Certificate: certificate.pair},
		endpoint: EndpointID(merchant),
		payment:  payment, refund: refund,
		description: describe(certificate.leaf), certificateProblem: certificate.problem,
		version: checksum([]byte(keys.current), []byte(keys.previous), certificate.raw, bundle,
			[]byte(primary.String()), []byte(backupOf(backup)), []byte(payment), []byte(merchant.Spec.SignType), []byte(certificate.message()), partnerVersion(partner)),
	}, nil
}

// certificateParts is the result of reading a certificate Secret.
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

// certificate reads the client certificate. A problem with it stops refunds only, so it is not an
// error.
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
	// The CRD rejects other names, but an object created before that rule may have one, and the
	// client's error for it would look temporary.
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

// keep returns the existing Account if nothing changed, so that connections and limits are kept,
// and a new one otherwise. The rate limits belong to the quota of the merchant number, which the
// new Account joins when its key is proven. changed reports whether an Account or a Problem existed
// before.
func (r *Registry) keep(merchant *v1alpha1.Merchant, made *parts) (account *Account, changed bool, err error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	now := r.options.Clock.Now()
	made.settings.Answers = r.answersOf(made.settings.MchID, made.secrets.Key, now)
	known := r.entries[merchant.UID]
	if known != nil && known.account != nil && known.account.Version == made.version {
		known.readTime, known.generation, known.retryTime = now, merchant.Generation, time.Time{}
		known.account.joinIfProven(merchant)
		return known.account, false, nil
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
	health := &credentialHealth{}
	member := r.newMembership(client.ObjectKeyFromObject(merchant), hosts.Canonical(made.settings.Endpoint), IDOf(merchant))
	account = &Account{
		Caller:           &limitedCaller{Caller: connection, member: member, health: health, clock: r.options.Clock},
		Receiver:         connection.Receiver,
		KeyName:          made.protocol.KeyForm().Name,
		PaymentNotifyURL: made.payment, RefundNotifyURL: made.refund,
		Certificate: made.description, CertificateProblem: made.certificateProblem, HasCertificate: made.secrets.Certificate != nil,
		Version:       made.version,
		NotPublic:     notPublicURL(made.payment),
		CallbackCheck: callbackprobe.NewKeys(connection.Shared...),
		keyIDs:        connection.KeyIDs, endpoint: made.endpoint,
		member: member, health: health, notify: func() { r.notify(member.merchant) },
		credentialsRestored: func() { r.notifyRestored(member.merchant) },
		close:               func() { member.close(); connection.Close() },
	}
	account.joinIfProven(merchant)
	r.entries[merchant.UID] = &entry{account: account, readTime: now, generation: merchant.Generation}
	return account, known != nil, nil
}

// dropUnused removes Merchants on replicas that do not lead, where Forget is not called.
func (r *Registry) dropUnused(now time.Time) {
	if now.Sub(r.swept) < unusedTTL/60 {
		return
	}
	r.swept = now
	for uid, known := range r.entries {
		if now.Sub(known.readTime) > unusedTTL {
			r.forget(uid)
		}
	}
	r.dropUnusedAnswers(now)
}
