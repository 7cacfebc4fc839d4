package main

import (
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

const (
	// rivalNamespace is permitted by no Merchant.
	rivalNamespace = "brushes"
	// strangerNamespace has Merchants with a merchant number that belongs to another.
	strangerNamespace = "mirrors"
)

// nobodyThere is an address that the operator may call, and where nothing listens.
const nobodyThere = "https://127.0.0.1:9"

// stranger is a Merchant with the merchant number of an account that does not own it.
type stranger struct {
	name string
	// of is the account whose merchant number it names.
	of account
	// endpoint is its spec.endpoint; empty for the simulator's.
	endpoint string
}

// strangers are Merchants whose key, or in V3 whose certificate, WeChat Pay rejects, and one whose
// key gets no response.
var strangers = []stranger{
	{name: "wrong-key", of: accounts[0]},
	{name: "no-proof", of: accounts[0], endpoint: nobodyThere},
	{name: "wrong-certificate", of: byPublicKey},
}

// strangersOf are those that use the merchant number of an account.
func strangersOf(a account) []stranger {
	var found []stranger
	for _, s := range strangers {
		if s.of.mchID == a.mchID {
			found = append(found, s)
		}
	}
	return found
}

// account is the stranger's Merchant, with well-formed keys.
func (s stranger) account() account {
	a := s.of
	a.namespace, a.name, a.guests = strangerNamespace, s.name, nil
	if a.apiKey != "" {
		a.apiKey = strings.Repeat("S", 32)
	}
	if a.apiV3Key != "" {
		a.apiV3Key = strings.Repeat("S", 32)
	}
	return a
}

// namespaces returns the namespaces in which somebody takes payments, or tries to.
func namespaces() []string {
	all := []string{rivalNamespace, strangerNamespace}
	for _, a := range accounts {
		all = append(all, a.namespace)
		all = append(all, a.guests...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// shopOf is the user that takes payments in a namespace, with the role for shops there and nowhere
// else.
func shopOf(namespace string) string { return "shop-of-" + namespace }

func shops() []string {
	users := namespaces()
	for i := range users {
		users[i] = shopOf(users[i])
	}
	return users
}

// grants permits the account's guests to use its Merchant, and nobody else.
func (a account) grants() v1alpha1.AllowedNamespaces {
	if len(a.guests) == 0 {
		return v1alpha1.AllowedNamespaces{}
	}
	return v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromSelector, Selector: &metav1.LabelSelector{
		MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "kubernetes.io/metadata.name", Operator: metav1.LabelSelectorOpIn, Values: a.guests}},
	}}
}

// payerAt returns a payer that pays in one namespace only, so that a leak is visible.
func payerAt(namespace string) *v1alpha1.Payer {
	return &v1alpha1.Payer{OpenID: "oUpF8uMuAJO_" + namespace}
}

// twinSurplus separates the amounts of two Orders that use one number.
const twinSurplus = 200_000

// twinPlan returns the same life in the other namespace that may use the account.
func (p plan) twinPlan() plan {
	twin := p
	twin.namespace, twin.total = p.account.namespace, p.total+twinSurplus
	if p.namespace == p.account.namespace {
		twin.namespace = p.account.guests[0]
	}
	return twin
}
