package simulator

import (
	"errors"
	"fmt"
)

// refusal is a failure at the communication level: an unsigned reply with only return_code and
// return_msg.
type refusal struct {
	code    string // FAIL by default
	message string
	// errorCode is a number that refusals of bills have.
	errorCode string
}

func (r refusal) Error() string { return r.message }

func refuse(message string) error { return refusal{message: message} }

// failure is a failure at the business level: a signed reply with err_code and err_code_des.
type failure struct{ code, description string }

func (f failure) Error() string { return f.code + " " + f.description }

func fail(code, description string, args ...any) error {
	return failure{code: code, description: fmt.Sprintf(description, args...)}
}

// wordsV2 are API v2's words for the reasons.
var wordsV2 = map[reason]error{
	errOrderNotExist:      fail("ORDERNOTEXIST", "订单不存在"),
	errOrderUnpaid:        fail("ORDERNOTEXIST", "订单号不存在"),
	errOrderPaid:          fail("ORDERPAID", "该订单已支付"),
	errPaidNotClosable:    fail("ORDERPAID", "订单已支付，不能发起关单"),
	errOrderClosed:        fail("ORDERCLOSED", "订单已关闭"),
	errClosedAlready:      fail("ORDERCLOSED", "订单已关闭"),
	errClosesTooSoon:      fail("TRADE_STATE_ERROR", "订单状态错误: 下单后5分钟内不能关单"),
	errDuplicateOrder:     fail("INVALID_REQUEST", "201 商户订单号重复"),
	errDeadlineTooClose:   fail("INVALID_REQUEST", "time_expire时间过短,刷卡至少1分钟,其他5分钟"),
	errTransactionID:      fail("INVALID_TRANSACTIONID", "无效transaction_id"),
	errRefundMismatch:     fail("REFUND_FEE_MISMATCH", "订单金额或退款金额与之前请求不一致，请核实后再试"),
	errRefundCurrency:     malformed("refund_fee_type"),
	errRefundNotExist:     fail("REFUNDNOTEXIST", "not exist"),
	errRefundOverdue:      fail("TRADE_OVERDUE", "订单已经超过退款期限"),
	errRefundedInFull:     fail("INVALID_REQUEST", "订单已全额退款"),
	errRefundExceeds:      fail("INVALID_REQUEST", "退款金额超过订单可退金额"),
	errRefundCount:        fail("INVALID_REQUEST", "一笔订单最多支持%d次退款", maxRefundsPerOrder),
	errNotEnough:          fail("NOTENOUGH", "基本账户余额不足，请充值后重新发起"),
	errFrequencyLimited:   fail("FREQUENCY_LIMITED", "频率限制"),
	errRateLimited:        refuse("频率限制"),
	errTooManyInvalid:     fail("INVALID_REQ_TOO_MUCH", "无效请求过多"),
	errNeedRetry:          fail("BIZERR_NEED_RETRY", "退款业务流程错误，需要商户触发重试来解决"),
	errSystem:             fail("SYSTEMERROR", "系统错误"),
	errSignature:          refuse("签名错误"),
	errAppIDMismatch:      fail("APPID_MCHID_NOT_MATCH", "appid和mch_id不匹配"),
	errSubAppIDMismatch:   fail("APPID_MCHID_NOT_MATCH", "sub_mch_id与sub_appid不匹配"),
	errSubMchRequired:     refuse("受理机构必须传入sub_mch_id"),
	errSubMchForbidden:    refuse("普通商户不允许传sub_mch_id"),
	errSubMchIsProvider:   refuse("sub_mch_id不能与mch_id相同"),
	errNoRelation:         refuse("受理关系不存在"),
	errSubMchMismatch:     fail("INVALID_REQUEST", "您的请求参数与订单信息不一致"),
	errNoRefundRight:      refuse("特约子商户商户号未授权服务商的产品权限"),
	errRefundRightRevoked: refuse("服务商与特约商户关系上，该产品授权已被解除"),
}

// sayV2 turns a reason into API v2's words. Other errors are returned as they are.
func sayV2(err error) error {
	var why reason
	if !errors.As(err, &why) {
		return err
	}
	if words, known := wordsV2[why]; known {
		return words
	}
	return wordsV2[errSystem]
}

func lacking(field string) error { return fail("LACK_PARAMS", "缺少参数 %s", field) }

func malformed(field string) error { return fail("PARAM_ERROR", "%s参数格式有误", field) }

func tooLong(field string) error { return fail("PARAM_ERROR", "%s参数长度有误", field) }
