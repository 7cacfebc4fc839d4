// Package event takes the events of an EventSink: it verifies who sent them and reads what they say.
package event

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// Window is how far the time of a signature may be from this clock. An older message may be a
// recorded one.
const Window = 5 * time.Minute

// shortestKey is the shortest key that Standard Webhooks allows. An empty one would be everybody's.
const shortestKey = 24

// ErrForged is the error of a message that no trusted key has signed.
var ErrForged = errors.New("not signed by a key that this receiver trusts")

// Keys returns the keys that are trusted now: one, or two while the key is being changed.
type Keys func() ([]*standardwebhooks.Webhook, error)

// KeysIn reads the keys from the files in a folder, as a Secret is mounted: signingKey, and
// signingKey.previous during a change. They are read for each message, so that a changed Secret
// needs no restart.
func KeysIn(folder string) Keys {
	return func() ([]*standardwebhooks.Webhook, error) {
		var keys []*standardwebhooks.Webhook
		for _, name := range []string{"signingKey", "signingKey.previous"} {
			text, err := os.ReadFile(filepath.Join(folder, name))
			if errors.Is(err, os.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, err
			}
			key, err := ParseKey(string(text))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", filepath.Join(folder, name), err)
			}
			keys = append(keys, key)
		}
		if len(keys) == 0 {
			return nil, fmt.Errorf("there is no signingKey in %s: mount the Secret that the EventSink names", folder)
		}
		return keys, nil
	}
}

// ParseKey reads a key: base64, with or without whsec_ before it. The error never holds the key.
func ParseKey(text string) (*standardwebhooks.Webhook, error) {
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(strings.TrimSpace(text), "whsec_"))
	if err != nil || len(raw) < shortestKey {
		return nil, fmt.Errorf("it must hold at least %d bytes in base64, with or without whsec_ before them", shortestKey)
	}
	return standardwebhooks.NewWebhookRaw(raw)
}

// Verify reports whether one of the keys signed the message at about this time. The library compares
// in constant time.
func Verify(keys []*standardwebhooks.Webhook, header http.Header, body []byte, now time.Time) error {
	seconds, err := strconv.ParseInt(header.Get(standardwebhooks.HeaderWebhookTimestamp), 10, 64)
	if err != nil {
		return ErrForged
	}
	if signed := time.Unix(seconds, 0); signed.Before(now.Add(-Window)) || signed.After(now.Add(Window)) {
		return fmt.Errorf("signed at %s, more than %s from this clock (%s)", signed.UTC().Format(time.RFC3339), Window, now.UTC().Format(time.RFC3339))
	}
	for _, key := range keys {
		if key.VerifyIgnoringTimestamp(body, header) == nil {
			return nil
		}
	}
	return ErrForged
}
