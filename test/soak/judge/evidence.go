// Package judge compares what was requested with what WeChat Pay did and what the objects ever
// showed. It is pure: all evidence comes as arguments, so that tests can make every rule fail.
package judge

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	weixin "github.com/wechatpay-operator/wechatpay-operator/internal/weixin/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/tenancy"
)

// Number is an order's or refund's number at WeChat Pay.
type Number struct{ MchID, Number string }

func (n Number) String() string { return n.MchID + "/" + n.Number }

// Evidence is all input of a verdict.
type Evidence struct {
	// Orders and Refunds are what was requested, whether or not the objects still exist.
	Orders  map[Number]*AskedOrder
	Refunds map[Number]*AskedRefund
	// Shipments are those that were requested, whether or not they still exist.
	Shipments []*AskedShipment
	// Rivals use somebody else's number without permission.
	Rivals []Rival
	// LetThrough are the numbers of Refunds that a user without permission could approve.
	LetThrough []Number
	// Unpayable are the numbers of Orders whose paySign WeChat Pay did not take.
	Unpayable []Number
	// Forgeries are callbacks that were not WeChat Pay's.
	Forgeries []Forgery
	// Payments are those that payers were shown.
	Payments []SeenPayment
	// Ledger is WeChat Pay's ledger.
	Ledger simulator.Ledger
	// Weixin is what order shipping management was told.
	Weixin weixin.Journal
	// History are all writes of Merchants, Orders, Refunds, Shipments and Statements, in the order in which they were
	// stored.
	History []Change
	// Pauses are the times in which a leader was stopped by SIGSTOP.
	Pauses []Pause
	// Events are what the receiver of the EventSinks took, in the order in which it did.
	Events []Event
	// Books are the ledger and the Statements; nil if there is no ledger.
	Books *Books
	// Sinks are how many events the EventSink of a namespace has given up; a namespace without one
	// is absent.
	Sinks map[string]int64
}

// Forgery is a callback that somebody without WeChat Pay's key sent.
type Forgery struct {
	Number Number
	// TransactionID is the payment that it claims.
	TransactionID string
	// Accepted tells whether it was answered as accepted.
	Accepted bool
}

// AskedOrder is an Order that was created, possibly several times with the same spec.
type AskedOrder struct {
	Order    *v1alpha1.Order
	Merchant *v1alpha1.Merchant
	// Deleted is set before the first deletion request.
	Deleted bool
	// Twin is an Order of another namespace that requested the same number in the same second and
	// may use the Merchant too. The soak does not determine which of the two is first.
	Twin *AskedOrder
}

// Rival is an Order whose Merchant does not permit it or has a key that WeChat Pay never accepted;
// or a Refund of such an Order. Either Order or Refund is set.
type Rival struct {
	Number Number
	Order  *v1alpha1.Order
	Refund *v1alpha1.Refund
}

// AskedRefund is a Refund that was created, possibly several times with the same spec.
type AskedRefund struct {
	Refund *v1alpha1.Refund
	Order  Number
	// ApprovedTime is just before the first approval request; zero if there was none.
	ApprovedTime time.Time
	// Deleted is set before the first deletion request.
	Deleted bool
	// Twin is the Refund with the same number of the Order's twin.
	Twin *AskedRefund
}

// SeenPayment is what the payer was shown.
type SeenPayment struct {
	Order         Number
	TransactionID string
}

// Change is one stored version of a Merchant, an Order, a Refund, a Shipment or a Statement, or its
// deletion; if Gone, it is the last version.
type Change struct {
	Object client.Object
	Gone   bool
}

// Pause is a period in which a process was stopped by SIGSTOP.
type Pause struct{ From, Until time.Time }

// Rule names a rule that must hold.
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
	NothingForged      Rule = "no callback of a forged signer is accepted or recorded"
	PayerCanPay        Rule = "WeChat Pay takes what an Order gives its payer"
	UploadOnce         Rule = "an upload is made once, or repeated the same, as its Shipment says"
	UploadedIsThere    Rule = "a Shipment that says Uploaded is at WeChat"
	ShippedByOwner     Rule = "WeChat has no parcel of another's Shipment"
	ReshipAsked        Rule = "the one chance to ship again is used only if somebody asked for it"
	BooksComplete      Rule = "the ledger has every payment and refund that an object showed, once and to the fen"
	StatementsTrue     Rule = "a Statement adds up to WeChat's record, and exactly what the ledger lacks differs"
	EventsArrive       Rule = "every event arrives at least once"
	EventsInOrder      Rule = "the events of an object arrive in order"
	EventsTrue         Rule = "no event tells what did not happen"
	Converged          Rule = "every status comes to agree with WeChat"
	NothingLost        Rule = "no object goes unless it was deleted, and none leaves anything open"
	WeChatContent      Rule = "WeChat has nothing to complain of"
	LedgerTrustworthy  Rule = "the ledger itself lost nothing"
	ProcessesDoNotFail Rule = "no replica crashes"
)

// Rules are all rules, in the order of the report.
var Rules = []Rule{
	OneTransaction, OnePayout, NoFactCrosses, UngrantedIsNothing, RefundApproved,
	OrderOnce, RefundOnce, RefundWithinPaid, ApprovedIsPaidOut, PaymentRecorded, PaidNeverLeft, NothingInvented,
	AnswerAfterWrite, NothingForged, PayerCanPay,
	UploadOnce, UploadedIsThere, ShippedByOwner, ReshipAsked,
	BooksComplete, StatementsTrue,
	EventsArrive, EventsInOrder, EventsTrue, Converged, NothingLost, WeChatContent, LedgerTrustworthy, ProcessesDoNotFail,
}

// Finding is a violated rule.
type Finding struct {
	Rule   Rule   `json:"rule"`
	Number string `json:"number,omitempty"`
	What   string `json:"what"`
	// Ledger and Object summarize the state at WeChat Pay and in the API server.
	Ledger string `json:"ledger,omitempty"`
	Object string `json:"object,omitempty"`
	// Open findings may still disappear while the operator works.
	Open bool `json:"open,omitempty"`
}

// Verdict is the result of Judge.
type Verdict struct {
	Findings []Finding
	// LookedAt counts how often each rule was checked where it could fail.
	LookedAt map[Rule]int
	// Excused are calls by a resumed leader before it noticed that another one had taken over. WeChat
	// Pay refuses them, and they have no effect.
	Excused int
}

// Holds reports whether every rule holds.
func (v Verdict) Holds() bool { return len(v.Findings) == 0 }

// Open reports whether waiting may help: every violated rule may still come to hold.
func (v Verdict) Open() bool {
	for _, finding := range v.Findings {
		if !finding.Open {
			return false
		}
	}
	return len(v.Findings) > 0
}

// Judge checks the rules. It uses now for deadlines that have passed.
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
	j.forgeries()
	j.payers()
	j.shipments()
	j.books()
	j.complaints()
	j.events()
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

// lookAt counts that rules were checked where they could fail.
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
	if requested := j.Orders[number]; requested != nil {
		finding.Object = j.past.describe(key(requested.Order))
	}
	if requested := j.Refunds[number]; requested != nil {
		finding.Object = j.past.describe(key(requested.Refund))
	}
	j.findings = append(j.findings, finding)
	return &j.findings[len(j.findings)-1]
}

// notYet adds a finding that may disappear.
func (j *judge) notYet(rule Rule, number Number, format string, arguments ...any) {
	j.find(rule, number, format, arguments...).Open = true
}
