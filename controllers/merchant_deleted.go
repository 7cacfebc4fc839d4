package controllers

import (
	"context"
	"fmt"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/index"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
)

func (r *MerchantReconciler) addFinalizerUnlessDeleted(ctx context.Context, m *v1alpha1.Merchant) progress {
	if isDeleted(m) {
		return next()
	}
	if err := r.addFinalizer(ctx, m); err != nil && !isRefused(err) {
		return stop(client.IgnoreNotFound(err))
	}
	return next() // also without finalizer: Orders have their own, and the condition shows it
}

// releaseIfUnused removes the finalizer of a deleted Merchant when no unfinished Order or Refund
// needs its credentials any more.
func (r *MerchantReconciler) releaseIfUnused(ctx context.Context, m *v1alpha1.Merchant) progress {
	if !isDeleted(m) {
		return next()
	}
	if !hasFinalizer(m) {
		r.forget(client.ObjectKeyFromObject(m))
		return done()
	}
	users, err := r.countUsers(ctx, m)
	if err != nil {
		return failed(err)
	}
	if users == 0 {
		r.forget(client.ObjectKeyFromObject(m))
		return r.finishDeletion(ctx, m)
	}
	r.known.of(m).users = users
	waited := r.Clock.Since(m.DeletionTimestamp.Time)
	if problem := r.unusable(ctx, m); problem != nil && waited >= r.Timing.AbandonAfter {
		r.reportAbandoned(ctx, m, "Removed the finalizer although %d unfinished Orders and Refunds refer to it: %s", users, problem.Message)
		r.forget(client.ObjectKeyFromObject(m))
		return r.finishDeletion(ctx, m)
	}
	return next()
}

// finishDeletion removes the finalizer of an unused Merchant. If the cluster refuses that, the
// Merchant is reconciled like any other.
func (r *MerchantReconciler) finishDeletion(ctx context.Context, m *v1alpha1.Merchant) progress {
	err := r.removeFinalizer(ctx, m)
	if !isRefused(err) {
		r.refusals.forget(m.UID)
		return stop(err)
	}
	return next()
}

// unusable returns why no Order or Refund can make calls with the Merchant's credentials, or nil if
// they can or it is not known.
func (r *MerchantReconciler) unusable(ctx context.Context, m *v1alpha1.Merchant) *account.Problem {
	acc, err := r.Registry.Get(ctx, m)
	if err != nil {
		problem, _ := account.AsProblem(err)
		return problem
	}
	if problem := rejectedKey(m, acc); problem != nil {
		return problem
	}
	return noCalls(m, acc)
}

// countUsers counts the Orders and Refunds that may still need a call. Those that were never
// started do not: they have no finalizer, were created too late, or may not use the Merchant.
func (r *MerchantReconciler) countUsers(ctx context.Context, m *v1alpha1.Merchant) (int, error) {
	var orders v1alpha1.OrderList
	if err := r.Client.List(ctx, &orders, client.MatchingFields{index.OrderMerchant: m.Namespace + "/" + m.Name}); err != nil {
		return 0, err
	}
	users := 0
	for i := range orders.Items {
		order := &orders.Items[i]
		if hasFinalizer(order) && !lifecycle.IsFinished(order) && !createdTooLate(order, m) {
			uses, err := r.uses(ctx, order)
			if err != nil {
				return 0, err
			}
			if uses {
				users++
			}
		}
		if !lifecycle.IsPaid(order) {
			continue
		}
		refunds, err := r.refundsOf(ctx, r.Client, order.Namespace, order.Name)
		if err != nil {
			return 0, err
		}
		for j := range refunds {
			if !lifecycle.RefundFinal(&refunds[j]) && !isDeletedAndFree(&refunds[j]) {
				users++
			}
		}
	}
	return users, nil
}

// uses reports whether an Order may use the Merchant that it names. An Order that may not use it
// must not block its deletion.
func (r *MerchantReconciler) uses(ctx context.Context, order *v1alpha1.Order) (bool, error) {
	if lifecycle.Started(order) {
		return true, nil
	}
	_, err := account.ForOrder(ctx, r.Client, order)
	if problem, ok := account.AsProblem(err); ok {
		return problem.Reason != v1alpha1.ReasonNotPermitted, nil
	}
	return err == nil, err
}

// deletedMerchantOf returns the Merchant of an Order if it is being deleted, since it may wait for
// this Order.
func (r *MerchantReconciler) deletedMerchantOf(ctx context.Context, object client.Object) []reconcile.Request {
	key, found := merchantKeyOf(object.(*v1alpha1.Order)), &v1alpha1.Merchant{}
	if err := r.Client.Get(ctx, key, found); err != nil || !isDeleted(found) {
		return nil
	}
	return []reconcile.Request{{NamespacedName: key}}
}

const merchantDeletedNote = ". The Merchant is being deleted and waits for "

// withDeletion adds to the message of Ready what a deleted Merchant waits for. The message may be
// the one that is shown already, so its notes are removed first.
func (r *MerchantReconciler) withDeletion(m *v1alpha1.Merchant, message string) string {
	message, _, _ = strings.Cut(message, writeRefusedNote)
	message, _, _ = strings.Cut(message, merchantDeletedNote)
	if !isDeleted(m) {
		return message
	}
	users := r.known.of(m).users
	if users == 0 {
		return message
	}
	return message + merchantDeletedNote + manyOrFew(users) + " to end: close the Orders, and decide or delete the Refunds"
}

// manyOrFew counts unfinished Orders and Refunds. Large numbers are rounded down, so that each Order
// of thousands that ends does not write the Merchant.
func manyOrFew(users int) string {
	for _, many := range []int{10000, 1000, 100, 10} {
		if users > many {
			return fmt.Sprintf("more than %d unfinished Orders and Refunds", many)
		}
	}
	if users == 1 {
		return "1 unfinished Order or Refund"
	}
	return fmt.Sprintf("%d unfinished Orders and Refunds", users)
}
