package v3

import (
	"net/http/httptest"
	"testing"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

func TestReplies(t *testing.T) {
	for _, c := range []struct {
		reply             wechatpay.Reply
		status            int
		body, contentType string
	}{
		{wechatpay.Reply{Confirm: true}, 204, "", ""},
		{wechatpay.Reply{Confirm: true, Status: 500, Reason: "x"}, 204, "", ""},
		{wechatpay.Reply{Status: 503, Reason: "try again"}, 503, `{"code":"FAIL","message":"try again"}`, "application/json; charset=utf-8"},
		{wechatpay.Reply{Status: 401, Reason: `"<&>"`}, 401, `{"code":"FAIL","message":"\"<&>\""}`, "application/json; charset=utf-8"},
		{wechatpay.Reply{Status: 404, Reason: "\xff"}, 404, `{"code":"FAIL"}`, "application/json; charset=utf-8"},
	} {
		w := httptest.NewRecorder()
		Protocol{}.Reply(w, c.reply)
		if w.Code != c.status || w.Body.String() != c.body || w.Header().Get("Content-Type") != c.contentType {
			t.Errorf("%+v: %d %q %q", c.reply, w.Code, w.Body, w.Header())
		}
	}
}

// TestWhatProvesTheCertificateUnsigned: WeChat verifies the signature of a request before it looks for the order.
func TestWhatProvesTheCertificateUnsigned(t *testing.T) {
	for err, want := range map[error]bool{
		&wechatpay.Error{Outcome: wechatpay.Refused, Meaning: wechatpay.OrderNotExist}:       true,
		&wechatpay.Error{Outcome: wechatpay.Refused, Meaning: wechatpay.CredentialsRejected}: false,
		&wechatpay.Error{Outcome: wechatpay.Refused, Meaning: wechatpay.NotVerified}:         false,
		&wechatpay.Error{Outcome: wechatpay.Unknown, Meaning: wechatpay.OrderNotExist}:       false,
		nil: false,
	} {
		if got := (Protocol{}).AcceptedUnsigned(err); got != want {
			t.Errorf("%v: %t", err, got)
		}
	}
}

func TestStrictBase64(t *testing.T) {
	for text, valid := range map[string]bool{"": true, "AA==": true, "AB==": false, "AA=": false, "AA": false, "AA==\n": false, "A\r\nA==": false, "A-==": false, "A A==": false} {
		if _, err := decodeBase64(text); (err == nil) != valid {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestALineBreakMovesNoBorder between the nonce and the body of a signed text.
func TestALineBreakMovesNoBorder(t *testing.T) {
	c := newTestClient(t, testOptions())
	header := oracleHeaders(testKeys()["wechatpay_pub"], testNow, "first\nsecond")
	header[headerNonce] = []string{header.Get(headerNonce) + "\nfirst"}
	if _, why := c.verify(t.Context(), header, []byte("second"), testNow); why == nil {
		t.Error("it does")
	}
}

func TestStrictJSON(t *testing.T) {
	type document struct {
		Text   string `json:"text"`
		Number int64  `json:"number"`
		Inner  struct {
			Number *int64 `json:"number"`
		} `json:"inner"`
	}
	for text, want := range map[string]string{
		`{"text":"a","number":1,"inner":{"number":2},"more":[{"x":1.5e3}]}`: "",
		`{}`:                               "",
		` {"number":null,"inner":null} `:   "",
		`{"inner":{"number":null}}`:        "",
		`{"TEXT":1}`:                       "", // another member
		`{"number":-0}`:                    "",
		`{"number":1.0}`:                   "/number has a value of the wrong type",
		`{"number":1e0}`:                   "/number has a value of the wrong type",
		`{"number":"1"}`:                   "/number has a value of the wrong type",
		`{"inner":{"number":0.5}}`:         "/inner/number has a value of the wrong type",
		`{"inner":[]}`:                     "/inner has a value of the wrong type",
		`{"text":1}`:                       "/text has a value of the wrong type",
		`{"number":1,"number":1}`:          "a member occurs twice",
		`{"more":{"secret":1,"secret":2}}`: "a member occurs twice",
		`{"text":"a"}{}`:                   "it is not JSON",
		`{"text":"a"} x`:                   "it is not JSON",
		"{\"text\":\"\xff\"}":              "it is not JSON",
		`{"text":"\ud800"}`:                "it is not JSON",
		`{"number":01}`:                    "it is not JSON",
		`{"number":+1}`:                    "it is not JSON",
		`{text:1}`:                         "it is not JSON",
		"\uFEFF{}":                         "it is not JSON",
		``:                                 "it is not JSON",
		`[]`:                               "the document has a value of the wrong type",
	} {
		got := ""
		if err := readJSON([]byte(text), &document{}); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %q, not %q", text, got, want)
		}
	}
}
