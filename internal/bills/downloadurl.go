package bills

import (
	"errors"
	"net/url"
	"slices"
	"strings"
)

// DownloadURL parses the address that WeChat gave for a bill. It comes from outside, and the request to it is signed
// and names the merchant, so it must be https to one of the hosts that the merchant uses, each a host name with its
// port if that is not 443. Whoever has the address can download the bill, so errors do not contain it.
func DownloadURL(text string, hosts []string) (*url.URL, error) {
	address, err := url.Parse(strings.TrimSpace(text))
	switch {
	case err != nil:
		return nil, errors.New("the address of the bill is not a URL")
	case address.Scheme != "https" || address.Opaque != "" || address.User != nil || address.Fragment != "":
		return nil, errors.New("the address of the bill is not an https URL without a user")
	case !slices.ContainsFunc(hosts, func(host string) bool { return strings.EqualFold(host, address.Host) }):
		return nil, errors.New("the address of the bill is on a host that this merchant does not call, so no signed request is sent there")
	default:
		return address, nil
	}
}
