package miniprogram

import (
	"crypto/x509"
	"net/url"
	"strings"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/hosts"
	"github.com/wechatpay-operator/wechatpay-operator/internal/text"
)

// defaultEndpoint is WeChat's host.
const defaultEndpoint = "https://api.weixin.qq.com"

// weChatsHost is the parent domain of WeChat's hosts in its regions.
const weChatsHost = "api.weixin.qq.com"

// endpoint returns the host that calls go to. It must be on the platform's list: a user who can
// write a MiniProgram must not be able to make the operator call any host that it can reach.
func endpoint(m *v1alpha1.MiniProgram, allowed hosts.List) (*url.URL, *account.Problem) {
	address := defaultEndpoint
	if m.Spec.Endpoint != nil {
		address = m.Spec.Endpoint.URL
	}
	parsed, err := url.Parse(strings.TrimRight(address, "/"))
	switch {
	case err != nil || parsed.Scheme != "https" || parsed.Hostname() == "" || parsed.User != nil || strings.ContainsAny(address, "?#") || !hosts.PortIsValid(parsed):
		return nil, &account.Problem{
			Reason:  v1alpha1.ReasonInvalidEndpoint,
			Message: "spec.endpoint.url must be an https URL without user, query and fragment, such as " + defaultEndpoint,
		}
	case !allowed.Allows(parsed):
		return nil, &account.Problem{
			Reason: v1alpha1.ReasonEndpointNotAllowed,
			Message: "Calls would go to the host " + text.Clean(parsed.Host) + ", which this operator may not call, so nothing is sent. " +
				"The platform team sets the allowed hosts with the manager's flag --endpoint-hosts (chart: endpointHosts)",
		}
	}
	return parsed, nil
}

func isWeChats(host *url.URL) bool {
	name := hosts.Name(host)
	return name == weChatsHost || name == "api2.weixin.qq.com" || strings.HasSuffix(name, "."+weChatsHost)
}

// authorities returns the certificate authorities that verify the host; nil means the system's.
func authorities(m *v1alpha1.MiniProgram) (*x509.CertPool, *account.Problem) {
	bundle := bundleOf(m)
	if len(bundle) == 0 {
		return nil, nil
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(bundle) {
		return nil, &account.Problem{
			Reason:  v1alpha1.ReasonInvalidEndpoint,
			Message: "spec.endpoint.caBundle holds no certificate in PEM: write the certificate of the authority there, base64 encoded",
		}
	}
	return roots, nil
}

func bundleOf(m *v1alpha1.MiniProgram) []byte {
	if m.Spec.Endpoint == nil {
		return nil
	}
	return m.Spec.Endpoint.CABundle
}
