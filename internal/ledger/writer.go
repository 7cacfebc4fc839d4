package ledger

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
)

// Timing holds the intervals of a Writer.
type Timing struct {
	// Gather is how long facts are collected into a batch.
	Gather time.Duration
	// RetryFirst and RetryMost limit the growing waits while the database does not accept rows.
	RetryFirst, RetryMost time.Duration
	// Batch is the largest number of rows in one write.
	Batch int
	// RetryRefused is how often objects that can't be recorded are tried again.
	RetryRefused time.Duration
}

// DefaultTiming returns the intervals of production.
func DefaultTiming() Timing {
	return Timing{Gather: 200 * time.Millisecond, RetryFirst: time.Second, RetryMost: 30 * time.Second, Batch: 1000, RetryRefused: 5 * time.Minute}
}

// store is the database of a Writer.
type store interface {
	write(ctx context.Context, b batch) error
	Migrate(ctx context.Context) error
	Close()
}

// Writer records facts. Only the leader writes: it starts with all existing objects, and continues with each one that
// changes.
//
// It keeps no rows in memory. While the database is unavailable it keeps references to the objects that are not
// recorded.
type Writer struct {
	// Reader reads Merchants and Orders from the cache.
	Reader   client.Reader
	Database store
	Clock    clock.Clock
	Timing   Timing
	Log      logr.Logger

	mutex sync.Mutex
	// leads is true once Start was called.
	leads bool
	wake  chan struct{}
	// pending are objects whose current version is not recorded.
	pending map[types.UID]client.Object
	// since is when each of them became pending.
	since map[types.UID]time.Time
	// refused are objects that can't be recorded: the database refuses their row for its content, or the row can't be
	// derived. Other objects do not wait for them.
	refused map[types.UID]client.Object
	// deletedPending are objects that were deleted while they were pending; their sums are not kept.
	deletedPending map[types.UID]bool
	// recorded are the sums of the written rows.
	recorded map[types.UID]uint64
	// waiting are objects for which the listeners are called once they are recorded.
	waiting map[types.UID]bool
	listen  []func(client.Object)
	failing time.Time
	problem string
}

