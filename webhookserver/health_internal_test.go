package webhookserver

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// TestHealthOfStoppingReplica: it accepts no more callbacks, and closes the connection so that
// the client connects to another replica.
func TestHealthOfStoppingReplica(t *testing.T) {
	t.Parallel()
	s := &Server{}
	for _, path := range []string{"/", "/healthz"} {
		for address, want := range map[*net.TCPAddr]int{{Port: 8088}: http.StatusOK, nil: http.StatusServiceUnavailable} {
			s.listening.Store(address)
			answer := httptest.NewRecorder()
			s.withHealth(http.NotFoundHandler()).ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
			if closes := answer.Header().Get("Connection") == "close"; answer.Code != want || closes != (want != http.StatusOK) {
				t.Errorf("%s while it listens at %v: %d %v", path, address, answer.Code, answer.Header())
			}
		}
	}
}

// TestLoadBalancersEndConnections: if the server closed idle connections first, a callback might
// just be arriving.
func TestLoadBalancersEndConnections(t *testing.T) {
	t.Parallel()
	ours := (&Server{Handler: http.NotFoundHandler()}).httpServer().IdleTimeout
	for name, theirs := range map[string]time.Duration{
		"nginx, AWS, Alibaba Cloud, Tencent Cloud": time.Minute,
		"Azure":              4 * time.Minute,
		"AWS, the network's": 350 * time.Second,
		"Google Cloud":       620 * time.Second,
		"Envoy":              time.Hour,
	} {
		if ours <= theirs {
			t.Errorf("%s keeps a connection for %s, the server for %s", name, theirs, ours)
		}
	}
}
