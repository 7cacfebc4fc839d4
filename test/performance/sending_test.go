package performance

import (
	"net/http"
	"sync"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// A callback that was refused is sent again after this pause (WeChat's first is 15 s), so often at most.
const (
	repeatPause = time.Second
	repeatsMost = 30
)

// callbacks are true ones for the Orders of a namespace, which can be paid.
type callbacks struct {
	*stage
	namespace, url string
	client         *http.Client
	// bodies and the latest answers are in the order of the Orders.
	bodies  []string
	answers []answer
}

// preparedOrders lets the operator prepare Orders that nobody pays.
func (o *operator) preparedOrders(namespace string, count int) []v1alpha1.Order {
	o.stage.createOrders(namespace, count)
	o.awaitState(namespace, v1alpha1.ReasonAwaitingPayment, count)
	o.awaitIdle()
	return o.stage.list(namespace)
}

// prepareCallbacks lets the operator prepare Orders, and writes what WeChat says when they are paid.
func (o *operator) prepareCallbacks(namespace string, count int) *callbacks {
	c := &callbacks{
		stage: o.stage, namespace: namespace, url: o.stage.callbackURL(shop, shop, "payment"), answers: make([]answer, count),
		client: &http.Client{Timeout: callbackPatience, Transport: &http.Transport{MaxIdleConnsPerHost: count}},
	}
	for _, order := range o.preparedOrders(namespace, count) {
		// The attach of an Order in another namespace than its Merchant's begins with the namespace.
		c.bodies = append(c.bodies, payment(order.Number(), order.Namespace+"/"+order.Spec.Attach, apiKey))
	}
	return c
}

// pacedCallbacks sends callbacks at a rate. Those that failed come again, until all of the Orders are Paid.
func (o *operator) pacedCallbacks(namespace string, rate int) pace {
	c := o.prepareCallbacks(namespace, rate*callbackTurnSeconds)
	p := c.sendAtRate(rate)
	c.repeat()
	o.stage.allPaid(namespace, len(c.bodies))
	return p
}

// sendAtRate sends all at a rate, and fails if one was answered SUCCESS before its Order was Paid.
func (c *callbacks) sendAtRate(rate int) pace {
	defer c.client.CloseIdleConnections()
	p := atRate(c.ctx, rate, len(c.bodies), func(i int) bool { return c.send(i) == succeeded })
	if lied := c.lied(); lied > 0 {
		c.Fatalf("%d callbacks were answered SUCCESS and their Orders are not Paid", lied)
	}
	return p
}

func (c *callbacks) send(i int) answer {
	c.answers[i] = post(c.ctx, c.client, c.url, c.bodies[i])
	return c.answers[i]
}

// sendOpen sends those without SUCCESS at once, each on a connection of its own.
func (c *callbacks) sendOpen() {
	var underWay sync.WaitGroup
	for i, a := range c.answers {
		if a != succeeded {
			underWay.Go(func() { c.send(i) })
		}
	}
	underWay.Wait()
	c.client.CloseIdleConnections()
}

// repeat sends those without SUCCESS again, until there are none, and returns how often.
func (c *callbacks) repeat() (repeats int) {
	for ; c.count(succeeded) < len(c.answers); repeats++ {
		if repeats == repeatsMost {
			c.Fatalf("%d callbacks were settled in %d repeats, of %d", c.count(succeeded), repeats, len(c.answers))
		}
		c.pause(repeatPause)
		c.sendOpen()
	}
	return repeats
}

// count is how many callbacks got an answer.
func (c *callbacks) count(which answer) (count int) {
	for _, a := range c.answers {
		if a == which {
			count++
		}
	}
	return count
}

// lied counts the callbacks that were answered SUCCESS although their Orders are not Paid, as the API server has them.
func (c *callbacks) lied() (count int) {
	paid := c.paid(c.namespace)
	for i, a := range c.answers {
		if a == succeeded && !paid[nameOf(c.namespace, i)] {
			count++
		}
	}
	return count
}
