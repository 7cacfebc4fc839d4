package performance

import (
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

// goodOrders are created one after the other, alone and while others fail. Those of the warm-up are not counted.
const goodOrders, warmUp = 25, 5

// measureFairness measures how long an Order takes from its creation to Prepared, alone and while the calls of others
// hang or are refused.
func measureFairness(b *bench) {
	for _, beside := range []struct {
		name, what string
		begin      func(*operator)
	}{
		{"hanging-merchants", "40 Merchants of a stranger whose host does not answer, 13 Orders each", func(o *operator) { o.stage.hang(1, 40, 13) }},
		{"refused-orders", "60 Orders of the same Merchant that WeChat Pay refuses without a signature", func(o *operator) { o.refuse(60) }},
		{"hanging-hosts", "4 hosts that do not answer, with a Merchant and 14 Orders each", func(o *operator) { o.stage.hang(4, 4, 14) }},
	} {
		b.part(beside.name, func(b *bench) {
			s := b.open(scene{finalizerAtCreation: true})
			o := s.operate()
			alone := s.goodOrders("alone")
			beside.begin(o)
			next := s.goodOrders("beside")
			a, n := alone.percentile(50), next.percentile(50)
			b.add("alone", a, "ms", "from the creation of an Order to Prepared, p50 of %d one after the other", goodOrders)
			b.add("beside", n, "ms", "the same beside %s; p99 %.0f ms", beside.what, next.percentile(99))
			b.add("ratio", n/a, "x", "of the time alone")
			b.add("over", max(n-2*a, 0), "ms", "more than twice the time alone")
		})
	}
}

// goodOrders creates the shop's Orders, each when the previous one is prepared, and returns how long each took.
func (s *stage) goodOrders(prefix string) (took times) {
	for i := range warmUp + goodOrders {
		order, began := newOrder(shop, nameOf(prefix, i)), time.Now()
		s.create(order)
		s.awaitOrder(order, 5*time.Millisecond, lifecycle.IsPrepared)
		took = append(took, time.Since(began))
	}
	return took[warmUp:]
}

// hang creates Merchants of a stranger at hosts that do not answer, with Orders, and waits until calls hang at each host.
func (s *stage) hang(hosts, merchants, ordersOfEach int) {
	s.openNamespace(stranger)
	var silent []*silentHost
	for range hosts {
		silent = append(silent, s.silentHost())
	}
	for i := range merchants {
		s.addMerchant(stranger, nameOf("hangs", i), mchID, apiKey, silent[i%hosts].change)
	}
	orders := newOrders(stranger, merchants*ordersOfEach)
	for i, order := range orders {
		order.Spec.MerchantRef = v1alpha1.MerchantReference{Name: nameOf("hangs", i%merchants)}
	}
	s.must(s.storeOrders(orders, func(*v1alpha1.Order) {}))
	s.await("calls to hang", soon, func() error {
		for _, host := range silent {
			if host.underWay.Load() == 0 {
				return errors.New("a host has no call")
			}
		}
		return nil
	})
}

// refuse makes WeChat refuse Orders of the shop's Merchant, and waits until it has.
func (o *operator) refuse(count int) {
	_, err := o.stage.admin.AddFault(o.stage.ctx, simulator.Fault{
		Operation: simulator.OperationUnifiedOrder, Kind: simulator.FaultFail, ReturnMsg: "body参数格式错误", Count: count,
	})
	o.stage.must(err)
	o.stage.createOrders("refused", count)
	o.awaitMetric(soon, count, "wechatpay_requests_total", fmt.Sprintf(`operation=%q.*outcome=%q`, wechatpay.OperationCreateOrder, wechatpay.Refused))
}

// silentHost accepts requests and never answers.
type silentHost struct {
	*httptest.Server
	underWay atomic.Int64
}

func (s *stage) silentHost() *silentHost {
	h, end := &silentHost{}, make(chan struct{})
	h.Server = httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) {
		h.underWay.Add(1)
		defer h.underWay.Add(-1)
		_, _ = io.Copy(io.Discard, request.Body)
		select {
		case <-end:
		case <-request.Context().Done():
		}
	}))
	s.Cleanup(func() { close(end); h.Close() })
	return h
}

// change moves a Merchant to this host.
func (h *silentHost) change(merchant *v1alpha1.MerchantSpec) {
	merchant.Endpoint = &v1alpha1.Endpoint{URL: h.URL, CABundle: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.Certificate().Raw})}
}
