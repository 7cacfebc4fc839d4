package metrics

import (
	"cmp"
	"context"
	"fmt"
	"strings"
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

// Objects exports how many Orders, Refunds, Shipments and Statements are in which state, how long the
// oldest unknown outcome, the oldest undecided Refund, the oldest Shipment of a paid Order and the
// oldest Statement that is not compared have lasted, and the state of the Merchants and MiniPrograms.
// It follows the cache's events and maintains sums, so a scrape costs the same with ten Orders and
// with a million.
//
// Every replica has the cache, but only the leader reports, so that sums over replicas are correct.
type Objects struct {
	clock   clock.PassiveClock
	leading <-chan struct{}

	// mutex protects all gauges, so that a scrape sees each object once.
	mutex sync.Mutex
	// These count objects by namespace and state. They have no Merchant name: the number of namespaces
	// is limited, but Orders may contain any number of Merchant names.
	orders, refunds, shipments, statements sums
	// differing is the number of differences in the Statements of a Merchant, and unexplained the amount of money that
	// they concern.
	differing, unexplained sums
	// doubt has the ages of doubtfulOrders and doubtfulRefunds, by kind: how long the outcome of an object at WeChat
	// Pay has been unknown. undecided are the Refunds that await approval, unshipped the Shipments of paid Orders that
	// are not uploaded, uncompared the Statements whose bill should be available. All are few in normal operation.
	doubt                                       *prometheus.GaugeVec
	doubtfulOrders, doubtfulRefunds             ages
	undecided, unshipped, uncompared            ages
	merchantReady, merchantExpiry, miniPrograms *prometheus.GaugeVec
}

// NewObjects returns an Objects that reports nothing until leading is closed.
func NewObjects(clock clock.PassiveClock, leading <-chan struct{}) *Objects {
	doubt := gaugeVec("wechatpay_oldest_unknown_outcome_age_seconds", []string{"kind"},
		"For how long the oldest Order or Refund is in doubt (OutcomeUnknown, Refused: WeChat Pay may have it or not), by kind; 0 if there is none. Told by the leader.")
	return &Objects{
		clock: clock, leading: leading,
		orders: newSums(gaugeVec("wechatpay_orders", []string{"namespace", "state"},
			"Orders by namespace and state: the reason of their condition Paid, which kubectl get prints as STATE. Told by the leader.")),
		refunds: newSums(gaugeVec("wechatpay_refunds", []string{"namespace", "state"},
			"Refunds by namespace and state: the reason of Succeeded, or while that is Pending, of Approved until it is approved, and of Accepted then. Told by the leader.")),
		doubt: doubt, doubtfulOrders: newAges(doubt.WithLabelValues("Order")), doubtfulRefunds: newAges(doubt.WithLabelValues("Refund")),
		undecided: newAges(gauge("wechatpay_oldest_refund_awaiting_approval_age_seconds",
			"For how long the oldest Refund that awaits approval does; 0 if there is none. Told by the leader.")),
		shipments: newSums(gaugeVec("wechatpay_shipments", []string{"namespace", "state"},
			"Shipments by namespace and state: the reason of their condition Uploaded. Told by the leader.")),
		unshipped: newAges(gauge("wechatpay_oldest_shipment_not_uploaded_age_seconds",
			"For how long the oldest Shipment that waits for something else than its Order is not uploaded; 0 if there is none. Told by the leader.")),
		miniPrograms: gaugeVec("wechatpay_mini_program_ready", []string{"namespace", "mini_program", "reason"},
			"1 for a MiniProgram that is Ready, 0 for one that is not, with the reason. Told by the leader."),
		statements: newSums(gaugeVec("wechatpay_statements", []string{"namespace", "state"},
			"Statements by namespace and state: the reason of their condition Balanced, or while nothing is compared, of Downloaded. Told by the leader.")),
		differing: newSums(gaugeVec("wechatpay_statement_differences", []string{"namespace", "merchant"},
			"Differences in the Statements of a Merchant, over all Statements that there are. Told by the leader.")),
		unexplained: newSums(gaugeVec("wechatpay_statement_unexplained_amount", []string{"namespace", "merchant", "currency"},
			"Money that the differences in the Statements of a Merchant are about, in minor units of the currency (fen). Told by the leader.")),
		uncompared: newAges(gauge("wechatpay_oldest_statement_not_compared_age_seconds",
			"For how long the oldest Statement is not compared whose bill should be there (from 10:00 of the next day in Beijing on); 0 if there is none. Told by the leader.")),
		merchantReady: gaugeVec("wechatpay_merchant_ready", []string{"namespace", "merchant", "reason"},
			"1 for a Merchant that is Ready, 0 for one that is not, with the reason. Told by the leader."),
		merchantExpiry: gaugeVec("wechatpay_merchant_certificate_expiry_timestamp_seconds", []string{"namespace", "merchant"},
			"When the client certificate of a Merchant expires, in seconds since 1970; refunds stop then. Told by the leader."),
	}
}

func (o *Objects) gauges() []prometheus.Collector {
	return []prometheus.Collector{
		o.orders.gauge, o.refunds.gauge, o.doubt, o.undecided.gauge, o.merchantReady, o.merchantExpiry, o.shipments.gauge, o.unshipped.gauge,
		o.miniPrograms, o.statements.gauge, o.differing.gauge, o.unexplained.gauge, o.uncompared.gauge,
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
		{&v1alpha1.Merchant{}, handler(&o.mutex, o.showMerchant)},
		{&v1alpha1.Shipment{}, handler(&o.mutex, o.countShipment)},
		{&v1alpha1.MiniProgram{}, handler(&o.mutex, o.showMiniProgram)},
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
func handler[T client.Object](mutex *sync.Mutex, count func(T, int64)) toolscache.ResourceEventHandler {
	counting := func(object any, by int64) {
		if deleted, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
			object = deleted.Obj
		}
		if counted, ok := object.(T); ok {
			count(counted, by)
		}
	}
	changed := func(before, now any) { // nil, which counts as nothing, is an object that does not exist
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

func (o *Objects) countOrder(order *v1alpha1.Order, by int64) {
	o.orders.add(by, order.Namespace, cmp.Or(lifecycle.PaidReason(order), isNew))
	since := time.Time{}
	if lifecycle.MayBeAtWeChat(order) && !lifecycle.IsFinished(order) {
		since = lifecycle.PreparedSince(order)
	}
	o.doubtfulOrders.keep(order.UID, since, by)
}

func (o *Objects) countRefund(refund *v1alpha1.Refund, by int64) {
	state := stateOfRefund(refund)
	o.refunds.add(by, refund.Namespace, state)
	since, undecided := time.Time{}, time.Time{}
	approved := lifecycle.Condition(refund.Status.Conditions, v1alpha1.ConditionApproved).LastTransitionTime.Time
	if lifecycle.RefundMayBeAtWeChat(refund) {
		// Accepted is Unknown from creation on; the outcome can be unknown only since the approval.
		since = latest(lifecycle.Condition(refund.Status.Conditions, v1alpha1.ConditionAccepted).LastTransitionTime.Time, approved)
	}
	if state == v1alpha1.ReasonAwaitingApproval {
		undecided = approved
	}
	o.doubtfulRefunds.keep(refund.UID, since, by)
	o.undecided.keep(refund.UID, undecided, by)
}

func (o *Objects) showMerchant(m *v1alpha1.Merchant, by int64) {
	showReady(o.merchantReady, m, m.Status.Conditions, by)
	o.merchantExpiry.DeleteLabelValues(m.Namespace, m.Name)
	if certificate := m.Status.Certificate; by > 0 && certificate != nil && certificate.NotAfter != nil {
		o.merchantExpiry.WithLabelValues(m.Namespace, m.Name).Set(float64(certificate.NotAfter.Unix()))
	}
}

func (o *Objects) countShipment(shipment *v1alpha1.Shipment, by int64) {
	reason := lifecycle.UploadedReason(shipment)
	o.shipments.add(by, shipment.Namespace, cmp.Or(reason, isNew))
	since := time.Time{}
	switch reason {
	case "", v1alpha1.ReasonOrderNotFound, v1alpha1.ReasonOrderNotPaid: // WeChat does not expect an upload yet
	default:
		if !lifecycle.ShipmentFinal(shipment) {
			since = shipment.CreationTimestamp.Time
		}
	}
	o.unshipped.keep(shipment.UID, since, by)
}

func (o *Objects) showMiniProgram(m *v1alpha1.MiniProgram, by int64) {
	showReady(o.miniPrograms, m, m.Status.Conditions, by)
}

// showReady shows an object's condition Ready in a gauge, or removes it when the object is uncounted.
func showReady(gauge *prometheus.GaugeVec, object client.Object, conditions []metav1.Condition, by int64) {
	shown := lifecycle.Condition(conditions, v1alpha1.ConditionReady)
	labels := []string{object.GetNamespace(), object.GetName(), cmp.Or(shown.Reason, isNew)}
	switch {
	case by < 0:
		gauge.DeleteLabelValues(labels...)
	case shown.Status == metav1.ConditionTrue:
		gauge.WithLabelValues(labels...).Set(1)
	default:
		gauge.WithLabelValues(labels...).Set(0)
	}
}

// isNew is the state of objects without a status.
const isNew = "New"

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
	for _, gauge := range o.gauges() {
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
	for _, ages := range []ages{o.doubtfulOrders, o.doubtfulRefunds, o.undecided, o.unshipped, o.uncompared} {
		ages.show(o.clock.Now())
	}
	for _, gauge := range o.gauges() {
		gauge.Collect(metrics)
	}
}

// sums is a gauge of a sum for each combination of label values. A sum of zero is not shown.
type sums struct {
	gauge *prometheus.GaugeVec
	by    map[string]int64
}

func newSums(gauge *prometheus.GaugeVec) sums { return sums{gauge, map[string]int64{}} }

func (s sums) add(by int64, labels ...string) {
	key := strings.Join(labels, "/")
	if s.by[key] += by; s.by[key] != 0 {
		s.gauge.WithLabelValues(labels...).Set(float64(s.by[key]))
		return
	}
	delete(s.by, key)
	s.gauge.DeleteLabelValues(labels...)
}

// ages is a gauge of the age in seconds of the oldest of some objects; 0 if there is none.
type ages struct {
	gauge prometheus.Gauge
	since map[types.UID]time.Time
}

func newAges(gauge prometheus.Gauge) ages { return ages{gauge, map[types.UID]time.Time{}} }

// keep adds an object, unless it is uncounted or has no time.
func (a ages) keep(uid types.UID, since time.Time, by int64) {
	if by > 0 && !since.IsZero() {
		a.since[uid] = since
	} else {
		delete(a.since, uid)
	}
}

func (a ages) show(now time.Time) {
	oldest := now
	for _, since := range a.since {
		if since.Before(oldest) {
			oldest = since
		}
	}
	a.gauge.Set(now.Sub(oldest).Seconds())
}
