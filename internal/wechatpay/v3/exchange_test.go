package v3

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wechatpay-operator/wechatpay-operator/internal/text"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

func TestEveryCallSucceeds(t *testing.T) {
	for operation, call := range calls {
		t.Run(string(operation), func(t *testing.T) {
			s := newServer(t, done(operation))
			if err := call(t.Context(), s.client(t)); err != nil {
				t.Fatal(err)
			}
			sent := s.only(t)
			if got := sent.header.Get(headerSerial); got != testKeys()["wechatpay_pub"].serial {
				t.Errorf("Wechatpay-Serial is %q", got)
			}
			if s.downloaded() != 0 {
				t.Error("with a public key no certificate is needed")
			}
		})
	}
}

// TestOnlyAProvenSuccessIsOne: whatever is wrong with the signature of a success leaves the outcome
// unknown. A query is repeated on the backup host, a refund is not.
func TestOnlyAProvenSuccessIsOne(t *testing.T) {
	other := func(name, value string) func(http.Header) {
		return func(h http.Header) { h.Set(name, value) }
	}
	without := func(name string) func(http.Header) { return func(h http.Header) { h.Del(name) } }
	for name, c := range map[string]struct {
		change  func(http.Header)
		meaning wechatpay.Meaning
		text    string
	}{
		"no timestamp":         {without(headerTimestamp), wechatpay.NotVerified, "it is not signed: Wechatpay-Timestamp is missing"},
		"no nonce":             {without(headerNonce), wechatpay.NotVerified, "it is not signed: Wechatpay-Nonce is missing"},
		"no signature":         {without(headerSignature), wechatpay.NotVerified, "it is not signed: Wechatpay-Signature is missing"},
		"no serial":            {without(headerSerial), wechatpay.NotVerified, "it is not signed: Wechatpay-Serial is missing"},
		"two nonces":           {func(h http.Header) { h.Add(headerNonce, "x") }, wechatpay.NotVerified, "it is not signed: Wechatpay-Nonce is missing"},
		"another algorithm":    {other(headerSignatureType, "WECHATPAY2-SM2-WITH-SM3"), wechatpay.NotVerified, "it is signed with an algorithm that is not WECHATPAY2-SHA256-RSA2048"},
		"not a time":           {other(headerTimestamp, "+1717200000"), wechatpay.NotVerified, "the time of its signature is not a number"},
		"another nonce":        {other(headerNonce, "x"), wechatpay.NotVerified, "its signature is wrong"},
		"a probe":              {other(headerSignature, "WECHATPAY/SIGNTEST/AAAA"), wechatpay.NotVerified, "its signature is not base64"},
		"a decodable probe":    {other(headerSignature, "WECHATPAY/SIGNTEST/AAAAA"), wechatpay.NotVerified, "its signature is wrong"},
		"a stranger's serial":  {other(headerSerial, "3B9ACA0012345678901234567890ABCDEF012345"), wechatpay.NotVerified, ""},
		"another public key":   {other(headerSerial, "PUB_KEY_ID_1"), wechatpay.NotVerified, ""},
		"a platform's serial":  {other(headerSerial, "5F1C2D3E4A5B69788796A5B4C3D2E1F00112AABB"), wechatpay.NotVerified, "its signature is wrong"},
		"five minutes ago":     {signedAt(-5 * time.Minute), wechatpay.NeedsAttention, ""},
		"in five minutes":      {signedAt(5 * time.Minute), wechatpay.NeedsAttention, ""},
		"at the end of time":   {other(headerTimestamp, "9223372036854775807"), wechatpay.NeedsAttention, ""},
		"at no time":           {other(headerTimestamp, "9223372036854775808"), wechatpay.NotVerified, ""},
		"at the start of time": {other(headerTimestamp, "0"), wechatpay.NeedsAttention, ""},
	} {
		t.Run(name, func(t *testing.T) {
			operations := []wechatpay.Operation{wechatpay.OperationCloseOrder, wechatpay.OperationCreateRefund}
			if name == "another nonce" {
				operations = slices.Collect(maps.Keys(calls))
			}
			for _, operation := range operations {
				status, body := bodyOf(operation)
				s := newServer(t, forged(status, body, c.change))
				err := calls[operation](t.Context(), s.client(t))
				want := ""
				if c.text != "" {
					want = string(operation) + ": the answer can't be believed: " + c.text
				}
				expect(t, err, wechatpay.Unknown, c.meaning, want)
				attempts := 2
				if operation == wechatpay.OperationCreateRefund || operation == wechatpay.OperationResolveAbnormalRefund {
					attempts = 1
				}
				if got := len(s.seen()); got != attempts {
					t.Errorf("%s: %d attempts, not %d", operation, got, attempts)
				}
			}
		})
	}
}

