package manager

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/controllers"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/callbackprobe/sender"
	"github.com/wechatpay-operator/wechatpay-operator/internal/claims"
	"github.com/wechatpay-operator/wechatpay-operator/internal/events"
	"github.com/wechatpay-operator/wechatpay-operator/internal/guard"
	"github.com/wechatpay-operator/wechatpay-operator/internal/index"
	"github.com/wechatpay-operator/wechatpay-operator/internal/ledger"
	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
	"github.com/wechatpay-operator/wechatpay-operator/internal/miniprogram"
	"github.com/wechatpay-operator/wechatpay-operator/internal/nsfilter"
	"github.com/wechatpay-operator/wechatpay-operator/internal/statement"
	"github.com/wechatpay-operator/wechatpay-operator/webhookserver"
)

// leaderElectionID is the name of the Lease; config/rbac permits only this one.
const leaderElectionID = "wechatpay-operator"

// GracefulShutdown is the time for work in progress to finish: callbacks first (15 s), then a call
// to WeChat Pay (30 s) and the write of its result (15 s). The Lease is released afterwards (10 s
// at most). The total is shorter than the Deployment's terminationGracePeriodSeconds.
const GracefulShutdown = 65 * time.Second

// Operator is the manager with its components.
type Operator struct {
	ctrl.Manager
	// Callbacks is the callback server; nil if another process receives callbacks.
	Callbacks *webhookserver.Server

	caches syncedCaches
}

// Run waits for the API server, then builds the operator and runs it until the context ends. A
// leader that can't renew its Lease in time ends with an error, so that never two leaders work;
// after its restart it waits here.
func Run(ctx context.Context, config *rest.Config, options Options) error {
	if err := options.Validate(); err != nil {
		return err
	}
	probes, err := serveProbes(options.HealthProbeBindAddress)
	if err != nil {
		return err
	}
	defer probes.close()
	log := options.Log
	if log.GetSink() == nil {
		log = ctrl.Log
	}
	options.mapper, err = awaitAPIServer(ctx, config, options.awaited(), options.Namespaces, log)
	if err != nil || options.mapper == nil {
		return err
	}
	operator, err := New(ctx, config, options)
	if err != nil {
		return err
	}
	probes.become(operator.readiness())
	return operator.Start(ctx)
}

// New builds the operator.
func New(ctx context.Context, config *rest.Config, options Options) (*Operator, error) {
	if err := options.Validate(); err != nil {
		return nil, err
	}
	mgr, err := ctrl.NewManager(config, managerOptions(options))
	if err != nil {
		return nil, fmt.Errorf("creating the manager: %w", err)
	}
	options.Accounts.NotifyBaseURL = options.NotifyBaseURL
	options.Accounts.UserAgent = cmp.Or(options.Accounts.UserAgent, "wechatpay-operator")
	if options.Accounts.Clock == nil {
		options.Accounts.Clock = clock.RealClock{}
	}
	options.Accounts.Limits = options.Accounts.Limits.ForWorkers(options.MaxConcurrentReconciles)
	options.Accounts.CallbacksOnly = !options.Controllers
	in := dependencies{
		client:    nsfilter.Client(mgr.GetClient(), options.Namespaces),
		apiReader: nsfilter.Reader(mgr.GetAPIReader(), options.Namespaces),
		options:   options,
	}
	in.registry = account.NewRegistry(in.apiReader, options.Accounts)
	in.claims = claims.New(in.client, in.apiReader, options.Accounts.Clock)
	if err := forgetDeleted(ctx, mgr.GetCache(), in.registry); err != nil {
		return nil, err
	}
	operator := &Operator{Manager: mgr}
	if err := operator.addReconcilers(ctx, in); err != nil {
		return nil, err
	}
	if err := operator.addCallbacks(ctx, in); err != nil {
		return nil, err
	}
	if err := operator.Add(&operator.caches); err != nil {
		return nil, fmt.Errorf("adding the check of the caches: %w", err)
	}
	return operator, nil
}

// dependencies are shared by the reconcilers and the callback server.
type dependencies struct {
	client    client.Client
	apiReader client.Reader
	registry  *account.Registry
	claims    *claims.Claims
	options   Options
}

