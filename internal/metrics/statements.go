package metrics

import (
	"cmp"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
)

func (o *Objects) countStatement(statement *v1alpha1.Statement, by int) {
	state := cmp.Or(lifecycle.StatementState(statement), isNew)
	change(o.statements, place{statement.Namespace, state}, by)
	merchant := types.NamespacedName{Namespace: statement.Namespace, Name: statement.Spec.MerchantRef.Name}
	if differing := statement.Status.Differing; differing != nil && *differing > 0 {
		adjust(o.differing, merchant, *differing*int64(by))
	}
	for _, of := range statement.Status.Totals {
		if of.Unexplained != nil && of.Unexplained.Total > 0 {
			adjust(o.unexplained, moneyOf{merchant, of.Currency}, of.Unexplained.Total*int64(by))
		}
	}
	keep(o.uncompared, statement.UID, uncomparedSince(statement, state), by)
}

// uncomparedSince returns since when the bill of a Statement should be compared; zero if it is, or can't be.
func uncomparedSince(statement *v1alpha1.Statement, state string) time.Time {
	day, err := bills.ParseDay(statement.Spec.Date)
	if err != nil || lifecycle.StatementCompared(statement) || lifecycle.StatementFinal(statement) || state == v1alpha1.ReasonWaiting {
		return time.Time{}
	}
	return latest(statement.CreationTimestamp.Time, bills.WeChatPolicy.Ready(day))
}

func adjust[K comparable](sums map[K]int64, at K, by int64) {
	if sums[at] += by; sums[at] == 0 {
		delete(sums, at)
	}
}

func (o *Objects) showStatements() {
	g := o.gauges
	showSums(g.statements, o.statements)
	g.differing.Reset()
	for merchant, sum := range o.differing {
		g.differing.WithLabelValues(merchant.Namespace, merchant.Name).Set(float64(sum))
	}
	g.unexplained.Reset()
	for of, sum := range o.unexplained {
		g.unexplained.WithLabelValues(of.merchant.Namespace, of.merchant.Name, of.currency).Set(float64(sum))
	}
	g.uncompared.Set(o.oldest(o.uncompared))
}
