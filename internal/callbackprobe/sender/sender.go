// Package sender sends the probes of internal/callbackprobe. Anyone who may write a Merchant
// chooses the target, so the package calls public hosts only, on one port, once, and reveals
// nothing of the response except why it was not a replica's answer.
package sender

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"golang.org/x/net/http/httpproxy"
	"golang.org/x/net/idna"
	"k8s.io/utils/clock"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/callbackprobe"
)

// Options configure a Sender. A zero field means its default. No option permits calls to non-public
// addresses.
type Options struct {
	// UserAgent is sent with every probe.
	UserAgent string
	// Timeout of a whole probe; 10 s by default.
	Timeout time.Duration
	// Resolver is the system's by default.
	Resolver Resolver
	// Dial opens a connection to a public address; by default with a net.Dialer that checks the
	// address again.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Roots are the trusted certificate authorities; the system's by default. WeChat Pay trusts
	// public ones only.
	Roots *x509.CertPool
	// Clock is the real clock by default.
	Clock clock.PassiveClock
}

// Resolver looks up the addresses of a host, like net.Resolver.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Sender sends probes. It keeps no connections and no state.
type Sender struct {
	options Options
	proxy   func(*url.URL) (*url.URL, error)
}

// Finding is the result of a probe: a reason of the condition CallbacksReachable, and its message.
type Finding struct {
	Reason, Message string
}

const defaultTimeout = 10 * time.Second

// New returns a Sender. It reads the environment's proxy settings once.
func New(options Options) *Sender {
	options.Timeout = cmp.Or(options.Timeout, defaultTimeout)
	if options.Resolver == nil {
		options.Resolver = net.DefaultResolver
	}
	if options.Dial == nil {
		options.Dial = (&net.Dialer{Control: publicOnly, KeepAlive: -1}).DialContext
	}
	if options.Clock == nil {
		options.Clock = clock.RealClock{}
	}
	return &Sender{options: options, proxy: httpproxy.FromEnvironment().ProxyFunc()}
}

// Probe posts a probe to a callback URL (https, without port) and returns the result.
func (p *Sender) Probe(ctx context.Context, address string, keys callbackprobe.Keys, target callbackprobe.Target) Finding {
	where, err := url.Parse(address)
	if err != nil || where.Scheme != "https" || where.Port() != "" {
		return NotChecked(address, "the operator calls only https addresses without a port")
	}
	if proxy, err := p.proxy(where); err != nil || proxy != nil {
		return NotChecked(address, "calls to this host use a proxy (HTTPS_PROXY), which hides the called address. Add the host to NO_PROXY to call it directly")
	}
	ctx, cancel := context.WithTimeout(ctx, p.options.Timeout)
	defer cancel()
	return (&call{sender: p, url: where, host: ascii(where.Hostname())}).run(ctx, keys.Probe(target, rand.Text(), p.options.Clock.Now()))
}

// ascii returns the ASCII form of a host for DNS and TLS.
func ascii(host string) string {
	if encoded, err := idna.Lookup.ToASCII(host); err == nil {
		return encoded
	}
	return host // an IPv6 address, or a name that DNS won't resolve either
}

// call is one probe in progress.
type call struct {
	sender *Sender
	url    *url.URL
	host   string
}

// run looks the host up, connects, sets up TLS and, only after the host has proved its name, sends
// the HTTP request.
func (c *call) run(ctx context.Context, probe callbackprobe.Probe) Finding {
	addresses, err := c.lookUp(ctx)
	if err != nil {
		return c.finding(v1alpha1.ReasonDNSFailed, describeLookup(err))
	}
	public := publicOf(addresses)
	if len(public) == 0 {
		return NotChecked(c.url.String(), "seen from inside of the cluster, "+c.url.Hostname()+
			" has no public address (split-horizon DNS?), and the operator never calls non-public addresses. WeChat Pay may still reach it")
	}
	connection, err := c.connect(ctx, public)
	if err != nil {
		return c.finding(v1alpha1.ReasonConnectFailed, describeConnect(err))
	}
	defer func() { _ = connection.Close() }()
	secured := tls.Client(connection, &tls.Config{ServerName: c.host, MinVersion: tls.VersionTLS12, RootCAs: c.sender.options.Roots})
	if err := secured.HandshakeContext(ctx); err != nil {
		return c.finding(v1alpha1.ReasonTLSFailed, describeTLS(err, c.url.Hostname()))
	}
	answer, err := c.post(ctx, secured, probe.Body)
	if err != nil {
		return c.finding(v1alpha1.ReasonNoAnswer, describeSilence(err))
	}
	return c.classify(probe, answer)
}