// forgetDeleted drops the cached state and metrics of deleted Merchants. It runs on every replica,
// because each receives callbacks.
func forgetDeleted(ctx context.Context, informers cache.Cache, registry *account.Registry) error {
	merchants, err := informers.GetInformer(ctx, &v1alpha1.Merchant{}, cache.BlockUntilSynced(false))
	if err != nil {
		return fmt.Errorf("watching Merchants: %w", err)
	}
	_, err = merchants.AddEventHandler(toolscache.ResourceEventHandlerFuncs{DeleteFunc: func(object any) {
		if last, missed := object.(toolscache.DeletedFinalStateUnknown); missed {
			object = last.Obj
		}
		if deleted, ok := object.(*v1alpha1.Merchant); ok {
			registry.Forget(deleted.UID)
		}
	}})
	return err
}

func managerOptions(options Options) ctrl.Options {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			panic(err) // a kind is registered twice: a programming error
		}
	}
	return ctrl.Options{
		Scheme:         scheme,
		MapperProvider: options.mapperProvider(),
		Logger:         options.Log,
		Cache: cache.Options{
			DefaultNamespaces: namespaces(options.Namespaces),
			// managedFields are a third of an Order's size and are not needed here.
			DefaultTransform: cache.TransformStripManagedFields(),
		},
		Client: client.Options{Cache: &client.CacheOptions{
			DisableFor: readLive(options),
			// Avoids a repeated call after a reconcile on a cache that lacks our own last write.
			// The money rules do not depend on it.
			EnableReadYourWritesConsistency: ptr.To(len(options.Namespaces) < 2), // not supported with several caches per kind
		}},
		LeaderElection:                options.LeaderElect,
		LeaderElectionID:              leaderElectionID,
		LeaderElectionNamespace:       options.LeaderElectionNamespace,
		LeaseDuration:                 unlessZero(options.Election.LeaseDuration),
		RenewDeadline:                 unlessZero(options.Election.RenewDeadline),
		RetryPeriod:                   unlessZero(options.Election.RetryPeriod),
		LeaderElectionReleaseOnCancel: true, // main returns right after the manager
		HealthProbeBindAddress:        off,  // Run serves its own probes, which start earlier
		PprofBindAddress:              options.PprofBindAddress,
		Metrics:                       metricsOptions(options),
		GracefulShutdownTimeout:       ptr.To(GracefulShutdown),
		Controller:                    config.Controller{EnableWarmup: ptr.To(true), SkipNameValidation: &options.SeveralInProcess},
	}
}

// mapperProvider passes on the mapper from the wait for the API server; nil selects
// controller-runtime's default.
func (o *Options) mapperProvider() func(*rest.Config, *http.Client) (meta.RESTMapper, error) {
	if o.mapper == nil {
		return nil
	}
	return func(*rest.Config, *http.Client) (meta.RESTMapper, error) { return o.mapper, nil }
}

// unlessZero returns nil for zero, which selects controller-runtime's default.
func unlessZero(d time.Duration) *time.Duration {
	if d == 0 {
		return nil
	}
	return &d
}

// readLive lists the kinds that are read by name from the API server, so that no permission to list
// or watch them is needed: Secrets, and Namespace labels if the operator watches only some
// namespaces or only receives callbacks.
func readLive(options Options) []client.Object {
	if len(options.Namespaces) > 0 || !options.Controllers {
		return []client.Object{&corev1.Secret{}, &corev1.Namespace{}}
	}
	return []client.Object{&corev1.Secret{}}
}

func namespaces(names []string) map[string]cache.Config {
	configs := map[string]cache.Config{}
	for _, name := range names {
		configs[name] = cache.Config{}
	}
	return configs
}

func metricsOptions(options Options) metricsserver.Options {
	served := metricsserver.Options{BindAddress: options.MetricsBindAddress, SecureServing: options.MetricsSecure}
	if options.MetricsSecure {
		served.FilterProvider = filters.WithAuthenticationAndAuthorization
		// Disables HTTP/2, whose denial-of-service flaws a metrics endpoint need not risk.
		served.TLSOpts = append(served.TLSOpts, func(c *tls.Config) { c.NextProtos = []string{"http/1.1"} })
	}
	return served
}

