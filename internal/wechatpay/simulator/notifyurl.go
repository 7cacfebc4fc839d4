package simulator

import (
	"net/netip"
	"net/url"
	"strings"
)

// isNotifyURL requires an absolute URL without query and user. WeChat Pay also rejects http, ports
// and private hosts; without strict they are accepted, because a shop on loopback needs them.
func isNotifyURL(text string, strict bool) bool {
	parsed, err := url.Parse(text)
	switch {
	case err != nil || parsed.Hostname() == "" || parsed.User != nil,
		parsed.Scheme != "http" && parsed.Scheme != "https",
		parsed.RawQuery != "" || parsed.ForceQuery || parsed.Fragment != "",
		strict && (parsed.Scheme != "https" || parsed.Port() != "" || isPrivateHost(parsed.Hostname())):
		return false
	}
	return true
}

func isPrivateHost(host string) bool {
	address, err := netip.ParseAddr(host)
	if err != nil {
		return host == "localhost" || strings.HasSuffix(host, ".localhost") || !strings.Contains(host, ".")
	}
	return address.IsPrivate() || address.IsLoopback() || address.IsLinkLocalUnicast() || address.IsUnspecified()
}
