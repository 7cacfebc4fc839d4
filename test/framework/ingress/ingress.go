// Package ingress replaces a cluster's ingress and Service: a single address for WeChat Pay's
// callbacks, in front of the replicas that the demo and the soak test start.
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

// Ingress forwards callbacks in turn to the replicas that accept connections.
type Ingress struct {
	// URL is the address for callbacks.
	URL string

	replicas []string
	turn     atomic.Uint64
	server   *http.Server
	log      *os.File
}

// Open listens on a free loopback port. It logs callbacks that can't be forwarded to a new file.
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
		Transport: &http.Transport{DialContext: i.dial, DisableKeepAlives: true}, // another replica for each callback
		ErrorLog:  complaints,
	}
	i.server = &http.Server{Handler: proxy, ReadHeaderTimeout: 10 * time.Second, ErrorLog: complaints}
	go func() { _ = i.server.Serve(listener) }() // returns ErrServerClosed at Close
	return i, nil
}

// dial connects to the next available replica.
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

// Close stops accepting callbacks.
func (i *Ingress) Close() error { return errors.Join(i.server.Close(), i.log.Close()) }
