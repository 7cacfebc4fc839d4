package metrics

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
)

// Objects exports how many Orders, Refunds, Shipments and Statements are in which state, how long the oldest unknown
// outcome, the oldest undecided Refund and the oldest Shipment of a paid Order have lasted, and the
// state of the Merchants and MiniPrograms. It follows
// the cache's events and maintains sums, so a scrape costs the same with ten Orders and with a
// million.
//
// Every replica has the cache, but only the leader reports, so that sums over replicas are correct.
type Objects struct {
	clock   clock.PassiveClock
	leading <-chan struct{}

	mutex           sync.Mutex
	orders, refunds map[place]int
	shipments       map[place]int
	statements      map[place]int
	// differing are how many differences the Statements of a Merchant have, and unexplained how much money they are about.
	differing   map[types.NamespacedName]int64
	unexplained map[moneyOf]int64
	// uncompared holds since when Statements whose bill should be there are not compared.
	uncompared map[types.UID]time.Time
	// unshipped holds since when Shipments of paid Orders are not uploaded.
	unshipped    map[types.UID]time.Time
	miniPrograms map[types.NamespacedName]*v1alpha1.MiniProgram
	// doubts holds since when the outcome of an object at WeChat Pay is unknown, by kind; undecided
	// holds the Refunds that await approval. Both are small in normal operation.
	doubts    map[string]map[types.UID]time.Time
	undecided map[types.UID]time.Time
	merchants map[types.NamespacedName]*v1alpha1.Merchant

	gauges gauges
}

// place is the label set of the counts of Orders and Refunds. It has no Merchant name: the number
// of namespaces is limited, but Orders may contain any number of Merchant names.
type place struct{ namespace, state string }

// moneyOf is money of a Merchant.
type moneyOf struct {
	merchant types.NamespacedName
	currency string
}

type gauges struct {
	statements, differing, unexplained *prometheus.GaugeVec
	uncompared                         prometheus.Gauge

	orders, refunds, doubt, ready, expiry *prometheus.GaugeVec
	undecided                             prometheus.Gauge
	shipments, miniPrograms               *prometheus.GaugeVec
	unshipped                             prometheus.Gauge
}

func newGauges() gauges {
	return gauges{
		orders: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "wechatpay_orders",
			Help: "Orders by namespace and state: the reason of their condition Paid, which kubectl get prints as STATE. Told by the leader.",
		}, []string{"namespace", "state"}),
		refunds: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "wechatpay_refunds",
			Help: "Refunds by namespace and state: the reason of Succeeded, or while that is Pending, of Approved until it is approved, and of Accepted then. Told by the leader.",
		}, []string{"namespace", "state"}),
		doubt: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "wechatpay_oldest_unknown_outcome_age_seconds",
			Help: "For how long the oldest Order or Refund is in doubt (OutcomeUnknown, Refused: WeChat Pay may have it or not), by kind; 0 if there is none. Told by the leader.",
		}, []string{"kind"}),
		undecided: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "wechatpay_oldest_refund_awaiting_approval_age_seconds",
			Help: "For how long the oldest Refund that awaits approval does; 0 if there is none. Told by the leader.",
		}),
		shipments: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "wechatpay_shipments",
			Help: "Shipments by namespace and state: the reason of their condition Uploaded. Told by the leader.",
		}, []string{"namespace", "state"}),
		unshipped: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "wechatpay_oldest_shipment_not_uploaded_age_seconds",
			Help: "For how long the oldest Shipment that waits for something else than its Order is not uploaded; 0 if there is none. Told by the leader.",
		}),
		miniPrograms: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "wechatpay_mini_program_ready",
			Help: "1 for a MiniProgram that is Ready, 0 for one that is not, with the reason. Told by the leader.",
		}, []string{"namespace", "mini_program", "reason"}),
		statements: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "wechatpay_statements",
			Help: "Statements by namespace and state: the reason of their condition Balanced, or while nothing is compared, of Downloaded. Told by the leader.",
		}, []string{"namespace", "state"}),
		differing: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "wechatpay_statement_differences",
			Help: "Differences in the Statements of a Merchant, over all Statements that there are. Told by the leader.",
		}, []string{"namespace", "merchant"}),
		unexplained: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "wechatpay_statement_unexplained_amount",
			Help: "Money that the differences in the Statements of a Merchant are about, in minor units of the currency (fen). Told by the leader.",
		}, []string{"namespace", "merchant", "currency"}),
		uncompared: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "wechatpay_oldest_statement_not_compared_age_seconds",
			Help: "For how long the oldest Statement is not compared whose bill should be there (from 10:00 of the next day in Beijing on); 0 if there is none. Told by the leader.",
		}),
		ready: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "wechatpay_merchant_ready",
			Help: "1 for a Merchant that is Ready, 0 for one that is not, with the reason. Told by the leader.",
		}, []string{"namespace", "merchant", "reason"}),
		expiry: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "wechatpay_merchant_certificate_expiry_timestamp_seconds",
			Help: "When the client certificate of a Merchant expires, in seconds since 1970; refunds stop then. Told by the leader.",
		}, []string{"namespace", "merchant"}),
	}
}

