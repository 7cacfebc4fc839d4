package simulator

import (
	"encoding/json"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"time"
)

var (
	currencyFormat = regexp.MustCompile(`^[A-Z]{3}$`)
	amountFormat   = regexp.MustCompile(`^[1-9]\d{0,9}$`)
)

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
	if value := request[field]; value != "" && !slices.Contains(allowed, value) {
		return malformed(field)
	}
	return nil
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

func checkNotifyURL(request message, strict bool) error {
	if !isNotifyURL(request["notify_url"], strict) {
		return malformed("notify_url")
	}
	return nil
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