// signedAt changes the time of a signature, and signs again.
func signedAt(after time.Duration) func(http.Header) {
	return func(h http.Header) {
		// The body of the call does not matter: the time is checked first.
		for name, values := range oracleHeaders(testKeys()["wechatpay_pub"], testNow.Add(after), "") {
			h[name] = values
		}
	}
}

// TestASecondBeforeFiveMinutesIsTaken in both directions.
func TestASecondBeforeFiveMinutesIsTaken(t *testing.T) {
	for _, after := range []time.Duration{-299 * time.Second, 299 * time.Second} {
		s := newServer(t, func(_ *server, w http.ResponseWriter, _ *http.Request) {
			write(w, oracleHeaders(testKeys()["wechatpay_pub"], testNow.Add(after), ""), 204, "")
		})
		if err := s.client(t).CloseOrder(t.Context(), testOrderRef); err != nil {
			t.Errorf("%v: %v", after, err)
		}
	}
}

// TestErrors: a proven error is Failed, another one Refused, and what may be done Unknown.
func TestErrors(t *testing.T) {
	html := "<html><body>Bad Gateway</body></html>"
	for name, c := range map[string]struct {
		answer  answer
		outcome wechatpay.Outcome
		meaning wechatpay.Meaning
		text    string
	}{
		"signed":             {fails(400, "PARAM_ERROR"), wechatpay.Failed, wechatpay.Rejected, "QueryOrder: WeChat Pay answered PARAM_ERROR: 文字"},
		"unsigned":           {unsigned(400, errorBody("PARAM_ERROR", "文字")), wechatpay.Refused, wechatpay.Rejected, "QueryOrder: WeChat Pay answered PARAM_ERROR: 文字"},
		"not ours, unsigned": {unsigned(404, errorBody("ORDER_NOT_EXIST", "订单不存在")), wechatpay.Refused, wechatpay.OrderNotExist, "QueryOrder: WeChat Pay answered ORDER_NOT_EXIST: 订单不存在"},
		"not ours, signed":   {fails(404, "ORDER_NOT_EXIST"), wechatpay.Failed, wechatpay.OrderNotExist, ""},
		"old spelling":       {fails(404, "ORDERNOTEXIST"), wechatpay.Failed, wechatpay.OrderNotExist, ""},
		"401 signed":         {fails(401, "SIGN_ERROR"), wechatpay.Failed, wechatpay.CredentialsRejected, ""},
		"401 unsigned":       {unsigned(401, errorBody("SIGN_ERROR", "签名错误")), wechatpay.Refused, wechatpay.CredentialsRejected, ""},
		"401 of a proxy":     {unsigned(401, html), wechatpay.Unknown, wechatpay.Repeat, "QueryOrder: answered with HTTP 401"},
		"403 SIGN_ERROR":     {fails(403, "SIGN_ERROR"), wechatpay.Failed, wechatpay.NeedsAttention, ""},
		"429 signed":         {fails(429, "RATELIMIT_EXCEEDED"), wechatpay.Failed, wechatpay.SlowDown, ""},
		"429 unsigned":       {unsigned(429, errorBody("FREQUENCY_LIMITED", "慢")), wechatpay.Refused, wechatpay.SlowDown, ""},
		"429 of a proxy":     {unsigned(429, html), wechatpay.Unknown, wechatpay.SlowDown, ""},
		"500 signed":         {fails(500, "SYSTEM_ERROR"), wechatpay.Unknown, wechatpay.Repeat, "QueryOrder: WeChat Pay answered SYSTEM_ERROR: 文字"},
		"500 unsigned":       {unsigned(500, errorBody("SYSTEM_ERROR", "文字")), wechatpay.Unknown, wechatpay.Repeat, ""},
		"500 with a refusal": {fails(500, "ORDER_NOT_EXIST"), wechatpay.Unknown, wechatpay.Repeat, ""},
		"500 that is final":  {fails(500, "INVALID_TRANSACTIONID"), wechatpay.Failed, wechatpay.Rejected, ""},
		"the same unsigned":  {unsigned(500, errorBody("INVALID_TRANSACTIONID", "文字")), wechatpay.Unknown, wechatpay.Repeat, ""},
		"502":                {unsigned(502, html), wechatpay.Unknown, wechatpay.Repeat, "QueryOrder: answered with HTTP 502"},
		"404 of a proxy":     {unsigned(404, html), wechatpay.Unknown, wechatpay.Repeat, "QueryOrder: answered with HTTP 404"},
		"no code":            {says(404, `{"message":"x"}`), wechatpay.Unknown, wechatpay.Repeat, ""},
		"a success as 404":   {says(404, tradeBody("NOTPAY", nil)), wechatpay.Unknown, wechatpay.Repeat, ""},
		"an error as 200":    {says(200, errorBody("ORDER_NOT_EXIST", "x")), wechatpay.Unknown, wechatpay.NeedsAttention, ""},
		"unknown 4xx":        {fails(418, "SOMETHING_NEW"), wechatpay.Failed, wechatpay.NeedsAttention, ""},
		"unknown 5xx":        {fails(599, "SOMETHING_NEW"), wechatpay.Unknown, wechatpay.Repeat, ""},
		"a redirect":         {unsigned(302, ""), wechatpay.Unknown, wechatpay.NeedsAttention, "QueryOrder: answered with a redirect (HTTP 302), which is never followed"},
		"too large":          {says(200, strings.Repeat(" ", maxAnswer+1)), wechatpay.Unknown, wechatpay.Repeat, "QueryOrder: the reply is too large"},
		"hangs up":           {hangsUp, wechatpay.Unknown, wechatpay.Repeat, "QueryOrder: connection closed before the answer"},
		"where": {says(400, `{"code":"PARAM_ERROR","message":"参数错误","detail":{"field":"/amount/total","value":"secret","location":"body"}}`),
			wechatpay.Failed, wechatpay.Rejected, "QueryOrder: WeChat Pay answered PARAM_ERROR: 参数错误 (amount/total)"},
		"a detail of another kind": {says(400, `{"code":"PARAM_ERROR","message":"参数错误","detail":["x"]}`), wechatpay.Failed, wechatpay.Rejected, "QueryOrder: WeChat Pay answered PARAM_ERROR: 参数错误"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newServer(t, c.answer).client(t).QueryOrder(t.Context(), testOrderRef)
			expect(t, err, c.outcome, c.meaning, c.text)
		})
	}
}

