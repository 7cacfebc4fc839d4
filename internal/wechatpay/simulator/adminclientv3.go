package simulator

import (
	"context"
	"net/url"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/simulation"
)

// RequestPayment pays as the payer's client asks for it.
func (c *AdminClient) RequestPayment(ctx context.Context, request ClientPayment, options PayOptions) (Payment, error) {
	return simulation.Post[Payment](ctx, &c.Admin, "/request-payment", clientPaymentRequest{ClientPayment: request, Options: options})
}

// CancelPayment opens the payment and goes back.
func (c *AdminClient) CancelPayment(ctx context.Context, request ClientPayment) error {
	return c.Do(ctx, "/request-payment", clientPaymentRequest{ClientPayment: request, Cancel: true})
}

// SetAPIV3Key resets a merchant's APIv3 key.
func (c *AdminClient) SetAPIV3Key(ctx context.Context, mchID, key string) error {
	return c.Do(ctx, "/api-v3-key", apiV3KeyRequest{MchID: mchID, APIV3Key: key})
}

// SetVerification moves a merchant to another way of verification.
func (c *AdminClient) SetVerification(ctx context.Context, mchID string, verification Verification, share float64) error {
	return c.Do(ctx, "/verification", verificationRequest{MchID: mchID, Verification: verification, PublicKeyShare: share})
}

// SetRefundRight grants or revokes the right to refund for a sub merchant.
func (c *AdminClient) SetRefundRight(ctx context.Context, mchID, subMchID string, granted bool) error {
	return c.Do(ctx, "/refund-right", refundRightRequest{MchID: mchID, SubMchID: subMchID, Granted: granted})
}

// SetRelation dissolves the relation with a sub merchant, or restores it.
func (c *AdminClient) SetRelation(ctx context.Context, mchID, subMchID string, exists bool) error {
	return c.Do(ctx, "/relation", relationRequest{MchID: mchID, SubMchID: subMchID, Exists: exists})
}

// SetSubBalance sets the balance of a sub merchant; nil is unlimited.
func (c *AdminClient) SetSubBalance(ctx context.Context, mchID, subMchID string, balance *int64) error {
	return c.Do(ctx, "/sub-balance", subBalanceRequest{MchID: mchID, SubMchID: subMchID, Balance: balance})
}

// SetClockSkew sets how far WeChat Pay's clock is ahead.
func (c *AdminClient) SetClockSkew(ctx context.Context, skew time.Duration) error {
	return c.Do(ctx, "/clock-skew", clockSkewRequest{SkewMillis: skew.Milliseconds()})
}

// Platform returns WeChat Pay's public key and certificates.
func (c *AdminClient) Platform(ctx context.Context) (Platform, error) {
	return simulation.Get[Platform](ctx, &c.Admin, "/platform")
}

// AddPlatformCertificate begins a rotation.
func (c *AdminClient) AddPlatformCertificate(ctx context.Context) (PlatformCertificate, error) {
	return simulation.Post[PlatformCertificate](ctx, &c.Admin, "/platform/certificates", struct{}{})
}

// ReplacePublicKey makes another public key.
func (c *AdminClient) ReplacePublicKey(ctx context.Context) (Platform, error) {
	return simulation.Post[Platform](ctx, &c.Admin, "/platform/public-key", struct{}{})
}

// SignWithPlatformCertificates sets the certificates that sign in turn.
func (c *AdminClient) SignWithPlatformCertificates(ctx context.Context, serials ...string) error {
	return c.Do(ctx, "/platform/signers", signersRequest{SerialNos: serials})
}

// RemovePlatformCertificate ends a rotation.
func (c *AdminClient) RemovePlatformCertificate(ctx context.Context, serial string) error {
	return c.Delete(ctx, "/platform/certificates/"+url.PathEscape(serial))
}
