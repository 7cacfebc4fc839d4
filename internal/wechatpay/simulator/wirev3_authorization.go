package simulator

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// schemeV3 is the scheme of Authorization.
const schemeV3 = "WECHATPAY2-SHA256-RSA2048"

// clockTolerance is how far the timestamp of a request may be from WeChat Pay's clock.
const clockTolerance = 5 * time.Minute

// authorization are the five parameters of an Authorization header.
type authorization struct {
	mchID, nonce, timestamp, serial, signature string
}

var parameterFormat = regexp.MustCompile(`^([a-z_]+)="([^"]*)"$`)

// Why a request is refused as not signed by the merchant.
var (
	errNoAuthorization  = errors.New("the header Authorization is missing or not as documented")
	errScheme           = errors.New("the scheme of Authorization is not " + schemeV3)
	errStale            = errors.New("the timestamp is more than five minutes away")
	errUnknownSerial    = errors.New("no valid API certificate of the merchant has this serial_no")
	errSignatureV3      = errors.New("the signature does not fit the request")
	errHeaderMchID      = errors.New("mchid of Authorization is not that of the request")
	errSignatureBase64  = errors.New("the signature is not base64")
	errTimestampWritten = errors.New("the timestamp is not a number of seconds")
)

// parseAuthorization reads the header. Its parameters may come in any order, each once.
func parseAuthorization(header string) (authorization, error) {
	scheme, rest, found := strings.Cut(header, " ")
	if !found {
		return authorization{}, errNoAuthorization
	}
	if scheme != schemeV3 {
		return authorization{}, errScheme
	}
	var a authorization
	fields := map[string]*string{
		"mchid": &a.mchID, "nonce_str": &a.nonce, "timestamp": &a.timestamp, "serial_no": &a.serial, "signature": &a.signature,
	}
	for _, part := range strings.Split(rest, ",") {
		parameter := parameterFormat.FindStringSubmatch(part)
		if parameter == nil {
			return authorization{}, errNoAuthorization
		}
		field := fields[parameter[1]]
		if field == nil || *field != "" || parameter[2] == "" {
			return authorization{}, errNoAuthorization
		}
		*field = parameter[2]
	}
	for _, field := range fields {
		if *field == "" {
			return authorization{}, errNoAuthorization
		}
	}
	if len(a.nonce) > 32 {
		return authorization{}, errNoAuthorization
	}
	return a, nil
}

// requestMessage is what a request's signature is made over: five lines, each with its line end.
func requestMessage(method, target, timestamp, nonce string, body []byte) string {
	return method + "\n" + target + "\n" + timestamp + "\n" + nonce + "\n" + string(body) + "\n"
}

// verify checks the clock, the serial number and the signature. find returns the key of an API
// certificate, nil if the merchant has no valid one with that serial number.
func (a authorization) verify(method, target string, body []byte, now time.Time, find func(mchID, serial string) *rsa.PublicKey) error {
	seconds, err := strconv.ParseInt(a.timestamp, 10, 64)
	if err != nil || strconv.FormatInt(seconds, 10) != a.timestamp {
		return errTimestampWritten
	}
	if now.Sub(time.Unix(seconds, 0)).Abs() > clockTolerance {
		return errStale
	}
	key := find(a.mchID, a.serial)
	if key == nil {
		return errUnknownSerial
	}
	signature, err := base64.StdEncoding.Strict().DecodeString(a.signature)
	if err != nil {
		return errSignatureBase64
	}
	if !verifiesRSA(key, requestMessage(method, target, a.timestamp, a.nonce, body), signature) {
		return errSignatureV3
	}
	return nil
}

func verifiesRSA(key *rsa.PublicKey, message string, signature []byte) bool {
	digest := sha256.Sum256([]byte(message))
	return rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], signature) == nil
}

// signRSA signs as WeChat Pay does: PKCS #1 v1.5 over SHA-256, in base64.
func signRSA(key *rsa.PrivateKey, message string) string {
	digest := sha256.Sum256([]byte(message))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
	if err != nil {
		panic(err) // the keys have 2048 bits
	}
	return base64.StdEncoding.EncodeToString(signature)
}

// nonceLog remembers the nonces of a merchant's requests for as long as their timestamps are good, in
// two generations, so that forgetting costs nothing per request.
type nonceLog struct {
	recent, older map[string]string // nonces with their signatures
	since         time.Time         // when recent began
}

// isReused notes a nonce and reports whether another request had it. The very same request may come
// again, because a connection broke or to the other host.
func (l *nonceLog) isReused(a authorization, now time.Time) bool {
	if l.recent == nil || now.Sub(l.since) > 2*clockTolerance {
		l.older, l.recent = l.recent, map[string]string{}
		if now.Sub(l.since) > 4*clockTolerance {
			l.older = nil
		}
		l.since = now
	}
	for _, known := range []map[string]string{l.recent, l.older} {
		if signature, used := known[a.nonce]; used {
			return signature != a.signature
		}
	}
	l.recent[a.nonce] = a.signature
	return false
}
