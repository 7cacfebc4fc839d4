package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
	"github.com/wechatpay-operator/wechatpay-operator/internal/status"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// kube-apiserver checks once whether an object to delete has finalizers, and then deletes whatever
// revision exists: a request that found none succeeds even if one was added in the meantime. So an
// Order may be deleted during its CreateOrder call. Then only this process can close it: it does so
// from memory, and until that is done no other Order may use the number. An Order that is deleted
// after its prepay was recorded is not closed: a payer may have that prepay, and if the object is
// applied again, it finds the order open.

// deletionWindow is how long after a call an object can still be removed by a deletion that began
// before the finalizer was added: kube-apiserver ends requests after a minute.
const deletionWindow = time.Minute

// askedOrder is an Order for which CreateOrder was called, as it was at that time.
type askedOrder struct {
	order   *v1alpha1.Order
	account account.ID
	// deletedTime is when it was found deleted, and next when closing it is tried again.
	deletedTime, next time.Time
}

// deletedOrders are the Orders with a recent CreateOrder call, and those of them that were deleted
// and are not closed yet.
type deletedOrders struct {
	asked *recent[types.NamespacedName, *askedOrder]

	mutex   sync.Mutex
	closing map[types.NamespacedName][]*askedOrder
}

func newDeletedOrders(clock clock.PassiveClock) *deletedOrders {
	return &deletedOrders{asked: newRecent[types.NamespacedName, *askedOrder](deletionWindow, clock), closing: map[types.NamespacedName][]*askedOrder{}}
}

// note records an Order before its CreateOrder call.
func (g *deletedOrders) note(o *order) {
	order := &v1alpha1.Order{ObjectMeta: *o.ObjectMeta.DeepCopy(), Spec: *o.Spec.DeepCopy()}
	order.Status.Prepay = &v1alpha1.OrderPrepay{} // it counts as started, so no grant is checked
	g.asked.set(client.ObjectKeyFromObject(order), &askedOrder{order: order, account: account.IDOf(o.merchant)})
}

// forget removes an Order whose deletion is regular.
func (g *deletedOrders) forget(order *v1alpha1.Order) {
	g.asked.take(client.ObjectKeyFromObject(order), func(asked *askedOrder) bool { return asked.order.UID == order.UID })
}

// takeDeleted returns the Order of a name that was deleted during its CreateOrder call: no object
// has that name now, or another one has it.
func (g *deletedOrders) takeDeleted(key types.NamespacedName, present types.UID, now time.Time) (*askedOrder, bool) {
	gone, found := g.asked.take(key, func(asked *askedOrder) bool { return asked.order.UID != present })
	if found {
		gone.deletedTime, gone.next = now, now
		g.mutex.Lock()
		defer g.mutex.Unlock()
		g.closing[key] = append(g.closing[key], gone)
	}
	return gone, found
}

func (g *deletedOrders) toClose(key types.NamespacedName) []*askedOrder {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	return slices.Clone(g.closing[key])
}

func (g *deletedOrders) closed(key types.NamespacedName, order *askedOrder) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	left := slices.DeleteFunc(g.closing[key], func(other *askedOrder) bool { return other == order })
	if g.closing[key] = left; len(left) == 0 {
		delete(g.closing, key)
	}
}

// numberBeingClosed reports whether an Order with the same number of the same account was deleted
// and is not closed at WeChat yet. There are few such Orders, if any.
func (r *OrderReconciler) numberBeingClosed(account account.ID, number string) bool {
	r.deleted.mutex.Lock()
	defer r.deleted.mutex.Unlock()
	for _, orders := range r.deleted.closing {
		for _, order := range orders {
			if order.account == account && strings.EqualFold(order.order.Number(), number) {
				return true
			}
		}
	}
	return false
}

// awaitNumber delays an Order until a deleted one with its number is closed at WeChat.
func (r *OrderReconciler) awaitNumber(ctx context.Context, o *order) progress {
	if o.Status.Prepay != nil || !r.numberBeingClosed(account.IDOf(o.merchant), o.Number()) {
		return next()
	}
	return r.showPending(ctx, o, fmt.Sprintf("Another Order of the number %s was deleted during the call that creates it at WeChat Pay, and is closed there first", o.Number()), r.Timing.CloseRetry)
}

// stoppedDuringCreate is stoppedBy after a call that may have created the order at WeChat.
func (r *OrderReconciler) stoppedDuringCreate(ctx context.Context, o *order, err error) progress {
	if !errors.Is(err, status.ErrReplaced) {
		return stoppedBy(err)
	}
	const nobody = types.UID("")
	return r.closeDeleted(ctx, client.ObjectKeyFromObject(o.Order), nobody)
}

