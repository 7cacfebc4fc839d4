package v2

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

const dripInterval = 2 * time.Millisecond

func deadlineIn(d time.Duration) time.Time { return time.Now().Add(d) }

// claims makes each of the calls, and returns what its result claims that WeChat Pay stated, by
// field name.
var claims = map[wechatpay.Operation]func(context.Context, *Client) (map[string]string, error){
	wechatpay.OperationCreateOrder: func(ctx context.Context, c *Client) (map[string]string, error) {
		prepay, err := c.CreateOrder(ctx, testOrder())
		return map[string]string{"prepay_id": prepay.ID, "code_url": prepay.CodeURL, "mweb_url": prepay.MWEBURL}, err
	},
	wechatpay.OperationQueryOrder: func(ctx context.Context, c *Client) (map[string]string, error) {
		trade, err := c.QueryOrder(ctx, wechatpay.OrderRef{OutTradeNo: testNumber, AppID: testAppID})
		said := map[string]string{"out_trade_no": testNumber, "trade_state": string(trade.State)}
		if trade.State.Paid() {
			paid := trade.Payment
			maps.Copy(said, map[string]string{
				"out_trade_no": paid.OutTradeNo, "transaction_id": paid.TransactionID, "total_fee": formatAmount(paid.Total),
				"openid": paid.OpenID, "trade_type": paid.TradeType, "attach": paid.Attach,
			})
			if paid.Currency != "CNY" {
				said["fee_type"] = paid.Currency
			}
		}
		return said, err
	},
	wechatpay.OperationCloseOrder: func(ctx context.Context, c *Client) (map[string]string, error) {
		return nil, c.CloseOrder(ctx, wechatpay.OrderRef{OutTradeNo: testNumber, AppID: testAppID})
	},
	wechatpay.OperationCreateRefund: func(ctx context.Context, c *Client) (map[string]string, error) {
		acceptance, err := c.CreateRefund(ctx, testRefund())
		return map[string]string{"refund_id": acceptance.RefundID, "out_trade_no": testNumber, "out_refund_no": testRefundNumber}, err
	},
	wechatpay.OperationQueryRefund: func(ctx context.Context, c *Client) (map[string]string, error) {
		fact, err := c.QueryRefund(ctx, wechatpay.RefundRef{OutRefundNo: testRefundNumber, AppID: testAppID})
		return map[string]string{
			"out_trade_no": fact.OutTradeNo, "out_refund_no_0": testRefundNumber, "refund_id_0": fact.RefundID,
			"refund_status_0": string(fact.Status), "refund_fee_0": formatAmount(fact.Amount), "refund_recv_accout_0": fact.ReceivedAccount,
		}, err
	},
}

// justified fails the test if a call's outcome is not justified by the body that it received.
func justified(t rapid.TB, operation wechatpay.Operation, heard []byte, said map[string]string, err error) (settled bool) {
	failure, isFailure := errors.AsType[*wechatpay.Error](err)
	switch {
	case err != nil && !isFailure:
		t.Fatalf("%s: an error of another kind: %v", operation, err)
	case isFailure && failure.Outcome != wechatpay.Failed:
		return false
	case heard == nil:
		t.Fatalf("%s: %v without a reply", operation, err)
	}
	message, unreadable := oracleRead(heard, messageRoot)
	if unreadable != nil || !oracleVerifies(message, testKey, HMACSHA256) || message["return_code"] != "SUCCESS" {
		t.Fatalf("%s: %q counts as %v", operation, heard, err)
	}
	if message["appid"] != testAppID && (err == nil || message["appid"] != "") || message["mch_id"] != testMchID && (err == nil || message["mch_id"] != "") {
		t.Fatalf("%s: what is for another counts as %v: %q", operation, err, heard)
	}
	if message["sub_mch_id"] != "" {
		t.Fatalf("%s: what is for a sub merchant counts as %v: %q", operation, err, heard)
	}
	closed := operation == wechatpay.OperationCloseOrder && message["result_code"] == "FAIL" && message["err_code"] == "ORDERCLOSED"
	switch {
	case isFailure && (message["result_code"] != "FAIL" || !strings.HasPrefix(message["err_code"], failure.Code) && failure.Code != "FAIL"):
		t.Fatalf("%s: %v, but said was %q", operation, err, heard)
	case isFailure || closed:
		return true
	case message["result_code"] != "SUCCESS":
		t.Fatalf("%s: done, but said was %q", operation, heard)
	}
	for name, value := range said {
		if strings.HasPrefix(name, "refund_status") && value == string(refundStatus(message[name])) {
			continue
		}
		if message[name] != value {
			t.Fatalf("%s: %s is %q in the result, and was %q in %q", operation, name, value, message[name], heard)
		}
	}
	if fee := message["refund_fee"]; operation == wechatpay.OperationCreateRefund && fee != "" && fee != formatAmount(testRefund().Amount) {
		t.Fatalf("a refund of another amount counts: %q", heard)
	}
	return true
}

