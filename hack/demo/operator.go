package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/ingress"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/process"
)

// startOperator installs the manifests, and runs the two replicas of the Deployment, because there
// is no kubelet.
func (d *demo) startOperator(ctx context.Context) error {
	if err := d.kubectl(ctx, admin, "apply", "--server-side", "-k", "config/default"); err != nil {
		return err
	}
	program, err := d.build(ctx, "manager", ".")
	if err != nil {
		return err
	}
	config, err := d.operatorKubeconfig(ctx)
	if err != nil {
		return err
	}
	addresses, err := process.FreeAddresses(4)
	if err != nil {
		return err
	}
	notify, health := addresses[:2], addresses[2:]
	if err := d.startIngress(notify); err != nil {
		return err
	}
	d.console.say("Two replicas, with a token of the ServiceAccount %s:", controlplane.OperatorServiceAccount)
	for i := range notify {
		arguments := []string{
			"--kubeconfig=" + config,
			"--leader-elect",
			"--leader-election-namespace=" + controlplane.OperatorNamespace,
			"--notify-bind-address=" + notify[i],
			"--notify-base-url=" + d.ingress.URL,
			"--endpoint-hosts=127.0.0.1", // the simulator's
			"--metrics-bind-address=0",
			"--health-probe-bind-address=" + health[i],
			"--zap-log-level=info",
		}
		arguments = append(arguments, d.books.operatorFlags()...)
		d.console.command(append([]string{"bin/manager"}, arguments...)...)
		if err := d.run(fmt.Sprintf("operator-%d", i+1), program, arguments...); err != nil {
			return err
		}
	}
	for _, address := range health {
		if err := awaitOK(ctx, "http://"+address+"/readyz"); err != nil {
			return err
		}
	}
	return d.showLeader(ctx)
}

func (d *demo) startIngress(replicas []string) error {
	var err error
	if d.ingress, err = ingress.Open(filepath.Join(d.folder, "ingress.log"), replicas...); err != nil {
		return err
	}
	d.console.say("WeChat Pay sends its callbacks to %s, which forwards them to the replicas in turn.", d.ingress.URL)
	return nil
}

func (d *demo) showLeader(ctx context.Context) error {
	err := await(ctx, "the leader's lease", func(ctx context.Context) (bool, string, error) {
		leases, err := d.quietKubectl(ctx, "-n", controlplane.OperatorNamespace, "get", "leases", "-o", "jsonpath={.items[*].spec.holderIdentity}")
		return err == nil && leases != "", leases, nil
	})
	if err != nil {
		return err
	}
	return d.kubectl(ctx, admin, "-n", controlplane.OperatorNamespace, "get", "leases")
}
