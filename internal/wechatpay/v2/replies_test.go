package v2

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// recorded answers every call with the same bytes, like an attacker who recorded a genuine reply
// once.
func recorded(t testing.TB, message map[string]string, algorithm wechatpay.SignType) answer {
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
					options.SignType, options.Replies = algorithm, NewReplies()
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
	s := newServer(t, recorded(t, reply("result_code", "FAIL", map[string]string{"err_code": "ORDERNOTEXIST"}), wechatpay.SignTypeHMACSHA256))
	c := s.client(t)
	_, err := c.QueryOrder(t.Context(), "probe-that-can-not-exist", testAppID)
	expect(t, err, wechatpay.Failed, wechatpay.OrderNotExist, "")
	_, err = c.QueryOrder(t.Context(), testNumber, testAppID)
	expect(t, err, wechatpay.Unknown, wechatpay.NeedsAttention, "")
}

// TestBothAttemptsAtACallAreAnswered: the first attempt is lost, and the second gets its own reply:
// no replay.
func TestBothAttemptsAtACallAreAnswered(t *testing.T) {
	for operation, call := range calls {
		if operation == wechatpay.OperationRefund {
			continue // never retried at once
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
	genuine := signed(reply("result_code", "SUCCESS", doneFields[wechatpay.OperationOrderQuery]), testKey, wechatpay.SignTypeHMACSHA256)
	forged := with(genuine, map[string]string{"trade_state": "SUCCESS"})
	s := newServer(t, inTurn(raw(200, string(oracleWrite(messageRoot, forged))), raw(200, string(oracleWrite(messageRoot, genuine)))))
	if _, err := s.client(t).QueryOrder(t.Context(), testNumber, testAppID); err != nil {
		t.Error(err)
	}
}

// TestRepliesWithoutANonceAreTaken: without a nonce, two genuine replies can be identical.
func TestRepliesWithoutANonceAreTaken(t *testing.T) {
	message := without(reply("result_code", "SUCCESS", doneFields[wechatpay.OperationOrderQuery]), "nonce_str")
	c := newServer(t, recorded(t, message, wechatpay.SignTypeHMACSHA256)).client(t)
	for range 2 {
		if _, err := c.QueryOrder(t.Context(), testNumber, testAppID); err != nil {
			t.Error(err)
		}
	}
}

func TestRepliesAreBounded(t *testing.T) {
	replies := NewReplies()
	of := func(i int) fields { return newFields(field{"nonce_str", "x"}, field{signField, fmt.Sprint(i)}) }
	for i := range 5 * repliesKept {
		if !replies.take(of(i)) {
			t.Fatalf("the reply %d was never given", i)
		}
		if back := max(0, i-repliesKept+1); replies.take(of(back)) {
			t.Fatalf("after the reply %d, %d is taken again", i, back)
		}
	}
	if kept := len(replies.recent) + len(replies.before); kept > 2*repliesKept {
		t.Errorf("%d are kept", kept)
	}
}

func TestRepliesAreTakenOnceHoweverManyAsk(t *testing.T) {
	replies := NewReplies()
	message := newFields(field{"nonce_str", "x"}, field{signField, "A"})
	var taken sync.Map
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			if replies.take(message) {
				taken.Store(i, true)
			}
		})
	}
	all.Wait()
	count := 0
	taken.Range(func(any, any) bool { count++; return true })
	if count != 1 {
		t.Errorf("taken %d times", count)
	}
}
