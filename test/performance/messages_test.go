package performance

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

// callbackPatience is how long WeChat waits for an answer (chapter 9_7).
const callbackPatience = 5 * time.Second

// success is, byte for byte, what WeChat takes for a yes (chapter 9_7).
const success = `<xml><return_code><![CDATA[SUCCESS]]></return_code><return_msg><![CDATA[OK]]></return_msg></xml>`

// answer is what WeChat would get.
type answer int

const (
	unanswered answer = iota
	refused           // WeChat asks again
	succeeded
)

// post sends a callback once. The client sets how long it waits.
func post(ctx context.Context, by *http.Client, url, body string) answer {
	status, text, err := request(ctx, by, http.MethodPost, url, "text/xml", body)
	switch {
	case err != nil:
		return unanswered
	case status == http.StatusOK && text == success:
		return succeeded
	default:
		return refused
	}
}

// callbackURL is where WeChat sends the callbacks of a Merchant.
func (s *stage) callbackURL(namespace, merchant, kind string) string {
	return "http://" + s.at.callbacks + "/notify/v2/" + namespace + "/" + merchant + "/" + kind
}

// payment is what WeChat says when an Order of the shop's Merchant is paid (chapter 9_7), signed with a key.
func payment(number, attach, key string) string {
	return string(simulator.SignedDocument(map[string]string{
		"return_code": "SUCCESS", "result_code": "SUCCESS", "appid": appID, "mch_id": mchID, "openid": openID,
		"trade_type": "JSAPI", "bank_type": "CMC", "fee_type": "CNY", "total_fee": strconv.Itoa(total), "cash_fee": strconv.Itoa(total),
		"out_trade_no": number, "transaction_id": "4200002026" + number, "attach": attach,
		"time_end": time.Now().UTC().Add(8 * time.Hour).Format("20060102150405"),
	}, key, simulator.HMACSHA256))
}

// largeBody is larger than any callback, has thousands of members and a signature that does not fit.
func largeBody(size int) string {
	const end = "<sign>0123456789ABCDEF0123456789ABCDEF</sign></xml>"
	body := strings.Builder{}
	body.WriteString("<xml>")
	for i := 0; ; i++ {
		member := fmt.Sprintf("<m%d>1</m%d>", i, i)
		if body.Len()+len(member)+len(end) > size {
			return body.String() + end
		}
		body.WriteString(member)
	}
}
