package chaos_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

const secondNumber = "order-0002"

// tenantFlows are flows of several namespaces that use the same numbers of one account.
func tenantFlows() []*flow {
	shared := sharedMerchant()
	bothPaid := []stage{shared, orderAt(tenantA), until(isAt(tenantA, firstOrder, lifecycle.IsPrepared)), orderAt(tenantB, named(secondNumber)), until(isAt(tenantB, secondNumber, lifecycle.IsPrepared)),
		payNumber(firstOrder, isAt(tenantA, firstOrder, lifecycle.IsPaid)), payNumber(secondNumber, isAt(tenantB, secondNumber, lifecycle.IsPaid))}
	preparedAt := func(place string) []stage {
		return []stage{shared, orderAt(place), until(isAt(place, firstOrder, lifecycle.IsPrepared))}
	}
	paidAt := func(place string) []stage {
		return append(preparedAt(place), payNumber(firstOrder, isAt(place, firstOrder, lifecycle.IsPaid)))
	}
	and := func(some []stage, more ...stage) []stage { return append(slices.Clone(some), more...) }
	oneIsPaid := []stage{until(oneOwns(lifecycle.IsPrepared)), payNumber(firstOrder, oneOwns(lifecycle.IsPaid))}
	oneIsPaidBack := []stage{until(oneIsRefunded)}
	return []*flow{
		{name: "tenants, one number in one second", payable: true, alike: eitherTenant, stages: given(shared).and(and([]stage{orderAt(tenantA), orderAt(tenantB)}, oneIsPaid...)...)},
		{name: "tenants, one number in one second, the second first", payable: true, lastFirst: true, alike: eitherTenant, stages: given(shared).and(and([]stage{orderAt(tenantA), orderAt(tenantB)}, oneIsPaid...)...)},
		{name: "tenants, one number, the other began", payable: true, stages: given(preparedAt(tenantB)...).and(orderAt(tenantA), until(isAt(tenantA, firstOrder, lostNumber)),
			payNumber(firstOrder, isAt(tenantB, firstOrder, lifecycle.IsPaid)))},
		{name: "tenants, an ungranted rival in the same second", payable: true, stages: given(shared).and(orderAt(rival), orderAt(tenantA), until(isAt(tenantA, firstOrder, lifecycle.IsPrepared)),
			payNumber(firstOrder, isAt(tenantA, firstOrder, lifecycle.IsPaid)))},
		{name: "tenants, an ungranted rival before", payable: true, stages: given(shared, orderAt(rival), until(isAt(rival, firstOrder, isNotPermitted))).
			and(orderAt(tenantA), until(isAt(tenantA, firstOrder, lifecycle.IsPrepared)), payNumber(firstOrder, isAt(tenantA, firstOrder, lifecycle.IsPaid)))},
		{name: "tenants, a rival that gets its grant later", payable: true, stages: given(shared, orderAt(rival), until(isAt(rival, firstOrder, isNotPermitted))).
			and(orderAt(tenantA), until(isAt(tenantA, firstOrder, lifecycle.IsPrepared)), grant(tenantA, tenantB, rival), until(isAt(rival, firstOrder, lostNumber)),
				payNumber(firstOrder, isAt(tenantA, firstOrder, lifecycle.IsPaid)))},
		{name: "tenants, a stranger's Merchant with another key", payable: true, alike: strangerOrNot, stages: given(shared, strangersMerchant(), until(strangerIsRefused)).
			and(orderAt(stranger), orderAt(tenantA), until(isAt(tenantA, firstOrder, lifecycle.IsPrepared)), payNumber(firstOrder, isAt(tenantA, firstOrder, lifecycle.IsPaid)))},
		{name: "tenants, a stranger's Merchant in the same second", payable: true, alike: strangerOrNot, stages: given(shared).
			and(strangersMerchant(), orderAt(stranger), orderAt(tenantA), until(isAt(tenantA, firstOrder, lifecycle.IsPrepared)), payNumber(firstOrder, isAt(tenantA, firstOrder, lifecycle.IsPaid)))},
		{name: "tenants, a grant comes back after another began", stages: given(shared).and(orderAt(tenantA), grant(tenantB), until(isAt(tenantA, firstOrder, isNotPermitted)),
			orderAt(tenantB), until(isAt(tenantB, firstOrder, lifecycle.IsPrepared)), grant(tenantA, tenantB), until(isAt(tenantA, firstOrder, lostNumber)),
			payNumber(firstOrder, isAt(tenantB, firstOrder, lifecycle.IsPaid)))},
		{name: "tenants, a grant goes and the number stays", payable: true, stages: given(preparedAt(tenantA)...).and(grant(tenantB), orderAt(tenantB), until(isAt(tenantB, firstOrder, lostNumber)),
			payNumber(firstOrder, isAt(tenantA, firstOrder, lifecycle.IsPaid)), grant(tenantA, tenantB))},
		{name: "tenants, a grant goes while both wait", alike: eitherTenant, stages: given(shared).and(orderAt(tenantA), orderAt(tenantB), fresh(grant(tenantB)), until(isAt(tenantB, firstOrder, lifecycle.IsPrepared)),
			grant(tenantA, tenantB), until(isAt(tenantA, firstOrder, lostNumber)), payNumber(firstOrder, oneOwns(lifecycle.IsPaid)))},
		{name: "tenants, lost and applied again beside a rival", stages: given(and(paidAt(tenantA), orderAt(rival), until(isAt(rival, firstOrder, isNotPermitted)))...).
			and(lossAt(tenantA, kindOrder, firstOrder), until(now), orderAt(tenantA), until(isAt(tenantA, firstOrder, lifecycle.IsPaid)))},
		{name: "tenants, lost and applied again beside another", losesOwners: true, stages: given(paidAt(tenantA)...).
			and(lossAt(tenantA, kindOrder, firstOrder), orderAt(tenantB), until(isAt(tenantB, firstOrder, lostNumber)), orderAt(tenantA), until(isAt(tenantA, firstOrder, lifecycle.IsPaid)))},
		{name: "tenants, lost unpaid and applied again beside another", losesOwners: true, stages: given(preparedAt(tenantA)...).
			and(lossAt(tenantA, kindOrder, firstOrder), orderAt(tenantB), until(isAt(tenantB, firstOrder, lostNumber)), orderAt(tenantA), until(isAt(tenantA, firstOrder, lifecycle.IsPrepared)),
				payNumber(firstOrder, isAt(tenantA, firstOrder, lifecycle.IsPaid)))},
		{name: "tenants, both restored without status", losesOwners: true, stages: given(and(paidAt(tenantB), orderAt(tenantA), until(isAt(tenantA, firstOrder, lostNumber)))...).
			and(lossAt(tenantA, kindOrder, firstOrder), lossAt(tenantB, kindOrder, firstOrder), orderAt(tenantA), orderAt(tenantB), until(isAt(tenantB, firstOrder, lifecycle.IsPaid)))},
		{name: "tenants, both restored without status, not paid", losesOwners: true, stages: given(and(preparedAt(tenantB), orderAt(tenantA), until(isAt(tenantA, firstOrder, lostNumber)))...).
			and(lossAt(tenantA, kindOrder, firstOrder), lossAt(tenantB, kindOrder, firstOrder), orderAt(tenantA), orderAt(tenantB), until(isAt(tenantB, firstOrder, lifecycle.IsPrepared)),
				payNumber(firstOrder, isAt(tenantB, firstOrder, lifecycle.IsPaid)))},
		{name: "tenants, both restored without status, the second first", lastFirst: true, losesOwners: true, stages: given(and(paidAt(tenantB), orderAt(tenantA), until(isAt(tenantA, firstOrder, lostNumber)))...).
			and(lossAt(tenantA, kindOrder, firstOrder), lossAt(tenantB, kindOrder, firstOrder), orderAt(tenantA), orderAt(tenantB), until(isAt(tenantB, firstOrder, lifecycle.IsPaid)))},
		{name: "tenants, both restored without status, not paid, the second first", lastFirst: true, losesOwners: true, stages: given(and(preparedAt(tenantB), orderAt(tenantA), until(isAt(tenantA, firstOrder, lostNumber)))...).
			and(lossAt(tenantA, kindOrder, firstOrder), lossAt(tenantB, kindOrder, firstOrder), orderAt(tenantA), orderAt(tenantB), until(isAt(tenantB, firstOrder, lifecycle.IsPrepared)),
				payNumber(firstOrder, isAt(tenantB, firstOrder, lifecycle.IsPaid)))},
		{name: "tenants, one refund number in one second", alike: eitherTenant, stages: given(bothPaid...).
			and(and([]stage{refundAt(tenantA, firstOrder), refundAt(tenantB, secondNumber)}, oneIsPaidBack...)...)},
		{name: "tenants, one refund number in one second, the second first", lastFirst: true, alike: eitherTenant, stages: given(bothPaid...).
			and(and([]stage{refundAt(tenantA, firstOrder), refundAt(tenantB, secondNumber)}, oneIsPaidBack...)...)},
		{name: "tenants, a refund number that a rival has", stages: given(and(bothPaid, orderAt(rival), until(isAt(rival, firstOrder, isNotPermitted)))...).
			and(refundAt(rival, firstOrder), refundAt(tenantA, firstOrder), until(refundedAt(tenantA)))},
		{name: "tenants, a grant goes while a refund is under way", stages: given(bothPaid...).
			and(refundAt(tenantA, firstOrder), until(func(w *world) bool {
				found := w.refundAt(tenantA, firstRefund)
				return found != nil && (lifecycle.RefundAccepted(found) || lifecycle.RefundMayBeAtWeChat(found))
			}), grant(tenantB), refundAt(tenantB, secondNumber), until(refundedAt(tenantA)), grant(tenantA, tenantB), until(oneIsRefunded))},
		{name: "tenants, both refunds restored without status", losesOwners: true, stages: given(and(bothPaid, refundAt(tenantB, secondNumber), until(refundedAt(tenantB)), refundAt(tenantA, firstOrder), until(oneIsRefunded))...).
			and(lossAt(tenantA, kindRefund, firstRefund), lossAt(tenantB, kindRefund, firstRefund), refundAt(tenantA, firstOrder), refundAt(tenantB, secondNumber), until(oneIsRefunded))},
		{name: "tenants, both refunds restored without status, the second first", lastFirst: true, losesOwners: true, stages: given(and(bothPaid, refundAt(tenantB, secondNumber), until(refundedAt(tenantB)), refundAt(tenantA, firstOrder), until(oneIsRefunded))...).
			and(lossAt(tenantA, kindRefund, firstRefund), lossAt(tenantB, kindRefund, firstRefund), refundAt(tenantA, firstOrder), refundAt(tenantB, secondNumber), until(oneIsRefunded))},
	}
}

