package simulation

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Admin is the admin API of a simulator in another process.
type Admin struct {
	// BaseURL is the simulator's AdminURL.
	BaseURL string
	// Client is http.DefaultClient if nil.
	Client *http.Client

	simulator string
	known     AdminErrors
}

// NewAdmin returns the admin API at a URL. simulator names it in errors; errors.Is matches them with known.
func NewAdmin(baseURL, simulator string, known AdminErrors) Admin {
	return Admin{BaseURL: strings.TrimSuffix(baseURL, "/"), simulator: simulator, known: known}
}

// Get reads a value.
func Get[T any](ctx context.Context, a *Admin, path string) (T, error) {
	return call[T](ctx, a, http.MethodGet, path, nil)
}

// Post sends a value and reads another.
func Post[T any](ctx context.Context, a *Admin, path string, body any) (T, error) {
	return call[T](ctx, a, http.MethodPost, path, body)
}

func call[T any](ctx context.Context, a *Admin, method, path string, body any) (result T, err error) {
	reply, err := a.send(ctx, method, path, body)
	if err == nil {
		err = json.Unmarshal(reply, &result)
	}
	return result, err
}

// Fetch reads a response that is not JSON.
func (a *Admin) Fetch(ctx context.Context, path string) ([]byte, error) {
	return a.send(ctx, http.MethodGet, path, nil)
}

// Do sends a value and expects no result.
func (a *Admin) Do(ctx context.Context, path string, body any) error {
	_, err := a.send(ctx, http.MethodPost, path, body)
	return err
}

// Delete deletes.
func (a *Admin) Delete(ctx context.Context, path string) error {
	_, err := a.send(ctx, http.MethodDelete, path, nil)
	return err
}

func (a *Admin) send(ctx context.Context, method, path string, in any) ([]byte, error) {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, a.BaseURL+path, body)
	if err != nil {
		return nil, err
	}
	client := a.Client
	if client == nil {
		client = http.DefaultClient
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	reply, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = a.failure(response.StatusCode, reply)
	}
	return reply, err
}

// failure restores the error that the other process returned.
func (a *Admin) failure(status int, body []byte) error {
	var reply errorReply
	if json.Unmarshal(body, &reply) != nil || reply.Error == "" {
		return fmt.Errorf("%s: status %d", a.simulator, status)
	}
	for _, k := range a.known {
		if strings.Contains(reply.Error, k.Err.Error()) && k.Status == status {
			return fmt.Errorf("%s: %w: %s", a.simulator, k.Err, reply.Error)
		}
	}
	return fmt.Errorf("%s: status %d: %s", a.simulator, status, reply.Error)
}
