package webhookserver

import (
	"io"
	"net/http"

	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
)

// withHealth adds what load balancers ask the port that they send callbacks to: GET or HEAD of /healthz, or of the root, which is
// what they ask for unless they are told otherwise. The answer says whether this replica takes callbacks, and nothing else, since
// anybody on the Internet may get it. It looks at nothing outside of the process: an API server or WeChat that does not answer
// keeps all replicas from settling callbacks alike, and a load balancer that took all of them out would help nobody.
func (s *Server) withHealth(callbacks http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", s.health)
	mux.HandleFunc("GET /{$}", s.health)
	mux.Handle("/", callbacks)
	return mux
}

// health is counted apart from callbacks, and not logged: several load balancers may ask every few seconds.
func (s *Server) health(w http.ResponseWriter, request *http.Request) {
	status, answer, counted := http.StatusOK, "ok\n", metrics.HealthOK
	if s.Ready(request) != nil {
		status, answer, counted = http.StatusServiceUnavailable, "not taking callbacks\n", metrics.HealthUnavailable
		// Who keeps the connection would ask the wrong replica for ever.
		w.Header().Set("Connection", "close")
	}
	metrics.CallbackHealthChecks.WithLabelValues(counted).Inc()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, answer)
}
