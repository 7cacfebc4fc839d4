// Package tenancy checks the rules for namespaces that share a merchant number, as functions of the
// objects and WeChat Pay's ledger, so that all tests with several tenants use the same rules. It
// uses none of the operator's own code.
package tenancy

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

// The invariants, as reports print them.
const (
	OneTransactionOneOrder = "one transaction makes one Order Paid"
	OnePayoutOneRefund     = "one payout makes one Refund Succeeded"
	NoFactCrosses          = "no fact crosses a namespace"
	UngrantedIsNothing     = "an Order that was never granted has no call, no prepay and no transaction"
)

// Broken is an invariant that an object violates. If What starts with a verb, its subject is the
// object.
type Broken struct{ Invariant, What string }

// Attach returns the attach that an Order sends: with its namespace as prefix if its Merchant is in
// another one.
func Attach(order *v1alpha1.Order) string {
	if namespace, _ := order.MerchantKey(); namespace != order.Namespace {
		return order.Namespace + "/" + order.Spec.Attach
	}
	return order.Spec.Attach
}

// OwnOrder returns WeChat Pay's order with an Order's number if it belongs to this Order: made
// through its Merchant, with its attach. Otherwise it returns nil.
func OwnOrder(recorded *simulator.Order, order *v1alpha1.Order) *simulator.Order {
	if recorded == nil {
		return nil
	}
	namespace, name := order.MerchantKey()
	if recorded.Params["attach"] != Attach(order) || !strings.HasSuffix(recorded.Params["notify_url"], "/"+namespace+"/"+name+"/payment") {
		return nil
	}
	return recorded
}

// OwnRefund returns WeChat Pay's refund with a Refund's number if it belongs to this Refund: with
// its amount, and of its Order's own order.
func OwnRefund(recorded *simulator.Refund, own *simulator.Order, refund *v1alpha1.Refund) *simulator.Refund {
	if recorded == nil || own == nil || recorded.OutTradeNo != own.OutTradeNo || recorded.RefundFee != refund.Spec.Amount {
		return nil
	}
	return recorded
}

// FactsOfOrder compares what an Order's status says about WeChat Pay with its own order there.
func FactsOfOrder(order *v1alpha1.Order, own *simulator.Order, granted bool) []Broken {
	var broken []Broken
	prepay, transaction := order.Status.Prepay, order.Status.Transaction
	if transaction != nil && (own == nil || own.Payment == nil || own.Payment.TransactionID != transaction.ID) {
		broken = append(broken, Broken{NoFactCrosses, "shows a transaction that is not of its order at WeChat Pay"})
	}
	if prepay != nil && own == nil {
		broken = append(broken, Broken{NoFactCrosses, "shows a prepay that is not of its order at WeChat Pay"})
	}
	if !granted && (prepay != nil || transaction != nil) {
		broken = append(broken, Broken{UngrantedIsNothing, "was never granted and shows a prepay or a transaction"})
	}
	return broken
}

// FactsOfRefund compares what a Refund's status says about WeChat Pay with its own refund there.
func FactsOfRefund(refund *v1alpha1.Refund, own *simulator.Refund) []Broken {
	if own == nil && meta.IsStatusConditionTrue(refund.Status.Conditions, v1alpha1.ConditionSucceeded) {
		return []Broken{{NoFactCrosses, "shows a payout that is not of its Order"}}
	}
	return nil
}

// Told is what an object reveals to its readers.
type Told struct {
	status, messages string
	// order is the object itself, or a Refund's Order; nil if unknown.
	order *v1alpha1.Order
}

// ToldBy reads the status of an Order, or of a Refund of that Order.
func ToldBy(order *v1alpha1.Order, status any, conditions []metav1.Condition) (Told, error) {
	text, err := json.Marshal(status)
	messages := make([]string, len(conditions))
	for i, c := range conditions {
		messages[i] = c.Message
	}
	return Told{status: string(text), messages: strings.Join(messages, "\n"), order: order}, err
}

// Of finds what the object reveals about another namespace's Order and its order at WeChat Pay:
// namespace, payer and transaction, and in messages the amount. Values that both share prove
// nothing, and neither does the name of the Merchant's namespace.
func (t Told) Of(other *v1alpha1.Order, own *simulator.Order) []Broken {
	var secrets []string
	if t.merchantNamespace() != other.Namespace {
		secrets = append(secrets, other.Namespace)
	}
	if other.Spec.Payer != nil && other.Spec.Payer.OpenID != t.payer() {
		secrets = append(secrets, other.Spec.Payer.OpenID)
	}
	if own != nil && own.Payment != nil {
		secrets = append(secrets, own.Payment.TransactionID)
	}
	var broken []Broken
	for _, secret := range secrets {
		if strings.Contains(t.status, secret) {
			broken = append(broken, Broken{NoFactCrosses, fmt.Sprintf("tells %q of another namespace in its status", secret)})
		}
	}
	if amount := other.Spec.Amount.Total; amount != t.amount() && hasNumber(t.messages, amount) {
		broken = append(broken, Broken{NoFactCrosses, "tells the amount of another namespace's Order in a message: " + t.messages})
	}
	return broken
}

func (t Told) merchantNamespace() string {
	if t.order == nil {
		return ""
	}
	namespace, _ := t.order.MerchantKey()
	return namespace
}

func (t Told) payer() string {
	if t.order == nil || t.order.Spec.Payer == nil {
		return ""
	}
	return t.order.Spec.Payer.OpenID
}

func (t Told) amount() int64 {
	if t.order == nil {
		return 0
	}
	return t.order.Spec.Amount.Total
}

func hasNumber(text string, number int64) bool {
	digits := strconv.FormatInt(number, 10)
	return strings.Contains(text, digits) && regexp.MustCompile(`\b`+digits+`\b`).MatchString(text)
}
