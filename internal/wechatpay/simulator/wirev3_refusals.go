package simulator

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// problem is a failure of API v3: an HTTP status, a code, and the number at the end of Request-ID.
type problem struct {
	status   int
	code     string
	message  string
	internal int
	// field and issue say what is wrong with a parameter.
	field, issue string
	// unsigned failures come from before the API.
	unsigned bool
}

func (p problem) Error() string { return p.code + " " + p.message }

// The internal numbers in Request-ID.
const (
	internalOK             = 0
	internalParameter      = 268435461
	internalRange          = 268435464
	internalExtraMember    = 270924358
	internalSignature      = 268443699
	internalOpenIDMissing  = 268501013
	internalSystem         = 268435456
	internalInvalidRequest = 268435460
)

// wordsV3 are API v3's words for the reasons.
var wordsV3 = map[reason]problem{
	errOrderNotExist:      {status: 404, code: "ORDER_NOT_EXIST", message: "订单不存在", internal: 268512771},
	errOrderUnpaid:        {status: 404, code: "RESOURCE_NOT_EXISTS", message: "订单不存在或未支付", internal: 268512771},
	errOrderPaid:          {status: 400, code: "ORDER_PAID", message: "该订单已支付", internal: 268449538},
	errPaidNotClosable:    {status: 400, code: "ORDER_PAID", message: "订单已支付，不能发起关单", internal: 268498689},
	errOrderClosed:        {status: 400, code: "ORDER_CLOSED", message: "订单已关闭", internal: 268447914},
	errClosesTooSoon:      {status: 400, code: "INVALID_REQUEST", message: "下单后5分钟内不能关单", internal: internalInvalidRequest},
	errDuplicateOrder:     {status: 403, code: "OUT_TRADE_NO_USED", message: "请求重入时，参数与首次请求时不一致", internal: 268498688},
	errDeadlineTooClose:   {status: 400, code: "PARAM_ERROR", message: "time_expire时间过短", internal: internalRange},
	errTransactionID:      {status: 404, code: "RESOURCE_NOT_EXISTS", message: "订单不存在", internal: 268512771},
	errRefundMismatch:     {status: 400, code: "INVALID_REQUEST", message: "订单金额或退款金额与之前请求不一致，请核实后再试", internal: internalInvalidRequest},
	errRefundCurrency:     {status: 400, code: "PARAM_ERROR", message: "退款币种与订单不一致", internal: internalParameter},
	errRefundNotExist:     {status: 404, code: "RESOURCE_NOT_EXISTS", message: "退款单不存在", internal: 268512771},
	errRefundOverdue:      {status: 400, code: "INVALID_REQUEST", message: "订单已经超过退款期限", internal: internalInvalidRequest},
	errRefundedInFull:     {status: 400, code: "INVALID_REQUEST", message: "订单已全额退款", internal: internalInvalidRequest},
	errRefundExceeds:      {status: 400, code: "INVALID_REQUEST", message: "申请退款金额大于订单可退金额", internal: internalInvalidRequest},
	errRefundCount:        {status: 400, code: "INVALID_REQUEST", message: "一笔订单最多支持50次退款", internal: internalInvalidRequest},
	errRefundNotAbnormal:  {status: 400, code: "INVALID_REQUEST", message: "退款单状态不是退款异常", internal: internalInvalidRequest},
	errNotEnough:          {status: 403, code: "NOT_ENOUGH", message: "基本账户余额不足，请充值后重新发起", internal: internalInvalidRequest},
	errFrequencyLimited:   {status: 429, code: "FREQUENCY_LIMITED", message: "频率限制", internal: 268447840},
	errRateLimited:        {status: 429, code: "RATELIMIT_EXCEEDED", message: "频率限制", internal: 268447840, unsigned: true},
	errTooManyInvalid:     {status: 429, code: "FREQUENCY_LIMITED", message: "无效请求过多", internal: 268447840},
	errNeedRetry:          {status: 500, code: "SYSTEM_ERROR", message: "退款业务流程错误，需要商户触发重试来解决", internal: internalSystem},
	errSystem:             {status: 500, code: "SYSTEM_ERROR", message: "系统错误", internal: internalSystem},
	errAppIDMismatch:      {status: 400, code: "APPID_MCHID_NOT_MATCH", message: "appid和mch_id不匹配", internal: 268445527},
	errSubAppIDMismatch:   {status: 400, code: "APPID_MCHID_NOT_MATCH", message: "sub_mch_id与sub_appid不匹配", internal: 268445527},
	errSubMchRequired:     {status: 400, code: "INVALID_REQUEST", message: "受理机构必须传入sub_mch_id", internal: 268443704},
	errSubMchForbidden:    {status: 403, code: "NO_AUTH", message: "普通商户不允许传sub_mchid", internal: internalInvalidRequest},
	errSubMchIsProvider:   {status: 400, code: "INVALID_REQUEST", message: "sub_mchid不能与sp_mchid相同", internal: 268443705},
	errNoRelation:         {status: 403, code: "NO_AUTH", message: "受理关系不存在", internal: 268443701},
	errSubMchMismatch:     {status: 400, code: "INVALID_REQUEST", message: "sub_mchid与订单信息不一致", internal: 268447845},
	errNoRefundRight:      {status: 403, code: "NO_AUTH", message: "特约子商户商户号未授权服务商的产品权限", internal: internalInvalidRequest},
	errRefundRightRevoked: {status: 403, code: "NO_AUTH", message: "服务商与特约商户关系上，该产品授权已被解除", internal: internalInvalidRequest},
}

