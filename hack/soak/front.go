package main

import (
	"context"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"time"
)

// front stands in for the ingress and the Service: one address for WeChat's callbacks, in turn to each replica that takes
// connections.
type front struct {
	server   *http.Server
	url      string
	replicas []string
	turn     atomic.Uint64
}

func openFront(errors *log.Logger, replicas ...string) (*front, error) {
	f := &front{replicas: replicas}
	anyReplica := &url.URL{Scheme: "http", Host: "replica"}
	proxy := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(anyReplica); r.SetXForwarded() },
		Transport: &http.Transport{DialContext: f.dial, DisableKeepAlives: true},
		ErrorLog:  errors,
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f.url = "http://" + listener.Addr().String()
	f.server = &http.Server{Handler: proxy, ReadHeaderTimeout: 10 * time.Second, ErrorLog: errors}
	go func() { _ = f.server.Serve(listener) }() // it ends with ErrServerClosed, when the soak does
	return f, nil
}

// dial connects to the next replica that is there.
func (f *front) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	first := f.turn.Add(1)
	var err error
	for i := range f.replicas {
		var connection net.Conn
		next := f.replicas[(first+uint64(i))%uint64(len(f.replicas))]
		if connection, err = (&net.Dialer{Timeout: time.Second}).DialContext(ctx, network, next); err == nil {
			return connection, nil
		}
	}
	return nil, err
}

func (f *front) close() error { return f.server.Close() }
