package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/test/performance/internal/callback"
)

// Good callbacks come at goodRate, and beside them bodies of largeBody bytes at largeRate, which before there was a limit to their
// members took the most of a CPU to be read.
const (
	goodRate  = 50
	largeRate = 84
	largeBody = 65_000
	// besideTurns are more than of other figures: a p99 is soon spoiled by what else the machine does.
	besideTurns = 4
)

// A stranger has a Merchant of its own in a namespace of its own.
const (
	strangerNamespace = "stranger"
	strangerName      = "stranger"
	strangerMchID     = "1900000110"
	strangerKey       = "BenchOnlyKey1BenchOnlyKey1Bench1"
)

// measureBeside compares good callbacks alone with those beside large bodies, sent to the same address and to that of a stranger's
// Merchant, in turns.
func measureBeside(ctx context.Context, o settings, r *results) (err error) {
	s, err := open(ctx, o, scene{finalizerAtCreation: true})
	defer func() { err = errors.Join(err, s.close()) }()
	if err != nil {
		return err
	}
	return s.withOperator(ctx, func(ctx context.Context, o *operator) error {
		if err := s.openStranger(ctx); err != nil {
			return err
		}
		return o.callbacksBesideBodies(ctx, r)
	})
}

func (o *operator) callbacksBesideBodies(ctx context.Context, r *results) error {
	cases := []struct{ name, to, what string }{
		{"alone", "", "nothing else comes"},
		{"same", shopNamespace + "/" + merchantName, "beside %d bodies of %d bytes a second to the same address"},
		{"stranger", strangerNamespace + "/" + strangerName, "beside %d bodies of %d bytes a second to a stranger's Merchant"},
	}
	paces := map[string]pace{}
	for turn := range besideTurns {
		for _, c := range cases {
			stop := o.sendBodies(ctx, c.to)
			p, err := o.pacedCallbacks(ctx, fmt.Sprintf("beside-%s-%d", c.name, turn+1), goodRate, goodRate*int(callbackTurn/time.Second))
			sent := stop()
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			fmt.Printf("    %d a second, %s, turn %d: %s; %s\n", goodRate, c.name, turn+1, p, sent)
			paces[c.name] = paces[c.name].and(p)
		}
	}
	alone := paces["alone"].percentile(99)
	for _, c := range cases {
		p, what := paces[c.name], c.what
		if c.to != "" {
			what = fmt.Sprintf(what, largeRate, largeBody)
		}
		r.add(c.name+"-p99", callback.Milliseconds(p.percentile(99)), "ms", "of %d callbacks at %d a second, %s; p50 %.3g", len(p.took), goodRate, what, callback.Milliseconds(p.percentile(50)))
		if c.to != "" {
			r.add(c.name+"-ratio", p.percentile(99).Seconds()/alone.Seconds(), "x", "of their p99 alone; %d callbacks without SUCCESS at first are not in it", p.failed)
		}
	}
	return nil
}

// sendBodies sends large bodies to a Merchant until it is stopped, and then says what became of them. To nobody it sends none.
func (o *operator) sendBodies(ctx context.Context, to string) (stop func() string) {
	if to == "" {
		return func() string { return "no large bodies" }
	}
	ctx, cancel := context.WithCancel(ctx)
	url, body := "http://"+o.stage.callbacks+"/notify/v2/"+to+"/payment", callback.Large(largeBody)
	by := &http.Client{Timeout: callback.Patience, Transport: &http.Transport{MaxIdleConnsPerHost: largeRate}}
	ended := make(chan pace, 1)
	go func() {
		most := largeRate * int((patience / time.Second))
		ended <- untilDone(ctx, largeRate, most, func() bool { return callback.Send(ctx, by, url, body).Refused() })
	}()
	return func() string {
		cancel()
		p := <-ended
		by.CloseIdleConnections()
		return fmt.Sprintf("large bodies refused: %.0f a second, p99 %.1f ms", p.rate(), callback.Milliseconds(p.percentile(99)))
	}
}

// untilDone does something at a rate until the context ends.
func untilDone(ctx context.Context, rate, most int, do func() bool) pace {
	all := pace{}
	for range most / rate {
		if ctx.Err() != nil {
			break
		}
		all = all.and(atRate(ctx, rate, rate, func(int) bool { return ctx.Err() == nil && do() }))
	}
	return all
}

// openStranger makes the stranger's namespace and Merchant, and waits until that is ready.
func (s *stage) openStranger(ctx context.Context) error {
	primary, backup, err := s.admin.URLs(ctx)
	if err != nil {
		return err
	}
	authority, err := s.admin.CAPEM(ctx)
	if err != nil {
		return err
	}
	in := metav1.ObjectMeta{Namespace: strangerNamespace}
	stranger := &v1alpha1.Merchant{ObjectMeta: named(in, strangerName), Spec: v1alpha1.MerchantSpec{
		MchID: strangerMchID, AppID: appID, NotifyBaseURL: "http://" + s.callbacks,
		APIKeySecretRef: v1alpha1.SecretKeyReference{Name: "key"},
		Endpoint:        &v1alpha1.Endpoint{URL: primary, BackupURL: backup, CABundle: authority},
	}}
	for _, object := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: strangerNamespace}},
		&corev1.Secret{ObjectMeta: named(in, "key"), Data: map[string][]byte{"apiKey": []byte(strangerKey)}},
		stranger,
	} {
		if err := s.cluster.Client.Create(ctx, object); err != nil {
			return err
		}
	}
	return await(ctx, "the stranger's Merchant to be ready", func(ctx context.Context) error {
		if err := s.cluster.Client.Get(ctx, client.ObjectKeyFromObject(stranger), stranger); err != nil {
			return err
		}
		if !meta.IsStatusConditionTrue(stranger.Status.Conditions, v1alpha1.ConditionReady) {
			return errors.New("not yet")
		}
		return nil
	})
}
