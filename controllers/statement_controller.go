package controllers

import (
	"context"
	"hash/fnv"
	"reflect"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
	"github.com/wechatpay-operator/wechatpay-operator/internal/index"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/statement"
)

// +kubebuilder:rbac:groups=wechatpay-operator.io,resources=statements,verbs=get;list;watch
// +kubebuilder:rbac:groups=wechatpay-operator.io,resources=statements/status,verbs=update

// StatementReconciler compares WeChat's bills with what the operator knows. It has workers of its own, so no payment
// waits for a bill.
type StatementReconciler struct {
	Base
	// Records has what happened to objects that are gone; nil if there is none.
	Records statement.Ledger

	comparer *statement.Comparer
	// failures counts the downloads that failed, repairs the comparisons that found something that was missed.
	failures, repairs *retries
	// due holds when a Statement is downloaded next, whatever starts a reconcile until then.
	due *dueTimes
	// changed are the Statements whose Merchant changed since their reconcile began.
	changed *dueTimes
	// namespaces and accounts limit how much is done for one of them at a time.
	namespaces, accounts slots
}

const (
	// workersForStatements limits how many bills are read at a time, and with it the memory: see statement.DefaultLimits.
	workersForStatements = 4
	// statementsPerNamespace leaves workers for others where the bills of one namespace hang.
	statementsPerNamespace = 2
	// statementDeadline limits a comparison as a whole.
	statementDeadline = 8 * time.Minute
)

// statementScope is the state of one reconcile of a Statement, which the steps share.
type statementScope struct {
	*v1alpha1.Statement
	day      bills.Day
	merchant *v1alpha1.Merchant
	account  *account.Account
}

// SetupWithManager registers the reconciler with the manager. It runs on the leader.
func (r *StatementReconciler) SetupWithManager(mgr ctrl.Manager) error {
	r.init()
	options := r.controllerOptions()
	options.MaxConcurrentReconciles, options.ReconciliationTimeout = workersForStatements, statementDeadline
	return ctrl.NewControllerManagedBy(mgr).
		Named("statement").
		For(&v1alpha1.Statement{}).
		Watches(&v1alpha1.Merchant{}, handler.Funcs{CreateFunc: r.merchantAppeared, UpdateFunc: r.merchantChanged}).
		WithOptions(options).
		Complete(r)
}

func (r *StatementReconciler) init() {
	timing := r.Timing.Bills
	r.refusals, r.due, r.changed, r.written = &refusals{}, newDueTimes(), newDueTimes(), newOwnWrites(r.Clock)
	r.failures = newRetries(Timing{RetryFirst: timing.RetryFirst, RetryMost: timing.RetryMost})
	r.repairs = newRetries(Timing{RetryFirst: timing.RepairFirst, RetryMost: timing.RepairMost})
	r.comparer = &statement.Comparer{Client: r.Client, Ledger: r.Records, Policy: timing.Policy}
}

// Reconcile runs the steps of a Statement.
func (r *StatementReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	scope := &statementScope{Statement: &v1alpha1.Statement{}}
	if err := r.Client.Get(ctx, request.NamespacedName, scope.Statement); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if r.written.newerThan(scope.Statement) {
		return ctrl.Result{RequeueAfter: staleCacheRetry}, nil
	}
	if isDeleted(scope) || lifecycle.StatementFinal(scope.Statement) {
		r.forget(scope.UID)
		return ctrl.Result{}, nil
	}
	r.changed.clear(scope.UID) // before the Merchant is read
	return run(ctx, scope, r.readDate, r.findMerchant, r.awaitBill, r.findAccount, r.awaitDue, r.compare)
}

func (r *StatementReconciler) forget(uid types.UID) {
	r.failures.forget(uid)
	r.repairs.forget(uid)
	r.due.clear(uid)
	r.changed.clear(uid)
	r.refusals.forget(uid)
}

