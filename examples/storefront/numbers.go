package main

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strconv"
	"strings"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// digestLength leaves 130 bits, and room for a prefix in the 32 characters of an out_trade_no.
const digestLength = 26

// longestPrefix is that of --number-prefix.
const longestPrefix = 32 - digestLength

// digest is the same for the same parts, in [2-7a-z].
func digest(parts ...string) string {
	hash := sha256.New()
	for _, part := range parts {
		fmt.Fprintf(hash, "%d:%s", len(part), part) // the length keeps ("ab", "c") and ("a", "bc") apart
	}
	return strings.ToLower(base32.StdEncoding.EncodeToString(hash.Sum(nil)))[:digestLength]
}

// numbers derives the numbers of Orders. A number is the Order's name: whoever derives it again, by a second click or on another
// replica, finds the Order that is there.
type numbers struct{ prefix, namespace string }

// ofBasket is for a basket that the page names. It lasts for the payer, not for the session, and longer than the Order: when that
// was deleted, the number is derived again on purpose. WeChat Pay knows it as paid or closed, so that a page which is loaded again
// can't make the payer pay for the same basket twice.
func (n numbers) ofBasket(payer, basket string) string {
	return n.prefix + digest("basket", n.namespace, payer, basket)
}

// ofGoods is for what is bought without a basket: the turn-th order of these goods in a session. Sessions have ids that never come
// again, so that the number of an Order that was deleted is not used once more.
func (n numbers) ofGoods(sessionID string, of goods, turn int) string {
	return n.prefix + digest("goods", n.namespace, sessionID, of.product.ID, strconv.FormatInt(of.quantity, 10), string(of.tradeType), strconv.Itoa(turn))
}

// ofRefund is for the turn-th refund with the same amount and reason. Amount 0 is all that is left.
func ofRefund(order *v1alpha1.Order, amount int64, reason string, turn int) string {
	return order.Name + "-" + digest("refund", strconv.FormatInt(amount, 10), reason, strconv.Itoa(turn))[:12]
}
