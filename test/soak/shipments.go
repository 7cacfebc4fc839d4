package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/test/soak/judge"
)

// shippingPlan is what happens to the goods of an Order, counted from its creation.
type shippingPlan struct {
	// parts is how many Shipments the Order has; zero for none.
	parts int
	start time.Duration
	// deleteAfter deletes the only Shipment; reapply creates it again with the same spec.
	deleteAfter time.Duration
	reapply     bool
	// replace deletes the only Shipment once it is uploaded, and creates another one: the way to use
	// the one chance to ship again.
	replace bool
}

// planShipping draws the Shipments of an Order that is paid in a mini program.
func (p *plan) planShipping(r *rand.Rand) {
	if p.tradeType != v1alpha1.TradeTypeJSAPI || p.payer == paysNever || chance(r, 0.2) {
		return
	}
	p.shipping = shippingPlan{parts: 1, start: seconds(r, 0, 15)} // often before the payment
	switch drawn := r.Float64(); {
	case drawn < 0.3:
		p.shipping.parts = 2 + r.IntN(2)
	case drawn < 0.5:
		p.shipping.deleteAfter, p.shipping.reapply = p.shipping.start+seconds(r, 0, 15), chance(r, 0.7)
	case drawn < 0.6:
		p.shipping.replace = true
	}
}

// shipment is one of the Shipments of a plan. The tracking numbers name the namespace, so that
// nobody has another's.
func (p plan) shipment(namespace string, part int) *v1alpha1.Shipment {
	name := fmt.Sprintf("%s-s%d", p.name, part)
	complete := part == p.shipping.parts-1 || part >= p.shipping.parts
	shipment := &v1alpha1.Shipment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.ShipmentSpec{
			OrderRef: v1alpha1.OrderReference{Name: p.name}, Logistics: v1alpha1.LogisticsExpress, Complete: &complete,
			Parcels: []v1alpha1.Parcel{{TrackingNumber: namespace + "-" + name, Carrier: "STO", Items: "肥皂 " + name}},
		},
	}
	return shipment
}

// ship creates the Shipments of an Order one after the other, as a warehouse does.
func (l *life) ship(ctx context.Context) {
	if l.shipping.parts == 0 || !l.until(ctx, l.shipping.start) {
		return
	}
	var first *judge.AskedShipment
	for part := range l.shipping.parts {
		asked := l.createShipment(ctx, part, false)
		if part == 0 {
			first = asked
		}
	}
	switch {
	case l.shipping.replace:
		l.replaceShipment(ctx, first)
	case l.shipping.deleteAfter > 0 && l.until(ctx, l.shipping.deleteAfter):
		l.memory.count("Shipments deleted")
		l.memory.do(func() { first.Deleted = true })
		l.delete(ctx, l.shop, first.Shipment)
		if l.shipping.reapply && l.awaitGone(ctx, first.Shipment) {
			l.memory.count("Shipments applied again")
			l.create(ctx, l.shop, first.Shipment)
		}
	}
}

func (l *life) createShipment(ctx context.Context, part int, replaces bool) *judge.AskedShipment {
	asked := &judge.AskedShipment{Shipment: l.shipment(l.namespace, part), Order: l.number, Replaces: replaces}
	l.memory.do(func() { l.memory.shipments = append(l.memory.shipments, asked) })
	l.memory.count("Shipments")
	l.create(ctx, l.shop, asked.Shipment)
	return asked
}

// replaceShipment changes what WeChat has, once it has it. A person takes more than a second for
// that, in which the upload has a later time.
func (l *life) replaceShipment(ctx context.Context, first *judge.AskedShipment) {
	waiting, cancel := context.WithTimeout(ctx, payerPatience)
	defer cancel()
	uploaded := l.try(waiting, func() error {
		found := &v1alpha1.Shipment{}
		if err := l.shop.Get(waiting, client.ObjectKeyFromObject(first.Shipment), found); err != nil {
			return client.IgnoreNotFound(err)
		}
		if !lifecycle.ShipmentFinal(found) {
			return errors.New("not uploaded yet")
		}
		return nil
	})
	if !uploaded {
		return
	}
	pause(ctx, 2*time.Second)
	l.memory.count("Shipments replaced")
	l.memory.do(func() { first.Deleted = true })
	l.delete(ctx, l.shop, first.Shipment)
	l.createShipment(ctx, l.shipping.parts, true)
}

// playRivalShipment ships an Order that has the number of another without permission.
func (l *life) playRivalShipment(ctx context.Context, order *v1alpha1.Order) {
	if l.shipping.parts == 0 || !l.until(ctx, l.shipping.start) {
		return
	}
	shipment := l.shipment(order.Namespace, l.shipping.parts-1)
	l.memory.do(func() {
		l.memory.shipments = append(l.memory.shipments, &judge.AskedShipment{Shipment: shipment, Order: l.number})
	})
	l.memory.count("Shipments for the number of another, in " + order.Namespace)
	l.create(ctx, l.clients[shopOf(order.Namespace)], shipment)
}

// miniProgram is that of an account, which its guests may use too.
func (a account) miniProgram(endpoint *v1alpha1.WeixinEndpoint) *v1alpha1.MiniProgram {
	grants := a.grants()
	return &v1alpha1.MiniProgram{
		ObjectMeta: metav1.ObjectMeta{Namespace: a.namespace, Name: a.name},
		Spec: v1alpha1.MiniProgramSpec{
			AppID: a.appID, AppSecretRef: v1alpha1.AppSecretReference{Name: a.name + "-mini-program"}, Endpoint: endpoint,
			AllowedNamespaces: v1alpha1.MiniProgramNamespaces{From: grants.From, Selector: grants.Selector},
		},
	}
}

// appSecretOf is the AppSecret of an appid, for the simulator only.
func appSecretOf(appID string) string {
	return "SoakOnly" + strings.TrimPrefix(appID, "wx") + "SoakOnly"
}
