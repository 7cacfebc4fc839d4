package webhookserver

import (
	"container/list"
	"context"
	"net"
	"net/http"
	"sync"

	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
)

// crowd are the open connections. When there is no room for one more, the one that has waited longest without bringing a whole
// request has to go: a good callback arrives in a moment, so whoever holds connections by saying nothing, or too slowly, loses
// his own. To let newcomers wait instead would let him shut everybody out; to count by address would shut out an ingress, where
// all come from.
type crowd struct {
	most int

	mutex sync.Mutex
	// waiting are the connections without a whole request, in the order in which they began to wait.
	waiting list.List
	// places are the open connections in waiting; nil while a request is being settled, which is never cut off.
	places map[net.Conn]*list.Element
}

func newCrowd(most int) *crowd { return &crowd{most: most, places: map[net.Conn]*list.Element{}} }

// changed is the HTTP server's ConnState hook.
func (c *crowd) changed(connection net.Conn, state http.ConnState) {
	if leaves := c.arrange(connection, state); leaves != nil {
		metrics.CallbackConnectionsEvicted.Inc()
		_ = leaves.Close()
	}
}

// arrange follows a connection's state, and returns the one that has to go, if one has.
func (c *crowd) arrange(connection net.Conn, state http.ConnState) (leaves net.Conn) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	_, present := c.places[connection]
	switch {
	case state == http.StateClosed || state == http.StateHijacked:
		c.forget(connection)
	case state == http.StateNew || present: // one that had to go may say something still
		// Active means that the header is there; then, as after an answer, the waiting begins anew.
		c.forget(connection)
		c.places[connection] = c.waiting.PushBack(connection)
	}
	if len(c.places) <= c.most {
		return nil
	}
	leaves, _ = c.waiting.Front().Value.(net.Conn) // there is one: only a newcomer makes it too many
	c.forget(leaves)
	return leaves
}

func (c *crowd) forget(connection net.Conn) {
	if place := c.places[connection]; place != nil {
		c.waiting.Remove(place)
	}
	delete(c.places, connection)
}

// settles keeps a connection whose request is there in full.
func (c *crowd) settles(connection net.Conn) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if place := c.places[connection]; place != nil {
		c.waiting.Remove(place)
		c.places[connection] = nil
	}
}

type arrivalKey struct{}

// introduced is the HTTP server's ConnContext hook: what handles a request can tell that it has arrived.
func (c *crowd) introduced(ctx context.Context, connection net.Conn) context.Context {
	return context.WithValue(ctx, arrivalKey{}, func() { c.settles(connection) })
}

// arrived says that the request of a context has been read in full.
func arrived(ctx context.Context) {
	if tell, ok := ctx.Value(arrivalKey{}).(func()); ok {
		tell()
	}
}
