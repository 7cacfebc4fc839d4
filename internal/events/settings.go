package events

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/transport"
)

const (
	// connectTimeout limits the connection with its TLS handshake.
	connectTimeout = 5 * time.Second
	// mostAnswer is how much of a response body is read. The content is ignored.
	mostAnswer = 4 << 10
)

// Settings define how the events of a sink are sent.
type Settings struct {
	url    *url.URL
	keys   []Key
	client *http.Client
	// version changes with every setting, and address only with those that determine which server answers.
	version, address [sha256.Size]byte
}

// Keys are the signing keys as texts: the current one, and previous ones that still sign.
type Keys struct {
	Current  string
	Previous string
}

// NewSettings prepares deliveries to an https address. A nil pool means the system's authorities; bundle is the text
// from which the pool was made.
func NewSettings(address *url.URL, roots *x509.CertPool, bundle []byte, keys Keys) (*Settings, error) {
	current, err := ParseKey(keys.Current)
	if err != nil {
		return nil, err
	}
	settings := &Settings{url: address, keys: []Key{current}, client: transport.NewHTTPClient(connectTimeout, roots, nil)}
	if previous, err := ParseKey(keys.Previous); err == nil {
		settings.keys = append(settings.keys, previous)
	}
	settings.address = sha256.Sum256(bytes.Join([][]byte{[]byte(address.String()), bundle}, []byte{0}))
	settings.version = sha256.Sum256(bytes.Join([][]byte{settings.address[:], []byte(keys.Current), []byte(keys.Previous)}, []byte{0}))
	return settings, nil
}

// close closes idle connections.
func (s *Settings) close() {
	if s != nil {
		s.client.CloseIdleConnections()
	}
}

// send makes one attempt to deliver an event. Only a 2xx response means that the event was accepted. answered reports
// whether the host returned any HTTP response over verified TLS.
func (s *Settings) send(ctx context.Context, sent *delivery, userAgent string, timeout time.Duration, now time.Time) (answered bool, err error) {
	content, err := body(sent.event, sent.object)
	if err != nil {
		return false, err
	}
	headers := header(sent.event, sent.object)
	headers.Set("User-Agent", userAgent)
	if err := sign(headers, s.keys, sent.event.ID(), now, content); err != nil {
		return false, err
	}
	const operation = wechatpay.Operation("DeliverEvent")
	answer, failure := transport.Send(ctx, s.client, transport.Request{
		Operation: operation, Method: http.MethodPost, URL: s.url, Header: headers, Body: content,
		Limit: timeout, Usual: timeout, Connect: connectTimeout, MaxAnswer: mostAnswer,
	})
	switch {
	case failure != nil:
		return false, failure.Err
	case answer.Status >= 200 && answer.Status < 300:
		return true, nil
	case answer.Status >= 300 && answer.Status < 400:
		return true, fmt.Errorf("it answered with a redirect (HTTP %d), which is not followed", answer.Status)
	default:
		return true, fmt.Errorf("it answered HTTP %d", answer.Status)
	}
}

// errUnreachable replaces every network error of a host that never answered. Different errors would show users who can
// write EventSinks which hosts and ports exist.
var errUnreachable = errors.New("it could not be reached, or its certificate could not be verified")
