package account

import (
	"net/url"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/hosts"
)

// ID is a merchant number at the hosts that may prove a key for it; numbers of orders and refunds are unique within it. WeChat
// takes a key for its own number only, so Merchants of one number with keys that WeChat has taken are one account, whoever wrote them.
//
// All hosts count: calls are repeated at the backup, and whoever writes a Merchant chooses when, by a caBundle that the first host
// does not satisfy. An answer of a backup proves nothing to those who do not name it.
type ID struct {
	MchID, Hosts string
}

// IDOf is the account that a Merchant says it is of. IsProven tells whether that is true.
func IDOf(merchant *v1alpha1.Merchant) ID {
	return ID{MchID: merchant.Spec.MchID, Hosts: accountHosts(merchant)}
}

func accountHosts(merchant *v1alpha1.Merchant) string {
	primary, backup, problem := namedEndpoints(merchant)
	if problem != nil {
		return "" // nothing is sent there
	}
	named := []string{accountHost(primary)}
	if backup != nil {
		named = append(named, accountHost(backup))
	}
	slices.Sort(named)
	return strings.Join(slices.Compact(named), " and ")
}

// accountHost is one for all of WeChat's own hosts, which have the same accounts, and the host and path of any other address.
func accountHost(address *url.URL) string {
	if isWeChats(address) {
		return weChatDomain
	}
	return hostAndPath(address)
}

// hostAndPath is the host in its one spelling, and the path as it is written: whoever lists a proxy lists all that is behind it, and
// how it reads /a/../b is its own matter.
func hostAndPath(address *url.URL) string {
	return hosts.Canonical(address) + strings.TrimRight(address.EscapedPath(), "/")
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
	return its.UID == of.UID || IsProven(its) && IDOf(its) == IDOf(of)
}
