package explore_test

import (
	"context"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/settlement"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

const (
	merchantName = "shop"
	firstOrder   = "order-0001"
	firstRefund  = "refund-0001"
)

// flow is what users and payers do, and the milestones in between.
type flow struct {
	name   string
	stages []stage
	// payable: the order stays unpaid, so a payer who comes in between is worth a look.
	payable bool
	// toTheEnd counts the steps after the last milestone as well.
	toTheEnd bool
	// otherEnd: what comes of it depends on who is first, so that only the ledger says whether an end is right.
	otherEnd bool
	// losesStatus: a user wipes the status, as a restore does.
	losesStatus bool
}

// stage is one action, and what is waited for after it. Without a milestone it goes on until nothing is due any more.
type stage struct {
	what string
	do   func(*world)
	// until may be nil.
	until func(*world) bool
	// given stages come before what the flow is about: their steps are not cut.
	given bool
	// instant: the next stage follows before the operator acts.
	instant bool
}

func flows() []flow {
	hold := newMerchant()
	automatic := newMerchant(func(s *v1alpha1.MerchantSpec) { s.RefundApproval = v1alpha1.RefundApprovalAutomatic })
	late := func(policy v1alpha1.LatePayment, approval v1alpha1.RefundApproval) stage {
		return newMerchant(func(s *v1alpha1.MerchantSpec) { s.LatePayment, s.RefundApproval = policy, approval })
	}
	closedOrder := []stage{anOrder(), wish("Closed"), {what: "closed", until: finished}}
	return []flow{
		{name: "prepare", stages: []stage{fresh(hold), anOrder()}},
		{name: "pay by callback", stages: given(hold, anOrder()).and(pay(), until(paid))},
		{name: "pay by poll", stages: given(hold, anOrder()).and(payWithoutCallback(), until(paid))},
		{name: "pay before it is known to be prepared", stages: given(hold).and(anOrder(), pay(), until(paid)), payable: true},
		{name: "expire", stages: given(hold, anOrder()).and(until(finished)), payable: true, toTheEnd: true},
		{name: "expire, to be refreshed before", stages: given(hold).and(anOrder(func(o *v1alpha1.Order) { o.Spec.ExpireAfterSeconds = 3 * 3600 }), until(finished)), payable: true},
		{name: "close by wish", stages: given(hold, anOrder()).and(wish("Closed"), until(finished)), payable: true},
		{name: "close by wish at once", stages: given(hold).and(stage{what: "create a closed order", do: func(w *world) {
			w.create(newOrder(func(o *v1alpha1.Order) { o.Spec.DesiredState = v1alpha1.DesiredStateClosed }))
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
		{name: "partial refunds, one too many", otherEnd: true, stages: given(automatic, anOrder(), pay()).
			and(aRefund("refund-a", 40), aRefund("refund-b", 40), aRefund("refund-c", 40), until(refunded("refund-a")), until(refunded("refund-b")), until(refunded("refund-c")))},
		{name: "delete before prepare", stages: given(hold).and(fresh(anOrder(admitted)), deletion(kindOrder, firstOrder), until(gone(kindOrder, firstOrder))), payable: true},
		{name: "delete when prepared", stages: given(hold, anOrder()).and(deletion(kindOrder, firstOrder), until(gone(kindOrder, firstOrder))), payable: true},
		{name: "delete when paid", stages: given(hold, anOrder(), pay()).and(deletion(kindOrder, firstOrder), until(gone(kindOrder, firstOrder)))},
		{name: "delete while a refund is under way", otherEnd: true, stages: given(automatic, anOrder(), pay()).
			and(aRefund(firstRefund, 50), deletion(kindOrder, firstOrder), until(now), deletion(kindRefund, firstRefund), until(gone(kindRefund, firstRefund)), until(gone(kindOrder, firstOrder)))},
		{name: "delete while a refund awaits approval", stages: given(hold, anOrder(), pay(), aRefund(firstRefund, 50), until(awaiting(firstRefund))).
			and(deletion(kindRefund, firstRefund), deletion(kindOrder, firstOrder), until(gone(kindOrder, firstOrder)))},
		{name: "delete everything", stages: given(hold, anOrder()).
			and(deletion(kindMerchant, merchantName), deletion(kindOrder, firstOrder), until(gone(kindMerchant, merchantName)))},
		{name: "delete by time", stages: given(hold, anOrder(func(o *v1alpha1.Order) { o.Spec.TTLSecondsAfterFinished = ptr.To[int32](600) })).
			and(pay(), until(gone(kindOrder, firstOrder)))},
		{name: "status lost", losesStatus: true, stages: given(automatic, anOrder(), pay(), aRefund(firstRefund, 50), until(refunded(firstRefund))).
			and(wipe(kindRefund, firstRefund), wipe(kindOrder, firstOrder), until(paid), until(refunded(firstRefund)))},
	}
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

// fresh is a stage whose end nobody waits for.
func fresh(s stage) stage {
	s.instant = true
	return s
}

func newMerchant(change ...func(*v1alpha1.MerchantSpec)) stage {
	return stage{what: "create the merchant", do: func(w *world) {
		created := &v1alpha1.Merchant{
			ObjectMeta: metav1.ObjectMeta{Name: merchantName},
			Spec: v1alpha1.MerchantSpec{
				MchID: mchID, AppID: appID,
				APIKeySecretRef:      v1alpha1.SecretKeyReference{Name: "wechatpay"},
				CertificateSecretRef: &v1alpha1.SecretReference{Name: "wechatpay-cert"},
				Endpoint:             &v1alpha1.Endpoint{URL: w.line.primary.URL, BackupURL: w.line.backup.URL, CABundle: certificatePEM(w.line.primary.Certificate())},
			},
		}
		for _, c := range change {
			c(&created.Spec)
		}
		w.create(created)
	}, until: func(w *world) bool {
		found, ok := w.objects()[key{kindMerchant, merchantName}].(*v1alpha1.Merchant)
		return ok && isReady(found)
	}}
}

func newOrder(change ...func(*v1alpha1.Order)) *v1alpha1.Order {
	created := &v1alpha1.Order{
		ObjectMeta: metav1.ObjectMeta{Name: firstOrder},
		Spec: v1alpha1.OrderSpec{
			MerchantRef: v1alpha1.MerchantReference{Name: merchantName},
			TradeType:   v1alpha1.TradeTypeJSAPI, Description: "肥皂 x1",
			Amount: v1alpha1.Amount{Total: 101}, Payer: &v1alpha1.Payer{OpenID: openID},
		},
	}
	for _, c := range change {
		c(created)
	}
	return created
}

func anOrder(change ...func(*v1alpha1.Order)) stage {
	return stage{what: "create the order", do: func(w *world) { w.create(newOrder(change...)) }, until: func(w *world) bool {
		found, ok := w.objects()[key{kindOrder, firstOrder}].(*v1alpha1.Order)
		return ok && settlement.IsPrepared(found)
	}}
}

// admitted is what the MutatingAdmissionPolicy makes of an Order, where there is one.
func admitted(order *v1alpha1.Order) { order.Finalizers = []string{v1alpha1.Finalizer} }

func aRefund(name string, amount int64) stage {
	return stage{what: "create " + name, do: func(w *world) {
		w.create(&v1alpha1.Refund{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.RefundSpec{OrderRef: v1alpha1.OrderReference{Name: firstOrder}, Amount: amount, Reason: "质量问题"}})
	}, until: now}
}

// now goes on to the next stage as soon as the operator has done what was due.
func now(*world) bool { return true }

func paid(w *world) bool {
	found, ok := w.objects()[key{kindOrder, firstOrder}].(*v1alpha1.Order)
	return ok && settlement.IsPaid(found)
}

func finished(w *world) bool {
	found, ok := w.objects()[key{kindOrder, firstOrder}].(*v1alpha1.Order)
	return ok && settlement.IsFinished(found)
}

func refunded(name string) func(*world) bool {
	return func(w *world) bool {
		found, ok := w.objects()[key{kindRefund, name}].(*v1alpha1.Refund)
		return ok && settlement.RefundFinal(found)
	}
}

func awaiting(name string) func(*world) bool {
	return func(w *world) bool {
		found, ok := w.objects()[key{kindRefund, name}].(*v1alpha1.Refund)
		return ok && settlement.ApprovedReason(found) == v1alpha1.ReasonAwaitingApproval
	}
}

func gone(kind, name string) func(*world) bool {
	return func(w *world) bool { return w.objects()[key{kind, name}] == nil }
}

func pay() stage { return payWith("the payer pays", simulator.PayOptions{}, paid) }

func payWithoutCallback() stage {
	return payWith("the payer pays; WeChat's callback gets lost", simulator.PayOptions{NoCallback: true}, paid)
}

func payLate(silently bool) stage {
	return payWith("the payer's money comes late", simulator.PayOptions{Force: true, NoCallback: silently}, paid)
}

func payWith(what string, how simulator.PayOptions, until func(*world) bool) stage {
	return stage{what: what, until: until, do: func(w *world) {
		// After a cut there may be nothing to pay, or a meanwhile paid order.
		if _, err := w.sim.Pay(mchID, firstOrder, how); err != nil {
			w.note("the payer could not pay: %v", err)
		}
	}}
}

func loseCallbacks() stage {
	return stage{what: "callbacks of refunds get lost", do: func(w *world) {
		_, err := w.sim.AddFault(simulator.Fault{Operation: simulator.OperationRefundCallback, Kind: simulator.FaultLose})
		w.must(err)
	}, until: now}
}

func wish(state string) stage {
	return stage{what: "wish " + state, do: func(w *world) {
		w.edit(kindOrder, firstOrder, "", fmt.Sprintf(`{"spec":{"desiredState":%q}}`, state))
	}, until: now}
}

func approve(name string) stage {
	return stage{what: "approve " + name, do: func(w *world) { w.edit(kindRefund, name, "", `{"spec":{"approval":"Approved"}}`) }, until: now}
}

func deny(name string) stage {
	return stage{what: "deny " + name, do: func(w *world) { w.edit(kindRefund, name, "", `{"spec":{"approval":"Denied"}}`) }, until: now}
}

func wipe(kind, name string) stage {
	return stage{what: "wipe the status of " + name, do: func(w *world) { w.edit(kind, name, "status", `{"status":null}`) }, instant: true}
}

func deletion(kind, name string) stage {
	return stage{what: "delete " + name, do: func(w *world) {
		object := newObject(kind)
		object.SetNamespace(w.namespace)
		object.SetName(name)
		w.must(client.IgnoreNotFound(w.suite.api.Delete(context.Background(), object)))
		w.refresh(key{kind, name})
	}, instant: true}
}

// create, edit and delete are what users do; nothing goes wrong with that.
func (w *world) create(object client.Object) {
	object.SetNamespace(w.namespace)
	w.must(w.suite.api.Create(context.Background(), object))
	w.stored(object)
}

func (w *world) edit(kind, name, subresource, patch string) {
	object := newObject(kind)
	object.SetNamespace(w.namespace)
	object.SetName(name)
	raw := client.RawPatch(types.MergePatchType, json.RawMessage(patch))
	var err error
	if subresource == "" {
		err = w.suite.api.Patch(context.Background(), object, raw)
	} else {
		err = w.suite.api.SubResource(subresource).Patch(context.Background(), object, raw)
	}
	if apierrors.IsNotFound(err) {
		w.note("%s is not there", name)
		return
	}
	w.must(err)
	w.stored(object)
}
