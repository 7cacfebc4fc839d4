package hostile

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
	"github.com/wechatpay-operator/wechatpay-operator/test/performance/internal/callback"
)

// An attack goes on until its context ends.
type attack struct {
	name, what string
	start      func(context.Context, *stage, *tally) *sync.WaitGroup
}

// tally counts what attackers got.
type tally struct {
	// connections that were opened, requests that were answered, and those of them that were answered SUCCESS.
	connections, answered, succeeded atomic.Int64
}

const (
	slow    = 2000
	held    = 4000
	flooded = 64
	hung    = 512
)

func attacks() []attack {
	shop := framework.MerchantName
	return []attack{
		{"alone", "nobody attacks", func(context.Context, *stage, *tally) *sync.WaitGroup { return nil }},
		{"slow headers", fmt.Sprintf("%d connections drip a header", slow), func(ctx context.Context, s *stage, t *tally) *sync.WaitGroup {
			return dripping(ctx, s, t, "POST "+s.path(shop, "payment")+" HTTP/1.1\r\nHost: pay.example.com\r\n", "X: y\r\n")
		}},
		{"slow bodies", fmt.Sprintf("%d connections drip a body", slow), func(ctx context.Context, s *stage, t *tally) *sync.WaitGroup {
			return dripping(ctx, s, t, "POST "+s.path(shop, "payment")+" HTTP/1.1\r\nHost: pay.example.com\r\nContent-Length: 60000\r\n\r\n", "<xml>")
		}},
		{"silent", fmt.Sprintf("%d connections say nothing", held), func(ctx context.Context, s *stage, t *tally) *sync.WaitGroup {
			return holding(ctx, s, t, "")
		}},
		{"kept", fmt.Sprintf("%d connections are kept after a request", held), func(ctx context.Context, s *stage, t *tally) *sync.WaitGroup {
			return holding(ctx, s, t, "GET / HTTP/1.1\r\nHost: pay.example.com\r\n\r\n")
		}},
		{"huge headers", fmt.Sprintf("%d senders of headers of 1 MiB", flooded), func(ctx context.Context, s *stage, t *tally) *sync.WaitGroup {
			request := "POST " + s.path(shop, "payment") + " HTTP/1.1\r\nHost: pay.example.com\r\nX: " + strings.Repeat("x", 1<<20)
			return crowd(flooded, func() { throw(ctx, s, t, request) })
		}},
		{"huge bodies", fmt.Sprintf("%d senders of bodies of 1 MiB", flooded), func(ctx context.Context, s *stage, t *tally) *sync.WaitGroup {
			return flooding(ctx, s, t, func() (string, string) { return s.path(shop, "payment"), strings.Repeat("<xml>", 1<<20/5) })
		}},
		{"bodies at the limit", fmt.Sprintf("%d senders of bodies of 64 KiB of empty elements", flooded), func(ctx context.Context, s *stage, t *tally) *sync.WaitGroup {
			body := "<xml>" + strings.Repeat("<a/>", (64<<10-11)/4) + "</xml>"
			return flooding(ctx, s, t, func() (string, string) { return s.path(shop, "payment"), body })
		}},
		{"forged", fmt.Sprintf("%d senders of bad signatures", flooded), func(ctx context.Context, s *stage, t *tally) *sync.WaitGroup {
			return flooding(ctx, s, t, func() (string, string) { return s.path(shop, "payment"), forged("order-0001") })
		}},
		{"unknown merchants", fmt.Sprintf("%d senders to Merchants that are not", flooded), func(ctx context.Context, s *stage, t *tally) *sync.WaitGroup {
			body, next := forged("order-0001"), atomic.Int64{}
			return flooding(ctx, s, t, func() (string, string) {
				return s.path(fmt.Sprintf("nobody-%d", next.Add(1)), "payment"), body
			})
		}},
		{"unknown numbers", fmt.Sprintf("%d senders of true callbacks for Orders that were deleted", flooded), func(ctx context.Context, s *stage, t *tally) *sync.WaitGroup {
			body := payment("order-deleted")
			return flooding(ctx, s, t, func() (string, string) { return s.path(shop, "payment"), body })
		}},
		{"no Secret", fmt.Sprintf("%d senders to a Merchant without its Secret", flooded), func(ctx context.Context, s *stage, t *tally) *sync.WaitGroup {
			body := forged("order-0001")
			return flooding(ctx, s, t, func() (string, string) { return s.path(keyless, "payment"), body })
		}},
		{"WeChat hangs", fmt.Sprintf("%d senders of refund callbacks that WeChat does not confirm", hung), func(ctx context.Context, s *stage, t *tally) *sync.WaitGroup {
			body := unconfirmed()
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: hung}, Timeout: 2 * callback.Patience}
			context.AfterFunc(ctx, client.CloseIdleConnections)
			return crowd(hung, func() { again(ctx, client, s.base+s.path(hanging, "refund"), body, t) })
		}},
	}
}

