package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/prometheus/client_golang/prometheus/testutil"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
)

// cached is the content of the cache.
type cached struct {
	mutex     sync.Mutex
	orders    map[string]*v1alpha1.Order
	refunds   map[string]*v1alpha1.Refund
	shipments []v1alpha1.Shipment
	merchants map[string]*v1alpha1.Merchant
}

func (c *cached) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	switch into := into.(type) {
	case *v1alpha1.Order:
		if found := c.orders[key.Name]; found != nil {
			found.DeepCopyInto(into)
			return nil
		}
	case *v1alpha1.Merchant:
		if found := c.merchants[key.Name]; found != nil {
			found.DeepCopyInto(into)
			return nil
		}
	}
	return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
}

func (c *cached) List(_ context.Context, into client.ObjectList, _ ...client.ListOption) error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	switch into := into.(type) {
	case *v1alpha1.OrderList:
		for _, order := range c.orders {
			into.Items = append(into.Items, *order)
		}
	case *v1alpha1.RefundList:
		for _, refund := range c.refunds {
			into.Items = append(into.Items, *refund)
		}
	case *v1alpha1.ShipmentList:
		into.Items = append(into.Items, c.shipments...)
	}
	return nil
}

// stores is a database in memory.
type stores struct {
	mutex sync.Mutex
	// fails returns the error for a batch.
	fails  func(batch) error
	rows   map[string]string
	writes int
}

func (s *stores) write(_ context.Context, b batch) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.writes++
	if s.fails != nil {
		if err := s.fails(b); err != nil {
			return err
		}
	}
	for _, row := range b.orders {
		s.rows[row.OutTradeNo] = row.State
	}
	for _, row := range b.refunds {
		s.rows[row.OutRefundNo] = row.State
	}
	for _, row := range b.shipments {
		s.rows[row.Name] = row.State
	}
	return nil
}

func (s *stores) Migrate(context.Context) error { return nil }

func (s *stores) Close() {}

func (s *stores) fail(how func(batch) error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.fails = how
}

func (s *stores) states() string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	var all []string
	for number, state := range s.rows {
		all = append(all, number+"="+state)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func condition(kind string, status metav1.ConditionStatus, reason string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: status, Reason: reason, LastTransitionTime: metav1.NewTime(noon)}
}

func paidOrder(name string) *v1alpha1.Order {
	order := &v1alpha1.Order{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID("uid-" + name)}}
	order.Spec = v1alpha1.OrderSpec{MerchantRef: v1alpha1.MerchantReference{Name: "shop"}, Amount: v1alpha1.Amount{Total: 101, Currency: "CNY"}}
	order.Status.Conditions = []metav1.Condition{condition(v1alpha1.ConditionPaid, metav1.ConditionTrue, v1alpha1.ReasonPaid)}
	order.Status.Transaction = &v1alpha1.Transaction{ID: "42000-" + name, Total: 101}
	return order
}

func processingRefund(name, order string) *v1alpha1.Refund {
	refund := &v1alpha1.Refund{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID("uid-" + name)}}
	refund.Spec = v1alpha1.RefundSpec{OrderRef: v1alpha1.OrderReference{Name: order}, Amount: 50}
	refund.Status.Conditions = []metav1.Condition{
		condition(v1alpha1.ConditionAccepted, metav1.ConditionTrue, v1alpha1.ReasonAccepted),
		condition(v1alpha1.ConditionSucceeded, metav1.ConditionUnknown, v1alpha1.ReasonProcessing),
	}
	return refund
}

