// Package judge compares what was asked for with what WeChat did and what the objects ever showed. It is pure: all evidence
// comes as arguments, so that every rule can be shown to fail.
package judge

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/tenancy"
)

// Number is an order's or refund's number at WeChat.
type Number struct{ MchID, Number string }

func (n Number) String() string { return n.MchID + "/" + n.Number }

// Evidence is everything that a verdict rests on.
type Evidence struct {
	// Orders and Refunds are what was asked for, whatever became of the objects.
	Orders  map[Number]*AskedOrder
	Refunds map[Number]*AskedRefund
	// Rivals want a number of somebody else's without a right to it.
	Rivals []Rival
	// LetThrough are the numbers of Refunds that somebody could approve who has no right to.
	LetThrough []Number
	// Payments are those that payers were told of.
	Payments []SeenPayment
	// Ledger is what WeChat has on record.
	Ledger simulator.Ledger
	// History are all writes of Merchants, Orders and Refunds, in the order in which they were stored.
	History []Change
	// Pauses are the times in which a leader was stopped without knowing it.
	Pauses []Pause
}

// AskedOrder is an Order that was created, perhaps several times with the same spec.
type AskedOrder struct {
	Order    *v1alpha1.Order
	Merchant *v1alpha1.Merchant
	// Deleted is set before the first request to delete it.
	Deleted bool
	// Twin is an Order of another namespace that asked for the same number in the same second, and may use the Merchant as well.
	// Which of the two comes first is not the soak's to say.
	Twin *AskedOrder
}

// Rival is an Order whose Merchant does not grant it, or has a key that WeChat never took; or a Refund of such an Order. One of
// Order and Refund is set.
type Rival struct {
	Number Number
	Order  *v1alpha1.Order
	Refund *v1alpha1.Refund
}

// AskedRefund is a Refund that was created, perhaps several times with the same spec.
type AskedRefund struct {
	Refund *v1alpha1.Refund
	Order  Number
	// ApprovedTime is just before the first request to approve it; zero if nobody did.
	ApprovedTime time.Time
	// Deleted is set before the first request to delete it.
	Deleted bool
	// Twin is the Refund of the same number of the Order's twin.
	Twin *AskedRefund
}

// SeenPayment is what a payer's screen showed.
type SeenPayment struct {
	Order         Number
	TransactionID string
}

// Change is one stored version of an object, or its removal. One of the three is set; with Gone it is the last version.
type Change struct {
	Merchant *v1alpha1.Merchant
	Order    *v1alpha1.Order
	Refund   *v1alpha1.Refund
	Gone     bool
}

// Pause is the time in which a process was stopped by a signal.
type Pause struct{ From, Until time.Time }

// Rule names what must hold.
type Rule string

// The rules.
const (
	OneTransaction     Rule = tenancy.OneTransactionOneOrder
	OnePayout          Rule = tenancy.OnePayoutOneRefund
	NoFactCrosses      Rule = tenancy.NoFactCrosses
	UngrantedIsNothing Rule = tenancy.UngrantedIsNothing
	RefundApproved     Rule = "no refund without a guarded approval"
	OrderOnce          Rule = "one order for a number, as its Order says"
	RefundOnce         Rule = "one refund for a number, as its Refund says, paid out at most once"
	RefundWithinPaid   Rule = "no more is refunded than was paid"
	ApprovedIsPaidOut  Rule = "every approved Refund is paid out"
	PaymentRecorded    Rule = "every payment is recorded"
	PaidNeverLeft      Rule = "what is paid or final stays so"
	NothingInvented    Rule = "no status says more than WeChat does"
	AnswerAfterWrite   Rule = "a callback is answered SUCCESS only when its news is stored"
	Converged          Rule = "every status comes to agree with WeChat"
	NothingLost        Rule = "no object goes unless it was deleted, and none leaves anything open"
	WeChatContent      Rule = "WeChat has nothing to complain of"
	LedgerTrustworthy  Rule = "the ledger itself lost nothing"
	ProcessesDoNotFail Rule = "no replica crashes"
)