// eitherTenant ignores which of the two gets the number, because it depends on the order of events.
func eitherTenant(end string) string {
	lines := strings.Split(tenantsOwn.ReplaceAllString(end, "?"), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

var tenantsOwn = regexp.MustCompile(`tenant-[ab]\b|\b(203|305)\b|\border-000[12]\b`)

// strangerOrNot removes the progress of the stranger's objects, which never complete.
func strangerOrNot(end string) string {
	lines := slices.DeleteFunc(strings.Split(end, "\n"), func(line string) bool { return strings.HasPrefix(line, "Order/"+stranger+"/") })
	return strings.Join(lines, "\n")
}

// sharedMerchant creates a Merchant at home that both tenants may use, their namespaces, and that
// of a rival.
func sharedMerchant() stage {
	return stage{what: "create a merchant that tenants share", do: func(w *world) {
		for _, place := range []string{tenantA, tenantB, rival} {
			w.openBare(place)
		}
		w.createMerchant(home, func(s *v1alpha1.MerchantSpec) { s.AllowedNamespaces = w.allowing(tenantA, tenantB) })
	}, until: merchantIs(true)}
}

func (w *world) allowing(places ...string) v1alpha1.AllowedNamespaces {
	var namespaces []string
	for _, place := range places {
		namespaces = append(namespaces, w.namespaceOf(place))
	}
	return v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromSelector, Selector: &metav1.LabelSelector{
		MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "kubernetes.io/metadata.name", Operator: metav1.LabelSelectorOpIn, Values: namespaces}},
	}}
}

