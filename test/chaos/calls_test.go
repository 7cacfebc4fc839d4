package chaos_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

// apiCall is a call of WeChat Pay's API. Both protocols' calls have the names of the simulator's
// operations, so that the same faults fit them.
type apiCall struct {
	protocol  v1alpha1.Protocol
	operation string
	// number is that of the refund, or else of the order.
	number string
	// fields are the parameters; members of members of API v3 are joined by dots.
	fields map[string]string
}

// operationBill is the download of a bill, in the name of API v2.
const operationBill = "downloadbill"

func readCall(request *http.Request, body []byte) apiCall {
	if strings.HasPrefix(request.URL.Path, "/v3/") {
		return readCallV3(request, body)
	}
	fields := fieldsOf(body)
	return apiCall{
		protocol: v1alpha1.ProtocolV2, operation: request.URL.Path[strings.LastIndex(request.URL.Path, "/")+1:],
		number: cmp.Or(fields["out_refund_no"], fields["out_trade_no"], "?"), fields: fields,
	}
}

func readCallV3(request *http.Request, body []byte) apiCall {
	call := apiCall{protocol: v1alpha1.ProtocolV3, fields: map[string]string{}}
	for name, values := range request.URL.Query() {
		call.fields[name] = strings.Join(values, ",")
	}
	var members map[string]any
	if json.Unmarshal(body, &members) == nil {
		flatten("", members, call.fields)
	}
	parts := strings.Split(strings.TrimPrefix(request.URL.Path, "/v3/"), "/")
	last := parts[len(parts)-1]
	switch {
	case parts[0] == "bill", parts[0] == "billdownload":
		call.operation = operationBill
	case last == "certificates":
		call.operation = string(simulator.OperationCertificates)
	case last == "close":
		call.operation, call.fields["out_trade_no"] = string(simulator.OperationCloseOrder), parts[len(parts)-2]
	case parts[0] == "refund" && request.Method == http.MethodPost:
		call.operation = string(simulator.OperationRefund)
	case parts[0] == "refund":
		call.operation, call.fields["out_refund_no"] = string(simulator.OperationRefundQuery), last
	case request.Method == http.MethodGet:
		call.operation, call.fields["out_trade_no"] = string(simulator.OperationOrderQuery), last
	default:
		call.operation = string(simulator.OperationUnifiedOrder)
		call.fields["product"] = last
	}
	call.number = cmp.Or(call.fields["out_refund_no"], call.fields["out_trade_no"], "?")
	return call
}

func flatten(prefix string, members map[string]any, into map[string]string) {
	for name, value := range members {
		if inner, nested := value.(map[string]any); nested {
			flatten(prefix+name+".", inner, into)
			continue
		}
		into[prefix+name] = fmt.Sprint(value)
	}
}

var field = regexp.MustCompile(`<(\w+)>(?:<!\[CDATA\[(.*?)\]\]>|([^<]*))</`)

// fieldsOf returns the fields of a request of API v2.
func fieldsOf(body []byte) map[string]string {
	fields := map[string]string{}
	for _, found := range field.FindAllSubmatch(body, -1) {
		fields[string(found[1])] = string(found[2]) + string(found[3])
	}
	return fields
}

// isDone reports whether WeChat Pay did what the call asks for.
func (c apiCall) isDone(response *http.Response, content []byte) bool {
	if c.protocol == v1alpha1.ProtocolV3 {
		return response.StatusCode < http.StatusMultipleChoices
	}
	return strings.Contains(words(response, content), "result_code=SUCCESS")
}

var told = []*regexp.Regexp{
	regexp.MustCompile(`<(return_msg|result_code|err_code|trade_state|refund_status_0)>(?:<!\[CDATA\[)?([^<\]]+)`),
	regexp.MustCompile(`"(code|message|trade_state|status)":"([^"]*)`),
}

// words summarizes a reply for the trace.
func words(response *http.Response, content []byte) string {
	said := ""
	if response.Header.Get("Wechatpay-Serial") != "" {
		said = fmt.Sprintf(" %d", response.StatusCode)
	}
	for _, pattern := range told {
		for _, found := range pattern.FindAllSubmatch(content, -1) {
			said += " " + string(found[1]) + "=" + string(found[2])
		}
	}
	return said
}

// isAcknowledged reports whether WeChat Pay takes an answer to a callback as success.
func isAcknowledged(answer *httptest.ResponseRecorder) bool {
	return answer.Code == http.StatusNoContent || strings.Contains(answer.Body.String(), "SUCCESS")
}
