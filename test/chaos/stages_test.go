package chaos_test

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

func newMerchant(change ...func(*v1alpha1.MerchantSpec)) stage {
	return stage{what: "create the merchant", do: func(w *world) { w.createMerchant(home, change...) }, until: merchantIs(true)}
}

// merchantElsewhere creates a Merchant of the same merchant number in another namespace.
func merchantElsewhere(allowed v1alpha1.FromNamespaces) stage {
	return stage{what: "create a merchant elsewhere", do: func(w *world) {
		w.open(elsewhere)
		w.createMerchant(elsewhere, func(s *v1alpha1.MerchantSpec) { s.AllowedNamespaces.From = allowed })
	}, until: func(w *world) bool {
		found := w.merchant(elsewhere, merchantName)
		return found != nil && isReady(found)
	}}
}

func (w *world) open(place string) {
	w.openBare(place)
	w.must(w.suite.createSecrets(w.namespaceOf(place), apiKey, apiV3Key, w.suite.certificate))
}

// openBare creates a namespace without Secrets.
func (w *world) openBare(place string) {
	w.must(w.suite.api.Create(context.Background(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespaceOf(place)}}))
	w.places = append(w.places, place)
}

func (w *world) createMerchant(place string, change ...func(*v1alpha1.MerchantSpec)) {
	created := &v1alpha1.Merchant{
		ObjectMeta: metav1.ObjectMeta{Name: merchantName},
		Spec: v1alpha1.MerchantSpec{
			MchID: mchID, AppID: appID, Protocol: w.flow.protocol,
			APIKeySecretRef:      v1alpha1.SecretKeyReference{Name: keySecret},
			CertificateSecretRef: &v1alpha1.SecretReference{Name: "wechatpay-cert"},
			Endpoint:             &v1alpha1.Endpoint{URL: w.network.primary.URL, BackupURL: w.network.backup.URL, CABundle: certificatePEM(w.network.primary.Certificate())},
		},
	}
	if w.flow.provider {
		created.Spec.Partner = &v1alpha1.Partner{SubMchID: subMchID}
	}
	if w.flow.protocol == v1alpha1.ProtocolV3 {
		speakV3(w, &created.Spec)
		created.Spec.APIKeySecretRef = v1alpha1.SecretKeyReference{}
	}
	for _, c := range change {
		c(&created.Spec)
	}
	w.create(place, created)
}

// permit sets who may use the Merchant in the other namespace.
func permit(from v1alpha1.FromNamespaces) stage {
	return stage{what: "permit " + string(from), do: func(w *world) {
		w.edit(key{kindMerchant, merchantName, elsewhere}, "", fmt.Sprintf(`{"spec":{"allowedNamespaces":{"from":%q}}}`, from))
	}, until: now}
}

// keyAtWeChat resets the key in the merchant platform.
func keyAtWeChat(value string) stage {
	return stage{what: "the key changes at WeChat", do: func(w *world) { w.must(w.sim.SetAPIKey(mchID, value)) }, instant: true}
}

// keyInSecret writes a key into the Secret, and keeps the previous one for callbacks.
func keyInSecret(value, previous string) stage {
	return stage{what: "the key changes in the Secret", instant: true, do: func(w *world) { w.writeSecret("apiKey", value, previous) }}
}

// secretBack creates the Secret again.
func secretBack() stage {
	return stage{what: "the Secret is there again", instant: true, do: func(w *world) {
		w.must(w.suite.api.Create(context.Background(), &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: keySecret}, Data: map[string][]byte{"apiKey": []byte(apiKey), "apiV3Key": []byte(apiV3Key)},
		}))
	}}
}

func (w *world) writeSecret(entry, value, previous string) {
	secret := &corev1.Secret{}
	w.must(w.suite.api.Get(context.Background(), client.ObjectKey{Namespace: w.namespace, Name: keySecret}, secret))
	secret.Data[entry], secret.Data[entry+".previous"] = []byte(value), []byte(previous)
	w.must(w.suite.api.Update(context.Background(), secret))
}

func noSecret() stage {
	return stage{what: "the Secret is deleted", do: func(w *world) {
		w.must(w.suite.api.Delete(context.Background(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: keySecret}}))
	}, instant: true}
}

func merchantIs(ready bool) func(*world) bool {
	return func(w *world) bool {
		found := w.merchant(home, merchantName)
		return found != nil && isReady(found) == ready
	}
}

func (w *world) newOrder(change ...func(*v1alpha1.Order)) *v1alpha1.Order {
	created := &v1alpha1.Order{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: firstOrder},
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
	return stage{what: "create the order", do: func(w *world) { w.create(home, w.newOrder(change...)) }, until: prepared}
}

// secondOrder creates an Order with the number of the first.
func secondOrder() stage {
	return stage{what: "create a second order with the number", do: func(w *world) {
		w.create(home, w.newOrder(func(o *v1alpha1.Order) { o.Name, o.Spec.OutTradeNo = "order-0002", firstOrder }))
	}, instant: true}
}

