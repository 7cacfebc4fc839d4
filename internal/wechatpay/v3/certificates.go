package v3

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/transport"
)

const certificatesPath = "/v3/certificates"

const (
	// refreshAfter is the age at which certificates are downloaded again (WeChat Pay's
	// documentation of platform certificates). WeChat lists a new one at least a day before it
	// signs with it.
	refreshAfter = 12 * time.Hour
	// downloadInterval is the shortest time between two downloads for an account, whatever asks for
	// them: a callback that anyone can send may be one of those.
	downloadInterval = time.Minute
	// maxCertificates limits a list; during a rotation it has two.
	maxCertificates = 16
)

// errJustTried: the certificates were asked for less than downloadInterval ago.
var errJustTried = errors.New("WeChat Pay's certificates were downloaded, or asked for, less than a minute ago")

// needVerifiers makes sure, before a call, that its answer can be verified. Otherwise a refund
// could be made whose answer can't be believed.
func (c *Client) needVerifiers(ctx context.Context, operation wechatpay.Operation) *wechatpay.Error {
	now := c.settings.Now()
	if !c.verifiers.areMissing(now) {
		if c.verifiers.areStale(now) {
			// In the background: the old certificates are used meanwhile, and kept if this fails.
			c.startDownload()
		}
		return nil
	}
	failure := c.download(ctx)
	switch {
	case !c.verifiers.areMissing(c.settings.Now()):
		return nil
	case failure == nil:
		return transport.NotSent(operation, wechatpay.VerifiersMissing, errNoCertificates)
	}
	denied := transport.NotSent(operation, failure.Meaning, fmt.Errorf("without WeChat Pay's certificates no answer can be verified: %w", failure))
	if errors.Is(failure, errJustTried) {
		denied.RetryAfter = downloadInterval
	}
	return denied
}

// download downloads the certificates, or waits for the download that is under way. It returns nil
// if they were downloaded.
func (c *Client) download(ctx context.Context) *wechatpay.Error {
	select {
	case finished := <-c.startDownload():
		failure, _ := finished.Val.(*wechatpay.Error)
		return failure
	case <-ctx.Done():
		return transport.Unknown(wechatpay.OperationGetCertificates, wechatpay.Repeat, errors.New("no answer in the time given"))
	}
}

// startDownload starts a download unless one is under way. It does not end with the call that
// started it, because others wait for it.
func (c *Client) startDownload() <-chan singleflight.Result {
	return c.downloads.DoChan("", func() (any, error) { return c.downloadNow(), nil })
}

func (c *Client) downloadNow() *wechatpay.Error {
	now := c.settings.Now()
	if err := c.checkCertificate(now); err != nil {
		failure := transport.NotSent(wechatpay.OperationGetCertificates, wechatpay.CertificateMissing, err)
		c.downloadFailure.Store(failure)
		return failure
	}
	if !c.verifiers.certificates.MayTry(now, downloadInterval) {
		if failure := c.downloadFailure.Load(); failure != nil {
			return failure
		}
		return transport.NotSent(wechatpay.OperationGetCertificates, wechatpay.Repeat, errJustTried)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*c.settings.Timeouts.Query)
	defer cancel()
	certificates, failure := transport.Twice(ctx, c.settings, wechatpay.OperationGetCertificates, mayRepeat,
		func(host *url.URL, limit time.Duration) ([]*x509.Certificate, *wechatpay.Error) {
			return c.tryDownload(ctx, host, limit)
		})
	c.downloadFailure.Store(failure)
	if failure == nil {
		c.verifiers.replaceCertificates(certificates, c.settings.Now())
	}
	return failure
}

