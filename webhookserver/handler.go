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

// maxBody is ample: a callback has some 4 KiB at most.
const maxBody = 64 << 10

// settleDeadline leaves some of the five seconds that WeChat waits for the answer (chapter 9_7).
const settleDeadline = 4500 * time.Millisecond

// Handler settles callbacks.
type Handler struct {
	// Client reads from the cache and writes to the API server.
	Client client.Client
	// APIReader reads from the API server.
	APIReader client.Reader
	// Registry hands out Gateways.
	Registry *account.Registry
	// Recorder writes events for what needs a person's eye.
	Recorder events.EventRecorder
	// Clock is the real one but in tests.
	Clock clock.PassiveClock
	// Log gets lines about callbacks that were not recorded, of many alike a few; nothing of the body.
	Log logr.Logger

	// What callbacks may take from those of others.
	tokens            buckets[tenantKey]
	inFlight          keyedSemaphore
	activeByNamespace *tenantShares
	parsing           *parsing
	inquiries         inquiries
	logSampler        *logSampler
}

// Routes are the callback URLs. Anything else is not found, and any method but POST not allowed.
func (h *Handler) Routes() http.Handler {
	h.logSampler, h.activeByNamespace, h.parsing = newLogSampler(h.Clock), newTenantShares(maxConnections), newParsing()
	mux := http.NewServeMux()
	for path, protocol := range protocols.ByPath() {
		for kind, settle := range map[wechatpay.CallbackKind]func(context.Context, *callback) result{
			wechatpay.PaymentCallback: h.payment, wechatpay.RefundCallback: h.refund,
		} {
			mux.HandleFunc(fmt.Sprintf("POST /notify/%s/{namespace}/{name}/%s", path, kind), h.serve(protocol, string(kind), settle))
		}
	}
	return mux
}

// callback is one callback with what its path says.
type callback struct {
	protocol wechatpay.Protocol
	merchant *v1alpha1.Merchant
	account  *account.Account
	kind     string
	header   http.Header
	body     []byte
	log      logr.Logger
}

func (c *callback) merchantKey() types.NamespacedName { return client.ObjectKeyFromObject(c.merchant) }

// tenantKey is what it shares with the other callbacks of its Merchant and kind.
func (c *callback) tenantKey() tenantKey { return tenantKey{c.kind, c.merchantKey()} }

// serve reads a callback, settles it, answers and counts.
func (h *Handler) serve(protocol wechatpay.Protocol, kind string, settle func(context.Context, *callback) result) http.HandlerFunc {
	return func(w http.ResponseWriter, request *http.Request) {
		// A client that hangs up does not stop what is being stored.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(request.Context()), settleDeadline)
		defer cancel()
		began := h.Clock.Now()
		outcome := h.handle(ctx, w, request, &callback{protocol: protocol, kind: kind, header: request.Header}, settle)
		outcome.count(kind, h.Clock.Since(began))
		outcome.write(w, protocol)
	}
}

// handle does what costs least first: what is too large, and a path that names no Merchant, or one that is known not to be ready,
// is refused before the body is read; and only a tenant that leaves room for others goes on.
func (h *Handler) handle(ctx context.Context, w http.ResponseWriter, request *http.Request, c *callback, settle func(context.Context, *callback) result) result {
	key := types.NamespacedName{Namespace: request.PathValue("namespace"), Name: request.PathValue("name")}
	if !couldExist(key) {
		return refused(http.StatusNotFound, "no such merchant")
	}
	if request.ContentLength > maxBody {
		w.Header().Set("Connection", "close") // or else the body would be waited for, to be thrown away
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
	if !h.activeByNamespace.take(key.Namespace) {
		return c.tooMany()
	}
	defer h.activeByNamespace.giveBack(key.Namespace)
	requestWasRead(ctx)
	if c.account, err = h.Registry.Get(ctx, c.merchant); err != nil {
		return c.notReady(err)
	}
	if callbackprobe.IsProbe(c.body) {
		return c.answerProbe(h.Clock.Now())
	}
	return settle(ctx, c)
}

func (c *callback) notReady(err error) result {
	c.log.Info("Could not check a callback: the Merchant is not ready", "problem", err.Error())
	return failed("merchant is not ready")
}

// claims decides whose numbers they are. This process makes no first calls.
func (h *Handler) claims() *claims.Claims {
	return &claims.Claims{Cached: h.Client, APIReader: h.APIReader, Clock: h.Clock}
}

// mayTake takes a token of a Merchant, and one of those of its namespace.
func (h *Handler) mayTake(from tenantKey, perSecond int) bool {
	now := h.Clock.Now()
	if taken, _ := h.tokens.take(from, perSecond, perSecond, now); !taken {
		return false
	}
	taken, _ := h.tokens.take(from.ofNamespace(), perNamespace*perSecond, perNamespace*perSecond, now)
	return taken
}

// looking reads from the API server on behalf of a callback, as long as its Merchant has tokens for that.
func (h *Handler) looking(c *callback) client.Reader {
	look := tenantKey{"look", c.merchantKey()}
	allow := func() bool { return h.mayTake(look, looksPerSecond) }
	return limitedReader{h.APIReader, allow, &h.inFlight, look}
}

// unproven: the callback was made with a key of the Merchant's that WeChat has not taken yet, in no answer that verified. Whoever
// may change the Merchant or its Secret may have chosen that key. The leader finds out within half a minute, when it looks at the
// Secret, and WeChat comes again.
func (c *callback) unproven() result {
	c.account.NoteUnprovenCallback()
	c.log.Info("A callback was made with a key that WeChat Pay has not taken yet; WeChat Pay will ask again, while the key is tried")
	return result{label: "unproven", status: http.StatusServiceUnavailable, reason: "key not proven yet"}
}

// tooMany: so many callbacks of the Merchant, or of its namespace, are being settled already that this one has to come again.
func (c *callback) tooMany() result {
	c.log.Info("Too many callbacks at once; WeChat Pay will ask again")
	return failed("too many callbacks")
}

// reporter makes known what became of an Order or a Refund by a callback.
func (h *Handler) reporter(operation wechatpay.Operation) report.Reporter {
	return report.Reporter{Recorder: h.Recorder, By: metrics.ByCallback, Log: h.Log.WithValues("operation", string(operation), "outcome", "Succeeded")}
}

// couldExist keeps what is no name out of look-ups and logs: a path may hold anything, escaped slashes and line breaks too.
func couldExist(key types.NamespacedName) bool {
	return len(validation.IsDNS1123Label(key.Namespace)) == 0 && len(validation.IsDNS1123Subdomain(key.Name)) == 0
}

// unreadable logs why a callback was refused, in the Gateway's words, which never hold any of the body.
func (c *callback) unreadable(err error) result {
	if errors.Is(err, errBusy) {
		return c.tooMany()
	}
	if e, ok := errors.AsType[*wechatpay.Error](err); ok {
		c.log.Info("Refused a callback", "problem", e.Error())
	} else {
		c.log.Info("Refused a callback that could not be verified")
	}
	return refused(http.StatusForbidden, "not verified")
}