func orderElsewhere() stage {
	return stage{what: "create an order of that name elsewhere", do: func(w *world) { w.create(elsewhere, w.newOrder()) }, instant: true}
}

func toElsewhere(order *v1alpha1.Order) {
	order.Spec.MerchantRef.Namespace = order.Namespace + "-" + elsewhere
}

// admitted applies what the MutatingAdmissionPolicy does to an Order, where it is installed.
func admitted(order *v1alpha1.Order) { order.Finalizers = []string{v1alpha1.Finalizer} }

func native(order *v1alpha1.Order) {
	order.Spec.TradeType, order.Spec.Payer, order.Spec.ProductID = v1alpha1.TradeTypeNative, nil, "12235413214070356458058"
}

func app(order *v1alpha1.Order) { order.Spec.TradeType, order.Spec.Payer = v1alpha1.TradeTypeApp, nil }

func mweb(order *v1alpha1.Order) {
	order.Spec.TradeType, order.Spec.Payer, order.Spec.ClientIP = v1alpha1.TradeTypeMWEB, nil, "203.0.113.7"
	order.Spec.H5 = &v1alpha1.H5{Type: v1alpha1.H5TypeWap, URL: "https://shop.example", Name: "shop"}
}

func aRefund(name string, amount int64, change ...func(*v1alpha1.Refund)) stage {
	return stage{what: "create " + name, do: func(w *world) {
		created := &v1alpha1.Refund{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.RefundSpec{OrderRef: v1alpha1.OrderReference{Name: firstOrder}, Amount: amount, Reason: "质量问题"}}
		for _, c := range change {
			c(created)
		}
		w.create(home, created)
	}, until: now}
}

func approved(refund *v1alpha1.Refund) { refund.Spec.Approval = v1alpha1.ApprovalApproved }
func denied(refund *v1alpha1.Refund)   { refund.Spec.Approval = v1alpha1.ApprovalDenied }

// refundsBecome sets the outcome of the first refund at WeChat Pay.
func refundsBecome(outcome simulator.FaultKind) stage {
	return stage{what: "WeChat prepares " + string(outcome), do: func(w *world) {
		w.fault(simulator.Fault{Operation: simulator.OperationRefund, Number: firstRefund, Kind: outcome})
	}, until: now}
}

func (w *world) fault(f simulator.Fault) {
	_, err := w.sim.AddFault(f)
	w.must(err)
}

// byHand sets a refund's status as staff do in the merchant platform.
func byHand(name string, status simulator.RefundStatus) stage {
	return stage{what: "staff turn " + name, until: now, do: func(w *world) {
		if err := w.sim.SetRefundStatus(mchID, name, status); err != nil {
			w.note("there is nothing to turn: %v", err) // a cut may have ended the Refund before WeChat Pay had it
		}
	}}
}

// now continues with the next stage once the operator has done what was due.
func now(*world) bool { return true }

// wait continues until nothing is due.
func wait() stage { return stage{what: "wait"} }

// What the first Order comes to.
var (
	prepared     = isAt(home, firstOrder, lifecycle.IsPrepared)
	paid         = isAt(home, firstOrder, lifecycle.IsPaid)
	finished     = isAt(home, firstOrder, lifecycle.IsFinished)
	notPermitted = isAt(home, firstOrder, isNotPermitted)
	// mismatched also matches if no process received the callback and the Order found the mismatch by a query.
	mismatched = isAt(home, firstOrder, func(o *v1alpha1.Order) bool { return lifecycle.PaidReason(o) == v1alpha1.ReasonAmountMismatch })
)

func lost(place, name string) func(*world) bool { return isAt(place, name, lostNumber) }

// What the first Refund comes to.
var (
	accepted  = refundIs(firstRefund, lifecycle.RefundAccepted)
	requested = refundIs(firstRefund, func(r *v1alpha1.Refund) bool {
		return lifecycle.RefundAccepted(r) || lifecycle.RefundMayBeAtWeChat(r)
	})
	unknown = refundIs(firstRefund, func(r *v1alpha1.Refund) bool { return lifecycle.AcceptedReason(r) == v1alpha1.ReasonOutcomeUnknown })
)

func refunded(name string) func(*world) bool { return refundIs(name, lifecycle.RefundFinal) }

func awaiting(name string) func(*world) bool {
	return refundIs(name, func(r *v1alpha1.Refund) bool { return lifecycle.ApprovedReason(r) == v1alpha1.ReasonAwaitingApproval })
}

func abnormal(name string) func(*world) bool {
	return refundIs(name, func(r *v1alpha1.Refund) bool { return lifecycle.SucceededReason(r) == v1alpha1.ReasonAbnormal })
}

func refundIs(name string, is func(*v1alpha1.Refund) bool) func(*world) bool {
	return func(w *world) bool {
		found := w.refund(name)
		return found != nil && is(found)
	}
}

