package webhookserver

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// What one Merchant's callbacks may take from the others. A callback that is forged costs a look into the cache and one
// verification, and gets no further, so that these bounds are for those that can be believed, or be repeated by whoever saw one.
const (
	// queriesPerSecond of one Merchant that refund callbacks may cause. A refund callback has no signature and no time, so that
	// whoever saw one can send it for ever; the reconcilers shall have calls left all the same. It is what WeChat allows a
	// merchant of refunds that succeed, so that genuine callbacks stay below it.
	queriesPerSecond = 100
	// looksPerSecond of one Merchant at the API server, and looksAtOnce, for numbers that the cache does not have: a true
	// callback for an Order that was deleted can be repeated for ever as well. A number that is just not in the cache yet is rare.
	looksPerSecond = 20
	looksAtOnce    = 8
	// settledAtOnce are the callbacks of one Merchant and kind that may wait for the API server or for WeChat. Of payments,
	// which take some 10 ms each, it is thousands a second; where WeChat hangs, its refunds leave room for payments and for
	// other Merchants.
	settledAtOnce = 64
	// queuedAtOnce are the payments of one Merchant that may wait for such a place, and placePatience is how long: a burst is
	// settled while WeChat waits, and not by WeChat's repetitions, of which the later ones are hours away. Both together take half
	// of the connections at most, and what is left of settleDeadline is for the write.
	queuedAtOnce  = maxConnections/2 - settledAtOnce
	placePatience = 3 * time.Second
)

// budgets are the token buckets of Merchants. There are as many as Merchants: what names none is refused before.
type budgets struct {
	mutex  sync.Mutex
	tokens map[types.NamespacedName]*rate.Limiter
}

// take takes a token from a bucket that holds as many as are filled in each second.
func (b *budgets) take(of types.NamespacedName, perSecond int, now time.Time) bool {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	bucket := b.tokens[of]
	if bucket == nil {
		if b.tokens == nil {
			b.tokens = map[types.NamespacedName]*rate.Limiter{}
		}
		bucket = rate.NewLimiter(rate.Limit(perSecond), perSecond)
		b.tokens[of] = bucket
	}
	return bucket.AllowN(now, 1)
}

// rooms count the callbacks that wait for somebody else.
type rooms struct {
	mutex sync.Mutex
	taken map[room]int
	// queues are those who wait for a place, in the order in which they came. There are some only while all places are taken.
	queues map[room][]chan struct{}
}

// room is that of one kind of waiting, on behalf of a Merchant.
type room struct {
	kind     string
	merchant types.NamespacedName
}

// enter takes a place, of which there are so many, until leave.
func (r *rooms) enter(in room, places int) bool {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.take(in, places)
}

// queue takes a place like enter. When there is none it waits for one until the context ends, unless so many wait already.
func (r *rooms) queue(ctx context.Context, in room, places, most int) bool {
	r.mutex.Lock()
	if r.take(in, places) {
		r.mutex.Unlock()
		return true
	}
	if len(r.queues[in]) >= most {
		r.mutex.Unlock()
		return false
	}
	if r.queues == nil {
		r.queues = map[room][]chan struct{}{}
	}
	turn := make(chan struct{})
	r.queues[in] = append(r.queues[in], turn)
	r.mutex.Unlock()
	select {
	case <-turn:
		return true
	case <-ctx.Done():
		return !r.giveUp(in, turn)
	}
}

// giveUp leaves a queue. It returns false when the turn has come meanwhile.
func (r *rooms) giveUp(in room, turn chan struct{}) bool {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	at := slices.Index(r.queues[in], turn)
	if at < 0 {
		return false
	}
	r.setQueue(in, slices.Delete(r.queues[in], at, at+1))
	return true
}

func (r *rooms) setQueue(in room, waiting []chan struct{}) {
	r.queues[in] = waiting
	if len(waiting) == 0 {
		delete(r.queues, in)
	}
}

func (r *rooms) take(in room, places int) bool {
	if r.taken[in] >= places {
		return false
	}
	if r.taken == nil {
		r.taken = map[room]int{}
	}
	r.taken[in]++
	return true
}

// leave gives a place to who waits longest, or back.
func (r *rooms) leave(in room) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if waiting := r.queues[in]; len(waiting) > 0 {
		close(waiting[0])
		r.setQueue(in, waiting[1:])
		return
	}
	if r.taken[in]--; r.taken[in] == 0 {
		delete(r.taken, in)
	}
}

// verifying bounds how many callbacks are read and verified at a time. That is work for a CPU alone, so that more at once would
// only take memory: a body at the limit takes some 2 MB while it is read.
var verifying = make(chan struct{}, 2*runtime.GOMAXPROCS(0))

// verified reads and verifies when it is its turn.
func verified[Notification any](read func([]byte) (Notification, error), body []byte) (Notification, error) {
	verifying <- struct{}{}
	defer func() { <-verifying }()
	return read(body)
}

var errTooManyLooks = errors.New("too many callbacks in a second for numbers that the cache does not have")

// sparing is the API server for look-ups, as long as a Merchant has tokens and places left.
type sparing struct {
	client.Reader
	allow func() bool
	rooms *rooms
	room  room
}

func (s sparing) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	if !s.allow() || !s.rooms.enter(s.room, looksAtOnce) {
		return errTooManyLooks
	}
	defer s.rooms.leave(s.room)
	return s.Reader.List(ctx, list, options...)
}
