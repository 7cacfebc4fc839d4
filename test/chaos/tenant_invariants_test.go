package chaos_test

import (
	"fmt"
	"iter"
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
	shippedOnce            invariant = "an upload is made once or repeated the same, and nothing is shipped again"
	shippedIsThere         invariant = "a Shipment that says Uploaded is at WeChat"
	booksAgree             invariant = "a bill agrees with the objects to the fen, but for those that are gone"
	eventsArrive           invariant = "each event arrives at least once, in the order of its object, and tells what happened"
	ledgerAgrees           invariant = "the ledger has what WeChat Pay has, once and to the fen"
	agreement              invariant = "status, ledger and calls agree"
	sameEnd                invariant = "a run that is cut ends as the uncut one"
)

var invariants = []invariant{oneTransactionOneOrder, onePayoutOneRefund, noFactCrosses, ungrantedIsNothing, noneUnapproved, shippedOnce, shippedIsThere, booksAgree, eventsArrive, ledgerAgrees, agreement, sameEnd}

type violation struct {
	of   invariant
	text string
}

func (v violation) String() string { return fmt.Sprintf("%s: %s", v.of, v.text) }

// ownOrder returns an Order's own order in the ledger; nil if the order with its number is somebody
// else's.
func (w *world) ownOrder(ledger simulator.Ledger, order *v1alpha1.Order) *simulator.Order {
	return tenancy.OwnOrder(ledger.Order(mchID, order.Number()), order)
}

// ownRefund returns a Refund's own refund in the ledger; nil if the refund with its number is
// somebody else's.
func (w *world) ownRefund(ledger simulator.Ledger, refund *v1alpha1.Refund) *simulator.Refund {
	order := w.orderOf(refund)
	if order == nil {
		return nil
	}
	return tenancy.OwnRefund(ledger.Refund(mchID, refund.Number()), w.ownOrder(ledger, order), refund)
}

// orderOf returns a Refund's Order, in its current or last version.
func (w *world) orderOf(refund *v1alpha1.Refund) *v1alpha1.Order {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	order, _ := w.created[orderKey(refund)].(*v1alpha1.Order)
	return order
}

// exists reports whether there is an object of a kind that matches.
func exists[T client.Object](objects iter.Seq[client.Object], is func(T) bool) bool {
	for object := range objects {
		if of, isKind := object.(T); isKind && is(of) {
			return true
		}
	}
	return false
}

// everything returns all objects that ever existed, in order.
func (w *world) everything() []client.Object {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	var all []client.Object
	for _, k := range snapshot(w.created).keys() {
		all = append(all, w.created[k])
	}
	return all
}

// noteGrants records which Orders may use their Merchant now. A grant by labels lists the
// namespaces, see sharedMerchant.
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

// neverGranted reports whether an Order, or a Refund's Order, was never permitted to use its
// Merchant.
func (w *world) neverGranted(object client.Object) bool {
	k := keyOf(object)
	if refund, ok := object.(*v1alpha1.Refund); ok {
		k = orderKey(refund)
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return !w.granted[k]
}

// waitsForOthers reports whether an object keeps waiting for something that never happens: WeChat
// Pay accepting the stranger's key, or a grant. It is reconciled whenever something else is due.
func (w *world) waitsForOthers(k key) bool {
	if k.place == stranger {
		return true
	}
	refund, ok := w.objects()[k].(*v1alpha1.Refund)
	return ok && w.neverGranted(refund)
}

// guarded reports whether the approval policy was in force when a decision was made. The API server
// of the runs has no policy that could be removed.
func (w *world) guarded() bool { return true }

// checkCaller checks that no call is made for an object that does not participate.
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

// checkFacts checks whose facts each version of an object shows.
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

// onlyOne checks that a fact belongs to one object, identified by its name because a restore
// creates the same object again.
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

// checkSecrecy checks that a status reveals nothing about another namespace's objects.
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
