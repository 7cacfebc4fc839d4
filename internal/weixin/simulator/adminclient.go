package simulator

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// AdminClient drives a simulator in another process. Its methods correspond to the Simulator's
// methods of the same name.
type AdminClient struct {
	// BaseURL is the simulator's AdminURL.
	BaseURL string
}

// NewAdminClient returns a client of the admin API at a URL.
func NewAdminClient(baseURL string) *AdminClient {
	return &AdminClient{BaseURL: strings.TrimSuffix(baseURL, "/")}
}

// URL returns the URL of the host.
func (c *AdminClient) URL(ctx context.Context) (string, error) {
	var reply urlReply
	err := c.do(ctx, http.MethodGet, "/url", nil, &reply)
	return reply.URL, err
}

// Login returns the code of a login.
func (c *AdminClient) Login(ctx context.Context, appID, openID string) (string, error) {
	var reply loginReply
	err := c.do(ctx, http.MethodPost, "/login", loginRequest{AppID: appID, OpenID: openID}, &reply)
	return reply.Code, err
}

// AddMiniProgram adds a mini program, or replaces its settings.
func (c *AdminClient) AddMiniProgram(ctx context.Context, m MiniProgram) error {
	return c.do(ctx, http.MethodPost, "/mini-programs", m, nil)
}

// Subscribe agrees to one more message.
func (c *AdminClient) Subscribe(ctx context.Context, appID, openID, templateID string) error {
	return c.do(ctx, http.MethodPost, "/subscribe", subscribeRequest{AppID: appID, OpenID: openID, TemplateID: templateID}, nil)
}

// Receive confirms that the goods came.
func (c *AdminClient) Receive(ctx context.Context, mchID, outTradeNo string, state OrderState) error {
	return c.do(ctx, http.MethodPost, "/receive", receiveRequest{MchID: mchID, OutTradeNo: outTradeNo, State: state}, nil)
}

// RevokeTokens ends the access tokens of a mini program.
func (c *AdminClient) RevokeTokens(ctx context.Context, appID string) error {
	return c.do(ctx, http.MethodPost, "/revoke-tokens", revokeRequest{AppID: appID}, nil)
}

// Journal returns a copy of what happened.
func (c *AdminClient) Journal(ctx context.Context) (Journal, error) {
	var journal Journal
	err := c.do(ctx, http.MethodGet, "/journal", nil, &journal)
	return journal, err
}

// AddFault adds a fault.
func (c *AdminClient) AddFault(ctx context.Context, fault Fault) (Fault, error) {
	var added Fault
	err := c.do(ctx, http.MethodPost, "/faults", fault, &added)
	return added, err
}

// Faults lists the faults, including exhausted ones.
func (c *AdminClient) Faults(ctx context.Context) ([]Fault, error) {
	var faults []Fault
	err := c.do(ctx, http.MethodGet, "/faults", nil, &faults)
	return faults, err
}

// ClearFaults removes all faults.
func (c *AdminClient) ClearFaults(ctx context.Context) error {
	return c.do(ctx, http.MethodDelete, "/faults", nil, nil)
}

func (c *AdminClient) do(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.BaseURL+path, body)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	reply, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return remoteError(response.StatusCode, reply)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(reply, out)
}

// remoteError restores the error that the other process returned.
func remoteError(status int, body []byte) error {
	var reply adminError
	_ = json.Unmarshal(body, &reply) // the status alone is an error, too
	for _, known := range []error{ErrNotFound, ErrInvalid} {
		if statusOf(known) == status {
			return fmt.Errorf("weixin simulator: %w: %s", known, reply.Error)
		}
	}
	return fmt.Errorf("weixin simulator: status %d: %s", status, reply.Error)
}
