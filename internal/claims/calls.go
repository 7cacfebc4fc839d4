package claims

import (
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
)

// Calls are the numbers whose first call may be under way in this process. Between such a call and the record of its answer
// no status tells that the number was begun, and the cache shows that record a moment later still.
type Calls struct {
	clock clock.PassiveClock

	mutex sync.Mutex
	begun map[number]call
	of    map[types.UID]number
	swept time.Time
}

type call struct {
	by types.UID
	at time.Time
}

// number is one order or one refund of an account. Letter case does not make two of one, see lookup.OrdersByNumber.
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

// NewCalls returns none.
func NewCalls(clock clock.PassiveClock) *Calls {
	return &Calls{clock: clock, begun: map[number]call{}, of: map[types.UID]number{}}
}

// callsLast is longer than a call with its repeat, the record of its answer and the lag of a cache together.
const callsLast = 2 * time.Minute

// begin notes the call of an object. It returns false while the call of another object may be under way.
func (c *Calls) begin(number number, by types.UID) bool {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	now := c.clock.Now()
	if known, ok := c.begun[number]; ok && known.by != by && now.Sub(known.at) < callsLast {
		return false
	}
	c.begun[number], c.of[by] = call{by: by, at: now}, number
	c.sweep(now)
	return true
}

// by is the object whose call may be under way.
func (c *Calls) by(number number) (types.UID, bool) {
	if c == nil {
		return "", false
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	known, ok := c.begun[number]
	if !ok || c.clock.Now().Sub(known.at) >= callsLast {
		return "", false
	}
	return known.by, true
}

// End forgets the call of an object that needs nothing more: its answer is recorded, and the cache has that record.
func (c *Calls) End(by types.UID) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.drop(by)
}

func (c *Calls) drop(by types.UID) {
	if number, known := c.of[by]; known {
		if c.begun[number].by == by {
			delete(c.begun, number)
		}
		delete(c.of, by)
	}
}

func (c *Calls) sweep(now time.Time) {
	if now.Sub(c.swept) < callsLast {
		return
	}
	c.swept = now
	for by, number := range c.of {
		if known := c.begun[number]; known.by != by || now.Sub(known.at) >= callsLast {
			c.drop(by)
		}
	}
}
