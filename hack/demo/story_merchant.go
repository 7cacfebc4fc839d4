package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
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
	key := (rand.Text() + rand.Text())[:32]
	account := simulator.Merchant{MchID: mchID, AppIDs: []string{appID}, APIKey: key}
	if err := d.createSecrets(ctx, account, "shop-wechatpay", "apiKey", key); err != nil {
		return err
	}
	d.console.say("config/samples/merchant.yaml, with spec.endpoint pointing to the simulator:")
	if err := d.applyMerchant(ctx, "config/samples/merchant.yaml", nil); err != nil {
		return err
	}
	if err := d.waitFor(ctx, admin, "condition=Ready", "wxm/shop"); err != nil {
		return err
	}
	return d.kubectl(ctx, admin, "get", "wxm", "-o", "wide")
}

// createSecrets opens an account at WeChat Pay, and writes its key into an entry of the Secret, and
// its certificate into another Secret, whose name ends in -cert.
func (d *demo) createSecrets(ctx context.Context, account simulator.Merchant, secret, entry, key string) error {
	if err := d.wechat.AddMerchant(ctx, account); err != nil {
		return err
	}
	certificate, err := d.wechat.IssueClientCertificate(ctx, account.MchID)
	if err != nil {
		return err
	}
	files := map[string][]byte{entry: []byte(key), "apiclient_cert.pem": certificate.CertPEM, "apiclient_key.pem": certificate.KeyPEM}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(d.folder, name), content, 0o600); err != nil {
			return err
		}
	}
	d.console.say("Key and certificate, as issued by the merchant platform:")
	if err := d.kubectl(ctx, admin, "create", "secret", "generic", secret,
		"--from-file="+filepath.Join(d.folder, entry)); err != nil {
		return err
	}
	return d.kubectl(ctx, admin, "create", "secret", "tls", secret+"-cert",
		"--cert="+filepath.Join(d.folder, "apiclient_cert.pem"), "--key="+filepath.Join(d.folder, "apiclient_key.pem"))
}

// applyMerchant applies a file with more fields of the spec, and the simulator as its endpoint.
func (d *demo) applyMerchant(ctx context.Context, file string, spec map[string]any) error {
	url, backup, err := d.wechat.URLs(ctx)
	if err != nil {
		return err
	}
	authority, err := d.wechat.CAPEM(ctx)
	if err != nil {
		return err
	}
	patched := map[string]any{"endpoint": map[string]any{"url": url, "backupURL": backup, "caBundle": authority}}
	maps.Copy(patched, spec)
	patch, err := json.Marshal(map[string]any{"spec": patched})
	if err != nil {
		return err
	}
	merchant, err := d.quietKubectl(ctx, "patch", "--local", "-f", file, "--type=merge", "-p", string(patch), "-o", "yaml")
	if err != nil {
		return fmt.Errorf("%s: %w", merchant, err)
	}
	written := filepath.Join(d.folder, filepath.Base(file))
	if err := os.WriteFile(written, []byte(merchant), 0o600); err != nil {
		return err
	}
	return d.kubectl(ctx, admin, "apply", "-f", written)
}
