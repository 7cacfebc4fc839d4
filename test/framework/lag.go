package framework

import (
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"time"

	"k8s.io/client-go/rest"
)

// watchLagVariable is the environment variable with the longest delay of an operator's watches,
// e.g. "500ms". Neither the operator nor a test may depend on how soon it sees a change; `make
// test-lagging` checks this.
const watchLagVariable = "TEST_WATCH_LAG"

// lagging delays every watch of a client by up to the configured lag; without one it returns the
// client unchanged.
func lagging(config *rest.Config) (*rest.Config, error) {
	value := os.Getenv(watchLagVariable)
	if value == "" {
		return config, nil
	}
	longest, err := time.ParseDuration(value)
	if err != nil || longest <= 0 {
		return config, err
	}
	late := rest.CopyConfig(config)
	late.Wrap(func(next http.RoundTripper) http.RoundTripper { return lateWatches{next: next, longest: longest} })
	return late, nil
}

type lateWatches struct {
	next    http.RoundTripper
	longest time.Duration
}

func (l lateWatches) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := l.next.RoundTrip(request)
	if err == nil && request.URL.Query().Has("watch") {
		response.Body = lateBody{response.Body, l.longest}
	}
	return response, err
}

type lateBody struct {
	io.ReadCloser
	longest time.Duration
}

func (b lateBody) Read(into []byte) (int, error) {
	n, err := b.ReadCloser.Read(into)
	if n > 0 {
		<-time.After(rand.N(b.longest)) //nolint:gosec // no need for a secure random number
	}
	return n, err
}
