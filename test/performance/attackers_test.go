package performance

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// attackers count the responses that they get.
type attackers struct {
	*stage
	client  *http.Client
	running sync.WaitGroup
	// connections that were opened, requests that were answered, and those of them that were answered SUCCESS.
	connections, answered, believed atomic.Int64
}

// attack is what each attacker repeats.
type attack struct {
	name, what string
	by         int
	once       func(context.Context)
}

// newAttackers keep at most so many connections.
func (s *stage) newAttackers(connections int) *attackers {
	return &attackers{stage: s, client: &http.Client{Timeout: 2 * callbackPatience, Transport: &http.Transport{MaxIdleConnsPerHost: connections}}}
}

// begin starts an attack, which continues until it is stopped.
func (a *attackers) begin(attack attack) (stop func()) {
	ctx, cancel := context.WithCancel(a.ctx)
	for range attack.by {
		a.running.Go(func() {
			for ctx.Err() == nil {
				attack.once(ctx)
			}
		})
	}
	stop = func() {
		cancel()
		a.running.Wait()
		a.client.CloseIdleConnections()
	}
	a.Cleanup(stop)
	return stop
}

// drip starts a request, and sends a few bytes twice a second until the server closes the connection.
func (a *attackers) drip(start, drop string) func(context.Context) {
	return a.onConnection(func(ctx context.Context, connection net.Conn) {
		_, err := io.WriteString(connection, start)
		for err == nil && ctx.Err() == nil {
			linger(ctx, 500*time.Millisecond)
			_, err = io.WriteString(connection, drop)
		}
	})
}

// hold sends something and then only waits until the server closes the connection.
func (a *attackers) hold(first string) func(context.Context) {
	return a.onConnection(func(_ context.Context, connection net.Conn) {
		if _, err := io.WriteString(connection, first); err == nil {
			_, _ = io.Copy(io.Discard, connection)
		}
	})
}

// flood sends a complete request, and the next one as soon as it is answered.
func (a *attackers) flood(url, body string) func(context.Context) {
	return func(ctx context.Context) {
		switch post(ctx, a.client, url, body) {
		case succeeded:
			a.believed.Add(1)
			fallthrough
		case refused:
			a.answered.Add(1)
		}
	}
}

// onConnection connects, and closes the connection when the attack ends. If it can't connect, it tries again a little
// later.
func (a *attackers) onConnection(use func(context.Context, net.Conn)) func(context.Context) {
	return func(ctx context.Context) {
		connection, err := (&net.Dialer{Timeout: callbackPatience}).DialContext(ctx, "tcp", a.at.callbacks)
		if err != nil {
			linger(ctx, 100*time.Millisecond)
			return
		}
		a.connections.Add(1)
		hangUp := context.AfterFunc(ctx, func() { _ = connection.Close() })
		defer hangUp()
		use(ctx, connection)
		_ = connection.Close()
	}
}