// until ends the reconcile until a time.
func (r *StatementReconciler) until(at time.Time) progress {
	if at.Equal(neverDue) {
		return done()
	}
	return again(min(at.Sub(r.Clock.Now()), r.Timing.Bills.Look))
}

// later schedules the next download. If the Merchant changed during this reconcile, it is due now.
func (r *StatementReconciler) later(s *statementScope, at time.Time) progress {
	r.due.set(s.UID, at)
	if changed, known := r.changed.get(s.UID); known {
		at = changed
		r.due.set(s.UID, at)
	}
	return r.until(at)
}

// awaitDue waits until the bill is to be downloaded. After a start of the operator that follows from the last comparison.
func (r *StatementReconciler) awaitDue(_ context.Context, s *statementScope) progress {
	due, known := r.due.get(s.UID)
	if !known && lifecycle.StatementCompared(s.Statement) {
		due, known = r.nextComparison(s)
		if !known {
			return done()
		}
		r.due.set(s.UID, due)
	}
	if known && due.After(r.Clock.Now()) {
		return r.until(due)
	}
	return next()
}

// merchantAppeared reconciles the Statements of a Merchant that exists now.
func (r *StatementReconciler) merchantAppeared(ctx context.Context, created event.CreateEvent, queue queueOfRequests) {
	r.enqueue(ctx, created.Object, queue, false)
}

// merchantChanged reconciles the Statements of a Merchant that may be used now, and compares again what differs when it says something
// else about payments of other systems.
func (r *StatementReconciler) merchantChanged(ctx context.Context, change event.UpdateEvent, queue queueOfRequests) {
	before, now := change.ObjectOld.(*v1alpha1.Merchant), change.ObjectNew.(*v1alpha1.Merchant)
	rules := !reflect.DeepEqual(before.Spec.Statements, now.Spec.Statements)
	ready := readyReason(before) != readyReason(now) || account.WasProven(before) != account.WasProven(now)
	if rules || ready {
		r.enqueue(ctx, now, queue, rules)
	}
}

// enqueue reconciles the Statements of a Merchant that are not final.
func (r *StatementReconciler) enqueue(ctx context.Context, merchant client.Object, queue queueOfRequests, compareAgain bool) {
	var statements v1alpha1.StatementList
	err := r.Client.List(ctx, &statements, client.InNamespace(merchant.GetNamespace()), client.MatchingFields{index.StatementMerchant: merchant.GetName()},
		index.WithoutOwnWrites, client.UnsafeDisableDeepCopy)
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Failed to list the Statements of a Merchant", "merchant", client.ObjectKeyFromObject(merchant))
		return
	}
	for i := range statements.Items {
		waiting := &statements.Items[i]
		if lifecycle.StatementFinal(waiting) {
			continue
		}
		if compareAgain || !lifecycle.StatementCompared(waiting) {
			r.changed.set(waiting.UID, r.Clock.Now())
			r.due.set(waiting.UID, r.Clock.Now())
		}
		queue.Add(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(waiting)})
	}
}

// spread returns a time within Spread that is the same for a Merchant each day.
func (r *StatementReconciler) spread(namespace, merchant string) time.Duration {
	if r.Timing.Bills.Spread <= 0 {
		return 0
	}
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(namespace + "/" + merchant))
	return time.Duration(uint64(sum.Sum32()) % uint64(r.Timing.Bills.Spread))
}

// slots limits how many Statements of a namespace, or of a merchant number, are compared at a time.
type slots struct {
	mutex sync.Mutex
	taken map[string]int
}

// acquire takes a slot, and returns false if none is free. release frees it.
func (s *slots) acquire(who string, most int) (release func(), acquired bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.taken[who] >= most {
		return nil, false
	}
	if s.taken == nil {
		s.taken = map[string]int{}
	}
	s.taken[who]++
	return func() {
		s.mutex.Lock()
		defer s.mutex.Unlock()
		if s.taken[who]--; s.taken[who] == 0 {
			delete(s.taken, who)
		}
	}, true
}
