package v2

import (
	"strings"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// A judgement is what a code says of a call, and asks of its caller.
type judgement struct {
	outcome wechatpay.Outcome
	meaning wechatpay.Meaning
}

func failed(meaning wechatpay.Meaning) judgement { return judgement{wechatpay.Failed, meaning} }

// mayBeDone: WeChat itself does not know whether it was done. The same call again tells.
var mayBeDone = judgement{wechatpay.Unknown, wechatpay.Repeat}

// notUnderstood is a code that we do not know. It proves nothing, and somebody should read it.
var notUnderstood = judgement{wechatpay.Unknown, wechatpay.NeedsAttention}

const codeSystemError = "SYSTEMERROR"

// codesOfEveryCall hold unless codesOf has the code for the operation. Chapters 9_1 to 9_5, error tables.
var codesOfEveryCall = map[string]judgement{
	codeSystemError:     mayBeDone,
	"BIZERR_NEED_RETRY": mayBeDone,

	"FREQUENCY_LIMITED":    failed(wechatpay.SlowDown),
	"INVALID_REQ_TOO_MUCH": failed(wechatpay.SlowDown),

	"SIGNERROR":  failed(wechatpay.CredentialsRejected),
	"CERT_ERROR": failed(wechatpay.CertificateRejected),
	"CA_ERROR":   failed(wechatpay.CertificateRejected),

	"NOAUTH":                failed(wechatpay.NeedsAttention),
	"APPID_NOT_EXIST":       failed(wechatpay.NeedsAttention),
	"MCHID_NOT_EXIST":       failed(wechatpay.NeedsAttention),
	"APPID_MCHID_NOT_MATCH": failed(wechatpay.NeedsAttention),

	"PARAM_ERROR":           failed(wechatpay.Rejected),
	"LACK_PARAMS":           failed(wechatpay.Rejected),
	"XML_FORMAT_ERROR":      failed(wechatpay.Rejected),
	"POST_DATA_EMPTY":       failed(wechatpay.Rejected),
	"REQUIRE_POST_METHOD":   failed(wechatpay.Rejected),
	"NOT_UTF8":              failed(wechatpay.Rejected),
	"INVALID_TRANSACTIONID": failed(wechatpay.Rejected),
}

// codesOf are the codes that mean something particular in one call.
var codesOf = map[wechatpay.Operation]map[string]judgement{
	wechatpay.OperationUnifiedOrder: {
		"INVALID_REQUEST":   failed(wechatpay.Rejected), // unless wordings has its text
		"OUT_TRADE_NO_USED": failed(wechatpay.NumberUsed),
		"ORDERPAID":         failed(wechatpay.OrderPaid),
		"ORDERCLOSED":       failed(wechatpay.OrderClosed),
		// The payer's balance, not ours: the order stays open for another means of payment.
		"NOTENOUGH": failed(wechatpay.NeedsAttention),
	},
	wechatpay.OperationOrderQuery: {
		"ORDERNOTEXIST": failed(wechatpay.OrderNotExist),
	},
	wechatpay.OperationCloseOrder: {
		"ORDERPAID":         failed(wechatpay.OrderPaid),
		"ORDERCLOSED":       failed(wechatpay.OrderClosed),
		"ORDERNOTEXIST":     failed(wechatpay.OrderNotExist),
		"TRADE_STATE_ERROR": failed(wechatpay.StateConflict),
	},
	wechatpay.OperationRefund: {
		"NOTENOUGH":             failed(wechatpay.InsufficientBalance),
		"USER_ACCOUNT_ABNORMAL": failed(wechatpay.Rejected),
		"TRADE_OVERDUE":         failed(wechatpay.Rejected),
		"REFUND_FEE_MISMATCH":   failed(wechatpay.AmountConflict),
		"ORDERNOTEXIST":         failed(wechatpay.OrderNotExist),
		// Seen for an order of another merchant number.
		"REFUNDNOTEXIST": failed(wechatpay.OrderNotExist),
		// Two umbrellas. What is under them is in err_code_des and for a person to read; wordings has what is known.
		"ERROR":           failed(wechatpay.NeedsAttention),
		"INVALID_REQUEST": failed(wechatpay.NeedsAttention),
	},
	wechatpay.OperationRefundQuery: {
		"REFUNDNOTEXIST": failed(wechatpay.RefundNotExist),
		// What WeChat's own test environment says instead. Without the order there is no refund of it either.
		"ORDERNOTEXIST": failed(wechatpay.RefundNotExist),
	},
}

// A wording is a text of WeChat's that says more than its code. It is looked for anywhere in what WeChat says.
type wording struct {
	text    string
	meaning wechatpay.Meaning
	// operation that the text is known from; empty: any, and only in refusals without a signature. A verified reply
	// has a code for what those say.
	operation wechatpay.Operation
}

// wordings are looked through in this order, and the first that is found holds.
var wordings = []wording{
	// "201 商户订单号重复" is how a used number really arrives; OUT_TRADE_NO_USED is only documented.
	{"201", wechatpay.NumberUsed, wechatpay.OperationUnifiedOrder},
	{"重复", wechatpay.NumberUsed, wechatpay.OperationUnifiedOrder},

	{"订单金额或退款金额与之前请求不一致", wechatpay.AmountConflict, wechatpay.OperationRefund},
	{"订单已全额退款", wechatpay.Rejected, wechatpay.OperationRefund},
	{"invalid refund_fee", wechatpay.Rejected, wechatpay.OperationRefund},

	{"签名错误", wechatpay.CredentialsRejected, ""},
	{"证书", wechatpay.CertificateRejected, ""},
	{"频率限制", wechatpay.SlowDown, ""},
	{"无效请求过多", wechatpay.SlowDown, ""},
	{"系统错误", wechatpay.Repeat, ""},
	{"系统超时", wechatpay.Repeat, ""},
	{"系统繁忙", wechatpay.Repeat, ""},
	{"system error", wechatpay.Repeat, ""},
	{"权限", wechatpay.NeedsAttention, ""},
	{"不匹配", wechatpay.NeedsAttention, ""},
	{"参数", wechatpay.Rejected, ""},
}

// judgeCode judges err_code and err_code_des of a verified reply. A code that is an umbrella, or not known, leaves the
// word to its text.
func judgeCode(operation wechatpay.Operation, code, text string) judgement {
	known, found := lookUp(operation, code)
	if !found || isUmbrella(code) {
		for _, w := range wordings {
			if w.operation == operation && strings.Contains(text, w.text) {
				return failed(w.meaning)
			}
		}
	}
	if !found {
		return notUnderstood
	}
	return known
}

// judgeUnsigned finds the meaning of a refusal without a signature. Its text says more than its return_code, which is
// FAIL as a rule; now and then either of them is one of the codes (PARAM_ERROR with 签名错误).
func judgeUnsigned(operation wechatpay.Operation, code, text string) wechatpay.Meaning {
	for _, w := range wordings {
		if (w.operation == "" || w.operation == operation) && strings.Contains(text, w.text) {
			return w.meaning
		}
	}
	for _, word := range []string{text, code} {
		if known, found := lookUp(operation, word); found {
			return known.meaning
		}
	}
	return wechatpay.NeedsAttention
}

// isUmbrella says whether a code covers anything and everything.
func isUmbrella(code string) bool { return code == "INVALID_REQUEST" || code == "ERROR" }

func lookUp(operation wechatpay.Operation, code string) (judgement, bool) {
	if particular, found := codesOf[operation][code]; found {
		return particular, true
	}
	general, found := codesOfEveryCall[code]
	return general, found
}
