package main

import (
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"time"
)

// ingress stands in for the cluster's ingress: one address for WeChat's callbacks, in turn to each replica.
type ingress struct {
	server   *http.Server
	url      string
	replicas []*url.URL
	turn     atomic.Uint64
}

// openIngress listens on a free port of loopback. Errors of the proxy go to a log.
func openIngress(errors *log.Logger, addresses ...string) (*ingress, error) {
	i := &ingress{}
	for _, address := range addresses {
		i.replicas = append(i.replicas, &url.URL{Scheme: "http", Host: address})
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(i.replicas[i.turn.Add(1)%uint64(len(i.replicas))])
			r.SetXForwarded()
		},
		ErrorLog: errors,
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	i.url = "http://" + listener.Addr().String()
	i.server = &http.Server{Handler: proxy, ReadHeaderTimeout: 10 * time.Second, ErrorLog: errors}
	go func() { _ = i.server.Serve(listener) }() // it ends with ErrServerClosed, when the demo does
	return i, nil
}

func (i *ingress) close() error { return i.server.Close() }
