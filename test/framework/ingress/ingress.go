// Package ingress stands in for the ingress and the Service of a cluster: one address for WeChat's callbacks, before the
// replicas that the demo and the soak start.
package ingress

import (
	"context"
	"errors"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"sync/atomic"
	"time"
)

// Ingress passes callbacks on, in turn to each replica that takes connections.
type Ingress struct {
	// URL is where callbacks come in.
	URL string

	replicas []string
	turn     atomic.Uint64
	server   *http.Server
	log      *os.File
}

// Open listens on a free port of loopback. Callbacks that can't be passed on are written to a new file.
func Open(logFile string, replicas ...string) (*Ingress, error) {
	file, err := os.Create(logFile)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	i := &Ingress{URL: "http://" + listener.Addr().String(), replicas: replicas, log: file}
	complaints := log.New(file, "", log.LstdFlags)
	anyReplica := &url.URL{Scheme: "http", Host: "replica"}
	proxy := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(anyReplica); r.SetXForwarded() },
		Transport: &http.Transport{DialContext: i.dial, DisableKeepAlives: true}, // a turn for each callback
		ErrorLog:  complaints,
	}
	i.server = &http.Server{Handler: proxy, ReadHeaderTimeout: 10 * time.Second, ErrorLog: complaints}
	go func() { _ = i.server.Serve(listener) }() // it ends with ErrServerClosed, at Close
	return i, nil
}

// dial connects to the next replica that is there.
func (i *Ingress) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	first := i.turn.Add(1)
	var err error
	for j := range i.replicas {
		var connection net.Conn
		next := i.replicas[(first+uint64(j))%uint64(len(i.replicas))]
		if connection, err = (&net.Dialer{Timeout: time.Second}).DialContext(ctx, network, next); err == nil {
			return connection, nil
		}
	}
	return nil, err
}

// Close takes no more callbacks.
func (i *Ingress) Close() error { return errors.Join(i.server.Close(), i.log.Close()) }