// grant sets which places may use the Merchant at home.
func grant(places ...string) stage {
	return stage{what: fmt.Sprintf("grant %v", places), do: func(w *world) {
		patch, err := json.Marshal(map[string]any{"spec": map[string]any{"allowedNamespaces": w.allowing(places...)}})
		w.must(err)
		w.edit(key{kindMerchant, merchantName, home}, "", string(patch))
	}, until: now}
}

// strangersMerchant creates a Merchant with the account's number, and with keys and a certificate that
// WeChat Pay rejects.
func strangersMerchant() stage {
	return stage{what: "create a stranger's merchant", do: func(w *world) {
		w.openBare(stranger)
		unknown := strings.Repeat("S", 32)
		w.must(w.suite.createSecrets(w.namespaceOf(stranger), unknown, unknown, w.suite.strangers))
		w.createMerchant(stranger)
	}, instant: true}
}

func strangerIsRefused(w *world) bool {
	found := w.merchant(stranger, merchantName)
	return found != nil && len(found.Status.Conditions) > 0 && !isReady(found)
}

// amounts that only the Order's own namespace may see. Rival and stranger use the first tenant's
// amount.
var amounts = map[string]int64{tenantA: 203, tenantB: 305, rival: 203, stranger: 203}

func orderAt(place string, change ...func(*v1alpha1.Order)) stage {
	return stage{what: "create an order of " + place, do: func(w *world) {
		created := w.newOrder(func(o *v1alpha1.Order) {
			o.Spec.Description, o.Spec.Amount.Total, o.Spec.Payer = "肥皂 "+place, amounts[place], &v1alpha1.Payer{OpenID: "oUpF8uMuAJO_" + place}
			if place != stranger {
				o.Spec.MerchantRef.Namespace = w.namespace
			}
		})
		for _, c := range change {
			c(created)
		}
		w.create(place, created)
	}, instant: true}
}