// Follow registers event handlers. Facts are recorded after Start.
func (w *Writer) Follow(ctx context.Context, informers cache.Cache) error {
	w.reset()
	for _, kind := range []client.Object{&v1alpha1.Order{}, &v1alpha1.Refund{}, &v1alpha1.Shipment{}} {
		informer, err := informers.GetInformer(ctx, kind, cache.BlockUntilSynced(false))
		if err != nil {
			return fmt.Errorf("watching for the ledger: %w", err)
		}
		_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
			AddFunc:    func(object any) { w.Note(object.(client.Object)) },
			UpdateFunc: func(_, object any) { w.Note(object.(client.Object)) },
			DeleteFunc: func(object any) {
				if last, missed := object.(toolscache.DeletedFinalStateUnknown); missed {
					object = last.Obj
				}
				w.Forget(object.(client.Object).GetUID())
			},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// reset empties the memory.
func (w *Writer) reset() {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.wake = make(chan struct{}, 1)
	w.pending, w.refused, w.recorded = map[types.UID]client.Object{}, map[types.UID]client.Object{}, map[types.UID]uint64{}
	w.since = map[types.UID]time.Time{}
	w.waiting, w.deletedPending = map[types.UID]bool{}, map[types.UID]bool{}
}

// Start records facts until the context ends. The caches must be synced.
func (w *Writer) Start(ctx context.Context) error {
	defer w.Database.Close()
	if err := w.lead(ctx); err != nil {
		return err
	}
	// The tables are created before there is anything to record, because readers of the ledger need them.
	if !w.untilDone(ctx, w.migrate) {
		return nil
	}
	for w.sleep(ctx, w.Timing.Gather) && w.awaitFacts(ctx) && w.untilDone(ctx, w.Record) {
		continue
	}
	return nil
}

// untilDone repeats a function until it succeeds. It returns false if the context ends first.
func (w *Writer) untilDone(ctx context.Context, try func(context.Context) error) bool {
	for wait := w.Timing.RetryFirst; ; wait = min(2*wait, w.Timing.RetryMost) {
		err := try(ctx)
		if ctx.Err() != nil {
			return false
		}
		if err == nil {
			return true
		}
		w.sleep(ctx, wait)
	}
}

func (w *Writer) migrate(ctx context.Context) error {
	err := w.Database.Migrate(ctx)
	if ctx.Err() == nil {
		w.noteDatabase(err)
	}
	return err
}

// Lead does what Follow and Start do, for tests that call Note, Forget and Record themselves.
func (w *Writer) Lead(ctx context.Context) error {
	w.reset()
	return w.lead(ctx)
}

// lead notes all existing objects.
func (w *Writer) lead(ctx context.Context) error {
	w.mutex.Lock()
	w.leads = true
	w.mutex.Unlock()
	for _, list := range []client.ObjectList{&v1alpha1.OrderList{}, &v1alpha1.RefundList{}, &v1alpha1.ShipmentList{}} {
		if err := w.Reader.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
			return err
		}
		note := func(object runtime.Object) error {
			w.Note(object.(client.Object))
			return nil
		}
		if err := meta.EachListItem(list, note); err != nil {
			return err
		}
	}
	return nil
}

// Note adds an object that is new or has changed.
func (w *Writer) Note(object client.Object) {
	if !hasFact(object) {
		return
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if !w.leads {
		return
	}
	w.add(object)
	w.wakeUp()
}

// wakeUp wakes the writer if it waits. The mutex is held.
func (w *Writer) wakeUp() {
	select {
	case w.wake <- struct{}{}:
	default: // it is not waiting
	}
}

// add makes an object pending. The mutex is held.
func (w *Writer) add(object client.Object) {
	delete(w.refused, object.GetUID())
	w.pending[object.GetUID()] = object
	if _, waits := w.since[object.GetUID()]; !waits {
		w.since[object.GetUID()] = w.Clock.Now()
	}
	w.measure()
}

// Forget drops the memory of a deleted object. If it is pending, it is still written.
func (w *Writer) Forget(uid types.UID) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	delete(w.recorded, uid)
	delete(w.refused, uid)
	delete(w.waiting, uid)
	if w.pending[uid] != nil {
		w.deletedPending[uid] = true
	}
	w.measure()
}

func (w *Writer) awaitFacts(ctx context.Context) bool {
	for {
		w.mutex.Lock()
		some := len(w.pending) > 0
		w.mutex.Unlock()
		if some {
			return true
		}
		select {
		case <-w.wake:
		case <-w.Clock.After(w.Timing.RetryRefused):
			w.retryRefused()
		case <-ctx.Done():
			return false
		}
	}
}

// retryRefused makes the objects that could not be recorded pending again: the cause may be gone.
func (w *Writer) retryRefused() {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	for _, object := range w.refused {
		w.add(object)
	}
}

func (w *Writer) sleep(ctx context.Context, length time.Duration) bool {
	select {
	case <-w.Clock.After(length):
		return true
	case <-ctx.Done():
		return false
	}
}

// Record writes one batch of pending objects, and calls the listeners of those that wait.
func (w *Writer) Record(ctx context.Context) error {
	var err error
	if entries := w.take(ctx); len(entries) > 0 {
		err = w.writeEach(ctx, entries)
	}
	if ctx.Err() == nil {
		w.noteDatabase(err)
		w.measureLag()
	}
	return err
}

// take chooses the objects of the next batch, each row once. It drops objects that are recorded already.
func (w *Writer) take(ctx context.Context) []*entry {
	w.mutex.Lock()
	objects := make([]client.Object, 0, min(len(w.pending), w.Timing.Batch))
	for _, object := range w.pending {
		if objects = append(objects, object); len(objects) == w.Timing.Batch {
			break
		}
	}
	w.mutex.Unlock()
	var entries []*entry
	rows := map[[3]string]bool{}
	for _, object := range objects {
		e, err := w.entryOf(ctx, object)
		switch {
		case err != nil:
			w.keepForRetry(object, err)
		case e == nil:
			w.Log.Info("A fact can't be recorded any more: its Order or its Merchant is gone", "object", client.ObjectKeyFromObject(object).String())
			w.finish(object, nil)
		case w.isKnown(e):
			w.finish(object, nil)
		case rows[e.key]:
			// Two objects used the number one after the other. The next batch has the other object.
		default:
			rows[e.key] = true
			entries = append(entries, e)
		}
	}
	return entries
}

// writeEach writes entries, and finds the ones that the database refuses for their content.
func (w *Writer) writeEach(ctx context.Context, entries []*entry) error {
	err := w.Database.write(ctx, batchOf(entries))
	switch {
	case err == nil:
		for _, e := range entries {
			w.finish(e.object, e)
		}
		return nil
	case !isAboutData(err):
		return err
	case len(entries) == 1:
		w.keepForRetry(entries[0].object, err)
		return nil
	}
	half := len(entries) / 2
	if err := w.writeEach(ctx, entries[:half]); err != nil {
		return err
	}
	return w.writeEach(ctx, entries[half:])
}

// finish records that an object needs no write, unless it has changed meanwhile, and calls the listeners if it waits.
func (w *Writer) finish(object client.Object, written *entry) {
	uid := object.GetUID()
	w.mutex.Lock()
	if written != nil && !w.deletedPending[uid] {
		w.recorded[uid] = written.sum
	}
	w.removePending(object)
	w.measure()
	waits := w.waiting[uid]
	delete(w.waiting, uid)
	listeners := w.listen
	w.mutex.Unlock()
	if waits {
		for _, listener := range listeners {
			listener(object)
		}
	}
}

// removePending removes a pending object, unless it has changed meanwhile. The mutex is held.
func (w *Writer) removePending(object client.Object) {
	uid := object.GetUID()
	if w.pending[uid] == object {
		delete(w.pending, uid)
		delete(w.since, uid)
		delete(w.deletedPending, uid)
	}
}

// keepForRetry keeps an object that can't be recorded for a later attempt, so that the others can be written.
func (w *Writer) keepForRetry(object client.Object, err error) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if w.pending[object.GetUID()] != object {
		return // it has changed
	}
	if !w.deletedPending[object.GetUID()] {
		if w.refused[object.GetUID()] == nil {
			w.Log.Error(err, "An object can't be recorded in the ledger; it is tried again when it changes, and every few minutes",
				"object", client.ObjectKeyFromObject(object).String())
		}
		w.refused[object.GetUID()] = object
	}
	w.removePending(object)
	w.measure()
}

