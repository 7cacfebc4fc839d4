// Package sender sends the probes of internal/callbackprobe. Whoever may write a Merchant chooses where to, so it calls public hosts only,
// at one port, once, and tells nothing of what they answer but in which way it was not a replica's answer.
package sender

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/http/httpproxy"
	"golang.org/x/net/idna"
	"k8s.io/utils/clock"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/callbackprobe"
)

// Options tune a Sender. The zero value of a field means its default. None of them lets it call an address that is not public.
type Options struct {
	// UserAgent is sent with every probe.
	UserAgent string
	// Timeout of a probe, all in all; 10 s by default.
	Timeout time.Duration
	// Resolver is the system's by default.
	Resolver Resolver
	// Dial opens a connection to an address, which was found to be public; by default with a net.Dialer that looks again.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Roots are the certificate authorities to trust; the system's by default. WeChat trusts public ones only.
	Roots *x509.CertPool
	// Clock is the real one by default.
	Clock clock.PassiveClock
}

// Resolver looks up the addresses of a host, as net.Resolver does.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Sender sends probes. It keeps no connection and no state.
type Sender struct {
	options Options
	proxy   func(*url.URL) (*url.URL, error)
}

// Finding is what one probe told: a reason of the condition CallbacksReachable, and its message.
type Finding struct {
	Reason, Message string
}

const defaultTimeout = 10 * time.Second

// New returns a Sender. The environment's proxy settings are those of this moment.
func New(options Options) *Sender {
	if options.Timeout == 0 {
		options.Timeout = defaultTimeout
	}
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

// Probe posts one probe to an address that WeChat is given for callbacks, https and without port, and says what became of it.
func (p *Sender) Probe(ctx context.Context, address string, keys callbackprobe.Keys, target callbackprobe.Target) Finding {
	where, err := url.Parse(address)
	if err != nil || where.Scheme != "https" || where.Port() != "" {
		return NotChecked(address, "only https addresses without a port are")
	}
	if proxy, err := p.proxy(where); err != nil || proxy != nil {
		return NotChecked(address, "calls to this host leave through a proxy (HTTPS_PROXY), where nobody sees which address is called. Name the host in NO_PROXY to have it called directly")
	}
	ctx, cancel := context.WithTimeout(ctx, p.options.Timeout)
	defer cancel()
	return (&call{sender: p, url: where, host: ascii(where.Hostname())}).run(ctx, keys.Probe(target, rand.Text(), p.options.Clock.Now()))
}

// ascii is the spelling of a host that DNS and TLS know.
func ascii(host string) string {
	if encoded, err := idna.Lookup.ToASCII(host); err == nil {
		return encoded
	}
	return host // an IPv6 address, or a name that DNS will not know either
}

// call is one probe on its way.
type call struct {
	sender *Sender
	url    *url.URL
	host   string
}

// run takes the probe as far as it gets: look up, connect, set up TLS, and only when the host has proved its name, speak HTTP.
func (c *call) run(ctx context.Context, probe callbackprobe.Probe) Finding {
	addresses, err := c.lookUp(ctx)
	if err != nil {
		return c.finding(v1alpha1.ReasonDNSFailed, describeLookup(err))
	}
	public := publicOf(addresses)
	if len(public) == 0 {
		return NotChecked(c.url.String(), "seen from inside of the cluster, "+c.url.Hostname()+
			" has no public address (a DNS of the cluster's own?), and others are never called. WeChat Pay may reach it all the same")
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
	// The dot at the end keeps the search domains of the cluster out, in which a namespace could be named after a public domain.
	return c.sender.options.Resolver.LookupNetIP(ctx, "ip", strings.TrimSuffix(c.host, ".")+".")
}

// maxAddresses of a host are tried.
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

// connect tries the addresses in turn, each with a fair part of the time that is left. The addresses themselves are dialled, so that
// no second look-up can give others.
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

// httpsPort is the only one that WeChat calls.
const httpsPort = 443

// answer is what came back.
type answer struct {
	status   int
	location string
	body     []byte
}

// post sends the probe over a connection. Redirects are not followed, and nothing is unpacked.
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
	// Of a refusal the status says enough, whatever became of its body.
	return answer{status: response.StatusCode, location: response.Header.Get("Location"), body: text}, nil
}

// finding builds the Finding of a failure: what happened, and what it means.
func (c *call) finding(reason, what string) Finding {
	if !strings.HasSuffix(what, "?") {
		what += "."
	}
	return Finding{reason, "A test callback to " + c.url.String() + " did not come in: " + what + " " + meaning}
}

// meaning ends the message of every failure.
const meaning = "This is how it looks from inside of the cluster. Orders go on, and payments are found by asking WeChat Pay, but later"

// NotChecked is the Finding for an address that is not called.
func NotChecked(address, why string) Finding {
	return Finding{v1alpha1.ReasonNotChecked, "Whether callbacks to " + address + " arrive is not checked: " + why}
}
