package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	weixinsimulator "github.com/wechatpay-operator/wechatpay-operator/internal/weixin/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/ingress"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/process"
)

// demo is everything that runs. close stops it, even if it is only partly started.
type demo struct {
	console *console
	folder  string
	// died cancels the demo when a process ends unexpectedly.
	died context.CancelCauseFunc

	cluster *controlplane.Environment
	wechat  *simulator.AdminClient
	weixin  *weixinsimulator.AdminClient
	ingress *ingress.Ingress
	books   books

	// appSecret is the mini program's.
	appSecret string
	// storefront, storefrontHealth and staffConsole are addresses.
	storefront, storefrontHealth, staffConsole string

	mu        sync.Mutex
	closing   bool
	processes []*process.Process
}

// play runs the set-up and the steps; it stops at the first failed expectation.
func (d *demo) play(ctx context.Context) error {
	folder, err := os.MkdirTemp("", "wechatpay-operator-demo-")
	if err != nil {
		return err
	}
	d.folder = folder
	for _, step := range []struct {
		title string
		play  func(context.Context) error
	}{
		{"A control plane", d.startControlPlane},
		{"A simulated WeChat Pay", d.startWeChat},
		{"A database for the ledger", d.startBooks},
		{"The operator: two replicas with their own permissions", d.startOperator},
		{"A merchant number", d.showMerchant},
		{"Another tenant uses the shop's next number", d.showForeignNumber},
		{"Another tenant references the shop's Secret", d.showForeignSecret},
		{"A host that the platform does not permit", d.showForeignHost},
		{"An order in a mini program", d.showJSAPIOrder},
		{"An order by QR code", d.showNativeOrder},
		{"Orders in an app and in a browser, one of them closed unpaid", d.showOtherOrders},
		{"An invalid order", d.showInvalidOrder},
		{"A refund waits for approval", d.showApproval},
		{"The refund, approved", d.showRefund},
		{"A partial refund", d.showPartialRefund},
		{"kubectl wechatpay", d.showPlugin},
		{"A second merchant number, which speaks API v3", d.showV3Merchant},
		{"An order and a refund by API v3", d.showV3Order},
		{"A shop sells: login, catalogue, checkout", d.showStorefront},
		{"The console of the shop's staff", d.showConsole},
		{"The tutorial", d.walkTutorial},
		{"WeChat Pay's bill of a day", d.showStatements},
		{"The approval policy is removed", d.showMissingPolicy},
		{"Objects and WeChat's ledger, fen by fen", d.showLedger},
		{"The books, in PostgreSQL", d.showBooks},
	} {
		d.console.heading(step.title)
		err := step.play(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", step.title, err)
		}
	}
	d.console.say("All steps succeeded.")
	return nil
}

func (d *demo) startControlPlane(context.Context) error {
	cluster, err := controlplane.Start()
	if err != nil {
		return err
	}
	d.cluster = cluster
	if err := d.writeKubeconfig(); err != nil {
		return err
	}
	d.console.output("kube-apiserver and etcd are up at " + cluster.Config.Host)
	return nil
}

// run starts a process that must run until close.
func (d *demo) run(name, program string, arguments ...string) error {
	onEnd := func(p *process.Process) {
		d.mu.Lock()
		defer d.mu.Unlock()
		if !d.closing {
			d.died(fmt.Errorf("%s ended unexpectedly: %s", p.Name, p.State()))
		}
	}
	p, err := process.Start(name, filepath.Join(d.folder, name+".log"), program, arguments, onEnd)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.processes = append(d.processes, p)
	return nil
}

// stayUp keeps everything running until Ctrl-C.
func (d *demo) stayUp(ctx context.Context) {
	d.console.heading("Your turn")
	if err := d.writeEnvironment(); err != nil {
		d.console.say("%s can't be written: %v", runEnv, err)
	}
	defer func() { _ = os.Remove(filepath.Join(controlplane.Root(), runEnv)) }() // its cluster is gone
	d.console.output(d.addresses())
	d.console.output(d.consoleAddress())
	if d.books.server != nil {
		d.console.output("The ledger:     " + d.books.command())
	}
	d.console.output(fmt.Sprintf(`
In another terminal, in this folder (docs/tutorial.md goes on from here):

  . bin/run.env

  kubectl get wechatpay                                   # as admin; --context shop-backend, editor or wang for the others
  kubectl --context shop-backend apply -f my-order.yaml
  curl %s/pay -d '{"mch_id":"%s","out_trade_no":"<number>"}'    # the payer pays; mch_id %s for orders of %s
  curl %s/ledger                         # what WeChat has on record
  tail -f %s/operator-*.log

Ctrl-C stops everything.`, d.wechat.BaseURL, mchID, v3MchID, v3Merchant, d.wechat.BaseURL, d.folder))
	<-ctx.Done()
}

// explain prints the error and the last log lines of the processes.
func (d *demo) explain(ctx context.Context, err error) {
	fmt.Fprintf(os.Stderr, "\nFAILED: %v\n", err)
	if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
		fmt.Fprintf(os.Stderr, "%v\n", cause)
	}
	for _, p := range d.processes {
		fmt.Fprintf(os.Stderr, "\nThe last lines of %s's log:\n%s\n", p.Name, p.Tail(40))
	}
}

// close stops the operator before its dependencies, and removes every file.
func (d *demo) close() error {
	d.mu.Lock()
	d.closing = true
	d.mu.Unlock()
	var errs []error
	if d.ingress != nil {
		errs = append(errs, d.ingress.Close())
	}
	for i := len(d.processes) - 1; i >= 0; i-- {
		errs = append(errs, d.processes[i].Stop())
	}
	if d.cluster != nil {
		errs = append(errs, d.cluster.Stop())
	}
	errs = append(errs, d.books.close())
	if d.folder != "" {
		errs = append(errs, os.RemoveAll(d.folder))
	}
	return errors.Join(errs...)
}
