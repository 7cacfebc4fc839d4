package v2

import (
	"context"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

func TestEveryCallSucceedsOnItsPath(t *testing.T) {
	for operation, call := range calls {
		t.Run(string(operation), func(t *testing.T) {
			s := newServer(t, done(doneFields[operation]))
			options := s.options(t)
			options.UserAgent = "wechatpay-operator/test"
			if err := call(t.Context(), newTestClient(t, options)); err != nil {
				t.Fatal(err)
			}
			got := s.only(t)
			if got.path != paths[operation] || got.contentType != "text/xml; charset=utf-8" || got.userAgent != "wechatpay-operator/test" {
				t.Errorf("sent to %s as %s by %s", got.path, got.contentType, got.userAgent)
			}
			if !oracleVerifies(got.fields, testKey, HMACSHA256) {
				t.Error("the request is not signed right")
			}
			if got.fields["sign_type"] != "HMAC-SHA256" || got.fields["mch_id"] != testMchID || got.fields["appid"] != testAppID || got.fields["nonce_str"] == "" {
				t.Errorf("sent %v", got.fields)
			}
			if certified := len(got.certificates) == 1; certified != (operation == wechatpay.OperationCreateRefund) {
				t.Errorf("showed the client certificate: %v", certified)
			}
		})
	}
}

func TestAPathInTheEndpointIsAPrefix(t *testing.T) {
	s := newServer(t, done(nil))
	options := s.options(t)
	options.Endpoint = options.Endpoint.JoinPath("/proxy/")
	if err := newTestClient(t, options).CloseOrder(t.Context(), wechatpay.OrderRef{OutTradeNo: testNumber, AppID: testAppID}); err != nil {
		t.Fatal(err)
	}
	if got := s.only(t).path; got != "/proxy/pay/closeorder" {
		t.Errorf("sent to %s", got)
	}
}

func TestMD5MerchantsSignWithMD5(t *testing.T) {
	s := newServer(t, done(nil))
	options := s.options(t)
	options.Scheme = MD5
	if err := newTestClient(t, options).CloseOrder(t.Context(), wechatpay.OrderRef{OutTradeNo: testNumber, AppID: testAppID}); err != nil {
		t.Fatal(err)
	}
	if sent := s.only(t).fields; sent["sign_type"] != "MD5" || !oracleVerifies(sent, testKey, MD5) {
		t.Errorf("sent %v", sent)
	}
}

// without returns a message without some of its fields.
func without(message map[string]string, names ...string) map[string]string {
	message = maps.Clone(message)
	for _, name := range names {
		delete(message, name)
	}
	return message
}

// Replies that are not verified: never Failed, never a success, whatever the call.
var doubtfulReplies = []struct {
	name    string
	answer  answer
	outcome wechatpay.Outcome
	meaning wechatpay.Meaning
	text    string
	// repeats: the call is retried at once, unless it is a refund.
	repeats bool
}{
	{"hangs up", hangsUp, wechatpay.Unknown, wechatpay.Repeat, "connection closed before the answer", true},
	{"cut short", func(w http.ResponseWriter, _ *http.Request, _ map[string]string) {
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, "<xml><return_code>SUCCESS</return_code>")
	}, wechatpay.Unknown, wechatpay.Repeat, "connection closed in the middle of the answer", true},
	{"HTTP 500", raw(500, "<xml><return_code>SUCCESS</return_code></xml>"), wechatpay.Unknown, wechatpay.Repeat, "answered with HTTP 500", true},
	{"HTTP 502", raw(502, "<html>502 Bad Gateway</html>"), wechatpay.Unknown, wechatpay.Repeat, "answered with HTTP 502", true},
	{"HTTP 404", raw(404, "<html>404 Not Found</html>"), wechatpay.Unknown, wechatpay.Repeat, "answered with HTTP 404", true},
	{"HTTP 400", raw(400, "<html>400 Bad Request</html>"), wechatpay.Unknown, wechatpay.Repeat, "answered with HTTP 400", true},
	{"HTTP 204", raw(204, ""), wechatpay.Unknown, wechatpay.Repeat, "answered with HTTP 204", true},
	{"HTTP 429", raw(429, ""), wechatpay.Unknown, wechatpay.SlowDown, "answered with HTTP 429", false},
	{"nothing", raw(200, ""), wechatpay.Unknown, wechatpay.Repeat, "the reply cannot be read: xml-malformed", true},
	{"half a message", raw(200, "<xml><return_code>SUCC"), wechatpay.Unknown, wechatpay.Repeat, "the reply cannot be read: xml-malformed", true},
	{"too much", raw(200, "<xml><a>"+strings.Repeat("x", maxDocument)+"</a></xml>"), wechatpay.Unknown, wechatpay.Repeat, "the reply cannot be read: xml-too-large", true},
	{"HTML", raw(200, "\n<!DOCTYPE html><html></html>"), wechatpay.Unknown, wechatpay.Repeat, "answered with an HTML page", true},
	{"JSON", raw(200, `{"return_code":"SUCCESS"}`), wechatpay.Unknown, wechatpay.Repeat, "the reply cannot be read: xml-malformed", true},
	{"document type", raw(200, `<!DOCTYPE xml><xml><return_code>FAIL</return_code></xml>`), wechatpay.Unknown, wechatpay.Repeat, "the reply cannot be read: xml-doctype", true},
	{"no return_code", raw(200, "<xml><retcode>1</retcode></xml>"), wechatpay.Unknown, wechatpay.Repeat, "the reply has no return_code", true},
	{"redirect", func(w http.ResponseWriter, r *http.Request, _ map[string]string) {
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	}, wechatpay.Unknown, wechatpay.NeedsAttention, "answered with a redirect (HTTP 307), which is never followed", true},

	{"no signature", raw(200, string(oracleWrite("xml", reply("result_code", "FAIL", map[string]string{"err_code": "ORDERPAID"})))),
		wechatpay.Unknown, wechatpay.NeedsAttention, "the reply is not signed", true},
	{"another's signature", raw(200, string(oracleWrite("xml", signed(reply("result_code", "FAIL", map[string]string{"err_code": "ORDERPAID"}), testOtherKey, HMACSHA256)))),
		wechatpay.Unknown, wechatpay.NeedsAttention, "the signature of the reply is wrong", true},
	{"weaker signature", raw(200, string(oracleWrite("xml", signed(reply("result_code", "FAIL", map[string]string{"err_code": "ORDERPAID"}), testKey, MD5)))),
		wechatpay.Unknown, wechatpay.NeedsAttention, "the signature of the reply is wrong", true},
	{"previous key's signature", raw(200, string(oracleWrite("xml", signed(reply("result_code", "FAIL", map[string]string{"err_code": "ORDERPAID"}), testPreviousKey, HMACSHA256)))),
		wechatpay.Unknown, wechatpay.NeedsAttention, "the signature of the reply is wrong", true},
	{"another's appid", says(reply("result_code", "FAIL", map[string]string{"err_code": "ORDERPAID", "appid": "wx0"})),
		wechatpay.Unknown, wechatpay.NeedsAttention, "the reply is for another appid", true},
	{"another's mch_id", says(reply("result_code", "FAIL", map[string]string{"err_code": "ORDERPAID", "mch_id": "1900000110"})),
		wechatpay.Unknown, wechatpay.NeedsAttention, "the reply is for another mch_id", true},
	{"success for nobody", says(without(reply("result_code", "SUCCESS", nil), "appid")),
		wechatpay.Unknown, wechatpay.NeedsAttention, "the reply does not say whom it is for", true},
	{"no result_code", says(without(reply("result_code", "", nil), "result_code")),
		wechatpay.Unknown, wechatpay.NeedsAttention, "the reply has no result_code that is known", true},

	{"SYSTEMERROR", fails("SYSTEMERROR", "系统错误"), wechatpay.Unknown, wechatpay.Repeat, "WeChat Pay answered SYSTEMERROR: 系统错误", true},
	{"SYSTEMERROR unsigned", refuses("SYSTEMERROR", "系统错误"), wechatpay.Unknown, wechatpay.Repeat, "WeChat Pay answered SYSTEMERROR: 系统错误", true},
	{"code that nobody knows", fails("BRAND_NEW", "新"), wechatpay.Unknown, wechatpay.NeedsAttention, "WeChat Pay answered BRAND_NEW: 新", false},
	{"FAIL without a code", says(reply("result_code", "FAIL", nil)), wechatpay.Unknown, wechatpay.NeedsAttention, "WeChat Pay answered FAIL", false},
	{"signature refused", refuses("FAIL", "签名错误"), wechatpay.Refused, wechatpay.CredentialsRejected, "WeChat Pay answered FAIL: 签名错误", false},
	{"too often", refuses("FAIL", "频率限制"), wechatpay.Refused, wechatpay.SlowDown, "WeChat Pay answered FAIL: 频率限制", false},
	{"no certificate", raw(400, "<html><body><center>No required SSL certificate was sent</center></body></html>"),
		wechatpay.Refused, wechatpay.CertificateRejected, "WeChat Pay does not take the client certificate (HTTP 400)", false},
	{"bad certificate", raw(400, "<html><title>400 The SSL certificate error</title></html>"),
		wechatpay.Refused, wechatpay.CertificateRejected, "WeChat Pay does not take the client certificate (HTTP 400)", false},
}

