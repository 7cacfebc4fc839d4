// Package callback writes WeChat's callbacks, sends them and judges the answers, for the benchmarks.
package callback

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

// Payment is what WeChat says when an Order is paid (chapter 9_7).
type Payment struct {
	AppID, MchID, OpenID, OutTradeNo string
	// Attach is what the order was sent with; left out when empty.
	Attach string
	// Total is in fen.
	Total int64
}

// Signed is its body, signed with HMAC-SHA256.
func (p Payment) Signed(key string) string {
	total := strconv.FormatInt(p.Total, 10)
	members := map[string]string{
		"return_code": "SUCCESS", "result_code": "SUCCESS", "appid": p.AppID, "mch_id": p.MchID, "openid": p.OpenID,
		"trade_type": "JSAPI", "bank_type": "CMC", "fee_type": "CNY", "total_fee": total, "cash_fee": total,
		"out_trade_no": p.OutTradeNo, "transaction_id": "4200002026" + p.OutTradeNo,
		"time_end": time.Now().UTC().Add(8 * time.Hour).Format("20060102150405"),
	}
	if p.Attach != "" {
		members["attach"] = p.Attach
	}
	return string(simulator.SignedDocument(members, key, simulator.HMACSHA256))
}

// Large is a body of a size as no callback has it: thousands of members, and a signature that fits to nothing.
func Large(size int) string {
	const end = "<sign>0123456789ABCDEF0123456789ABCDEF</sign></xml>"
	body := strings.Builder{}
	body.WriteString("<xml>")
	for i := 0; ; i++ {
		member := fmt.Sprintf("<m%d>1</m%d>", i, i)
		if body.Len()+len(member)+len(end) > size {
			break
		}
		body.WriteString(member)
	}
	return body.String() + end
}

// Refund is what WeChat says when a refund succeeded (chapter 9_16).
type Refund struct {
	AppID, MchID, OutTradeNo, OutRefundNo string
}

// Sealed is its body, which carries no signature.
func (r Refund) Sealed(key string) (string, error) {
	document, err := simulator.RefundDocument(r.AppID, r.MchID, map[string]string{
		"out_trade_no": r.OutTradeNo, "out_refund_no": r.OutRefundNo, "refund_status": "SUCCESS", "refund_id": "503",
	}, key)
	return string(document), err
}