func (g gauges) all() []prometheus.Collector {
	return []prometheus.Collector{g.orders, g.refunds, g.doubt, g.undecided, g.ready, g.expiry, g.shipments, g.unshipped, g.miniPrograms,
		g.statements, g.differing, g.unexplained, g.uncompared}
}

// NewObjects returns an Objects that reports nothing until leading is closed.
func NewObjects(clock clock.PassiveClock, leading <-chan struct{}) *Objects {
	return &Objects{
		clock: clock, leading: leading,
		orders: map[place]int{}, refunds: map[place]int{},
		doubts:    map[string]map[types.UID]time.Time{"Order": {}, "Refund": {}},
		undecided: map[types.UID]time.Time{},
		merchants: map[types.NamespacedName]*v1alpha1.Merchant{},
		shipments: map[place]int{}, unshipped: map[types.UID]time.Time{},
		statements: map[place]int{}, differing: map[types.NamespacedName]int64{}, unexplained: map[moneyOf]int64{},
		uncompared:   map[types.UID]time.Time{},
		miniPrograms: map[types.NamespacedName]*v1alpha1.MiniProgram{},
		gauges:       newGauges(),
	}
}

// Follow registers event handlers with a cache.
func (o *Objects) Follow(ctx context.Context, informers cache.Informers) error {
	for _, kind := range []struct {
		object client.Object
		count  toolscache.ResourceEventHandler
	}{
		{&v1alpha1.Order{}, handler(&o.mutex, o.countOrder)},
		{&v1alpha1.Refund{}, handler(&o.mutex, o.countRefund)},
		{&v1alpha1.Merchant{}, handler(&o.mutex, o.keepMerchant)},
		{&v1alpha1.Shipment{}, handler(&o.mutex, o.countShipment)},
		{&v1alpha1.MiniProgram{}, handler(&o.mutex, o.keepMiniProgram)},
		{&v1alpha1.Statement{}, handler(&o.mutex, o.countStatement)},
	} {
		informer, err := informers.GetInformer(ctx, kind.object)
		if err != nil {
			return fmt.Errorf("following %T: %w", kind.object, err)
		}
		if _, err := informer.AddEventHandler(kind.count); err != nil {
			return fmt.Errorf("following %T: %w", kind.object, err)
		}
	}
	return nil
}

// handler counts an object when it is added, and uncounts its previous version when it changes or
// is deleted. An informer always passes the version that it passed before.
func handler[T client.Object](mutex *sync.Mutex, count func(T, int)) toolscache.ResourceEventHandler {
	counting := func(object any, by int) {
		if deleted, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
			object = deleted.Obj
		}
		if counted, ok := object.(T); ok {
			count(counted, by)
		}
	}
	changed := func(before, now any) { // nil, which counts for nothing, is what is not there
		mutex.Lock()
		defer mutex.Unlock()
		counting(before, -1)
		counting(now, +1)
	}
	return toolscache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { changed(nil, object) },
		UpdateFunc: changed,
		DeleteFunc: func(object any) { changed(object, nil) },
	}
}

func (o *Objects) countOrder(order *v1alpha1.Order, by int) {
	change(o.orders, place{order.Namespace, stateOfOrder(order)}, by)
	since := time.Time{}
	if lifecycle.MayBeAtWeChat(order) && !lifecycle.IsFinished(order) {
		since = lifecycle.PreparedSince(order)
	}
	keep(o.doubts["Order"], order.UID, since, by)
}

func (o *Objects) countRefund(refund *v1alpha1.Refund, by int) {
	change(o.refunds, place{refund.Namespace, stateOfRefund(refund)}, by)
	since, undecided := time.Time{}, time.Time{}
	if lifecycle.RefundMayBeAtWeChat(refund) {
		// Accepted is Unknown from creation on; the outcome can be unknown only since the approval.
		since = latest(lifecycle.Condition(refund.Status.Conditions, v1alpha1.ConditionAccepted).LastTransitionTime.Time, lifecycle.Condition(refund.Status.Conditions, v1alpha1.ConditionApproved).LastTransitionTime.Time)
	}
	if stateOfRefund(refund) == v1alpha1.ReasonAwaitingApproval {
		undecided = lifecycle.Condition(refund.Status.Conditions, v1alpha1.ConditionApproved).LastTransitionTime.Time
	}
	keep(o.doubts["Refund"], refund.UID, since, by)
	keep(o.undecided, refund.UID, undecided, by)
}

func (o *Objects) keepMerchant(merchant *v1alpha1.Merchant, by int) {
	if key := client.ObjectKeyFromObject(merchant); by > 0 {
		o.merchants[key] = merchant
	} else {
		delete(o.merchants, key)
	}
}

