package account

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"
	"golang.org/x/time/rate"
	"k8s.io/utils/clock"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// quota holds the limits of a merchant number as WeChat counts its calls: the rates, the budget of
// failing refunds, and the breakers that open if WeChat does not answer. Merchants whose keys
// WeChat accepted for the number share it. A Merchant with an unproven key has one of its own, so
// that it can't use up that of others.
type quota struct {
	limits        Limits
	limiters      map[wechatpay.Operation]*fairLimiter
	lookups       *fairLimiter
	failureBudget *failureBudget
	breakers      map[Calls]*breaker
	// bills is held while a bill is downloaded.
	bills sync.Mutex

	mutex   sync.Mutex
	members map[*membership]bool
}

func newQuota(limits Limits, clock clock.PassiveClock) *quota {
	burst := func(limit rate.Limit) int { return max(int(limit)/10, 1) }
	refunds := newFairLimiter(limits.CreateRefund, burst(limits.CreateRefund))
	a := &quota{
		limits: limits,
		limiters: map[wechatpay.Operation]*fairLimiter{
			wechatpay.OperationCreateOrder:  newFairLimiter(limits.CreateOrder, burst(limits.CreateOrder)),
			wechatpay.OperationQueryOrder:   newFairLimiter(limits.QueryOrder, burst(limits.QueryOrder)),
			wechatpay.OperationCloseOrder:   newFairLimiter(limits.CloseOrder, burst(limits.CloseOrder)),
			wechatpay.OperationCreateRefund: refunds, wechatpay.OperationResolveAbnormalRefund: refunds,
			wechatpay.OperationQueryRefund: newFairLimiter(limits.QueryRefund, burst(limits.QueryRefund)),
		},
		lookups:       newFairLimiter(limits.Lookups, max(int(limits.Lookups), 1)),
		failureBudget: &failureBudget{limit: limits.FailingRefunds, clock: clock},
		members:       map[*membership]bool{},
	}
	a.breakers = newBreakers(scopeAccount, limits, clock, a.breakerChanged)
	return a
}

// drain empties the budgets that WeChat blocks a merchant for exceeding: another leader or a
// deleted Merchant may just have used them.
func (a *quota) drain(now time.Time) {
	a.failureBudget.exhaustUntil(now.Add(time.Second + time.Millisecond)) // a failure exactly one second old still counts
	a.lookups.drain(now)
}

// breakerChanged is called by a breaker, under gobreaker's lock.
func (a *quota) breakerChanged(to gobreaker.State) {
	a.mutex.Lock()
	members := slices.Collect(maps.Keys(a.members))
	a.mutex.Unlock()
	for _, m := range members {
		m.breakerChanged(to)
	}
}

// add adds a member. remove returns how many are left.
func (a *quota) add(m *membership) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.members[m] = true
}

func (a *quota) remove(m *membership) (left int) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	delete(a.members, m)
	return len(a.members)
}

// quotas are the shared quotas. Each is removed with its last member.
type quotas struct {
	limits Limits
	clock  clock.PassiveClock

	mutex sync.Mutex
	known map[ID]*quota
}

func newQuotas(limits Limits, clock clock.PassiveClock) *quotas {
	return &quotas{limits: limits, clock: clock, known: map[ID]*quota{}}
}

func (a *quotas) join(id ID, m *membership) *quota {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	joined := a.known[id]
	if joined == nil {
		joined = newQuota(a.limits, a.clock)
		joined.drain(a.clock.Now())
		a.known[id] = joined
	}
	joined.add(m)
	return joined
}

func (a *quotas) leave(id ID, m *membership) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if left := a.known[id]; left != nil && left.remove(m) == 0 {
		delete(a.known, id)
	}
}

// unshared returns a quota for a Merchant whose key is not proven.
func (a *quotas) unshared(m *membership) *quota {
	unshared := newQuota(a.limits, a.clock)
	unshared.add(m)
	return unshared
}

// drain empties the budgets of all quotas.
func (a *quotas) drain() {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	for _, known := range a.known {
		known.drain(a.clock.Now())
	}
}