func (o *Operator) addReconcilers(ctx context.Context, in dependencies) error {
	if !in.options.Controllers {
		return nil
	}
	if err := index.Setup(ctx, o.GetFieldIndexer()); err != nil {
		return fmt.Errorf("adding indexes: %w", err)
	}
	sinks, err := o.newDispatcher(ctx, in)
	if err != nil {
		return fmt.Errorf("adding the delivery of events: %w", err)
	}
	ledgerWriter, err := o.newLedger(ctx, in)
	if err != nil {
		return fmt.Errorf("adding the ledger: %w", err)
	}
	base := controllers.Base{
		Client:                  in.client,
		APIReader:               in.apiReader,
		Registry:                in.registry,
		Claims:                  in.claims,
		Callbacks:               controllers.NewCallbackFindings(),
		Missed:                  &controllers.MissedObjects{},
		Events:                  sinks,
		Recorder:                o.GetEventRecorder("wechatpay-operator"),
		Log:                     o.GetLogger(),
		Timing:                  in.options.Timing,
		Clock:                   in.options.Accounts.Clock,
		MaxConcurrentReconciles: in.options.MaxConcurrentReconciles,
	}
	if ledgerWriter != nil { // an interface with a nil *ledger.Writer would not be nil
		base.Ledger = ledgerWriter
	}
	if base.Guard = in.options.Guard; base.Guard == nil {
		approvals, err := o.newGuard(base)
		if err != nil {
			return err
		}
		base.Guard = approvals
	}
	miniPrograms := miniprogram.NewRegistry(in.apiReader, miniprogram.Options{
		Hosts: in.options.Accounts.EndpointHosts, UserAgent: in.options.Accounts.UserAgent, Timeout: in.options.MiniProgramTimeout, Now: base.Clock.Now,
	})
	records, err := o.newRecords(in.options)
	if err != nil {
		return fmt.Errorf("adding the reader of the ledger: %w", err)
	}
	for kind, reconciler := range map[string]interface{ SetupWithManager(ctrl.Manager) error }{
		"Merchant":             &controllers.MerchantReconciler{Base: base, CallbacksElsewhere: !in.options.takesCallbacks()},
		"Order":                &controllers.OrderReconciler{Base: base},
		"Refund":               &controllers.RefundReconciler{Base: base},
		"MiniProgram":          &controllers.MiniProgramReconciler{Base: base, MiniPrograms: miniPrograms},
		"Shipment":             &controllers.ShipmentReconciler{Base: base, MiniPrograms: miniPrograms},
		"virtual goods":        &controllers.VirtualGoodsReconciler{Base: base},
		"Statement":            &controllers.StatementReconciler{Base: base, Records: records},
		"daily Statements":     &controllers.DailyStatementReconciler{Base: base},
		"EventSink":            &controllers.EventSinkReconciler{Base: base, Hosts: in.options.EventHosts},
		"Merchant's callbacks": &controllers.CallbackProbeReconciler{Base: base, Sender: newProbeSender(in.options)},
	} {
		if err := reconciler.SetupWithManager(o); err != nil {
			return fmt.Errorf("adding the reconciler of %s: %w", kind, err)
		}
	}
	if err := countObjects(ctx, o, in.options); err != nil {
		return fmt.Errorf("counting objects: %w", err)
	}
	return nil
}

// newDispatcher adds the delivery of events, which runs on the leader only.
func (o *Operator) newDispatcher(ctx context.Context, in dependencies) (*events.Dispatcher, error) {
	recorder := o.GetEventRecorder("wechatpay-operator")
	dispatcher := &events.Dispatcher{
		Client:    in.client,
		Clock:     in.options.Accounts.Clock,
		Timing:    in.options.Timing.Events,
		Log:       o.GetLogger().WithName("events"),
		UserAgent: in.options.Accounts.UserAgent,
		Warn: func(sink *v1alpha1.EventSink, reason, format string, arguments ...any) {
			recorder.Eventf(sink, nil, corev1.EventTypeWarning, reason, "Deliver", format, arguments...)
		},
	}
	if err := dispatcher.Follow(ctx, o.GetCache()); err != nil {
		return nil, err
	}
	return dispatcher, o.Add(manager.RunnableFunc(dispatcher.Start))
}

// newRecords returns the reader of the ledger for Statements; nil if there is no ledger.
func (o *Operator) newRecords(options Options) (statement.Ledger, error) {
	if options.LedgerDSNFile == "" {
		return nil, nil //nolint:nilnil // no ledger is not an error
	}
	reader := ledger.NewReader(options.LedgerDSNFile)
	return reader, o.Add(manager.RunnableFunc(func(ctx context.Context) error {
		<-ctx.Done()
		reader.Close()
		return nil
	}))
}