// TestAnErrorThatIsSignedWrongIsNotBelieved: it may not pass for one that WeChat does not sign, for
// then a Merchant with a wrong public key would look ready. It is asked for once more.
func TestAnErrorThatIsSignedWrongIsNotBelieved(t *testing.T) {
	wrong := func(h http.Header) { h.Set(headerSignature, "AAAA") }
	for name, c := range map[string]struct {
		answer   answer
		outcome  wechatpay.Outcome
		meaning  wechatpay.Meaning
		text     string
		attempts int
	}{
		"signed wrong": {forged(404, errorBody("ORDER_NOT_EXIST", "x"), wrong), wechatpay.Refused, wechatpay.NotVerified,
			"QueryOrder: the answer (ORDER_NOT_EXIST) can't be believed: its signature is wrong", 2},
		"by an unknown key": {saysBy("stranger", 404, errorBody("ORDER_NOT_EXIST", "x")), wechatpay.Refused, wechatpay.NotVerified,
			"QueryOrder: the answer (ORDER_NOT_EXIST) can't be believed: it is signed with a certificate that is not among WeChat Pay's for this merchant number", 2},
		"old":           {forged(404, errorBody("ORDER_NOT_EXIST", "x"), signedAt(-5*time.Minute)), wechatpay.Refused, wechatpay.NeedsAttention, "", 1},
		"401":           {forged(401, errorBody("SIGN_ERROR", "x"), wrong), wechatpay.Refused, wechatpay.CredentialsRejected, "", 1},
		"429":           {forged(429, errorBody("FREQUENCY_LIMITED", "x"), wrong), wechatpay.Refused, wechatpay.SlowDown, "", 1},
		"500":           {forged(500, errorBody("SYSTEM_ERROR", "x"), wrong), wechatpay.Unknown, wechatpay.Repeat, "", 2},
		"a probe first": {inTurn(forged(404, errorBody("ORDER_NOT_EXIST", "x"), wrong), fails(404, "ORDER_NOT_EXIST")), wechatpay.Failed, wechatpay.OrderNotExist, "", 2},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, c.answer)
			_, err := s.client(t).QueryOrder(t.Context(), testOrderRef)
			expect(t, err, c.outcome, c.meaning, c.text)
			if got := len(s.seen()); got != c.attempts {
				t.Errorf("%d attempts", got)
			}
		})
	}
}

