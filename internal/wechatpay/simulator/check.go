package simulator

import (
	"encoding/json"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var (
	outTradeNoFormat  = regexp.MustCompile(`^[0-9A-Za-z_\-|*]{6,32}$`)
	outRefundNoFormat = regexp.MustCompile(`^[0-9A-Za-z_\-|*@]{1,64}$`)
	currencyFormat    = regexp.MustCompile(`^[A-Z]{3}$`)
	amountFormat      = regexp.MustCompile(`^[1-9]\d{0,9}$`)
)

// maxAmount is the maximum of an int32, the type of the protocol's amounts.
const maxAmount = 1<<31 - 1

// checkLengths compares values with the documented maximum lengths in bytes.
func checkLengths(request message, limits map[string]int) error {
	for field, limit := range limits {
		if len(request[field]) > limit {
			return tooLong(field)
		}
	}
	return nil
}

func require(request message, fields ...string) error {
	for _, field := range fields {
		if request[field] == "" {
			return lacking(field)
		}
	}
	return nil
}

func oneOf(request message, field string, allowed ...string) error {
	value := request[field]
	if value == "" {
		return nil
	}
	for _, a := range allowed {
		if value == a {
			return nil
		}
	}
	return malformed(field)
}

// amountOf reads a positive whole number of minor units.
func amountOf(request message, field string) (int64, error) {
	if !amountFormat.MatchString(request[field]) {
		return 0, malformed(field)
	}
	amount, err := strconv.ParseInt(request[field], 10, 64)
	if err != nil || amount > maxAmount {
		return 0, malformed(field)
	}
	return amount, nil
}

// timeOf reads yyyyMMddHHmmss in Beijing time; nil if the field is absent.
func timeOf(request message, field string) (*time.Time, error) {
	if request[field] == "" {
		return nil, nil
	}
	at, err := time.ParseInLocation(compactTime, request[field], beijing)
	if err != nil || at.Format(compactTime) != request[field] {
		return nil, malformed(field)
	}
	return &at, nil
}

func checkIP(request message, field string) error {
	if _, err := netip.ParseAddr(request[field]); err != nil {
		return malformed(field)
	}
	return nil
}

// checkNotifyURL requires an absolute URL without query and user. WeChat Pay also rejects http,
// ports and private hosts; without strict they are accepted, because a shop on loopback needs them.
func checkNotifyURL(request message, strict bool) error {
	parsed, err := url.Parse(request["notify_url"])
	switch {
	case err != nil || parsed.Hostname() == "" || parsed.User != nil,
		parsed.Scheme != "http" && parsed.Scheme != "https",
		parsed.RawQuery != "" || parsed.ForceQuery || parsed.Fragment != "",
		strict && (parsed.Scheme != "https" || parsed.Port() != "" || isPrivateHost(parsed.Hostname())):
		return malformed("notify_url")
	}
	return nil
}

func isPrivateHost(host string) bool {
	address, err := netip.ParseAddr(host)
	if err != nil {
		return host == "localhost" || strings.HasSuffix(host, ".localhost") || !strings.Contains(host, ".")
	}
	return address.IsPrivate() || address.IsLoopback() || address.IsLinkLocalUnicast() || address.IsUnspecified()
}

// checkH5Scene requires scene_info for payments in a browser.
func checkH5Scene(request message) error {
	var scene struct {
		H5 *struct {
			Type string `json:"type"`
		} `json:"h5_info"`
	}
	if json.Unmarshal([]byte(request["scene_info"]), &scene) != nil || scene.H5 == nil || scene.H5.Type == "" {
		return malformed("scene_info")
	}
	return nil
}
