package callbackprobe_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wechatpay-operator/wechatpay-operator/internal/callbackprobe"
)

const (
	apiKey   = "ReachTestOnlyKey0ReachTestOnlyKe"
	otherKey = "OtherTestOnlyKey0OtherTestOnlyKe"
	nonce    = "5D2B6C2A8DB53831F7EDA20AF4"
)

var (
	now    = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	keys   = callbackprobe.NewKeys(apiKey, "")
	target = callbackprobe.Target{Namespace: "shop", Name: "main", UID: "uid-1", Kind: "payment"}
)

func mustAnswer(t testing.TB, keys callbackprobe.Keys, target callbackprobe.Target, body []byte) []byte {
	t.Helper()
	answer, err := keys.Answer(target, body, now)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func TestProbeIsAnsweredAndTheAnswerTaken(t *testing.T) {
	t.Parallel()
	probe := keys.Probe(target, nonce, now)
	answer := mustAnswer(t, keys, target, probe.Body)
	if err := probe.Check(answer); err != nil {
		t.Error(err)
	}
	if len(probe.Body) > 600 || len(answer) > 400 {
		t.Errorf("%d and %d bytes", len(probe.Body), len(answer))
	}
	for _, text := range [][]byte{probe.Body, answer} {
		if bytes.Contains(text, []byte(apiKey)) || bytes.Contains(text, []byte("SUCCESS")) || bytes.Contains(text, []byte("uid-1")) {
			t.Errorf("%s", text)
		}
	}
}

// TestKeysDoNotChange: replicas of two versions must accept each other's messages during a rollout.
func TestKeysDoNotChange(t *testing.T) {
	t.Parallel()
	const want = `<callback_check><nonce><![CDATA[5D2B6C2A8DB53831F7EDA20AF4]]></nonce>
<sample><![CDATA[回调检查 a&b]]></sample>
<timestamp><![CDATA[1795348800]]></timestamp>
<code><![CDATA[d104d4a364e3263b4370f7913ea41778158619a4ad4e971f9b78c973ac0042a0]]></code>
</callback_check>`
	if got := string(keys.Probe(target, nonce, now).Body); got != want {
		t.Errorf("%s", got)
	}
}

func TestWhoDoesNotAnswer(t *testing.T) {
	t.Parallel()
	body := keys.Probe(target, nonce, now).Body
	for name, c := range map[string]struct {
		keys   callbackprobe.Keys
		target callbackprobe.Target
		body   []byte
		at     time.Time
	}{
		"another key":        {callbackprobe.NewKeys(otherKey, ""), target, body, now},
		"no key":             {callbackprobe.Keys{}, target, body, now},
		"another UID":        {keys, callbackprobe.Target{Namespace: "shop", Name: "main", UID: "uid-2", Kind: "payment"}, body, now},
		"another name":       {keys, callbackprobe.Target{Namespace: "shop", Name: "mai", UID: "nuid-1", Kind: "payment"}, body, now},
		"another namespace":  {keys, callbackprobe.Target{Namespace: "shop2", Name: "main", UID: "uid-1", Kind: "payment"}, body, now},
		"another kind":       {keys, callbackprobe.Target{Namespace: "shop", Name: "main", UID: "uid-1", Kind: "refund"}, body, now},
		"too late":           {keys, target, body, now.Add(callbackprobe.Fresh + time.Second)},
		"too early":          {keys, target, body, now.Add(-callbackprobe.Fresh - time.Second)},
		"another nonce":      {keys, target, bytes.Replace(body, []byte(nonce), []byte("5D2B6C2A8DB53831F7EDA20AF5"), 1), now},
		"another time":       {keys, target, bytes.Replace(body, []byte("[1795"), []byte("[1796"), 1), now.Add(time.Hour)},
		"no code":            {keys, target, bytes.Split(body, []byte("<code>"))[0], now},
		"empty":              {keys, target, nil, now},
		"not XML":            {keys, target, []byte("<callback_check><"), now},
		"too large":          {keys, target, append(bytes.Clone(body), bytes.Repeat([]byte(" "), callbackprobe.MaxProbe)...), now},
		"an answer":          {keys, target, mustAnswer(t, keys, target, body), now},
		"entities from else": {keys, target, append([]byte(`<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>`), bytes.Replace(body, []byte("a&b"), []byte("]]>&a;<![CDATA["), 1)...), now},
	} {
		if answer, err := c.keys.Answer(c.target, c.body, c.at); err == nil {
			t.Errorf("%s: answered %s", name, answer)
		}
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	rotating := callbackprobe.NewKeys(otherKey, apiKey)
	for name, c := range map[string]struct{ asks, answers callbackprobe.Keys }{
		"the leader has the new key first":  {callbackprobe.NewKeys(apiKey, ""), rotating},
		"both rotate":                       {rotating, rotating},
		"the rotation is over at a replica": {rotating, callbackprobe.NewKeys(otherKey, "")},
	} {
		probe := c.asks.Probe(target, nonce, now)
		if err := probe.Check(mustAnswer(t, c.answers, target, probe.Body)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBodiesThatWereChangedOnTheWay(t *testing.T) {
	t.Parallel()
	probe := keys.Probe(target, nonce, now)
	for name, change := range map[string]func(string) string{
		"CDATA taken away": func(s string) string {
			return strings.NewReplacer("<![CDATA[", "", "]]>", "", "a&b", "a&amp;b").Replace(s)
		},
		"declared":           func(s string) string { return `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + s },
		"white space":        func(s string) string { return strings.ReplaceAll(s, ">\n<", "><") },
		"carriage returns":   func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") },
		"a byte order mark":  func(s string) string { return "\ufeff" + s },
		"indented":           func(s string) string { return strings.ReplaceAll(s, "\n<", "\n    <") },
		"an XSS filter":      func(s string) string { return strings.ReplaceAll(s, "a&b", "a") },
		"another encoding":   func(s string) string { return strings.ReplaceAll(s, "回调检查", "????") },
		"a field more":       func(s string) string { return strings.Replace(s, "</callback_check>", "<a>1</a></callback_check>", 1) },
		"something after it": func(s string) string { return s + "\n" },
	} {
		body := []byte(change(string(probe.Body)))
		if !callbackprobe.IsProbe(body) {
			t.Errorf("%s: it is no probe any more", name)
			continue
		}
		answer, err := keys.Answer(target, body, now)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := probe.Check(answer); !errors.Is(err, callbackprobe.ErrAltered) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnswersOfOthers(t *testing.T) {
	t.Parallel()
	probe := keys.Probe(target, nonce, now)
	good := mustAnswer(t, keys, target, probe.Body)
	earlier := keys.Probe(target, "AAAAAAAAAAAAAAAAAAAAAAAAAA", now)
	neighbour := callbackprobe.Target{Namespace: "shop", Name: "second", UID: "uid-2", Kind: "payment"}
	for name, answer := range map[string][]byte{
		"nothing":                nil,
		"WeChat's yes":           []byte(`<xml><return_code><![CDATA[SUCCESS]]></return_code></xml>`),
		"HTML":                   []byte("<!DOCTYPE html><html><body>Please log in</body></html>"),
		"the probe itself":       probe.Body,
		"replayed":               mustAnswer(t, keys, target, earlier.Body),
		"by another Merchant":    mustAnswer(t, keys, neighbour, keys.Probe(neighbour, nonce, now).Body),
		"with another key":       mustAnswer(t, callbackprobe.NewKeys(otherKey, ""), target, callbackprobe.NewKeys(otherKey, "").Probe(target, nonce, now).Body),
		"truncated":              good[:len(good)-40],
		"checksum of its choice": bytes.Replace(good, []byte("<arrived><![CDATA["), []byte("<arrived><![CDATA[0"), 1),
		"no code":                []byte("<callback_check_answer><arrived></arrived></callback_check_answer>"),
		"too large":              append(bytes.Clone(good), bytes.Repeat([]byte(" "), callbackprobe.MaxAnswer)...),
	} {
		if err := probe.Check(answer); !errors.Is(err, callbackprobe.ErrOtherServer) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := (callbackprobe.Probe{}).Check(good); !errors.Is(err, callbackprobe.ErrOtherServer) {
		t.Errorf("no probe: %v", err)
	}
}

// TestCallbacksAreNoProbes: whatever a shop puts into attach, a callback is never taken for a
// probe, because it would not be recorded.
func TestCallbacksAreNoProbes(t *testing.T) {
	t.Parallel()
	probe := string(keys.Probe(target, nonce, now).Body)
	if !callbackprobe.IsProbe([]byte(probe)) {
		t.Fatal("a probe is none")
	}
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(rapid.String(), rapid.Just(probe), rapid.Just("<callback_check>"), rapid.Just("?><callback_check>")).Draw(t, "attach")
		var escaped bytes.Buffer
		if err := xml.EscapeText(&escaped, []byte(value)); err != nil {
			t.Fatal(err)
		}
		before := rapid.SampledFrom([]string{"", "\ufeff", "\n", `<?xml version="1.0"?>`, "<!-- ?><callback_check> -->"}).Draw(t, "before")
		for _, attach := range []string{escaped.String(), "<![CDATA[" + strings.ReplaceAll(value, "]]>", "") + "]]>"} {
			if body := before + "<xml><attach>" + attach + "</attach></xml>"; callbackprobe.IsProbe([]byte(body)) {
				t.Fatalf("%q", body)
			}
		}
	})
	for _, body := range []string{"", "<", "callback_check", "<callback_check", "<callback_checks>", "<callback_check_answer>", "<?xml <callback_check>", "<xml><callback_check>"} {
		if callbackprobe.IsProbe([]byte(body)) {
			t.Errorf("%q", body)
		}
	}
}

// TestNothingMovesBetweenValues: targets whose concatenated values are equal still differ.
func TestNothingMovesBetweenValues(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		draw := func(label string) callbackprobe.Target {
			part := rapid.StringMatching(`[ab]{0,2}`)
			return callbackprobe.Target{Namespace: part.Draw(t, label), Name: part.Draw(t, label), UID: part.Draw(t, label), Kind: part.Draw(t, label)}
		}
		one, other := draw("one"), draw("other")
		_, err := keys.Answer(other, keys.Probe(one, nonce, now).Body, now)
		if (err == nil) != (one == other) {
			t.Fatalf("%+v %+v: %v", one, other, err)
		}
	})
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	if !callbackprobe.IsRefusal([]byte("<xml><return_code><![CDATA[FAIL]]></return_code><return_msg><![CDATA[not verified]]></return_msg></xml>")) {
		t.Error("a refusal is none")
	}
	if !callbackprobe.IsRefusal([]byte(`{"code":"FAIL","message":"not verified"}`)) {
		t.Error("a refusal in JSON is none")
	}
	if callbackprobe.IsRefusal([]byte("<html>FAIL</html>")) || callbackprobe.IsRefusal(nil) {
		t.Error("anything is a refusal")
	}
}

// FuzzAnswer: nobody gets an answer without the key, and only the genuine answer passes.
func FuzzAnswer(f *testing.F) {
	asked := callbackprobe.NewKeys(otherKey, "").Probe(target, nonce, now)
	f.Add(asked.Body)
	f.Add(keys.Probe(target, nonce, now.Add(-time.Hour)).Body)
	f.Add([]byte("<?xml version=\"1.0\"?><callback_check></callback_check>"))
	f.Add([]byte("<callback_check_answer><arrived>x</arrived><code>y</code></callback_check_answer>"))
	f.Fuzz(func(t *testing.T, body []byte) {
		if answer, err := keys.Answer(target, body, now); err == nil {
			t.Fatalf("%q was answered %q", body, answer)
		}
		if err := asked.Check(body); !errors.Is(err, callbackprobe.ErrOtherServer) {
			t.Fatalf("%q was taken: %v", body, err)
		}
		callbackprobe.IsProbe(body)
	})
}
