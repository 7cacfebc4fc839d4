package events

import (
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

const (
	testKey    = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
	anotherKey = "whsec_QW5vdGhlclRlc3RPbmx5U2lnbmluZ0tleTAw"
)

// sendTo sends one event to a server.
func sendTo(t *testing.T, handler http.HandlerFunc, keys Keys) (answered bool, err error) {
	t.Helper()
	server := httptest.NewTLSServer(handler)
	defer server.Close()
	defer server.CloseClientConnections()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	address, err := url.Parse(server.URL + "/events?shop=1")
	if err != nil {
		t.Fatal(err)
	}
	settings, err := NewSettings(address, roots, nil, keys)
	if err != nil {
		t.Fatal(err)
	}
	defer settings.close()
	object := orderWith("a", condition("Paid", "True/Paid", 1))
	return settings.send(t.Context(), &delivery{event: Of(object)[0], object: object}, "test", time.Minute, time.Now())
}

func TestOnlyAnAnswerOfClass2xxIsADelivery(t *testing.T) {
	for status, want := range map[int]string{
		200: "", 202: "", 204: "", 301: "redirect", 307: "redirect", 308: "redirect", 400: "HTTP 400", 401: "HTTP 401", 404: "HTTP 404", 410: "HTTP 410", 429: "HTTP 429", 500: "HTTP 500", 503: "HTTP 503",
	} {
		answered, err := sendTo(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "https://elsewhere.example.com/")
			w.WriteHeader(status)
		}, Keys{Current: testKey})
		if !answered || (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%d: answered %t, %v", status, answered, err)
		}
	}
}

// TestAnswersWithoutEndAreCutOff: the body does not end while the client reads it.
func TestAnswersWithoutEndAreCutOff(t *testing.T) {
	_, err := sendTo(t, func(w http.ResponseWriter, _ *http.Request) {
		for block := strings.Repeat("x", 1<<10); ; {
			if _, err := io.WriteString(w, block); err != nil {
				return
			}
		}
	}, Keys{Current: testKey})
	if err != nil {
		t.Error(err)
	}
}

func TestEventsAreSignedWithBothKeys(t *testing.T) {
	for _, trusted := range []string{testKey, anotherKey} {
		_, err := sendTo(t, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			webhook, parsing := standardwebhooks.NewWebhook(trusted)
			if errors.Join(err, parsing) != nil || webhook.Verify(body, r.Header) != nil {
				w.WriteHeader(http.StatusUnauthorized)
			}
		}, Keys{Current: testKey, Previous: anotherKey})
		if err != nil {
			t.Errorf("%s: %v", trusted, err)
		}
	}
}