// forgetIfNotCreated removes an Order if the call certainly did not create it: then an order that
// WeChat has under the number is not this Order's, and must not be closed.
func (r *OrderReconciler) forgetIfNotCreated(o *order, err error) {
	outcome := wechatpay.OutcomeOf(err)
	if err != nil && (outcome == wechatpay.NotSent || outcome == wechatpay.Failed) &&
		(!lifecycle.Started(o.Order) || lifecycle.IsUsedAtWeChat(o.Order)) {
		r.deleted.forget(o.Order)
	}
}

// closeDeleted closes the Orders of a name that were deleted during their CreateOrder calls. It
// does not touch an existing one.
func (r *OrderReconciler) closeDeleted(ctx context.Context, key types.NamespacedName, present types.UID) progress {
	if gone, found := r.deleted.takeDeleted(key, present, r.Clock.Now()); found {
		metrics.GoneDuringCalls.WithLabelValues("Order").Inc()
		r.log(ctx).Info("An Order is gone since WeChat Pay was asked to make it; it is closed there", "order", key.String(), "outTradeNo", gone.order.Number())
		r.warnMerchant(ctx, gone, "Order %s of namespace %s was deleted during the call that creates it at WeChat Pay. No payer got a prepay, and order %s is being closed at WeChat Pay",
			gone.order.Name, gone.order.Namespace, gone.order.Number())
	}
	end := done()
	for _, gone := range r.deleted.toClose(key) {
		now := r.Clock.Now()
		if now.Before(gone.next) {
			end = soonest(end, again(gone.next.Sub(now)))
			continue
		}
		if wait := r.closeNow(ctx, gone); wait > 0 {
			gone.next = r.Clock.Now().Add(wait)
			end = soonest(end, again(wait))
			continue
		}
		r.deleted.closed(key, gone)
		r.Claims.Calls.End(gone.order.UID)
	}
	return end
}

// closeNow closes a deleted Order. It returns when to retry, or zero if nothing more is to be done.
func (r *OrderReconciler) closeNow(ctx context.Context, gone *askedOrder) time.Duration {
	found, acc, err := r.merchantOfStarted(ctx, gone.order)
	if err == nil {
		err = closedAtWeChat(ctx, acc, wechatpay.OrderRef{OutTradeNo: gone.order.Number(), AppID: lifecycle.AppID(gone.order, found)})
	}
	patience, wait := r.Timing.AbandonAtLast, r.Timing.CloseRetry
	waited := r.Clock.Since(gone.deletedTime)
	if _, unusable := account.AsProblem(err); unusable {
		patience, wait = r.Timing.AbandonAfter, r.Timing.SecretsCheck
	}
	switch {
	case err == nil:
		return 0
	case wechatpay.Means(err, wechatpay.OrderPaid):
		r.warnMerchant(ctx, gone, "Order %s of namespace %s is gone, and order %s was paid at WeChat Pay: create it again from the same YAML to see the payment, or refund it in the merchant platform",
			gone.order.Name, gone.order.Namespace, gone.order.Number())
		return 0
	case wechatpay.Means(err, wechatpay.OrderNotExist) && waited >= r.Timing.NotExistGrace:
		return 0 // it never arrived
	case waited >= patience:
		metrics.FinalizersReleased.WithLabelValues("Order").Inc()
		r.warnMerchant(ctx, gone, "Order %s of namespace %s is gone, and order %s could not be closed at WeChat Pay: %v", gone.order.Name, gone.order.Namespace, gone.order.Number(), err)
		return 0
	case wechatpay.RetryAfter(err) > 0:
		return wechatpay.RetryAfter(err)
	default:
		return wait
	}
}

// closedAtWeChat closes an order and confirms it by a query: the answer to CloseOrder does not name
// the order.
func closedAtWeChat(ctx context.Context, acc *account.Account, order wechatpay.OrderRef) error {
	if err := acc.CloseOrder(ctx, order); err != nil {
		return err
	}
	trade, err := acc.QueryOrder(ctx, order)
	switch {
	case err != nil:
		return err
	case trade.State.Closed():
		return nil
	default: // if it was paid first, the next CloseOrder returns that
		return errQueryLags
	}
}

// warnMerchant writes an event about the Merchant of a deleted Order.
func (r *OrderReconciler) warnMerchant(ctx context.Context, gone *askedOrder, format string, arguments ...any) {
	found := &v1alpha1.Merchant{}
	if err := r.Client.Get(ctx, merchantKeyOf(gone.order), found); err == nil {
		r.warn(found, "OrderGone", "Close", format, arguments...)
	}
}
