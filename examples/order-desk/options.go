package main

import (
	"flag"
	"time"
)

// options are the flags.
type options struct {
	eventsAddress, pageAddress  string
	tlsFolder, signingKeys      string
	data                        string
	forgetAfter                 time.Duration
	printer, font, zone         string
	columns                     int
	patience                    time.Duration
	readOrders                  bool
	goodsWithin                 time.Duration
	weComURLFile, pageURL       string
	pageHosts                   string
	weComInterval, weComBlocked time.Duration
	miniProgram, weixinURL      string
	template, fields            string
	miniProgramPage, state      string
	retryFirst, retryMost       time.Duration
}

// bind defines the flags.
func bind(flags *flag.FlagSet) *options {
	o := &options{}
	flags.StringVar(&o.eventsAddress, "events-bind-address", ":8443", "where events are received, on the path /wechatpay")
	flags.StringVar(&o.pageAddress, "page-bind-address", ":8080", "where the page for the staff is served, and /healthz. It has no login of its own")
	flags.StringVar(&o.pageHosts, "page-hosts", "", "comma-separated host names at which the staff opens the page, besides localhost and that of --page-url; another one is refused")
	flags.StringVar(&o.tlsFolder, "tls", "", "folder with tls.crt and tls.key for events; empty: plain HTTP, behind an ingress that terminates TLS")
	flags.StringVar(&o.signingKeys, "signing-keys", "/etc/order-desk/events", "folder with the EventSink's signingKey, and signingKey.previous while it is changed")
	flags.StringVar(&o.data, "data", "/var/lib/order-desk", "folder for the journal, on a disk that outlives the process")
	flags.DurationVar(&o.forgetAfter, "forget-after", 30*24*time.Hour, "how long orders are remembered")
	flags.StringVar(&o.printer, "printer", "", "tcp://host:9100 (ESC/POS; ?status=none if it answers no status request), ipp://host:631/ipp/print or ipps://; empty: nothing is printed")
	flags.IntVar(&o.columns, "columns", 32, "characters in a row: 32 on paper of 58 mm, 48 on 80 mm")
	flags.StringVar(&o.font, "font", "", "font file with Chinese characters, for IPP printers")
	flags.StringVar(&o.zone, "time-zone", "Asia/Shanghai", "time zone of the tickets and the page")
	flags.DurationVar(&o.patience, "printer-patience", 10*time.Second, "how long the printer may not answer before an attempt counts as failed")
	flags.BoolVar(&o.readOrders, "read-orders", true, "read Orders from the API server, for the goods on the ticket and the payer of a subscribe message")
	flags.DurationVar(&o.goodsWithin, "goods-within", time.Minute, "how long an order waits for its goods to be read, before it is printed without")
	flags.StringVar(&o.weComURLFile, "wecom-url-file", "", "file with the webhook URL of a WeCom group robot; empty: nobody is reminded")
	flags.StringVar(&o.pageURL, "page-url", "", "address of the page for the staff, put under each reminder")
	flags.DurationVar(&o.weComInterval, "wecom-interval", 3100*time.Millisecond, "shortest time between two reminders; WeCom takes 20 a minute")
	flags.DurationVar(&o.weComBlocked, "wecom-blocked", time.Minute, "how long the robot rests after WeCom said that it sends too often")
	flags.StringVar(&o.miniProgram, "mini-program", "", "folder with the appID and appSecret of the mini program, for subscribe messages; empty: payers are told nothing")
	flags.StringVar(&o.weixinURL, "weixin-url", "https://api.weixin.qq.com", "address of WeChat's API for mini programs")
	flags.StringVar(&o.template, "subscribe-template", "", "id of the template of the subscribe message")
	flags.StringVar(&o.fields, "subscribe-fields", "character_string1=number,amount2=amount,date3=paidTime,thing4=description", "which keyword of the template holds number, amount, paidTime, description")
	flags.StringVar(&o.miniProgramPage, "subscribe-page", "", "page of the mini program that the message opens; {number} is the number of the order")
	flags.StringVar(&o.state, "subscribe-state", "formal", "version of the mini program that the message opens: formal, trial or developer")
	flags.DurationVar(&o.retryFirst, "retry-first", time.Second, "first wait after a failure of the printer or a receiver")
	flags.DurationVar(&o.retryMost, "retry-most", 30*time.Second, "longest wait after failures")
	return o
}
