package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/test/performance/internal/callback"
)

// Whoever was refused is sent again after this pause (WeChat's first is 15 s), so often at most.
const (
	repeatPause = time.Second
	repeatsMost = 30
)

// callbacks are true ones for the Orders of a namespace, which can be paid.
type callbacks struct {
	stage     *stage
	namespace string
	url       string
	client    *http.Client
	// bodies and the latest answers are in the order of the Orders.
	bodies  []string
	answers []callback.Answer
}

// prepareCallbacks has the operator prepare Orders, and writes what WeChat says when they are paid.
func (o *operator) prepareCallbacks(ctx context.Context, namespace string, count int) (*callbacks, error) {
	orders, err := o.preparedOrders(ctx, namespace, count)
	if err != nil {
		return nil, err
	}
	c := &callbacks{
		stage: o.stage, namespace: namespace, answers: make([]callback.Answer, count),
		url:    "http://" + o.stage.callbacks + "/notify/v2/" + shopNamespace + "/" + merchantName + "/payment",
		client: &http.Client{Timeout: callback.Patience, Transport: &http.Transport{MaxIdleConnsPerHost: count}},
	}
	for i := range orders {
		c.bodies = append(c.bodies, callback.Payment{
			AppID: appID, MchID: mchID, OpenID: openID, OutTradeNo: orders[i].Number(), Total: orders[i].Spec.Amount.Total,
			// An Order of another namespace than its Merchant's is sent with its own in front.
			Attach: orders[i].Namespace + "/" + orders[i].Spec.Attach,
		}.Signed(apiKey))
	}
	return c, nil
}

// pacedCallbacks sends callbacks at a rate, sees to it that those that failed come again, and that all of the Orders are Paid.
func (o *operator) pacedCallbacks(ctx context.Context, namespace string, rate, count int) (pace, error) {
	c, err := o.prepareCallbacks(ctx, namespace, count)
	if err != nil {
		return pace{}, err
	}
	defer c.client.CloseIdleConnections()
	o.stage.profile(ctx, namespace, o)
	p := atRate(ctx, rate, count, func(i int) bool { return c.send(ctx, i).Succeeded })
	lied, err := c.lied(ctx)
	if err == nil && lied > 0 {
		err = fmt.Errorf("%d callbacks were answered SUCCESS and their Orders are not Paid", lied)
	}
	if err != nil {
		return p, err
	}
	if _, err := c.repeat(ctx); err != nil {
		return p, err
	}
	return p, o.stage.allPaid(ctx, namespace, count)
}

func (c *callbacks) send(ctx context.Context, i int) callback.Answer {
	c.answers[i] = callback.Send(ctx, c.client, c.url, c.bodies[i])
	return c.answers[i]
}

// open are those without SUCCESS.
func (c *callbacks) open() []int {
	var open []int
	for i, a := range c.answers {
		if !a.Succeeded {
			open = append(open, i)
		}
	}
	return open
}

// sendAll sends some at once, each on a connection of its own, and returns how long it was until the last answer.
func (c *callbacks) sendAll(ctx context.Context, those []int) time.Duration {
	var underWay sync.WaitGroup
	began := time.Now()
	for _, i := range those {
		underWay.Go(func() { c.send(ctx, i) })
	}
	underWay.Wait()
	took := time.Since(began)
	c.client.CloseIdleConnections()
	return took
}

// repeat sends those without SUCCESS again, until there are none, and returns how often.
func (c *callbacks) repeat(ctx context.Context) (repeats int, err error) {
	for open := c.open(); len(open) > 0; open = c.open() {
		if repeats == repeatsMost {
			return repeats, fmt.Errorf("%d callbacks were not settled in %d repeats", len(open), repeats)
		}
		select {
		case <-ctx.Done():
			return repeats, ctx.Err()
		case <-time.After(repeatPause):
		}
		c.sendAll(ctx, open)
		repeats++
	}
	return repeats, nil
}

// tally is how many callbacks got which answer.
type tally struct{ succeeded, refused, unanswered int }

func (c *callbacks) sum() (t tally) {
	for _, a := range c.answers {
		switch {
		case a.Succeeded:
			t.succeeded++
		case a.Refused():
			t.refused++
		default:
			t.unanswered++
		}
	}
	return t
}

// lied counts the callbacks that were answered SUCCESS although the API server does not have their Orders as Paid.
func (c *callbacks) lied(ctx context.Context) (count int, err error) {
	paid, err := c.stage.paidIn(ctx, c.namespace)
	for i, a := range c.answers {
		if a.Succeeded && !paid[nameOf(c.namespace, i)] {
			count++
		}
	}
	return count, err
}
