package weixin

import "strings"

// withoutRequestID removes the id of the request that WeChat appends to its words, so that the same
// failure has the same text each time.
func withoutRequestID(words string) string {
	at := strings.LastIndex(words, "rid:")
	if at < 0 {
		return words
	}
	return strings.TrimRight(words[:at], " ,;")
}
