package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"sync"
	"time"
	_ "time/tzdata" // the image has no time zones

	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/desk"
	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/event"
	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/forward"
	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/orders"
	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/page"
	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/printer"
	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/subscribe"
	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/wecom"
)

// grace is how long requests and a ticket that is being printed may take when the process ends. The
// StatefulSet's terminationGracePeriodSeconds is longer.
const grace = 20 * time.Second

// run works until the context ends or nothing can be stored any more.
func run(ctx context.Context, o *options, getenv func(string) string, log *slog.Logger) error {
	zone, err := time.LoadLocation(o.zone)
	if err != nil {
		return err
	}
	book, damaged, err := desk.Open(filepath.Join(o.data, "journal"), o.forgetAfter, time.Now)
	if err != nil {
		return err
	}
	defer func() { _ = book.Close() }()
	if damaged > 0 {
		log.Warn("Removed a record that was not written to its end, and so was not acknowledged", "bytes", damaged)
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	d := &daemon{options: o, zone: zone, book: book, notices: &desk.Notices{}, log: log, stop: stop}
	if err := d.startWork(ctx, getenv); err != nil {
		return err
	}
	if err := d.serve(ctx); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
	case <-book.Broken():
		stop(errors.New("nothing can be stored any more: is there room on the disk?"))
	}
	d.work.Wait()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// daemon is what runs.
type daemon struct {
	options *options
	zone    *time.Location
	book    *desk.Book
	notices *desk.Notices
	log     *slog.Logger
	stop    context.CancelCauseFunc
	work    sync.WaitGroup
}

// startWork starts what works off the queue. Each works on its own, so that none waits for another.
func (d *daemon) startWork(ctx context.Context, getenv func(string) string) error {
	o, pace := d.options, desk.Pace{First: d.options.retryFirst, Most: d.options.retryMost}
	var reader *orders.Reader
	if o.readOrders {
		var err error
		if reader, err = orders.Connect(d.log); err != nil {
			return fmt.Errorf("connecting to the API server (--read-orders=false does without): %w", err)
		}
		d.work.Go(func() { reader.Describe(ctx, d.book, d.notices, d.log) })
	}
	if o.printer != "" {
		device, err := printer.New(o.printer, printer.Options{Columns: o.columns, Zone: d.zone, Font: o.font, Patience: o.patience})
		if err != nil {
			return fmt.Errorf("--printer: %w", err)
		}
		printing := desk.Printing{Book: d.book, Printer: device, Notices: d.notices, Log: d.log, Pace: pace, Grace: grace}
		if reader != nil {
			printing.GoodsWithin = o.goodsWithin
		}
		d.work.Go(func() { printing.Run(ctx) })
	}
	if o.weComURLFile != "" {
		robot := wecom.Robot{
			URLFile: o.weComURLFile, Page: o.pageURL, Interval: o.weComInterval, Blocked: o.weComBlocked,
			Client: newClient(nil), Notices: d.notices, Log: d.log,
		}
		d.work.Go(func() { robot.Remind(ctx, d.book) })
	}
	if o.miniProgram != "" {
		fields, err := subscribe.ParseFields(o.fields)
		if err != nil {
			return fmt.Errorf("--subscribe-fields: %w", err)
		}
		if reader == nil || o.template == "" {
			return errors.New("--mini-program needs --subscribe-template and --read-orders, because events do not say who paid")
		}
		sender := subscribe.Sender{
			Base: o.weixinURL, SecretFolder: o.miniProgram, Template: o.template, Fields: fields, Page: o.miniProgramPage, State: o.state,
			Zone: d.zone, Payers: reader, Client: newClient(nil), Notices: d.notices, Log: d.log, Pace: pace,
		}
		d.work.Go(func() { sender.Run(ctx, d.book) })
	}
	sink, err := forward.FromEnvironment(getenv)
	if err != nil {
		return err
	}
	if sink != nil {
		sink.Client, sink.Notices, sink.Log, sink.Pace = newClient(&tls.Config{RootCAs: sink.Roots}), d.notices, d.log, pace
		d.work.Go(func() { sink.Run(ctx, d.book) })
	}
	return nil
}

// newClient returns a client that follows no redirect: what is sent is meant for one host.
func newClient(config *tls.Config) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if config != nil {
		transport.TLSClientConfig = config
	}
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// serve starts the two servers: events come from outside, the page is for the staff only.
func (d *daemon) serve(ctx context.Context) error {
	events := http.NewServeMux()
	events.Handle("POST /wechatpay", event.Handler(event.KeysIn(d.options.signingKeys), d.book.Receive, d.log))
	staff := page.Page{Book: d.book, Notices: d.notices, Zone: d.zone, Log: d.log, Hosts: page.ParseHosts(d.options.pageHosts, hostOf(d.options.pageURL))}
	return cmp.Or(
		d.listen(ctx, "events", d.options.eventsAddress, d.options.tlsFolder, &http.Server{Handler: events, ReadTimeout: 10 * time.Second, WriteTimeout: 20 * time.Second}),
		d.listen(ctx, "page", d.options.pageAddress, "", &http.Server{Handler: staff.Handler(), ReadTimeout: 10 * time.Second}),
	)
}

// hostOf returns the host name of a URL; empty if it has none.
func hostOf(address string) string {
	parsed, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return parsed.Hostname()
}

func (d *daemon) listen(ctx context.Context, name, address, tlsFolder string, server *http.Server) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	if tlsFolder != "" {
		// Read for each connection, so that a renewed certificate needs no restart.
		read := func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(filepath.Join(tlsFolder, "tls.crt"), filepath.Join(tlsFolder, "tls.key"))
			return &pair, err
		}
		if _, err := read(nil); err != nil {
			return errors.Join(err, listener.Close())
		}
		listener = tls.NewListener(listener, &tls.Config{GetCertificate: read, MinVersion: tls.VersionTLS12})
	}
	server.ReadHeaderTimeout, server.IdleTimeout, server.MaxHeaderBytes = 5*time.Second, 2*time.Minute, 16<<10
	server.BaseContext = func(net.Listener) context.Context { return ctx } // ends the page's streams
	server.ErrorLog = slog.NewLogLogger(d.log.Handler(), slog.LevelDebug)
	d.log.Info("Listening", "for", name, "address", listener.Addr().String())
	d.work.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			d.stop(fmt.Errorf("the server for %s ended: %w", name, err))
		}
	})
	d.work.Go(func() {
		<-ctx.Done()
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		_ = server.Shutdown(ending) // what is not answered is sent again
	})
	return nil
}
