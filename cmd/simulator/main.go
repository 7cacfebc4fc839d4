// Command simulator runs a simulated WeChat Pay (API v2 and v3), and with --mini-program a simulated api.weixin.qq.com,
// in its own process, for demonstrations and endurance runs.
//
//	go run ./cmd/simulator --merchant 1900000109:wxd678efh567hg6787:Zx81TestOnlyKey0Zx81TestOnlyKey0 \
//		--time-scale 60 --state state.jsonl --certificates certificates
//
// It prints its URLs as one line of JSON, then one line for each merchant of API v3, and runs until SIGTERM or an
// interrupt. Package simulator describes its behaviour and its admin API.
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run starts a simulator from its flags and stops it when the context ends.
func run(ctx context.Context, args []string, out, errOut io.Writer) error {
	options, err := parse(args, errOut)
	if err != nil {
		return err
	}
	wechat, err := simulator.New(options.Options)
	if err != nil {
		return err
	}
	weixin, err := startWeixin(wechat, options)
	if err != nil {
		return errors.Join(err, wechat.Close())
	}
	if err := announce(wechat, weixin, options, out); err != nil {
		weixin.Close()
		return errors.Join(err, wechat.Close())
	}
	<-ctx.Done()
	weixin.Close()
	return wechat.Close()
}

// settings are the options of the simulator and of the command.
type settings struct {
	simulator.Options
	certificates string
	// subMerchants and verifications are applied when all merchants are known.
	subMerchants  map[string][]simulator.SubMerchant
	verifications map[string]verification
	// printed are the merchants of --merchant-v3, whose credentials are printed.
	printed []string
	weixin  weixinSettings
}

func parse(args []string, errOut io.Writer) (settings, error) {
	var o settings
	flags := flag.NewFlagSet("simulator", flag.ContinueOnError)
	flags.SetOutput(errOut)
	flags.StringVar(&o.ListenAddress, "listen", "127.0.0.1:0", "address of the primary host (HTTPS)")
	flags.StringVar(&o.BackupListenAddress, "backup-listen", "127.0.0.1:0", "address of the backup host (HTTPS)")
	flags.StringVar(&o.AdminListenAddress, "admin-listen", "127.0.0.1:0", "address of the admin API (HTTP; it has no authentication, keep it on loopback)")
	flags.BoolVar(&o.CashierLinks, "cashier-links", false, "make mweb_url lead to the cashier, <admin URL>/cashier/, in place of wx.tenpay.com")
	flags.Func("server-name", "a further host name or address for the server certificate, beside 127.0.0.1 and localhost; may be repeated",
		func(name string) error { o.ServerNames = append(o.ServerNames, name); return nil })
	flags.Func("merchant", "a merchant as mch_id:appid[,appid...]:api_key[:balance]; may be repeated", o.addMerchant)
	flags.Func("merchant-v3", "a merchant of API v3 as mch_id:appid[,appid...][:api_v3_key], or the APIv3 key of a --merchant; without a key a random one, kept in the directory of --certificates; may be repeated",
		o.addMerchantV3)
	flags.Func("sub-merchant", "a sub merchant of a service provider as mch_id:sub_mchid[:sub_appid[,sub_appid...]][:refund]; refund grants the right to refund; may be repeated",
		o.addSubMerchant)
	flags.Func("verification", "how a merchant verifies API v3, as mch_id:certificate, mch_id:public-key or mch_id:migrating[:share], the share of callbacks by public key; may be repeated",
		o.setVerification)
	flags.Func("merchants", "JSON file with a list of merchants: mch_id, appids, api_key, api_v3_key, balance, currencies, refund_notify_url, certificates, verification, public_key_share, sub_merchants", o.addMerchants)
	flags.Func("mini-program", "a mini program as appid:app_secret[:unmanaged], or an official account as appid:app_secret:official; starts a simulator of api.weixin.qq.com; may be repeated",
		o.weixin.add)
	flags.StringVar(&o.weixin.listen, "weixin-listen", "127.0.0.1:0", "address of the simulator of api.weixin.qq.com (HTTPS)")
	flags.StringVar(&o.weixin.adminListen, "weixin-admin-listen", "127.0.0.1:0", "address of its admin API (HTTP; it has no authentication, keep it on loopback)")
	flags.StringVar(&o.weixin.state, "weixin-state", "", "file that keeps shipping information over restarts")
	flags.DurationVar(&o.weixin.rules.OrderDelay, "shipping-delay", 0, "time until order shipping management knows a payment (0: up to a minute, scaled; negative: none)")
	flags.Float64Var(&o.TimeScale, "time-scale", 1, "divides every interval of WeChat's: 60 makes a minute last a second")
	flags.StringVar(&o.StateFile, "state", "", "file that keeps the ledger over restarts")
	flags.StringVar(&o.certificates, "certificates", "", "directory for ca.pem, WeChat Pay's keys and, for each merchant, <mch_id>-cert.pem and <mch_id>-key.pem; a restart keeps them")
	flags.DurationVar(&o.PayAfter, "pay-after", 0, "have every order paid this long after its first prepay_id (0: nobody pays by himself)")
	flags.DurationVar(&o.CallbackTimeout, "callback-timeout", 5*time.Second, "how long the shop may take to answer a callback")
	flags.Func("callback-ca", "PEM file with authorities to trust for https notify URLs, beside the system's", o.trustShop)
	flags.DurationVar(&o.Rules.RefundDelay, "refund-delay", 0, "time from acceptance of a refund to its success (0: a minute, scaled; negative: at once)")
	flags.DurationVar(&o.Rules.MinRefundInterval, "min-refund-interval", 0, "least time between two refund calls for an order (0: a minute, scaled; negative: none)")
	flags.BoolVar(&o.Rules.AllowRefundRepeats, "allow-refund-repeats", false, "let a repeated out_refund_no pass the least time between refund calls")
	flags.BoolVar(&o.Rules.RefuseEarlyClose, "refuse-early-close", false, "refuse closeorder within five minutes (scaled) of the order's creation")
	flags.BoolVar(&o.Rules.StrictNotifyURL, "strict-notify-url", false, "refuse notify URLs with http, a port or a private host, as WeChat does")
	flags.BoolVar(&o.Rules.UnsignedErrors, "unsigned-errors", false, "leave API v3 errors unsigned")
	flags.BoolVar(&o.Rules.BillsOfToday, "bills-of-today", false, "give the bill of the day that is not over, cut at the moment")
	flags.BoolVar(&o.Rules.CloseUnknownOrders, "close-unknown-orders", false, "let API v3 answer 204 when an order that does not exist is closed")
	flags.DurationVar(&o.ClockSkew, "clock-skew", 0, "how far WeChat Pay's clock is ahead of this machine's")
	flags.Func("callback-schedule", "pauses between the attempts of a callback, as 1s,1s,5s (default: WeChat's, scaled)", o.setSchedule)
	flags.Uint64Var(&o.FaultSeed, "fault-seed", 0, "seed of faults that strike by chance")
	level := flags.String("log-level", "info", "debug, info, warn or error")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	var threshold slog.Level
	if err := threshold.UnmarshalText([]byte(*level)); err != nil {
		return o, err
	}
	o.Logger = slog.New(slog.NewTextHandler(errOut, &slog.HandlerOptions{Level: threshold}))
	o.CertificateDir = o.certificates
	return o, o.completeV3()
}