// newWriter returns a Writer of a shop with the given objects, which has not started.
func newWriter(orders []*v1alpha1.Order, refunds ...*v1alpha1.Refund) (*Writer, *cached, *stores) {
	there := &cached{orders: map[string]*v1alpha1.Order{}, refunds: map[string]*v1alpha1.Refund{}, merchants: map[string]*v1alpha1.Merchant{
		"shop": {ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop"}, Spec: v1alpha1.MerchantSpec{MchID: "1900000109"}, Status: v1alpha1.MerchantStatus{Keys: []string{"proven"}}},
	}}
	there.merchants["shop"].Status.KeysEndpoint = account.EndpointID(there.merchants["shop"])
	for _, order := range orders {
		there.orders[order.Name] = order
	}
	for _, refund := range refunds {
		there.refunds[refund.Name] = refund
	}
	written := &stores{rows: map[string]string{}}
	w := &Writer{Reader: reader{there}, Database: written, Clock: clock.RealClock{}, Timing: DefaultTiming(), Log: logr.Discard()}
	w.reset()
	return w, there, written
}

// reader makes a cached a client.Reader.
type reader struct{ *cached }

func (w *Writer) started(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Start(ctx) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func TestWriterRecordsWhatIsThereAndWhatChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		open := paidOrder("order-0002")
		open.Status.Conditions, open.Status.Transaction = nil, nil
		lost := paidOrder("order-0003")
		lost.Status.Conditions = []metav1.Condition{condition(v1alpha1.ConditionPaid, metav1.ConditionFalse, v1alpha1.ReasonNumberInUse)}
		w, there, written := newWriter([]*v1alpha1.Order{paidOrder("order-0001"), open, lost}, processingRefund("refund-0001", "order-0001"))
		stop := w.started(t)
		defer stop()
		time.Sleep(time.Second)
		synctest.Wait()
		if is := written.states(); is != "order-0001=Paid refund-0001=Processing" {
			t.Errorf("recorded: %s", is)
		}
		there.refunds["refund-0001"] = there.refunds["refund-0001"].DeepCopy()
		there.refunds["refund-0001"].Status.Conditions[1] = condition(v1alpha1.ConditionSucceeded, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
		w.Note(there.refunds["refund-0001"])
		writes := written.writes
		w.Note(there.orders["order-0001"]) // it has not changed
		time.Sleep(time.Second)
		synctest.Wait()
		if is := written.states(); is != "order-0001=Paid refund-0001=Succeeded" {
			t.Errorf("recorded: %s", is)
		}
		if written.writes != writes+1 {
			t.Errorf("%d writes for one change", written.writes-writes)
		}
	})
}

// TestShipmentsAreFacts once WeChat has the shipping information, and not before.
func TestShipmentsAreFacts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shipment := func(name, reason string, status metav1.ConditionStatus) v1alpha1.Shipment {
			made := v1alpha1.Shipment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID("uid-" + name)}}
			made.Spec.OrderRef.Name = "order-0001"
			made.Status.Conditions = []metav1.Condition{condition(v1alpha1.ConditionUploaded, status, reason)}
			return made
		}
		w, there, written := newWriter([]*v1alpha1.Order{paidOrder("order-0001")})
		there.shipments = []v1alpha1.Shipment{
			shipment("shipment-0001", v1alpha1.ReasonUploaded, metav1.ConditionTrue), shipment("shipment-0002", v1alpha1.ReasonNotYetKnown, metav1.ConditionUnknown),
		}
		stop := w.started(t)
		defer stop()
		time.Sleep(time.Second)
		synctest.Wait()
		if is := written.states(); is != "order-0001=Paid shipment-0001=Uploaded" {
			t.Errorf("recorded: %s", is)
		}
	})
}

func TestFactsWaitForTheDatabase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		order := paidOrder("order-0001")
		w, _, written := newWriter([]*v1alpha1.Order{order})
		written.fail(func(batch) error { return errors.New("connection refused") })
		var told []string
		w.Listen(func(object client.Object) { told = append(told, object.GetName()) })
		stop := w.started(t)
		defer stop()
		time.Sleep(time.Hour)
		synctest.Wait()
		if recorded, err := w.IsRecorded(t.Context(), order); err != nil || recorded {
			t.Errorf("recorded: %t %v", recorded, err)
		}
		if state := w.State(); state.Pending != 1 || time.Since(state.Failing) < 59*time.Minute {
			t.Errorf("%+v", state)
		}
		if lag := testutil.ToFloat64(metrics.LedgerLag); lag < 3500 || lag > 3600 {
			t.Errorf("the lag is %f s", lag)
		}
		if written.writes > 200 {
			t.Errorf("%d tries in an hour", written.writes)
		}
		written.fail(nil)
		time.Sleep(DefaultTiming().RetryMost + time.Second)
		synctest.Wait()
		if recorded, err := w.IsRecorded(t.Context(), order); err != nil || !recorded {
			t.Errorf("recorded: %t %v", recorded, err)
		}
		if lag := testutil.ToFloat64(metrics.LedgerLag); lag != 0 {
			t.Errorf("the lag is %f s", lag)
		}
		if !slices.Equal(told, []string{"order-0001"}) {
			t.Errorf("told of %q", told)
		}
		if state := w.State(); state != (State{}) {
			t.Errorf("%+v", state)
		}
	})
}

