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
	q := &quota{
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
	q.breakers = newBreakers(scopeAccount, limits, clock, q.breakerChanged)
	return q
}

// drain empties the budgets that WeChat blocks a merchant for exceeding: another leader or a
// deleted Merchant may just have used them.
func (q *quota) drain(now time.Time) {
	q.failureBudget.exhaustUntil(now.Add(time.Second + time.Millisecond)) // a failure exactly one second old still counts
	q.lookups.drain(now)
}

// breakerChanged is called by a breaker, under gobreaker's lock.
func (q *quota) breakerChanged(to gobreaker.State) {
	q.mutex.Lock()
	members := slices.Collect(maps.Keys(q.members))
	q.mutex.Unlock()
	for _, m := range members {
		m.breakerChanged(to)
	}
}

// add adds a member. remove returns how many are left.
func (q *quota) add(m *membership) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	q.members[m] = true
}

func (q *quota) remove(m *membership) (left int) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	delete(q.members, m)
	return len(q.members)
}

// quotas are the shared quotas. Each is removed with its last member.
type quotas struct {
	limits Limits
	clock  clock.PassiveClock

	mutex sync.Mutex
	byID  map[ID]*quota
}

func newQuotas(limits Limits, clock clock.PassiveClock) *quotas {
	return &quotas{limits: limits, clock: clock, byID: map[ID]*quota{}}
}

func (q *quotas) join(id ID, m *membership) *quota {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	joined := q.byID[id]
	if joined == nil {
		joined = newQuota(q.limits, q.clock)
		joined.drain(q.clock.Now())
		q.byID[id] = joined
	}
	joined.add(m)
	return joined
}

func (q *quotas) leave(id ID, m *membership) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	if shared := q.byID[id]; shared != nil && shared.remove(m) == 0 {
		delete(q.byID, id)
	}
}

// unshared returns a quota for a Merchant whose key is not proven.
func (q *quotas) unshared(m *membership) *quota {
	unshared := newQuota(q.limits, q.clock)
	unshared.add(m)
	return unshared
}

// drain empties the budgets of all quotas.
func (q *quotas) drain() {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	for _, known := range q.byID {
		known.drain(q.clock.Now())
	}
}
