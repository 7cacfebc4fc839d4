package account

import (
	"net/url"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/hosts"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/protocols"
)

// ID is a merchant number and the hosts that can prove a key for it. Numbers of orders and refunds
// are unique within it. WeChat accepts a key for its own number only, so Merchants with the same
// number whose keys WeChat has accepted are one account, no matter which user created them.
//
// All hosts are part of the ID: calls are repeated at the backup host, and a user who can write a
// Merchant can force that with a caBundle that the first host does not satisfy. An answer of a
// backup proves nothing for Merchants that do not name it.
type ID struct {
	MchID, Hosts string
}

// String is the merchant number, with the hosts if they are not WeChat's own.
func (id ID) String() string {
	if id.Hosts == weChatDomain {
		return id.MchID
	}
	return id.MchID + "@" + id.Hosts
}

// IDOf returns the account that a Merchant claims to belong to. IsProven reports whether that was
// proven.
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

// accountHost returns the same value for all of WeChat's own hosts, which share their accounts, and
// host and path for any other address.
func accountHost(address *url.URL) string {
	if isWeChats(address) {
		return weChatDomain
	}
	return hostAndPath(address)
}

// hostAndPath returns the canonical host, and the path as it is written: listing a proxy allows
// everything behind it, and how the proxy resolves /a/../b is unknown.
func hostAndPath(address *url.URL) string {
	return hosts.Canonical(address) + strings.TrimRight(address.EscapedPath(), "/")
}

// WasProven reports whether WeChat has ever accepted a key of a Merchant at its current endpoint,
// according to its status.
func WasProven(merchant *v1alpha1.Merchant) bool {
	return len(merchant.Status.Keys) > 0 && merchant.Status.KeysEndpoint == EndpointID(merchant)
}

// IsProven reports whether WeChat currently accepts the key of a Merchant, according to its status.
// A key that is rejected, missing or unusable by now proves nothing: its former owner may have lost
// the right to use it.
func IsProven(merchant *v1alpha1.Merchant) bool {
	if !WasProven(merchant) {
		return false
	}
	ready := meta.FindStatusCondition(merchant.Status.Conditions, v1alpha1.ConditionReady)
	if ready == nil {
		return true
	}
	switch ready.Reason {
	case v1alpha1.ReasonReady, v1alpha1.ReasonWeChatUnreachable, v1alpha1.ReasonClockSkewed, v1alpha1.ReasonInvalidNotifyURL:
		return true
	case v1alpha1.ReasonInvalidCertificate, v1alpha1.ReasonCertificateMismatch, v1alpha1.ReasonCertificateExpired, v1alpha1.ReasonCertificateRejected:
		return !protocols.CredentialsOf(merchant.Spec.Protocol, merchant).Certificate.IdentifiesMerchant()
	default:
		return false
	}
}

// SameAccount reports whether the numbers of another Merchant count for a Merchant: both are the
// same object, or belong to the same account, and WeChat accepted the other's key. An unproven
// Merchant can't take numbers from others.
func SameAccount(other, merchant *v1alpha1.Merchant) bool {
	return other.UID == merchant.UID || IsProven(other) && IDOf(other) == IDOf(merchant)
}