// TestTheNumberForSupportIsShown: the whole Request-ID would change a condition at every call.
func TestTheNumberForSupportIsShown(t *testing.T) {
	for id, want := range map[string]string{
		"08F78BB5AF0610D302189F99DE3C20DE2E28C0E7-268447840": "QueryOrder: WeChat Pay answered RULE_LIMIT: 文字 (number for WeChat Pay's support: 268447840)",
		"08F78BB5AF0610D302189F99DE3C20DE2E28C0E7-0":         "QueryOrder: WeChat Pay answered RULE_LIMIT: 文字",
		"268447840":   "QueryOrder: WeChat Pay answered RULE_LIMIT: 文字",
		"x-<script/>": "QueryOrder: WeChat Pay answered RULE_LIMIT: 文字",
	} {
		s := newServer(t, func(s *server, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Request-ID", id)
			fails(403, "RULE_LIMIT")(s, w, r)
		})
		_, err := s.client(t).QueryOrder(t.Context(), testOrderRef)
		expect(t, err, wechatpay.Failed, wechatpay.NeedsAttention, want)
	}
}

// TestTheBackupHostIsAsked once, with the same body, a new nonce and a signature that fits.
func TestTheBackupHostIsAsked(t *testing.T) {
	primary, backup := newServer(t, hangsUp), newServer(t, done(wechatpay.OperationCreateOrder))
	if _, err := primary.client(t, backup).CreateOrder(t.Context(), testOrder()); err != nil {
		t.Fatal(err)
	}
	first, second := primary.only(t), backup.only(t)
	if first.body != second.body || first.target != second.target {
		t.Errorf("the repetition differs: %v, %v", first, second)
	}
	if first.header.Get("Authorization") == second.header.Get("Authorization") {
		t.Error("the nonce was used twice")
	}
}

func TestARefundThatMayHaveArrivedIsNotRepeated(t *testing.T) {
	for _, operation := range []wechatpay.Operation{wechatpay.OperationCreateRefund, wechatpay.OperationResolveAbnormalRefund} {
		for name, lost := range map[string]answer{"hangs up": hangsUp, "500": fails(500, "SYSTEM_ERROR"), "503": unsigned(503, "")} {
			primary, backup := newServer(t, lost), newServer(t, done(operation))
			err := calls[operation](t.Context(), primary.client(t, backup))
			expect(t, err, wechatpay.Unknown, wechatpay.Repeat, "")
			if len(backup.seen()) != 0 {
				t.Errorf("%s, %s: repeated at once", operation, name)
			}
		}
	}
}

func TestARefundThatWasNotSentIsRepeated(t *testing.T) {
	backup := newServer(t, done(wechatpay.OperationCreateRefund))
	gone := newServer(t, hangsUp)
	options := gone.options(t, backup)
	gone.Close()
	if _, err := newTestClient(t, options).CreateRefund(t.Context(), testRefund()); err != nil {
		t.Error(err)
	}
}

