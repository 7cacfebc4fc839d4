package simulator

import (
	"context"

	"github.com/wechatpay-operator/wechatpay-operator/internal/simulation"
)

// AdminClient drives a simulator in another process. Its methods correspond to the Simulator's
// methods of the same name.
type AdminClient struct{ simulation.Admin }

// NewAdminClient returns a client of the admin API at a URL.
func NewAdminClient(baseURL string) *AdminClient {
	return &AdminClient{simulation.NewAdmin(baseURL, "weixin simulator", adminErrors)}
}

// URL returns the URL of the host.
func (c *AdminClient) URL(ctx context.Context) (string, error) {
	reply, err := simulation.Get[urlReply](ctx, &c.Admin, "/url")
	return reply.URL, err
}

// Login returns the code of a login.
func (c *AdminClient) Login(ctx context.Context, appID, openID string) (string, error) {
	reply, err := simulation.Post[loginReply](ctx, &c.Admin, "/login", loginRequest{AppID: appID, OpenID: openID})
	return reply.Code, err
}

// AddMiniProgram adds a mini program, or replaces its settings.
func (c *AdminClient) AddMiniProgram(ctx context.Context, m MiniProgram) error {
	return c.Do(ctx, "/mini-programs", m)
}

// Subscribe agrees to one more message.
func (c *AdminClient) Subscribe(ctx context.Context, appID, openID, templateID string) error {
	return c.Do(ctx, "/subscribe", subscribeRequest{AppID: appID, OpenID: openID, TemplateID: templateID})
}

// Receive confirms that the goods came.
func (c *AdminClient) Receive(ctx context.Context, mchID, outTradeNo string, state OrderState) error {
	return c.Do(ctx, "/receive", receiveRequest{MchID: mchID, OutTradeNo: outTradeNo, State: state})
}

// RevokeTokens ends the access tokens of a mini program.
func (c *AdminClient) RevokeTokens(ctx context.Context, appID string) error {
	return c.Do(ctx, "/revoke-tokens", revokeRequest{AppID: appID})
}

// Journal returns a copy of what happened.
func (c *AdminClient) Journal(ctx context.Context) (Journal, error) {
	return simulation.Get[Journal](ctx, &c.Admin, "/journal")
}

// AddFault adds a fault.
func (c *AdminClient) AddFault(ctx context.Context, fault Fault) (Fault, error) {
	return simulation.Post[Fault](ctx, &c.Admin, "/faults", fault)
}

// Faults lists the faults, including exhausted ones.
func (c *AdminClient) Faults(ctx context.Context) ([]Fault, error) {
	return simulation.Get[[]Fault](ctx, &c.Admin, "/faults")
}

// ClearFaults removes all faults.
func (c *AdminClient) ClearFaults(ctx context.Context) error {
	return c.Delete(ctx, "/faults")
}
