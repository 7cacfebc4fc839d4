package explore_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/settlement"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

// invariant names what must hold at every moment of every run.
type invariant string

const (
	oneTransactionOneOrder invariant = "one transaction makes one Order Paid"
	onePayoutOneRefund     invariant = "one payout makes one Refund Succeeded"
	noFactCrosses          invariant = "no fact crosses a namespace"
	ungrantedIsNothing     invariant = "an Order that was never granted has no call, no prepay and no transaction"
	noneUnapproved         invariant = "no refund without an approval"
	agreement              invariant = "status, ledger and calls agree"
	sameEnd                invariant = "a run that is cut ends as the uncut one"
)

var invariants = []invariant{oneTransactionOneOrder, onePayoutOneRefund, noFactCrosses, ungrantedIsNothing, noneUnapproved, agreement, sameEnd}

type violation struct {
	of   invariant
	text string
}

func (v violation) String() string { return fmt.Sprintf("%s: %s", v.of, v.text) }

// ownOrder is what the ledger has of an Order: an order of its number, made through its Merchant, whose attach is the one that
// this Order sends. It does not ask the operator's own code.
func (w *world) ownOrder(ledger simulator.Ledger, order *v1alpha1.Order) *simulator.Order {
	there := ledger.Order(mchID, order.Number())
	if there == nil {
		return nil
	}
	namespace, name := order.MerchantKey()
	attach := order.Spec.Attach
	if namespace != order.Namespace {
		attach = order.Namespace + "/" + attach
	}
	if there.Params["attach"] != attach || !strings.HasSuffix(there.Params["notify_url"], "/"+namespace+"/"+name+"/payment") {
		return nil
	}
	return there
}

// ownRefund is what the ledger has of a Refund: a refund of its number and amount, of its Order's own order.
func (w *world) ownRefund(ledger simulator.Ledger, refund *v1alpha1.Refund) *simulator.Refund {
	there, order := ledger.Refund(mchID, refund.Number()), w.orderOf(refund)
	if there == nil || order == nil || w.ownOrder(ledger, order) == nil || there.OutTradeNo != order.Number() || there.RefundFee != refund.Spec.Amount {
		return nil
	}
	return there
}

// orderOf is a Refund's Order, as it is or as it last was.
func (w *world) orderOf(refund *v1alpha1.Refund) *v1alpha1.Order {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	order, _ := w.created[orderKey(refund)].(*v1alpha1.Order)
	return order
}

func (w *world) anyCreated(is func(client.Object) bool) bool {
	for _, object := range w.everything() {
		if is(object) {
			return true
		}
	}
	return false
}

// everything are the objects that there ever were, in order.
func (w *world) everything() []client.Object {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	var all []client.Object
	for _, k := range snapshot(w.created).keys() {
		all = append(all, w.created[k])
	}
	return all
}

// noteGrants remembers which Orders may use their Merchant now. A grant by labels names the namespaces, see sharedMerchant.
func (w *world) noteGrants() {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	for k, object := range w.current {
		order, ok := object.(*v1alpha1.Order)
		if !ok || w.granted[k] {
			continue
		}
		found, _ := w.current[merchantKey(order)].(*v1alpha1.Merchant)
		w.granted[k] = found != nil && grants(found, order.Namespace)
	}
}

func grants(merchant *v1alpha1.Merchant, namespace string) bool {
	allowed := merchant.Spec.AllowedNamespaces
	switch {
	case merchant.Namespace == namespace, allowed.From == v1alpha1.NamespacesFromAll:
		return true
	case allowed.From != v1alpha1.NamespacesFromSelector || allowed.Selector == nil:
		return false
	}
	return slices.ContainsFunc(allowed.Selector.MatchExpressions, func(r metav1.LabelSelectorRequirement) bool {
		return slices.Contains(r.Values, namespace)
	})
}

