package simulator

import "fmt"

// refusal is a failure at the communication level: an unsigned reply with only return_code and
// return_msg.
type refusal struct {
	code    string // FAIL by default
	message string
}

func (r refusal) Error() string { return r.message }

func refuse(message string) error { return refusal{message: message} }

// failure is a failure at the business level: a signed reply with err_code and err_code_des.
type failure struct{ code, description string }

func (f failure) Error() string { return f.code + " " + f.description }

func fail(code, description string, args ...any) error {
	return failure{code: code, description: fmt.Sprintf(description, args...)}
}

// The failures shared by several APIs, in WeChat Pay's words.
var (
	errSignature        = refuse("签名错误")
	errOrderNotExist    = fail("ORDERNOTEXIST", "订单不存在")
	errOrderPaid        = fail("ORDERPAID", "该订单已支付")
	errOrderClosed      = fail("ORDERCLOSED", "订单已关闭")
	errDuplicateOrder   = fail("INVALID_REQUEST", "201 商户订单号重复")
	errTransactionID    = fail("INVALID_TRANSACTIONID", "无效transaction_id")
	errRefundMismatch   = fail("REFUND_FEE_MISMATCH", "订单金额或退款金额与之前请求不一致，请核实后再试")
	errRefundNotExist   = fail("REFUNDNOTEXIST", "not exist")
	errFrequencyLimited = fail("FREQUENCY_LIMITED", "频率限制")
	errTooManyInvalid   = fail("INVALID_REQ_TOO_MUCH", "无效请求过多")
	errNotEnough        = fail("NOTENOUGH", "基本账户余额不足，请充值后重新发起")
)

func lacking(field string) error { return fail("LACK_PARAMS", "缺少参数 %s", field) }

func malformed(field string) error { return fail("PARAM_ERROR", "%s参数格式有误", field) }

func tooLong(field string) error { return fail("PARAM_ERROR", "%s参数长度有误", field) }