func (c *call) lookUp(ctx context.Context) ([]netip.Addr, error) {
	if address, err := netip.ParseAddr(c.host); err == nil {
		return []netip.Addr{address}, nil
	}
	// The trailing dot disables the cluster's search domains, in which a namespace could be named
	// like a public domain.
	return c.sender.options.Resolver.LookupNetIP(ctx, "ip", strings.TrimSuffix(c.host, ".")+".")
}

// maxAddresses is how many addresses of a host are tried.
const maxAddresses = 4

func publicOf(addresses []netip.Addr) []netip.Addr {
	var public []netip.Addr
	for _, address := range addresses {
		if callbackprobe.IsPublic(address) && len(public) < maxAddresses {
			public = append(public, address.Unmap())
		}
	}
	return public
}

// connect tries the addresses in turn, each with an equal share of the remaining time. It dials the
// addresses themselves, so that a second look-up can't return others.
func (c *call) connect(ctx context.Context, addresses []netip.Addr) (net.Conn, error) {
	deadline, _ := ctx.Deadline()
	var failure error
	for i, address := range addresses {
		share := time.Until(deadline) / time.Duration(len(addresses)-i)
		attempt, cancel := context.WithTimeout(ctx, share)
		connection, err := c.sender.options.Dial(attempt, "tcp", netip.AddrPortFrom(address, httpsPort).String())
		cancel()
		if err == nil {
			return connection, nil
		}
		failure = err
	}
	return nil, failure
}

// httpsPort is the only port that WeChat Pay calls.
const httpsPort = 443

// answer is an HTTP response.
type answer struct {
	status   int
	location string
	body     []byte
}

// post sends the probe over a connection. It follows no redirects and decompresses nothing.
func (c *call) post(ctx context.Context, connection net.Conn, body []byte) (answer, error) {
	transport := &http.Transport{
		DialTLSContext:         func(context.Context, string, string) (net.Conn, error) { return connection, nil },
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: 16 << 10,
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url.String(), bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	request.Header.Set("Content-Type", "text/xml")
	request.Header.Set("User-Agent", c.sender.options.UserAgent)
	response, err := transport.RoundTrip(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, callbackprobe.MaxAnswer+1))
	if err != nil && response.StatusCode == http.StatusOK {
		return answer{}, err
	}
	// For a refusal the status is enough, even if reading its body failed.
	return answer{status: response.StatusCode, location: response.Header.Get("Location"), body: text}, nil
}

// finding builds the Finding of a failure: what happened, and the consequence.
func (c *call) finding(reason, what string) Finding {
	if !strings.HasSuffix(what, "?") {
		what += "."
	}
	return Finding{reason, "A test callback to " + c.url.String() + " did not arrive: " + what + " " + meaning}
}

// meaning ends the message of every failure.
const meaning = "This is the result from inside of the cluster. Orders continue, but the operator detects payments later, by querying WeChat Pay"

// NotChecked returns the Finding for an address that is not called.
func NotChecked(address, why string) Finding {
	return Finding{v1alpha1.ReasonNotChecked, "Callbacks to " + address + " are not checked: " + why}
}

// publicOnly checks the address that a socket is about to connect to, as the last defence against
// calls to other addresses.
func publicOnly(_, address string, _ syscall.RawConn) error {
	remote, err := netip.ParseAddrPort(address)
	if err != nil || remote.Port() != httpsPort || !callbackprobe.IsPublic(remote.Addr()) {
		return errors.New("only port 443 of public addresses is called")
	}
	return nil
}