// measure sets the metrics. The mutex is held.
func (w *Writer) measure() {
	metrics.LedgerPending.Set(float64(len(w.pending)))
	metrics.LedgerRefused.Set(float64(len(w.refused)))
	unavailable := 0.0
	if !w.failing.IsZero() {
		unavailable = 1
	}
	metrics.LedgerUnavailable.Set(unavailable)
}

// measureLag is called once per batch, because it goes through all pending objects.
func (w *Writer) measureLag() {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	var lag time.Duration
	for _, since := range w.since {
		lag = max(lag, w.Clock.Since(since))
	}
	metrics.LedgerLag.Set(lag.Seconds())
}

func (w *Writer) isKnown(e *entry) bool {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	uid := e.object.GetUID()
	sum, known := w.recorded[uid]
	return known && sum == e.sum
}

// noteDatabase remembers since when the database accepts no rows, and logs when that begins and ends.
func (w *Writer) noteDatabase(err error) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	defer w.measure()
	switch {
	case err == nil && !w.failing.IsZero():
		w.Log.Info("The ledger is written again", "pending", len(w.pending), "after", w.Clock.Since(w.failing).Truncate(time.Second).String())
		w.failing, w.problem = time.Time{}, ""
	case err != nil && err.Error() != w.problem:
		w.Log.Error(err, "The ledger can't be written; payments do not wait for it", "pending", len(w.pending))
		if w.problem = err.Error(); w.failing.IsZero() {
			w.failing = w.Clock.Now()
		}
	}
}

// IsRecorded reports whether the current state of an object is in the database. If not, listeners are called once it
// is.
func (w *Writer) IsRecorded(ctx context.Context, object client.Object) (bool, error) {
	if !hasFact(object) {
		return true, nil
	}
	e, err := w.entryOf(ctx, object)
	w.mutex.Lock()
	defer w.mutex.Unlock()
	uid := object.GetUID()
	switch {
	case err == nil && e == nil:
		return true, nil // its Order or Merchant is gone, so no row can be derived
	case err == nil:
		if sum, known := w.recorded[uid]; known && sum == e.sum {
			return true, nil
		}
	}
	if w.leads && w.pending[uid] == nil && w.refused[uid] == nil {
		// Its Order or Merchant has changed, and the object itself has not. The copy is needed because the caller may
		// change its object while the row is written.
		w.add(object.DeepCopyObject().(client.Object))
		w.wakeUp()
	}
	w.waiting[uid] = true
	return false, nil // the writer gets the same error and logs it
}

// Listen adds a function that is called when an object is recorded after IsRecorded returned false.
func (w *Writer) Listen(listener func(client.Object)) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.listen = append(w.listen, listener)
}

// State is the state of the Writer.
type State struct {
	// Failing is since when the database accepts no rows; zero if it does.
	Failing time.Time
	// Pending counts objects that are not recorded yet, and Refused those that can't be recorded.
	Pending, Refused int
}

// State returns the state of the Writer.
func (w *Writer) State() State {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return State{Failing: w.failing, Pending: len(w.pending), Refused: len(w.refused)}
}