func TestDoubtfulReplies(t *testing.T) {
	for operation, call := range calls {
		for _, c := range doubtfulReplies {
			t.Run(string(operation)+"/"+c.name, func(t *testing.T) {
				s := newServer(t, c.answer)
				err := call(t.Context(), s.client(t))
				expect(t, err, c.outcome, c.meaning, string(operation)+": "+c.text)
				want := 1
				if c.repeats && operation != wechatpay.OperationCreateRefund {
					want = 2
				}
				if got := len(s.seen()); got != want {
					t.Errorf("%d requests were sent, not %d", got, want)
				}
			})
		}
	}
}

func TestACallersDeadlineLeavesTimeForTheRepeat(t *testing.T) {
	silent, healthy := newServer(t, staysSilent), newServer(t, done(nil))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if err := silent.client(t, healthy).CloseOrder(ctx, wechatpay.OrderRef{OutTradeNo: testNumber, AppID: testAppID}); err != nil {
		t.Fatal(err)
	}
}

func TestACallersDeadlineEndsTheCall(t *testing.T) {
	s := newServer(t, inTurn(done(nil), staysSilent))
	client := s.client(t)
	if err := client.CloseOrder(t.Context(), wechatpay.OrderRef{OutTradeNo: testNumber, AppID: testAppID}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	expect(t, client.CloseOrder(ctx, wechatpay.OrderRef{OutTradeNo: testNumber, AppID: testAppID}), wechatpay.Unknown, wechatpay.Repeat, "CloseOrder: no answer in the time given")
}

func TestCancelledBeforeAndAfterSending(t *testing.T) {
	for operation, call := range calls {
		t.Run(string(operation), func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			s := newServer(t, func(w http.ResponseWriter, r *http.Request, sent map[string]string) {
				cancel()
				staysSilent(w, r, sent)
			})
			client := s.client(t)
			expect(t, call(ctx, client), wechatpay.Unknown, wechatpay.Repeat, string(operation)+": cancelled")
			expect(t, call(ctx, client), wechatpay.NotSent, wechatpay.Repeat, string(operation)+": cancelled")
			if len(s.seen()) != 1 {
				t.Errorf("%d requests were sent", len(s.seen()))
			}
		})
	}
}

