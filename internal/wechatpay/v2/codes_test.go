package v2

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// The error tables of chapters 9_1 to 9_5, and codes reported by merchants, written independently
// of the code: code, WeChat Pay's text, and the expected judgement.
const (
	isFailed  = wechatpay.Failed
	isUnknown = wechatpay.Unknown
)

type documented struct {
	code, text string
	outcome    wechatpay.Outcome
	meaning    wechatpay.Meaning
}

var documentedCodes = map[wechatpay.Operation][]documented{
	wechatpay.OperationCreateOrder: {
		{"INVALID_REQUEST", "参数错误", isFailed, wechatpay.Rejected},
		{"INVALID_REQUEST", "time_expire时间过短,刷卡至少1分钟,其他5分钟", isFailed, wechatpay.Rejected},
		{"INVALID_REQUEST", "201 商户订单号重复", isFailed, wechatpay.NumberUsed},
		{"INVALID_REQUEST", "201", isFailed, wechatpay.NumberUsed},
		{"INVALID_REQUEST", "商户订单号重复", isFailed, wechatpay.NumberUsed},
		{"OUT_TRADE_NO_USED", "商户订单号重复", isFailed, wechatpay.NumberUsed},
		{"ORDERPAID", "该订单已支付", isFailed, wechatpay.OrderPaid},
		{"ORDERCLOSED", "订单已关闭", isFailed, wechatpay.OrderClosed},
		{"NOTENOUGH", "余额不足", isFailed, wechatpay.NeedsAttention},
		{"SYSTEMERROR", "系统超时", isUnknown, wechatpay.Repeat},
		{"SYSTEMERROR", "系统错误，请勿重复提交", isUnknown, wechatpay.Repeat},
		{"NOAUTH", "商户无此接口权限", isFailed, wechatpay.NeedsAttention},
		{"NO_AUTH", "此商家的收款功能已被限制", isFailed, wechatpay.NeedsAttention},
		{"RULE_LIMIT", "交易金额受限", isFailed, wechatpay.NeedsAttention},
		{"APPID_NOT_EXIST", "APPID不存在", isFailed, wechatpay.NeedsAttention},
		{"MCHID_NOT_EXIST", "MCHID不存在", isFailed, wechatpay.NeedsAttention},
		{"APPID_MCHID_NOT_MATCH", "appid和mch_id不匹配", isFailed, wechatpay.NeedsAttention},
		{"LACK_PARAMS", "缺少参数", isFailed, wechatpay.Rejected},
		{"PARAM_ERROR", "参数错误", isFailed, wechatpay.Rejected},
		{"SIGNERROR", "签名错误", isFailed, wechatpay.CredentialsRejected},
		{"XML_FORMAT_ERROR", "XML格式错误", isFailed, wechatpay.Rejected},
		{"REQUIRE_POST_METHOD", "请使用post方法", isFailed, wechatpay.Rejected},
		{"POST_DATA_EMPTY", "post数据为空", isFailed, wechatpay.Rejected},
		{"NOT_UTF8", "编码格式错误", isFailed, wechatpay.Rejected},
		{"FREQUENCY_LIMITED", "频率限制", isFailed, wechatpay.SlowDown},
	},
	wechatpay.OperationQueryOrder: {
		{"ORDERNOTEXIST", "此交易订单号不存在", isFailed, wechatpay.OrderNotExist},
		{"SYSTEMERROR", "系统错误", isUnknown, wechatpay.Repeat},
		{"FREQUENCY_LIMITED", "1个月之前的订单申请退款频率过高", isFailed, wechatpay.SlowDown},
	},
	wechatpay.OperationCloseOrder: {
		{"ORDERPAID", "订单已支付，不能发起关单", isFailed, wechatpay.OrderPaid},
		{"ORDERCLOSED", "订单已关闭", isFailed, wechatpay.OrderClosed},
		{"ORDERNOTEXIST", "订单系统不存在此订单", isFailed, wechatpay.OrderNotExist},
		{"TRADE_STATE_ERROR", "订单状态错误", isFailed, wechatpay.StateConflict},
		{"SYSTEMERROR", "系统错误", isUnknown, wechatpay.Repeat},
		{"SIGNERROR", "签名错误", isFailed, wechatpay.CredentialsRejected},
		{"REQUIRE_POST_METHOD", "请使用post方法", isFailed, wechatpay.Rejected},
		{"XML_FORMAT_ERROR", "XML格式错误", isFailed, wechatpay.Rejected},
	},
	wechatpay.OperationCreateRefund: {
		{"SYSTEMERROR", "接口返回错误", isUnknown, wechatpay.Repeat},
		{"BIZERR_NEED_RETRY", "退款业务流程错误，需要商户触发重试来解决", isUnknown, wechatpay.Repeat},
		{"FREQUENCY_LIMITED", "频率限制", isFailed, wechatpay.SlowDown},
		{"INVALID_REQ_TOO_MUCH", "无效请求过多", isFailed, wechatpay.SlowDown},
		{"NOTENOUGH", "基本账户余额不足，请充值后重新发起", isFailed, wechatpay.InsufficientBalance},
		{"NOTENOUGH", "交易未结算资金不足，请使用可用余额退款", isFailed, wechatpay.InsufficientBalance},
		{"NOAUTH", "商户无此接口权限", isFailed, wechatpay.NoRight},
		{"NO_AUTH", "特约子商户商户号未授权服务商的产品权限", isFailed, wechatpay.NoRight},
		{"RULE_LIMIT", "商户风控", isFailed, wechatpay.NeedsAttention},
		{"USER_ACCOUNT_ABNORMAL", "退款请求失败", isFailed, wechatpay.Rejected},
		{"TRADE_OVERDUE", "订单已经超过退款期限", isFailed, wechatpay.Rejected},
		{"ERROR", "业务错误", isFailed, wechatpay.NeedsAttention},
		{"ERROR", "订单已全额退款", isFailed, wechatpay.Rejected},
		{"ORDERNOTEXIST", "订单号不存在", isFailed, wechatpay.OrderNotExist},
		{"INVALID_TRANSACTIONID", "无效transaction_id", isFailed, wechatpay.Rejected},
		{"PARAM_ERROR", "参数错误", isFailed, wechatpay.Rejected},
		{"INVALID_REQUEST", "参数错误", isFailed, wechatpay.NeedsAttention},
		{"INVALID_REQUEST", "订单金额或退款金额与之前请求不一致，请核实后再试", isFailed, wechatpay.AmountConflict},
		{"INVALID_REQUEST", "订单已全额退款", isFailed, wechatpay.Rejected},
		{"NEVER_SEEN", "订单已全额退款", isFailed, wechatpay.Rejected},
		{"REFUND_FEE_MISMATCH", "订单金额或退款金额与之前请求不一致，请核实后再试", isFailed, wechatpay.AmountConflict},
		{"REFUNDNOTEXIST", "not exist", isFailed, wechatpay.OrderNotExist},
		{"APPID_NOT_EXIST", "APPID不存在", isFailed, wechatpay.NeedsAttention},
		{"MCHID_NOT_EXIST", "MCHID不存在", isFailed, wechatpay.NeedsAttention},
		{"SIGNERROR", "签名错误", isFailed, wechatpay.CredentialsRejected},
		{"XML_FORMAT_ERROR", "XML格式错误", isFailed, wechatpay.Rejected},
		{"REQUIRE_POST_METHOD", "请使用post方法", isFailed, wechatpay.Rejected},
		{"CERT_ERROR", "证书校验错误", isFailed, wechatpay.CertificateRejected},
		{"CA_ERROR", "证书已过期", isFailed, wechatpay.CertificateRejected},
	},
	wechatpay.OperationQueryRefund: {
		{"SYSTEMERROR", "接口返回错误", isUnknown, wechatpay.Repeat},
		{"REFUNDNOTEXIST", "退款订单查询失败", isFailed, wechatpay.RefundNotExist},
		{"REFUNDNOTEXIST", "not exist", isFailed, wechatpay.RefundNotExist},
		{"ORDERNOTEXIST", "order not exist", isFailed, wechatpay.RefundNotExist},
		{"INVALID_TRANSACTIONID", "无效transaction_id", isFailed, wechatpay.Rejected},
		{"PARAM_ERROR", "参数错误", isFailed, wechatpay.Rejected},
		{"APPID_NOT_EXIST", "APPID不存在", isFailed, wechatpay.NeedsAttention},
		{"MCHID_NOT_EXIST", "MCHID不存在", isFailed, wechatpay.NeedsAttention},
		{"SIGNERROR", "签名错误", isFailed, wechatpay.CredentialsRejected},
		{"XML_FORMAT_ERROR", "XML格式错误", isFailed, wechatpay.Rejected},
		{"REQUIRE_POST_METHOD", "请使用post方法", isFailed, wechatpay.Rejected},
		{"FREQUENCY_LIMITED", "频率限制", isFailed, wechatpay.SlowDown},
	},
}

