package ingress_test

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/wechatpay-operator/wechatpay-operator/test/framework/ingress"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/process"
)

// TestEveryCallbackComesThrough: while one replica of three is down, the other two take turns.
func TestEveryCallbackComesThrough(t *testing.T) {
	t.Parallel()
	var taken [2]atomic.Int32
	away, err := process.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	replicas := []string{away}
	for i := range taken {
		replica := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/notify" || r.Header.Get("X-Forwarded-For") == "" {
				t.Errorf("%s came in with %v", r.URL, r.Header)
			}
			taken[i].Add(1)
		}))
		t.Cleanup(replica.Close)
		replicas = append(replicas, replica.Listener.Addr().String())
	}
	front, err := ingress.Open(filepath.Join(t.TempDir(), "ingress.log"), replicas...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := front.Close(); err != nil {
			t.Error(err)
		}
	})
	const callbacks = 6
	for range callbacks {
		answer, err := http.Post(front.URL+"/notify", "text/xml", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if err := answer.Body.Close(); err != nil || answer.StatusCode != http.StatusOK {
			t.Errorf("%s, %v", answer.Status, err)
		}
	}
	first, second := taken[0].Load(), taken[1].Load()
	if first == 0 || second == 0 || first+second != callbacks {
		t.Errorf("the replicas took %d and %d of %d", first, second, callbacks)
	}
}
