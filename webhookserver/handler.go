package webhookserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/tools/events"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/callbackprobe"
	"github.com/wechatpay-operator/wechatpay-operator/internal/claims"
	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
	"github.com/wechatpay-operator/wechatpay-operator/internal/nsfilter"
	"github.com/wechatpay-operator/wechatpay-operator/internal/report"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/protocols"
)

// maxBody is ample: a callback has at most some 4 KiB.
const maxBody = 64 << 10

// answerDeadline leaves a margin within the five seconds that WeChat waits for the answer (chapter
// 9_7).
const answerDeadline = 4500 * time.Millisecond

// Handler receives callbacks, and stores what they prove.
type Handler struct {
	// Client reads from the cache and writes to the API server.
	Client client.Client
	// APIReader reads from the API server.
	APIReader client.Reader
	// Registry has the keys that callbacks are verified with.
	Registry *account.Registry
	// Calls are those that reconcilers of this process have in flight; nil if none run in it.
	Calls *claims.Calls
	// Recorder writes events that need a person's attention.
	Recorder events.EventRecorder
	// Clock is replaced only in tests.
	Clock clock.PassiveClock
	// Log gets sampled lines about callbacks that were not recorded, without their bodies.
	Log logr.Logger

	// These limit how much the callbacks of one tenant can delay those of others.
	tokens            buckets[tenantKey]
	inFlight          keyedSemaphore
	activeByNamespace *tenantShares
	parseSemaphores   *parseSemaphores
	refundQueries     refundQueries
	logSampler        *logSampler
}

// Routes returns the handler of the callback URLs. Any other path gets 404, and any other method
// than POST 405.
func (h *Handler) Routes() http.Handler {
	h.logSampler, h.activeByNamespace, h.parseSemaphores = newLogSampler(h.Clock), newTenantShares(maxConnections), newParseSemaphores()
	mux := http.NewServeMux()
	for _, protocol := range protocols.Names() {
		for kind, record := range map[wechatpay.CallbackKind]recordFunc{wechatpay.PaymentCallback: h.payment, wechatpay.RefundCallback: h.refund} {
			mux.HandleFunc(fmt.Sprintf("POST /notify/%s/{namespace}/{name}/%s", protocols.Path(protocol), kind), h.serve(protocol, string(kind), record))
		}
	}
	return mux
}

// callback is a callback and the Merchant that its path names.
type callback struct {
	// protocol is that of the path, which may be another than the Merchant's, and connection is the
	// Merchant's in it.
	protocol   v1alpha1.Protocol
	connection *account.Connection
	merchant   *v1alpha1.Merchant
	account    *account.Account
	kind       string
	header     http.Header
	body       []byte
	log        logr.Logger
}

// recordFunc records what a callback says about a payment or a refund.
type recordFunc func(context.Context, *callback, wechatpay.Notification) result

func (c *callback) merchantKey() types.NamespacedName { return client.ObjectKeyFromObject(c.merchant) }

// tenantKey is shared by all callbacks of the same Merchant and kind.
func (c *callback) tenantKey() tenantKey { return tenantKey{c.kind, c.merchantKey()} }

// serve reads a callback, handles it, answers and counts.
func (h *Handler) serve(protocol v1alpha1.Protocol, kind string, record recordFunc) http.HandlerFunc {
	spoken, _ := protocols.Of(protocol)
	return func(w http.ResponseWriter, request *http.Request) {
		// If the client disconnects, the write in progress continues.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(request.Context()), answerDeadline)
		defer cancel()
		started := h.Clock.Now()
		outcome := h.handle(ctx, w, request, &callback{protocol: protocol, kind: kind, header: request.Header}, record)
		outcome.count(kind, h.Clock.Since(started))
		outcome.write(w, spoken)
	}
}

// handle does the cheapest checks first: a body that is too large, and a path without a Merchant or
// with one known not to be ready, are refused before the body is read; then the tenant's share is
// checked.
func (h *Handler) handle(ctx context.Context, w http.ResponseWriter, request *http.Request, c *callback, record recordFunc) result {
	key := types.NamespacedName{Namespace: request.PathValue("namespace"), Name: request.PathValue("name")}
	if !couldExist(key) {
		return refused(http.StatusNotFound, "no such merchant")
	}
	if request.ContentLength > maxBody {
		w.Header().Set("Connection", "close") // otherwise the server would read and discard the body
		return refused(http.StatusRequestEntityTooLarge, "body too large")
	}
	c.log = h.logSampler.sample(h.Log.WithValues("callback", c.kind, "merchant", klog.KRef(key.Namespace, key.Name)), tenantKey{c.kind, key})
	c.merchant = &v1alpha1.Merchant{}
	if err := h.Client.Get(ctx, key, c.merchant); err != nil {
		if _, outside := errors.AsType[*nsfilter.NotWatchedError](err); outside || apierrors.IsNotFound(err) {
			return refused(http.StatusNotFound, "no such merchant")
		}
		h.logSampler.sample(h.Log, tenantKey{kind: c.kind}).Error(err, "Failed to read the Merchant of a callback")
		return failed("merchant could not be read")
	}
	if protocols.CredentialsOf(c.protocol, c.merchant).Secret == "" {
		return refused(http.StatusNotFound, "no such merchant") // it has no key for callbacks of this protocol
	}
	if problem := h.Registry.KnownProblem(c.merchant); problem != nil {
		return c.notReady(problem)
	}
	var err error
	if c.body, err = io.ReadAll(http.MaxBytesReader(w, request.Body, maxBody)); err != nil {
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			return refused(http.StatusRequestEntityTooLarge, "body too large")
		}
		return refused(http.StatusBadRequest, "body could not be read")
	}
	if !h.activeByNamespace.acquire(key.Namespace) {
		return c.tooMany()
	}
	defer h.activeByNamespace.release(key.Namespace)
	requestWasRead(ctx)
	if c.account, c.connection, err = h.Registry.In(ctx, c.merchant, c.protocol); err != nil {
		return c.notReady(err)
	}
	if callbackprobe.IsProbe(c.body) {
		return c.answerProbe(h.Clock.Now())
	}
	return h.verifyAndRecord(ctx, c, record)
}

