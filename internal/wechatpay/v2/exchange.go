package v2

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/transport"
)

// call is one request. Each attempt adds the common fields and the signature.
type call struct {
	operation wechatpay.Operation
	appID     string
	// required lists the fields without which WeChat Pay would refuse the call.
	required []string
	fields   []field
	// signType is the Client's, unless the call sets its own.
	signType wechatpay.Scheme
	// path is that of the operation, unless the call sets its own.
	path string
	// certified: WeChat Pay requires the client certificate.
	certified bool
}

// callBy returns a call with one field of its own, the number of the order or refund.
func callBy(operation wechatpay.Operation, appID, name, number string) call {
	return call{operation: operation, appID: appID, required: []string{name}, fields: []field{{name, number}}}
}

// paths of the operations.
var paths = map[wechatpay.Operation]string{
	wechatpay.OperationCreateOrder:  "/pay/unifiedorder",
	wechatpay.OperationQueryOrder:   "/pay/orderquery",
	wechatpay.OperationCloseOrder:   "/pay/closeorder",
	wechatpay.OperationCreateRefund: "/secapi/pay/refund",
	wechatpay.OperationQueryRefund:  "/pay/refundquery",
}

// exchange makes a call, retries it at most once, and returns the verified success reply.
func (c *Client) exchange(ctx context.Context, call call) (fields, *wechatpay.Error) {
	if failure := c.check(call); failure != nil {
		return nil, failure
	}
	return transport.Twice(ctx, c.settings, call.operation, mayRepeat,
		func(host *url.URL, limit time.Duration) (fields, *wechatpay.Error) {
			answer, failure := transport.Send(ctx, c.httpClient(call), c.request(call, host, limit))
			var reply fields
			if failure == nil {
				reply, failure = c.judge(call, answer.Status, answer.Body)
			}
			return reply, transport.Conceal(c.settings.Trust, host, failure, isRefusalWithCode(failure))
		})
}

// mayRepeat reports whether an immediate retry may help: after transport errors and SYSTEMERROR,
// never after another reply of WeChat Pay (chapter 23_6). Calls for one refund must be a minute
// apart (chapter 9_4), so the caller retries a refund that may have arrived.
func mayRepeat(failure *wechatpay.Error) bool {
	switch failure.Outcome {
	case wechatpay.NotSent:
		return true
	case wechatpay.Unknown:
		return !failure.Operation.PaysBack() && failure.Meaning != wechatpay.SlowDown &&
			(failure.Code == "" || failure.Meaning == wechatpay.Repeat && sameCode(failure.Code, codeSystemError))
	default:
		return false
	}
}

// check returns why a call is not sent.
func (c *Client) check(call call) *wechatpay.Error {
	if call.certified {
		if err := c.checkCertificate(c.settings.Now()); err != nil {
			return transport.NotSent(call.operation, wechatpay.CertificateMissing, err)
		}
	}
	if err := call.check(); err != nil {
		return transport.NotSent(call.operation, wechatpay.Rejected, err)
	}
	return nil
}

// check rejects, before sending, a request that WeChat Pay could not accept.
func (c call) check() error {
	message := newFields(append([]field{{"appid", c.appID}}, c.fields...)...)
	for _, name := range append([]string{"appid"}, c.required...) {
		if message.get(name) == "" {
			return fmt.Errorf("%s is missing", name)
		}
	}
	return message.checkSendable()
}

// isRefusalWithCode reports whether a failure is a refusal in the format of WeChat Pay's protocol.
func isRefusalWithCode(failure *wechatpay.Error) bool {
	return failure != nil && failure.Outcome == wechatpay.Refused && failure.Code != ""
}

// request returns one attempt at a call. It reads one byte more than a message may have, to notice
// larger ones.
func (c *Client) request(call call, host *url.URL, limit time.Duration) transport.Request {
	return transport.Request{
		Operation: call.operation, Method: http.MethodPost, URL: host.JoinPath(cmp.Or(call.path, paths[call.operation])),
		Header: http.Header{"Content-Type": {"text/xml; charset=utf-8"}}, Body: c.encode(call),
		Limit: limit, MaxAnswer: maxDocument + 1, Certified: call.certified,
	}.By(c.settings)
}

