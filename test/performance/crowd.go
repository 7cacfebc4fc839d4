package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
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

// crowdNamespaces are what the Orders of a crowd are spread over.
const crowdNamespaces = 4

// oldest is the age of the oldest open Order of a crowd: when the shop's Orders expire by default.
const oldest = 2 * time.Hour

// crowd is many Orders that no client created: copies of one that came through, written into etcd. A hundred thousand would take
// the API server half an hour.
type crowd struct {
	stage *stage
	// prepared and paid are as kube-apiserver stored them, managedFields and all.
	prepared, paid *v1alpha1.Order
	// storedBytes is the size of the paid one in etcd, historyBytes that of all its versions.
	storedBytes, historyBytes, versions int

	total int
	open  []openOrder
}

// openOrder is what a poll's time follows from.
type openOrder struct {
	uid   types.UID
	since time.Time
}

// crowdName is the name of an Order of a crowd.
func crowdName(i int) string { return nameOf("crowd", i) }

func crowdNamespace(i int) string { return fmt.Sprintf("crowd-%d", i%crowdNamespaces) }

// newCrowd has one Order come through the operator, for copies.
func (s *stage) newCrowd(ctx context.Context) (*crowd, error) {
	for i := range crowdNamespaces {
		if err := s.openNamespace(ctx, crowdNamespace(i)); err != nil {
			return nil, err
		}
	}
	c := &crowd{stage: s}
	return c, s.withOperator(ctx, func(ctx context.Context, _ *operator) error { return c.takeSamples(ctx) })
}

// withCrowd opens a stage for a crowd of at most so many, which is to grow by what is done there.
func withCrowd(ctx context.Context, o settings, most int, isOpen func(int) bool, do func(*crowd) error) (err error) {
	s, err := open(ctx, o, scene{open: crowdNumbers(most, isOpen)})
	defer func() { err = errors.Join(err, s.close()) }()
	if err != nil {
		return err
	}
	c, err := s.newCrowd(ctx)
	if err != nil {
		return err
	}
	return do(c)
}

func (c *crowd) takeSamples(ctx context.Context) (err error) {
	order := newOrder(shopNamespace, "sample-000000")
	order.Spec.ExpireAfterSeconds = 7 * 24 * 60 * 60 // the longest: none expires while it is watched
	if err := c.stage.cluster.Client.Create(ctx, order); err != nil {
		return err
	}
	if c.prepared, _, err = c.once(ctx, order, "prepared", lifecycle.IsPrepared); err != nil {
		return err
	}
	if _, err := c.stage.admin.Pay(ctx, mchID, order.Number(), simulator.PayOptions{}); err != nil {
		return err
	}
	if c.paid, c.storedBytes, err = c.once(ctx, order, "paid", lifecycle.IsPaid); err != nil {
		return err
	}
	c.historyBytes, c.versions, err = c.etcd().historySize(ctx, orderKey(order.Namespace, order.Name))
	return err
}

// once waits until an Order is as it should be, and reads what is stored of it then.
func (c *crowd) once(ctx context.Context, order *v1alpha1.Order, what string, is func(*v1alpha1.Order) bool) (*v1alpha1.Order, int, error) {
	stored, size := &v1alpha1.Order{}, 0
	err := await(ctx, "an Order to be "+what, func(ctx context.Context) error {
		found, err := c.etcd().get(ctx, orderKey(order.Namespace, order.Name), 0)
		if err != nil {
			return err
		}
		size, stored = len(found.Value), &v1alpha1.Order{}
		if err := json.Unmarshal(found.Value, stored); err != nil {
			return err
		}
		if !is(stored) {
			return errors.New(lifecycle.PaidReason(stored))
		}
		return nil
	})
	return stored, size, err
}

func (c *crowd) etcd() etcd { return etcd{c.stage.cluster.EtcdURL()} }

