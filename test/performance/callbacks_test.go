package performance

import (
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

const (
	// Bare status updates and callbacks take turns, and a turn takes so many seconds.
	callbackTurns       = 2
	callbackTurnSeconds = 5
	// callbacksAtOnce is how many come at once in the end.
	callbacksAtOnce = 1000
	// bareAtOnce is how many writes the bare client has under way at most: as many as the operator settles callbacks at
	// once. The others wait for their turn, which counts.
	bareAtOnce = 64
)

// measureCallbacks compares callbacks with a client that only makes the same writes. A callback is measured from when
// it was due to the response, which says that Paid is stored. The bare client writes while the operator runs too.
func measureCallbacks(b *bench) {
	s := b.open(scene{finalizerAtCreation: true})
	o := s.operate()
	_, like := s.sample()
	for _, rate := range []int{50, 100, 200} {
		o.callbacksAt(rate, like)
	}
	o.callbackBurst()
}

func (o *operator) callbacksAt(rate int, like *v1alpha1.Order) {
	var bare, called pace
	for i := range callbackTurns {
		b := o.bareUpdates(fmt.Sprintf("bare-%d-%d", rate, i+1), rate, like)
		c := o.pacedCallbacks(fmt.Sprintf("callbacks-%d-%d", rate, i+1), rate)
		o.stage.say("%d a second, turn %d: bare %s; callbacks %s", rate, i+1, b, c)
		bare, called = bare.and(b), called.and(c)
	}
	add := func(name string, value float64, unit, what string, args ...any) {
		o.stage.add(fmt.Sprintf("%d/%s", rate, name), value, unit, what, args...)
	}
	add("p50", called.percentile(50), "ms", "from when a callback was due to SUCCESS; of a bare status update %.3g", bare.percentile(50))
	add("p99", called.percentile(99), "ms", "of %d callbacks", len(called.times))
	add("bare-p99", bare.percentile(99), "ms", "of %d bare status updates", len(bare.times))
	add("ratio", called.percentile(99)/bare.percentile(99), "x", "of the bare client's p99; %d callbacks without SUCCESS at first are not in it", called.failed)
	add("achieved", called.rate(), "1/s", "SUCCESS until the last answer")
	add("refused", float64(called.failed), "callbacks", "without SUCCESS at first; all came again and were settled")
	add("bare-achieved", bare.rate(), "1/s", "less than %d means that the control plane could not do more; failed %d", rate, bare.failed)
}

// bareUpdates writes the statuses of paid Orders at a rate, as the operator does, but reads nothing. Writes that fail
// because the API server is overloaded are counted.
func (o *operator) bareUpdates(namespace string, rate int, like *v1alpha1.Order) pace {
	s, orders := o.stage, o.preparedOrders(namespace, rate*callbackTurnSeconds)
	for i := range orders {
		own, paid := orders[i].Status, like.Status.DeepCopy()
		paid.OutTradeNo, paid.ExpireTime, paid.Prepay = own.OutTradeNo, own.ExpireTime, own.Prepay
		orders[i].Status = *paid
	}
	writer, err := client.New(s.identity, client.Options{Scheme: controlplane.Scheme()})
	s.must(err)
	places := make(chan struct{}, bareAtOnce)
	p := atRate(s.ctx, rate, len(orders), func(i int) bool {
		places <- struct{}{}
		defer func() { <-places }()
		return writer.Status().Update(s.ctx, &orders[i]) == nil
	})
	if paid := len(s.paid(namespace)); paid < len(p.times) {
		s.Fatalf("%d Orders are Paid after %d writes", paid, len(p.times))
	}
	return p
}

// callbackBurst sends callbacks all at once. Those that were refused are sent again, as WeChat does, but with shorter
// pauses.
func (o *operator) callbackBurst() {
	c := o.prepareCallbacks("burst", callbacksAtOnce)
	began := time.Now()
	c.sendOpen()
	took := time.Since(began)
	answered, told, silent, lied := c.count(succeeded), c.count(refused), c.count(unanswered), c.lied()
	repeats := c.repeat()
	c.add("burst/answered", float64(answered), "callbacks", "of %d at once that were answered SUCCESS within WeChat's %.0f s", callbacksAtOnce, callbackPatience.Seconds())
	c.add("burst/refused", float64(told), "callbacks", "were told to come again; all were settled after %d repeats", repeats)
	c.add("burst/unanswered", float64(silent), "callbacks", "got no answer in time")
	c.add("burst/lost", float64(callbacksAtOnce-len(c.paid(c.namespace))+lied), "Orders", "not Paid at the end, or answered SUCCESS before they were")
	c.add("burst/slowest", 1000*took.Seconds(), "ms", "until the last of them was answered")
}
