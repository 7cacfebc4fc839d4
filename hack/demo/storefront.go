package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"

	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/process"
)

// h5Pages are the pages of examples/h5, if they were built. Without them the storefront has a page of its own.
const h5Pages = "examples/h5/dist"

// startStorefront applies examples/storefront/deploy, and runs its storefront with the token of its ServiceAccount,
// because there is no kubelet.
func (d *demo) startStorefront(ctx context.Context) error {
	d.console.say("The shop's own backend, with the role wechatpay-operator-shop:")
	if err := d.kubectl(ctx, admin, "apply", "--server-side", "-k", "examples/storefront/deploy"); err != nil {
		return err
	}
	program, err := d.build(ctx, "storefront", "./examples/storefront")
	if err != nil {
		return err
	}
	arguments, err := d.storefrontArguments(ctx)
	if err != nil {
		return err
	}
	d.console.command(append([]string{"bin/storefront"}, arguments...)...)
	return d.run("storefront", program, arguments...)
}

func (d *demo) storefrontArguments(ctx context.Context) ([]string, error) {
	config, err := d.cluster.ServiceAccount(ctx, namespace, "storefront")
	if err != nil {
		return nil, err
	}
	kubeconfig := filepath.Join(d.folder, "storefront.kubeconfig")
	if err := controlplane.WriteKubeconfig(kubeconfig, config, namespace); err != nil {
		return nil, err
	}
	weixin, err := d.weixin.URL(ctx)
	if err != nil {
		return nil, err
	}
	authority, err := d.wechat.CAPEM(ctx)
	if err != nil {
		return nil, err
	}
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	for name, content := range map[string][]byte{
		"sessionKeys": []byte(base64.StdEncoding.EncodeToString(key)), "appSecret": []byte(d.appSecret), "weixin-ca.pem": authority,
	} {
		if err := os.WriteFile(filepath.Join(d.folder, name), content, 0o600); err != nil {
			return nil, err
		}
	}
	if d.storefront, err = process.FreeAddress(); err != nil {
		return nil, err
	}
	if d.storefrontHealth, err = process.FreeAddress(); err != nil {
		return nil, err
	}
	arguments := []string{
		"--kubeconfig=" + kubeconfig, "--namespace=" + namespace, "--merchant=shop",
		"--bind-address=" + d.storefront, "--health-bind-address=" + d.storefrontHealth,
		"--catalogue=" + filepath.Join(controlplane.Root(), "examples/storefront/deploy/catalogue.yaml"),
		"--session-keys-file=" + filepath.Join(d.folder, "sessionKeys"),
		"--appid=" + appID, "--appsecret-file=" + filepath.Join(d.folder, "appSecret"),
		"--weixin-url=" + weixin, "--weixin-ca=" + filepath.Join(d.folder, "weixin-ca.pem"),
		"--h5-name=Shop", "--h5-url=http://" + d.storefront,
	}
	pages := filepath.Join(controlplane.Root(), h5Pages)
	if _, err := os.Stat(filepath.Join(pages, "index.html")); err == nil {
		arguments = append(arguments, "--static="+pages)
	}
	return arguments, nil
}

// addresses says where a person can click.
func (d *demo) addresses() string {
	return fmt.Sprintf(`In a browser:

  http://%s/             the shop
  %s/cashier/     the cashier: pay there, as the payer, what the shop sells`, d.storefront, d.wechat.BaseURL)
}
