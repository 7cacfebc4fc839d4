package merchant

import (
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"
	"golang.org/x/time/rate"
	"k8s.io/utils/clock"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// account is a merchant number as WeChat counts its calls: it has the rates, the budget of failing refunds, and the breakers
// that open when WeChat does not answer. Merchants share it whose keys WeChat took for the number. A Merchant whose key is not
// proven has one to itself, so that it takes nothing from anybody.
type account struct {
	limits   Limits
	lines    map[wechatpay.Operation]*line
	looks    *line
	failing  *failureBudget
	breakers map[Calls]*breaker

	mutex   sync.Mutex
	members map[*member]bool
	states  map[Calls]gobreaker.State
}

func newAccount(limits Limits, clock clock.PassiveClock) *account {
	burst := func(limit rate.Limit) int { return max(int(limit)/10, 1) }
	a := &account{
		limits: limits,
		lines: map[wechatpay.Operation]*line{
			wechatpay.OperationUnifiedOrder: newLine(limits.UnifiedOrder, burst(limits.UnifiedOrder)),
			wechatpay.OperationOrderQuery:   newLine(limits.OrderQuery, burst(limits.OrderQuery)),
			wechatpay.OperationCloseOrder:   newLine(limits.CloseOrder, burst(limits.CloseOrder)),
			wechatpay.OperationRefund:       newLine(limits.Refund, burst(limits.Refund)),
			wechatpay.OperationRefundQuery:  newLine(limits.RefundQuery, burst(limits.RefundQuery)),
		},
		looks:   newLine(limits.Looks, max(int(limits.Looks), 1)),
		failing: &failureBudget{most: limits.FailingRefunds, clock: clock},
		members: map[*member]bool{}, states: map[Calls]gobreaker.State{},
	}
	a.breakers = newBreakers(ofAccount, limits, clock, a.turned)
	return a
}

// useUp has the budgets that WeChat blocks a merchant over start empty: who used the number a moment ago, another leader or a
// Merchant that is gone, may have used them up.
func (a *account) useUp(now time.Time) {
	a.failing.fill(now.Add(time.Second + time.Millisecond)) // one of exactly a second still counts
	a.looks.useUp(now)
}

// turned is told by a breaker, under its lock.
func (a *account) turned(calls Calls, to gobreaker.State) {
	a.mutex.Lock()
	a.states[calls] = to
	members := make([]*member, 0, len(a.members))
	for m := range a.members {
		members = append(members, m)
	}
	a.mutex.Unlock()
	for _, m := range members {
		m.turned(to)
	}
}

func (a *account) state(calls Calls) gobreaker.State {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return a.states[calls]
}

// add takes a member in, and remove says how many are left.
func (a *account) add(m *member) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.members[m] = true
}

func (a *account) remove(m *member) (left int) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	delete(a.members, m)
	return len(a.members)
}

// accounts are those that have members. Each goes with its last one.
type accounts struct {
	limits Limits
	clock  clock.PassiveClock

	mutex sync.Mutex
	known map[AccountID]*account
}

func newAccounts(limits Limits, clock clock.PassiveClock) *accounts {
	return &accounts{limits: limits, clock: clock, known: map[AccountID]*account{}}
}

func (a *accounts) join(id AccountID, m *member) *account {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	joined := a.known[id]
	if joined == nil {
		joined = newAccount(a.limits, a.clock)
		joined.useUp(a.clock.Now())
		a.known[id] = joined
	}
	joined.add(m)
	return joined
}

func (a *accounts) leave(id AccountID, m *member) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if left := a.known[id]; left != nil && left.remove(m) == 0 {
		delete(a.known, id)
	}
}

// alone is an account for a Merchant whose key is not proven.
func (a *accounts) alone(m *member) *account {
	own := newAccount(a.limits, a.clock)
	own.add(m)
	return own
}

// useUp has all budgets start empty.
func (a *accounts) useUp() {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	for _, known := range a.known {
		known.useUp(a.clock.Now())
	}
}