// encode builds the signed request. Nonce and signature are new for each attempt; everything else
// is constant.
func (c *Client) encode(call call) []byte {
	request := make(fields, 0, len(call.fields)+7)
	request = append(request, call.fields...)
	request = append(request, subMerchantFields(c.settings.Partner)...)
	request = append(request,
		field{"appid", call.appID},
		field{"mch_id", c.settings.MchID},
		field{"nonce_str", newNonce()},
		field{"sign_type", string(c.signTypeOf(call))},
	)
	request.sort()
	return append(request, field{signField, c.current.sign(request, c.signTypeOf(call))}).encode()
}

// signTypeOf returns the algorithm of a call; its reply is signed with the same.
func (c *Client) signTypeOf(call call) wechatpay.Scheme {
	return cmp.Or(call.signType, c.settings.Scheme)
}

// newNonce returns 26 random letters and digits (at most 32 are permitted). The nonce makes
// signatures unpredictable (chapter 4_3).
func newNonce() string { return rand.Text() }

// judge classifies a reply: WeChat Pay's verified success, or an error. A reply may become Failed
// or succeed only after its signature was verified.
func (c *Client) judge(call call, status int, body []byte) (fields, *wechatpay.Error) {
	if status != http.StatusOK {
		return nil, judgeStatus(call.operation, status, body)
	}
	reply, err := readFields(body, messageRoot, maxReplyFields)
	if err != nil {
		return nil, transport.Unknown(call.operation, wechatpay.Repeat, transport.Unreadable(body, err))
	}
	switch reply.get("return_code") {
	case success:
	case "":
		return nil, transport.Unknown(call.operation, wechatpay.Repeat, errors.New("the reply has no return_code"))
	default:
		return nil, unsignedRefusal(call.operation, reply)
	}
	if err := c.verifyReply(call, reply); err != nil {
		return nil, transport.Unknown(call.operation, wechatpay.NeedsAttention, err)
	}
	// The reply is verified from here on.
	if err := c.checkReplySubMerchant(call.operation, reply); err != nil {
		// Another sub merchant has the number. That concerns this order only, not the account.
		return nil, transport.Unknown(call.operation, wechatpay.NumberUsed, fmt.Errorf("the reply is not taken: %w", err))
	}
	switch reply.get("result_code") {
	case success:
		if reply.get("appid") == "" || reply.get("mch_id") == "" {
			return nil, transport.Unknown(call.operation, wechatpay.NeedsAttention, errors.New("the reply does not say whom it is for"))
		}
		return reply, nil
	case "FAIL":
		return nil, verifiedFailure(call.operation, reply)
	default:
		return nil, transport.Unknown(call.operation, wechatpay.NeedsAttention, errors.New("the reply has no result_code that is known"))
	}
}

const success = "SUCCESS"

// verifyReply verifies that a reply is from WeChat Pay and for this call. A reply is signed with
// the algorithm of its request.
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
	if mchID := reply.get("mch_id"); mchID != "" && mchID != c.settings.MchID {
		return errors.New("the reply is for another mch_id")
	}
	if call.operation == wechatpay.OperationCloseOrder {
		// This reply has no required fields of its own, so a reply to another operation would pass.
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

// isNew reports whether a verified reply is not a replay. WeChat puts a new nonce into every reply
// and signs it, so genuine replies differ. Replies without a nonce may be equal, so they are not
// remembered.
func (c *Client) isNew(reply fields) bool {
	if reply.get("nonce_str") == "" {
		return true
	}
	digest := sha256.Sum256([]byte(reply.get(signField)))
	return c.settings.Answers.Take(wechatpay.AnswerMark(digest[:]))
}
