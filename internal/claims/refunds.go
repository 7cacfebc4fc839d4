package claims

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/index"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
)

// OwnerOfRefund returns the Refund that owns the number of a Refund whose Order may use the
// Merchant: the Refund itself or another one.
func (c *Claims) OwnerOfRefund(ctx context.Context, refund *v1alpha1.Refund, merchant *v1alpha1.Merchant) (*v1alpha1.Refund, error) {
	rivals, err := index.RefundsByNumber(ctx, c.Cached, refund.Number())
	if err != nil {
		return nil, fmt.Errorf("looking for other Refunds with the number %s: %w", refund.Number(), err)
	}
	owner, best := refund, c.strengthOfRefund(refund, merchant)
	for i := range rivals {
		rival, rivalMerchant, err := c.rivalRefund(ctx, refund, merchant, &rivals[i])
		if err != nil {
			return nil, err
		}
		if rival == nil {
			continue
		}
		if merchantOutranks(rivalMerchant, merchant) {
			return rival, nil
		}
		if strength := c.strengthOfRefund(rival, rivalMerchant); comesFirst(rival, strength, owner, best) {
			owner, best = rival, strength
		}
	}
	return owner, nil
}

func (c *Claims) rivalRefund(ctx context.Context, refund *v1alpha1.Refund, merchant *v1alpha1.Merchant, rival *v1alpha1.Refund) (*v1alpha1.Refund, *v1alpha1.Merchant, error) {
	if rival.UID == refund.UID || !refundClaimsItsNumber(rival) {
		return nil, nil, nil
	}
	order := &v1alpha1.Order{}
	err := c.Cached.Get(ctx, types.NamespacedName{Namespace: rival.Namespace, Name: rival.Spec.OrderRef.Name}, order)
	if apierrors.IsNotFound(err) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("reading the Order of another Refund with the number %s: %w", refund.Number(), err)
	}
	rivalMerchant, err := c.participates(ctx, order, merchant)
	if rivalMerchant == nil || err != nil {
		return nil, nil, err
	}
	if may, err := c.maySend(ctx, rival, order, rivalMerchant, merchant); !may || err != nil {
		return nil, nil, err
	}
	latest, err := latest(ctx, c, rival, &v1alpha1.Refund{}, "Refund", refund.Number(), refundClaimsItsNumber)
	if latest == nil || err != nil {
		return nil, nil, err
	}
	return latest, rivalMerchant, nil
}

// maySend reports whether a Refund was sent or may be sent: its Order is paid, and its Merchant
// currently permits it and its number.
func (c *Claims) maySend(ctx context.Context, refund *v1alpha1.Refund, order *v1alpha1.Order, rivalMerchant, merchant *v1alpha1.Merchant) (bool, error) {
	if lifecycle.RefundBegun(refund) {
		return true, nil
	}
	if !lifecycle.IsPaid(order) || !account.SameAccount(rivalMerchant, merchant) {
		return false, nil
	}
	err := account.PermitsRefund(ctx, c.Cached, rivalMerchant, order, refund.Number())
	if _, refused := account.AsProblem(err); refused {
		return false, nil
	}
	return err == nil, err
}

// refundClaimsItsNumber reports whether a Refund has its number at WeChat Pay or may still get it.
func refundClaimsItsNumber(refund *v1alpha1.Refund) bool {
	switch lifecycle.SucceededReason(refund) {
	case v1alpha1.ReasonDenied, v1alpha1.ReasonApprovedUnguarded, v1alpha1.ReasonExceedsPaid, v1alpha1.ReasonRejected, v1alpha1.ReasonNumberInUse:
		return false
	default:
		return lifecycle.RefundBegun(refund) || refund.DeletionTimestamp == nil
	}
}

func (c *Claims) strengthOfRefund(refund *v1alpha1.Refund, merchant *v1alpha1.Merchant) strength {
	switch {
	case lifecycle.RefundSucceeded(refund), lifecycle.RefundAccepted(refund):
		return recorded
	case lifecycle.RefundBegun(refund):
		return begun
	}
	return c.strengthOfCall(numberOf(account.IDOf(merchant), refunds, refund.Number()), refund.UID)
}

// RefundIsDecided reports whether WeChat Pay confirmed that the number belongs to its owner or is
// unused: a Refund that awaits approval was queried before. Until then WeChat Pay may have the
// number for another Refund that lost its status.
func RefundIsDecided(owner *v1alpha1.Refund) bool {
	return lifecycle.RefundSucceeded(owner) || lifecycle.RefundAccepted(owner) || lifecycle.ApprovedReason(owner) == v1alpha1.ReasonAwaitingApproval
}

// BeginRefund records that the request of a Refund is about to be sent. It returns false while a
// request of another object may be in flight.
func (c *Claims) BeginRefund(refund *v1alpha1.Refund, merchant *v1alpha1.Merchant) bool {
	return c.Calls.begin(numberOf(account.IDOf(merchant), refunds, refund.Number()), refund.UID)
}

// HolderOfRefund returns another Refund with the same number that has recorded refundID; nil if
// there is none. Within a namespace this holds even if that Refund's Order changed; for another
// namespace, only while its Merchant belongs to the same account.
func (c *Claims) HolderOfRefund(ctx context.Context, refund *v1alpha1.Refund, merchant *v1alpha1.Merchant, refundID string) (*v1alpha1.Refund, error) {
	rivals, err := index.RefundsByNumber(ctx, c.Cached, refund.Number())
	if err != nil {
		return nil, fmt.Errorf("looking for other Refunds with the number %s: %w", refund.Number(), err)
	}
	for i := range rivals {
		rival := &rivals[i]
		if rival.UID == refund.UID || !lifecycle.RefundAccepted(rival) || refundID == "" || rival.Status.RefundID != refundID {
			continue
		}
		if rival.Namespace == refund.Namespace {
			return rival, nil
		}
		order := &v1alpha1.Order{}
		err := c.Cached.Get(ctx, types.NamespacedName{Namespace: rival.Namespace, Name: rival.Spec.OrderRef.Name}, order)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading the Order of another Refund: %w", err)
		}
		if believed, err := c.isOfAccount(ctx, order, merchant); believed || err != nil {
			return rival, err
		}
	}
	return nil, nil
}
