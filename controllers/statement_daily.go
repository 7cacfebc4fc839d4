package controllers

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
	"github.com/wechatpay-operator/wechatpay-operator/internal/index"
)

// +kubebuilder:rbac:groups=wechatpay-operator.io,resources=statements,verbs=create

// DailyStatementReconciler creates the Statements of Merchants whose spec.statements.schedule is Daily. They are
// records: they are owned by nobody, outlive their Merchant, and are deleted only by people.
type DailyStatementReconciler struct {
	Base
}

// statementsAtOnce is how many Statements of a Merchant are created in one reconcile after an outage.
const statementsAtOnce = 10

// SetupWithManager registers the reconciler with the manager. It runs on the leader.
func (r *DailyStatementReconciler) SetupWithManager(mgr ctrl.Manager) error {
	r.refusals = &refusals{}
	return ctrl.NewControllerManagedBy(mgr).
		Named("daily-statements").
		For(&v1alpha1.Merchant{}).
		WithOptions(r.controllerOptions()).
		Complete(r)
}

// Reconcile creates the Statements that a Merchant lacks.
func (r *DailyStatementReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	m := &v1alpha1.Merchant{}
	if err := r.Client.Get(ctx, request.NamespacedName, m); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	// Anybody may name a merchant number. It is theirs once WeChat took a key for it.
	if isDeleted(m) || m.Spec.Statements == nil || m.Spec.Statements.Schedule != v1alpha1.StatementsDaily || !account.WasProven(m) {
		return ctrl.Result{}, nil
	}
	return run(ctx, m, r.create)
}

// create creates the Statements of the days whose bills are there, the latest first.
func (r *DailyStatementReconciler) create(ctx context.Context, m *v1alpha1.Merchant) progress {
	missing, err := r.missing(ctx, m)
	if err != nil {
		return failed(err)
	}
	created := 0
	for _, day := range missing {
		taken, err := r.isTaken(ctx, m, day)
		if err != nil {
			return failed(err)
		}
		if taken {
			continue
		}
		if created == statementsAtOnce {
			return again(r.Timing.RetryFirst)
		}
		created++
		err = r.Client.Create(ctx, dailyStatement(m, day))
		switch {
		case apierrors.IsAlreadyExists(err): // the cache lags
		case isRefused(err):
			r.warn(m, v1alpha1.ReasonWriteRefused, "CreateStatement", "The cluster refuses the Statement of %s: %v. The operator tries again automatically", day, err)
			return again(failurePause)
		case err != nil:
			return failed(err)
		}
	}
	next := r.Timing.Bills.Policy.Ready(r.lastReady().Next())
	return again(min(next.Sub(r.Clock.Now()), r.Timing.Bills.Look))
}

// isTaken reports whether a Statement has the name of a day's, and warns once if that Statement is about another
// Merchant or day. Specs are immutable, so a person has to delete one.
func (r *DailyStatementReconciler) isTaken(ctx context.Context, m *v1alpha1.Merchant, day bills.Day) (bool, error) {
	wanted, other := dailyStatement(m, day), &v1alpha1.Statement{}
	err := r.Client.Get(ctx, client.ObjectKeyFromObject(wanted), other)
	if apierrors.IsNotFound(err) {
		r.refusals.clear(m.UID, wanted.Name)
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if other.Spec != wanted.Spec && r.refusals.note(m.UID, wanted.Name, string(other.UID)) {
		r.warn(m, "StatementNameTaken", "CreateStatement",
			"Statement %s exists and is about Merchant %s and %s, so none is created for Merchant %s and %s. Delete it, or create one of them with another name",
			other.Name, other.Spec.MerchantRef.Name, other.Spec.Date, m.Name, day)
	}
	return true, nil
}

// lastReady returns the last day whose bill is available.
func (r *DailyStatementReconciler) lastReady() bills.Day {
	day := bills.DayOf(r.Clock.Now())
	for r.Timing.Bills.Policy.Turn(day, r.Clock.Now()) == bills.TooEarly {
		day = day.Previous()
	}
	return day
}

// missing returns the days without a Statement, the latest first: from the earliest daily one of the Merchant on, so
// that days of an outage are compared later. If there is none it begins with the last day whose bill is available,
// but not before the Merchant.
func (r *DailyStatementReconciler) missing(ctx context.Context, m *v1alpha1.Merchant) ([]bills.Day, error) {
	var statements v1alpha1.StatementList
	err := r.Client.List(ctx, &statements, client.InNamespace(m.Namespace), client.MatchingFields{index.StatementMerchant: m.Name}, index.WithoutOwnWrites, client.UnsafeDisableDeepCopy)
	if err != nil {
		return nil, err
	}
	last := r.lastReady()
	first, begun, covered := last, false, map[bills.Day]bool{}
	for i := range statements.Items {
		day, err := bills.ParseDay(statements.Items[i].Spec.Date)
		if err != nil {
			continue
		}
		covered[day] = true
		if statements.Items[i].Name == dailyName(m, day) { // not one that somebody made of a day long ago
			first, begun = min(first, day), true
		}
	}
	if !begun {
		first = max(first, bills.DayOf(m.CreationTimestamp.Time))
	}
	var missing []bills.Day
	for day := last; day >= first && r.Timing.Bills.Policy.Turn(day, r.Clock.Now()) == bills.MayAsk; day = day.Previous() {
		if !covered[day] {
			missing = append(missing, day)
		}
	}
	return missing, nil
}

// dailyStatement has a name made of the Merchant and the day, so that it is created once.
func dailyStatement(m *v1alpha1.Merchant, day bills.Day) *v1alpha1.Statement {
	return &v1alpha1.Statement{
		ObjectMeta: metav1.ObjectMeta{Namespace: m.Namespace, Name: dailyName(m, day)},
		Spec:       v1alpha1.StatementSpec{MerchantRef: v1alpha1.LocalMerchantReference{Name: m.Name}, Date: string(day)},
	}
}

func dailyName(m *v1alpha1.Merchant, day bills.Day) string { return m.Name + "-" + string(day) }
