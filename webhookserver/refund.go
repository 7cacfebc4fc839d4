package webhookserver

import (
	"cmp"
	"context"
	"errors"

	"k8s.io/klog/v2"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/claims"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/status"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// refund finds the Refund of a refund callback. If it is not signed it proves nothing: it only names the refund
// to query, and the result of the query is stored. One that is signed and agrees with its Refund is
// stored as it is.
func (h *Handler) refund(ctx context.Context, c *callback, notification wechatpay.Notification) result {
	claimed := notification.Refund
	c.log = c.log.WithValues("outRefundNo", claimed.OutRefundNo)
	refund, order, err := h.claims().RefundOfCallback(ctx, h.lookupReader(c), c.merchant,
		claims.RefundNumbers{OutTradeNo: claimed.OutTradeNo, OutRefundNo: claimed.OutRefundNo})
	switch {
	case err != nil:
		c.log.Error(err, "Failed to look for the Refund of a callback")
		return failed("refund could not be read")
	case refund == nil:
		c.log.Info("No Refund has the number of a refund callback; WeChat Pay will repeat it")
		return unmatched()
	case finalAtWeChat(refund):
		return repeated()
	}
	if isFinalFact(notification, refund, order) {
		return h.storeRefund(ctx, c, refund, order, *claimed)
	}
	return h.refundQueries.do(ctx, refund.UID, h.Clock.Now, func() queryResult { return h.queryRefund(ctx, c, refund, order) }).replyTo(claimed.Status)
}

// isFinalFact reports whether a signed callback states the final state of exactly this refund. A
// state that is not final may be outdated, since a callback can be repeated for some minutes.
func isFinalFact(notification wechatpay.Notification, refund *v1alpha1.Refund, order *v1alpha1.Order) bool {
	fact := notification.Refund
	final := fact.Status == wechatpay.RefundStatusSucceeded || fact.Status == wechatpay.RefundStatusClosed
	return notification.Proven && final && fact.OutTradeNo == order.Number() && fact.OutRefundNo == refund.Number() && fact.Amount == refund.Spec.Amount
}

// queryRefund queries a refund and stores the result.
func (h *Handler) queryRefund(ctx context.Context, c *callback, refund *v1alpha1.Refund, order *v1alpha1.Order) queryResult {
	if !h.takeTokens(tenantKey{"query", c.merchantKey()}, queriesPerSecond) {
		c.log.Info("Too many refund callbacks in a second; WeChat Pay will repeat it")
		return queryResult{result: failed("too many callbacks")}
	}
	if !h.inFlight.acquire(ctx, c.tenantKey(), concurrentCallbacks, 0) {
		return queryResult{result: c.tooMany()}
	}
	defer h.inFlight.release(c.tenantKey())
	fact, err := c.account.QueryRefund(ctx, wechatpay.RefundRef{OutRefundNo: refund.Number(), AppID: lifecycle.AppID(order, c.merchant)})
	if err != nil {
		c.log.Info("Could not confirm a refund callback; WeChat Pay will repeat it", "problem", err.Error())
		return queryResult{queried: true, result: failed("refund could not be confirmed")}
	}
	return queryResult{queried: true, status: fact.Status, result: h.storeRefund(ctx, c, refund, order, fact)}
}

// checkRefundOwner returns errNotOwner if a Refund may not record the WeChat refund refundID.
func (h *Handler) checkRefundOwner(ctx context.Context, c *callback, refund *v1alpha1.Refund, refundID string) error {
	if holder, err := h.claims().HolderOfRefund(ctx, refund, c.merchant, refundID); holder != nil || err != nil {
		return cmp.Or(err, errNotOwner)
	}
	owner, err := h.claims().OwnerOfRefund(ctx, refund, c.merchant)
	if err == nil && owner.UID != refund.UID {
		return errNotOwner
	}
	return err
}

// finalAtWeChat reports whether WeChat Pay's final state of the refund is stored, which no later
// callback changes. Other final states are the operator's own (Denied, Rejected): if WeChat calls
// back nevertheless, the refund must be queried.
func finalAtWeChat(refund *v1alpha1.Refund) bool {
	return lifecycle.RefundSucceeded(refund) || lifecycle.SucceededReason(refund) == v1alpha1.ReasonClosed
}

// storeRefund stores a refund fact: the result of a query, or a signed callback with a final state.
func (h *Handler) storeRefund(ctx context.Context, c *callback, refund *v1alpha1.Refund, order *v1alpha1.Order, fact wechatpay.RefundFact) result {
	reporter := h.reporter(wechatpay.OperationRefundCallback)
	reporter.Log = reporter.Log.WithValues("merchant", klog.KObj(c.merchant), "outTradeNo", order.Number())
	var before string
	written, err := status.Update(ctx, h.writer(reporter.Log), refund, func(refund *v1alpha1.Refund) error {
		if err := h.checkRefundOwner(ctx, c, refund, fact.RefundID); err != nil {
			return err
		}
		before = lifecycle.SucceededReason(refund)
		lifecycle.RefundLearned(refund, c.merchant.Spec.RefundApproval, order.Number(), fact, h.Clock.Now())
		return nil
	})
	switch {
	case err == nil && !written:
		return h.checkStored(c, refund, repeated(), fact)
	case err == nil:
		reporter.Refund(refund, before)
		return h.checkStored(c, refund, recorded(), fact)
	case errors.Is(err, errNotOwner):
		c.log.Info("The number of a refund belongs to another Refund; WeChat Pay will repeat it", "refund", refund.Name)
		return unmatched()
	default:
		return c.notStored(err)
	}
}

// checkStored returns success if the stored status matches the fact.
func (h *Handler) checkStored(c *callback, refund *v1alpha1.Refund, success result, fact wechatpay.RefundFact) result {
	if lifecycle.RefundMismatched(refund) {
		return disputed("mismatch")
	}
	if !matchesStatus(refund, fact.Status) {
		c.log.Info("A refund has another final state at WeChat Pay than here", "refund", refund.Name, "here", lifecycle.SucceededReason(refund), "there", string(fact.Status))
		h.Recorder.Eventf(refund, nil, "Warning", "RefundAtWeChat", "Settle",
			"WeChat Pay reports the refund %s as %s, but its Refund has ended as %s: compare with the merchant platform", refund.Number(), fact.Status, lifecycle.SucceededReason(refund))
		return disputed("conflict")
	}
	return success
}

// matchesStatus reports whether a Refund's status matches the state at WeChat Pay. It does not if
// the Refund ended before for a reason of the operator's own, which is final.
func matchesStatus(refund *v1alpha1.Refund, atWeChat wechatpay.RefundStatus) bool {
	switch atWeChat {
	case wechatpay.RefundStatusSucceeded:
		return lifecycle.RefundSucceeded(refund)
	case wechatpay.RefundStatusClosed:
		return lifecycle.SucceededReason(refund) == v1alpha1.ReasonClosed
	default:
		return !lifecycle.RefundFinal(refund)
	}
}