// TestOneBadRowHarmsItselfOnly: the other rows of its batch are recorded, and it is retried only at intervals.
func TestOneBadRowHarmsItselfOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var orders []*v1alpha1.Order
		for i := range 100 {
			orders = append(orders, paidOrder(fmt.Sprintf("order-%04d", i)))
		}
		w, _, written := newWriter(orders)
		written.fail(func(b batch) error {
			if slices.ContainsFunc(b.orders, func(row orderRow) bool { return row.OutTradeNo == "order-0042" }) {
				return &pgconn.PgError{Code: "22P05", Message: "unsupported Unicode escape sequence"}
			}
			return nil
		})
		stop := w.started(t)
		defer stop()
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(written.rows) != 99 || written.rows["order-0042"] != "" {
			t.Errorf("%d rows", len(written.rows))
		}
		if state := w.State(); state.Refused != 1 || state.Pending != 0 || !state.Failing.IsZero() {
			t.Errorf("%+v", state)
		}
		if written.writes > 40 {
			t.Errorf("%d writes", written.writes)
		}
		if recorded, _ := w.IsRecorded(t.Context(), orders[42]); recorded {
			t.Error("the bad one counts as recorded")
		}
	})
}

// TestUnprovenMerchantNamesNoAccount: anybody can create a Merchant with another's number. Other objects do not wait
// for its Orders.
func TestUnprovenMerchantNamesNoAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		theirs := paidOrder("order-0002")
		theirs.Spec.MerchantRef.Name = "copy"
		w, there, written := newWriter([]*v1alpha1.Order{paidOrder("order-0001"), theirs})
		unproven := there.merchants["shop"].DeepCopy()
		unproven.Name, unproven.Status = "copy", v1alpha1.MerchantStatus{}
		there.merchants["copy"] = unproven
		stop := w.started(t)
		defer stop()
		time.Sleep(time.Minute)
		synctest.Wait()
		if is := written.states(); is != "order-0001=Paid" {
			t.Errorf("recorded: %s", is)
		}
		if state := w.State(); state.Refused != 1 || state.Pending != 0 || !state.Failing.IsZero() {
			t.Errorf("%+v", state)
		}
		if recorded, err := w.IsRecorded(t.Context(), theirs); err != nil || recorded {
			t.Errorf("recorded: %t %v", recorded, err)
		}
		proven := unproven.DeepCopy() // WeChat Pay accepts its key
		proven.Status = there.merchants["shop"].Status
		there.mutex.Lock()
		there.merchants["copy"] = proven
		there.mutex.Unlock()
		time.Sleep(DefaultTiming().RetryRefused + time.Minute)
		synctest.Wait()
		if is := written.states(); is != "order-0001=Paid order-0002=Paid" {
			t.Errorf("recorded: %s", is)
		}
	})
}

// TestWhatARowIsMadeOfChanges: the Order itself does not change when its Merchant does, and must not wait for ever.
func TestWhatARowIsMadeOfChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		order := paidOrder("order-0001")
		w, there, written := newWriter([]*v1alpha1.Order{order})
		stop := w.started(t)
		defer stop()
		time.Sleep(time.Second)
		synctest.Wait()
		moved := there.merchants["shop"].DeepCopy()
		moved.Spec.Endpoint = &v1alpha1.Endpoint{URL: "https://proxy.example.com"}
		moved.Status.KeysEndpoint = account.EndpointID(moved)
		there.mutex.Lock()
		there.merchants["shop"] = moved
		there.mutex.Unlock()
		asked := order.DeepCopy()
		if recorded, err := w.IsRecorded(t.Context(), asked); err != nil || recorded {
			t.Errorf("recorded: %t %v", recorded, err)
		}
		asked.Name = "decoded-into" // by the reconciler that asked
		time.Sleep(time.Second)
		synctest.Wait()
		if recorded, err := w.IsRecorded(t.Context(), order); err != nil || !recorded || written.writes != 2 {
			t.Errorf("recorded: %t %v after %d writes", recorded, err, written.writes)
		}
		if is := written.states(); is != "order-0001=Paid" {
			t.Errorf("recorded: %s", is)
		}
	})
}

