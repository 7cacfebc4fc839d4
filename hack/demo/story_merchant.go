package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

// showMerchant creates the Secrets and the Merchant, and waits until WeChat Pay has accepted the
// key.
func (d *demo) showMerchant(ctx context.Context) error {
	if err := d.kubectl(ctx, admin, "apply", "-f", "hack/demo/people.yaml"); err != nil {
		return err
	}
	if err := d.createSecrets(ctx); err != nil {
		return err
	}
	if err := d.applyMerchant(ctx); err != nil {
		return err
	}
	if err := d.waitFor(ctx, admin, "condition=Ready", "wxm/shop"); err != nil {
		return err
	}
	return d.kubectl(ctx, admin, "get", "wxm", "-o", "wide")
}

// createSecrets opens the account at WeChat Pay, and writes its key and certificate into the
// Secrets that the sample references.
func (d *demo) createSecrets(ctx context.Context) error {
	key := (rand.Text() + rand.Text())[:32]
	account := simulator.Merchant{MchID: mchID, AppIDs: []string{appID}, APIKey: key}
	if err := d.wechat.AddMerchant(ctx, account); err != nil {
		return err
	}
	certificate, err := d.wechat.IssueClientCertificate(ctx, mchID)
	if err != nil {
		return err
	}
	files := map[string][]byte{"apiKey": []byte(key), "apiclient_cert.pem": certificate.CertPEM, "apiclient_key.pem": certificate.KeyPEM}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(d.folder, name), content, 0o600); err != nil {
			return err
		}
	}
	d.console.say("Key and certificate, as issued by the merchant platform:")
	if err := d.kubectl(ctx, admin, "create", "secret", "generic", "shop-wechatpay",
		"--from-file="+filepath.Join(d.folder, "apiKey")); err != nil {
		return err
	}
	return d.kubectl(ctx, admin, "create", "secret", "tls", "shop-wechatpay-cert",
		"--cert="+filepath.Join(d.folder, "apiclient_cert.pem"), "--key="+filepath.Join(d.folder, "apiclient_key.pem"))
}

// applyMerchant applies the sample, with the simulator as its endpoint.
func (d *demo) applyMerchant(ctx context.Context) error {
	url, backup, err := d.wechat.URLs(ctx)
	if err != nil {
		return err
	}
	authority, err := d.wechat.CAPEM(ctx)
	if err != nil {
		return err
	}
	endpoint := map[string]any{"url": url, "backupURL": backup, "caBundle": authority}
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"endpoint": endpoint}})
	if err != nil {
		return err
	}
	merchant, err := d.quietKubectl(ctx, "patch", "--local", "-f", "config/samples/merchant.yaml", "--type=merge", "-p", string(patch), "-o", "yaml")
	if err != nil {
		return fmt.Errorf("%s: %w", merchant, err)
	}
	file := filepath.Join(d.folder, "merchant.yaml")
	if err := os.WriteFile(file, []byte(merchant), 0o600); err != nil {
		return err
	}
	d.console.say("config/samples/merchant.yaml, with spec.endpoint pointing to the simulator:")
	return d.kubectl(ctx, admin, "apply", "-f", file)
}
