package sender

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/callbackprobe"
)

// classify turns an HTTP response into a Finding.
func (c *call) classify(probe callbackprobe.Probe, got answer) Finding {
	switch status := got.status; {
	case status >= 300 && status < 400 && got.location != "":
		return c.finding(v1alpha1.ReasonRedirected, fmt.Sprintf(
			"it was redirected (HTTP %d) %s, and WeChat Pay does not follow. Serve this path without a redirect or login", status, c.redirectedTo(got.location)))
	case status != http.StatusOK && callbackprobe.IsRefusal(got.body):
		return c.finding(v1alpha1.ReasonHTTPStatus, fmt.Sprintf("the response was HTTP %d with this operator's text. %s", status, refusals(status)))
	case status != http.StatusOK:
		return c.finding(v1alpha1.ReasonHTTPStatus, fmt.Sprintf("another server answered HTTP %d. %s", status, causes(status)))
	}
	switch err := probe.Check(got.body); {
	case err == nil:
		return Finding{v1alpha1.ReasonReachable, "A test callback to " + c.url.String() + " arrived unmodified"}
	case errors.Is(err, callbackprobe.ErrAltered):
		return c.finding(v1alpha1.ReasonBodyAltered,
			"it reached this operator with a modified body, which would break the signature of a callback. Disable everything that rewrites bodies for this path (WAF, XSS filter, XML or charset conversion)")
	default:
		return c.finding(v1alpha1.ReasonWrongAnswer,
			"another server answered HTTP 200: a login page, a bot check, another site or another operator. Route the path prefix /notify/ to the Service wechatpay-operator-notify, bypassing all of these")
	}
}

// publicHost matches the hosts named by the remote side that may appear in a message.
var publicHost = regexp.MustCompile(`^[0-9A-Za-z.-]{1,253}$`)

// redirectedTo returns the scheme and host of a redirect; the path may contain anything and is left
// out.
func (c *call) redirectedTo(location string) string {
	to, err := c.url.Parse(location)
	switch {
	case err != nil || (to.Scheme != "https" && to.Scheme != "http") || !publicHost.MatchString(to.Hostname()):
		return "elsewhere"
	case sameHost(to, c.url) && to.Scheme == c.url.Scheme:
		return "to another path of the same host"
	default:
		return "to " + to.Scheme + "://" + to.Hostname()
	}
}

func sameHost(a, b *url.URL) bool {
	return a.Hostname() == b.Hostname() && (a.Port() == "" || a.Port() == "443")
}

// causes returns the usual causes of an HTTP status.
func causes(status int) string {
	switch status {
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return "The path does not exist, or does not accept POST: route the path prefix /notify/ of the ingress to the Service wechatpay-operator-notify"
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotAcceptable, http.StatusTooManyRequests:
		return "A firewall, bot check, login or allow list refused it: let POSTs to /notify/ pass from any source; the operator verifies their signature"
	case http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusBadRequest:
		return "A proxy in front of the operator rejected the request: let POSTs of some KiB to /notify/ pass, as text/xml and as application/json"
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return "The ingress reaches no replica: does the Service wechatpay-operator-notify have endpoints, and does a NetworkPolicy permit the ingress?"
	default:
		return "Check the log of the ingress, or of the proxies in front of it"
	}
}

// refusals explains why a callback server refused a probe.
func refusals(status int) string {
	switch status {
	case http.StatusNotFound:
		return "It does not know this Merchant: the host points to the operator of another cluster"
	case http.StatusServiceUnavailable:
		return "It could not read the Merchant's key: check its log"
	default:
		return "It did not recognise the probe as its own: it belongs to another cluster or has another key, the body was modified or emptied on the path, or the nodes' clocks differ"
	}
}
