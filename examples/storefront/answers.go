package main

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
)

// bodyLimit is far more than any request of a page needs.
const bodyLimit = 16 << 10

// handler answers a request with a JSON document or an error.
type handler func(*http.Request) (any, error)

// ServeHTTP writes the document, or the refusal. Other errors are logged, and the page only learns that it can try again.
func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, bodyLimit)
	answer, err := h(r)
	if err == nil {
		writeJSON(w, http.StatusOK, answer)
		return
	}
	var told refusal
	if !errors.As(err, &told) {
		if r.Context().Err() == nil { // else the client left
			slog.Error("request failed", "path", r.URL.Path, "error", err)
		}
		told = refusal{codeTryAgain, "the shop can't do this at the moment"}
	}
	if told.code == codeTryAgain {
		w.Header().Set("Retry-After", strconv.Itoa(retryAfterSeconds))
	}
	writeJSON(w, statuses[told.code], struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	}{told.code, told.message})
}

// accepted is an answer with HTTP status 202: what was asked for will be done later.
type accepted struct{ document any }

func writeJSON(w http.ResponseWriter, status int, document any) {
	if later, isLater := document.(accepted); isLater {
		status, document = http.StatusAccepted, later.document
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(document) // a disconnected client misses the answer
}

// readJSON reads a request's body. Unknown members are ignored, such as a price: nothing is believed that is not asked for.
func readJSON[T any](r *http.Request) (T, error) {
	var body T
	decoder := json.NewDecoder(r.Body)
	if err := decoder.Decode(&body); err != nil {
		var wrongType *json.UnmarshalTypeError
		var tooLarge *http.MaxBytesError
		switch {
		case errors.As(err, &wrongType) && wrongType.Field != "":
			return body, badRequest("%s can't be a %s", wrongType.Field, wrongType.Value)
		case errors.As(err, &tooLarge):
			return body, badRequest("the body is longer than %d bytes", bodyLimit)
		}
		return body, badRequest("the body is not the JSON object that is expected")
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return body, badRequest("the body has more than one JSON object")
	}
	return body, nil
}
