package main

import (
	"net/http"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// mostListed is how many Orders GET /orders shows: the newest.
const mostListed = 100

// orderView is an Order as its payer sees it.
type orderView struct {
	OrderNumber string            `json:"orderNumber"`
	Description string            `json:"description"`
	Total       int64             `json:"total"`
	Currency    v1alpha1.Currency `json:"currency"`
	State       orderState        `json:"state"`
	CreatedTime metav1.Time       `json:"createdTime"`
	PaidTime    *metav1.Time      `json:"paidTime,omitempty"`
	// Refunded is what was paid back, in fen.
	Refunded int64        `json:"refunded"`
	Refunds  []refundView `json:"refunds"`
}

// refundView is a Refund as the payer sees it.
type refundView struct {
	RefundNumber string      `json:"refundNumber"`
	Amount       int64       `json:"amount"`
	State        refundState `json:"state"`
}

func (s *storefront) view(order *v1alpha1.Order) orderView {
	v := orderView{
		OrderNumber: order.Name, Description: order.Spec.Description, Total: order.Spec.Amount.Total, Currency: order.Spec.Amount.Currency,
		State: stateOf(order), CreatedTime: order.CreationTimestamp, Refunds: []refundView{},
	}
	if order.Status.Transaction != nil {
		v.PaidTime = order.Status.Transaction.PaidTime
	}
	if order.Status.Refunded != nil {
		v.Refunded = order.Status.Refunded.Total
	}
	refunds := s.book.refundsOf(order.Name)
	slices.SortFunc(refunds, func(a, b *v1alpha1.Refund) int { return newestFirst(a, b) })
	for _, refund := range refunds {
		v.Refunds = append(v.Refunds, refundView{refund.Name, refund.Spec.Amount, stateOfRefund(refund)})
	}
	return v
}

func newestFirst(a, b metav1.Object) int {
	if order := b.GetCreationTimestamp().Compare(a.GetCreationTimestamp().Time); order != 0 {
		return order
	}
	return strings.Compare(a.GetName(), b.GetName())
}

// listOrders answers GET /orders.
func (s *storefront) listOrders(r *http.Request) (any, error) {
	by, err := s.sessions.of(r)
	if err != nil {
		return nil, err
	}
	orders := s.book.ordersOf(by.payer())
	slices.SortFunc(orders, func(a, b *v1alpha1.Order) int { return newestFirst(a, b) })
	answer := struct {
		Code   int         `json:"code"`
		Orders []orderView `json:"orders"`
	}{Orders: []orderView{}}
	for _, order := range orders[:min(len(orders), mostListed)] {
		answer.Orders = append(answer.Orders, s.view(order))
	}
	return answer, nil
}

// showOrder answers GET /orders/{number}.
func (s *storefront) showOrder(r *http.Request) (any, error) {
	known, err := s.ownOrder(r)
	if err != nil {
		return nil, err
	}
	return struct {
		Code int `json:"code"`
		orderView
	}{codeSuccess, s.view(known.order)}, nil
}

// showPayment answers GET /pay/{number}, for the Pay page that a web-view opens with a number only.
func (s *storefront) showPayment(r *http.Request) (any, error) {
	known, err := s.ownOrder(r)
	if err != nil {
		return nil, err
	}
	order := known.order
	return struct {
		Code        int               `json:"code"`
		OrderNumber string            `json:"orderNumber"`
		Description string            `json:"description"`
		Total       int64             `json:"total"`
		Currency    v1alpha1.Currency `json:"currency"`
		State       orderState        `json:"state"`
		PayInfo     *payInfo          `json:"payInfo,omitempty"`
	}{codeSuccess, order.Name, order.Spec.Description, order.Spec.Amount.Total, order.Spec.Amount.Currency, known.state(), known.payInfo()}, nil
}

// ownOrder returns the Order in a request's path, if it is this payer's.
func (s *storefront) ownOrder(r *http.Request) (entry, error) {
	by, err := s.sessions.of(r)
	if err != nil {
		return entry{}, err
	}
	return s.book.orderOf(by.payer(), r.PathValue("number"))
}
