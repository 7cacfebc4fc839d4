// Package hosts holds the lists of hosts that the operator may call. The platform team sets the
// lists when it starts the operator; authors of objects choose an address from them.
package hosts

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// WeChats are WeChat Pay's own hosts: mainland, its backup, Hong Kong and other regions.
const WeChats = "api.mch.weixin.qq.com,api2.mch.weixin.qq.com,apihk.mch.weixin.qq.com,apius.mch.weixin.qq.com"

// WeChatsMiniPrograms are WeChat's hosts for the server API of mini programs: the first one, its backup,
// and those of its regions.
const WeChatsMiniPrograms = "api.weixin.qq.com,api2.weixin.qq.com,sh.api.weixin.qq.com,sz.api.weixin.qq.com,hk.api.weixin.qq.com"

// List is a list of hosts. It implements flag.Value. The zero List is empty.
type List struct {
	entries []entry
	text    string
}

// entry is one host, or all hosts below a domain if below is set. Port 0 matches any port.
type entry struct {
	host  string
	below bool
	port  uint16
}

// Parse parses a flag value: comma-separated host names and IP addresses. An entry with a port
// matches only that port. "*.example.com" matches every host below example.com at any depth, but
// not example.com itself.
func Parse(text string) (List, error) {
	list := List{text: text}
	for _, one := range strings.Split(text, ",") {
		parsed, err := parseEntry(strings.TrimSpace(one))
		if err != nil {
			return List{}, fmt.Errorf("%q: %w", one, err)
		}
		list.entries = append(list.entries, parsed)
	}
	return list, nil
}

// MustParse is Parse for constant lists; it panics on errors.
func MustParse(text string) List {
	list, err := Parse(text)
	if err != nil {
		panic(err)
	}
	return list
}

// Set implements flag.Value. It replaces the list.
func (l *List) Set(text string) error {
	parsed, err := Parse(text)
	if err == nil {
		*l = parsed
	}
	return err
}

// String returns the list as it was written.
func (l *List) String() string { return l.text }

// IsZero reports whether the list was never set.
func (l *List) IsZero() bool { return len(l.entries) == 0 }

var errNoHost = errors.New("a host is a name such as api.mch.weixin.qq.com, *.example.com or an IP address, with or without a port")

func parseEntry(text string) (entry, error) {
	host, port, err := splitPort(text)
	if err != nil {
		return entry{}, err
	}
	domain, below := strings.CutPrefix(host, "*.")
	if !below {
		domain = host
	}
	name, isAddress, ok := canonical(domain)
	if !ok || below && isAddress || !isAddress && !legalName.MatchString(name) {
		return entry{}, errNoHost
	}
	return entry{host: name, below: below, port: port}, nil
}

// legalName rejects typing errors in a list: a scheme, a path, a star in the middle.
var legalName = regexp.MustCompile(`^[0-9a-z_]([0-9a-z_-]*[0-9a-z_])?(\.[0-9a-z_]([0-9a-z_-]*[0-9a-z_])?)*$`)

// splitPort removes the port. An IPv6 address without a port may omit its brackets.
func splitPort(text string) (host string, port uint16, err error) {
	if strings.ContainsRune(text, '%') {
		return "", 0, errNoHost // the zone of an address is valid on one machine only
	}
	if address, err := netip.ParseAddr(text); err == nil {
		return address.String(), 0, nil
	}
	host = text
	if colon := strings.LastIndexByte(text, ':'); colon > strings.LastIndexByte(text, ']') {
		var ok bool
		if port, ok = parsePort(text[colon+1:]); !ok {
			return "", 0, errors.New("a port is a number from 1 to 65535")
		}
		host = text[:colon]
	}
	if inner, bracketed := strings.CutPrefix(host, "["); bracketed {
		host = strings.TrimSuffix(inner, "]")
	}
	return host, port, nil
}

func parsePort(text string) (uint16, bool) {
	number, err := strconv.ParseUint(text, 10, 16)
	return uint16(number), err == nil && number > 0
}

// canonical returns the single spelling of a host, so that hosts can be compared: lower case, no
// trailing dot, internationalized names in their ASCII form, and IP addresses as netip formats
// them, with IPv4-mapped IPv6 addresses as IPv4.
func canonical(host string) (name string, isAddress, ok bool) {
	if address, err := netip.ParseAddr(host); err == nil {
		return address.Unmap().String(), true, true
	}
	name = strings.TrimSuffix(host, ".")
	if strings.ContainsFunc(name, func(r rune) bool { return r >= utf8.RuneSelf }) {
		encoded, err := idna.Lookup.ToASCII(name) // as net/http does
		if err != nil {
			return "", false, false
		}
		name = encoded
	}
	return strings.ToLower(name), false, name != ""
}

// defaultPort is the port of https, the only supported scheme.
const defaultPort = 443

// Allows reports whether the host of an https address is on the list.
func (l *List) Allows(address *url.URL) bool {
	host, isAddress, ok := canonical(address.Hostname())
	if !ok {
		return false
	}
	port := uint16(defaultPort)
	if text := address.Port(); text != "" {
		if port, ok = parsePort(text); !ok {
			return false
		}
	}
	for _, e := range l.entries {
		if (e.port == 0 || e.port == port) && (e.host == host && !e.below || e.below && !isAddress && strings.HasSuffix(host, "."+e.host)) {
			return true
		}
	}
	return false
}

// PortIsValid reports whether an address has no port or a valid one.
func PortIsValid(address *url.URL) bool {
	_, ok := parsePort(address.Port())
	return ok || address.Port() == ""
}

// Name returns the canonical host of an address, without port.
func Name(address *url.URL) string {
	name, _, _ := canonical(address.Hostname())
	return name
}

// Canonical returns the canonical host and port of an https address.
func Canonical(address *url.URL) string {
	host, port := Name(address), address.Port()
	if number, ok := parsePort(port); ok {
		port = strconv.Itoa(int(number))
	} else if port == "" {
		port = strconv.Itoa(defaultPort)
	}
	return host + " " + port
}
