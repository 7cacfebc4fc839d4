package simulator

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// AdminClient drives a simulator in another process. Its methods correspond to the Simulator's
// methods of the same name, and their errors match the same errors under errors.Is.
type AdminClient struct {
	// BaseURL is the simulator's AdminURL.
	BaseURL string
	// Client is http.DefaultClient if nil.
	Client *http.Client
}

// NewAdminClient returns a client of the admin API at a URL.
func NewAdminClient(baseURL string) *AdminClient {
	return &AdminClient{BaseURL: strings.TrimSuffix(baseURL, "/")}
}

// Health returns an error unless the simulator is up.
func (c *AdminClient) Health(ctx context.Context) error {
	_, err := c.do(ctx, http.MethodGet, "/healthz", nil)
	return err
}

// URLs returns the URLs of the primary and the backup host.
func (c *AdminClient) URLs(ctx context.Context) (primary, backup string, err error) {
	var reply urlsReply
	err = c.json(ctx, http.MethodGet, "/urls", nil, &reply)
	return reply.URL, reply.BackupURL, err
}

// CAPEM returns the CA certificate to verify the hosts with.
func (c *AdminClient) CAPEM(ctx context.Context) ([]byte, error) {
	return c.do(ctx, http.MethodGet, "/ca.pem", nil)
}

// IssueClientCertificate issues a merchant certificate.
func (c *AdminClient) IssueClientCertificate(ctx context.Context, mchID string) (ClientCertificate, error) {
	var reply certificateReply
	err := c.json(ctx, http.MethodGet, "/client-certificate?"+url.Values{"mch_id": {mchID}}.Encode(), nil, &reply)
	return ClientCertificate{CertPEM: []byte(reply.CertPEM), KeyPEM: []byte(reply.KeyPEM)}, err
}

// Ledger returns the whole ledger.
func (c *AdminClient) Ledger(ctx context.Context) (Ledger, error) {
	var ledger Ledger
	err := c.json(ctx, http.MethodGet, "/ledger", nil, &ledger)
	return ledger, err
}

// LedgerOf returns the ledger of one merchant (empty: all) and of one order or refund (empty: all),
// without the calls.
func (c *AdminClient) LedgerOf(ctx context.Context, mchID, number string) (Ledger, error) {
	var ledger Ledger
	query := url.Values{"mch_id": {mchID}, "number": {number}, "calls": {"false"}}
	err := c.json(ctx, http.MethodGet, "/ledger?"+query.Encode(), nil, &ledger)
	return ledger, err
}

// Pay pays an order.
func (c *AdminClient) Pay(ctx context.Context, mchID, outTradeNo string, options PayOptions) (Payment, error) {
	var payment Payment
	err := c.json(ctx, http.MethodPost, "/pay", payRequest{MchID: mchID, OutTradeNo: outTradeNo, PayOptions: options}, &payment)
	return payment, err
}

// PayAfterClose pays a closed or expired order.
func (c *AdminClient) PayAfterClose(ctx context.Context, mchID, outTradeNo string, options PayOptions) (Payment, error) {
	options.Force = true
	return c.Pay(ctx, mchID, outTradeNo, options)
}

// PayByPrepayID pays the order of a prepay_id.
func (c *AdminClient) PayByPrepayID(ctx context.Context, prepayID string, options PayOptions) (Payment, error) {
	var payment Payment
	err := c.json(ctx, http.MethodPost, "/pay", payRequest{PrepayID: prepayID, PayOptions: options}, &payment)
	return payment, err
}

// RefundByStaff creates a refund as staff does in the merchant platform.
func (c *AdminClient) RefundByStaff(ctx context.Context, mchID, outTradeNo string, refundFee int64) (Refund, error) {
	var refund Refund
	body := staffRefundRequest{MchID: mchID, OutTradeNo: outTradeNo, RefundFee: refundFee}
	err := c.json(ctx, http.MethodPost, "/refunds", body, &refund)
	return refund, err
}

