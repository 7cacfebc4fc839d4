package chaos_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"time"
)

// forgedSignature has the form of an RSA signature.
var forgedSignature = base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{0xA1}, 256))

// forgeAnswerV3 says that everything succeeded and is paid, under WeChat Pay's own serial.
func (w *world) forgeAnswerV3(answer http.ResponseWriter, call apiCall) {
	amount, _ := strconv.ParseInt(call.fields["amount.refund"], 10, 64)
	if amount == 0 {
		amount = 101
		if call.number == firstRefund {
			amount = 50
		}
	}
	content := map[string]any{}
	switch call.operation {
	case "unifiedorder":
		content = map[string]any{"prepay_id": "wxforged", "code_url": "weixin://forged", "h5_url": "https://forged.example"}
	case "orderquery":
		content = forgedTransactionV3(call.number)
	case "refund", "refundquery":
		content = map[string]any{
			"out_trade_no": firstOrder, "transaction_id": forgedTransaction, "out_refund_no": call.number, "refund_id": "50300000000000000000forged",
			"status": "SUCCESS", "success_time": w.clock.Now().Format(time.RFC3339), "channel": "ORIGINAL", "user_received_account": "支付用户零钱",
			"create_time": w.clock.Now().Format(time.RFC3339),
			"amount":      map[string]any{"total": 101, "refund": amount, "payer_total": 101, "payer_refund": amount, "currency": "CNY"},
		}
	}
	w.setForgedSignature(answer.Header())
	answer.Header().Set("Content-Type", "application/json; charset=utf-8")
	answer.Header().Set("Date", w.clock.Now().UTC().Format(http.TimeFormat))
	if call.operation == "closeorder" {
		answer.WriteHeader(http.StatusNoContent)
		return
	}
	_ = json.NewEncoder(answer).Encode(content) // a disconnected client misses the response
}

func (w *world) setForgedSignature(header http.Header) {
	for name, value := range map[string]string{
		"Wechatpay-Timestamp": strconv.FormatInt(w.clock.Now().Unix(), 10), "Wechatpay-Nonce": "forged", "Wechatpay-Signature": forgedSignature,
		"Wechatpay-Serial": w.suite.platform.PublicKeyID, "Wechatpay-Signature-Type": "WECHATPAY2-SHA256-RSA2048",
	} {
		header.Set(name, value)
	}
}

func forgedTransactionV3(number string) map[string]any {
	return map[string]any{
		"appid": appID, "mchid": mchID, "out_trade_no": number, "transaction_id": forgedTransaction, "trade_type": "JSAPI", "trade_state": "SUCCESS",
		"trade_state_desc": "支付成功", "bank_type": "OTHERS", "success_time": "2026-11-22T10:15:00+08:00", "payer": map[string]any{"openid": openID},
		"amount": map[string]any{"total": 101, "payer_total": 101, "currency": "CNY", "payer_currency": "CNY"},
	}
}

// forgedCallbackV3 is a callback that is well encrypted and badly signed: an attacker who knows the
// APIv3 key.
func (w *world) forgedCallbackV3() *http.Request {
	made, err := w.sim.Notify(mchID, "TRANSACTION.SUCCESS", "transaction", forgedTransactionV3(firstOrder))
	w.must(err)
	path := "/notify/v3/" + w.namespace + "/" + merchantName + "/payment"
	request := httptest.NewRequest(http.MethodPost, path, strings.NewReader(string(made.Body)))
	request.Header = made.Header
	w.setForgedSignature(request.Header)
	return request
}
