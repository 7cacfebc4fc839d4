package v2

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// The text that is signed (chapter 4_3) joins fields by & and =, and escapes neither. So a value that holds &name= can be cut
// into two fields, or be the join of two, and the signature fits either way: whoever sees a signed request whose value holds
// &total_fee=... can make a callback of it. No value of ours holds such a border when it leaves, and none is taken that does.

// holdsBorder says whether a value holds an ampersand, the name of a field and an equals sign.
func holdsBorder(value string) bool {
	for {
		_, after, found := strings.Cut(value, "&")
		if !found {
			return false
		}
		name := 0
		for name < len(after) && isNameByte(after[name], name == 0) {
			name++
		}
		if name > 0 && name < len(after) && after[name] == '=' {
			return true
		}
		value = after
	}
}

// withoutBorders writes JSON so that it holds no border: in JSON an ampersand can only stand in a string, where \u0026 is the
// same. JSON that holds none stays as it is, byte by byte, because a repeated call has to be the same call as the first.
func withoutBorders(json string) string {
	if !holdsBorder(json) {
		return json
	}
	return strings.ReplaceAll(json, "&", `\u0026`)
}

// checkOneReading refuses a message that could have been signed as another one. The links of a unifiedorder's reply are URLs of
// WeChat's, which may have a query.
func (f fields) checkOneReading(operation wechatpay.Operation) error {
	for _, e := range f {
		if operation == wechatpay.OperationCreateOrder && (e.name == "code_url" || e.name == "mweb_url") {
			continue
		}
		if holdsBorder(e.value) {
			return fmt.Errorf("%s holds text that could be another field (&name=), which the signature does not tell apart", shortened(e.name))
		}
	}
	return nil
}

// Members that other messages have, and by which they are told apart. New members may come at any time, so a message is not
// held to those that are documented. Refunds are numbered in a refundquery: refund_status_0.
var (
	ofAnswers  = []string{"code_url", "mweb_url", "out_refund_no", "prepay_id", "refund_count", "refund_fee", "refund_id", "refund_status", "total_refund_count", "trade_state", "trade_state_desc"}
	ofPayments = []string{"total_fee", "transaction_id"}
	ofRefunds  = []string{"req_info"}
)

// checkHasNone refuses a message that has a member of another one.
func (f fields) checkHasNone(foreign ...[]string) error {
	for _, e := range f {
		name := e.name
		if unnumbered := strings.TrimRight(name, "0123456789"); unnumbered != name {
			name = strings.TrimSuffix(unnumbered, "_")
		}
		for _, names := range foreign {
			if slices.Contains(names, name) {
				return errors.New(e.name + " belongs to another message")
			}
		}
	}
	return nil
}
