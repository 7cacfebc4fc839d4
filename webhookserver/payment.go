package webhookserver

import (
	"cmp"
	"context"
	"errors"
	"net/http"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/status"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/protocols"
)

// payment finds the Order of a payment callback, stores the payment, and then answers.
func (h *Handler) payment(ctx context.Context, c *callback, notification wechatpay.Notification) result {
	payment := notification.Payment
	c.log = c.log.WithValues("outTradeNo", payment.OutTradeNo)
	order, err := h.claims().OrderOfPayment(ctx, h.lookupReader(c), c.merchant, payment.OutTradeNo, payment.Attach)
	switch {
	case err != nil:
		c.log.Error(err, "Failed to look for the Order of a payment")
		return failed("order could not be read")
	case order == nil:
		c.log.Info("No Order has the number and attach of a verified payment; WeChat Pay will repeat it", "transaction", payment.TransactionID)
		return unmatched()
	}
	if !h.acquirePaymentSlot(ctx, c) {
		return c.tooMany()
	}
	defer h.inFlight.release(c.tenantKey())
	return h.storePayment(ctx, c, order, notification)
}

// acquirePaymentSlot waits until the payment may be stored.
func (h *Handler) acquirePaymentSlot(ctx context.Context, c *callback) bool {
	ctx, cancel := context.WithTimeout(ctx, paymentQueueTimeout)
	defer cancel()
	return h.inFlight.acquire(ctx, c.tenantKey(), concurrentCallbacks, queuedPayments)
}

var (
	errWeakScheme = errors.New("signed with a weaker algorithm")
	errNotOwner   = errors.New("the number belongs to another")
)

// storePayment writes the payment into the Order's status. The copy that was found may be outdated;
// the API server then refuses the write, and all checks are repeated on the newer object.
func (h *Handler) storePayment(ctx context.Context, c *callback, order *v1alpha1.Order, notification wechatpay.Notification) result {
	payee, reporter := lifecycle.PayeeOf(order, c.merchant), h.reporter(wechatpay.OperationPaymentCallback)
	var verdict lifecycle.Verdict
	var message string
	_, err := status.Update(ctx, h.writer(reporter.Log), order, func(order *v1alpha1.Order) error {
		if prepared := lifecycle.PreparedScheme(order, c.merchant); weaker(c.protocol, notification.Scheme, prepared) {
			return errWeakScheme
		}
		if err := h.checkOwner(ctx, c, order, notification.Payment.TransactionID); err != nil {
			return err
		}
		verdict, message = lifecycle.Paid(order, payee, *notification.Payment, h.Clock.Now())
		return nil
	})
	switch {
	case err == nil && verdict == lifecycle.AlreadyRecorded:
		return repeated()
	case err == nil:
		reporter.Payment(order, c.merchant, verdict, message)
		return resultOf(verdict)
	case errors.Is(err, errWeakScheme):
		c.log.Info("Refused a callback that is signed with a weaker algorithm than its Order was prepared with", "algorithm", string(notification.Scheme))
		return refused(http.StatusForbidden, "not verified")
	case errors.Is(err, errNotOwner):
		c.log.Info("The number of a verified payment belongs to another Order; WeChat Pay will repeat it", "order", order.Name)
		return unmatched()
	default:
		return c.notStored(err)
	}
}

// weaker reports whether a callback is signed with a weaker algorithm than its order.
func weaker(protocol v1alpha1.Protocol, callback, order wechatpay.Scheme) bool {
	spoken, known := protocols.Of(protocol)
	return !known || spoken.Weaker(callback, order)
}

// checkOwner returns errNotOwner if an Order may not record a payment. A payment that is recorded
// already is not checked again.
func (h *Handler) checkOwner(ctx context.Context, c *callback, order *v1alpha1.Order, transactionID string) error {
	if lifecycle.IsPaid(order) {
		return nil
	}
	if holder, err := h.claims().HolderOfPayment(ctx, order, c.merchant, transactionID); holder != nil || err != nil {
		return cmp.Or(err, errNotOwner)
	}
	owner, err := h.claims().OwnerOfOrder(ctx, order, c.merchant)
	if err == nil && owner.UID != order.UID {
		return errNotOwner
	}
	return err
}

func resultOf(verdict lifecycle.Verdict) result {
	switch verdict {
	case lifecycle.Recorded:
		return recorded()
	case lifecycle.AlreadyRecorded:
		return repeated()
	case lifecycle.NotOurs:
		return unmatched()
	case lifecycle.Conflict:
		return disputed("conflict")
	default:
		return disputed("mismatch")
	}
}