func TestEveryDocumentedCodeHasItsMeaning(t *testing.T) {
	if len(documentedCodes) != len(calls) {
		t.Fatal("a call has no table")
	}
	for operation, table := range documentedCodes {
		for _, d := range table {
			t.Run(string(operation)+"/"+d.code+"/"+d.text, func(t *testing.T) {
				if _, known := lookUp(operation, d.code); !known && d.code != "NEVER_SEEN" {
					t.Error("the code is not in the table")
				}
				failure := verifiedFailure(operation, newFields(field{"err_code", d.code}, field{"err_code_des", d.text}))
				expect(t, failure, d.outcome, d.meaning, string(operation)+": WeChat Pay answered "+d.code+": "+d.text)
			})
		}
	}
}

// TestNoOperationHasACodeThatIsNotDocumented: a code in the table without a documented reason would
// be a guess.
func TestNoOperationHasACodeThatIsNotDocumented(t *testing.T) {
	for operation, table := range codesOf {
		var want []string
		for _, d := range documentedCodes[operation] {
			want = append(want, d.code)
		}
		for code := range table {
			if !slices.Contains(want, code) {
				t.Errorf("%s: %s", operation, code)
			}
		}
	}
}

func TestACodeThatNobodyKnowsProvesNothing(t *testing.T) {
	for operation := range calls {
		for _, code := range []string{"BRAND_NEW", "systemerror", ""} {
			failure := verifiedFailure(operation, newFields(field{"err_code", code}))
			expect(t, failure, wechatpay.Unknown, wechatpay.NeedsAttention, "")
		}
	}
}