// newLedger adds the ledger's writer, which runs on the leader only; nil if there is no ledger.
func (o *Operator) newLedger(ctx context.Context, in dependencies) (*ledger.Writer, error) {
	if in.options.LedgerDSNFile == "" {
		return nil, nil //nolint:nilnil // no ledger is not an error
	}
	writer := &ledger.Writer{
		Reader:   in.client,
		Database: ledger.NewDatabase(in.options.LedgerDSNFile),
		Clock:    clock.RealClock{},
		Timing:   in.options.Ledger,
		Log:      o.GetLogger().WithName("ledger"),
	}
	if err := writer.Follow(ctx, o.GetCache()); err != nil {
		return nil, err
	}
	return writer, o.Add(manager.RunnableFunc(writer.Start))
}

// newGuard adds the Guard, which runs on the leader only. Its client has no cache: the manager's
// client waits until the cache contains its writes, but a dry run writes nothing.
func (o *Operator) newGuard(base controllers.Base) (*guard.Guard, error) {
	writer, err := client.New(o.GetConfig(), client.Options{HTTPClient: o.GetHTTPClient(), Scheme: o.GetScheme(), Mapper: o.GetRESTMapper()})
	if err != nil {
		return nil, fmt.Errorf("creating the client of the guard: %w", err)
	}
	approvals := guard.New(writer, controllers.RefundsToTry(base.Client), base.Clock, guard.Intervals{Check: base.Timing.GuardCheck, Retry: base.Timing.GuardRetry})
	if err := o.Add(manager.RunnableFunc(approvals.Start)); err != nil {
		return nil, fmt.Errorf("adding the guard: %w", err)
	}
	return approvals, nil
}

// newProbeSender returns nil if the check is disabled.
func newProbeSender(options Options) *sender.Sender {
	if !options.CheckCallbacks {
		return nil
	}
	options.CallbackProbe.UserAgent, options.CallbackProbe.Clock = options.Accounts.UserAgent, options.Accounts.Clock
	return sender.New(options.CallbackProbe)
}

// countObjects registers the metrics about Orders, Refunds and Merchants, which the leader reports.
func countObjects(ctx context.Context, mgr ctrl.Manager, options Options) error {
	objects := metrics.NewObjects(options.Accounts.Clock, mgr.Elected())
	if err := objects.Follow(ctx, mgr.GetCache()); err != nil {
		return err
	}
	switch {
	case options.Registerer != nil:
		return options.Registerer.Register(objects)
	case options.SeveralInProcess:
		return nil // the process's registry accepts them only once
	default:
		return ctrlmetrics.Registry.Register(objects)
	}
}

func (o *Operator) addCallbacks(ctx context.Context, in dependencies) error {
	if !in.options.takesCallbacks() {
		return nil
	}
	if !in.options.Controllers {
		if err := o.fillCache(ctx); err != nil {
			return err
		}
	}
	handler := &webhookserver.Handler{
		Client:    in.client,
		APIReader: in.apiReader,
		Registry:  in.registry,
		Calls:     in.claims.Calls,
		Recorder:  o.GetEventRecorder("wechatpay-operator"),
		Clock:     in.options.Accounts.Clock,
		Log:       o.GetLogger().WithName("callbacks"),
	}
	o.Callbacks = &webhookserver.Server{BindAddress: in.options.NotifyBindAddress, Handler: handler.Routes(), Log: handler.Log}
	if err := o.Add(o.Callbacks); err != nil {
		return fmt.Errorf("adding the callback server: %w", err)
	}
	return nil
}

// fillCache starts the informers that callbacks read and reconcilers would start, so that they are
// synced before the first callback.
func (o *Operator) fillCache(ctx context.Context) error {
	if err := index.SetupNumbers(ctx, o.GetFieldIndexer()); err != nil {
		return fmt.Errorf("adding indexes: %w", err)
	}
	if _, err := o.GetCache().GetInformer(ctx, &v1alpha1.Merchant{}, cache.BlockUntilSynced(false)); err != nil {
		return fmt.Errorf("watching Merchants: %w", err)
	}
	return nil
}
