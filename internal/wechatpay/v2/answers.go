package v2

import (
	"crypto/sha256"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// isNew says whether a verified reply comes for the first time. WeChat puts a nonce of its own into every reply and signs it, so a
// genuine one never comes twice. One without a nonce can't be told from another of the same words, so it is not remembered.
func (c *Client) isNew(reply fields) bool {
	if reply.get("nonce_str") == "" {
		return true
	}
	digest := sha256.Sum256([]byte(reply.get(signField)))
	return c.answers.Take(wechatpay.AnswerMark(digest[:]))
}
