package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// payerKind is the behaviour of a payer.
type payerKind string

const (
	paysAtOnce     payerKind = "at once"
	paysLater      payerKind = "later"
	paysNever      payerKind = "never"
	paysTwice      payerKind = "twice"
	paysSecretly   payerKind = "and no callback comes"
	paysAtClose    payerKind = "at the moment of the close"
	paysAfterClose payerKind = "after the close"
)

// plan is the life of one Order, fixed before it starts: what is done to it and when, counted from
// its creation. A zero time means that something is not done.
type plan struct {
	name    string
	account account
	// namespace is the account's own, or that of a guest.
	namespace string
	// twin creates the same Order at the same time in the other namespace that may use the account.
	twin bool
	// stranger is the Merchant of a stranger who uses the same number; empty for none.
	stranger  string
	start     time.Duration
	tradeType v1alpha1.TradeType
	total     int64
	// ownNumber gives the Order a number that differs from its name.
	ownNumber  bool
	payer      payerKind
	payAfter   time.Duration
	expires    time.Duration
	closeAfter time.Duration
	// deleteAfter deletes the Order; reapply creates it again with the same spec once it is gone.
	deleteAfter time.Duration
	reapply     bool
	refunds     []refundPlan
	// forgery is a false callback about the Order, sent at forgeAfter; empty for none.
	forgery    forgery
	forgeAfter time.Duration
	// shipping are the Shipments of the Order.
	shipping shippingPlan
}

// refundPlan is the life of one Refund, counted from the creation of its Order.
type refundPlan struct {
	name        string
	amount      int64
	start       time.Duration
	decision    v1alpha1.Approval
	decideAfter time.Duration
	deleteAfter time.Duration
	reapply     bool
}

// planLife draws a life. The same seed and index return the same life.
func planLife(seed uint64, index int, window time.Duration) plan {
	r := rand.New(rand.NewPCG(seed, uint64(index)))
	p := plan{
		name:      fmt.Sprintf("order-%04d-%05x", index, r.Uint32N(1<<20)),
		account:   pick(r, append(slices.Clone(accounts), moving, moving)...), // more often, to meet its changes
		start:     time.Duration(r.Float64() * float64(window)),
		tradeType: pick(r, v1alpha1.TradeTypeJSAPI, v1alpha1.TradeTypeNative, v1alpha1.TradeTypeApp, v1alpha1.TradeTypeMWEB),
		total:     1 + r.Int64N(10_000),
		ownNumber: chance(r, 0.2),
		payer:     pick(r, paysAtOnce, paysAtOnce, paysAtOnce, paysLater, paysLater, paysNever, paysTwice, paysSecretly, paysAtClose, paysAtClose, paysAfterClose),
	}
	p.planTenants(r)
	p.planEnd(r)
	p.planForgery(r)
	// Of a source of its own, so that the rest of a seed's plan stays as it was.
	p.planShipping(rand.New(rand.NewPCG(seed, 1<<42+uint64(index))))
	if p.twin {
		p.keepObjects()
	}
	if p.payer == paysNever || p.payer == paysAtClose && chance(r, 0.5) {
		return p
	}
	p.planRefunds(r)
	if p.twin {
		p.keepObjects()
	}
	return p
}

// planTenants draws who else uses the number.
func (p *plan) planTenants(r *rand.Rand) {
	p.namespace = p.account.namespace
	if possible := strangersOf(p.account); len(possible) > 0 {
		p.stranger = pick(r, possible...).name
	}
	if len(p.account.guests) == 0 {
		return
	}
	if chance(r, 0.5) {
		p.namespace = pick(r, p.account.guests...)
	}
	if p.twin = chance(r, 0.4); p.twin {
		p.total += 10_000 // more than any other number in a message, so that a leak is visible
	}
}

// planForgery draws what somebody without WeChat Pay's key tells of the Order.
func (p *plan) planForgery(r *rand.Rand) {
	if p.account.apiV3Key != "" && chance(r, 0.7) {
		p.forgery, p.forgeAfter = pick(r, forgeries...), seconds(r, 1, 15)
	}
}

// keepObjects disables deletions: after the owner of a number is gone, who gets it is no longer
// decided in the same second.
func (p *plan) keepObjects() {
	if p.deleteAfter > 0 && p.expires == 0 && p.closeAfter == 0 && p.payer != paysAtOnce && p.payer != paysLater {
		p.closeAfter = p.deleteAfter
	}
	p.deleteAfter, p.reapply = 0, false
	for i := range p.refunds {
		p.refunds[i].deleteAfter, p.refunds[i].reapply = 0, false
	}
}

// planEnd draws how the Order ends, apart from being paid.
func (p *plan) planEnd(r *rand.Rand) {
	switch p.payer {
	case paysLater, paysSecretly:
		p.payAfter = seconds(r, 2, 20)
	case paysNever:
		switch r.IntN(4) {
		case 0:
			p.expires = seconds(r, 20, 50)
		case 1:
			p.closeAfter = seconds(r, 0, 20)
		case 2:
			p.deleteAfter = seconds(r, 0, 20)
		}
	case paysAtClose, paysAfterClose:
		switch end := seconds(r, 3, 20); r.IntN(3) {
		case 0:
			p.expires = end + 20*time.Second
			p.payAfter = p.expires
		case 1:
			p.closeAfter, p.payAfter = end, end
		default:
			p.deleteAfter, p.payAfter = end, end
		}
		if p.payer == paysAfterClose {
			p.payAfter += seconds(r, 1, 20)
		}
	}
	if p.deleteAfter == 0 && chance(r, 0.25) {
		p.deleteAfter = p.payAfter + seconds(r, 1, 40)
	}
	p.reapply = p.deleteAfter > 0 && chance(r, 0.5)
}

// planRefunds draws Refunds, some of which exceed what was paid.
func (p *plan) planRefunds(r *rand.Rand) {
	if chance(r, 0.4) {
		return
	}
	for i := range 1 + r.IntN(4) {
		refund := refundPlan{
			name:     fmt.Sprintf("%s-r%d", p.name, i),
			amount:   1 + r.Int64N(max(p.total*2/3, 1)),
			start:    p.payAfter + seconds(r, 0, 25),
			decision: pick(r, v1alpha1.ApprovalApproved, v1alpha1.ApprovalApproved, v1alpha1.ApprovalApproved, v1alpha1.ApprovalApproved, v1alpha1.ApprovalDenied, ""),
		}
		if chance(r, 0.1) {
			refund.amount = p.total
		}
		refund.decideAfter = refund.start + seconds(r, 0, 12)
		if chance(r, 0.15) {
			refund.deleteAfter = refund.start + seconds(r, 0, 25)
			refund.reapply = chance(r, 0.6)
		}
		p.refunds = append(p.refunds, refund)
	}
}

func seconds(r *rand.Rand, least, most float64) time.Duration {
	return time.Duration((least + r.Float64()*(most-least)) * float64(time.Second))
}

func chance(r *rand.Rand, probability float64) bool { return r.Float64() < probability }

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }
