package chaos_test

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/tenancy"
)

// invariant names what must hold at every moment of every run.
type invariant string

const (
	oneTransactionOneOrder invariant = tenancy.OneTransactionOneOrder
	onePayoutOneRefund     invariant = tenancy.OnePayoutOneRefund
	noFactCrosses          invariant = tenancy.NoFactCrosses
	ungrantedIsNothing     invariant = tenancy.UngrantedIsNothing
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

// ownOrder is what the ledger has of an Order, and nil if what it has under its number is somebody else's.
func (w *world) ownOrder(ledger simulator.Ledger, order *v1alpha1.Order) *simulator.Order {
	return tenancy.OwnOrder(ledger.Order(mchID, order.Number()), order)
}

// ownRefund is what the ledger has of a Refund, and nil if what it has under its number is somebody else's.
func (w *world) ownRefund(ledger simulator.Ledger, refund *v1alpha1.Refund) *simulator.Refund {
	order := w.orderOf(refund)
	if order == nil {
		return nil
	}
	return tenancy.OwnRefund(ledger.Refund(mchID, refund.Number()), w.ownOrder(ledger, order), refund)
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
		}
		w.breaksAll(k, tenancy.FactsOfOrder(object, w.ownOrder(ledger, object), !w.neverGranted(object)))
		w.checkSecrecy(ledger, k, object, object.Status, object.Status.Conditions)
	case *v1alpha1.Refund:
		if lifecycle.RefundSucceeded(object) {
			w.onlyOne(onePayoutOneRefund, object.Number(), k)
		}
		w.breaksAll(k, tenancy.FactsOfRefund(object, w.ownRefund(ledger, object)))
		w.checkSecrecy(ledger, k, object, object.Status, object.Status.Conditions)
	}
}

func (w *world) breaksAll(k key, broken []tenancy.Broken) {
	for _, b := range broken {
		w.breaks(invariant(b.Invariant), "%s %s", k, b.What)
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

// checkSecrecy sees that nothing of another namespace's objects stands in a status.
func (w *world) checkSecrecy(ledger simulator.Ledger, k key, object client.Object, status any, conditions []metav1.Condition) {
	mine, isOrder := object.(*v1alpha1.Order)
	if refund, isRefund := object.(*v1alpha1.Refund); isRefund && !isOrder {
		mine = w.orderOf(refund)
	}
	told, err := tenancy.ToldBy(mine, status, conditions)
	w.must(err)
	for _, other := range w.everything() {
		order, ok := other.(*v1alpha1.Order)
		if !ok || order.Namespace == object.GetNamespace() || placeOf(order.Namespace) == home {
			continue
		}
		w.holds(noFactCrosses)
		w.breaksAll(k, told.Of(order, w.ownOrder(ledger, order)))
	}
}
