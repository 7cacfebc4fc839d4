package claims

import (
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
)

// Calls tracks the numbers whose first call may be in flight in this process. Between such a call
// and the write of its result, no status shows that the number is in use, and the cache receives
// that write even later.
type Calls struct {
	clock clock.PassiveClock

	mutex    sync.Mutex
	begun    map[number]call
	byObject map[types.UID]number
	swept    time.Time
}

type call struct {
	by types.UID
	at time.Time
}

// number identifies one order or one refund of an account. It ignores letter case, see
// index.OrdersByNumber.
type number struct {
	account account.ID
	kind    kind
	number  string
}

type kind string

const (
	orders  kind = "orders"
	refunds kind = "refunds"
)

func numberOf(account account.ID, kind kind, text string) number {
	return number{account, kind, strings.ToLower(text)}
}

// NewCalls returns an empty Calls.
func NewCalls(clock clock.PassiveClock) *Calls {
	return &Calls{clock: clock, begun: map[number]call{}, byObject: map[types.UID]number{}}
}

// callsLast exceeds the total time of a call with its retry, the write of its result and the cache
// lag.
const callsLast = 2 * time.Minute

// begin records the call of an object. It returns false while a call of another object may be in
// flight.
func (c *Calls) begin(number number, by types.UID) bool {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	now := c.clock.Now()
	if current, ok := c.begun[number]; ok && current.by != by && now.Sub(current.at) < callsLast {
		return false
	}
	c.begun[number], c.byObject[by] = call{by: by, at: now}, number
	c.sweep(now)
	return true
}

// by returns the object whose call may be in flight.
func (c *Calls) by(number number) (types.UID, bool) {
	if c == nil {
		return "", false
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	current, ok := c.begun[number]
	if !ok || c.clock.Now().Sub(current.at) >= callsLast {
		return "", false
	}
	return current.by, true
}

// End removes the call of an object once its result is written and the cache has that write.
func (c *Calls) End(by types.UID) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.drop(by)
}

func (c *Calls) drop(by types.UID) {
	if number, ok := c.byObject[by]; ok {
		if c.begun[number].by == by {
			delete(c.begun, number)
		}
		delete(c.byObject, by)
	}
}

func (c *Calls) sweep(now time.Time) {
	if now.Sub(c.swept) < callsLast {
		return
	}
	c.swept = now
	for by, number := range c.byObject {
		if current := c.begun[number]; current.by != by || now.Sub(current.at) >= callsLast {
			c.drop(by)
		}
	}
}