// TestNoReplyDeceives: whatever arrives on the connection, a call succeeds or is Failed only
// because of what WeChat Pay signed, and nothing makes it panic, follow a redirect, or present its
// certificate elsewhere.
func TestNoReplyDeceives(t *testing.T) {
	var next atomic.Pointer[delivery]
	s := newServer(t, func(w http.ResponseWriter, r *http.Request, sent map[string]string) { next.Load().send(w, r, sent) })
	elsewhere := newServer(t, done(doneFields[wechatpay.OperationQueryOrder]))
	options := s.options(t)
	options.RootCAs.AddCert(elsewhere.Certificate())
	c := newTestClient(t, options)
	settled := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		operation := rapid.SampledFrom(slices.Sorted(maps.Keys(claims))).Draw(t, "operation")
		message := tampered(t, genuine(operation).Draw(t, "message"))
		message = hostileSign(t, message)
		if rapid.IntRange(0, 5).Draw(t, "tamper with what is signed") == 0 {
			message = tampered(t, message)
		}
		reply := deliveries(t, hostileXML(t, message), elsewhere.URL)
		next.Store(&reply)
		said, err := claims[operation](context.Background(), c)
		if justified(t, operation, reply.heard, said, err) {
			settled[reply.name]++
		}
	})
	if seen := elsewhere.seen(); len(seen) > 0 {
		t.Errorf("redirects were followed %d times", len(seen))
	}
	t.Logf("what settled a call: %v", settled)
}

// TestGenuineRepliesSettle checks that the unmodified replies of the test above do settle calls.
func TestGenuineRepliesSettle(t *testing.T) {
	var next atomic.Pointer[delivery]
	s := newServer(t, func(w http.ResponseWriter, r *http.Request, sent map[string]string) { next.Load().send(w, r, sent) })
	c := s.client(t)
	for operation, call := range claims {
		for _, result := range []string{"SUCCESS", "FAIL"} {
			message := reply("result_code", result, doneFields[operation])
			if result == "FAIL" {
				message["err_code"] = "PARAM_ERROR"
			}
			body := oracleWrite(messageRoot, signed(message, testKey, HMACSHA256))
			next.Store(&delivery{"whole", append([]byte("HTTP/1.0 200 OK\r\n\r\n"), body...), body})
			said, err := call(t.Context(), c)
			if (err == nil) != (result == "SUCCESS") || !justified(t, operation, body, said, err) {
				t.Errorf("%s %s: %v", operation, result, err)
			}
		}
	}
}

// TestRepliesWithoutEnd: the client closes the connection, which the test waits for.
func TestRepliesWithoutEnd(t *testing.T) {
	for name, c := range map[string]struct{ header, piece string }{
		"one field":      {"HTTP/1.1 200 OK\r\n\r\n<xml><a>", strings.Repeat("x", 32<<10)},
		"many fields":    {"HTTP/1.1 200 OK\r\n\r\n<xml>", strings.Repeat("<a/>", 8<<10)},
		"lines":          {"HTTP/1.1 200 OK\r\n\r\n", strings.Repeat("`2026-01-01,`wx,`1900000109,`101\r\n", 1<<10)},
		"a gigabyte":     {"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n", strings.Repeat("<xml>", 8<<10)},
		"chunks":         {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1000\r\n" + strings.Repeat("x", 0x1000) + "\r\n"},
		"headers":        {"HTTP/1.1 200 OK\r\n", "X: " + strings.Repeat("x", 1<<10) + "\r\n"},
		"one header":     {"HTTP/1.1 200 OK\r\nX: ", strings.Repeat("x", 32<<10)},
		"a status":       {"HTTP/1.1 ", strings.Repeat("2", 32<<10)},
		"continue":       {"", "HTTP/1.1 100 Continue\r\n\r\n"},
		"early hints":    {"", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"},
		"chunk of names": {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1;" + strings.Repeat("x", 1<<10)},
	} {
		t.Run(name, func(t *testing.T) {
			hungUp := make(chan struct{}, 2)
			s := newServer(t, endless(c.header, c.piece, hungUp))
			_, err := s.client(t).CreateRefund(t.Context(), testRefund()) // is made once
			if wechatpay.OutcomeOf(err) != wechatpay.Unknown {
				t.Errorf("%v", err)
			}
			<-hungUp
		})
	}
}

// TestRepliesThatDrip: the client waits no longer than the timeout of the call, however busy the
// connection is.
func TestRepliesThatDrip(t *testing.T) {
	for name, text := range map[string]string{
		"header": "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1000),
		"body":   "HTTP/1.1 200 OK\r\n\r\n<xml><a>" + strings.Repeat("x", 1000),
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, dripping(t.Context(), text))
			options := s.options(t)
			options.Timeouts.Pay = 300 * time.Millisecond
			_, err := newTestClient(t, options).CreateRefund(t.Context(), testRefund())
			failure, ok := errors.AsType[*wechatpay.Error](err)
			if !ok || failure.Outcome != wechatpay.Unknown && failure.Outcome != wechatpay.NotSent || !strings.Contains(err.Error(), "within 300ms") {
				t.Errorf("%v", err)
			}
		})
	}
}
