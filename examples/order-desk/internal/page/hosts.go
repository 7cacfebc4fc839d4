package page

import (
	"net"
	"net/http"
	"slices"
	"strings"
)

// Hosts are the host names at which the staff opens the page, besides loopback addresses.
type Hosts []string

// ParseHosts reads a comma-separated list. Further names may be given; empty ones are ignored.
func ParseHosts(list string, more ...string) Hosts {
	var hosts Hosts
	for _, name := range append(strings.Split(list, ","), more...) {
		if name = strings.ToLower(strings.TrimSpace(name)); name != "" {
			hosts = append(hosts, name)
		}
	}
	return hosts
}

// allow reports whether a request names a host of the page's own. Any web site can have its name point
// at this address, and would then be the page's own site for the browser of the staff.
func (h Hosts) allow(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	name := strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if address := net.ParseIP(name); address != nil && address.IsLoopback() {
		return true
	}
	return name == "localhost" || slices.Contains(h, name)
}

// only answers requests for hosts of the page's own. /healthz tells nothing, and is asked for by
// address.
func (h Hosts) only(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthz" && !h.allow(r.Host) {
			http.Error(w, "this page is not served under this host name: name it in --page-hosts", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}
