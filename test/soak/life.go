package main

import (
	"context"
	"errors"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/soak/judge"
)

// life is one Order with its shop, payer, approver, and whoever deletes objects. Each repeats its
// requests until there is a response.
type life struct {
	plan
	shop, approver, admin client.Client
	clients               map[string]client.Client
	wechat                *simulator.AdminClient
	// ingress is the address to which WeChat Pay, and whoever pretends to be it, sends callbacks.
	ingress string
	memory  *memory
	order   *v1alpha1.Order
	number  judge.Number
	// isTwin marks the second of two Orders that use one number.
	isTwin bool
	born   time.Time
}

// live runs the life to its end, or until the context ends.
func (l *life) live(ctx context.Context, merchant *v1alpha1.Merchant) {
	pause(ctx, l.start)
	if ctx.Err() != nil {
		return
	}
	l.born = time.Now()
	l.order = l.plan.order(l.born)
	l.number = judge.Number{MchID: l.account.mchID, Number: l.order.Number()}
	l.memory.askOrder(l.number, l.order, merchant)
	l.memory.count("payers who pay " + string(l.payer))

	var all sync.WaitGroup
	if !l.isTwin {
		all.Go(func() { l.challenge(ctx) })
		all.Go(func() { l.forge(ctx) })
	}
	l.create(ctx, l.shop, l.order)
	all.Go(func() { l.pay(ctx) })
	all.Go(func() { l.closeOrder(ctx) })
	all.Go(func() { l.deleteOrder(ctx) })
	all.Go(func() { l.ship(ctx) })
	for _, refund := range l.refunds {
		all.Go(func() { l.refund(ctx, refund) })
	}
	all.Wait()
}

// until waits until the Order has an age. It reports whether there is anything left to do.
func (l *life) until(ctx context.Context, age time.Duration) bool {
	pause(ctx, time.Until(l.born.Add(age)))
	return ctx.Err() == nil
}

// payerPatience is how long a payer waits for a prepay, and tries to pay with it.
const payerPatience = 3 * time.Minute

func (l *life) pay(ctx context.Context) {
	if l.payer == paysNever || !l.until(ctx, l.payAfter) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, payerPatience)
	defer cancel()
	options := simulator.PayOptions{NoCallback: l.payer == paysSecretly}
	if l.payer == paysAfterClose {
		l.try(ctx, func() error { return l.payOnce(l.wechat.PayAfterClose(ctx, l.number.MchID, l.number.Number, options)) })
		return
	}
	prepay := l.awaitPrepay(ctx)
	if prepay == nil {
		return
	}
	for range map[bool]int{false: 1, true: 2}[l.payer == paysTwice] {
		l.try(ctx, func() error { return l.payOnce(l.payWith(ctx, prepay, options)) })
	}
}

// payWith pays with what the payer was given. With a code or a link of V3 there is no prepay_id: it
// is the only one of its number.
func (l *life) payWith(ctx context.Context, prepay *v1alpha1.OrderPrepay, options simulator.PayOptions) (simulator.Payment, error) {
	switch {
	case prepay.JSAPI != nil:
		payment, err := l.wechat.RequestPayment(ctx, simulator.ClientPayment{
			AppID: prepay.JSAPI.AppID, TimeStamp: prepay.JSAPI.TimeStamp, NonceStr: prepay.JSAPI.NonceStr,
			Package: prepay.JSAPI.Package, SignType: prepay.JSAPI.SignType, PaySign: prepay.JSAPI.PaySign,
		}, options)
		if !errors.Is(err, simulator.ErrPaySign) {
			return payment, err
		}
		if l.account.mchID != accounts[0].mchID { // whose key is reset, which ends what it has signed
			l.memory.refusedPaySign(l.number)
		}
		return l.wechat.PayByPrepayID(ctx, prepay.ID, options)
	case prepay.ID != "":
		return l.wechat.PayByPrepayID(ctx, prepay.ID, options)
	default:
		return l.wechat.Pay(ctx, l.number.MchID, l.number.Number, options)
	}
}

// payOnce returns an error if the payment must be retried: WeChat Pay is down, or does not have the
// order yet. Any other result is final.
func (l *life) payOnce(payment simulator.Payment, err error) error {
	switch {
	case err == nil:
		l.memory.paid(l.number, payment.TransactionID)
		l.memory.count("payments")
		return nil
	case errors.Is(err, simulator.ErrOrderPaid), errors.Is(err, simulator.ErrOrderClosed), errors.Is(err, simulator.ErrOrderExpired), errors.Is(err, simulator.ErrPrepayExpired):
		return nil
	default:
		return err
	}
}

