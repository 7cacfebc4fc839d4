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

// kube-apiserver looks once whether an object that is to be deleted has finalizers, and then deletes whatever revision there is: a
// request that found none goes through although one was added in the meantime. So an Order may be gone while WeChat is asked to make
// it. Nobody can close it then but who asked: it is closed here, from memory, and until that is done no other Order may have its
// number. An Order that goes after its prepay was recorded is not closed: a payer may have that prepay by then, and who lost the
// object applies it again and finds it open.

// goneWithin is how long after a call an object may still go by a deletion that began before it was held: kube-apiserver ends
// requests after a minute.
const goneWithin = time.Minute

// askedOrder is an Order that WeChat was asked to make, as it was then.
type askedOrder struct {
	order   *v1alpha1.Order
	account account.ID
	// gone is when it was found gone, and next when closing it is tried again.
	gone, next time.Time
}

// goneOrders are the Orders that WeChat was asked to make lately, and those of them that are gone and not closed yet.
type goneOrders struct {
	asked *recent[types.NamespacedName, *askedOrder]

	mutex   sync.Mutex
	closing map[types.NamespacedName][]*askedOrder
}

func newGoneOrders(clock clock.PassiveClock) *goneOrders {
	return &goneOrders{asked: newRecent[types.NamespacedName, *askedOrder](goneWithin, clock), closing: map[types.NamespacedName][]*askedOrder{}}
}

// note remembers an Order before WeChat is asked to make it.
func (g *goneOrders) note(o *order) {
	order := &v1alpha1.Order{ObjectMeta: *o.ObjectMeta.DeepCopy(), Spec: *o.Spec.DeepCopy()}
	order.Status.Prepay = &v1alpha1.OrderPrepay{} // it has begun: nobody's grant is asked for any more
	g.asked.set(client.ObjectKeyFromObject(order), &askedOrder{order: order, account: account.IDOf(o.merchant)})
}

// settled forgets an Order that goes because all is settled.
func (g *goneOrders) settled(order *v1alpha1.Order) {
	g.asked.take(client.ObjectKeyFromObject(order), func(asked *askedOrder) bool { return asked.order.UID == order.UID })
}

// missing is the Order of a name that WeChat was asked to make and that is not there any more: there is none of that name, or another.
func (g *goneOrders) missing(key types.NamespacedName, present types.UID, now time.Time) (*askedOrder, bool) {
	gone, found := g.asked.take(key, func(asked *askedOrder) bool { return asked.order.UID != present })
	if found {
		gone.gone, gone.next = now, now
		g.mutex.Lock()
		defer g.mutex.Unlock()
		g.closing[key] = append(g.closing[key], gone)
	}
	return gone, found
}

func (g *goneOrders) toClose(key types.NamespacedName) []*askedOrder {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	return slices.Clone(g.closing[key])
}

func (g *goneOrders) closed(key types.NamespacedName, order *askedOrder) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	left := slices.DeleteFunc(g.closing[key], func(other *askedOrder) bool { return other == order })
	if g.closing[key] = left; len(left) == 0 {
		delete(g.closing, key)
	}
}

// numberBeingClosed says whether an Order of the same number of an account is gone and not closed at WeChat yet. There are few
// such Orders, if any.
func (r *OrderReconciler) numberBeingClosed(account account.ID, number string) bool {
	r.gone.mutex.Lock()
	defer r.gone.mutex.Unlock()
	for _, orders := range r.gone.closing {
		for _, order := range orders {
			if order.account == account && strings.EqualFold(order.order.Number(), number) {
				return true
			}
		}
	}
	return false
}

// awaitNumber lets an Order wait until another one of its number, which is gone, is closed at WeChat.
func (r *OrderReconciler) awaitNumber(ctx context.Context, o *order) progress {
	if o.Status.Prepay != nil || !r.numberBeingClosed(account.IDOf(o.merchant), o.Number()) {
		return next()
	}
	return r.showPending(ctx, o, fmt.Sprintf("Another Order of the number %s was deleted while WeChat Pay was being asked to make it, and is being closed there first", o.Number()), r.Timing.CloseRetry)
}

// stoppedWhileAsked is stoppedBy after a call that may have made the order at WeChat.
func (r *OrderReconciler) stoppedWhileAsked(ctx context.Context, o *order, err error) progress {
	if !errors.Is(err, status.ErrReplaced) {
		return stoppedBy(err)
	}
	const nobody = types.UID("")
	return r.closeGone(ctx, client.ObjectKeyFromObject(o.Order), nobody)
}

