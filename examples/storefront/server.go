package main

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// storefront is the shop's backend. It keeps nothing: what was ordered, paid and refunded stands in the cluster.
type storefront struct {
	settings    settings
	catalogue   *catalogue
	numbers     numbers
	sessions    *sessions
	weixin      *weixin
	usedTickets usedTickets
	// replicas sends logins on to other replicas.
	replicas *http.Client
	// kube writes, with the rights of the ClusterRole wechatpay-operator-shop. What is read stands in the book.
	kube client.Client
	book *book
	// synced reports whether the book has all Orders: before that, nothing is known of what is left.
	synced func() bool
}

// handler routes the requests of pages.
func (s *storefront) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /login", handler(s.login))
	mux.Handle("POST /ticket", handler(s.issueTicket))
	for pattern, answer := range map[string]handler{
		"GET /catalog":                 s.showCatalogue,
		"POST /createdOrder":           s.createOrder,
		"GET /pay/{number}":            s.showPayment,
		"GET /orders":                  s.listOrders,
		"GET /orders/{number}":         s.showOrder,
		"POST /orders/{number}/refund": s.requestRefund,
	} {
		mux.Handle(pattern, s.onceSynced(answer))
	}
	mux.Handle("GET /", s.pages())
	return secured(mux)
}

func (s *storefront) onceSynced(next handler) handler {
	return func(r *http.Request) (any, error) {
		if !s.synced() {
			return nil, tryAgain("the shop is opening")
		}
		return next(r)
	}
}

// secured adds the headers that keep other sites from framing the pages and browsers from guessing types. No header lets pages of
// other sites call the shop.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("X-Content-Type-Options", "nosniff")
		// Other sites learn the origin and nothing more. wx.tenpay.com refuses a payer who comes without it.
		header.Set("Referrer-Policy", "strict-origin-when-cross-origin")
		header.Set("Content-Security-Policy", "script-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'")
		next.ServeHTTP(w, r)
	})
}

// clientIP is the payer's address: the connection's, or what the proxy that is nearest to the internet of those that the shop runs has
// added to X-Forwarded-For. What stands left of it anybody could have written.
func (s *storefront) clientIP(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	if s.settings.proxies > 0 {
		chain := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		if at := len(chain) - s.settings.proxies; at >= 0 {
			host = strings.TrimSpace(chain[at])
		}
	}
	address, err := netip.ParseAddr(host)
	if err != nil {
		return "127.0.0.1" // what is not an address can't be sent to WeChat
	}
	return address.Unmap().WithZone("").String()
}
