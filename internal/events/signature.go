package events

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// Standard Webhooks requires keys with a number of bytes in this range.
const (
	shortestKey = 24
	longestKey  = 64
)

// keyPrefix is an optional prefix of a key.
const keyPrefix = "whsec_"

// ErrKey is the error of every invalid signing key. It has no details: users who may read an EventSink may not be
// allowed to read the Secret.
var ErrKey = errors.New("can't be used as a signing key")

// Key signs events. It does not print its content.
type Key struct{ webhook *standardwebhooks.Webhook }

// ParseKey reads a signing key: base64, with or without the prefix whsec_.
func ParseKey(text string) (Key, error) {
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(strings.TrimSpace(text), keyPrefix))
	if err != nil || len(raw) < shortestKey || len(raw) > longestKey {
		return Key{}, ErrKey
	}
	webhook, err := standardwebhooks.NewWebhookRaw(raw)
	if err != nil {
		return Key{}, ErrKey
	}
	return Key{webhook}, nil
}

// String hides the key.
func (Key) String() string { return "hidden" }

// GoString hides the key.
func (Key) GoString() string { return "hidden" }

// sign adds the headers of Standard Webhooks, with one signature for each key.
func sign(header http.Header, keys []Key, id string, now time.Time, body []byte) error {
	var signatures []string
	for _, key := range keys {
		signature, err := key.webhook.Sign(id, now, body)
		if err != nil {
			return err
		}
		signatures = append(signatures, signature)
	}
	header.Set(standardwebhooks.HeaderWebhookID, id)
	header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	header.Set(standardwebhooks.HeaderWebhookSignature, strings.Join(signatures, " "))
	return nil
}
