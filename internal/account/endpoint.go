package account

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/callbackprobe"
	"github.com/wechatpay-operator/wechatpay-operator/internal/hosts"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/protocols"
)

// defaultEndpoint is the mainland host (chapter 9_1).
const defaultEndpoint = "https://api.mch.weixin.qq.com"

// weChatDomain is the parent domain of all WeChat Pay hosts.
const weChatDomain = ".mch.weixin.qq.com"

// backupHosts maps each of WeChat's hosts to the one in another location (chapter 23_6; overseas
// guide).
var backupHosts = map[string]string{
	"api.mch.weixin.qq.com":   "api2.mch.weixin.qq.com",
	"api2.mch.weixin.qq.com":  "api.mch.weixin.qq.com",
	"apihk.mch.weixin.qq.com": "api.mch.weixin.qq.com",
	"apius.mch.weixin.qq.com": "apihk.mch.weixin.qq.com",
}

// endpoints returns the host that calls go to and the host for their repetition; backup may be nil.
// Both must be on the platform's list: a user who can write a Merchant must not be able to make the
// operator call any host that it can reach.
func endpoints(merchant *v1alpha1.Merchant, allowed hosts.List) (primary, backup *url.URL, problem *Problem) {
	primary, backup, problem = namedEndpoints(merchant)
	switch {
	case problem != nil:
		return nil, nil, problem
	case !allowed.Allows(primary):
		return nil, nil, notAllowed("url", primary, merchant)
	case backup != nil && !allowed.Allows(backup):
		if merchant.Spec.Endpoint == nil || merchant.Spec.Endpoint.BackupURL == "" {
			return primary, nil, nil // it is only the default
		}
		return nil, nil, notAllowed("backupURL", backup, merchant)
	}
	return primary, backup, nil
}

func notAllowed(field string, address *url.URL, merchant *v1alpha1.Merchant) *Problem {
	what := "spec.endpoint." + field + " names the host " + address.Host
	if merchant.Spec.Endpoint == nil {
		what = "Without spec.endpoint calls go to the host " + address.Host
	}
	return &Problem{v1alpha1.ReasonEndpointNotAllowed, what + ", which this operator may not call, so nothing is sent. " +
		"The platform team sets the allowed hosts with the manager's flag --endpoint-hosts (chart: endpointHosts)"}
}

// namedEndpoints returns the endpoints that a Merchant names, or WeChat's defaults.
func namedEndpoints(merchant *v1alpha1.Merchant) (primary, backup *url.URL, problem *Problem) {
	address, backupAddress := defaultEndpoint, ""
	if endpoint := merchant.Spec.Endpoint; endpoint != nil {
		address, backupAddress = endpoint.URL, endpoint.BackupURL
	}
	primary, problem = parseEndpoint("url", address)
	if problem != nil {
		return nil, nil, problem
	}
	if backupAddress == "" {
		host, known := backupHosts[hosts.Name(primary)]
		if !known || primary.Port() != "" && primary.Port() != "443" {
			return primary, nil, nil
		}
		backupAddress = "https://" + host
	}
	backup, problem = parseEndpoint("backupURL", backupAddress)
	return primary, backup, problem
}

func parseEndpoint(field, address string) (*url.URL, *Problem) {
	parsed, err := url.Parse(strings.TrimRight(address, "/"))
	if err == nil && !hosts.PortIsValid(parsed) {
		return nil, &Problem{v1alpha1.ReasonInvalidEndpoint, fmt.Sprintf("The port of spec.endpoint.%s is not a number from 1 to 65535", field)}
	}
	if err == nil && isWeChats(parsed) && parsed.EscapedPath() != "" {
		// What WeChat answers under another path proves nothing about the credentials.
		return nil, &Problem{v1alpha1.ReasonInvalidEndpoint, fmt.Sprintf("spec.endpoint.%s names a host of WeChat Pay, which takes no path: leave it out", field)}
	}
	if err != nil || parsed.Scheme != "https" || parsed.Hostname() == "" || parsed.User != nil || strings.ContainsAny(address, "?#") {
		return nil, &Problem{v1alpha1.ReasonInvalidEndpoint, fmt.Sprintf("spec.endpoint.%s must be an https URL without user, query and fragment, such as %s", field, defaultEndpoint)}
	}
	return parsed, nil
}