// neverGranted says whether an Order, or a Refund's Order, never might use its Merchant.
func (w *world) neverGranted(object client.Object) bool {
	k := keyOf(object)
	if refund, ok := object.(*v1alpha1.Refund); ok {
		k = orderKey(refund)
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return !w.granted[k]
}

// waitsForOthers says whether an object looks now and then for something that never comes: a key of a stranger's that WeChat
// takes, or a grant. It is looked at whenever something else is due.
func (w *world) waitsForOthers(k key) bool {
	if k.place == stranger {
		return true
	}
	refund, ok := w.objects()[k].(*v1alpha1.Refund)
	return ok && w.neverGranted(refund)
}

// guarded says whether the approval policy was in force when a decision was made. The API server of the runs has none that could
// go away.
func (w *world) guarded() bool { return true }

// checkCaller sees that nothing is asked of WeChat for an object that takes part in nothing.
func (w *world) checkCaller(p *process, acting key, operation, called string) {
	w.mutex.Lock()
	object := w.created[acting]
	w.mutex.Unlock()
	if object == nil || acting.kind == kindMerchant {
		return
	}
	w.holds(ungrantedIsNothing)
	if w.neverGranted(object) {
		w.breaks(ungrantedIsNothing, "%s: %s %s is called for %s, which was never granted", p.name, operation, called, acting)
	}
}

// checkFacts looks at every version of an object: whose facts it shows.
func (w *world) checkFacts(object client.Object) {
	ledger := w.sim.Ledger()
	k := keyOf(object)
	switch object := object.(type) {
	case *v1alpha1.Order:
		if transaction := object.Status.Transaction; transaction != nil {
			w.onlyOne(oneTransactionOneOrder, transaction.ID, k)
			if there := w.ownOrder(ledger, object); there == nil || there.Payment == nil || there.Payment.TransactionID != transaction.ID {
				w.breaks(noFactCrosses, "%s shows a transaction that is not of its order at WeChat Pay", k)
			}
		}
		if (object.Status.Prepay != nil || object.Status.Transaction != nil) && w.neverGranted(object) {
			w.breaks(ungrantedIsNothing, "%s was never granted and shows a prepay or a transaction", k)
		}
		if object.Status.Prepay != nil && w.ownOrder(ledger, object) == nil {
			w.breaks(noFactCrosses, "%s shows a prepay that is not of its order at WeChat Pay", k)
		}
		w.checkSecrecy(ledger, k, object, object.Status, object.Status.Conditions)
	case *v1alpha1.Refund:
		if settlement.RefundSucceeded(object) {
			w.onlyOne(onePayoutOneRefund, object.Number(), k)
			if w.ownRefund(ledger, object) == nil {
				w.breaks(noFactCrosses, "%s shows a payout that is not of its Order", k)
			}
		}
		w.checkSecrecy(ledger, k, object, object.Status, object.Status.Conditions)
	}
}

// onlyOne: a restore makes the same object again, so it is told apart by its name.
func (w *world) onlyOne(of invariant, fact string, k key) {
	w.holds(of)
	w.mutex.Lock()
	first, known := w.recorded[fact]
	if !known {
		w.recorded[fact] = k
	}
	w.mutex.Unlock()
	if known && first != k {
		w.breaks(of, "%s is shown by %s, and was by %s", fact, k, first)
	}
}

// checkSecrecy sees that nothing of another namespace's objects stands in a status: payer, transaction, and in messages the amount
// and the namespace.
func (w *world) checkSecrecy(ledger simulator.Ledger, k key, object client.Object, status any, conditions []metav1.Condition) {
	text, err := json.Marshal(status)
	w.must(err)
	var messages []string
	for _, c := range conditions {
		messages = append(messages, c.Message)
	}
	told := strings.Join(messages, "\n")
	for _, other := range w.everything() {
		order, ok := other.(*v1alpha1.Order)
		if !ok || order.Namespace == object.GetNamespace() || placeOf(order.Namespace) == home {
			continue
		}
		w.holds(noFactCrosses)
		secrets := []string{order.Namespace}
		if order.Spec.Payer != nil && order.Spec.Payer.OpenID != w.payerOf(object) {
			secrets = append(secrets, order.Spec.Payer.OpenID)
		}
		if there := w.ownOrder(ledger, order); there != nil && there.Payment != nil {
			secrets = append(secrets, there.Payment.TransactionID)
		}
		for _, secret := range secrets {
			if strings.Contains(string(text), secret) {
				w.breaks(noFactCrosses, "the status of %s tells %q of another namespace", k, secret)
			}
		}
		amount := regexp.MustCompile(`\b` + strconv.FormatInt(order.Spec.Amount.Total, 10) + `\b`)
		if order.Spec.Amount.Total != w.amountOf(object) && amount.MatchString(told) {
			w.breaks(noFactCrosses, "a message of %s tells the amount of another namespace's Order: %s", k, told)
		}
	}
}

func (w *world) payerOf(object client.Object) string {
	order, ok := object.(*v1alpha1.Order)
	if refund, isRefund := object.(*v1alpha1.Refund); isRefund {
		order = w.orderOf(refund)
	}
	if (!ok && order == nil) || order.Spec.Payer == nil {
		return ""
	}
	return order.Spec.Payer.OpenID
}

func (w *world) amountOf(object client.Object) int64 {
	switch object := object.(type) {
	case *v1alpha1.Order:
		return object.Spec.Amount.Total
	case *v1alpha1.Refund:
		if order := w.orderOf(object); order != nil {
			return order.Spec.Amount.Total
		}
	}
	return 0
}
