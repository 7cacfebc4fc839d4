package chaos_test

import (
	"regexp"
	"slices"
	"strings"

	"k8s.io/utils/ptr"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

const (
	merchantName = "shop"
	firstOrder   = "order-0001"
	firstRefund  = "refund-0001"
)

// flow is a sequence of actions by users and payers, with milestones.
type flow struct {
	name string
	// protocol is that of the Merchant at the beginning. A flow about one protocol has it from the
	// start, the others get theirs from speaking.
	protocol v1alpha1.Protocol
	// verification is how WeChat Pay signs in API v3.
	verification simulator.Verification
	// provider: the merchant number is a service provider's, and the Merchant its sub merchant.
	provider bool
	stages   []stage
	// payable: the order stays unpaid, so a payment in between is worth testing.
	payable bool
	// toTheEnd includes the steps after the last milestone.
	toTheEnd bool
	// alike reduces an end to the part that is the same in every run, if the rest depends on the
	// order of events.
	alike func(end string) string
	// lastFirst: of the objects that are due at the same time, the last by name goes first.
	lastFirst bool
	// losesOwners: objects with a number at WeChat Pay are lost, so that another object may use the
	// number.
	losesOwners bool
	// losesStatus: a user wipes the status, as a restore does.
	losesStatus bool
	// events: an EventSink is told what happens.
	events bool
	// ledger: the operator keeps a ledger.
	ledger bool
}

// stage is one action and the milestone after it. Without a milestone it continues until nothing is
// due.
type stage struct {
	what string
	do   func(*world)
	// until may be nil.
	until func(*world) bool
	// given stages prepare the flow: their steps are not cut.
	given bool
	// instant: the next stage follows before the operator acts.
	instant bool
}

func flows(seed uint64, wanted string, withLedger bool) []*flow {
	all := slices.Concat(shopFlows(), tenantFlows(), protocolFlows(), providerFlows(), shippingFlows(), eventFlows())
	if withLedger {
		all = append(all, ledgerFlows()...)
	}
	return speaking(all, seed, wanted)
}

// shopFlows are the flows of a single shop.
func shopFlows() []*flow {
	hold := newMerchant()
	automatic := newMerchant(func(s *v1alpha1.MerchantSpec) { s.RefundApproval = v1alpha1.RefundApprovalAutomatic })
	late := func(policy v1alpha1.LatePayment, approval v1alpha1.RefundApproval) stage {
		return newMerchant(func(s *v1alpha1.MerchantSpec) { s.LatePayment, s.RefundApproval = policy, approval })
	}
	closedOrder := []stage{anOrder(), wish("Closed"), {what: "closed", until: finished}}
	return []*flow{
		{name: "prepare", stages: []stage{fresh(hold), anOrder()}},
		{name: "prepare, NATIVE", stages: given(hold).and(anOrder(native))},
		{name: "prepare, APP", stages: given(hold).and(anOrder(app))},
		{name: "prepare, MWEB", stages: given(hold).and(anOrder(mweb))},
		{name: "pay by callback", stages: given(hold, anOrder()).and(pay(), until(paid))},
		{name: "pay by poll", stages: given(hold, anOrder()).and(payWithoutCallback(), until(paid))},
		{name: "pay before it is known to be prepared", stages: given(hold).and(anOrder(), pay(), until(paid)), payable: true},
		{name: "pay another amount", stages: given(hold, anOrder()).and(payAnotherAmount(), deletion(kindOrder, firstOrder), until(gone(kindOrder, firstOrder)))},
		{name: "pay, a callback of another amount first", stages: given(hold, anOrder(), callbacksAre(simulator.FaultWrongAmount, 1)).and(payWith("the payer pays", simulator.PayOptions{}, paid))},
		{name: "delete after a callback of another amount", stages: given(hold, anOrder(), callbacksAre(simulator.FaultWrongAmount, 1)).
			and(payWith("the payer pays", simulator.PayOptions{}, mismatched), deletion(kindOrder, firstOrder), until(gone(kindOrder, firstOrder)))},
		{name: "pay, a forged callback first", stages: given(hold, anOrder(), callbacksAre(simulator.FaultForge, 1)).and(pay(), until(paid))},
		{name: "expire", stages: given(hold, anOrder()).and(until(finished)), payable: true, toTheEnd: true},
		{name: "expire, to be refreshed before", stages: given(hold).and(anOrder(func(o *v1alpha1.Order) { o.Spec.ExpireAfterSeconds = 3 * 3600 }), until(finished)), payable: true},
		{name: "close by wish", stages: given(hold, anOrder()).and(wish("Closed"), until(finished)), payable: true},
		{name: "close by wish at once", stages: given(hold).and(stage{what: "create a closed order", do: func(w *world) {
			w.create(home, w.newOrder(func(o *v1alpha1.Order) { o.Spec.DesiredState = v1alpha1.DesiredStateClosed }))
		}, until: finished}), payable: true},
		{name: "late payment, hold", stages: given(append([]stage{hold}, closedOrder...)...).and(payLate(false), until(paid))},
		{name: "late payment without callback, accept", stages: given(append([]stage{late(v1alpha1.LatePaymentAccept, "")}, closedOrder...)...).and(payLate(true), until(paid))},
		{name: "late payment, refund", stages: given(append([]stage{late(v1alpha1.LatePaymentRefund, v1alpha1.RefundApprovalAutomatic)}, closedOrder...)...).and(payLate(false), until(refunded(firstOrder+"-late")))},
		{name: "late payment, refund by hand", stages: given(append([]stage{late(v1alpha1.LatePaymentRefund, v1alpha1.RefundApprovalManual)}, closedOrder...)...).
			and(payLate(false), until(awaiting(firstOrder+"-late")), approve(firstOrder+"-late"), until(refunded(firstOrder+"-late")))},
		{name: "refund, manual", stages: given(hold, anOrder(), pay()).and(aRefund(firstRefund, 50), until(awaiting(firstRefund)), approve(firstRefund), until(refunded(firstRefund)))},
		{name: "refund, denied", stages: given(hold, anOrder(), pay()).and(aRefund(firstRefund, 50), until(awaiting(firstRefund)), deny(firstRefund), until(refunded(firstRefund)))},
		{name: "refund, automatic", stages: given(automatic, anOrder(), pay()).and(aRefund(firstRefund, 101), until(refunded(firstRefund)))},
		{name: "refund, callbacks lost", stages: given(automatic, anOrder(), pay(), loseCallbacks()).and(aRefund(firstRefund, 101), until(refunded(firstRefund)))},
		{name: "partial refunds, one too many", alike: whoever, stages: given(automatic, anOrder(), pay()).
			and(aRefund("refund-a", 40), aRefund("refund-b", 40), aRefund("refund-c", 40), until(refunded("refund-a")), until(refunded("refund-b")), until(refunded("refund-c")))},
		{name: "delete before prepare", stages: given(hold).and(fresh(anOrder(admitted)), deletion(kindOrder, firstOrder), until(gone(kindOrder, firstOrder))), payable: true},
		{name: "delete when prepared", stages: given(hold, anOrder()).and(deletion(kindOrder, firstOrder), until(gone(kindOrder, firstOrder))), payable: true},
		{name: "delete when asked for", alike: orderedOrNot, stages: given(hold).and(inDoubtOrPrepared(), deletion(kindOrder, firstOrder), until(gone(kindOrder, firstOrder))), payable: true},
		{name: "delete when paid", stages: given(hold, anOrder(), pay()).and(deletion(kindOrder, firstOrder), until(gone(kindOrder, firstOrder)))},
		{name: "delete while a refund is under way", alike: refundedOrNot, stages: given(automatic, anOrder(), pay()).
			and(aRefund(firstRefund, 50), deletion(kindOrder, firstOrder), until(now), deletion(kindRefund, firstRefund), until(gone(kindRefund, firstRefund)), until(gone(kindOrder, firstOrder)))},
		{name: "delete when a refund is accepted", stages: given(automatic, anOrder(), pay()).
			and(aRefund(firstRefund, 50), until(accepted), deletion(kindRefund, firstRefund), deletion(kindOrder, firstOrder), until(gone(kindRefund, firstRefund)), until(gone(kindOrder, firstOrder)))},
		{name: "delete when a refund is asked for", alike: refundedOrNot, stages: given(automatic, anOrder(), pay()).
			and(aRefund(firstRefund, 50), until(requested), deletion(kindRefund, firstRefund), deletion(kindOrder, firstOrder), until(gone(kindRefund, firstRefund)), until(gone(kindOrder, firstOrder)))},
		{name: "delete when a refund's answer is lost", stages: given(automatic, anOrder(), pay(), loseRefundAnswer(), aRefund(firstRefund, 50), until(unknown)).
			and(deletion(kindRefund, firstRefund), deletion(kindOrder, firstOrder), until(gone(kindRefund, firstRefund)), until(gone(kindOrder, firstOrder)))},
		{name: "delete while a refund awaits approval", stages: given(hold, anOrder(), pay(), aRefund(firstRefund, 50), until(awaiting(firstRefund))).
			and(deletion(kindRefund, firstRefund), deletion(kindOrder, firstOrder), until(gone(kindOrder, firstOrder)))},
		{name: "delete everything", stages: given(hold, anOrder()).
			and(deletion(kindMerchant, merchantName), deletion(kindOrder, firstOrder), until(gone(kindMerchant, merchantName)))},
		{name: "delete by time", stages: given(hold, anOrder(func(o *v1alpha1.Order) { o.Spec.TTLSecondsAfterFinished = ptr.To[int32](600) })).
			and(pay(), until(gone(kindOrder, firstOrder)))},
		{name: "status lost", losesStatus: true, stages: given(automatic, anOrder(), pay(), aRefund(firstRefund, 50), until(refunded(firstRefund))).
			and(wipe(kindRefund, firstRefund), wipe(kindOrder, firstOrder), until(paid), until(refunded(firstRefund)))},
		{name: "restore without status", stages: given(hold, anOrder(), pay(), aRefund(firstRefund, 50), until(awaiting(firstRefund)), approve(firstRefund), until(refunded(firstRefund))).
			and(loss(kindRefund, firstRefund), loss(kindOrder, firstOrder), fresh(anOrder()), aRefund(firstRefund, 50, approved), until(paid), until(refunded(firstRefund)))},
		{name: "restore without status, not paid", payable: true, stages: given(hold, anOrder()).and(loss(kindOrder, firstOrder), anOrder(), pay())},
		{name: "apply again", stages: given(hold, anOrder(), pay(), aRefund(firstRefund, 50), until(awaiting(firstRefund)), approve(firstRefund), until(refunded(firstRefund))).
			and(deletion(kindRefund, firstRefund), until(gone(kindRefund, firstRefund)), deletion(kindOrder, firstOrder), until(gone(kindOrder, firstOrder)),
				fresh(anOrder()), until(paid), aRefund(firstRefund, 50), until(refunded(firstRefund)))},
		{name: "apply again, denied", stages: given(hold, anOrder(), pay(), aRefund(firstRefund, 50), until(awaiting(firstRefund)), approve(firstRefund), until(refunded(firstRefund)),
			deletion(kindRefund, firstRefund), until(gone(kindRefund, firstRefund))).and(aRefund(firstRefund, 50, denied), until(refunded(firstRefund)))},
		{name: "apply again what was closed", stages: given(hold, anOrder(), deletion(kindOrder, firstOrder), until(gone(kindOrder, firstOrder))).and(fresh(anOrder()), until(finished))},
		{name: "one number, two orders", stages: given(hold).and(fresh(anOrder()), secondOrder(), until(lost(home, "order-0002")), until(prepared), pay())},
		{name: "one number, two merchants", stages: given(hold, merchantElsewhere(v1alpha1.NamespacesFromSame)).
			and(fresh(anOrder()), orderElsewhere(), until(lost(elsewhere, firstOrder)), until(prepared), pay())},
		{name: "merchant elsewhere, permission comes and goes", stages: given(merchantElsewhere(v1alpha1.NamespacesFromSame)).
			and(fresh(anOrder(toElsewhere)), until(notPermitted), permit(v1alpha1.NamespacesFromAll), until(prepared), permit(v1alpha1.NamespacesFromSame),
				payWith("the payer pays; WeChat's callback gets lost", simulator.PayOptions{NoCallback: true}, now), permit(v1alpha1.NamespacesFromAll), until(paid))},
		{name: "merchant elsewhere, permission gone when paid", stages: given(merchantElsewhere(v1alpha1.NamespacesFromAll), anOrder(toElsewhere)).
			and(permit(v1alpha1.NamespacesFromSame), pay())},
		{name: "new key, first at WeChat", protocol: v1alpha1.ProtocolV2, stages: given(automatic, anOrder()).
			and(keyAtWeChat(nextKey), payWith("the payer pays", simulator.PayOptions{}, merchantIs(false)), keyInSecret(nextKey, apiKey), until(paid), aRefund(firstRefund, 50), until(refunded(firstRefund)))},
		{name: "new key, first in the Secret", protocol: v1alpha1.ProtocolV2, stages: given(automatic, anOrder()).
			and(keyInSecret(nextKey, apiKey), until(merchantIs(false)), pay(), keyAtWeChat(nextKey), until(merchantIs(true)), aRefund(firstRefund, 50), until(refunded(firstRefund)))},
		{name: "Secret gone and back", stages: given(hold, anOrder()).
			and(noSecret(), until(merchantIs(false)), payWith("the payer pays", simulator.PayOptions{}, now), secretBack(), until(paid))},
		{name: "refund that the card can't take", stages: given(automatic, anOrder(), pay(), refundsBecome(simulator.FaultRefundChange)).
			and(aRefund(firstRefund, 50), until(abnormal(firstRefund)), byHand(firstRefund, simulator.RefundSuccess), until(refunded(firstRefund)))},
		{name: "refund closed by WeChat, then another", stages: given(automatic, anOrder(), pay(), refundsBecome(simulator.FaultRefundClose)).
			and(aRefund(firstRefund, 101), until(refunded(firstRefund)), aRefund("refund-0002", 101), until(refunded("refund-0002")))},
		{name: "delete by time, after a refund", stages: given(hold, anOrder(func(o *v1alpha1.Order) { o.Spec.TTLSecondsAfterFinished = ptr.To[int32](600) }), pay(), aRefund(firstRefund, 50), until(awaiting(firstRefund))).
			and(wait(), approve(firstRefund), until(gone(kindOrder, firstOrder)))},
	}
}

// whoever ignores the difference between refunds of one amount: which of them is rejected depends
// on the order of events.
func whoever(end string) string {
	lines := strings.Split(anyPart.ReplaceAllString(end, "refund-?"), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

var anyPart = regexp.MustCompile(`refund-[abc]\b`)

// refundedOrNot removes the refund from the ledger: a Refund that is deleted early enough is never
// sent. Everything else must match.
func refundedOrNot(end string) string {
	lines := slices.DeleteFunc(strings.Split(end, "\n"), func(line string) bool { return strings.HasPrefix(line, "refund ") })
	return strings.Replace(strings.Join(lines, "\n"), "order "+firstOrder+" REFUND", "order "+firstOrder+" SUCCESS", 1)
}

// orderedOrNot removes the order from the ledger: the call for an Order that is deleted early
// enough may never have arrived.
func orderedOrNot(end string) string {
	lines := slices.DeleteFunc(strings.Split(end, "\n"), func(line string) bool { return strings.HasPrefix(line, "order ") })
	return strings.Join(lines, "\n")
}

// sequence is a list of stages.
type sequence []stage

func given(stages ...stage) sequence {
	for i := range stages {
		stages[i].given = true
	}
	return stages
}

func (s sequence) and(stages ...stage) []stage { return append(append([]stage{}, s...), stages...) }

func until(milestone func(*world) bool) stage { return stage{what: "wait", until: milestone} }

// fresh returns a stage without its milestone.
func fresh(s stage) stage {
	s.instant = true
	return s
}