// awaitPrepay waits until the Order has a prepay, or never will.
func (l *life) awaitPrepay(ctx context.Context) *v1alpha1.OrderPrepay {
	var prepay *v1alpha1.OrderPrepay
	l.try(ctx, func() error {
		order := &v1alpha1.Order{}
		if err := l.shop.Get(ctx, client.ObjectKeyFromObject(l.order), order); err != nil {
			return err
		}
		if lifecycle.PaidReason(order) == v1alpha1.ReasonNumberInUse {
			return nil
		}
		if p := order.Status.Prepay; p == nil || p.ID == "" && p.CodeURL == "" && p.MWEBURL == "" {
			return errors.New("not prepared yet")
		}
		prepay = order.Status.Prepay
		return nil
	})
	return prepay
}

func (l *life) closeOrder(ctx context.Context) {
	if l.closeAfter == 0 || !l.until(ctx, l.closeAfter) {
		return
	}
	l.memory.count("Orders closed by wish")
	l.try(ctx, func() error {
		return client.IgnoreNotFound(l.patch(ctx, l.shop, l.order, `{"spec":{"desiredState":"Closed"}}`))
	})
}

func (l *life) deleteOrder(ctx context.Context) {
	if l.deleteAfter == 0 || !l.until(ctx, l.deleteAfter) {
		return
	}
	l.memory.count("Orders deleted")
	l.memory.deleteOrder(l.number)
	l.delete(ctx, l.shop, l.order)
	if !l.reapply || !l.awaitGone(ctx, l.order) {
		return
	}
	l.memory.count("Orders applied again")
	l.create(ctx, l.shop, l.order)
}

func (l *life) refund(ctx context.Context, r refundPlan) {
	if !l.until(ctx, r.start) {
		return
	}
	refund := l.plan.refund(r)
	number := judge.Number{MchID: l.number.MchID, Number: refund.Number()}
	l.memory.askRefund(number, l.number, refund)
	l.create(ctx, l.shop, refund)
	l.approveAsTheShop(ctx, refund, number)
	var all sync.WaitGroup
	all.Go(func() {
		if l.until(ctx, r.decideAfter) {
			l.decide(ctx, refund, number, r.decision)
		}
	})
	all.Go(func() {
		if r.deleteAfter > 0 && l.until(ctx, r.deleteAfter) {
			l.deleteRefund(ctx, refund, number, r)
		}
	})
	all.Wait()
}

// decide makes a person decide, unless the Merchant approves automatically.
func (l *life) decide(ctx context.Context, refund *v1alpha1.Refund, number judge.Number, decision v1alpha1.Approval) {
	if decision == "" || l.account.approval == v1alpha1.RefundApprovalAutomatic {
		return
	}
	if decision == v1alpha1.ApprovalApproved {
		l.memory.approve(number, l.namespace)
	}
	l.memory.count("Refunds " + string(decision))
	l.try(ctx, func() error {
		err := l.patch(ctx, l.approver, refund, `{"spec":{"approval":"`+string(decision)+`"}}`)
		return client.IgnoreNotFound(err)
	})
}

// deleteRefund deletes a Refund at any moment of its life, and creates and decides it again.
func (l *life) deleteRefund(ctx context.Context, refund *v1alpha1.Refund, number judge.Number, r refundPlan) {
	l.memory.count("Refunds deleted")
	l.memory.deleteRefund(number)
	l.delete(ctx, l.admin, refund)
	if !r.reapply || !l.awaitGone(ctx, refund) {
		return
	}
	l.memory.count("Refunds applied again")
	l.create(ctx, l.shop, refund)
	l.decide(ctx, refund, number, r.decision)
}

// create creates an object. If it already exists, the response to an earlier attempt was lost.
func (l *life) create(ctx context.Context, as client.Client, object client.Object) {
	l.try(ctx, func() error {
		copied := object.DeepCopyObject().(client.Object)
		err := as.Create(ctx, copied)
		if apierrors.IsAlreadyExists(err) {
			return nil
		}
		return err
	})
}

func (l *life) delete(ctx context.Context, as client.Client, object client.Object) {
	l.try(ctx, func() error {
		return client.IgnoreNotFound(as.Delete(ctx, object.DeepCopyObject().(client.Object)))
	})
}

func (l *life) patch(ctx context.Context, as client.Client, object client.Object, patch string) error {
	copied := object.DeepCopyObject().(client.Object)
	return as.Patch(ctx, copied, client.RawPatch(types.MergePatchType, []byte(patch)))
}

func (l *life) awaitGone(ctx context.Context, object client.Object) bool {
	return l.try(ctx, func() error {
		err := l.admin.Get(ctx, client.ObjectKeyFromObject(object), object.DeepCopyObject().(client.Object))
		if apierrors.IsNotFound(err) {
			return nil
		}
		return errors.Join(err, errors.New("still there"))
	})
}

// try retries until there is no error, and reports whether it succeeded.
func (l *life) try(ctx context.Context, what func() error) bool {
	for ctx.Err() == nil {
		err := what()
		switch {
		case err == nil:
			return true
		case apierrors.IsInvalid(err):
			l.memory.count("wishes refused: " + err.Error())
			return false
		}
		pause(ctx, 500*time.Millisecond)
	}
	return false
}
