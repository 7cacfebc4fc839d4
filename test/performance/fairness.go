package main

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/performance/internal/callback"
)

const (
	// goodOrders are created one after the other, alone and beside the others; the first of them only warm up.
	goodOrders, warmUp = 25, 5
	stranger           = "stranger"
)

// beside is what good Orders are measured next to.
type beside struct {
	name, what string
	begin      func(context.Context, *stage, *operator) (end func(), err error)
}

var besides = []beside{
	{"hanging-merchants", "40 Merchants of a stranger whose host does not answer, 13 Orders each",
		func(ctx context.Context, s *stage, _ *operator) (func(), error) { return s.hang(ctx, 1, 40, 13) }},
	{"refused-orders", "60 Orders of the same Merchant that WeChat Pay refuses without a signature",
		func(ctx context.Context, s *stage, o *operator) (func(), error) { return s.refuse(ctx, o, 60) }},
	{"hanging-hosts", "4 hosts that do not answer, with a Merchant and 14 Orders each",
		func(ctx context.Context, s *stage, _ *operator) (func(), error) { return s.hang(ctx, 4, 4, 14) }},
}

// measureFairness measures how long an Order takes from its creation to Prepared, alone and beside others that do not get on.
func measureFairness(ctx context.Context, o settings, r *results) error {
	var failures []error
	for _, b := range besides {
		if err := fairBeside(ctx, o, r, b); err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", b.name, err))
		}
	}
	return errors.Join(failures...)
}

func fairBeside(ctx context.Context, o settings, r *results, b beside) (err error) {
	s, err := open(ctx, o, scene{finalizerAtCreation: true})
	defer func() { err = errors.Join(err, s.close()) }()
	if err != nil {
		return err
	}
	return s.withOperator(ctx, func(ctx context.Context, operator *operator) error {
		alone, err := s.goodOrders(ctx, "alone")
		if err != nil {
			return err
		}
		end, err := b.begin(ctx, s, operator)
		defer end()
		if err != nil {
			return err
		}
		beside, err := s.goodOrders(ctx, "beside")
		if err != nil {
			return err
		}
		a, c := ms(alone, 50), ms(beside, 50)
		r.add(b.name+"/alone", a, "ms", "from the creation of an Order to Prepared, p50 of %d one after the other", goodOrders)
		r.add(b.name+"/beside", c, "ms", "the same beside %s; p99 %.0f ms", b.what, ms(beside, 99))
		r.add(b.name+"/ratio", c/a, "x", "of the time alone")
		r.add(b.name+"/over", max(c-2*a, 0), "ms", "more than twice the time alone")
		return nil
	})
}

// goodOrders creates Orders of the shop's, each when the one before is prepared.
func (s *stage) goodOrders(ctx context.Context, prefix string) ([]time.Duration, error) {
	var took []time.Duration
	for i := range warmUp + goodOrders {
		order, began := newOrder(shopNamespace, nameOf(prefix, i)), time.Now()
		if err := s.cluster.Client.Create(ctx, order); err != nil {
			return nil, err
		}
		for !lifecycle.IsPrepared(order) {
			if err := s.cluster.Client.Get(ctx, client.ObjectKeyFromObject(order), order); err != nil {
				return nil, err
			}
			if time.Since(began) > patience {
				return nil, fmt.Errorf("%s is not prepared after %s: %v", order.Name, patience, order.Status.Conditions)
			}
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(5 * time.Millisecond):
			}
		}
		if i >= warmUp {
			took = append(took, time.Since(began))
		}
	}
	return took, nil
}

// hang has a stranger make Merchants at hosts that do not answer, with Orders, and waits until calls hang at each host.
func (s *stage) hang(ctx context.Context, hosts, merchants, orders int) (end func(), err error) {
	var silent []*silentHost
	for range hosts {
		silent = append(silent, newSilentHost())
	}
	end = func() {
		for _, host := range silent {
			host.close()
		}
	}
	if err := s.openNamespace(ctx, stranger); err != nil {
		return end, err
	}
	in := metav1.ObjectMeta{Namespace: stranger}
	if err := s.cluster.Client.Create(ctx, &corev1.Secret{ObjectMeta: named(in, "key"), Data: map[string][]byte{"apiKey": []byte(apiKey)}}); err != nil {
		return end, err
	}
	creating, within := errgroup.WithContext(ctx)
	creating.SetLimit(workers)
	for i := range merchants {
		name, host := nameOf("hangs", i), silent[i%hosts]
		merchant := &v1alpha1.Merchant{ObjectMeta: named(in, name), Spec: v1alpha1.MerchantSpec{
			MchID: mchID, AppID: appID, NotifyBaseURL: "http://" + s.callbacks,
			APIKeySecretRef: v1alpha1.SecretKeyReference{Name: "key"}, Endpoint: host.endpoint(),
		}}
		creating.Go(func() error {
			if err := s.cluster.Client.Create(within, merchant); err != nil {
				return err
			}
			for j := range orders {
				order := newOrder(stranger, fmt.Sprintf("%s-%02d", name, j))
				order.Spec.MerchantRef = v1alpha1.MerchantReference{Name: name}
				if err := s.cluster.Client.Create(within, order); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := creating.Wait(); err != nil {
		return end, err
	}
	return end, await(ctx, "calls to hang", func(context.Context) error {
		for _, host := range silent {
			if host.underWay.Load() == 0 {
				return errors.New("a host has no call")
			}
		}
		return nil
	})
}

// refuse has WeChat refuse Orders of the shop's Merchant, and waits until each was.
func (s *stage) refuse(ctx context.Context, o *operator, count int) (end func(), err error) {
	end = func() {}
	if err := s.openNamespace(ctx, "refused"); err != nil {
		return end, err
	}
	if _, err := s.admin.AddFault(ctx, simulator.Fault{
		Operation: simulator.OperationUnifiedOrder, Kind: simulator.FaultFail, ReturnMsg: "body参数格式错误", Count: count,
	}); err != nil {
		return end, err
	}
	if err := s.createOrders(ctx, "refused", count, func(*v1alpha1.Order) {}); err != nil {
		return end, err
	}
	return end, await(ctx, "the Orders to be refused", func(ctx context.Context) error {
		refused, err := o.metric(ctx, "wechatpay_requests_total", `operation="unifiedorder"`, `outcome="Refused"`)
		if err == nil && int(refused) < count {
			err = fmt.Errorf("%.0f are", refused)
		}
		return err
	})
}

// silentHost takes requests and answers none.
type silentHost struct {
	server   *httptest.Server
	underWay atomic.Int64
	end      chan struct{}
}

func newSilentHost() *silentHost {
	h := &silentHost{end: make(chan struct{})}
	h.server = httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) {
		h.underWay.Add(1)
		defer h.underWay.Add(-1)
		_, _ = io.Copy(io.Discard, request.Body)
		select {
		case <-h.end:
		case <-request.Context().Done():
		}
	}))
	return h
}

func (h *silentHost) endpoint() *v1alpha1.Endpoint {
	return &v1alpha1.Endpoint{URL: h.server.URL, CABundle: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.server.Certificate().Raw})}
}

func (h *silentHost) close() {
	close(h.end)
	h.server.Close()
}

// ms is a percentile in milliseconds.
func ms(of []time.Duration, percent int) float64 {
	return callback.Milliseconds(callback.Percentile(slices.Sorted(slices.Values(of)), percent))
}
