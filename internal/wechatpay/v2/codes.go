package v2

import (
	"slices"
	"strings"
	"unicode"

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
	wechatpay.OperationCreateOrder: {
		"INVALID_REQUEST":   failed(wechatpay.Rejected), // unless wordings has its text
		"OUT_TRADE_NO_USED": failed(wechatpay.NumberUsed),
		"ORDERPAID":         failed(wechatpay.OrderPaid),
		"ORDERCLOSED":       failed(wechatpay.OrderClosed),
		// The payer's balance, not ours: the order stays open for another means of payment.
		"NOTENOUGH": failed(wechatpay.NeedsAttention),
	},
	wechatpay.OperationQueryOrder: {
		"ORDERNOTEXIST": failed(wechatpay.OrderNotExist),
	},
	wechatpay.OperationCloseOrder: {
		"ORDERPAID":         failed(wechatpay.OrderPaid),
		"ORDERCLOSED":       failed(wechatpay.OrderClosed),
		"ORDERNOTEXIST":     failed(wechatpay.OrderNotExist),
		"TRADE_STATE_ERROR": failed(wechatpay.StateConflict),
	},
	wechatpay.OperationCreateRefund: {
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
	wechatpay.OperationQueryRefund: {
		"REFUNDNOTEXIST": failed(wechatpay.RefundNotExist),
		// What WeChat's own test environment says instead. Without the order there is no refund of it either.
		"ORDERNOTEXIST": failed(wechatpay.RefundNotExist),
	},
}

// A wording is a text of WeChat's that says more than its code. It is looked for anywhere in what WeChat says, in any letter case
// and width and whatever spaces and punctuation stand between.
type wording struct {
	text    string
	meaning wechatpay.Meaning
	// operation that the text is known from; empty: any, and only in refusals without a signature. A verified reply
	// has a code for what those say.
	operation wechatpay.Operation
}

// wordings are looked through in this order, and the first that is found holds.
var wordings = bare([]wording{
	// "201 商户订单号重复" is how a used number really arrives; OUT_TRADE_NO_USED is only documented.
	{"201", wechatpay.NumberUsed, wechatpay.OperationCreateOrder},
	{"重复", wechatpay.NumberUsed, wechatpay.OperationCreateOrder},

	{"订单金额或退款金额与之前请求不一致", wechatpay.AmountConflict, wechatpay.OperationCreateRefund},
	{"订单已全额退款", wechatpay.Rejected, wechatpay.OperationCreateRefund},
	{"invalid refund_fee", wechatpay.Rejected, wechatpay.OperationCreateRefund},

	{"签名错误", wechatpay.CredentialsRejected, ""},
	{"签名失败", wechatpay.CredentialsRejected, ""},
	{"签名有误", wechatpay.CredentialsRejected, ""},
	{"签名不正确", wechatpay.CredentialsRejected, ""},
	{"签名不匹配", wechatpay.CredentialsRejected, ""},
	{"签名验证失败", wechatpay.CredentialsRejected, ""},
	{"签名校验失败", wechatpay.CredentialsRejected, ""},
	{"验签失败", wechatpay.CredentialsRejected, ""},
	{"sign error", wechatpay.CredentialsRejected, ""},
	{"signature error", wechatpay.CredentialsRejected, ""},
	{"invalid signature", wechatpay.CredentialsRejected, ""},
	{"证书", wechatpay.CertificateRejected, ""},
	{"频率限制", wechatpay.SlowDown, ""},
	{"频率过高", wechatpay.SlowDown, ""},
	{"无效请求过多", wechatpay.SlowDown, ""},
	{"frequency limit", wechatpay.SlowDown, ""},
	{"系统错误", wechatpay.Repeat, ""},
	{"系统异常", wechatpay.Repeat, ""},
	{"系统超时", wechatpay.Repeat, ""},
	{"系统繁忙", wechatpay.Repeat, ""},
	{"接口返回错误", wechatpay.Repeat, ""},
	{"system error", wechatpay.Repeat, ""},
	{"system busy", wechatpay.Repeat, ""},
	{"system timeout", wechatpay.Repeat, ""},
})

// vagueWordings hold when no code does: they are in many texts.
var vagueWordings = bare([]wording{
	{"权限", wechatpay.NeedsAttention, ""},
	{"不匹配", wechatpay.NeedsAttention, ""},
	{"参数", wechatpay.Rejected, ""},
})

// judgeCode judges err_code and err_code_des of a verified reply. A code that is an umbrella, or not known, leaves the
// word to its text.
func judgeCode(operation wechatpay.Operation, code, text string) judgement {
	known, found := lookUp(operation, code)
	if !found || isUmbrella(code) {
		for _, w := range wordings {
			if w.operation == operation && w.isIn(text) {
				return failed(w.meaning)
			}
		}
	}
	if !found {
		return notUnderstood
	}
	return known
}

// judgeUnsigned finds the meaning of a refusal without a signature. Its texts say more than its return_code, which is FAIL as a
// rule; now and then a text or return_code is one of the codes (PARAM_ERROR with 签名错误), and some have an err_code.
func judgeUnsigned(operation wechatpay.Operation, codes, texts []string) wechatpay.Meaning {
	if meaning, found := anyWording(wordings, operation, texts); found {
		return meaning
	}
	for _, word := range slices.Concat(codes, texts) {
		if known, found := lookUpLoosely(operation, word); found {
			return known.meaning
		}
	}
	if meaning, found := anyWording(vagueWordings, operation, texts); found {
		return meaning
	}
	return wechatpay.NeedsAttention
}

func anyWording(of []wording, operation wechatpay.Operation, texts []string) (wechatpay.Meaning, bool) {
	for _, w := range of {
		if w.operation == "" || w.operation == operation {
			if slices.ContainsFunc(texts, w.isIn) {
				return w.meaning, true
			}
		}
	}
	return "", false
}

// isIn says whether a text has the wording. A number counts only as a number of its own: 201 is not in 20201.
func (w wording) isIn(text string) bool {
	if digits(w.text) {
		return slices.Contains(strings.FieldsFunc(normalised(text), func(r rune) bool { return r < '0' || r > '9' }), w.text)
	}
	return strings.Contains(bareWords(text), w.text)
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

// lookUpLoosely finds a code in any letter case and width, with or without spaces and underscores: in refusals without a signature
// SYSTEMERROR comes as System Error too.
func lookUpLoosely(operation wechatpay.Operation, code string) (judgement, bool) {
	code = bareWords(code)
	if particular, found := bareCodesOf[operation][code]; found {
		return particular, true
	}
	general, found := bareCodesOfEveryCall[code]
	return general, found
}

// sameCode says whether a code of WeChat's is the one that is meant.
func sameCode(code, meant string) bool { return bareWords(code) == bareWords(meant) }

var (
	bareCodesOfEveryCall = bareCodes(codesOfEveryCall)
	bareCodesOf          = func() map[wechatpay.Operation]map[string]judgement {
		all := map[wechatpay.Operation]map[string]judgement{}
		for operation, codes := range codesOf {
			all[operation] = bareCodes(codes)
		}
		return all
	}()
)

func bareCodes(codes map[string]judgement) map[string]judgement {
	bare := make(map[string]judgement, len(codes))
	for code, judgement := range codes {
		bare[bareWords(code)] = judgement
	}
	return bare
}

func bare(wordings []wording) []wording {
	for i := range wordings {
		wordings[i].text = bareWords(wordings[i].text)
	}
	return wordings
}

// bareWords are the letters and digits of a text alone, in lower case and half width.
func bareWords(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, normalised(text))
}

// normalised is a text in lower case, its full-width ASCII (ＳＹＳＴＥＭ) in half width.
func normalised(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= '\uFF01' && r <= '\uFF5E' {
			r -= '\uFF01' - '!'
		}
		return unicode.ToLower(r)
	}, text)
}

func digits(text string) bool {
	return strings.Trim(text, "0123456789") == ""
}