func (o *settings) addMerchant(text string) error {
	parts := strings.Split(text, ":")
	if len(parts) != 3 && len(parts) != 4 {
		return errors.New("want mch_id:appid[,appid...]:api_key[:balance]")
	}
	merchant := simulator.Merchant{MchID: parts[0], AppIDs: strings.Split(parts[1], ","), APIKey: parts[2]}
	if len(parts) == 4 {
		balance, err := strconv.ParseInt(parts[3], 10, 64)
		if err != nil {
			return fmt.Errorf("balance %q is not a number of minor units", parts[3])
		}
		merchant.Balance = &balance
	}
	o.Merchants = append(o.Merchants, merchant)
	return nil
}

func (o *settings) addMerchants(path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var merchants []simulator.Merchant
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&merchants); err != nil {
		return err
	}
	o.Merchants = append(o.Merchants, merchants...)
	return nil
}

func (o *settings) trustShop(path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // the machine has no system roots
	}
	if !pool.AppendCertsFromPEM(content) {
		return errors.New("the file contains no certificate")
	}
	o.CallbackTLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}
	return nil
}

func (o *settings) setSchedule(text string) error {
	o.Rules.CallbackSchedule = []time.Duration{}
	for _, part := range strings.Split(text, ",") {
		pause, err := time.ParseDuration(part)
		if err != nil || pause < 0 {
			return fmt.Errorf("pause %q", part)
		}
		o.Rules.CallbackSchedule = append(o.Rules.CallbackSchedule, pause)
	}
	return nil
}

// announce writes the merchants' certificates and then the URLs, so that the files exist once the
// URLs are printed.
func announce(wechat *simulator.Simulator, weixin *weixinServer, o settings, out io.Writer) error {
	if o.certificates != "" {
		for _, merchant := range o.Merchants {
			if err := issueOnce(wechat, o.certificates, merchant.MchID); err != nil {
				return err
			}
		}
	}
	lines := json.NewEncoder(out)
	urls := map[string]string{"url": wechat.URL(), "backup_url": wechat.BackupURL(), "admin_url": wechat.AdminURL()}
	weixin.addURLs(urls)
	if err := lines.Encode(urls); err != nil {
		return err
	}
	return announceV3(wechat, o, lines)
}

// filesOf are a merchant's certificate and key.
func filesOf(dir, mchID string) (certFile, keyFile string) {
	return filepath.Join(dir, mchID+"-cert.pem"), filepath.Join(dir, mchID+"-key.pem")
}

// issueOnce writes a merchant's certificate unless an earlier run wrote it.
func issueOnce(wechat *simulator.Simulator, dir, mchID string) error {
	certFile, keyFile := filesOf(dir, mchID)
	if _, err := tls.LoadX509KeyPair(certFile, keyFile); err == nil {
		return nil
	}
	certificate, err := wechat.IssueClientCertificate(mchID)
	if err != nil {
		return err
	}
	if err := os.WriteFile(keyFile, certificate.KeyPEM, 0o600); err != nil {
		return err
	}
	return os.WriteFile(certFile, certificate.CertPEM, 0o600)
}
