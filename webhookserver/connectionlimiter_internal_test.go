package webhookserver

import (
	"net"
	"net/http"
	"testing"
	"time"
)

// TestEvictionOrder: the connections have names; the last word of a step is the one that is
// evicted.
func TestEvictionOrder(t *testing.T) {
	t.Parallel()
	const settles http.ConnState = -1
	type step struct {
		who    string
		what   http.ConnState
		leaves string
	}
	fresh, active, idle, closed := http.StateNew, http.StateActive, http.StateIdle, http.StateClosed
	for name, steps := range map[string][]step{
		"the one that came first":           {{"a", fresh, ""}, {"b", fresh, ""}, {"c", fresh, "a"}, {"d", fresh, "b"}},
		"not who brought a header since":    {{"a", fresh, ""}, {"b", fresh, ""}, {"a", active, ""}, {"c", fresh, "b"}, {"d", fresh, "a"}},
		"not who is being settled":          {{"a", fresh, ""}, {"a", active, ""}, {"a", settles, ""}, {"b", fresh, ""}, {"c", fresh, "b"}, {"d", fresh, "c"}},
		"the newcomer when nobody can":      {{"a", fresh, ""}, {"b", fresh, ""}, {"a", settles, ""}, {"b", settles, ""}, {"c", fresh, "c"}},
		"who is idle, not who is coming":    {{"a", fresh, ""}, {"a", settles, ""}, {"b", fresh, ""}, {"a", idle, ""}, {"c", fresh, "a"}, {"d", fresh, "b"}},
		"who is idle for longest":           {{"a", fresh, ""}, {"b", fresh, ""}, {"b", idle, ""}, {"a", idle, ""}, {"c", fresh, "b"}, {"d", fresh, "a"}, {"e", fresh, "c"}},
		"not who is idle no more":           {{"a", fresh, ""}, {"b", fresh, ""}, {"a", idle, ""}, {"b", idle, ""}, {"a", active, ""}, {"c", fresh, "b"}, {"d", fresh, "a"}},
		"nobody once one has left":          {{"a", fresh, ""}, {"b", fresh, ""}, {"a", closed, ""}, {"c", fresh, ""}},
		"nobody twice":                      {{"a", fresh, ""}, {"b", fresh, ""}, {"c", fresh, "a"}, {"a", active, ""}, {"a", settles, ""}, {"a", idle, ""}, {"a", closed, ""}, {"d", fresh, "b"}},
		"nobody for one that leaves itself": {{"a", fresh, ""}, {"b", fresh, ""}, {"b", settles, ""}, {"b", closed, ""}, {"b", settles, ""}, {"c", fresh, ""}},
	} {
		t.Run(name, func(t *testing.T) {
			c, known, now := newConnectionLimiter(2), map[string]net.Conn{}, time.Now()
			for i, s := range steps {
				if known[s.who] == nil {
					known[s.who], _ = net.Pipe()
				}
				if s.what == settles {
					c.requestRead(known[s.who])
				} else {
					c.setState(known[s.who], s.what, now)
				}
				now = now.Add(evictAfter)
				if left, wait := c.evict(now); left != known[s.leaves] || wait != 0 {
					t.Fatalf("step %d: another one than %q has to go", i, s.leaves)
				}
				if len(c.positions) > 2 || c.idle.Len()+c.reading.Len() > len(c.positions) {
					t.Fatalf("step %d: %d connections, %d waiting", i, len(c.positions), c.idle.Len()+c.reading.Len())
				}
			}
		})
	}
}

// TestConnectionsAreProtectedFromEarlyEviction: however many new connections there are, a request
// that is arriving is read.
func TestConnectionsAreProtectedFromEarlyEviction(t *testing.T) {
	t.Parallel()
	c, started := newConnectionLimiter(1), time.Now()
	first, _ := net.Pipe()
	second, _ := net.Pipe()
	c.setState(first, http.StateNew, started)
	c.setState(second, http.StateNew, started.Add(time.Millisecond))
	for _, step := range []struct {
		after, wait time.Duration
		leaves      net.Conn
	}{
		{time.Millisecond, evictAfter - time.Millisecond, nil},
		{evictAfter - time.Millisecond, time.Millisecond, nil},
		{evictAfter, 0, first},
		{evictAfter, 0, nil},
	} {
		if leaves, wait := c.evict(started.Add(step.after)); leaves != step.leaves || wait != step.wait {
			t.Errorf("after %s: %v has to go, or wait for %s", step.after, leaves, wait)
		}
	}
}

// TestConnectionsAreProtectedAfterAnswer: a load balancer under load reuses a connection at once.
// Connections with slow requests are evicted first, and a new one waits until the protection of
// another ends.
func TestConnectionsAreProtectedAfterAnswer(t *testing.T) {
	t.Parallel()
	c, started := newConnectionLimiter(1), time.Now()
	slow, _ := net.Pipe()
	busy, _ := net.Pipe()
	c.setState(slow, http.StateNew, started)
	c.setState(busy, http.StateNew, started)
	c.setState(busy, http.StateIdle, started.Add(evictAfter/2))
	for _, step := range []struct {
		after, wait time.Duration
		leaves      net.Conn
	}{
		{evictAfter / 2, evictAfter / 2, nil},
		{evictAfter, 0, slow},
		{evictAfter, 0, nil},
	} {
		if leaves, wait := c.evict(started.Add(step.after)); leaves != step.leaves || wait != step.wait {
			t.Errorf("after %s: %v has to go, or wait for %s", step.after, leaves, wait)
		}
	}
}