func TestADoubtIsNotResolvedByAnUnsignedRefusal(t *testing.T) {
	primary, backup := newServer(t, hangsUp), newServer(t, unsigned(400, errorBody("ORDER_CLOSED", "x")))
	_, err := primary.client(t, backup).CreateOrder(t.Context(), testOrder())
	expect(t, err, wechatpay.Unknown, wechatpay.OrderClosed, "")
}

// TestAnAnswerIsTakenOnce, also by another Client of the account.
func TestAnAnswerIsTakenOnce(t *testing.T) {
	recorded := oracleHeaders(testKeys()["wechatpay_pub"], testNow, "")
	s := newServer(t, func(_ *server, w http.ResponseWriter, _ *http.Request) { write(w, recorded, 204, "") })
	options := s.options(t)
	options.Answers = wechatpay.NewTakenAnswers()
	if err := newTestClient(t, options).CloseOrder(t.Context(), testOrderRef); err != nil {
		t.Fatal(err)
	}
	err := newTestClient(t, options).CloseOrder(t.Context(), testOrderRef)
	expect(t, err, wechatpay.Unknown, wechatpay.NeedsAttention,
		"CloseOrder: the answer can't be believed: it was given before: somebody between here and WeChat Pay repeats recorded answers")
}

func TestAnExpiredMerchantCertificateStopsAllCalls(t *testing.T) {
	for name, c := range map[string]struct {
		after time.Duration
		text  string
	}{
		"expired":       {25 * 366 * 24 * time.Hour, "the merchant's certificate has expired"},
		"not valid yet": {-366 * 24 * time.Hour, "the merchant's certificate is not valid yet"},
	} {
		for operation, call := range calls {
			s := newServer(t, done(operation))
			s.clock.step(c.after)
			err := call(t.Context(), s.client(t))
			expect(t, err, wechatpay.NotSent, wechatpay.CertificateMissing, string(operation)+": "+c.text)
			if len(s.seen()) != 0 {
				t.Errorf("%s: sent although %s", operation, name)
			}
		}
	}
}

func TestWithoutAMerchantCertificateNothingIsSent(t *testing.T) {
	options := testOptions()
	options.Certificate = nil
	for operation, call := range calls {
		err := call(t.Context(), newTestClient(t, options))
		expect(t, err, wechatpay.NotSent, wechatpay.CertificateMissing,
			string(operation)+": there is no merchant certificate, which signs every request")
	}
}

// TestAHostThatHasProvenNothingIsConcealed unless it speaks WeChat Pay's protocol.
func TestAHostThatHasProvenNothingIsConcealed(t *testing.T) {
	for name, c := range map[string]struct {
		answer    answer
		concealed bool
	}{
		"html":                   {unsigned(404, "<html>"), true},
		"hangs up":               {hangsUp, true},
		"other JSON":             {unsigned(403, `{"error":"no"}`), true},
		"unsigned success":       {unsigned(204, ""), true},
		"a code":                 {unsigned(404, errorBody("ORDER_NOT_EXIST", "x")), false},
		"signed, with a bad key": {saysBy("stranger", 204, ""), false},
		"signed":                 {fails(404, "ORDER_NOT_EXIST"), false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, c.answer)
			s.setDownloads(unsigned(404, "<html>"))
			options, trust := s.options(t), &hosts{}
			options.Trust = trust
			err := newTestClient(t, options).CloseOrder(t.Context(), testOrderRef)
			failure, _ := errors.AsType[*wechatpay.Error](err)
			if concealed := failure.Err != nil && failure.Err.Error() == (&wechatpay.ConcealedError{}).Error(); concealed != c.concealed {
				t.Errorf("concealed: %v (%v)", concealed, err)
			}
			if proven := trust.Proven(options.Endpoint); proven != (name == "signed") {
				t.Errorf("proven: %v", proven)
			}
		})
	}
}

func TestASuccessProvesTheHost(t *testing.T) {
	s := newServer(t, done(wechatpay.OperationCloseOrder))
	options, trust := s.options(t), &hosts{}
	options.Trust = trust
	if err := newTestClient(t, options).CloseOrder(t.Context(), testOrderRef); err != nil || !trust.Proven(options.Endpoint) {
		t.Errorf("%v, proven: %v", err, trust.Proven(options.Endpoint))
	}
}

