package event

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"
)

// mostBody is the largest body that is read. Those of the operator have less than 1 KiB.
const mostBody = 64 << 10

// Handler takes events. It answers 2xx only after store has returned nil, so that whatever it did
// not store is sent again.
func Handler(keys Keys, store func(Event) error, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mostBody))
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			http.Error(w, "the body is too large", http.StatusRequestEntityTooLarge)
			return
		}
		if err != nil {
			http.Error(w, "the body could not be read", http.StatusBadRequest)
			return
		}
		trusted, err := keys()
		if err != nil {
			log.Error("The signing keys can't be used, so no event is taken", "problem", err)
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		if err := Verify(trusted, r.Header, body, time.Now()); err != nil {
			log.Warn("Refused a message", "problem", err, "from", r.RemoteAddr)
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		event, err := Parse(r.Header, body)
		if err != nil {
			log.Error("A signed message is no event", "problem", err)
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if err := store(event); err != nil {
			log.Error("Could not store an event", "event", event.ID, "problem", err)
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
}
