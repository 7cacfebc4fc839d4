package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"
)

// settings are the flags.
type settings struct {
	bind, health    string
	namespace       string
	merchant        string
	catalogue       string
	keys            string
	sessionFor      time.Duration
	weixinURL       string
	weixinCA        string
	miniProgram     app
	officialAccount app
	numberPrefix    string
	payWithin, wait time.Duration
	static          string
	h5Name, h5URL   string
	proxies         int
	advertise       string
}

// The bounds of spec.expireAfterSeconds.
const (
	shortestPayWithin = 6 * time.Minute
	longestPayWithin  = 7 * 24 * time.Hour
)

func (s *settings) bindFlags(flags *flag.FlagSet) {
	flags.StringVar(&s.bind, "bind-address", ":8080", "address for pages (plain HTTP, behind an ingress that ends TLS)")
	flags.StringVar(&s.health, "health-bind-address", ":8081", "address of /healthz and /readyz")
	flags.StringVar(&s.namespace, "namespace", ownNamespace(), "namespace of the Orders, Refunds and the Merchant")
	flags.StringVar(&s.merchant, "merchant", "shop", "name of the Merchant that is paid")
	flags.StringVar(&s.catalogue, "catalogue", "", "YAML or JSON file with the products: id, name, price in fen, stock, countedTime")
	flags.StringVar(&s.keys, "session-keys-file", "", "file with a key in each line (`openssl rand -base64 32`): the first one encrypts sessions, all decrypt them")
	flags.DurationVar(&s.sessionFor, "session-for", 24*time.Hour, "how long a login lasts")
	flags.StringVar(&s.weixinURL, "weixin-url", "https://api.weixin.qq.com", "where WeChat says who has logged in")
	flags.StringVar(&s.weixinCA, "weixin-ca", "", "PEM file with the authority of --weixin-url, in place of the system's")
	flags.StringVar(&s.miniProgram.id, "appid", "", "appid of the mini program; without it nobody logs in from there")
	flags.StringVar(&s.miniProgram.secretFile, "appsecret-file", "", "file with the mini program's AppSecret")
	flags.StringVar(&s.officialAccount.id, "official-account-appid", "", "appid of the official account; without it nobody logs in from there")
	flags.StringVar(&s.officialAccount.secretFile, "official-account-appsecret-file", "", "file with the official account's AppSecret")
	flags.StringVar(&s.numberPrefix, "number-prefix", "shop-", fmt.Sprintf("what the numbers of Orders begin with: at most %d of [0-9a-z-]", longestPrefix))
	flags.DurationVar(&s.payWithin, "pay-within", 15*time.Minute, "how long an Order stays open and keeps its pieces: 6m to 168h")
	flags.DurationVar(&s.wait, "wait", 8*time.Second, "how long a checkout waits for its Order to be prepared")
	flags.StringVar(&s.static, "static", "", "folder of pages to serve in place of the built-in one")
	flags.StringVar(&s.h5Name, "h5-name", "", "name of the shop's web page, for MWEB")
	flags.StringVar(&s.h5URL, "h5-url", "", "address of the shop's web page, for MWEB")
	flags.IntVar(&s.proxies, "proxies", 0, "how many proxies of your own add to X-Forwarded-For; 0: the payer's address is the connection's")
	flags.StringVar(&s.advertise, "advertise-address", "", "address at which other replicas reach this one, such as $(POD_IP):8080; needed with more than one")
}

var legalPrefix = regexp.MustCompile(fmt.Sprintf(`^([0-9a-z][0-9a-z-]{0,%d})?$`, longestPrefix-1))

func (s *settings) validate() error {
	var errs []error
	need := func(holds bool, what string) {
		if !holds {
			errs = append(errs, errors.New(what))
		}
	}
	need(s.catalogue != "", "--catalogue is missing")
	need(s.keys != "", "--session-keys-file is missing")
	need(s.miniProgram.id == "" || s.miniProgram.secretFile != "", "--appid needs --appsecret-file")
	need(s.officialAccount.id == "" || s.officialAccount.secretFile != "", "--official-account-appid needs --official-account-appsecret-file")
	need(strings.HasPrefix(s.weixinURL, "https://"), "--weixin-url must begin with https://: the AppSecret is sent there")
	need(legalPrefix.MatchString(s.numberPrefix), fmt.Sprintf("--number-prefix must be at most %d of [0-9a-z-]", longestPrefix))
	need(s.payWithin >= shortestPayWithin && s.payWithin <= longestPayWithin, "--pay-within must be 6m to 168h")
	need(s.wait > 0 && s.sessionFor > 0, "--wait and --session-for must be positive")
	need(s.proxies >= 0, "--proxies must not be negative")
	return errors.Join(errs...)
}

// ownNamespace is that of the Pod that this runs in.
func ownNamespace() string {
	content, err := os.ReadFile("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
	if err != nil {
		return "default" // not in a Pod
	}
	return string(content)
}