// SetRefundStatus sets the status of a refund.
func (c *AdminClient) SetRefundStatus(ctx context.Context, mchID, outRefundNo string, status RefundStatus) error {
	path := "/refunds/" + url.PathEscape(outRefundNo) + "/status"
	return c.json(ctx, http.MethodPost, path, refundStatusRequest{MchID: mchID, Status: status}, nil)
}

// ResendCallback sends a callback again.
func (c *AdminClient) ResendCallback(ctx context.Context, operation Operation, mchID, number string) error {
	body := resendRequest{Operation: operation, MchID: mchID, Number: number}
	return c.json(ctx, http.MethodPost, "/callbacks/resend", body, nil)
}

// AddFault adds a fault.
func (c *AdminClient) AddFault(ctx context.Context, fault Fault) (Fault, error) {
	var added Fault
	err := c.json(ctx, http.MethodPost, "/faults", fault, &added)
	return added, err
}

// Faults lists the faults.
func (c *AdminClient) Faults(ctx context.Context) ([]Fault, error) {
	var faults []Fault
	err := c.json(ctx, http.MethodGet, "/faults", nil, &faults)
	return faults, err
}

// RemoveFault removes one fault.
func (c *AdminClient) RemoveFault(ctx context.Context, id string) error {
	return c.json(ctx, http.MethodDelete, "/faults?"+url.Values{"id": {id}}.Encode(), nil, nil)
}

// ClearFaults removes all faults.
func (c *AdminClient) ClearFaults(ctx context.Context) error {
	return c.json(ctx, http.MethodDelete, "/faults", nil, nil)
}

// AddMerchant adds a merchant or replaces its settings.
func (c *AdminClient) AddMerchant(ctx context.Context, merchant Merchant) error {
	return c.json(ctx, http.MethodPost, "/merchants", merchant, nil)
}

// SetAPIKey resets a merchant's key.
func (c *AdminClient) SetAPIKey(ctx context.Context, mchID, key string) error {
	return c.json(ctx, http.MethodPost, "/api-key", apiKeyRequest{MchID: mchID, APIKey: key}, nil)
}

// RotateAPIKey resets a merchant's key to a random one.
func (c *AdminClient) RotateAPIKey(ctx context.Context, mchID string) (key string, err error) {
	var reply apiKeyRequest
	err = c.json(ctx, http.MethodPost, "/api-key", apiKeyRequest{MchID: mchID}, &reply)
	return reply.APIKey, err
}

// SetBalance sets the balance available for refunds; nil is unlimited.
func (c *AdminClient) SetBalance(ctx context.Context, mchID string, balance *int64) error {
	return c.json(ctx, http.MethodPost, "/balance", balanceRequest{MchID: mchID, Balance: balance}, nil)
}

func (c *AdminClient) json(ctx context.Context, method, path string, in, out any) error {
	reply, err := c.do(ctx, method, path, in)
	if err != nil || out == nil {
		return err
	}
	return json.Unmarshal(reply, out)
}

func (c *AdminClient) do(ctx context.Context, method, path string, in any) ([]byte, error) {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.BaseURL+path, body)
	if err != nil {
		return nil, err
	}
	client := c.Client
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
		err = remoteError(response.StatusCode, reply)
	}
	return reply, err
}

// remoteError restores the error returned by the other process.
func remoteError(status int, body []byte) error {
	var reply errorReply
	if json.Unmarshal(body, &reply) != nil || reply.Error == "" {
		return fmt.Errorf("simulator: status %d", status)
	}
	for _, known := range []error{ErrNotFound, ErrInvalid, ErrOrderPaid, ErrOrderClosed, ErrOrderExpired, ErrPrepayExpired, ErrPaySign} {
		if strings.Contains(reply.Error, known.Error()) && statusOf(known) == status {
			return fmt.Errorf("simulator: %w: %s", known, reply.Error)
		}
	}
	return fmt.Errorf("simulator: status %d: %s", status, reply.Error)
}
