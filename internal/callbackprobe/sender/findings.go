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

// classify says what an HTTP answer means.
func (c *call) classify(probe callbackprobe.Probe, got answer) Finding {
	switch status := got.status; {
	case status >= 300 && status < 400 && got.location != "":
		return c.finding(v1alpha1.ReasonRedirected, fmt.Sprintf(
			"it was redirected (HTTP %d) %s, and WeChat Pay does not follow. Serve this path without a redirect or login", status, c.redirectedTo(got.location)))
	case status != http.StatusOK && callbackprobe.IsRefusal(got.body):
		return c.finding(v1alpha1.ReasonHTTPStatus, fmt.Sprintf("a callback server answered HTTP %d in the words of this operator. %s", status, refusals(status)))
	case status != http.StatusOK:
		return c.finding(v1alpha1.ReasonHTTPStatus, fmt.Sprintf("the answer was HTTP %d, not this operator's. %s", status, causes(status)))
	}
	switch err := probe.Check(got.body); {
	case err == nil:
		return Finding{v1alpha1.ReasonReachable, "A test callback to " + c.url.String() + " came in as it was sent"}
	case errors.Is(err, callbackprobe.ErrAltered):
		return c.finding(v1alpha1.ReasonBodyAltered,
			"it came to this operator, but with a body that was changed on the way, which breaks the signature of a callback. Turn off what rewrites bodies for this path (WAF, XSS filter, XML or charset conversion)")
	default:
		return c.finding(v1alpha1.ReasonWrongAnswer,
			"somebody else answered with HTTP 200: a login page, a bot check, another site or another operator. Send the path prefix /notify/v2/ to the Service wechatpay-operator-notify, past all of these")
	}
}

// publicHost is what may stand in a message of a host that the other side named.
var publicHost = regexp.MustCompile(`^[0-9A-Za-z.-]{1,253}$`)

// redirectedTo says where a redirect leads, by scheme and host only: a path may hold anything.
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

// causes are what such a status mostly comes from.
func causes(status int) string {
	switch status {
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return "The path is not there, or not for POST: send the path prefix /notify/v2/ of the ingress to the Service wechatpay-operator-notify"
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotAcceptable, http.StatusTooManyRequests:
		return "A firewall, bot check, login or allow list refused it: let POSTs to /notify/v2/ pass, whoever they are from; they are verified by their signature"
	case http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusBadRequest:
		return "What stands in front of the operator does not take the request: let POSTs of text/xml with some KiB to /notify/v2/ pass"
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return "The ingress reaches no replica: has the Service wechatpay-operator-notify endpoints, and does a NetworkPolicy let the ingress in?"
	default:
		return "Look at the log of the ingress, or of what stands in front of it"
	}
}

// refusals are why a callback server says no to a probe.
func refusals(status int) string {
	switch status {
	case http.StatusNotFound:
		return "It does not know this Merchant: the host leads to the operator of another cluster"
	case http.StatusServiceUnavailable:
		return "It could not read the Merchant's key just now: see its log"
	default:
		return "It did not recognise the probe as its own: it belongs to another cluster or has another key, the body was changed or emptied on the way, or the nodes' clocks differ"
	}
}
