package v2

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// A call is one request in words of its own. What every request carries is added, and all of it signed, at each attempt.
type call struct {
	operation wechatpay.Operation
	appID     string
	// required names the fields without which WeChat would refuse the call.
	required []string
	fields   []field
	// signType is that of the Client, unless the call has its own.
	signType wechatpay.Scheme
}

// paths of the calls. Only the refund lies where WeChat demands a client certificate.
var paths = map[wechatpay.Operation]string{
	wechatpay.OperationCreateOrder:  "/pay/unifiedorder",
	wechatpay.OperationQueryOrder:   "/pay/orderquery",
	wechatpay.OperationCloseOrder:   "/pay/closeorder",
	wechatpay.OperationCreateRefund: "/secapi/pay/refund",
	wechatpay.OperationQueryRefund:  "/pay/refundquery",
}

// exchange makes a call, repeats it at most once, and returns the verified reply that it was done.
func (c *Client) exchange(ctx context.Context, call call) (fields, *wechatpay.Error) {
	if call.operation == wechatpay.OperationCreateRefund {
		if err := c.checkCertificate(time.Now()); err != nil {
			return nil, notSent(call.operation, wechatpay.CertificateMissing, err)
		}
	}
	if err := call.check(); err != nil {
		return nil, notSent(call.operation, wechatpay.Rejected, err)
	}
	limit := c.limit(call.operation)
	reply, first := c.try(ctx, call, c.primary, shareOfFirst(ctx, call.operation, limit))
	if first == nil || !mayRepeat(first) {
		return reply, first
	}
	reply, second := c.try(ctx, call, c.backup, limit)
	if second == nil {
		return reply, nil
	}
	return nil, whatBothSay(first, second)
}

// mayRepeat says whether another attempt at once may help: after trouble on the way and after SYSTEMERROR, never
// after another word of WeChat's (chapter 23_6). Calls for one refund stay a minute apart (chapter 9_4), so a refund
// that may have arrived is left to its caller.
func mayRepeat(failure *wechatpay.Error) bool {
	switch failure.Outcome {
	case wechatpay.NotSent:
		return true
	case wechatpay.Unknown:
		return failure.Operation != wechatpay.OperationCreateRefund && failure.Meaning != wechatpay.SlowDown &&
			(failure.Code == "" || failure.Meaning == wechatpay.Repeat && sameCode(failure.Code, codeSystemError))
	default:
		return false
	}
}

// whatBothSay makes one error of two attempts, and keeps the doubt: an attempt that may have arrived is not undone by
// one that did not, nor by a refusal without a signature. Only a verified reply settles what the first attempt left open.
func whatBothSay(first, second *wechatpay.Error) *wechatpay.Error {
	switch {
	case second.Outcome == wechatpay.NotSent:
		return first
	case second.Outcome == wechatpay.Refused && first.Outcome == wechatpay.Unknown:
		doubtful := *second
		doubtful.Outcome = wechatpay.Unknown
		return &doubtful
	case second.Outcome == wechatpay.Unknown && first.Outcome == wechatpay.Unknown && second.Code == "":
		return first
	default:
		return second
	}
}

// check refuses, before anything is sent, what WeChat could not take.
func (call call) check() error {
	message := newFields(append([]field{{"appid", call.appID}}, call.fields...)...)
	for _, name := range append([]string{"appid"}, call.required...) {
		if message.get(name) == "" {
			return fmt.Errorf("%s is missing", name)
		}
	}
	return message.checkSendable()
}

// try sends a call once and judges the reply.
func (c *Client) try(ctx context.Context, call call, host *url.URL, limit time.Duration) (fields, *wechatpay.Error) {
	reply, failure := c.tryOnce(ctx, call, host, limit)
	return reply, c.discreet(host, failure)
}

// discreet makes one and the same error of all that can go wrong at a host that has never given a verified answer, so that its
// address tells nothing: whether there is a host, a port, TLS, HTTP or what else. The outcome is the careful one. Only a refusal
// in the words of the protocol is told, since it shows that WeChat Pay is spoken there.
func (c *Client) discreet(host *url.URL, failure *wechatpay.Error) *wechatpay.Error {
	switch {
	case c.trust == nil:
		return failure
	case failure == nil || failure.Outcome == wechatpay.Failed:
		c.trust.Prove(host)
		return failure
	case c.trust.Proven(host) || failure.Outcome == wechatpay.Refused && failure.Code != "":
		return failure
	default:
		return unknown(failure.Operation, wechatpay.Repeat, &wechatpay.ConcealedError{Cause: failure})
	}
}

