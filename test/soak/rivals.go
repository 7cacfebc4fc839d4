package main

import (
	"context"
	"sync"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/test/soak/judge"
)

// challenge makes others request the number of an Order in the same second: a namespace without
// permission for each number, and a stranger with a Merchant of its own if the plan says so. They
// know number and amount, and request refunds too.
func (l *life) challenge(ctx context.Context) {
	var all sync.WaitGroup
	for _, rival := range l.rivals(l.order) {
		all.Go(func() { l.playRival(ctx, rival) })
	}
	all.Wait()
}

// rivals are the Orders of the rivals.
func (p plan) rivals(order *v1alpha1.Order) []*v1alpha1.Order {
	rival := order.DeepCopy()
	rival.Namespace = rivalNamespace
	rival.Spec.MerchantRef = v1alpha1.MerchantReference{Namespace: p.account.namespace, Name: p.account.name}
	rivals := []*v1alpha1.Order{rival}
	if p.stranger != "" {
		stranger := order.DeepCopy()
		stranger.Namespace = strangerNamespace
		stranger.Spec.MerchantRef = v1alpha1.MerchantReference{Name: p.stranger}
		rivals = append(rivals, stranger)
	}
	for _, r := range rivals {
		if r.Spec.Payer != nil {
			r.Spec.Payer = payerAt(r.Namespace)
		}
	}
	return rivals
}

func (l *life) playRival(ctx context.Context, order *v1alpha1.Order) {
	l.memory.rival(judge.Rival{Number: l.number, Order: order})
	l.memory.count("Orders for the number of another, in " + order.Namespace)
	l.create(ctx, l.clients[shopOf(order.Namespace)], order)
	var all sync.WaitGroup
	all.Go(func() { l.playRivalShipment(ctx, order) })
	for _, r := range l.refunds {
		all.Go(func() { l.playRivalRefund(ctx, order, r) })
	}
	all.Wait()
}

// playRivalRefund requests a refund with the same number, which an approver of that namespace
// approves.
func (l *life) playRivalRefund(ctx context.Context, order *v1alpha1.Order, r refundPlan) {
	if !l.until(ctx, r.start) {
		return
	}
	refund := l.plan.refund(r)
	refund.Namespace = order.Namespace
	refund.Spec.Amount++ // to distinguish it from the genuine refund if it is sent
	l.memory.rival(judge.Rival{Number: judge.Number{MchID: l.number.MchID, Number: refund.Number()}, Refund: refund})
	l.memory.count("Refunds for the number of another, in " + order.Namespace)
	l.create(ctx, l.clients[shopOf(order.Namespace)], refund)
	l.try(ctx, func() error { return l.patch(ctx, l.approver, refund, approvedPatch) })
}
