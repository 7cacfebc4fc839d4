package simulation

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
)

// AdminErrors are the errors of an admin API that have their own status code; others are 500. AdminClient returns the
// same error values from the responses.
type AdminErrors []AdminError

// AdminError is an error with its HTTP status.
type AdminError struct {
	Err    error
	Status int
}

// errorReply is the body of a failure.
type errorReply struct {
	Error string `json:"error"`
}

func (known AdminErrors) statusOf(err error) int {
	for _, k := range known {
		if errors.Is(err, k.Err) {
			return k.Status
		}
	}
	return http.StatusInternalServerError
}

// Action handles a request with a JSON body.
func Action[T any](known AdminErrors, act func(T) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var body T
		decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&body); err != nil {
			Refuse(w, http.StatusBadRequest, err)
			return
		}
		result, err := act(body)
		known.Reply(w, result, err)
	}
}

// Show handles a request without a body that can't fail.
func Show[T any](what func() T) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { WriteJSON(w, http.StatusOK, what()) }
}

// Healthy handles a request that asks whether the simulator is up.
func Healthy(w http.ResponseWriter, _ *http.Request) {
	_, _ = io.WriteString(w, "ok\n") // a disconnected client misses the response
}

// Reply answers a request with its result, which may be nil, or with its error.
func (known AdminErrors) Reply(w http.ResponseWriter, result any, err error) {
	switch {
	case err != nil:
		Refuse(w, known.statusOf(err), err)
	case result == nil:
		WriteJSON(w, http.StatusOK, struct{}{})
	default:
		WriteJSON(w, http.StatusOK, result)
	}
}

// Refuse answers with an error.
func Refuse(w http.ResponseWriter, status int, err error) {
	WriteJSON(w, status, errorReply{Error: err.Error()})
}

// WriteJSON answers with a value.
func WriteJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a disconnected client misses the response
}