// madeNothing forgets an Order when it is sure that the call did not make it: what WeChat has under the number is not ours to close.
func (r *OrderReconciler) madeNothing(o *order, err error) {
	outcome := wechatpay.OutcomeOf(err)
	if err != nil && (outcome == wechatpay.NotSent || outcome == wechatpay.Failed) &&
		(!lifecycle.Started(o.Order) || lifecycle.IsUsedAtWeChat(o.Order)) {
		r.gone.settled(o.Order)
	}
}

// closeGone closes the Orders of a name that are gone since WeChat was asked to make them. The present one, if there is one, is not
// touched.
func (r *OrderReconciler) closeGone(ctx context.Context, key types.NamespacedName, present types.UID) progress {
	if gone, found := r.gone.missing(key, present, r.Clock.Now()); found {
		metrics.GoneDuringCalls.WithLabelValues("Order").Inc()
		r.log(ctx).Info("An Order is gone since WeChat Pay was asked to make it; it is closed there", "order", key.String(), "outTradeNo", gone.order.Number())
		r.tellMerchant(ctx, gone, "Order %s of namespace %s was deleted while WeChat Pay was being asked to make it. Nobody was given anything to pay with, and order %s is being closed at WeChat Pay",
			gone.order.Name, gone.order.Namespace, gone.order.Number())
	}
	end := done()
	for _, gone := range r.gone.toClose(key) {
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
		r.gone.closed(key, gone)
		r.Claims.Calls.End(gone.order.UID)
	}
	return end
}

// closeNow closes an Order that is gone. It returns after which wait to try again, and zero when there is nothing more to be done.
func (r *OrderReconciler) closeNow(ctx context.Context, gone *askedOrder) time.Duration {
	found, handle, err := r.merchantOfStarted(ctx, gone.order)
	if err == nil {
		err = closedAtWeChat(ctx, handle, wechatpay.OrderRef{OutTradeNo: gone.order.Number(), AppID: lifecycle.AppID(gone.order, found)})
	}
	patience, wait := r.Timing.AbandonAtLast, r.Timing.CloseRetry
	waited := r.Clock.Since(gone.gone)
	if _, unusable := account.AsProblem(err); unusable {
		patience, wait = r.Timing.AbandonAfter, r.Timing.SecretsCheck
	}
	switch {
	case err == nil:
		return 0
	case wechatpay.Means(err, wechatpay.OrderPaid):
		r.tellMerchant(ctx, gone, "Order %s of namespace %s is gone, and order %s was paid at WeChat Pay: create it again from the same YAML to see the payment, or refund it in the merchant platform",
			gone.order.Name, gone.order.Namespace, gone.order.Number())
		return 0
	case wechatpay.Means(err, wechatpay.OrderNotExist) && waited >= r.Timing.NotExistGrace:
		return 0 // it never arrived
	case waited >= patience:
		metrics.FinalizersReleased.WithLabelValues("Order").Inc()
		r.tellMerchant(ctx, gone, "Order %s of namespace %s is gone, and order %s could not be closed at WeChat Pay: %v", gone.order.Name, gone.order.Namespace, gone.order.Number(), err)
		return 0
	case wechatpay.RetryAfter(err) > 0:
		return wechatpay.RetryAfter(err)
	default:
		return wait
	}
}

// closedAtWeChat closes an order and sees it closed: the answer to CloseOrder does not name the order.
func closedAtWeChat(ctx context.Context, handle *account.Account, order wechatpay.OrderRef) error {
	if err := handle.CloseOrder(ctx, order); err != nil {
		return err
	}
	trade, err := handle.QueryOrder(ctx, order)
	switch {
	case err != nil:
		return err
	case trade.State.Closed():
		return nil
	default: // a payment that was faster is told by the next CloseOrder
		return errQueryLags
	}
}

// tellMerchant writes an event about the Merchant of an Order that is gone.
func (r *OrderReconciler) tellMerchant(ctx context.Context, gone *askedOrder, format string, arguments ...any) {
	namespace, name := gone.order.MerchantKey()
	found := &v1alpha1.Merchant{}
	if err := r.Client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, found); err == nil {
		r.warn(found, "OrderGone", "Close", format, arguments...)
	}
}
