// Package forward sends verified events on as CloudEvents to the address in K_SINK, which Knative's
// SinkBinding sets: a Broker, or whatever else takes CloudEvents by HTTP.
package forward

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/desk"
	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/event"
)

const timeout = 10 * time.Second

// Sink is where events go.
type Sink struct {
	URL string
	// Extensions are added to each event, from K_CE_OVERRIDES.
	Extensions map[string]string
	// Roots are the authorities that the sink's certificate is verified with, from K_CA_CERTS; nil
	// for the system's.
	Roots   *x509.CertPool
	Client  *http.Client
	Notices *desk.Notices
	Log     *slog.Logger
	Pace    desk.Pace
}

// FromEnvironment reads K_SINK, K_CE_OVERRIDES and K_CA_CERTS; nil without K_SINK.
func FromEnvironment(getenv func(string) string) (*Sink, error) {
	address := getenv("K_SINK")
	if address == "" {
		return nil, nil //nolint:nilnil // there is no sink, and nothing is wrong
	}
	if u, err := url.Parse(address); err != nil || u.Host == "" {
		return nil, fmt.Errorf("K_SINK is no URL: %q", address)
	}
	sink := &Sink{URL: address}
	if text := getenv("K_CE_OVERRIDES"); text != "" {
		var overrides struct {
			Extensions map[string]string `json:"extensions"`
		}
		if err := json.Unmarshal([]byte(text), &overrides); err != nil {
			return nil, fmt.Errorf("K_CE_OVERRIDES: %w", err)
		}
		sink.Extensions = overrides.Extensions
	}
	if bundle := getenv("K_CA_CERTS"); bundle != "" {
		sink.Roots = x509.NewCertPool()
		if !sink.Roots.AppendCertsFromPEM([]byte(bundle)) {
			return nil, errors.New("K_CA_CERTS holds no certificate in PEM")
		}
	}
	return sink, nil
}

// Run forwards each event in the order of arrival until the context ends.
func (s *Sink) Run(ctx context.Context, book *desk.Book) {
	book.Follow(ctx, func(e *desk.Entry) bool { return !e.Forwarded }, s.Pace, func(ctx context.Context, entries []*desk.Entry) error {
		for _, entry := range entries {
			if err := s.send(ctx, entry.Event); err != nil {
				if s.Notices.Set(desk.Sink, err.Error(), time.Now()) {
					s.Log.Warn("Could not forward an event", "event", entry.Event.ID, "problem", err)
				}
				return err
			}
			s.Notices.Set(desk.Sink, "", time.Now())
			if err := book.Forwarded(entry.Event.ID); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Sink) send(ctx context.Context, e event.Event) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL, bytes.NewReader(e.Data))
	if err != nil {
		return err
	}
	for name, value := range s.Extensions {
		request.Header.Set("Ce-"+name, value)
	}
	attributes := map[string]string{
		"specversion": "1.0", "id": e.ID, "type": event.TypePrefix + e.Type, "source": e.Source(), "subject": e.Number(),
	}
	if !e.Time.IsZero() {
		attributes["time"] = e.Time.Format(time.RFC3339)
	}
	for name, value := range attributes {
		request.Header.Set("Ce-"+name, value)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := s.Client.Do(request)
	if err != nil {
		return fmt.Errorf("K_SINK can't be reached: %w", err)
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<16)) // so that the connection is used again
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return fmt.Errorf("K_SINK answers HTTP %d", response.StatusCode)
	}
	return nil
}
