package hostile

import (
	"context"
	"os"
	"testing"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

// BenchmarkHostile is run once: -benchtime=1x.
func BenchmarkHostile(b *testing.B) {
	lines := &counted{}
	ctrl.SetLogger(zap.New(zap.WriteTo(lines))) // as in production, with its sampling
	env, err := controlplane.Start()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := env.Stop(); err != nil {
			b.Error(err)
		}
	})
	s := openStage(b, env)
	var results []result
	for _, a := range attacks() {
		b.Run(a.name, func(b *testing.B) {
			bodies := s.payments(a.name)
			lines.take()
			got := s.measure(a, bodies)
			got.LogLines, got.LogBytes = lines.take()
			results = append(results, got)
			b.ReportMetric(got.P50, "p50-ms")
			b.ReportMetric(got.P99, "p99-ms")
			b.ReportMetric(float64(got.Good-got.Succeeded), "lost")
			b.ReportMetric(0, "ns/op") // says nothing here
		})
	}
	printTable(os.Stdout, results)
	if file := os.Getenv("BENCH_JSON"); file != "" {
		if err := writeJSON(file, results); err != nil {
			b.Error(err)
		}
	}
}

const (
	// goodCallbacks are sent during each attack, one each interval whatever becomes of the one before, as payers pay.
	goodCallbacks = 100
	goodInterval  = 50 * time.Millisecond
	// headStart is what attackers get.
	headStart = 2 * time.Second
)

// measure sends good callbacks while others attack.
func (s *stage) measure(a attack, bodies []good) result {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	tally := &tally{}
	attackers := a.start(ctx, s, tally)
	if attackers != nil {
		<-time.After(headStart)
	}
	answers := make(chan answer, len(bodies))
	tick := time.NewTicker(goodInterval)
	defer tick.Stop()
	for _, body := range bodies {
		go func() { answers <- s.send(body) }()
		<-tick.C
	}
	got := result{Attack: a.name, What: a.what, Good: len(bodies)}
	for range bodies {
		got.add(<-answers)
	}
	stop()
	if attackers != nil {
		attackers.Wait()
	}
	got.attacked(tally)
	got.Paid = s.paid(bodies)
	return got
}
