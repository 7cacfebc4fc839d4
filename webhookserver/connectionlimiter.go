package webhookserver

import (
	"container/list"
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
)

// evictAfter is how long a connection is protected from eviction: enough for a request to arrive
// even if the CPUs are busy. While all connections are protected, new ones wait in the kernel's
// accept queue. This limits how many connections an attacker can have opened and evicted.
const evictAfter = 250 * time.Millisecond

// connectionLimiter limits the open connections. If there are too many, it closes the one that has
// been idle longest: load balancers keep connections and open new ones when they need to, and the
// longer a connection was idle, the less likely it is that a request is just arriving, which would
// get no answer. If none is idle, it closes the one that has waited longest for a complete request:
// a valid callback arrives at once, so this hits clients that send nothing or too slowly.
//
// If new connections had to wait instead, such a client could block all others. A limit by address
// would block an ingress, from which all connections come.
type connectionLimiter struct {
	limit int

	mutex sync.Mutex
	// idle are the connections kept open after an answer, and reading those on which a request is
	// expected. Both are in the order in which they entered the state.
	idle, reading list.List
	// positions holds the position of each open connection, or nil while its request is handled.
	// Such a connection is never closed.
	positions map[net.Conn]*position
}

// position is the place of a connection in a queue.
type position struct {
	queue   *list.List
	element *list.Element
}

// openConnection is a connection in a queue.
type openConnection struct {
	net.Conn
	since time.Time
}

func newConnectionLimiter(limit int) *connectionLimiter {
	return &connectionLimiter{limit: limit, positions: map[net.Conn]*position{}}
}

// ConnState is the HTTP server's ConnState hook. The server calls it for a new connection before it
// accepts the next one, so no more are accepted while it waits.
func (c *connectionLimiter) ConnState(connection net.Conn, state http.ConnState) {
	c.setState(connection, state, time.Now())
	if state != http.StateNew {
		return
	}
	for {
		evicted, wait := c.evict(time.Now())
		if evicted != nil {
			metrics.CallbackConnectionsEvicted.Inc()
			_ = evicted.Close()
		}
		if wait == 0 {
			return
		}
		time.Sleep(wait)
	}
}

// setState records the state of a connection.
func (c *connectionLimiter) setState(connection net.Conn, state http.ConnState, now time.Time) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	_, present := c.positions[connection]
	c.remove(connection)
	queue := &c.reading
	switch state {
	case http.StateClosed, http.StateHijacked:
		return
	case http.StateIdle:
		queue = &c.idle
	}
	// StateActive means that the header has arrived; the time starts again then, and after an
	// answer. An evicted connection can still report states.
	if state == http.StateNew || present {
		c.positions[connection] = &position{queue, queue.PushBack(openConnection{connection, now})}
	}
}

// evict removes and returns the connection to close, or returns how long to wait until one can be
// closed, or neither if there are not too many.
func (c *connectionLimiter) evict(now time.Time) (evicted net.Conn, wait time.Duration) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if len(c.positions) <= c.limit {
		return nil, 0
	}
	for _, queue := range []*list.List{&c.idle, &c.reading} {
		first := queue.Front()
		if first == nil {
			continue
		}
		longest := first.Value.(openConnection)
		left := evictAfter - now.Sub(longest.since)
		if left <= 0 {
			c.remove(longest.Conn)
			return longest.Conn, 0
		}
		if wait == 0 || left < wait {
			wait = left
		}
	}
	return nil, wait
}

func (c *connectionLimiter) remove(connection net.Conn) {
	if at := c.positions[connection]; at != nil {
		at.queue.Remove(at.element)
	}
	delete(c.positions, connection)
}

// requestRead protects a connection whose request has arrived completely.
func (c *connectionLimiter) requestRead(connection net.Conn) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if at := c.positions[connection]; at != nil {
		at.queue.Remove(at.element)
		c.positions[connection] = nil
	}
}

type requestReadKey struct{}

// ConnContext is the HTTP server's ConnContext hook. It lets a handler call requestWasRead.
func (c *connectionLimiter) ConnContext(ctx context.Context, connection net.Conn) context.Context {
	return context.WithValue(ctx, requestReadKey{}, func() { c.requestRead(connection) })
}

// requestWasRead records that the request of a context has been read completely.
func requestWasRead(ctx context.Context) {
	if markRead, ok := ctx.Value(requestReadKey{}).(func()); ok {
		markRead()
	}
}