// verifyAndRecord verifies a callback, and records it if its key is proven and it is about a
// payment or a refund.
func (h *Handler) verifyAndRecord(ctx context.Context, c *callback, record recordFunc) result {
	notification, err := h.parse(ctx, c, wechatpay.CallbackKind(c.kind))
	switch {
	case err != nil:
		return c.unreadable(err)
	case !c.account.Believes(c.merchant, c.connection, notification.KeyID):
		return c.unproven()
	}
	c.connection.RecordKeyMatch()
	if isOfOthers(notification) {
		return c.notOurs()
	}
	return record(ctx, c, notification)
}

func (c *callback) notReady(err error) result {
	c.log.Info("Could not check a callback: the Merchant is not ready", "problem", err.Error())
	return failed("merchant is not ready")
}

// claims decides which object owns a number. The calls of other processes are not known here: until
// their results are stored, the oldest object has the number.
func (h *Handler) claims() *claims.Claims {
	return &claims.Claims{Cached: h.Client, APIReader: h.APIReader, Clock: h.Clock, Calls: h.Calls}
}

// takeTokens takes a token of a Merchant, and one of its namespace.
func (h *Handler) takeTokens(key tenantKey, perSecond int) bool {
	now := h.Clock.Now()
	if taken, _ := h.tokens.take(key, perSecond, perSecond, now); !taken {
		return false
	}
	taken, _ := h.tokens.take(key.ofNamespace(), perNamespace*perSecond, perNamespace*perSecond, now)
	return taken
}

// lookupReader returns a reader of the API server that is limited by the Merchant's tokens.
func (h *Handler) lookupReader(c *callback) client.Reader {
	look := tenantKey{"look", c.merchantKey()}
	allow := func() bool { return h.takeTokens(look, lookupsPerSecond) }
	return limitedReader{h.APIReader, allow, &h.inFlight, look}
}

// notOurs: a genuine callback about something that is not this operator's, such as profit sharing.
func (c *callback) notOurs() result {
	c.log.Info("A genuine callback is about something that is not the operator's; it is confirmed and nothing is done")
	return ignored()
}

// unproven: the callback uses a key of the Merchant that WeChat has not accepted yet. A user who
// can change the Merchant or its Secret may have chosen that key. The leader probes it within half
// a minute, when it reads the Secret, and WeChat repeats the callback.
func (c *callback) unproven() result {
	c.account.RecordUnprovenCallback()
	c.log.Info("A callback uses a key that WeChat Pay has not accepted yet; the key is probed, and WeChat Pay will repeat the callback")
	return result{label: "unproven", status: http.StatusServiceUnavailable, reason: "key not proven yet"}
}

// tooMany: too many callbacks of the Merchant or of its namespace are being handled.
func (c *callback) tooMany() result {
	c.log.Info("Too many callbacks at once; WeChat Pay will repeat it")
	return failed("too many callbacks")
}

// reporter reports the result of a callback for an Order or a Refund.
func (h *Handler) reporter(operation wechatpay.Operation) report.Reporter {
	return report.Reporter{Recorder: h.Recorder, By: metrics.ByCallback, Log: h.Log.WithValues("operation", string(operation), "outcome", "Succeeded")}
}

// couldExist keeps invalid names out of lookups and logs: a path can contain anything, such as
// escaped slashes and line breaks.
func couldExist(key types.NamespacedName) bool {
	return len(validation.IsDNS1123Label(key.Namespace)) == 0 && len(validation.IsDNS1123Subdomain(key.Name)) == 0
}

// unreadable logs why a callback was refused. The error never contains parts of the body.
func (c *callback) unreadable(err error) result {
	if errors.Is(err, errBusy) {
		return c.tooMany()
	}
	if e, ok := errors.AsType[*wechatpay.Error](err); ok {
		if e.Meaning == wechatpay.KeyMismatch {
			c.connection.RecordKeyMismatch()
		}
		c.log.Info("Refused a callback", "problem", e.Error())
	} else {
		c.log.Info("Refused a callback that could not be verified")
	}
	return refused(http.StatusForbidden, "not verified")
}
