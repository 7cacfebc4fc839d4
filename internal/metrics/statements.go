package metrics

import (
	"cmp"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
)

func (o *Objects) countStatement(statement *v1alpha1.Statement, by int64) {
	state := cmp.Or(lifecycle.StatementState(statement), isNew)
	o.statements.add(by, statement.Namespace, state)
	merchant := statement.Spec.MerchantRef.Name
	if differing := statement.Status.Differing; differing != nil && *differing > 0 {
		o.differing.add(*differing*by, statement.Namespace, merchant)
	}
	for _, of := range statement.Status.Totals {
		if of.Unexplained != nil && of.Unexplained.Total > 0 {
			o.unexplained.add(of.Unexplained.Total*by, statement.Namespace, merchant, of.Currency)
		}
	}
	o.uncompared.keep(statement.UID, uncomparedSince(statement, state), by)
}

// uncomparedSince returns since when the bill of a Statement should have been compared; zero if it was compared or
// can't be.
func uncomparedSince(statement *v1alpha1.Statement, state string) time.Time {
	day, err := bills.ParseDay(statement.Spec.Date)
	if err != nil || lifecycle.StatementCompared(statement) || lifecycle.StatementFinal(statement) || state == v1alpha1.ReasonWaiting {
		return time.Time{}
	}
	return latest(statement.CreationTimestamp.Time, bills.WeChatPolicy.Ready(day))
}