// inDoubtOrPrepared creates the Order and continues once WeChat Pay may have it.
func inDoubtOrPrepared() stage {
	created := anOrder()
	created.until = isAt(home, firstOrder, lifecycle.Started)
	return created
}

func gone(kind, name string) func(*world) bool {
	return func(w *world) bool { return w.objects()[key{kind, name, home}] == nil }
}

func pay() stage { return payWith("the payer pays", simulator.PayOptions{}, paid) }

func payWithoutCallback() stage {
	return payWith("the payer pays; WeChat's callback gets lost", simulator.PayOptions{NoCallback: true}, paid)
}

func payLate(silently bool) stage {
	return payWith("the payer's money comes late", simulator.PayOptions{Force: true, NoCallback: silently}, paid)
}

func payAnotherAmount() stage {
	return payWith("the payer pays another amount", simulator.PayOptions{TotalFee: ptr.To[int64](1)}, mismatched)
}

func payWith(what string, how simulator.PayOptions, until func(*world) bool) stage {
	return payOf(firstOrder, what, how, until)
}

func payOf(number, what string, how simulator.PayOptions, until func(*world) bool) stage {
	return stage{what: what, until: until, do: func(w *world) {
		// After a cut there may be nothing to pay, or the order may already be paid.
		if _, err := w.sim.Pay(mchID, number, how); err != nil {
			w.note("the payer could not pay: %v", err)
		}
	}}
}

func loseCallbacks() stage {
	return stage{what: "callbacks of refunds get lost", do: func(w *world) {
		w.fault(simulator.Fault{Operation: simulator.OperationRefundCallback, Kind: simulator.FaultLose})
	}, until: now}
}

// callbacksAre adds a fault for the first payment callbacks.
func callbacksAre(kind simulator.FaultKind, count int) stage {
	return stage{what: "callbacks are spoiled: " + string(kind), do: func(w *world) {
		w.fault(simulator.Fault{Operation: simulator.OperationPaymentCallback, Kind: kind, Count: count})
	}, until: now}
}

// loseRefundAnswer makes WeChat Pay accept the refund and reply that the result is unknown, on the
// backup host too.
func loseRefundAnswer() stage {
	return stage{what: "WeChat takes the refund and answers SYSTEMERROR", do: func(w *world) {
		w.fault(simulator.Fault{Operation: simulator.OperationRefund, Kind: simulator.FaultSystemError, AfterEffect: true, Count: 2})
	}, until: now}
}

func wish(state string) stage {
	return stage{what: "wish " + state, do: func(w *world) {
		w.edit(key{kindOrder, firstOrder, home}, "", fmt.Sprintf(`{"spec":{"desiredState":%q}}`, state))
	}, until: now}
}

func approve(name string) stage {
	return stage{what: "approve " + name, do: func(w *world) { w.edit(key{kindRefund, name, home}, "", `{"spec":{"approval":"Approved"}}`) }, until: now}
}

func deny(name string) stage {
	return stage{what: "deny " + name, do: func(w *world) { w.edit(key{kindRefund, name, home}, "", `{"spec":{"approval":"Denied"}}`) }, until: now}
}

func wipe(kind, name string) stage {
	return stage{what: "wipe the status of " + name, do: func(w *world) { w.edit(key{kind, name, home}, "status", `{"status":null}`) }, instant: true}
}

func deletion(kind, name string) stage {
	return stage{what: "delete " + name, do: func(w *world) { w.delete(key{kind, name, home}) }, instant: true}
}

// loss deletes an object as the loss of its cluster does: nothing is settled.
func loss(kind, name string) stage {
	return stage{what: "lose " + name, do: func(w *world) {
		k := key{kind, name, home}
		w.edit(k, "", `{"metadata":{"finalizers":null}}`)
		w.delete(k)
	}, instant: true}
}

// create, edit and delete are actions of users, which never fail.
func (w *world) create(place string, object client.Object) {
	object.SetNamespace(w.namespaceOf(place))
	w.must(w.suite.api.Create(context.Background(), object))
	w.stored(object)
}

func (w *world) named(k key) client.Object {
	object := newObject(k.kind)
	object.SetNamespace(w.namespaceOf(k.place))
	object.SetName(k.name)
	return object
}

func (w *world) delete(k key) {
	w.must(client.IgnoreNotFound(w.suite.api.Delete(context.Background(), w.named(k))))
	w.refresh(k)
}

func (w *world) edit(k key, subresource, patch string) {
	object, raw := w.named(k), client.RawPatch(types.MergePatchType, json.RawMessage(patch))
	var err error
	if subresource == "" {
		err = w.suite.api.Patch(context.Background(), object, raw)
	} else {
		err = w.suite.api.SubResource(subresource).Patch(context.Background(), object, raw)
	}
	if apierrors.IsNotFound(err) {
		w.note("%s is not there", k)
		return
	}
	w.must(err)
	w.stored(object)
}
