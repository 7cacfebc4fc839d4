package webhookserver

import (
	"context"
	"errors"
	"net/http"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/status"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// payment settles a payment callback: verified over its raw fields, matched with its Order, stored, and only then answered.
func (h *Handler) payment(ctx context.Context, c *callback) result {
	notification, err := h.parse(ctx, c, wechatpay.PaymentCallback)
	if err != nil {
		return c.unreadable(err)
	}
	if !c.account.Believes(c.merchant, notification.KeyID) {
		return c.unproven()
	}
	payment := notification.Payment
	c.log = c.log.WithValues("outTradeNo", payment.OutTradeNo)
	order, err := h.claims().OrderOfPayment(ctx, h.looking(c), c.merchant, payment.OutTradeNo, payment.Attach)
	switch {
	case err != nil:
		c.log.Error(err, "Failed to look for the Order of a payment")
		return failed("order could not be read")
	case order == nil:
		c.log.Info("No Order has the number and attach of a verified payment; WeChat Pay will ask again", "transaction", payment.TransactionID)
		return unmatched()
	}
	if !h.awaitPlace(ctx, c) {
		return c.tooMany()
	}
	defer h.inFlight.release(c.tenantKey())
	return h.storePayment(ctx, c, order, notification)
}

// awaitPlace waits for a place among the payments that are being stored.
func (h *Handler) awaitPlace(ctx context.Context, c *callback) bool {
	ctx, cancel := context.WithTimeout(ctx, placePatience)
	defer cancel()
	return h.inFlight.acquire(ctx, c.tenantKey(), settledAtOnce, queuedAtOnce)
}

var (
	errWeakScheme = errors.New("signed with a weaker algorithm")
	errNotOwner   = errors.New("the number belongs to another")
)

// storePayment writes the payment into the Order's status. The copy that was found may be behind; the API server refuses to
// overwrite anything newer, and then every check is made again on the newer one.
func (h *Handler) storePayment(ctx context.Context, c *callback, order *v1alpha1.Order, notification wechatpay.Notification) result {
	payee, reporter := lifecycle.PayeeOf(order, c.merchant), h.reporter(wechatpay.OperationPaymentCallback)
	var verdict lifecycle.Verdict
	var message string
	_, err := status.Update(ctx, h.writer(reporter.Log), order, func(order *v1alpha1.Order) error {
		if prepared := lifecycle.PreparedScheme(order, c.merchant); c.protocol.Weaker(notification.Scheme, prepared) {
			return errWeakScheme
		}
		owns, err := h.owns(ctx, c, order, notification.Payment.TransactionID)
		switch {
		case err != nil:
			return err
		case !owns:
			return errNotOwner
		}
		verdict, message = lifecycle.Paid(order, payee, *notification.Payment, h.Clock.Now())
		return nil
	})
	switch {
	case err == nil && verdict == lifecycle.AlreadyRecorded:
		return repeated()
	case err == nil:
		reporter.Payment(order, c.merchant, verdict, message)
		return answerTo(verdict)
	case errors.Is(err, errWeakScheme):
		c.log.Info("Refused a callback that is signed with a weaker algorithm than its Order was prepared with", "algorithm", string(notification.Scheme))
		return refused(http.StatusForbidden, "not verified")
	case errors.Is(err, errNotOwner):
		c.log.Info("The number of a verified payment belongs to another Order; WeChat Pay will ask again", "order", order.Name)
		return unmatched()
	default:
		return c.notStored(err)
	}
}

// owns says whether a payment that is not recorded yet may be an Order's. What is recorded already is not asked again.
func (h *Handler) owns(ctx context.Context, c *callback, order *v1alpha1.Order, transactionID string) (bool, error) {
	if lifecycle.IsPaid(order) {
		return true, nil
	}
	if holder, err := h.claims().HolderOfPayment(ctx, order, c.merchant, transactionID); holder != nil || err != nil {
		return false, err
	}
	owner, err := h.claims().OwnerOfOrder(ctx, order, c.merchant)
	if err != nil {
		return false, err
	}
	return owner.UID == order.UID, nil
}

func answerTo(verdict lifecycle.Verdict) result {
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