// Rules are all of them, in the order of the report.
var Rules = []Rule{
	OneTransaction, OnePayout, NoFactCrosses, UngrantedIsNothing, RefundApproved,
	OrderOnce, RefundOnce, RefundWithinPaid, ApprovedIsPaidOut, PaymentRecorded, PaidNeverLeft, NothingInvented,
	AnswerAfterWrite, Converged, NothingLost, WeChatContent, LedgerTrustworthy, ProcessesDoNotFail,
}

// Finding is a rule that does not hold.
type Finding struct {
	Rule   Rule   `json:"rule"`
	Number string `json:"number,omitempty"`
	What   string `json:"what"`
	// Ledger and Object are what WeChat and the API server have, in short.
	Ledger string `json:"ledger,omitempty"`
	Object string `json:"object,omitempty"`
	// Open findings may still go away while the operator works on.
	Open bool `json:"open,omitempty"`
}

// Verdict is what the judge says.
type Verdict struct {
	Findings []Finding
	// LookedAt counts how often each rule was looked at where it could fail.
	LookedAt map[Rule]int
	// Excused are refund calls that a leader made when it woke, before it knew that another one had taken over. WeChat refuses
	// them for their pace and nothing comes of them.
	Excused int
}

// Holds says whether every rule does.
func (v Verdict) Holds() bool { return len(v.Findings) == 0 }

// Open says whether waiting may help: everything that does not hold may still come to.
func (v Verdict) Open() bool {
	for _, finding := range v.Findings {
		if !finding.Open {
			return false
		}
	}
	return len(v.Findings) > 0
}

// Judge compares. It takes now for deadlines that have passed.
func Judge(e Evidence, now time.Time) Verdict {
	j := &judge{Evidence: e, now: now, lookedAt: map[Rule]int{}}
	j.past = readHistory(e.History, j.lookAt)
	j.settleTwins()
	j.ledger()
	j.orders()
	j.losers()
	j.refunds()
	j.tenants()
	j.guard()
	j.callbacks()
	j.complaints()
	j.findings = append(j.findings, j.past.findings...)
	slices.SortStableFunc(j.findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(slices.Index(Rules, a.Rule), slices.Index(Rules, b.Rule)), cmp.Compare(a.Number, b.Number))
	})
	return Verdict{Findings: j.findings, LookedAt: j.lookedAt, Excused: j.excused}
}

type judge struct {
	Evidence
	now      time.Time
	past     *past
	findings []Finding
	lookedAt map[Rule]int
	excused  int
}

// lookAt counts that rules were looked at where they could fail.
func (j *judge) lookAt(rules ...Rule) {
	for _, rule := range rules {
		j.lookedAt[rule]++
	}
}

func (j *judge) find(rule Rule, number Number, format string, arguments ...any) *Finding {
	finding := Finding{Rule: rule, Number: number.String(), What: fmt.Sprintf(format, arguments...)}
	if order := j.Ledger.Order(number.MchID, number.Number); order != nil {
		finding.Ledger = describeLedgerOrder(order)
	}
	if refund := j.Ledger.Refund(number.MchID, number.Number); refund != nil {
		finding.Ledger = describeLedgerRefund(refund)
	}
	if asked := j.Orders[number]; asked != nil {
		finding.Object = j.past.describe(key(asked.Order))
	}
	if asked := j.Refunds[number]; asked != nil {
		finding.Object = j.past.describe(key(asked.Refund))
	}
	j.findings = append(j.findings, finding)
	return &j.findings[len(j.findings)-1]
}

// notYet is a finding that may go away.
func (j *judge) notYet(rule Rule, number Number, format string, arguments ...any) {
	j.find(rule, number, format, arguments...).Open = true
}
