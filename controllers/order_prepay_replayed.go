package controllers

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/index"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// prepayTTL is how long a prepay is kept in memory, until the cache certainly shows it.
const prepayTTL = time.Minute

// prepayValue leads a payer to an order of an account.
type prepayValue struct {
	account account.ID
	value   string
}

// prepayHolder is the Order for which WeChat returned it.
type prepayHolder struct {
	order    types.NamespacedName
	merchant *v1alpha1.Merchant
}

// checkPrepayIsNew refuses a prepay that another Order of the same merchant number has: the payer
// would pay that Order. WeChat never returns the same one for two orders, so the answer is
// replayed, and this Order's outcome is unknown.
func (r *OrderReconciler) checkPrepayIsNew(ctx context.Context, o *order, answer wechatpay.Prepay) error {
	for _, value := range index.PrepayValues(answer.ID, answer.CodeURL, answer.MWEBURL) {
		holder := prepayHolder{order: client.ObjectKeyFromObject(o), merchant: o.merchant}
		other, taken := r.prepaid.setUnless(prepayValue{account.IDOf(o.merchant), value}, holder, func(other prepayHolder) bool {
			return other.order != holder.order && account.SameAccount(other.merchant, o.merchant)
		})
		if taken {
			return prepayOfAnother(o, other.order)
		}
		var others v1alpha1.OrderList
		if err := r.Client.List(ctx, &others, client.MatchingFields{index.OrderPrepay: value}, index.WithoutOwnWrites); err != nil {
			return err
		}
		for i := range others.Items {
			other := &others.Items[i]
			if other.Namespace == o.Namespace && other.Name == o.Name {
				continue
			}
			its, err := account.OfParticipant(ctx, r.Client, other)
			if _, refused := account.AsProblem(err); refused {
				continue
			}
			if err != nil {
				return err
			}
			if account.SameAccount(its, o.merchant) {
				return prepayOfAnother(o, client.ObjectKeyFromObject(other))
			}
		}
	}
	return nil
}

// prepayOfAnother names the other Order only within the namespace.
func prepayOfAnother(o *order, other types.NamespacedName) error {
	whose := "an Order in another namespace"
	if other.Namespace == o.Namespace {
		whose = "the Order " + other.Name
	}
	return &wechatpay.Error{
		Operation: wechatpay.OperationCreateOrder, Outcome: wechatpay.Unknown, Meaning: wechatpay.NeedsAttention,
		Err: fmt.Errorf("the answer has the prepay of %s: somebody between here and WeChat Pay repeats recorded answers", whose),
	}
}
