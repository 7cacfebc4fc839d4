package main

import (
	"context"
	"crypto/rand"
	"strings"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	weixinsimulator "github.com/wechatpay-operator/wechatpay-operator/internal/weixin/simulator"
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
	weixinAddress, err := process.FreeAddress()
	if err != nil {
		return err
	}
	d.appSecret = strings.ToLower((rand.Text() + rand.Text())[:32])
	// WeChat Pay takes a minute or more for a refund, which is too long for a demo.
	arguments := []string{
		"--admin-listen=" + address, "--refund-delay=2s", "--cashier-links",
		"--weixin-admin-listen=" + weixinAddress, "--mini-program=" + appID + ":" + d.appSecret,
	}
	d.console.command(append([]string{"bin/simulator"}, arguments...)...)
	if err := d.run("wechat", program, arguments...); err != nil {
		return err
	}
	d.wechat = simulator.NewAdminClient("http://" + address)
	d.weixin = weixinsimulator.NewAdminClient("http://" + weixinAddress)
	for _, base := range []string{d.wechat.BaseURL, d.weixin.BaseURL} {
		if err := awaitOK(ctx, base+"/healthz"); err != nil {
			return err
		}
	}
	url, _, err := d.wechat.URLs(ctx)
	if err != nil {
		return err
	}
	d.console.output("The WeChat Pay simulator runs at " + url + ", with its own ledger")
	return nil
}