func named(name string) func(*v1alpha1.Order) { return func(o *v1alpha1.Order) { o.Name = name } }

func refundAt(place, order string) stage {
	return stage{what: "create an approved refund of " + place, do: func(w *world) {
		w.create(place, &v1alpha1.Refund{ObjectMeta: metav1.ObjectMeta{Name: firstRefund}, Spec: v1alpha1.RefundSpec{
			OrderRef: v1alpha1.OrderReference{Name: order}, Amount: 50, Reason: "质量问题", Approval: v1alpha1.ApprovalApproved,
		}})
	}, instant: true}
}

func lossAt(place, kind, name string) stage {
	return stage{what: "lose " + name + " of " + place, do: func(w *world) {
		k := key{kind, name, place}
		w.edit(k, "", `{"metadata":{"finalizers":null}}`)
		w.delete(k)
	}, instant: true}
}

func payNumber(number string, until func(*world) bool) stage {
	return payOf(number, "the payer pays "+number, simulator.PayOptions{}, until)
}

func isNotPermitted(order *v1alpha1.Order) bool {
	return lifecycle.PreparedReason(order) == v1alpha1.ReasonNotPermitted
}

func isAt(place, name string, is func(*v1alpha1.Order) bool) func(*world) bool {
	return func(w *world) bool {
		found := w.order(place, name)
		return found != nil && is(found)
	}
}

// oneOwns: one tenant's Order matches, and the other's has lost the number.
func oneOwns(is func(*v1alpha1.Order) bool) func(*world) bool {
	return func(w *world) bool {
		a, b := w.order(tenantA, firstOrder), w.order(tenantB, firstOrder)
		return a != nil && b != nil && (is(a) && lostNumber(b) || is(b) && lostNumber(a))
	}
}

func refundedAt(place string) func(*world) bool {
	return func(w *world) bool {
		found := w.refundAt(place, firstRefund)
		return found != nil && lifecycle.RefundSucceeded(found)
	}
}

// oneIsRefunded: of two Refunds with one number one was paid out, and the other has lost it.
func oneIsRefunded(w *world) bool {
	a, b := w.refundAt(tenantA, firstRefund), w.refundAt(tenantB, firstRefund)
	return a != nil && b != nil && lifecycle.RefundFinal(a) && lifecycle.RefundFinal(b) && lifecycle.RefundSucceeded(a) != lifecycle.RefundSucceeded(b)
}