func TestTheRepeatGoesToTheBackupWithTheSameParameters(t *testing.T) {
	for operation, call := range calls {
		if operation == wechatpay.OperationCreateRefund {
			continue // a refund that may have arrived is not repeated at once
		}
		t.Run(string(operation), func(t *testing.T) {
			primary, backup := newServer(t, hangsUp), newServer(t, done(doneFields[operation]))
			if err := call(t.Context(), primary.client(t, backup)); err != nil {
				t.Fatal(err)
			}
			first, second := primary.only(t).fields, backup.only(t).fields
			if first["nonce_str"] == second["nonce_str"] {
				t.Error("the nonce is the same")
			}
			if !oracleVerifies(second, testKey, HMACSHA256) {
				t.Error("the repeat is not signed right")
			}
			if diff := cmp.Diff(without(first, "nonce_str", "sign"), without(second, "nonce_str", "sign")); diff != "" {
				t.Errorf("other parameters (-first +second):\n%s", diff)
			}
		})
	}
}

func TestARefundIsRepeatedOnlyWhenItWasNotSent(t *testing.T) {
	nobody := newServer(t, hangsUp)
	nobody.Close()
	backup := newServer(t, done(doneFields[wechatpay.OperationCreateRefund]))
	if _, err := nobody.client(t, backup).CreateRefund(t.Context(), testRefund()); err != nil {
		t.Fatal(err)
	}
	if got := backup.only(t); len(got.certificates) != 1 {
		t.Error("the repeat did not show the certificate")
	}
}

