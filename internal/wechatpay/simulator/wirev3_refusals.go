package simulator

import (
	"cmp"
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

func newProblem(status int, code string, internal int, message string) problem {
	return problem{status: status, code: code, internal: internal, message: message}
}

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
	errOrderNotExist:      newProblem(404, "ORDER_NOT_EXIST", 268512771, "订单不存在"),
	errOrderUnpaid:        newProblem(404, "RESOURCE_NOT_EXISTS", 268512771, "订单不存在或未支付"),
	errOrderPaid:          newProblem(400, "ORDER_PAID", 268449538, "该订单已支付"),
	errPaidNotClosable:    newProblem(400, "ORDER_PAID", 268498689, "订单已支付，不能发起关单"),
	errOrderClosed:        newProblem(400, "ORDER_CLOSED", 268447914, "订单已关闭"),
	errClosesTooSoon:      newProblem(400, "INVALID_REQUEST", internalInvalidRequest, "下单后5分钟内不能关单"),
	errDuplicateOrder:     newProblem(403, "OUT_TRADE_NO_USED", 268498688, "请求重入时，参数与首次请求时不一致"),
	errDeadlineTooClose:   newProblem(400, "PARAM_ERROR", internalRange, "time_expire时间过短"),
	errTransactionID:      newProblem(404, "RESOURCE_NOT_EXISTS", 268512771, "订单不存在"),
	errRefundMismatch:     newProblem(400, "INVALID_REQUEST", internalInvalidRequest, "订单金额或退款金额与之前请求不一致，请核实后再试"),
	errRefundCurrency:     newProblem(400, "PARAM_ERROR", internalParameter, "退款币种与订单不一致"),
	errRefundNotExist:     newProblem(404, "RESOURCE_NOT_EXISTS", 268512771, "退款单不存在"),
	errRefundOverdue:      newProblem(400, "INVALID_REQUEST", internalInvalidRequest, "订单已经超过退款期限"),
	errRefundedInFull:     newProblem(400, "INVALID_REQUEST", internalInvalidRequest, "订单已全额退款"),
	errRefundExceeds:      newProblem(400, "INVALID_REQUEST", internalInvalidRequest, "申请退款金额大于订单可退金额"),
	errRefundCount:        newProblem(400, "INVALID_REQUEST", internalInvalidRequest, "一笔订单最多支持50次退款"),
	errRefundNotAbnormal:  newProblem(400, "INVALID_REQUEST", internalInvalidRequest, "退款单状态不是退款异常"),
	errNotEnough:          newProblem(403, "NOT_ENOUGH", internalInvalidRequest, "基本账户余额不足，请充值后重新发起"),
	errFrequencyLimited:   newProblem(429, "FREQUENCY_LIMITED", 268447840, "频率限制"),
	errRateLimited:        {status: 429, code: "RATELIMIT_EXCEEDED", internal: 268447840, message: "频率限制", unsigned: true},
	errTooManyInvalid:     newProblem(429, "FREQUENCY_LIMITED", 268447840, "无效请求过多"),
	errNeedRetry:          newProblem(500, "SYSTEM_ERROR", internalSystem, "退款业务流程错误，需要商户触发重试来解决"),
	errSystem:             newProblem(500, "SYSTEM_ERROR", internalSystem, "系统错误"),
	errAppIDMismatch:      newProblem(400, "APPID_MCHID_NOT_MATCH", 268445527, "appid和mch_id不匹配"),
	errSubAppIDMismatch:   newProblem(400, "APPID_MCHID_NOT_MATCH", 268445527, "sub_mch_id与sub_appid不匹配"),
	errSubMchRequired:     newProblem(400, "INVALID_REQUEST", 268443704, "受理机构必须传入sub_mch_id"),
	errSubMchForbidden:    newProblem(403, "NO_AUTH", internalInvalidRequest, "普通商户不允许传sub_mchid"),
	errSubMchIsProvider:   newProblem(400, "INVALID_REQUEST", 268443705, "sub_mchid不能与sp_mchid相同"),
	errNoRelation:         newProblem(403, "NO_AUTH", 268443701, "受理关系不存在"),
	errSubMchMismatch:     newProblem(400, "INVALID_REQUEST", 268447845, "sub_mchid与订单信息不一致"),
	errNoBill:             newProblem(400, "NO_STATEMENT_EXIST", internalInvalidRequest, "请求的账单文件不存在"),
	errBillCreating:       newProblem(400, "STATEMENT_CREATING", internalInvalidRequest, "请求的账单正在生成中"),
	errBillOfToday:        newProblem(400, "INVALID_REQUEST", internalInvalidRequest, "请求的账单日期不合法"),
	errBillTooOld:         newProblem(400, "INVALID_REQUEST", internalInvalidRequest, "请求的账单日期已过期"),
	errNoRefundRight:      newProblem(403, "NO_AUTH", internalInvalidRequest, "特约子商户商户号未授权服务商的产品权限"),
	errRefundRightRevoked: newProblem(403, "NO_AUTH", internalInvalidRequest, "服务商与特约商户关系上，该产品授权已被解除"),
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
		said = translate(cmp.Or(refused.code, codeOfRefusal(refused.message)), refused.message, f)
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

// Spelling returns a protocol's spelling of an error code of API v2.
func Spelling(protocol Protocol, code string) string {
	if protocol == ProtocolV3 {
		return cmp.Or(spellingV3[code], code)
	}
	return code
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
	said.code = Spelling(ProtocolV3, code)
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
	said := newProblem(400, "PARAM_ERROR", internal, fmt.Sprintf("参数错误: %s %s", field, issue))
	said.field, said.issue = field, issue
	return said
}

// notSigned is the refusal of a request whose sender is not proven.
func notSigned(err error) problem {
	said := newProblem(401, "SIGN_ERROR", internalSignature, "签名错误: "+err.Error())
	said.field, said.issue = "signature", "sign not match"
	return said
}
