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

// evictAfter is what every connection gets before it may have to go: time enough for a request that is on its way, even when the
// CPUs are busy. While nobody has used his up, newcomers are left in the kernel's queue, which is what bounds how many
// connections an attacker can have taken and thrown out.
const evictAfter = 250 * time.Millisecond

// connectionLimiter are the open connections. When there is no room for one more, somebody has to go: first the one that has been idle for
// longest, since a load balancer keeps connections for later and opens another one when it has to, and the longer one was idle
// the less likely is a request on its way at this moment, which would get no answer. If none is idle, it is the one that has
// waited longest without bringing a whole request: a good callback arrives in a moment, so whoever holds connections by saying
// nothing, or too slowly, loses his own. To let newcomers wait instead would let him shut everybody out; to count by address
// would shut out an ingress, where all come from.
type connectionLimiter struct {
	most int

	mutex sync.Mutex
	// idle are the connections that are kept after an answer, and bringing those of which a whole request is expected, both in
	// the order in which they began to be so.
	idle, reading list.List
	// positions are the open connections in these; nil while a request is being settled, which is never cut off.
	positions map[net.Conn]*position
}

// position is where a connection stands.
type position struct {
	line    *list.List
	element *list.Element
}

// openConnection is a connection in line.
type openConnection struct {
	net.Conn
	since time.Time
}

func newConnectionLimiter(most int) *connectionLimiter {
	return &connectionLimiter{most: most, positions: map[net.Conn]*position{}}
}

// ConnState is the HTTP server's ConnState hook. A new connection is announced before the next one is accepted, so that the
// server accepts none while this waits.
func (c *connectionLimiter) ConnState(connection net.Conn, state http.ConnState) {
	c.follow(connection, state, time.Now())
	if state != http.StateNew {
		return
	}
	for {
		leaves, wait := c.makeRoom(time.Now())
		if leaves != nil {
			metrics.CallbackConnectionsEvicted.Inc()
			_ = leaves.Close()
		}
		if wait == 0 {
			return
		}
		time.Sleep(wait)
	}
}

// follow notes a connection's state.
func (c *connectionLimiter) follow(connection net.Conn, state http.ConnState, now time.Time) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	_, present := c.positions[connection]
	c.forget(connection)
	line := &c.reading
	switch state {
	case http.StateClosed, http.StateHijacked:
		return
	case http.StateIdle:
		line = &c.idle
	}
	// Active means that the header is there; then, as after an answer, the waiting begins anew. One that had to go may say
	// something still.
	if state == http.StateNew || present {
		c.positions[connection] = &position{line, line.PushBack(openConnection{connection, now})}
	}
}

// makeRoom returns the connection that has to go, or how long to wait for one; neither when there is room.
func (c *connectionLimiter) makeRoom(now time.Time) (leaves net.Conn, wait time.Duration) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if len(c.positions) <= c.most {
		return nil, 0
	}
	for _, line := range []*list.List{&c.idle, &c.reading} {
		first := line.Front()
		if first == nil {
			continue
		}
		longest := first.Value.(openConnection)
		left := evictAfter - now.Sub(longest.since)
		if left <= 0 {
			c.forget(longest.Conn)
			return longest.Conn, 0
		}
		if wait == 0 || left < wait {
			wait = left
		}
	}
	return nil, wait
}

func (c *connectionLimiter) forget(connection net.Conn) {
	if place := c.positions[connection]; place != nil {
		place.line.Remove(place.element)
	}
	delete(c.positions, connection)
}

// requestRead keeps a connection whose request is there in full.
func (c *connectionLimiter) requestRead(connection net.Conn) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if place := c.positions[connection]; place != nil {
		place.line.Remove(place.element)
		c.positions[connection] = nil
	}
}

type requestReadKey struct{}

// ConnContext is the HTTP server's ConnContext hook: what handles a request can tell that it has arrived.
func (c *connectionLimiter) ConnContext(ctx context.Context, connection net.Conn) context.Context {
	return context.WithValue(ctx, requestReadKey{}, func() { c.requestRead(connection) })
}

// requestWasRead says that the request of a context has been read in full.
func requestWasRead(ctx context.Context) {
	if tell, ok := ctx.Value(requestReadKey{}).(func()); ok {
		tell()
	}
}
