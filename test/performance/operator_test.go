package performance

import (
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/process"
)

// operator is the operator's own binary at work.
type operator struct {
	*process.Process
	stage *stage
	at    addresses
	// ready is how many seconds it took from the start to the first 200 of /readyz.
	ready   float64
	stopped bool
}

// addresses are where an operator serves.
type addresses struct{ callbacks, metrics, health, pprof string }

func (b *bench) freeAddresses() addresses {
	return addresses{b.freeAddress(), b.freeAddress(), b.freeAddress(), b.freeAddress()}
}

func (b *bench) freeAddress() string {
	address, err := process.FreeAddress()
	b.must(err)
	return address
}

// operate starts the operator. It returns when the Merchant is ready and nothing is left to do.
func (s *stage) operate() *operator {
	o := s.start(s.at)
	s.awaitReady(s.merchant)
	o.awaitIdle()
	return o
}

// start starts the operator with production's flags, and waits until it is ready.
func (s *stage) start(at addresses) *operator {
	folder, began := s.TempDir(), time.Now()
	kubeconfig := filepath.Join(folder, "kubeconfig")
	s.must(controlplane.WriteKubeconfig(kubeconfig, s.identity, controlplane.OperatorNamespace))
	started, err := process.Start(manager, filepath.Join(folder, "log"), inRepository("bin/"+manager), []string{
		"--kubeconfig=" + kubeconfig, "--leader-elect", "--leader-election-namespace=" + controlplane.OperatorNamespace,
		"--notify-bind-address=" + at.callbacks, "--metrics-bind-address=" + at.metrics, "--metrics-secure=false",
		"--health-probe-bind-address=" + at.health, "--pprof-bind-address=" + at.pprof, "--check-callbacks=false",
		"--endpoint-hosts=127.0.0.1", // the simulator's
	}, func(*process.Process) {})
	s.must(err)
	o := &operator{Process: started, stage: s, at: at}
	s.Cleanup(o.stop)
	s.await("the operator to be ready", soon, func() error {
		select {
		case <-o.Ended():
			s.Fatal("it ended")
		default:
		}
		_, err := get(s.ctx, http.DefaultClient, "http://"+at.health+"/readyz")
		return err
	})
	o.ready = time.Since(began).Seconds()
	if s.apart {
		s.keepApart()
	}
	return o
}

// stop ends the operator, if that was not done, and fails if it ended by itself.
func (o *operator) stop() {
	if o.stopped {
		return
	}
	o.stopped = true
	select {
	case <-o.Ended():
		o.stage.Error("the operator ended: " + o.Tail(3))
	default:
		o.stage.must(o.Stop())
	}
}

// awaitIdle waits until the operator has looked at everything that was there when it started.
func (o *operator) awaitIdle() {
	o.stage.await("the operator to be idle", soon, func() error {
		if waiting, working := o.metric("workqueue_depth", ""), o.metric("controller_runtime_active_workers", ""); waiting+working > 0 {
			return fmt.Errorf("%.0f objects wait, %.0f are worked on", waiting, working)
		}
		return nil
	})
}

// awaitLooked waits until the operator leads and has looked at as many Orders as there are.
func (o *operator) awaitLooked(orders int) {
	o.awaitMetric(soon, orders, "controller_runtime_reconcile_total", `controller="order"`)
	o.awaitIdle()
}

// awaitState waits until the operator counts as many Orders of a namespace in a state.
func (o *operator) awaitState(namespace, state string, count int) {
	o.awaitMetric(200*time.Millisecond, count, "wechatpay_orders", `namespace="`+namespace+`".*state="`+state+`"`)
}

func (o *operator) awaitMetric(every time.Duration, value int, name, labels string) {
	o.stage.await(name, every, func() error {
		if is := o.metric(name, labels); is < float64(value) {
			return fmt.Errorf("%s is %.0f of %d", labels, is, value)
		}
		return nil
	})
}

// metric is the sum of the series of a metric whose labels match a pattern, such as `state="Paid"`.
func (o *operator) metric(name, labels string) float64 {
	return o.stage.sumOfSeries(http.DefaultClient, "http://"+o.at.metrics, name, labels)
}

// heap is what is in use after a garbage collection, in bytes.
func (o *operator) heap() float64 {
	_, err := get(o.stage.ctx, http.DefaultClient, "http://"+o.at.pprof+"/debug/pprof/heap?gc=1")
	o.stage.must(err)
	return o.metric("go_memstats_heap_alloc_bytes", "")
}
