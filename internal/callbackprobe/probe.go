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
	// MaxProbe is the most that a probe may have, in bytes; it has some 500.
	MaxProbe = 4 << 10
	// MaxAnswer is the most that an answer may have, in bytes; it has some 300.
	MaxAnswer = 4 << 10
	// Fresh is how old a probe may be, and how far ahead: the clocks of nodes differ.
	Fresh = 5 * time.Minute
)

// sample is what proxies and filters like to change in a body: Chinese, and a character that XML escapes outside of CDATA.
const sample = "回调检查 a&b"

// Target is whose callbacks are asked for.
type Target struct {
	Namespace, Name string
	// UID is the Merchant's, so that another one of the same name, in another cluster for example, does not answer for it.
	UID string
	// Kind is the last part of the path: payment or refund.
	Kind string
}

func (t Target) values() []string { return []string{t.Namespace, t.Name, t.UID, t.Kind} }

// Probe is a question that was asked, and what is needed to check its answer.
type Probe struct {
	// Body is what to post.
	Body []byte

	keys   pair
	target Target
	nonce  string
}

// message is a probe as it is read.
type message struct {
	XMLName   xml.Name `xml:"callback_check"`
	Nonce     string   `xml:"nonce"`
	Timestamp string   `xml:"timestamp"`
	Code      string   `xml:"code"`
}

// Probe makes a probe. The nonce must be new and made of letters and digits, as crypto/rand.Text has it; the Keys must not be zero.
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

// IsProbe tells a probe, real or not, from a callback by its first element, whose name WeChat never uses. Only that counts: a shop
// may have put anything into the fields of a callback.
func IsProbe(body []byte) bool {
	body = bytes.TrimLeft(bytes.TrimPrefix(body, []byte("\ufeff")), whiteSpace)
	if bytes.HasPrefix(body, []byte("<?xml ")) {
		_, after, _ := bytes.Cut(body, []byte("?>"))
		body = bytes.TrimLeft(after, whiteSpace)
	}
	return bytes.HasPrefix(body, []byte("<"+probeRoot+">"))
}

const whiteSpace = " \t\r\n"

// Answer checks a probe that arrived, in whatever shape, and answers it. The cost is bounded by MaxProbe and four codes.
func (k Keys) Answer(target Target, body []byte, now time.Time) ([]byte, error) {
	if len(body) > MaxProbe {
		return nil, errors.New("the probe is too large")
	}
	var probe message
	if err := xml.Unmarshal(body, &probe); err != nil {
		return nil, errors.New("the probe is not well-formed XML") // without the parser's words, which repeat some of the body
	}
	nonce, timestamp := strings.TrimSpace(probe.Nonce), strings.TrimSpace(probe.Timestamp)
	keys, ok := k.made(target, nonce, timestamp, strings.TrimSpace(probe.Code))
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

// made finds the keys that a probe was made with.
func (k Keys) made(target Target, nonce, timestamp, code string) (pair, bool) {
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