// notifyURLs returns the callback addresses that are sent to WeChat. WeChat's own hosts refuse
// addresses that are not public; a merchant's own endpoint, such as a simulator or a proxy, accepts
// any.
func notifyURLs(merchant *v1alpha1.Merchant, protocol v1alpha1.Protocol, fallback string, endpoint *url.URL) (payment, refund string, problem *Problem) {
	base, field := merchant.Spec.NotifyBaseURL, "spec.notifyBaseURL"
	if base == "" {
		base, field = fallback, "--notify-base-url"
	}
	if base == "" {
		return "", "", &Problem{v1alpha1.ReasonInvalidNotifyURL,
			"The public address of this operator is not configured: set spec.notifyBaseURL, or the manager's flag --notify-base-url, to its public https address"}
	}
	base = strings.TrimRight(base, "/")
	parsed, err := url.Parse(base)
	// A trailing ? or # is rejected too: the path that is appended would become a query or a
	// fragment.
	if err != nil || parsed.Hostname() == "" || (parsed.Scheme != "https" && parsed.Scheme != "http") || parsed.User != nil || strings.ContainsAny(base, "?#") {
		return "", "", &Problem{v1alpha1.ReasonInvalidNotifyURL, fmt.Sprintf("%s must be an absolute http or https URL without user, query and fragment, such as https://pay.example.com", field)}
	}
	if isWeChats(endpoint) {
		if why := notPublicReason(parsed); why != "" {
			return "", "", &Problem{v1alpha1.ReasonInvalidNotifyURL, fmt.Sprintf("WeChat Pay would refuse the callback address %s (%s): %s. Use a public https address without port", base, field, why)}
		}
	}
	path := fmt.Sprintf("%s/notify/%s/%s/%s/", base, protocols.Path(protocol), merchant.Namespace, merchant.Name)
	payment, refund = path+"payment", path+"refund"
	if len(payment) > 256 {
		return "", "", &Problem{v1alpha1.ReasonInvalidNotifyURL, fmt.Sprintf("The callback address made of %s, the namespace and the Merchant's name has %d characters; WeChat Pay takes at most 256", field, len(payment))}
	}
	return payment, refund, nil
}

func isWeChats(endpoint *url.URL) bool {
	return strings.HasSuffix(hosts.Name(endpoint), weChatDomain)
}

// privateDomains don't exist in the public DNS (RFC 6761, 6762, 8375 and Kubernetes).
var privateDomains = []string{".localhost", ".local", ".internal", ".svc", ".lan", ".home.arpa"}

// notPublicReason returns why WeChat could not or would not call an address, or "" if it would.
func notPublicReason(base *url.URL) string {
	host := hosts.Name(base)
	switch {
	case base.Scheme != "https":
		return "it is not https"
	case base.Port() != "" || strings.HasSuffix(base.Host, ":"):
		return "it has a port"
	}
	if address, err := netip.ParseAddr(host); err == nil {
		if !callbackprobe.IsPublic(address) {
			return "the host is not a public address"
		}
		return ""
	}
	dot := strings.LastIndex(host, ".")
	switch {
	case dot < 0, !strings.ContainsAny(host[dot:], letters), // a single label, or another spelling of an IPv4 address
		slices.ContainsFunc(privateDomains, func(domain string) bool { return strings.HasSuffix(host, domain) }):
		return "the host is not public"
	default:
		return ""
	}
}

func notPublicURL(address string) string {
	parsed, err := url.Parse(address)
	if err != nil {
		return "it is not a URL"
	}
	return notPublicReason(parsed)
}

const letters = "abcdefghijklmnopqrstuvwxyz"
