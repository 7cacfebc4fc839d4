package callbackprobe

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

const (
	probeRoot  = "callback_check"
	answerRoot = "callback_check_answer"
)

const (
	// MaxProbe is the maximum size of a probe in bytes; actual probes have about 500.
	MaxProbe = 4 << 10
	// MaxAnswer is the maximum size of an answer in bytes; actual answers have about 300.
	MaxAnswer = 4 << 10
	// Fresh is the maximum age of a probe, and how far ahead its time may be: the clocks of nodes
	// differ.
	Fresh = 5 * time.Minute
)

// sample contains what proxies and filters tend to modify in a body: Chinese text, and a character
// that XML escapes outside of CDATA.
const sample = "回调检查 a&b"

// Target identifies the Merchant and the kind of callbacks that are checked.
type Target struct {
	Namespace, Name string
	// UID is the Merchant's UID, so that a Merchant with the same name, e.g. in another cluster,
	// does not answer.
	UID string
	// Kind is the last path segment: payment or refund.
	Kind string
}

func (t Target) values() []string { return []string{t.Namespace, t.Name, t.UID, t.Kind} }

// Probe is a probe with what is needed to check its answer.
type Probe struct {
	// Body is the body to post.
	Body []byte

	keys   pair
	target Target
	nonce  string
}

// message is a parsed probe.
type message struct {
	XMLName   xml.Name `xml:"callback_check"`
	Nonce     string   `xml:"nonce"`
	Timestamp string   `xml:"timestamp"`
	Code      string   `xml:"code"`
}

// Probe makes a probe. The nonce must be unique and consist of letters and digits, like
// crypto/rand.Text; the Keys must not be zero.
func (k Keys) Probe(target Target, nonce string, now time.Time) Probe {
	timestamp := strconv.FormatInt(now.Unix(), 10)
	body := fmt.Appendf(nil, "<%[1]s><nonce><![CDATA[%[2]s]]></nonce>\n<sample><![CDATA[%[3]s]]></sample>\n<timestamp><![CDATA[%[4]s]]></timestamp>\n<code><![CDATA[%[5]s]]></code>\n</%[1]s>",
		probeRoot, nonce, sample, timestamp, k.accepted[0].probeCode(target, nonce, timestamp))
	return Probe{Body: body, keys: k.accepted[0], target: target, nonce: nonce}
}

func (p pair) probeCode(target Target, nonce, timestamp string) string {
	return code(p.probe, append(target.values(), nonce, timestamp)...)
}

func (p pair) answerCode(target Target, nonce, checksum string) string {
	return code(p.answer, append(target.values(), nonce, checksum)...)
}

// IsProbe distinguishes a probe, valid or not, from a callback by its root element, whose name
// WeChat Pay never uses. It ignores everything else, because a shop may put any text into the
// fields of a callback.
func IsProbe(body []byte) bool {
	body = bytes.TrimLeft(bytes.TrimPrefix(body, []byte("\ufeff")), whiteSpace)
	if bytes.HasPrefix(body, []byte("<?xml ")) {
		_, after, _ := bytes.Cut(body, []byte("?>"))
		body = bytes.TrimLeft(after, whiteSpace)
	}
	return bytes.HasPrefix(body, []byte("<"+probeRoot+">"))
}

const whiteSpace = " \t\r\n"

// Answer verifies a received probe, which may be malformed, and answers it. MaxProbe and four codes
// limit the cost.
func (k Keys) Answer(target Target, body []byte, now time.Time) ([]byte, error) {
	if len(body) > MaxProbe {
		return nil, errors.New("the probe is too large")
	}
	var probe message
	if err := xml.Unmarshal(body, &probe); err != nil {
		return nil, errors.New("the probe is not well-formed XML") // without the parser's error, which quotes the body
	}
	nonce, timestamp := strings.TrimSpace(probe.Nonce), strings.TrimSpace(probe.Timestamp)
	keys, ok := k.findKeys(target, nonce, timestamp, strings.TrimSpace(probe.Code))
	if !ok {
		return nil, errors.New("the probe was not made with this Merchant's key, for this Merchant and path")
	}
	if sent, err := strconv.ParseInt(timestamp, 10, 64); err != nil || now.Sub(time.Unix(sent, 0)).Abs() > Fresh {
		return nil, fmt.Errorf("the probe is not from the last %s, or the nodes' clocks differ", Fresh)
	}
	arrived := checksum(body)
	return fmt.Appendf(nil, "<%[1]s><arrived><![CDATA[%[2]s]]></arrived><code><![CDATA[%[3]s]]></code></%[1]s>",
		answerRoot, arrived, keys.answerCode(target, nonce, arrived)), nil
}

// findKeys finds the keys with which a probe was made.
func (k Keys) findKeys(target Target, nonce, timestamp, code string) (pair, bool) {
	for _, keys := range k.accepted {
		if sameCode(code, keys.probeCode(target, nonce, timestamp)) {
			return keys, true
		}
	}
	return pair{}, false
}

func checksum(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}