// TestDeletedObjectsAreForgotten, including those that could not be recorded.
func TestDeletedObjectsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		good, bad := paidOrder("order-0001"), paidOrder("order-0002")
		w, _, written := newWriter([]*v1alpha1.Order{good, bad})
		written.fail(func(b batch) error {
			if slices.ContainsFunc(b.orders, func(row orderRow) bool { return row.OutTradeNo == "order-0002" }) {
				return &pgconn.PgError{Code: "22P05"}
			}
			return errors.New("connection refused")
		})
		stop := w.started(t)
		defer stop()
		time.Sleep(time.Minute)
		synctest.Wait()
		w.Forget(good.UID)
		w.Forget(bad.UID)
		written.fail(nil)
		time.Sleep(time.Hour)
		synctest.Wait()
		w.mutex.Lock()
		defer w.mutex.Unlock()
		if left := len(w.pending) + len(w.since) + len(w.refused) + len(w.recorded) + len(w.waiting) + len(w.deletedPending); left != 0 {
			t.Errorf("%d objects are remembered", left)
		}
	})
}

// TestFollowersKeepNothing: otherwise the memory of a process that never leads would grow without limit.
func TestFollowersKeepNothing(t *testing.T) {
	w, _, _ := newWriter(nil)
	w.Note(paidOrder("order-0001"))
	if state := w.State(); state.Pending != 0 {
		t.Errorf("%+v", state)
	}
}

// TestDatabaseIsKilled while rows are written: no row is lost or duplicated.
func TestDatabaseIsKilled(t *testing.T) {
	server, database, _ := openDatabase(t)
	var orders []*v1alpha1.Order
	for i := range 3000 {
		orders = append(orders, paidOrder(fmt.Sprintf("order-%04d", i)))
	}
	w, _, _ := newWriter(orders)
	w.Database, w.Timing = database, Timing{Gather: time.Millisecond, RetryFirst: 10 * time.Millisecond, RetryMost: 100 * time.Millisecond, Batch: 50, RetryRefused: time.Minute}
	stop := w.started(t)
	defer stop()
	for _, left := range []int{2500, 1500, 500} {
		await(t, func() bool { return w.State().Pending <= left })
		server.Kill()
		await(t, func() bool { return !w.State().Failing.IsZero() || w.State().Pending == 0 })
		must(t, server.Start())
	}
	await(t, func() bool { return w.State() == State{} })
	counts := query[int64](t, connect(t, server), "SELECT count(*) FROM wechatpay.orders UNION ALL SELECT count(DISTINCT transaction_id) FROM wechatpay.orders")
	if !slices.Equal(counts, []int64{3000, 3000}) {
		t.Errorf("%d rows", counts)
	}
}

func await(t *testing.T, until func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for !until() {
		select {
		case <-ctx.Done():
			t.Fatal("it does not come to that")
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// BenchmarkWriter measures rows per second, including the derivation of the rows.
func BenchmarkWriter(b *testing.B) {
	_, database, _ := openDatabase(b)
	var orders []*v1alpha1.Order
	for i := range 20_000 {
		orders = append(orders, paidOrder(fmt.Sprintf("order-%06d", i)))
	}
	for b.Loop() {
		w, _, _ := newWriter(orders)
		w.Database = keepOpen{database}
		ctx, cancel := context.WithCancel(b.Context())
		if err := w.lead(ctx); err != nil {
			b.Fatal(err)
		}
		for w.State().Pending > 0 {
			if err := w.Record(ctx); err != nil {
				b.Fatal(err)
			}
		}
		cancel()
	}
	b.ReportMetric(float64(b.N)*20_000/b.Elapsed().Seconds(), "rows/s")
}

type keepOpen struct{ *Database }

func (keepOpen) Close() {}
