package v2

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// recorded answers every call with the same bytes, like an attacker who recorded a genuine reply
// once.
func recorded(t testing.TB, message map[string]string, algorithm wechatpay.Scheme) answer {
	t.Helper()
	return raw(http.StatusOK, string(oracleWrite(messageRoot, signed(message, testKey, algorithm))))
}

func TestARecordedReplyIsNotTakenAgain(t *testing.T) {
	for operation, call := range calls {
		for name, message := range map[string]map[string]string{
			"success": reply("result_code", "SUCCESS", doneFields[operation]),
			"failure": reply("result_code", "FAIL", map[string]string{"err_code": "PARAM_ERROR"}),
		} {
			for _, algorithm := range signTypes {
				t.Run(fmt.Sprintf("%s/%s/%s", operation, name, algorithm), func(t *testing.T) {
					s := newServer(t, recorded(t, message, algorithm))
					options := s.options(t)
					options.Scheme, options.Answers = algorithm, wechatpay.NewTakenAnswers()
					first := call(t.Context(), newTestClient(t, options))
					if first != nil && wechatpay.OutcomeOf(first) != wechatpay.Failed {
						t.Fatal(first)
					}
					// Simulates a re-read Secret, after which the Client is replaced.
					err := call(t.Context(), newTestClient(t, options))
					expect(t, err, wechatpay.Unknown, wechatpay.NeedsAttention,
						string(operation)+": the reply was given before: somebody between here and WeChat Pay repeats recorded answers")
				})
			}
		}
	}
}

// TestAReplyIsTakenForOneCall: a reply to one call is not accepted for another, even if its text
// would fit both.
func TestAReplyIsTakenForOneCall(t *testing.T) {
	s := newServer(t, recorded(t, reply("result_code", "FAIL", map[string]string{"err_code": "ORDERNOTEXIST"}), HMACSHA256))
	c := s.client(t)
	_, err := c.QueryOrder(t.Context(), wechatpay.OrderRef{OutTradeNo: "probe-that-can-not-exist", AppID: testAppID})
	expect(t, err, wechatpay.Failed, wechatpay.OrderNotExist, "")
	_, err = c.QueryOrder(t.Context(), wechatpay.OrderRef{OutTradeNo: testNumber, AppID: testAppID})
	expect(t, err, wechatpay.Unknown, wechatpay.NeedsAttention, "")
}

// TestBothAttemptsAtACallAreAnswered: the first attempt is lost, and the second gets its own reply:
// no replay.
func TestBothAttemptsAtACallAreAnswered(t *testing.T) {
	for operation, call := range calls {
		if operation == wechatpay.OperationCreateRefund {
			continue // never repeated at once
		}
		s := newServer(t, inTurn(hangsUp, done(doneFields[operation])))
		c := s.client(t)
		for range 3 {
			if err := call(t.Context(), c); err != nil {
				t.Errorf("%s: %v", operation, err)
			}
		}
	}
}

// TestOnlyVerifiedRepliesAreRemembered: unverified replies are not recorded, so nobody can block a
// genuine reply by sending its signature first.
func TestOnlyVerifiedRepliesAreRemembered(t *testing.T) {
	genuine := signed(reply("result_code", "SUCCESS", doneFields[wechatpay.OperationQueryOrder]), testKey, HMACSHA256)
	forged := with(genuine, map[string]string{"trade_state": "SUCCESS"})
	s := newServer(t, inTurn(raw(200, string(oracleWrite(messageRoot, forged))), raw(200, string(oracleWrite(messageRoot, genuine)))))
	if _, err := s.client(t).QueryOrder(t.Context(), wechatpay.OrderRef{OutTradeNo: testNumber, AppID: testAppID}); err != nil {
		t.Error(err)
	}
}

// TestRepliesWithoutANonceAreTaken: without a nonce, two genuine replies can be identical.
func TestRepliesWithoutANonceAreTaken(t *testing.T) {
	message := without(reply("result_code", "SUCCESS", doneFields[wechatpay.OperationQueryOrder]), "nonce_str")
	c := newServer(t, recorded(t, message, HMACSHA256)).client(t)
	for range 2 {
		if _, err := c.QueryOrder(t.Context(), wechatpay.OrderRef{OutTradeNo: testNumber, AppID: testAppID}); err != nil {
			t.Error(err)
		}
	}
}
