package v3

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// The headers with which WeChat signs answers and callbacks.
const (
	headerTimestamp     = "Wechatpay-Timestamp"
	headerNonce         = "Wechatpay-Nonce"
	headerSignature     = "Wechatpay-Signature"
	headerSignatureType = "Wechatpay-Signature-Type"
	headerSerial        = "Wechatpay-Serial"
)

// clockTolerance is how old, or how far in the future, a signature may be. WeChat Pay's own clients
// refuse one of exactly this age.
const clockTolerance = 5 * time.Minute

// unproven says why a message is not proven to be WeChat's. Its text is constant and contains no
// part of the message.
type unproven struct {
	meaning wechatpay.Meaning
	cause   error
	// signed: the message has all headers of a signature, so its sender speaks this protocol.
	signed bool
}

func (u *unproven) Error() string { return u.cause.Error() }
func (u *unproven) Unwrap() error { return u.cause }

func notVerified(text string) *unproven {
	return &unproven{meaning: wechatpay.NotVerified, cause: errors.New(text), signed: true}
}

// proof is the signature of a message with what belongs to it.
type proof struct {
	timestamp, nonce, signature, serial string
	// digest is of what was signed, and key is what verified it. checkSignature sets them.
	digest [sha256.Size]byte
	key    *rsa.PublicKey
}

// readProof reads the headers. One that occurs twice would be read differently by different
// readers, so it counts as missing.
func readProof(header http.Header) (proof, *unproven) {
	var read proof
	for _, part := range [...]struct {
		name string
		into *string
	}{
		{headerTimestamp, &read.timestamp}, {headerNonce, &read.nonce}, {headerSignature, &read.signature}, {headerSerial, &read.serial},
	} {
		values := header[part.name]
		// A line break would move the border between two lines of the signed text.
		if len(values) != 1 || values[0] == "" || hasLineBreak(values[0]) {
			return proof{}, &unproven{meaning: wechatpay.NotVerified, cause: errors.New("it is not signed: " + part.name + " is missing")}
		}
		*part.into = values[0]
	}
	if algorithms := header[headerSignatureType]; len(algorithms) > 1 || len(algorithms) == 1 && algorithms[0] != string(SHA256WithRSA) {
		return proof{}, notVerified("it is signed with an algorithm that is not " + string(SHA256WithRSA))
	}
	return read, nil
}

// readFreshProof also checks the time of the signature.
func readFreshProof(header http.Header, now time.Time) (proof, *unproven) {
	read, why := readProof(header)
	if why == nil {
		why = read.checkTime(now)
	}
	return read, why
}

// checkTime refuses a signature that is too old or too new by our clock: a recorded message is not
// accepted later.
func (p proof) checkTime(now time.Time) *unproven {
	seconds, err := strconv.ParseInt(p.timestamp, 10, 64)
	if err != nil || strings.Trim(p.timestamp, "0123456789") != "" {
		return notVerified("the time of its signature is not a number")
	}
	if distance := now.Sub(time.Unix(seconds, 0)); distance >= clockTolerance || distance <= -clockTolerance {
		return &unproven{
			meaning: wechatpay.NeedsAttention, signed: true,
			cause: errors.New("it was signed five minutes or more before or after the time of this process: it is old, or this clock is wrong"),
		}
	}
	return nil
}

// checkSignature verifies the signature over the raw body.
func (p *proof) checkSignature(body []byte, key *rsa.PublicKey) *unproven {
	signature, err := decodeBase64(p.signature)
	if err != nil {
		return notVerified("its signature is not base64")
	}
	p.key, p.digest = key, sha256.Sum256(lines(body, p.timestamp, p.nonce))
	if rsa.VerifyPKCS1v15(key, crypto.SHA256, p.digest[:], signature) != nil {
		return notVerified("its signature is wrong")
	}
	return nil
}

// mark identifies a verified message by what was signed. WeChat puts a nonce of its own into each,
// so a genuine one never comes twice.
func (p proof) mark() wechatpay.AnswerMark { return wechatpay.AnswerMark(p.digest[:]) }

// verify proves that WeChat signed a message. If its key is not known, the certificates are downloaded
// first.
func (c *Client) verify(ctx context.Context, header http.Header, body []byte, now time.Time) (proof, *unproven) {
	return c.verifyAfter(func() *wechatpay.Error { return c.download(ctx) }, header, body, now)
}

// verifyKnown is verify without a download.
func (c *Client) verifyKnown(header http.Header, body []byte, now time.Time) (proof, *unproven) {
	return c.verifyAfter(c.downloadFailure.Load, header, body, now)
}

// verifyAfter verifies a message with the key that it names, never with another one. If that is not
// known, download is called before, and returns why the certificates could not be downloaded.
func (c *Client) verifyAfter(download func() *wechatpay.Error, header http.Header, body []byte, now time.Time) (proof, *unproven) {
	read, why := readFreshProof(header, now)
	if why != nil {
		return read, why
	}
	key := c.verifiers.find(read.serial, now)
	if key == nil {
		key, why = c.findAfter(download, read.serial, now)
	}
	if why == nil {
		why = read.checkSignature(body, key)
	}
	return read, why
}

// withDownloadFailure adds why the certificates could not be downloaded, if they could not.
func withDownloadFailure(why *unproven, failure *wechatpay.Error) *unproven {
	if failure == nil || errors.Is(failure, errJustTried) {
		return why
	}
	if failure.Meaning == wechatpay.VerifiersMissing || failure.Meaning == wechatpay.KeyMismatch {
		why.meaning = failure.Meaning
	}
	why.cause = fmt.Errorf("%w; %w", why.cause, failure)
	return why
}

// findAfter finds an unknown key after a download of the certificates.
func (c *Client) findAfter(download func() *wechatpay.Error, serial string, now time.Time) (*rsa.PublicKey, *unproven) {
	if c.signer == nil {
		return nil, c.unknownWithoutCalls()
	}
	if strings.HasPrefix(serial, publicKeyPrefix) {
		return nil, unknownSerial(serial) // no list of certificates has it
	}
	failure := download()
	if key := c.verifiers.find(serial, now); key != nil {
		return key, nil
	}
	return nil, withDownloadFailure(unknownSerial(serial), failure)
}

// unknownWithoutCalls returns why a process that makes no calls does not know a key.
func (c *Client) unknownWithoutCalls() *unproven {
	why := notVerified("it is signed with a key that publicKeys does not have, and this process cannot download certificates")
	if len(c.verifiers.publicKeys) == 0 {
		why = notVerified("this process verifies with publicKeys only, and there are none")
		why.meaning = wechatpay.VerifiersMissing
	}
	return why
}

func unknownSerial(serial string) *unproven {
	if strings.HasPrefix(serial, publicKeyPrefix) {
		return notVerified("it is signed with a WeChat Pay public key that publicKeys does not have")
	}
	return notVerified("it is signed with a certificate that is not among WeChat Pay's for this merchant number")
}

// hasLineBreak searches for each byte separately, which is fast in a long text.
func hasLineBreak(text string) bool {
	return strings.IndexByte(text, '\n') >= 0 || strings.IndexByte(text, '\r') >= 0
}

var errNotBase64 = errors.New("not base64")

// decodeBase64 decodes strictly: encoding/base64 alone skips line breaks and ignores bits that are
// left over.
func decodeBase64(text string) ([]byte, error) {
	if hasLineBreak(text) {
		return nil, errNotBase64
	}
	decoded, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, errNotBase64
	}
	return decoded, nil
}
