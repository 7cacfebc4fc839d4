package merchant

import (
	"cmp"
	"net"
	"net/url"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// AccountID is a merchant number at a host, which numbers of orders and refunds are unique for. WeChat takes a key for its own
// number only, so Merchants of one number with keys that WeChat has taken are one account, whoever wrote them.
type AccountID struct {
	MchID, Host string
}

// AccountIDOf is the account that a Merchant says it is of. IsProven tells whether that is true.
func AccountIDOf(merchant *v1alpha1.Merchant) AccountID {
	return AccountID{MchID: merchant.Spec.MchID, Host: accountHost(merchant)}
}

// accountHost is one for all of WeChat's own hosts, which are doors to the same accounts, and host and port of others.
func accountHost(merchant *v1alpha1.Merchant) string {
	primary, _, problem := namedEndpoints(merchant)
	if problem != nil {
		return "" // nothing is sent there
	}
	if isWeChats(primary) {
		return weChatDomain
	}
	return hostAndPort(primary)
}

// hostAndPort names a host in one spelling.
func hostAndPort(address *url.URL) string {
	return net.JoinHostPort(hostOf(address), cmp.Or(address.Port(), "443"))
}

// WasProven says whether WeChat has taken a key of a Merchant at its endpoint, as its status tells.
func WasProven(merchant *v1alpha1.Merchant) bool {
	return len(merchant.Status.Keys) > 0 && merchant.Status.KeysEndpoint == EndpointID(merchant)
}

// IsProven says whether WeChat takes the key of a Merchant today, as far as is known. A key that is refused, gone or can't be used by
// now is no proof: whoever held it once may have lost the right to it.
func IsProven(merchant *v1alpha1.Merchant) bool {
	if !WasProven(merchant) {
		return false
	}
	ready := meta.FindStatusCondition(merchant.Status.Conditions, v1alpha1.ConditionReady)
	if ready == nil {
		return true
	}
	switch ready.Reason {
	case v1alpha1.ReasonReady, v1alpha1.ReasonWeChatUnreachable, v1alpha1.ReasonInvalidCertificate, v1alpha1.ReasonCertificateMismatch,
		v1alpha1.ReasonCertificateExpired, v1alpha1.ReasonCertificateRejected, v1alpha1.ReasonInvalidNotifyURL:
		return true
	default:
		return false
	}
}

// SameAccount says whether the numbers of a Merchant count for another: it is the same one, or of the same account with a key
// that WeChat took. What is unproven takes no number from anybody else.
func SameAccount(its, of *v1alpha1.Merchant) bool {
	return its.UID == of.UID || IsProven(its) && AccountIDOf(its) == AccountIDOf(of)
}
