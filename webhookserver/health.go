package webhookserver

import (
	"io"
	"net/http"

	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
)

// withHealth adds the health checks of load balancers on the callback port: GET or HEAD of
// /healthz, or of the root, which is their default. The answer says only whether this replica
// accepts callbacks, since anybody on the Internet may get it. It depends on nothing outside of the
// process: if the API server or WeChat does not answer, all replicas fail alike, and it would not
// help if the load balancer removed all of them.
func (s *Server) withHealth(callbacks http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", s.health)
	mux.HandleFunc("GET /{$}", s.health)
	mux.Handle("/", callbacks)
	return mux
}

// health has its own metric and is not logged: several load balancers may ask every few seconds.
func (s *Server) health(w http.ResponseWriter, request *http.Request) {
	status, answer, counted := http.StatusOK, "ok\n", metrics.HealthOK
	if s.Ready(request) != nil {
		status, answer, counted = http.StatusServiceUnavailable, "not taking callbacks\n", metrics.HealthUnavailable
		// A client that kept the connection would ask the same replica forever.
		w.Header().Set("Connection", "close")
	}
	metrics.CallbackHealthChecks.WithLabelValues(counted).Inc()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, answer)
}
