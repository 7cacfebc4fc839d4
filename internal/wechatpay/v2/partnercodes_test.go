package v2

import (
	"testing"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// rightsWords are WeChat Pay's texts about rights and relations, with what they mean for an order
// and for a refund.
var rightsWords = []struct {
	text          string
	order, refund wechatpay.Meaning
}{
	{"特约子商户商户号未授权服务商的产品权限", wechatpay.NeedsAttention, wechatpay.NoRight},
	{"服务商与特约商户关系上，该产品授权已被解除", wechatpay.NeedsAttention, wechatpay.NoRight},
	{"异常IP请求不予受理", wechatpay.NeedsAttention, wechatpay.NoRight},
	{"普通商户不允许传sub_mch_id", wechatpay.NeedsAttention, wechatpay.NeedsAttention},
	{"您的请求参数与订单信息不一致", wechatpay.NeedsAttention, wechatpay.NeedsAttention},
	{"商户号和订单信息不匹配", wechatpay.NeedsAttention, wechatpay.NeedsAttention},
	{"受理关系不存在", wechatpay.NeedsAttention, wechatpay.NeedsAttention},
	{"受理关系不可用", wechatpay.NeedsAttention, wechatpay.NeedsAttention},
	{"受理机构必须传入sub_mch_id", wechatpay.NeedsAttention, wechatpay.NeedsAttention},
	{"sub_mch_id与sub_appid不匹配", wechatpay.NeedsAttention, wechatpay.NeedsAttention},
	{"此商家的收款功能已被限制，暂无法支付", wechatpay.NeedsAttention, wechatpay.NeedsAttention},
	{"商户号该产品权限未开通，请前往商户平台>产品中心检查后重试", wechatpay.NeedsAttention, wechatpay.NeedsAttention},
}

// TestWordsAboutRights: no text about rights ends an Order or a Refund, whatever general code it
// comes with, signed or not.
func TestWordsAboutRights(t *testing.T) {
	for _, w := range rightsWords {
		for operation := range calls {
			want := w.order
			if operation == wechatpay.OperationCreateRefund {
				want = w.refund
			}
			for _, code := range []string{"INVALID_REQUEST", "PARAM_ERROR", "NEVER_SEEN"} {
				failure := verifiedFailure(operation, newFields(field{"err_code", code}, field{"err_code_des", w.text}))
				expect(t, failure, wechatpay.Failed, want, string(operation)+": WeChat Pay answered "+code+": "+w.text)
			}
			failure := unsignedRefusal(operation, newFields(field{"return_code", "FAIL"}, field{"return_msg", w.text}))
			expect(t, failure, wechatpay.Refused, want, string(operation)+": WeChat Pay answered FAIL: "+w.text)
		}
	}
}

func TestCodesAboutRights(t *testing.T) {
	for _, c := range []struct {
		operation wechatpay.Operation
		code      string
		want      wechatpay.Meaning
	}{
		{wechatpay.OperationCreateRefund, "NO_AUTH", wechatpay.NoRight},
		{wechatpay.OperationCreateRefund, "NOAUTH", wechatpay.NoRight},
		{wechatpay.OperationCreateOrder, "NO_AUTH", wechatpay.NeedsAttention},
		{wechatpay.OperationCreateOrder, "NOAUTH", wechatpay.NeedsAttention},
		{wechatpay.OperationQueryOrder, "NO_AUTH", wechatpay.NeedsAttention},
		{wechatpay.OperationCloseOrder, "NO_AUTH", wechatpay.NeedsAttention},
		{wechatpay.OperationQueryRefund, "NO_AUTH", wechatpay.NeedsAttention},
	} {
		signed := verifiedFailure(c.operation, newFields(field{"err_code", c.code}, field{"err_code_des", "无权限"}))
		expect(t, signed, wechatpay.Failed, c.want, "")
		unsigned := unsignedRefusal(c.operation, newFields(field{"return_code", c.code}, field{"return_msg", "无权限"}))
		expect(t, unsigned, wechatpay.Refused, c.want, "")
	}
}

// TestTextsThatDecideNothing: a code that says more than the text stands.
func TestTextsThatDecideNothing(t *testing.T) {
	for _, c := range []struct {
		operation wechatpay.Operation
		code      string
		outcome   wechatpay.Outcome
		want      wechatpay.Meaning
	}{
		{wechatpay.OperationCreateRefund, "SYSTEMERROR", wechatpay.Unknown, wechatpay.Repeat},
		{wechatpay.OperationCreateRefund, "NOTENOUGH", wechatpay.Failed, wechatpay.InsufficientBalance},
		{wechatpay.OperationCreateRefund, "FREQUENCY_LIMITED", wechatpay.Failed, wechatpay.SlowDown},
		{wechatpay.OperationCreateOrder, "ORDERPAID", wechatpay.Failed, wechatpay.OrderPaid},
		{wechatpay.OperationCreateOrder, "SIGNERROR", wechatpay.Failed, wechatpay.CredentialsRejected},
	} {
		failure := verifiedFailure(c.operation, newFields(field{"err_code", c.code}, field{"err_code_des", "受理关系不存在"}))
		expect(t, failure, c.outcome, c.want, "")
	}
}