// crowd runs something many times at once.
func crowd(size int, each func()) *sync.WaitGroup {
	var running sync.WaitGroup
	for range size {
		running.Go(each)
	}
	return &running
}

// dripping begins a request, and goes on with a few bytes twice a second; it begins anew when it is thrown out.
func dripping(ctx context.Context, s *stage, t *tally, start, drop string) *sync.WaitGroup {
	return crowd(slow, func() {
		for ctx.Err() == nil {
			onConnection(ctx, s, t, func(connection net.Conn) {
				_, err := io.WriteString(connection, start)
				for err == nil && !done(ctx, 500*time.Millisecond) {
					_, err = io.WriteString(connection, drop)
				}
			})
		}
	})
}

// holding sends something short and then only waits; it begins anew when it is thrown out.
func holding(ctx context.Context, s *stage, t *tally, first string) *sync.WaitGroup {
	return crowd(held, func() {
		for ctx.Err() == nil {
			onConnection(ctx, s, t, func(connection net.Conn) {
				if _, err := io.WriteString(connection, first); err == nil {
					_, _ = io.Copy(io.Discard, connection)
				}
			})
		}
	})
}

// throw sends one request after the other, each on a connection of its own.
func throw(ctx context.Context, s *stage, t *tally, request string) {
	for ctx.Err() == nil {
		onConnection(ctx, s, t, func(connection net.Conn) {
			if _, err := io.WriteString(connection, request); err == nil {
				_, _ = io.Copy(io.Discard, connection)
			}
			t.answered.Add(1)
		})
	}
}

// onConnection dials, and hangs up when the attack ends. Who cannot dial tries again a little later.
func onConnection(ctx context.Context, s *stage, t *tally, use func(net.Conn)) {
	connection, err := (&net.Dialer{Timeout: callback.Patience}).DialContext(ctx, "tcp", strings.TrimPrefix(s.base, "http://"))
	if err != nil {
		done(ctx, 100*time.Millisecond)
		return
	}
	t.connections.Add(1)
	hangUp := context.AfterFunc(ctx, func() { _ = connection.Close() })
	defer hangUp()
	use(connection)
	_ = connection.Close()
}

// done waits, and says whether the attack has ended.
func done(ctx context.Context, pause time.Duration) bool {
	select {
	case <-ctx.Done():
		return true
	case <-time.After(pause):
		return false
	}
}

// flooding sends complete requests one after the other, as fast as they are answered.
func flooding(ctx context.Context, s *stage, t *tally, next func() (path, body string)) *sync.WaitGroup {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: flooded}, Timeout: 2 * callback.Patience}
	context.AfterFunc(ctx, client.CloseIdleConnections)
	return crowd(flooded, func() {
		for ctx.Err() == nil {
			path, body := next()
			once(ctx, client, s.base+path, body, t)
		}
	})
}

func again(ctx context.Context, client *http.Client, url, body string, t *tally) {
	for ctx.Err() == nil {
		once(ctx, client, url, body, t)
	}
}

func once(ctx context.Context, client *http.Client, url, body string, t *tally) {
	got := callback.Send(ctx, client, url, body)
	if got.Answered {
		t.answered.Add(1)
	}
	if got.Succeeded {
		t.succeeded.Add(1)
	}
}
