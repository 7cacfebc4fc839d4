package main

import (
	"context"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/process"
)

// The account of config/samples/merchant.yaml.
const (
	mchID = "1900000109"
	appID = "wxd678efh567hg6787"
)

// startWeChat starts the simulator as a separate process, and opens an account there.
func (d *demo) startWeChat(ctx context.Context) error {
	program, err := d.build(ctx, "simulator", "./cmd/simulator")
	if err != nil {
		return err
	}
	address, err := process.FreeAddress()
	if err != nil {
		return err
	}
	// WeChat Pay takes a minute or more for a refund, which is too long for a demo.
	arguments := []string{"--admin-listen=" + address, "--refund-delay=2s"}
	d.console.command(append([]string{"bin/simulator"}, arguments...)...)
	if err := d.run("wechat", program, arguments...); err != nil {
		return err
	}
	d.wechat = simulator.NewAdminClient("http://" + address)
	if err := awaitOK(ctx, d.wechat.BaseURL+"/healthz"); err != nil {
		return err
	}
	url, _, err := d.wechat.URLs(ctx)
	if err != nil {
		return err
	}
	d.console.output("The WeChat Pay simulator runs at " + url + ", with its own ledger")
	return nil
}
