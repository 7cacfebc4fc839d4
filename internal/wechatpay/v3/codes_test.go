package v3

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// Operations, shorter.
const (
	create   = wechatpay.OperationCreateOrder
	query    = wechatpay.OperationQueryOrder
	closing  = wechatpay.OperationCloseOrder
	refund   = wechatpay.OperationCreateRefund
	refunded = wechatpay.OperationQueryRefund
	abnormal = wechatpay.OperationResolveAbnormalRefund
	list     = wechatpay.OperationGetCertificates
	bill     = wechatpay.OperationDownloadBill
	fetch    = wechatpay.OperationFetchBill
)

// documented are the codes of WeChat Pay's documentation, with the status that it gives them.
var documented = []struct {
	status    int
	code      string
	operation wechatpay.Operation
	want      judgement
}{
	{202, "USERPAYING", query, failed(wechatpay.StateConflict)},
	{400, "PARAM_ERROR", create, failed(wechatpay.Rejected)},
	{400, "PARAM_ERROR", query, failed(wechatpay.Rejected)},
	{400, "PARAM_ERROR", refund, failed(wechatpay.Rejected)},
	{400, "INVALID_REQUEST", create, failed(wechatpay.NumberUsed)},
	{400, "INVALID_REQUEST", query, failed(wechatpay.NeedsAttention)},
	{400, "INVALID_REQUEST", closing, failed(wechatpay.StateConflict)},
	{400, "INVALID_REQUEST", refund, failed(wechatpay.NeedsAttention)},
	{400, "INVALID_REQUEST", refunded, failed(wechatpay.NeedsAttention)},
	{400, "INVALID_REQUEST", abnormal, failed(wechatpay.StateConflict)},
	{400, "APPID_MCHID_NOT_MATCH", create, failed(wechatpay.NeedsAttention)},
	{400, "MCH_NOT_EXISTS", create, failed(wechatpay.NeedsAttention)},
	{404, "MCH_NOT_EXISTS", refund, failed(wechatpay.NeedsAttention)},
	{400, "ORDER_CLOSED", create, failed(wechatpay.OrderClosed)},
	{400, "ORDER_CLOSED", closing, failed(wechatpay.OrderClosed)},
	{400, "ORDER_PAID", create, failed(wechatpay.OrderPaid)},
	{403, "ORDER_PAID", closing, failed(wechatpay.OrderPaid)},
	{400, "NO_STATEMENT_EXIST", query, failed(wechatpay.NeedsAttention)},
	{400, "STATEMENT_CREATING", query, failed(wechatpay.Repeat)},
	{401, "SIGN_ERROR", create, failed(wechatpay.CredentialsRejected)},
	{401, "SIGN_ERROR", list, failed(wechatpay.CredentialsRejected)},
	{403, "NO_AUTH", create, failed(wechatpay.NeedsAttention)},
	{403, "NO_AUTH", query, failed(wechatpay.NeedsAttention)},
	{403, "NO_AUTH", refund, failed(wechatpay.NoRight)},
	{403, "NO_AUTH", abnormal, failed(wechatpay.NoRight)},
	{403, "OUT_TRADE_NO_USED", create, failed(wechatpay.NumberUsed)},
	{403, "RULE_LIMIT", create, failed(wechatpay.NeedsAttention)},
	{403, "TRADE_ERROR", create, failed(wechatpay.StateConflict)},
	{403, "TRADE_ERROR", query, failed(wechatpay.NeedsAttention)},
	{403, "ACCOUNT_ERROR", create, failed(wechatpay.NeedsAttention)},
	{403, "ACCOUNT_ERROR", refund, failed(wechatpay.Rejected)},
	{403, "USER_ACCOUNT_ABNORMAL", refund, failed(wechatpay.Rejected)},
	{403, "NOT_ENOUGH", refund, failed(wechatpay.InsufficientBalance)},
	{403, "NOT_ENOUGH", create, failed(wechatpay.NeedsAttention)},
	{403, "REQUEST_BLOCKED", refund, failed(wechatpay.NeedsAttention)},
	{404, "ORDER_NOT_EXIST", query, failed(wechatpay.OrderNotExist)},
	{404, "ORDER_NOT_EXIST", refund, failed(wechatpay.OrderNotExist)},
	{404, "RESOURCE_NOT_EXISTS", refund, failed(wechatpay.OrderNotExist)},
	{404, "RESOURCE_NOT_EXISTS", refunded, failed(wechatpay.RefundNotExist)},
	{404, "RESOURCE_NOT_EXISTS", list, failed(wechatpay.VerifiersMissing)},
	{429, "FREQUENCY_LIMITED", refund, failed(wechatpay.SlowDown)},
	{429, "RATELIMIT_EXCEEDED", query, failed(wechatpay.SlowDown)},
	{403, "FREQUENCY_LIMIT_EXCEED", query, failed(wechatpay.SlowDown)},
	{500, "SYSTEM_ERROR", refund, mayBeDone},
	{400, "SYSTEM_ERROR", refund, mayBeDone},
	{500, "BANK_ERROR", create, mayBeDone},
	{500, "INVALID_TRANSACTIONID", query, failed(wechatpay.Rejected)},
	{500, "OPENID_MISMATCH", create, failed(wechatpay.Rejected)},
	{503, "SERVICE_UNAVAILABLE", create, mayBeDone},
	{400, "NO_STATEMENT_EXIST", bill, failed(wechatpay.NoStatement)},
	{400, "STATEMENT_CREATING", bill, failed(wechatpay.StatementCreating)},
	{400, "INVALID_REQUEST", bill, failed(wechatpay.Rejected)},
	{403, "NO_AUTH", bill, failed(wechatpay.NoRight)},
	{400, "INVALID_REQUEST", fetch, failed(wechatpay.AddressExpired)},
	{403, "NO_AUTH", fetch, failed(wechatpay.NoRight)},
	{418, "SOMETHING_NEW", create, failed(wechatpay.NeedsAttention)},
	{500, "SOMETHING_NEW", create, mayBeDone},
	{500, "PARAM_ERROR", refund, mayBeDone},
	{503, "NOT_ENOUGH", refund, mayBeDone},
}

