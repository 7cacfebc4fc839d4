package simulator

import (
	"context"
	"net/url"

	"github.com/wechatpay-operator/wechatpay-operator/internal/simulation"
)

// AdminClient drives a simulator in another process. Its methods correspond to the Simulator's
// methods of the same name, and their errors match the same errors under errors.Is.
type AdminClient struct{ simulation.Admin }

// NewAdminClient returns a client of the admin API at a URL.
func NewAdminClient(baseURL string) *AdminClient {
	return &AdminClient{simulation.NewAdmin(baseURL, "simulator", adminErrors)}
}

// Health returns an error unless the simulator is up.
func (c *AdminClient) Health(ctx context.Context) error {
	_, err := c.Fetch(ctx, "/healthz")
	return err
}

// URLs returns the URLs of the primary and the backup host.
func (c *AdminClient) URLs(ctx context.Context) (primary, backup string, err error) {
	reply, err := simulation.Get[urlsReply](ctx, &c.Admin, "/urls")
	return reply.URL, reply.BackupURL, err
}

// CAPEM returns the CA certificate to verify the hosts with.
func (c *AdminClient) CAPEM(ctx context.Context) ([]byte, error) {
	return c.Fetch(ctx, "/ca.pem")
}

// IssueClientCertificate issues a merchant certificate.
func (c *AdminClient) IssueClientCertificate(ctx context.Context, mchID string) (ClientCertificate, error) {
	reply, err := simulation.Get[certificateReply](ctx, &c.Admin, "/client-certificate?"+url.Values{"mch_id": {mchID}}.Encode())
	return ClientCertificate{CertPEM: []byte(reply.CertPEM), KeyPEM: []byte(reply.KeyPEM)}, err
}

// Ledger returns the whole ledger.
func (c *AdminClient) Ledger(ctx context.Context) (Ledger, error) {
	return simulation.Get[Ledger](ctx, &c.Admin, "/ledger")
}

// LedgerOf returns the ledger of one merchant (empty: all) and of one order or refund (empty: all),
// without the calls.
func (c *AdminClient) LedgerOf(ctx context.Context, mchID, number string) (Ledger, error) {
	query := url.Values{"mch_id": {mchID}, "number": {number}, "calls": {"false"}}
	return simulation.Get[Ledger](ctx, &c.Admin, "/ledger?"+query.Encode())
}

// Pay pays an order.
func (c *AdminClient) Pay(ctx context.Context, mchID, outTradeNo string, options PayOptions) (Payment, error) {
	return simulation.Post[Payment](ctx, &c.Admin, "/pay", payRequest{MchID: mchID, OutTradeNo: outTradeNo, PayOptions: options})
}

// PayAfterClose pays a closed or expired order.
func (c *AdminClient) PayAfterClose(ctx context.Context, mchID, outTradeNo string, options PayOptions) (Payment, error) {
	options.Force = true
	return c.Pay(ctx, mchID, outTradeNo, options)
}

// PayByPrepayID pays the order of a prepay_id.
func (c *AdminClient) PayByPrepayID(ctx context.Context, prepayID string, options PayOptions) (Payment, error) {
	return simulation.Post[Payment](ctx, &c.Admin, "/pay", payRequest{PrepayID: prepayID, PayOptions: options})
}

// RefundByStaff creates a refund as staff does in the merchant platform.
func (c *AdminClient) RefundByStaff(ctx context.Context, mchID, outTradeNo string, refundFee int64) (Refund, error) {
	return simulation.Post[Refund](ctx, &c.Admin, "/refunds", staffRefundRequest{MchID: mchID, OutTradeNo: outTradeNo, RefundFee: refundFee})
}

// SetRefundStatus sets the status of a refund.
func (c *AdminClient) SetRefundStatus(ctx context.Context, mchID, outRefundNo string, status RefundStatus) error {
	return c.Do(ctx, "/refunds/"+url.PathEscape(outRefundNo)+"/status", refundStatusRequest{MchID: mchID, Status: status})
}

// ResendCallback sends a callback again.
func (c *AdminClient) ResendCallback(ctx context.Context, operation Operation, mchID, number string) error {
	return c.Do(ctx, "/callbacks/resend", resendRequest{Operation: operation, MchID: mchID, Number: number})
}

// AddFault adds a fault.
func (c *AdminClient) AddFault(ctx context.Context, fault Fault) (Fault, error) {
	return simulation.Post[Fault](ctx, &c.Admin, "/faults", fault)
}

// Faults lists the faults.
func (c *AdminClient) Faults(ctx context.Context) ([]Fault, error) {
	return simulation.Get[[]Fault](ctx, &c.Admin, "/faults")
}

// RemoveFault removes one fault.
func (c *AdminClient) RemoveFault(ctx context.Context, id string) error {
	return c.Delete(ctx, "/faults?"+url.Values{"id": {id}}.Encode())
}

// ClearFaults removes all faults.
func (c *AdminClient) ClearFaults(ctx context.Context) error {
	return c.Delete(ctx, "/faults")
}

// AddMerchant adds a merchant or replaces its settings.
func (c *AdminClient) AddMerchant(ctx context.Context, merchant Merchant) error {
	return c.Do(ctx, "/merchants", merchant)
}

// SetAPIKey resets a merchant's key.
func (c *AdminClient) SetAPIKey(ctx context.Context, mchID, key string) error {
	return c.Do(ctx, "/api-key", apiKeyRequest{MchID: mchID, APIKey: key})
}

// RotateAPIKey resets a merchant's key to a random one.
func (c *AdminClient) RotateAPIKey(ctx context.Context, mchID string) (key string, err error) {
	reply, err := simulation.Post[apiKeyRequest](ctx, &c.Admin, "/api-key", apiKeyRequest{MchID: mchID})
	return reply.APIKey, err
}

// SetBalance sets the balance available for refunds; nil is unlimited.
func (c *AdminClient) SetBalance(ctx context.Context, mchID string, balance *int64) error {
	return c.Do(ctx, "/balance", balanceRequest{MchID: mchID, Balance: balance})
}
