package performance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/uuid"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/controllers"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

// crowdNamespaces are the namespaces of a crowd's Orders.
const crowdNamespaces = 4

// oldest is the age of the oldest open Order of a crowd: when the shop's Orders expire by default.
const oldest = 2 * time.Hour

// crowd is many Orders that no client created: copies of a real one, written into etcd. A hundred thousand would take
// the API server half an hour.
type crowd struct {
	*stage
	etcd etcd
	// isOpen reports whether the Order with a number is open; the others are paid.
	isOpen func(i int) bool
	// prepared and paid are the samples. sizes are those of all versions of the paid one in etcd, the last first.
	prepared, paid *v1alpha1.Order
	sizes          []int

	orders int
	open   []openOrder
}

// openOrder has what the times of the polls follow from.
type openOrder struct {
	uid   types.UID
	since time.Time
}

func crowdNamespace(i int) string { return fmt.Sprintf("crowd-%d", i%crowdNamespaces) }

// gather opens a stage for a crowd of at most so many, and lets the operator settle one Order for the copies.
func (b *bench) gather(most int, isOpen func(int) bool) *crowd {
	var numbers []string
	for i := range most {
		if isOpen(i) {
			numbers = append(numbers, nameOf("crowd", i))
		}
	}
	s := b.open(scene{open: numbers})
	for i := range crowdNamespaces {
		s.openNamespace(crowdNamespace(i))
	}
	c := &crowd{stage: s, isOpen: isOpen, etcd: etcd{s.cluster.EtcdURL()}}
	o := s.operate()
	c.prepared, c.paid = s.sample()
	o.stop()
	var err error
	c.sizes, err = c.etcd.sizes(s.ctx, orderKey(c.paid))
	s.must(err)
	return c
}

// grow adds Orders until there are so many. The ages of the open ones are spread evenly.
func (c *crowd) grow(orders int) {
	const batch, parallel = 100, 8
	now := time.Now().Truncate(time.Second)
	writing, within := errgroup.WithContext(c.ctx)
	writing.SetLimit(parallel)
	for first := c.orders; first < orders; first += batch {
		var values []keyValue
		for i := first; i < min(first+batch, orders); i++ {
			// Orders with consecutive numbers have very different ages, so that the operator can't profit from their
			// order.
			order := c.copyOf(i, now.Add(-oldest*time.Duration(i*7919%orders)/time.Duration(orders)))
			if c.isOpen(i) {
				c.open = append(c.open, openOrder{order.UID, lifecycle.PreparedSince(order)})
			}
			value, err := json.Marshal(order)
			c.must(err)
			values = append(values, keyValue{Key: orderKey(order), Value: value})
		}
		writing.Go(func() error { return c.etcd.put(within, values) })
	}
	c.must(writing.Wait())
	c.orders = orders
	// kube-apiserver's cache sees writes to etcd a little later.
	c.await("the API server to list the Orders", soon, func() error {
		listed := &metav1.PartialObjectMetadataList{}
		listed.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("OrderList"))
		c.must(c.cluster.Client.List(c.ctx, listed, &client.ListOptions{Limit: 1}))
		if more := listed.GetRemainingItemCount(); more == nil || int(*more) < orders { // the sample is one more
			return fmt.Errorf("it does not list %d yet", orders)
		}
		return nil
	})
}

// copyOf is a sample as kube-apiserver stores it, with the values that differ between Orders.
func (c *crowd) copyOf(i int, created time.Time) *v1alpha1.Order {
	sample := c.paid
	if c.isOpen(i) {
		sample = c.prepared
	}
	order := sample.DeepCopy()
	later := func(t *metav1.Time) {
		if t != nil {
			*t = metav1.NewTime(t.Add(created.Sub(sample.CreationTimestamp.Time)))
		}
	}
	order.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("Order"))
	order.Namespace, order.Name, order.UID, order.ResourceVersion = crowdNamespace(i), nameOf("crowd", i), uuid.NewUUID(), ""
	for k := range order.Status.Conditions {
		later(&order.Status.Conditions[k].LastTransitionTime)
	}
	order.Status.OutTradeNo = order.Name
	later(&order.CreationTimestamp)
	later(order.Status.ExpireTime)
	prepay := order.Status.Prepay
	prepay.ID = ownID(prepay.ID, i)
	prepay.JSAPI.Package = "prepay_id=" + prepay.ID
	prepay.JSAPI.PaySign = ownID(prepay.JSAPI.PaySign, i)
	// As if it had just been refreshed, so that not all are refreshed at once.
	*prepay.ExpireTime = metav1.NewTime(time.Now().Add(lifecycle.PrepayLifetime).Truncate(time.Second))
	if transaction := order.Status.Transaction; transaction != nil {
		transaction.ID = ownID(transaction.ID, i)
		later(transaction.PaidTime)
	}
	return order
}

// ownID returns a different ID of the same length.
func ownID(like string, i int) string {
	own := fmt.Sprintf("%08d", i)
	return like[:len(like)-len(own)] + own
}

// due is how many polls a second the schedule has for the open Orders.
func (c *crowd) due(from, until time.Time) float64 {
	schedule, due := controllers.DefaultTiming().OrderPoll, 0
	for _, order := range c.open {
		for at := from; ; due++ {
			age, more := schedule.Next(at.Sub(order.since), string(order.uid))
			if at = order.since.Add(age); !more || !at.Before(until) {
				break
			}
		}
	}
	return float64(due) / until.Sub(from).Seconds()
}

// writeOpenOrders writes a state file of the simulated WeChat Pay with orders that are not paid yet.
func (s *stage) writeOpenOrders(file string, numbers []string) {
	var lines bytes.Buffer
	encoder := json.NewEncoder(&lines)
	for _, number := range numbers {
		s.must(encoder.Encode(map[string]simulator.Order{"order": {
			MchID: mchID, AppID: appID, OutTradeNo: number, TradeType: string(v1alpha1.TradeTypeJSAPI), TotalFee: total,
			FeeType: string(v1alpha1.CurrencyCNY), SignType: simulator.HMACSHA256, State: simulator.StateNotPay,
			UnifiedOrderCalls: 1, CreateTime: time.Now().Add(-oldest),
		}}))
	}
	s.must(os.WriteFile(file, lines.Bytes(), 0o600))
}
