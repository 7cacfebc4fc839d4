package callbackprobe

import (
	"net/netip"
	"slices"
)

// special lists the ranges of unicast addresses that do not identify a single host on the public
// Internet (IANA special-purpose address registries). For IPv6, only 2000::/3 is allocated, so
// ranges outside of it need no entry.
var special = prefixes(
	"0.0.0.0/8",       // this network (RFC 791)
	"10.0.0.0/8",      // private (RFC 1918)
	"100.64.0.0/10",   // behind the NAT of a carrier or a cloud (RFC 6598); metadata of Alibaba Cloud is here
	"127.0.0.0/8",     // loopback
	"169.254.0.0/16",  // link-local: metadata of most clouds
	"172.16.0.0/12",   // private
	"192.0.0.0/24",    // protocol assignments (RFC 6890); metadata of Oracle's cloud is here
	"192.0.2.0/24",    // documentation
	"192.31.196.0/24", // AS112
	"192.52.193.0/24", // AMT
	"192.88.99.0/24",  // 6to4 relays
	"192.168.0.0/16",  // private
	"192.175.48.0/24", // AS112
	"198.18.0.0/15",   // benchmarks
	"198.51.100.0/24", // documentation
	"203.0.113.0/24",  // documentation
	"224.0.0.0/3",     // multicast, reserved, broadcast
	"2001::/23",       // protocol assignments; Teredo, which holds an IPv4 address, is here
	"2001:db8::/32",   // documentation
	"2002::/16",       // 6to4, which holds an IPv4 address
	"2620:4f:8000::/48",
	"3fff::/20", // documentation
)

var (
	unicastIPv6 = netip.MustParsePrefix("2000::/3")
	// metadata has a public address by its range, but is Azure's host and metadata service.
	metadata = netip.MustParseAddr("168.63.129.16")
)

func prefixes(texts ...string) []netip.Prefix {
	var parsed []netip.Prefix
	for _, text := range texts {
		parsed = append(parsed, netip.MustParsePrefix(text))
	}
	return parsed
}

// IsPublic reports whether an address belongs to the public Internet, so the operator may call it
// on behalf of a user who may not be allowed to. NAT64 (64:ff9b::/96 and 64:ff9b:1::/48) and
// embedded IPv4 other than the mapped form are outside of 2000::/3.
func IsPublic(address netip.Addr) bool {
	if !address.IsValid() || address.Zone() != "" {
		return false
	}
	address = address.Unmap()
	return address != metadata && (address.Is4() || unicastIPv6.Contains(address)) &&
		!slices.ContainsFunc(special, func(prefix netip.Prefix) bool { return prefix.Contains(address) })
}