// grow adds Orders until there are so many, and waits until the API server lists them. Each is open whose number isOpen says so
// of; the others are paid. The ages of open ones are spread evenly.
func (c *crowd) grow(ctx context.Context, total int, isOpen func(int) bool) error {
	const batch, parallel = 100, 8
	now := time.Now().Truncate(time.Second)
	writing, within := errgroup.WithContext(ctx)
	writing.SetLimit(parallel)
	for first := c.total; first < total; first += batch {
		var values []keyValue
		for i := first; i < min(first+batch, total); i++ {
			// Neighbours in number are far apart in age, as they would not be in life: nothing shall profit from an order.
			age := oldest * time.Duration(i*7919%total) / time.Duration(total)
			order := c.copyOf(i, isOpen(i), now.Add(-age))
			if isOpen(i) {
				c.open = append(c.open, openOrder{order.UID, lifecycle.PreparedSince(order)})
			}
			value, err := json.Marshal(order)
			if err != nil {
				return err
			}
			values = append(values, keyValue{Key: orderKey(order.Namespace, order.Name), Value: value})
		}
		writing.Go(func() error { return c.etcd().put(within, values) })
	}
	if err := writing.Wait(); err != nil {
		return err
	}
	c.total = total
	return c.awaitListed(ctx)
}

// awaitListed waits until the API server's cache has taken in what was written behind its back.
func (c *crowd) awaitListed(ctx context.Context) error {
	return await(ctx, "the API server to list the Orders", func(ctx context.Context) error {
		listed := 0
		for i := range crowdNamespaces {
			orders := &metav1.PartialObjectMetadataList{}
			orders.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("OrderList"))
			if err := c.stage.cluster.Client.List(ctx, orders, client.InNamespace(crowdNamespace(i)), &client.ListOptions{Limit: 1}); err != nil {
				return err
			}
			listed += len(orders.Items)
			if more := orders.GetRemainingItemCount(); more != nil {
				listed += int(*more)
			}
		}
		if listed != c.total {
			return fmt.Errorf("it lists %d of %d", listed, c.total)
		}
		return nil
	})
}

// copyOf is an Order like a sample, but for what each Order has of its own.
func (c *crowd) copyOf(i int, open bool, created time.Time) *v1alpha1.Order {
	sample := c.paid
	if open {
		sample = c.prepared
	}
	order := sample.DeepCopy()
	later := func(t *metav1.Time) {
		if t != nil {
			*t = metav1.NewTime(t.Add(created.Sub(sample.CreationTimestamp.Time)))
		}
	}
	order.Namespace, order.Name, order.UID = crowdNamespace(i), crowdName(i), uuid.NewUUID()
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
	// As if it had been refreshed: a wave of refreshes is not what is looked for.
	*prepay.ExpireTime = metav1.NewTime(time.Now().Add(lifecycle.PrepayLifetime).Truncate(time.Second))
	if transaction := order.Status.Transaction; transaction != nil {
		transaction.ID = ownID(transaction.ID, i)
		later(transaction.PaidTime)
	}
	return order
}

// ownID is an ID of the same length that differs from the others.
func ownID(like string, i int) string {
	own := fmt.Sprintf("%08d", i)
	return like[:len(like)-len(own)] + own
}

// duePolls is how many polls the schedule has for open Orders within a time.
func duePolls(open []openOrder, from, until time.Time) int {
	schedule, due := controllers.DefaultTiming().OrderPoll, 0
	for _, order := range open {
		for at := from; ; due++ {
			age, more := schedule.Next(at.Sub(order.since), string(order.uid))
			if at = order.since.Add(age); !more || !at.Before(until) {
				break
			}
		}
	}
	return due
}

// crowdNumbers are the out_trade_nos of the open Orders of a crowd.
func crowdNumbers(total int, isOpen func(int) bool) []string {
	var numbers []string
	for i := range total {
		if isOpen(i) {
			numbers = append(numbers, crowdName(i))
		}
	}
	return numbers
}

// writeOpenOrders writes a state file of the simulated WeChat Pay, in which orders wait for their payers.
func writeOpenOrders(file string, numbers []string) error {
	var lines bytes.Buffer
	encoder := json.NewEncoder(&lines)
	for _, number := range numbers {
		err := encoder.Encode(map[string]simulator.Order{"order": {
			MchID: mchID, AppID: appID, OutTradeNo: number, TradeType: string(v1alpha1.TradeTypeJSAPI), TotalFee: 101,
			FeeType: string(v1alpha1.CurrencyCNY), SignType: simulator.HMACSHA256, State: simulator.StateNotPay,
			UnifiedOrderCalls: 1, CreateTime: time.Now().Add(-oldest),
		}})
		if err != nil {
			return err
		}
	}
	return os.WriteFile(file, lines.Bytes(), 0o600)
}