// tryDownload makes one attempt. The list is signed with one of its own certificates, so its
// certificates are used once they were opened with the APIv3 key, which only WeChat and the
// merchant have.
func (c *Client) tryDownload(ctx context.Context, host *url.URL, limit time.Duration) ([]*x509.Certificate, *wechatpay.Error) {
	call := call{operation: wechatpay.OperationGetCertificates, method: http.MethodGet, target: certificatesPath}
	answer, failure := c.send(ctx, call, host, limit)
	if failure != nil {
		return nil, transport.Conceal(c.settings.Trust, host, failure, false)
	}
	now := c.settings.Now()
	if !isSuccess(answer.Status) {
		failure, speaks := errorOf(call.operation, answer, c.checkList(answer, nil, now))
		if failure.Meaning == wechatpay.VerifiersMissing {
			// This error says what to do, which WeChat's text does not.
			failure.Code, failure.Description, failure.Err = "", "", errNoCertificates
		}
		return nil, transport.Conceal(c.settings.Trust, host, failure, speaks)
	}
	certificates, err := c.readCertificates(answer.Body)
	if err != nil {
		meaning := wechatpay.NeedsAttention
		if errors.Is(err, errKeyMismatch) {
			meaning = wechatpay.KeyMismatch
		}
		return nil, transport.Conceal(c.settings.Trust, host, transport.Unknown(call.operation, meaning, err), errors.Is(err, errKeyMismatch))
	}
	if why := c.checkList(answer, certificates, now); why != nil {
		return nil, transport.Conceal(c.settings.Trust, host, unverified(call.operation, why), why.signed)
	}
	if len(certificates) == 0 {
		failure = transport.Unknown(call.operation, wechatpay.VerifiersMissing, errNoCertificates)
	}
	return certificates, transport.Conceal(c.settings.Trust, host, failure, true)
}

// checkList verifies an answer with the keys that are known or one of its own list, without a download.
func (c *Client) checkList(answer transport.Answer, list []*x509.Certificate, now time.Time) *unproven {
	read, why := readFreshProof(answer.Header, now)
	if why != nil {
		return why
	}
	key := c.verifiers.find(read.serial, now)
	if key == nil {
		key = findCertificate(list, read.serial, now)
	}
	if key == nil {
		return unknownSerial(read.serial)
	}
	if why := read.checkSignature(answer.Body, key); why != nil {
		return why
	}
	return c.takeOnce(read)
}

// errNoCertificates says what to do, as WeChat Pay's documentation of platform certificates does.
var errNoCertificates = errors.New("WeChat Pay has no certificates for this merchant number: " +
	"apply for a WeChat Pay public key in the merchant platform (账户中心 → API安全) and enter it in publicKeys")

type certificateList struct {
	Data []listedCertificate `json:"data"`
}

type listedCertificate struct {
	SerialNo           string   `json:"serial_no"`
	EncryptCertificate resource `json:"encrypt_certificate"`
}

// readCertificates parses and decrypts a list. Certificates without an RSA key are left out.
func (c *Client) readCertificates(body []byte) ([]*x509.Certificate, error) {
	var list certificateList
	if err := readJSON(body, &list); err != nil {
		return nil, transport.Unreadable(body, err)
	}
	if len(list.Data) > maxCertificates {
		return nil, errors.New("the list has too many certificates")
	}
	certificates := make([]*x509.Certificate, 0, len(list.Data))
	for _, entry := range list.Data {
		content, err := entry.EncryptCertificate.open(c.keys)
		if err != nil {
			return nil, err
		}
		certificate, err := readCertificate(content)
		if err != nil {
			return nil, err
		}
		if serialOf(certificate) != entry.SerialNo {
			return nil, errors.New("a certificate of the list has another serial number than the list says")
		}
		if key, isRSA := certificate.PublicKey.(*rsa.PublicKey); isRSA && key.N.BitLen() >= smallestKey {
			certificates = append(certificates, certificate)
		}
	}
	return certificates, nil
}

func readCertificate(content []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(content)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("the list has something that is no certificate")
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil || certificate.SerialNumber.Sign() <= 0 {
		return nil, errors.New("the list has a certificate that cannot be read")
	}
	return certificate, nil
}