// TestThePrefixOfAnEndpointIsNotSigned: the gateway behind it takes it off.
func TestThePrefixOfAnEndpointIsNotSigned(t *testing.T) {
	s := newServer(t, done(wechatpay.OperationCloseOrder))
	inner := s.Config.Handler
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rest, found := strings.CutPrefix(r.RequestURI, "/gateway")
		if !found {
			t.Errorf("sent to %s", r.RequestURI)
		}
		r.RequestURI = rest
		inner.ServeHTTP(w, r)
	})
	options := s.options(t)
	options.Endpoint = mustParse(t, s.URL+"/gateway/")
	if err := newTestClient(t, options).CloseOrder(t.Context(), testOrderRef); err != nil {
		t.Error(err)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := newServer(t, func(*server, http.ResponseWriter, *http.Request) { cancel(); panic(http.ErrAbortHandler) })
	err := s.client(t).CloseOrder(ctx, testOrderRef)
	expect(t, err, wechatpay.Unknown, wechatpay.Repeat, "CloseOrder: cancelled")
}

const hostileWords = "系统\u009b31m错误\u202e\nERROR"

func TestErrorsAreClean(t *testing.T) {
	for operation, call := range calls {
		for name, reply := range map[string]answer{
			"signed":   says(400, errorBody(hostileWords, hostileWords)),
			"unsigned": unsigned(400, errorBody(hostileWords, hostileWords)),
			"long":     says(400, errorBody("X", strings.Repeat(hostileWords, 1000))),
		} {
			err := call(t.Context(), newServer(t, reply).client(t))
			if err == nil || !text.IsClean(err.Error()) || len(err.Error()) > 600 {
				t.Errorf("%s, %s: %q", operation, name, err)
			}
		}
	}
}

// TestErrorsTellNothingSecret: no key, no body, nobody's name or number.
func TestErrorsTellNothingSecret(t *testing.T) {
	for operation, call := range calls {
		for name, reply := range map[string]answer{
			"echo": func(s *server, w http.ResponseWriter, r *http.Request) {
				unsigned(200, tradeBody("SUCCESS", nil))(s, w, r)
			},
			"truncated": says(200, `{"payer":{"openid":"`+testOpenID+`"},"amount":{"total":1.5}}`),
			"forged":    forged(200, tradeBody("SUCCESS", nil), func(h http.Header) { h.Set(headerNonce, "x") }),
		} {
			err := call(t.Context(), newServer(t, reply).client(t))
			if err == nil {
				t.Errorf("%s, %s: no error", operation, name)
				continue
			}
			for _, secret := range []string{testOpenID, testKey, testAbnormal().Account, testAbnormal().Name, "PRIVATE"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("%s, %s: tells %s", operation, name, secret)
				}
			}
		}
	}
}

// TestOneChangedByteIsNoticed wherever it is: body, timestamp, nonce or signature.
func TestOneChangedByteIsNoticed(t *testing.T) {
	c := newTestClient(t, testOptions())
	rapid.Check(t, func(t *rapid.T) {
		body := rapid.StringN(1, 200, 400).Draw(t, "body")
		header := oracleHeaders(testKeys()["wechatpay_pub"], testNow, body)
		if _, why := c.verify(context.Background(), header, []byte(body), testNow); why != nil {
			t.Fatal(why)
		}
		part := rapid.SampledFrom([]string{"body", headerTimestamp, headerNonce, headerSignature}).Draw(t, "part")
		changed := []byte(body)
		if part != "body" {
			changed = []byte(header.Get(part))
		}
		at := rapid.IntRange(0, len(changed)-1).Draw(t, "at")
		changed[at] ^= byte(rapid.IntRange(1, 255).Draw(t, "by"))
		if part == "body" {
			body = string(changed)
		} else {
			header[part] = []string{string(changed)}
		}
		if _, why := c.verify(context.Background(), header, []byte(body), testNow); why == nil {
			t.Fatalf("a changed %s is taken", part)
		}
	})
}
