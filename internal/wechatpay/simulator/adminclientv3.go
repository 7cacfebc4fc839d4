package simulator

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// RequestPayment pays as the payer's client asks for it.
func (c *AdminClient) RequestPayment(ctx context.Context, request ClientPayment, options PayOptions) (Payment, error) {
	var payment Payment
	err := c.json(ctx, http.MethodPost, "/request-payment", clientPaymentRequest{ClientPayment: request, Options: options}, &payment)
	return payment, err
}

// CancelPayment opens the payment and goes back.
func (c *AdminClient) CancelPayment(ctx context.Context, request ClientPayment) error {
	return c.json(ctx, http.MethodPost, "/request-payment", clientPaymentRequest{ClientPayment: request, Cancel: true}, nil)
}

// SetAPIV3Key resets a merchant's APIv3 key.
func (c *AdminClient) SetAPIV3Key(ctx context.Context, mchID, key string) error {
	return c.json(ctx, http.MethodPost, "/api-v3-key", apiV3KeyRequest{MchID: mchID, APIV3Key: key}, nil)
}

// SetVerification moves a merchant to another way of verification.
func (c *AdminClient) SetVerification(ctx context.Context, mchID string, verification Verification, share float64) error {
	body := verificationRequest{MchID: mchID, Verification: verification, PublicKeyShare: share}
	return c.json(ctx, http.MethodPost, "/verification", body, nil)
}

// SetRefundRight grants or revokes the right to refund for a sub merchant.
func (c *AdminClient) SetRefundRight(ctx context.Context, mchID, subMchID string, granted bool) error {
	return c.json(ctx, http.MethodPost, "/refund-right", refundRightRequest{MchID: mchID, SubMchID: subMchID, Granted: granted}, nil)
}

// SetRelation dissolves the relation with a sub merchant, or restores it.
func (c *AdminClient) SetRelation(ctx context.Context, mchID, subMchID string, exists bool) error {
	return c.json(ctx, http.MethodPost, "/relation", relationRequest{MchID: mchID, SubMchID: subMchID, Exists: exists}, nil)
}

// SetSubBalance sets the balance of a sub merchant; nil is unlimited.
func (c *AdminClient) SetSubBalance(ctx context.Context, mchID, subMchID string, balance *int64) error {
	return c.json(ctx, http.MethodPost, "/sub-balance", subBalanceRequest{MchID: mchID, SubMchID: subMchID, Balance: balance}, nil)
}

// SetClockSkew sets how far WeChat Pay's clock is ahead.
func (c *AdminClient) SetClockSkew(ctx context.Context, skew time.Duration) error {
	return c.json(ctx, http.MethodPost, "/clock-skew", clockSkewRequest{SkewMillis: skew.Milliseconds()}, nil)
}

// Platform returns WeChat Pay's public key and certificates.
func (c *AdminClient) Platform(ctx context.Context) (Platform, error) {
	var platform Platform
	err := c.json(ctx, http.MethodGet, "/platform", nil, &platform)
	return platform, err
}

// AddPlatformCertificate begins a rotation.
func (c *AdminClient) AddPlatformCertificate(ctx context.Context) (PlatformCertificate, error) {
	var added PlatformCertificate
	err := c.json(ctx, http.MethodPost, "/platform/certificates", struct{}{}, &added)
	return added, err
}

// ReplacePublicKey makes another public key.
func (c *AdminClient) ReplacePublicKey(ctx context.Context) (Platform, error) {
	var platform Platform
	err := c.json(ctx, http.MethodPost, "/platform/public-key", struct{}{}, &platform)
	return platform, err
}

// SignWithPlatformCertificates sets the certificates that sign in turn.
func (c *AdminClient) SignWithPlatformCertificates(ctx context.Context, serials ...string) error {
	return c.json(ctx, http.MethodPost, "/platform/signers", signersRequest{SerialNos: serials}, nil)
}

// RemovePlatformCertificate ends a rotation.
func (c *AdminClient) RemovePlatformCertificate(ctx context.Context, serial string) error {
	return c.json(ctx, http.MethodDelete, "/platform/certificates/"+url.PathEscape(serial), nil, nil)
}
