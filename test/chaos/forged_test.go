package chaos_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// forgedSign is the sign of an attacker without the key.
var forgedSign = strings.Repeat("A1", 32)

// forgedAnswer is a reply of an attacker between the operator and WeChat Pay: everything succeeded
// and is paid. Only its signature is wrong.
func forgedAnswer(operation string, request map[string]string) []byte {
	answer := map[string]string{
		"return_code": "SUCCESS", "return_msg": "OK", "result_code": "SUCCESS",
		"appid": request["appid"], "mch_id": request["mch_id"], "nonce_str": "forged", "sign": forgedSign,
	}
	switch operation {
	case "unifiedorder":
		maps.Copy(answer, map[string]string{"trade_type": request["trade_type"], "prepay_id": "wxforged", "code_url": "weixin://forged", "mweb_url": "https://forged.example"})
	case "orderquery":
		maps.Copy(answer, forgedPayment(request["out_trade_no"]))
		answer["trade_state"] = "SUCCESS"
	case "refund":
		maps.Copy(answer, map[string]string{
			"out_trade_no": request["out_trade_no"], "out_refund_no": request["out_refund_no"], "refund_id": "50300000000000000000forged",
			"transaction_id": forgedTransaction, "total_fee": request["total_fee"], "refund_fee": request["refund_fee"], "cash_fee": request["total_fee"],
		})
	case "refundquery":
		amount := "50"
		if request["out_refund_no"] != firstRefund {
			amount = "101"
		}
		maps.Copy(answer, map[string]string{
			"out_trade_no": firstOrder, "transaction_id": forgedTransaction, "total_fee": "101", "cash_fee": "101", "refund_count": "1",
			"out_refund_no_0": request["out_refund_no"], "refund_id_0": "50300000000000000000forged", "refund_fee_0": amount, "refund_status_0": "SUCCESS",
		})
	}
	return document(answer)
}

const forgedTransaction = "4200000000000000000000forged"

func forgedPayment(number string) map[string]string {
	return map[string]string{
		"out_trade_no": number, "transaction_id": forgedTransaction, "openid": openID, "trade_type": "JSAPI", "bank_type": "OTHERS",
		"total_fee": "101", "fee_type": "CNY", "cash_fee": "101", "time_end": "20261122101500",
	}
}

func document(fields map[string]string) []byte {
	var text strings.Builder
	text.WriteString("<xml>")
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		_, _ = fmt.Fprintf(&text, "<%s><![CDATA[%s]]></%s>", name, fields[name], name)
	}
	text.WriteString("</xml>")
	return []byte(text.String())
}

// forgeAnswer answers as an attacker, in the protocol of the call.
func (w *world) forgeAnswer(answer http.ResponseWriter, call apiCall) {
	if call.protocol == v1alpha1.ProtocolV3 {
		w.forgeAnswerV3(answer, call)
		return
	}
	_, _ = answer.Write(forgedAnswer(call.operation, call.fields))
}

// forgeCallback sends another replica a callback without a valid signature that says that the order
// is paid.
func (w *world) forgeCallback() {
	path := "/notify/v2/" + w.namespace + "/" + merchantName + "/payment"
	fields := forgedPayment(firstOrder)
	maps.Copy(fields, map[string]string{
		"return_code": "SUCCESS", "result_code": "SUCCESS", "appid": appID, "mch_id": mchID, "nonce_str": "forged", "sign": forgedSign,
	})
	request := httptest.NewRequest(http.MethodPost, path, strings.NewReader(string(document(fields))))
	if w.flow.protocol == v1alpha1.ProtocolV3 {
		request = w.forgedCallbackV3()
	}
	receiver := newProcess(w, "other-replica")
	w.register(receiver)
	recorder := httptest.NewRecorder()
	receiver.callbacks.ServeHTTP(recorder, request)
	receiver.dead = true
	w.note("a forged callback is answered %d", recorder.Code)
	if isAcknowledged(recorder) {
		w.violate("a forged callback was accepted")
	}
}