// TestWhatBothAttemptsSay: first and second are the answers of the two hosts; nil means that the
// host is down.
func TestWhatBothAttemptsSay(t *testing.T) {
	orderPaid := fails("ORDERPAID", "订单已支付")
	for _, c := range []struct {
		name          string
		first, second answer
		outcome       wechatpay.Outcome
		meaning       wechatpay.Meaning
		text          string
	}{
		{"neither sent", nil, nil, wechatpay.NotSent, wechatpay.Repeat, "connection refused"},
		{"perhaps sent, then not sent", hangsUp, nil, wechatpay.Unknown, wechatpay.Repeat, "connection closed before the answer"},
		{"not sent, then perhaps sent", nil, hangsUp, wechatpay.Unknown, wechatpay.Repeat, "connection closed before the answer"},
		{"perhaps sent, then verified", hangsUp, orderPaid, wechatpay.Failed, wechatpay.OrderPaid, "WeChat Pay answered ORDERPAID: 订单已支付"},
		{"not sent, then verified", nil, orderPaid, wechatpay.Failed, wechatpay.OrderPaid, "WeChat Pay answered ORDERPAID: 订单已支付"},
		{"not sent, then refused", nil, refuses("FAIL", "签名错误"), wechatpay.Refused, wechatpay.CredentialsRejected, "WeChat Pay answered FAIL: 签名错误"},
		{"perhaps sent, then refused", hangsUp, refuses("FAIL", "频率限制"), wechatpay.Unknown, wechatpay.SlowDown, "WeChat Pay answered FAIL: 频率限制"},
		{"perhaps sent twice", raw(502, ""), hangsUp, wechatpay.Unknown, wechatpay.Repeat, "answered with HTTP 502"},
		{"WeChat's doubt, then perhaps sent", fails("SYSTEMERROR", ""), hangsUp, wechatpay.Unknown, wechatpay.Repeat, "WeChat Pay answered SYSTEMERROR"},
		{"perhaps sent, then WeChat's doubt", hangsUp, fails("SYSTEMERROR", ""), wechatpay.Unknown, wechatpay.Repeat, "WeChat Pay answered SYSTEMERROR"},
		{"WeChat's doubt, then not sent", fails("SYSTEMERROR", ""), nil, wechatpay.Unknown, wechatpay.Repeat, "WeChat Pay answered SYSTEMERROR"},
	} {
		t.Run(c.name, func(t *testing.T) {
			host := func(a answer) *server {
				s := newServer(t, a)
				if a == nil {
					s.Close()
				}
				return s
			}
			err := host(c.first).client(t, host(c.second)).CloseOrder(t.Context(), wechatpay.OrderRef{OutTradeNo: testNumber, AppID: testAppID})
			expect(t, err, c.outcome, c.meaning, "CloseOrder: "+c.text)
		})
	}
}

func TestARepeatFindsTheOrderClosed(t *testing.T) {
	s := newServer(t, inTurn(hangsUp, fails("ORDERCLOSED", "订单已关闭")))
	if err := s.client(t).CloseOrder(t.Context(), wechatpay.OrderRef{OutTradeNo: testNumber, AppID: testAppID}); err != nil {
		t.Fatal(err)
	}
}
