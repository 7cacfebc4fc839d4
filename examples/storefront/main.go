// Command storefront is a shop that sells with WeChat Pay: it logs payers in, shows a catalogue, creates an Order for each basket,
// gives its page what wx.requestPayment takes, and passes requests for refunds on to people. docs/storefront.md describes it.
//
// It imports only the API of the operator, and needs the rights of the ClusterRole wechatpay-operator-shop in its namespace.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

func main() {
	var s settings
	s.bindFlags(flag.CommandLine) // --kubeconfig is a flag of controller-runtime
	flag.Parse()
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stderr, nil)))
	ctrl.SetLogger(logr.FromSlogHandler(slog.Default().Handler()))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, s)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "storefront:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings) error {
	if err := s.validate(); err != nil {
		return err
	}
	config, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	pages, err := net.Listen("tcp", s.bind)
	if err != nil {
		return err
	}
	health, err := net.Listen("tcp", s.health)
	if err != nil {
		return err
	}
	return serve(ctx, config, s, pages, health)
}

// serve runs a storefront until the context ends and the requests that are under way are answered.
func serve(ctx context.Context, config *rest.Config, s settings, pages, health net.Listener) error {
	shop, watches, err := newStorefront(ctx, config, s)
	if err != nil {
		return errors.Join(err, pages.Close(), health.Close())
	}
	watching, stopWatching := context.WithCancel(context.WithoutCancel(ctx)) // the requests under way still wait for Orders
	defer stopWatching()
	failed := make(chan error, 3)
	go func() { failed <- watches.informers.Start(watching) }()
	servers := []*http.Server{newServer(shop.handler()), newServer(probes(ctx, shop.synced))}
	for i, listener := range []net.Listener{pages, health} {
		go func() { failed <- servers[i].Serve(listener) }()
	}
	slog.Info("open", "address", pages.Addr().String(), "namespace", s.namespace, "products", len(shop.catalogue.Products))
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	ending, done := context.WithTimeout(context.WithoutCancel(ctx), s.wait+2*time.Second)
	defer done()
	for _, server := range servers {
		err = errors.Join(err, server.Shutdown(ending))
	}
	return err
}

func newStorefront(ctx context.Context, config *rest.Config, s settings) (*storefront, *watches, error) {
	products, err := loadCatalogue(s.catalogue)
	if err != nil {
		return nil, nil, err
	}
	sealer, err := loadSealer(s.keys)
	if err != nil {
		return nil, nil, err
	}
	asked, err := newWeixin(s.weixinURL, s.weixinCA)
	if err != nil {
		return nil, nil, err
	}
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return nil, nil, err
	}
	config = rest.CopyConfig(config)
	config.QPS = -1 // the API server's own priority and fairness shares out its time
	kube, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, nil, err
	}
	shop := &storefront{
		settings: s, catalogue: products, numbers: numbers{s.numberPrefix, s.namespace}, weixin: asked, kube: kube, book: newBook(products),
		sessions:    &sessions{sealer, s.sessionFor, time.Now},
		usedTickets: usedTickets{until: map[string]time.Time{}},
		replicas:    &http.Client{Timeout: weixinTimeout},
	}
	shop.book.withdraw = func(order *v1alpha1.Order) { shop.withdraw(ctx, order) }
	watches, err := watchInto(ctx, shop.book, config, scheme, s.namespace)
	if err != nil {
		return nil, nil, err
	}
	shop.synced = watches.synced
	return shop, watches, nil
}

// newServer bounds how long a client may take, and how much it may send.
func newServer(handler http.Handler) *http.Server {
	return &http.Server{
		Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
	}
}

// probes answers the kubelet. The storefront is ready while it is not ending, once it knows the Orders that are there.
func probes(ctx context.Context, synced func() bool) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if ctx.Err() != nil || !synced() {
			http.Error(w, "not ready", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	return mux
}