func (c *Client) tryOnce(ctx context.Context, call call, host *url.URL, limit time.Duration) (fields, *wechatpay.Error) {
	status, body, failure := c.post(ctx, call.operation, host, c.encode(call), limit)
	if failure != nil {
		return nil, failure
	}
	return c.judge(call, status, body)
}

// encode writes the signed request. Nonce and signature are fresh each time; all else is as the caller gave it.
func (c *Client) encode(call call) []byte {
	request := make(fields, 0, len(call.fields)+5)
	request = append(request, call.fields...)
	request = append(request,
		field{"appid", call.appID},
		field{"mch_id", c.mchID},
		field{"nonce_str", newNonce()},
		field{"sign_type", string(c.signTypeOf(call))},
	)
	request.sort()
	return append(request, field{signField, c.current.sign(request, c.signTypeOf(call))}).encode()
}

// signTypeOf is the algorithm of a call; its reply is signed with the same.
func (c *Client) signTypeOf(call call) wechatpay.Scheme { return cmp.Or(call.signType, c.scheme) }

// newNonce returns 26 random letters and digits (at most 32 may be sent). It makes signatures unpredictable (chapter 4_3).
func newNonce() string { return rand.Text() }

// judge decides what a reply is: WeChat's verified word that it was done, or an error. Nothing is Failed, and nothing
// succeeds, but below the line where the signature was verified.
func (c *Client) judge(call call, status int, body []byte) (fields, *wechatpay.Error) {
	if status != http.StatusOK {
		return nil, judgeStatus(call.operation, status, body)
	}
	reply, err := readFields(body, messageRoot, maxReplyFields)
	if err != nil {
		return nil, unknown(call.operation, wechatpay.Repeat, unreadable(body, err))
	}
	switch reply.get("return_code") {
	case success:
	case "":
		return nil, unknown(call.operation, wechatpay.Repeat, errors.New("the reply has no return_code"))
	default:
		return nil, unsignedRefusal(call.operation, reply)
	}
	if err := c.verifyReply(call, reply); err != nil {
		return nil, unknown(call.operation, wechatpay.NeedsAttention, err)
	}
	// Verified from here on.
	switch reply.get("result_code") {
	case success:
		if reply.get("appid") == "" || reply.get("mch_id") == "" {
			return nil, unknown(call.operation, wechatpay.NeedsAttention, errors.New("the reply does not say whom it is for"))
		}
		return reply, nil
	case "FAIL":
		return nil, verifiedFailure(call.operation, reply)
	default:
		return nil, unknown(call.operation, wechatpay.NeedsAttention, errors.New("the reply has no result_code that is known"))
	}
}

const success = "SUCCESS"

// verifyReply checks that a reply is WeChat's and ours. A reply is signed with the algorithm of its request.
func (c *Client) verifyReply(call call, reply fields) error {
	if reply.get(signField) == "" {
		return errors.New("the reply is not signed")
	}
	if !c.current.verifies(reply, c.signTypeOf(call)) {
		return errors.New("the signature of the reply is wrong")
	}
	if appID := reply.get("appid"); appID != "" && appID != call.appID {
		return errors.New("the reply is for another appid")
	}
	if mchID := reply.get("mch_id"); mchID != "" && mchID != c.mchID {
		return errors.New("the reply is for another mch_id")
	}
	if call.operation == wechatpay.OperationCloseOrder {
		// It has nothing of its own that could be asked for, so any other answer would do.
		if err := reply.checkHasNone(ofAnswers, ofPayments, ofRefunds); err != nil {
			return fmt.Errorf("the reply is for another call: %w", err)
		}
	}
	if err := reply.checkOneReading(call.operation); err != nil {
		return fmt.Errorf("the reply is not taken: %w", err)
	}
	if !c.isNew(reply) {
		return errors.New("the reply was given before: somebody between here and WeChat Pay repeats recorded answers")
	}
	return nil
}
