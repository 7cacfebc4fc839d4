package hostile

import (
	"crypto/aes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/testshop"
)

const (
	hangingKey = "HangingTestKey0HangingTestKey012"
	forgedKey  = "ForgedKey0ForgedKey0ForgedKey012"
)

// payment is a payment callback that the shop's Merchant takes (chapter 9_7).
func payment(outTradeNo, total string) string { return signed(outTradeNo, total, testshop.APIKey) }

// forged is one that only the signature tells from it.
func forged(outTradeNo string) string { return signed(outTradeNo, "101", forgedKey) }

func signed(outTradeNo, total, key string) string {
	message := map[string]string{
		"return_code": "SUCCESS", "result_code": "SUCCESS", "appid": testshop.AppID, "mch_id": testshop.MchID,
		"nonce_str": "5d2b6c2a8db53831f7eda20af46e531c", "openid": testshop.OpenID, "trade_type": "JSAPI", "bank_type": "CMC",
		"fee_type": "CNY", "total_fee": total, "cash_fee": total, "out_trade_no": outTradeNo, "transaction_id": "4200002026" + outTradeNo,
		"time_end": time.Now().UTC().Add(8 * time.Hour).Format("20060102150405"),
	}
	text := ""
	for _, name := range slices.Sorted(maps.Keys(message)) {
		text += name + "=" + message[name] + "&"
	}
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(text + "key=" + key))
	message["sign"] = strings.ToUpper(hex.EncodeToString(mac.Sum(nil)))
	return document("xml", message)
}

// refund is a refund callback, which carries no signature (chapter 9_16).
func refund(outTradeNo, outRefundNo, mchID, key string) string {
	info := document("root", map[string]string{"out_trade_no": outTradeNo, "out_refund_no": outRefundNo, "refund_status": "SUCCESS", "refund_id": "503"})
	block, err := aes.NewCipher(fmt.Appendf(nil, "%x", md5.Sum([]byte(key))))
	if err != nil {
		panic(err)
	}
	padding := aes.BlockSize - len(info)%aes.BlockSize
	text := []byte(info + strings.Repeat(string(rune(padding)), padding))
	for rest := text; len(rest) > 0; rest = rest[aes.BlockSize:] {
		block.Encrypt(rest, rest)
	}
	return document("xml", map[string]string{
		"return_code": "SUCCESS", "appid": testshop.AppID, "mch_id": mchID, "req_info": base64.StdEncoding.EncodeToString(text),
	})
}

func document(root string, message map[string]string) string {
	text := "<" + root + ">"
	for name, value := range message {
		text += "<" + name + "><![CDATA[" + value + "]]></" + name + ">"
	}
	return text + "</" + root + ">"
}