func TestUnsignedRefusals(t *testing.T) {
	for _, c := range []struct {
		operation  wechatpay.Operation
		code, text string
		outcome    wechatpay.Outcome
		meaning    wechatpay.Meaning
	}{
		{"", "FAIL", "签名错误", wechatpay.Refused, wechatpay.CredentialsRejected},
		{"", "PARAM_ERROR", "签名错误", wechatpay.Refused, wechatpay.CredentialsRejected},
		{"", "SIGNERROR", "sign error", wechatpay.Refused, wechatpay.CredentialsRejected},
		{"", "FAIL", "MCHID_NOT_EXIST", wechatpay.Refused, wechatpay.CredentialsRejected},
		{"", "MCHID_NOT_EXIST", "商户号不存在", wechatpay.Refused, wechatpay.CredentialsRejected},
		{"", "FAIL", "频率限制", wechatpay.Refused, wechatpay.SlowDown},
		{"", "FAIL", "FREQUENCY_LIMITED", wechatpay.Refused, wechatpay.SlowDown},
		{"", "FAIL", "无效请求过多", wechatpay.Refused, wechatpay.SlowDown},
		{"", "FAIL", "证书验证失败", wechatpay.Refused, wechatpay.CertificateRejected},
		{"", "FAIL", "证书已过期", wechatpay.Refused, wechatpay.CertificateRejected},
		{"", "FAIL", "商户号该产品权限未开通，请前往商户平台>产品中心检查后重试", wechatpay.Refused, wechatpay.NeedsAttention},
		{"", "FAIL", "appid和mch_id不匹配", wechatpay.Refused, wechatpay.NeedsAttention},
		{"", "FAIL", "appid参数长度有误", wechatpay.Refused, wechatpay.Rejected},
		{"", "PARAM_ERROR", "", wechatpay.Refused, wechatpay.Rejected},
		{"", "FAIL", "什么都没说", wechatpay.Refused, wechatpay.NeedsAttention},
		{"", "FAIL", "", wechatpay.Refused, wechatpay.NeedsAttention},
		{"", "FAIL", "系统错误", wechatpay.Unknown, wechatpay.Repeat},
		{"", "FAIL", "SYSTEMERROR", wechatpay.Unknown, wechatpay.Repeat},
		{"", "SYSTEMERROR", "", wechatpay.Unknown, wechatpay.Repeat},
		{wechatpay.OperationCreateRefund, "FAIL", "invalid refund_fee", wechatpay.Refused, wechatpay.Rejected},
		{wechatpay.OperationCreateRefund, "FAIL", "订单已全额退款", wechatpay.Refused, wechatpay.Rejected},
		{wechatpay.OperationCreateRefund, "FAIL", "订单金额或退款金额与之前请求不一致", wechatpay.Refused, wechatpay.AmountConflict},
		{wechatpay.OperationCreateRefund, "NOTENOUGH", "余额不足", wechatpay.Refused, wechatpay.InsufficientBalance},
		{wechatpay.OperationCloseOrder, "ORDERCLOSED", "订单已关闭", wechatpay.Refused, wechatpay.OrderClosed},
		{wechatpay.OperationCreateOrder, "FAIL", "201 商户订单号重复", wechatpay.Refused, wechatpay.NumberUsed},
		{wechatpay.OperationCreateOrder, "FAIL", "time_expire 20260101 格式", wechatpay.Refused, wechatpay.NeedsAttention},

		// The same texts with other letter case, widths, spaces and punctuation.
		{"", "FAIL", "System Error", wechatpay.Unknown, wechatpay.Repeat},
		{"", "FAIL", "SystemError", wechatpay.Unknown, wechatpay.Repeat},
		{"", "FAIL", "SYSTEM ERROR", wechatpay.Unknown, wechatpay.Repeat},
		{"", "FAIL", "system_error.", wechatpay.Unknown, wechatpay.Repeat},
		{"", "FAIL", "ＳＹＳＴＥＭＥＲＲＯＲ！", wechatpay.Unknown, wechatpay.Repeat},
		{"", "FAIL", " 系统 错误。", wechatpay.Unknown, wechatpay.Repeat},
		{"", "FAIL", "系统异常，请稍后再试", wechatpay.Unknown, wechatpay.Repeat},
		{"", "SystemError", "", wechatpay.Unknown, wechatpay.Repeat},
		{"", "System Error", "OK", wechatpay.Unknown, wechatpay.Repeat},
		{"", "FAIL", "签名失败", wechatpay.Refused, wechatpay.CredentialsRejected},
		{"", "FAIL", "签名 错误！", wechatpay.Refused, wechatpay.CredentialsRejected},
		{"", "FAIL", "Sign Error", wechatpay.Refused, wechatpay.CredentialsRejected},
		{"", "FAIL", "SIGN_ERROR", wechatpay.Refused, wechatpay.CredentialsRejected},
		{"", "FAIL", "Frequency Limited", wechatpay.Refused, wechatpay.SlowDown},
		{"", "Param_Error", "", wechatpay.Refused, wechatpay.Rejected},
		{wechatpay.OperationCreateRefund, "FAIL", "Invalid refund_fee", wechatpay.Refused, wechatpay.Rejected},
		{wechatpay.OperationCreateRefund, "FAIL", "INVALID REFUND FEE", wechatpay.Refused, wechatpay.Rejected},
	} {
		operations := []wechatpay.Operation{c.operation}
		if c.operation == "" {
			operations = slices.Collect(maps.Keys(calls))
		}
		for _, operation := range operations {
			t.Run(string(operation)+"/"+c.code+"/"+c.text, func(t *testing.T) {
				failure := unsignedRefusal(operation, newFields(field{"return_code", c.code}, field{"return_msg", c.text}))
				expect(t, failure, c.outcome, c.meaning, "")
				if diff := cmp.Diff([]string{c.code, c.text}, []string{failure.Code, failure.Description}); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		}
	}
}

// TestUnsignedRefusalsWithACode: some unsigned refusals have an err_code, which is more specific
// than FAIL.
func TestUnsignedRefusalsWithACode(t *testing.T) {
	for _, c := range []struct {
		code, description, text string
		outcome                 wechatpay.Outcome
		meaning                 wechatpay.Meaning
		says                    string
	}{
		{"SYSTEMERROR", "", "FAIL", wechatpay.Unknown, wechatpay.Repeat, "SYSTEMERROR: FAIL"},
		{"System Error", "", "", wechatpay.Unknown, wechatpay.Repeat, "System Error"},
		{"SYSTEMERROR", "系统参数加载失败", "FAIL", wechatpay.Unknown, wechatpay.Repeat, "SYSTEMERROR: 系统参数加载失败"},
		{"PARAM_ERROR", "签名错误", "OK", wechatpay.Refused, wechatpay.CredentialsRejected, "PARAM_ERROR: 签名错误"},
		{"FREQUENCY_LIMITED", "", "", wechatpay.Refused, wechatpay.SlowDown, "FREQUENCY_LIMITED"},
		{"NOAUTH", "商户无此接口权限", "", wechatpay.Refused, wechatpay.NeedsAttention, "NOAUTH: 商户无此接口权限"},
		{"NEVER_SEEN", "", "系统繁忙", wechatpay.Unknown, wechatpay.Repeat, "NEVER_SEEN: 系统繁忙"},
	} {
		failure := unsignedRefusal(wechatpay.OperationQueryOrder, newFields(field{"return_code", "FAIL"}, field{"return_msg", c.text},
			field{"err_code", c.code}, field{"err_code_des", c.description}))
		expect(t, failure, c.outcome, c.meaning, "QueryOrder: WeChat Pay answered "+c.says)
	}
}

// TestAnUnsignedRefusalIsNoFact: an unsigned ORDERCLOSED must not count as proof that the order is
// closed.
func TestAnUnsignedRefusalIsNoFact(t *testing.T) {
	s := newServer(t, refuses("ORDERCLOSED", "订单已关闭"))
	err := s.client(t).CloseOrder(t.Context(), wechatpay.OrderRef{OutTradeNo: testNumber, AppID: testAppID})
	expect(t, err, wechatpay.Refused, wechatpay.OrderClosed, "")
	if wechatpay.Means(err, wechatpay.OrderClosed) {
		t.Error("taken for a fact")
	}
}

func TestWeChatsWordsAreBounded(t *testing.T) {
	long := strings.Repeat("长", 1000)
	failure := verifiedFailure(wechatpay.OperationCreateRefund, newFields(field{"err_code", long}, field{"err_code_des", long}))
	for _, text := range []string{failure.Code, failure.Description} {
		if len(text) > 256 || !strings.HasPrefix(long, text) || len(text)%len("长") != 0 {
			t.Errorf("%d bytes: %q", len(text), text)
		}
	}
}
