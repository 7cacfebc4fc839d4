package main

import (
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

const (
	// mostRefunds of an Order is WeChat Pay's limit.
	mostRefunds = 50
	// sameRequest is how long a request with the same amount and reason is the same request, though the Refund has ended.
	sameRequest = 10 * time.Minute
)

// refundRequest is what a page sends. Without an amount, all that is left is asked for.
type refundRequest struct {
	Amount *int64 `json:"amount"`
	Reason string `json:"reason"`
}

// requestRefund answers POST /orders/{number}/refund. It creates a Refund, which a person then approves or denies: the storefront's
// role has no right to.
func (s *storefront) requestRefund(r *http.Request) (any, error) {
	bought, err := s.ownOrder(r)
	if err != nil {
		return nil, err
	}
	order := bought.order
	request, err := readJSON[refundRequest](r)
	if err != nil {
		return nil, err
	}
	wanted := int64(0) // all that is left
	if request.Amount != nil {
		if wanted = *request.Amount; wanted < 1 || wanted > order.Spec.Amount.Total {
			return nil, badRequest("amount must be a whole number of fen, from 1 to the order's %d", order.Spec.Amount.Total)
		}
	}
	switch {
	case request.Reason == "":
		return nil, badRequest("reason is missing")
	case stateOf(order) != orderPaid:
		return nil, badRequest("order %s is %s: only a paid order can be refunded", order.Name, stateOf(order))
	}
	refund, err := s.refundFor(r, order, wanted, request.Reason)
	if err != nil {
		return nil, err
	}
	return accepted{struct {
		Code         int         `json:"code"`
		RefundNumber string      `json:"refundNumber"`
		State        refundState `json:"state"`
	}{codeSuccess, refund.Name, stateOfRefund(refund)}}, nil
}

// refundFor returns the Refund of a request. A second click finds the first one's: the name follows from the Order and the request.
func (s *storefront) refundFor(r *http.Request, order *v1alpha1.Order, wanted int64, reason string) (*v1alpha1.Refund, error) {
	known := map[string]*v1alpha1.Refund{}
	left := order.Spec.Amount.Total
	for _, refund := range s.book.refundsOf(order.Name) {
		known[refund.Name] = refund
		if stateOfRefund(refund).givesBack() {
			left -= refund.Spec.Amount
		}
	}
	turn := 0
	name := ofRefund(order, wanted, reason, turn)
	for ; known[name] != nil; name = ofRefund(order, wanted, reason, turn) {
		if s.isSameRequest(known[name]) {
			return known[name], nil
		}
		turn++
	}
	amount := wanted
	if amount == 0 {
		amount = left
	}
	if amount > left || amount < 1 || len(known) >= mostRefunds {
		return nil, badRequest("%d fen of order %s are left to refund", max(0, left), order.Name)
	}
	refund := &v1alpha1.Refund{
		ObjectMeta: metav1.ObjectMeta{Namespace: order.Namespace, Name: name},
		Spec:       v1alpha1.RefundSpec{OrderRef: v1alpha1.OrderReference{Name: order.Name}, Amount: amount, Reason: reason},
	}
	err := s.kube.Create(r.Context(), refund)
	switch {
	case apierrors.IsInvalid(err):
		return nil, badRequest("%s", causes(err))
	case apierrors.IsAlreadyExists(err): // a second click, before the watch has shown the first one's
		return refund, nil
	}
	return refund, err
}

func (s *storefront) isSameRequest(refund *v1alpha1.Refund) bool {
	return !stateOfRefund(refund).isEnd() || s.sessions.now().Sub(refund.CreationTimestamp.Time) < sameRequest
}