// sayV3 turns an error into API v3's words.
func sayV3(operation Operation, err error, f *Fault) problem {
	var said problem
	var why reason
	var failed failure
	var refused refusal
	switch {
	case errors.As(err, &said):
		return said
	case errors.As(err, &why):
		refunds := operation == OperationRefund || operation == OperationAbnormalRefund
		if why == errOrderNotExist && refunds {
			why = errTransactionID
		}
		if words, known := wordsV3[why]; known {
			return words
		}
	case errors.As(err, &failed):
		return translate(failed.code, failed.description, f)
	case errors.As(err, &refused):
		said = translate(firstOf(refused.code, codeOfRefusal(refused.message)), refused.message, f)
		said.unsigned = true
		return said
	}
	return wordsV3[errSystem]
}

// spellingV3 are the codes of API v3 for those of API v2, which faults may name.
var spellingV3 = map[string]string{
	"ORDERNOTEXIST": "ORDER_NOT_EXIST", "ORDERPAID": "ORDER_PAID", "ORDERCLOSED": "ORDER_CLOSED", "SYSTEMERROR": "SYSTEM_ERROR",
	"NOTENOUGH": "NOT_ENOUGH", "NOAUTH": "NO_AUTH", "SIGNERROR": "SIGN_ERROR", "RULELIMIT": "RULE_LIMIT",
	"REFUNDNOTEXIST": "RESOURCE_NOT_EXISTS", "BIZERR_NEED_RETRY": "SYSTEM_ERROR", "REFUND_FEE_MISMATCH": "INVALID_REQUEST",
	"TRADE_OVERDUE": "INVALID_REQUEST", "TRADE_STATE_ERROR": "INVALID_REQUEST", "INVALID_REQ_TOO_MUCH": "FREQUENCY_LIMITED",
	"LACK_PARAMS": "PARAM_ERROR", "MCHID_NOT_EXIST": "MCH_NOT_EXISTS", "APPID_NOT_EXIST": "APPID_MCHID_NOT_MATCH",
	"BANKERROR": "BANK_ERROR", "FAIL": "PARAM_ERROR",
}

// statusV3 are the statuses of the codes that do not come with 400.
var statusV3 = map[string]int{
	"USERPAYING": 202, "SIGN_ERROR": 401, "NO_AUTH": 403, "OUT_TRADE_NO_USED": 403, "RULE_LIMIT": 403, "TRADE_ERROR": 403,
	"ACCOUNT_ERROR": 403, "USER_ACCOUNT_ABNORMAL": 403, "NOT_ENOUGH": 403, "REQUEST_BLOCKED": 403, "ORDER_NOT_EXIST": 404,
	"RESOURCE_NOT_EXISTS": 404, "FREQUENCY_LIMITED": 429, "RATELIMIT_EXCEEDED": 429, "FREQUENCY_LIMIT_EXCEED": 429,
	"SYSTEM_ERROR": 500, "BANK_ERROR": 500, "INVALID_TRANSACTIONID": 500, "OPENID_MISMATCH": 500, "SERVICE_UNAVAILABLE": 503,
}

// translate says a fault's failure. One that names its status is sent as it is.
func translate(code, message string, f *Fault) problem {
	said := problem{code: code, message: message, internal: internalInvalidRequest}
	if f != nil && f.Status != 0 {
		said.status = f.Status
		return said
	}
	if spelled := spellingV3[code]; spelled != "" {
		said.code = spelled
	}
	said.status = statusV3[said.code]
	if said.status == 0 {
		said.status = http.StatusBadRequest
	}
	return said
}

// codeOfRefusal finds the code for a return_msg of API v2.
func codeOfRefusal(message string) string {
	switch {
	case strings.Contains(message, "签名"):
		return "SIGN_ERROR"
	case strings.Contains(message, "频率"):
		return "RATELIMIT_EXCEEDED"
	case strings.Contains(message, "权限"), strings.Contains(message, "授权"), strings.Contains(message, "受理"):
		return "NO_AUTH"
	case strings.Contains(message, "系统"):
		return "SYSTEM_ERROR"
	case strings.Contains(message, "MCHID"):
		return "MCH_NOT_EXISTS"
	}
	return "PARAM_ERROR"
}

// badParameter is the refusal of one member of a request.
func badParameter(field, issue string, internal int) problem {
	return problem{
		status: 400, code: "PARAM_ERROR", message: fmt.Sprintf("参数错误: %s %s", field, issue), internal: internal, field: field, issue: issue,
	}
}

// notSigned is the refusal of a request whose sender is not proven.
func notSigned(err error) problem {
	return problem{status: 401, code: "SIGN_ERROR", message: "签名错误: " + err.Error(), internal: internalSignature, field: "signature", issue: "sign not match"}
}
