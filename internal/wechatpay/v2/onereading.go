package v2

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/transport"
)

// The signed text (chapter 4_3) joins fields by & and = without escaping. A value that contains
// &name= can be split into two fields, or result from joining two, with the same signature: anyone
// who sees a signed request with a value containing &total_fee=... can build a callback from it.
// The client therefore never sends and never accepts such a value.

// holdsBorder reports whether a value contains an ampersand, a field name and an equals sign.
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

// withoutBorders rewrites JSON so that it holds no border: in JSON an ampersand can only occur in a
// string, where \u0026 is equivalent. JSON without a border stays byte-identical, because a
// repeated call must have the same parameters.
func withoutBorders(json string) string {
	if !holdsBorder(json) {
		return json
	}
	return strings.ReplaceAll(json, "&", `\u0026`)
}

// checkOneReading rejects a message that could have been signed as another one. The URLs in a
// unifiedorder reply may have a query.
func (f fields) checkOneReading(operation wechatpay.Operation) error {
	for _, e := range f {
		if operation == wechatpay.OperationCreateOrder && (e.name == "code_url" || e.name == "mweb_url") {
			continue
		}
		if holdsBorder(e.value) {
			return fmt.Errorf("%s holds text that could be another field (&name=), which the signature does not tell apart", transport.Shortened(e.name))
		}
	}
	return nil
}

// Fields that distinguish the kinds of messages. WeChat Pay may add fields at any time, so a
// message may contain undocumented ones. refundquery numbers its refunds: refund_status_0.
var (
	ofAnswers  = []string{"code_url", "mweb_url", "out_refund_no", "prepay_id", "refund_count", "refund_fee", "refund_id", "refund_status", "total_refund_count", "trade_state", "trade_state_desc"}
	ofPayments = []string{"total_fee", "transaction_id"}
	ofRefunds  = []string{"req_info"}
)

// checkHasNone rejects a message that contains a field of another kind.
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
