package webhookserver

import (
	"context"
	"errors"

	"k8s.io/klog/v2"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/claims"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/status"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// refund settles a refund callback. It says which refund to ask for; what the query answers is stored. (A callback that is not
// signed proves nothing.)
func (h *Handler) refund(ctx context.Context, c *callback) result {
	notification, err := h.parse(ctx, c, wechatpay.RefundCallback)
	if err != nil {
		return c.unreadable(err)
	}
	if !c.account.Believes(c.merchant, notification.KeyID) {
		return c.unproven()
	}
	claimed := notification.Refund
	c.log = c.log.WithValues("outRefundNo", claimed.OutRefundNo)
	refund, order, err := h.claims().RefundOfCallback(ctx, h.looking(c), c.merchant,
		claims.RefundNumbers{OutTradeNo: claimed.OutTradeNo, OutRefundNo: claimed.OutRefundNo})
	switch {
	case err != nil:
		c.log.Error(err, "Failed to look for the Refund of a callback")
		return failed("refund could not be read")
	case refund == nil:
		c.log.Info("No Refund has the number of a refund callback; WeChat Pay will ask again")
		return unmatched()
	case finalAtWeChat(refund):
		return repeated()
	}
	return h.inquiries.learn(ctx, refund.UID, h.Clock.Now, func() learned { return h.inquire(ctx, c, refund, order) }).answerTo(claimed.Status)
}

// inquire asks WeChat for a refund, and stores what it says.
func (h *Handler) inquire(ctx context.Context, c *callback, refund *v1alpha1.Refund, order *v1alpha1.Order) learned {
	if !h.mayTake(tenantKey{"query", c.merchantKey()}, queriesPerSecond) {
		c.log.Info("Too many refund callbacks in a second; WeChat Pay will ask again")
		return learned{result: failed("too many callbacks")}
	}
	if !h.inFlight.acquire(ctx, c.tenantKey(), settledAtOnce, 0) {
		return learned{result: c.tooMany()}
	}
	defer h.inFlight.release(c.tenantKey())
	fact, err := c.account.QueryRefund(ctx, wechatpay.RefundRef{OutRefundNo: refund.Number(), AppID: lifecycle.AppID(order, c.merchant)})
	if err != nil {
		c.log.Info("Could not confirm a refund callback; WeChat Pay will ask again", "problem", err.Error())
		return learned{asked: true, result: failed("refund could not be confirmed")}
	}
	return learned{asked: true, status: fact.Status, result: h.storeRefund(ctx, c, refund, order, fact)}
}

// ownsRefund says whether what WeChat has as refundID may be a Refund's.
func (h *Handler) ownsRefund(ctx context.Context, c *callback, refund *v1alpha1.Refund, refundID string) (bool, error) {
	if holder, err := h.claims().HolderOfRefund(ctx, refund, c.merchant, refundID); holder != nil || err != nil {
		return false, err
	}
	owner, err := h.claims().OwnerOfRefund(ctx, refund, c.merchant)
	if err != nil {
		return false, err
	}
	return owner.UID == refund.UID, nil
}

// finalAtWeChat says whether QueryRefund has told the end of the refund, which is then never left, whatever a late or repeated
// callback says. Other ends are our own (Denied, Rejected): if WeChat calls back all the same, it has to be asked.
func finalAtWeChat(refund *v1alpha1.Refund) bool {
	return lifecycle.RefundSucceeded(refund) || lifecycle.SucceededReason(refund) == v1alpha1.ReasonClosed
}

// storeRefund writes what QueryRefund said.
func (h *Handler) storeRefund(ctx context.Context, c *callback, refund *v1alpha1.Refund, order *v1alpha1.Order, fact wechatpay.RefundFact) result {
	reporter := h.reporter(wechatpay.OperationRefundCallback)
	reporter.Log = reporter.Log.WithValues("merchant", klog.KObj(c.merchant), "outTradeNo", order.Number())
	var before string
	written, err := status.Update(ctx, h.writer(reporter.Log), refund, func(refund *v1alpha1.Refund) error {
		owns, err := h.ownsRefund(ctx, c, refund, fact.RefundID)
		switch {
		case err != nil:
			return err
		case !owns:
			return errNotOwner
		}
		before = lifecycle.SucceededReason(refund)
		lifecycle.RefundLearned(refund, c.merchant.Spec.RefundApproval, order.Number(), fact, h.Clock.Now())
		return nil
	})
	switch {
	case err == nil && !written:
		return h.confirmed(c, refund, repeated(), fact)
	case err == nil:
		reporter.Refund(refund, before)
		return h.confirmed(c, refund, recorded(), fact)
	case errors.Is(err, errNotOwner):
		c.log.Info("The number of a refund belongs to another Refund; WeChat Pay will ask again", "refund", refund.Name)
		return unmatched()
	default:
		return c.notStored(err)
	}
}

// confirmed says whether what is stored now is what QueryRefund said.
func (h *Handler) confirmed(c *callback, refund *v1alpha1.Refund, stored result, fact wechatpay.RefundFact) result {
	if lifecycle.RefundMismatched(refund) {
		return disputed("mismatch")
	}
	if !shows(refund, fact.Status) {
		c.log.Info("WeChat Pay has a refund that ended otherwise here", "refund", refund.Name, "here", lifecycle.SucceededReason(refund), "there", string(fact.Status))
		h.Recorder.Eventf(refund, nil, "Warning", "RefundAtWeChat", "Settle",
			"WeChat Pay has the refund %s as %s although it ended here (%s): compare with the merchant platform", refund.Number(), fact.Status, lifecycle.SucceededReason(refund))
		return disputed("conflict")
	}
	return stored
}

// shows says whether a Refund's status holds what QueryRefund said. It does not when the Refund had ended before for a reason
// of ours, which is never left.
func shows(refund *v1alpha1.Refund, said wechatpay.RefundStatus) bool {
	switch said {
	case wechatpay.RefundStatusSucceeded:
		return lifecycle.RefundSucceeded(refund)
	case wechatpay.RefundStatusClosed:
		return lifecycle.SucceededReason(refund) == v1alpha1.ReasonClosed
	default:
		return !lifecycle.RefundFinal(refund)
	}
}