// TestCodes in both spellings.
func TestCodes(t *testing.T) {
	for _, c := range documented {
		for _, code := range []string{c.code, strings.ReplaceAll(c.code, "_", "")} {
			if got := judgeCode(c.operation, c.status, code); got != c.want {
				t.Errorf("%s: %d %s is %s/%s, not %s/%s", c.operation, c.status, code, got.outcome, got.meaning, c.want.outcome, c.want.meaning)
			}
		}
	}
}

func TestEveryCodeIsTested(t *testing.T) {
	tested := map[string]bool{}
	for _, c := range documented {
		tested[strings.ReplaceAll(c.code, "_", "")] = true
	}
	for _, code := range slices.Sorted(maps.Keys(codes)) {
		if !tested[code] {
			t.Error(code)
		}
	}
}

// TestOnly401RejectsCredentials, whatever code comes with another status.
func TestOnly401RejectsCredentials(t *testing.T) {
	for code := range codes {
		for _, operation := range []wechatpay.Operation{create, query, closing, refund, refunded, abnormal, list, bill, fetch} {
			for _, status := range []int{400, 403, 404, 429, 500, 503} {
				if got := judgeCode(operation, status, code); got.meaning == wechatpay.CredentialsRejected {
					t.Errorf("%s: %d %s", operation, status, code)
				}
			}
			if got := judgeCode(operation, 401, code); got != failed(wechatpay.CredentialsRejected) {
				t.Errorf("%s: 401 %s is %v", operation, code, got)
			}
		}
	}
}

// TestAServerErrorIsNeverFinal unless WeChat Pay documents its code with such a status.
func TestAServerErrorIsNeverFinal(t *testing.T) {
	for code, rule := range codes {
		if got := judgeCode(refund, 500, code); got.outcome == wechatpay.Failed && !rule.server {
			t.Errorf("500 %s is %v", code, got)
		}
	}
}

func TestWordsAboutTheSubMerchant(t *testing.T) {
	for _, c := range []struct {
		status     int
		code, says string
		want       judgement
	}{
		{400, "INVALID_REQUEST", "受理机构必须传入sub_mch_id", failed(wechatpay.NeedsAttention)},
		{400, "INVALID_REQUEST", "普通商户不允许传sub_mchid", failed(wechatpay.NeedsAttention)},
		{403, "NO_AUTH", "受理关系不存在", failed(wechatpay.NeedsAttention)},
		{400, "INVALID_REQUEST", "请求重入时，参数与首次请求时不一致", failed(wechatpay.NumberUsed)},
		{401, "SIGN_ERROR", "受理关系不存在", failed(wechatpay.CredentialsRejected)},
		{429, "FREQUENCY_LIMITED", "受理关系不存在", failed(wechatpay.SlowDown)},
		{500, "SYSTEM_ERROR", "受理关系不存在", mayBeDone},
	} {
		if got := judgeAnswer(wechatpay.OperationCreateOrder, c.status, errorAnswer{Code: c.code, Message: c.says}); got != c.want {
			t.Errorf("a prepay answered by %d %s %s means %v, not %v", c.status, c.code, c.says, got, c.want)
		}
	}
	// NO_AUTH of a refund is a finding about the right to refund, not about the relation.
	if got := judgeAnswer(wechatpay.OperationCreateRefund, 403, errorAnswer{Code: "NO_AUTH", Message: "该产品授权已被解除"}); got != failed(wechatpay.NoRight) {
		t.Errorf("a refund without right means %v", got)
	}
}
