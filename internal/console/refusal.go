package console

import (
	"encoding/json"
	"mime"
	"net/http"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	reasonUnsupported = metav1.StatusReasonUnsupportedMediaType
	reasonTooLarge    = metav1.StatusReasonRequestEntityTooLarge
)

// refusal is an error response of the console, in the format of the API server's errors.
type refusal struct {
	code    int
	reason  metav1.StatusReason
	message string
}

var (
	notServed       = &refusal{http.StatusNotFound, metav1.StatusReasonNotFound, "the console does not pass on this request: it serves what its page needs"}
	notLoggedIn     = &refusal{http.StatusUnauthorized, metav1.StatusReasonUnauthorized, "no token came with the request: log in"}
	tokenExpired    = &refusal{http.StatusUnauthorized, metav1.StatusReasonUnauthorized, "the token has expired: log in again"}
	crossOrigin     = &refusal{http.StatusForbidden, metav1.StatusReasonForbidden, "the request came from another site's page"}
	tooMany         = &refusal{http.StatusTooManyRequests, metav1.StatusReasonTooManyRequests, "too many requests or watches are under way: close some pages"}
	serverAway      = &refusal{http.StatusBadGateway, metav1.StatusReasonServiceUnavailable, "the API server can't be reached, or its answer can't be used"}
	ambiguousCaller = badRequest("the header Authorization has to be there once, as Bearer and a token")
)

func badRequest(message string) *refusal {
	return &refusal{http.StatusBadRequest, metav1.StatusReasonBadRequest, message}
}

func (f *refusal) write(w http.ResponseWriter) {
	if f.code == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "5")
	}
	writeJSON(w, f.code, metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"},
		Status:   metav1.StatusFailure, Code: int32(f.code), Reason: f.reason, Message: f.message, //nolint:gosec // a status code
	})
}

func writeJSON(w http.ResponseWriter, code int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(value) // the client disconnected
}

func mediaType(r *http.Request) string {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return kind
}
