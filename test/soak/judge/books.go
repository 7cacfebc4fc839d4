package judge

import (
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
)

// Books are what the operator recorded: the ledger's rows, and Statements. They are nil if there is no ledger.
type Books struct {
	Payments, Refunds []Entry
	Statements        []StatementOf
}

// Entry is a row of the ledger.
type Entry struct {
	Number Number
	// ID is WeChat Pay's number.
	ID     string
	Amount int64
}

// StatementOf is a Statement with its Merchant.
type StatementOf struct {
	Statement v1alpha1.Statement
	Merchant  *v1alpha1.Merchant
}

// books compares the ledger with WeChat Pay's record, and Statements with both.
func (j *judge) books() {
	if j.Books == nil {
		return
	}
	j.entries("payment", j.Books.Payments, j.paidAtWeChat(), j.everPaid())
	j.entries("refund", j.Books.Refunds, j.refundedAtWeChat(), j.everAccepted())
	for _, of := range j.Books.Statements {
		j.statement(of)
	}
}

func (j *judge) paidAtWeChat() map[Number]Entry {
	there := map[Number]Entry{}
	for i := range j.Ledger.Orders {
		if o := &j.Ledger.Orders[i]; o.Payment != nil {
			number := Number{o.MchID, o.OutTradeNo}
			there[number] = Entry{number, o.Payment.TransactionID, o.Payment.TotalFee}
		}
	}
	return there
}

func (j *judge) refundedAtWeChat() map[Number]Entry {
	there := map[Number]Entry{}
	for i := range j.Ledger.Refunds {
		r := &j.Ledger.Refunds[i]
		number := Number{r.MchID, r.OutRefundNo}
		there[number] = Entry{number, r.RefundID, r.RefundFee}
	}
	return there
}

// everPaid are the numbers of the Orders whose last version shows the payment.
func (j *judge) everPaid() map[Number]bool {
	numbers := map[Number]bool{}
	for number, asked := range j.Orders {
		if last, ok := j.past.last[key(asked.Order)].(*v1alpha1.Order); ok && isPaid(last) && last.Status.Transaction != nil {
			numbers[number] = true
		}
	}
	return numbers
}

// everAccepted are the numbers of the Refunds whose last version shows that WeChat Pay accepted them.
func (j *judge) everAccepted() map[Number]bool {
	numbers := map[Number]bool{}
	for number, asked := range j.Refunds {
		last, ok := j.past.last[key(asked.Refund)].(*v1alpha1.Refund)
		if ok && (isTrue(last.Status.Conditions, v1alpha1.ConditionAccepted) || isTrue(last.Status.Conditions, v1alpha1.ConditionSucceeded)) {
			numbers[number] = true
		}
	}
	return numbers
}

// entries checks that each row is in WeChat Pay's record, once, and that nothing that an object showed is missing.
func (j *judge) entries(kind string, rows []Entry, there map[Number]Entry, shown map[Number]bool) {
	seen := map[Number]bool{}
	for _, row := range rows {
		j.lookAt(BooksComplete)
		recorded, exists := there[row.Number]
		switch {
		case seen[row.Number]:
			j.find(BooksComplete, row.Number, "the ledger has this %s twice", kind)
		case !exists:
			j.find(BooksComplete, row.Number, "the ledger has a %s that WeChat Pay does not have", kind)
		case recorded.Amount != row.Amount, row.ID != "" && recorded.ID != row.ID:
			j.find(BooksComplete, row.Number, "the ledger has the %s %s over %d, WeChat Pay %s over %d", kind, row.ID, row.Amount, recorded.ID, recorded.Amount)
		}
		seen[row.Number] = true
	}
	for number := range shown {
		j.lookAt(BooksComplete)
		if !seen[number] {
			j.notYet(BooksComplete, number, "an object showed this %s, and the ledger does not have it", kind)
		}
	}
}

// statement checks a Statement by WeChat Pay's own record: its sums, and that exactly those numbers differ that the
// ledger does not have.
func (j *judge) statement(of StatementOf) {
	j.lookAt(StatementsTrue)
	status, name := of.Statement.Status, Number{of.Merchant.Spec.MchID, of.Statement.Name}
	var paid, back v1alpha1.StatementTally
	unknown := map[string]bool{}
	count := func(into *v1alpha1.StatementTally, entry Entry, rows []Entry) {
		into.Count, into.Total = into.Count+1, into.Total+entry.Amount
		if !slices.ContainsFunc(rows, func(row Entry) bool { return row.Number == entry.Number }) {
			unknown[entry.Number.Number] = true
		}
	}
	for i := range j.Ledger.Orders {
		if o := &j.Ledger.Orders[i]; o.Payment != nil && isOf(of, o.MchID, o.SubMchID, bills.DayOf(o.Payment.Time)) {
			count(&paid, Entry{Number{o.MchID, o.OutTradeNo}, "", o.Payment.TotalFee}, j.Books.Payments)
		}
	}
	for i := range j.Ledger.Refunds {
		if r := &j.Ledger.Refunds[i]; isOf(of, r.MchID, r.SubMchID, bills.DayOf(r.AcceptTime)) {
			count(&back, Entry{Number{r.MchID, r.OutRefundNo}, "", r.RefundFee}, j.Books.Refunds)
		}
	}
	var totals v1alpha1.StatementTotals
	for _, of := range status.Totals {
		if of.Currency == string(v1alpha1.CurrencyCNY) {
			totals = of
		}
	}
	if totals.Payments != paid || totals.Refunds != back {
		j.find(StatementsTrue, name, "it says payments %+v and refunds %+v, and WeChat Pay has %+v and %+v", totals.Payments, totals.Refunds, paid, back)
	}
	differing := map[string]bool{}
	for _, d := range status.Differences {
		if d.OutRefundNo != "" {
			differing[d.OutRefundNo] = true
		} else {
			differing[d.OutTradeNo] = true
		}
	}
	if !maps.Equal(differing, unknown) && len(unknown) < 50 {
		j.find(StatementsTrue, name, "it says that %v differ, and %v do", slices.Sorted(maps.Keys(differing)), slices.Sorted(maps.Keys(unknown)))
	}
	if isTrue(status.Conditions, v1alpha1.ConditionBalanced) != (len(unknown) == 0) {
		j.find(StatementsTrue, name, "it is %s, and %d numbers are in WeChat Pay's bill only", condition(status.Conditions, v1alpha1.ConditionBalanced).Reason, len(unknown))
	}
}

func isTrue(conditions []metav1.Condition, kind string) bool {
	return condition(conditions, kind).Status == metav1.ConditionTrue
}

func isOf(of StatementOf, mchID, subMchID string, day bills.Day) bool {
	sub := ""
	if of.Merchant.Spec.Partner != nil {
		sub = of.Merchant.Spec.Partner.SubMchID
	}
	return of.Merchant.Spec.MchID == mchID && sub == subMchID && of.Statement.Spec.Date == string(day)
}