func (o *Objects) countShipment(shipment *v1alpha1.Shipment, by int) {
	change(o.shipments, place{shipment.Namespace, cmp.Or(lifecycle.UploadedReason(shipment), isNew)}, by)
	since := time.Time{}
	switch uploaded := lifecycle.Condition(shipment.Status.Conditions, v1alpha1.ConditionUploaded); uploaded.Reason {
	case "", v1alpha1.ReasonOrderNotFound, v1alpha1.ReasonOrderNotPaid: // nothing is owed to WeChat yet
	default:
		if !lifecycle.ShipmentFinal(shipment) {
			since = shipment.CreationTimestamp.Time
		}
	}
	keep(o.unshipped, shipment.UID, since, by)
}

func (o *Objects) keepMiniProgram(m *v1alpha1.MiniProgram, by int) {
	if key := client.ObjectKeyFromObject(m); by > 0 {
		o.miniPrograms[key] = m
	} else {
		delete(o.miniPrograms, key)
	}
}

func change(sums map[place]int, at place, by int) {
	if sums[at] += by; sums[at] == 0 {
		delete(sums, at)
	}
}

func keep(times map[types.UID]time.Time, uid types.UID, since time.Time, by int) {
	if by > 0 && !since.IsZero() {
		times[uid] = since
	} else {
		delete(times, uid)
	}
}

// isNew is the state of objects without a status.
const isNew = "New"

func stateOfOrder(order *v1alpha1.Order) string {
	return cmp.Or(lifecycle.PaidReason(order), isNew)
}

// stateOfRefund returns the most informative reason: while nothing is being refunded, what the
// Refund waits for.
func stateOfRefund(refund *v1alpha1.Refund) string {
	succeeded, approved := lifecycle.SucceededReason(refund), meta.FindStatusCondition(refund.Status.Conditions, v1alpha1.ConditionApproved)
	switch {
	case succeeded == "" || approved == nil:
		return isNew
	case succeeded != v1alpha1.ReasonPending:
		return succeeded
	case approved.Status != metav1.ConditionTrue && approved.Reason != v1alpha1.ReasonPending:
		return approved.Reason
	default:
		return lifecycle.AcceptedReason(refund)
	}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Describe implements prometheus.Collector.
func (o *Objects) Describe(descriptions chan<- *prometheus.Desc) {
	for _, gauge := range o.gauges.all() {
		gauge.Describe(descriptions)
	}
}

// Collect implements prometheus.Collector.
func (o *Objects) Collect(metrics chan<- prometheus.Metric) {
	select {
	case <-o.leading:
	default:
		return
	}
	o.mutex.Lock()
	defer o.mutex.Unlock()
	g := o.gauges
	showSums(g.orders, o.orders)
	showSums(g.refunds, o.refunds)
	for kind, doubts := range o.doubts {
		g.doubt.WithLabelValues(kind).Set(o.oldest(doubts))
	}
	g.undecided.Set(o.oldest(o.undecided))
	o.showMerchants()
	showSums(g.shipments, o.shipments)
	g.unshipped.Set(o.oldest(o.unshipped))
	o.showMiniPrograms()
	o.showStatements()
	for _, gauge := range g.all() {
		gauge.Collect(metrics)
	}
}

func showSums(gauge *prometheus.GaugeVec, sums map[place]int) {
	gauge.Reset()
	for at, sum := range sums {
		gauge.WithLabelValues(at.namespace, at.state).Set(float64(sum))
	}
}

// oldest returns the age of the oldest entry in seconds; 0 if there is none.
func (o *Objects) oldest(times map[types.UID]time.Time) float64 {
	now := o.clock.Now()
	oldest := now
	for _, since := range times {
		if since.Before(oldest) {
			oldest = since
		}
	}
	return now.Sub(oldest).Seconds()
}

func (o *Objects) showMerchants() {
	o.gauges.ready.Reset()
	o.gauges.expiry.Reset()
	for key, merchant := range o.merchants {
		reason, ready := isNew, 0.0
		if shown := meta.FindStatusCondition(merchant.Status.Conditions, v1alpha1.ConditionReady); shown != nil {
			reason = shown.Reason
			if shown.Status == metav1.ConditionTrue {
				ready = 1
			}
		}
		o.gauges.ready.WithLabelValues(key.Namespace, key.Name, reason).Set(ready)
		if certificate := merchant.Status.Certificate; certificate != nil && certificate.NotAfter != nil {
			o.gauges.expiry.WithLabelValues(key.Namespace, key.Name).Set(float64(certificate.NotAfter.Unix()))
		}
	}
}

func (o *Objects) showMiniPrograms() {
	o.gauges.miniPrograms.Reset()
	for key, m := range o.miniPrograms {
		shown, ready := lifecycle.Condition(m.Status.Conditions, v1alpha1.ConditionReady), 0.0
		if shown.Status == metav1.ConditionTrue {
			ready = 1
		}
		o.gauges.miniPrograms.WithLabelValues(key.Namespace, key.Name, cmp.Or(shown.Reason, isNew)).Set(ready)
	}
}
