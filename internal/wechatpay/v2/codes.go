package v2

import (
	"slices"
	"strings"
	"unicode"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// judgement is the outcome and the meaning of an error code.
type judgement struct {
	outcome wechatpay.Outcome
	meaning wechatpay.Meaning
}

func failed(meaning wechatpay.Meaning) judgement { return judgement{wechatpay.Failed, meaning} }

// mayBeDone: WeChat Pay itself does not know whether the call took effect. Repeating the call
// resolves it.
var mayBeDone = judgement{wechatpay.Unknown, wechatpay.Repeat}

// notUnderstood is the judgement of an unknown code. It proves nothing and needs attention.
var notUnderstood = judgement{wechatpay.Unknown, wechatpay.NeedsAttention}

const (
	codeSystemError   = "SYSTEMERROR"
	codeMchIDNotExist = "MCHID_NOT_EXIST"
)

// codesOfEveryCall apply unless codesOf has the code for the operation. Chapters 9_1 to 9_5, error
// tables.
var codesOfEveryCall = map[string]judgement{
	codeSystemError:     mayBeDone,
	"BIZERR_NEED_RETRY": mayBeDone,

	"FREQUENCY_LIMITED":    failed(wechatpay.SlowDown),
	"INVALID_REQ_TOO_MUCH": failed(wechatpay.SlowDown),

	"SIGNERROR":  failed(wechatpay.CredentialsRejected),
	"CERT_ERROR": failed(wechatpay.CertificateRejected),
	"CA_ERROR":   failed(wechatpay.CertificateRejected),

	"NOAUTH":          failed(wechatpay.NeedsAttention),
	"NO_AUTH":         failed(wechatpay.NeedsAttention),
	"RULE_LIMIT":      failed(wechatpay.NeedsAttention),
	"APPID_NOT_EXIST": failed(wechatpay.NeedsAttention),
	// Signed with the key of mch_id, so it can only be about another number (sub_mch_id).
	codeMchIDNotExist:       failed(wechatpay.NeedsAttention),
	"APPID_MCHID_NOT_MATCH": failed(wechatpay.NeedsAttention),

	"PARAM_ERROR":           failed(wechatpay.Rejected),
	"LACK_PARAMS":           failed(wechatpay.Rejected),
	"XML_FORMAT_ERROR":      failed(wechatpay.Rejected),
	"POST_DATA_EMPTY":       failed(wechatpay.Rejected),
	"REQUIRE_POST_METHOD":   failed(wechatpay.Rejected),
	"NOT_UTF8":              failed(wechatpay.Rejected),
	"INVALID_TRANSACTIONID": failed(wechatpay.Rejected),
}

// codesOf are the codes that have a specific meaning in one operation.
var codesOf = map[wechatpay.Operation]map[string]judgement{
	wechatpay.OperationCreateOrder: {
		"INVALID_REQUEST":   failed(wechatpay.Rejected), // unless wordings has its text
		"OUT_TRADE_NO_USED": failed(wechatpay.NumberUsed),
		"ORDERPAID":         failed(wechatpay.OrderPaid),
		"ORDERCLOSED":       failed(wechatpay.OrderClosed),
		// The payer's balance, not the merchant's: the order can still be paid by other means.
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
		"NOAUTH":                failed(wechatpay.NoRight),
		"NO_AUTH":               failed(wechatpay.NoRight),
		"USER_ACCOUNT_ABNORMAL": failed(wechatpay.Rejected),
		"TRADE_OVERDUE":         failed(wechatpay.Rejected),
		"REFUND_FEE_MISMATCH":   failed(wechatpay.AmountConflict),
		"ORDERNOTEXIST":         failed(wechatpay.OrderNotExist),
		// Observed for an order of another merchant number.
		"REFUNDNOTEXIST": failed(wechatpay.OrderNotExist),
		// Two generic codes. The details are in err_code_des; wordings has the known texts.
		"ERROR":           failed(wechatpay.NeedsAttention),
		"INVALID_REQUEST": failed(wechatpay.NeedsAttention),
	},
	wechatpay.OperationQueryRefund: {
		"REFUNDNOTEXIST": failed(wechatpay.RefundNotExist),
		// Returned by WeChat Pay's own test environment. Without the order it has no refund either.
		"ORDERNOTEXIST": failed(wechatpay.RefundNotExist),
	},
}

// wording is a text from WeChat Pay that is more specific than its code. The search ignores letter
// case, character width, spaces and punctuation.
type wording struct {
	meaning wechatpay.Meaning
	// operation that returns the text; empty: any, and only in unsigned refusals, because a
	// verified reply has a code instead.
	operation wechatpay.Operation
	texts     []string
}

// wordings are searched in this order; the first match applies.
var wordings = []wording{
	// A used number actually returns "201 商户订单号重复"; OUT_TRADE_NO_USED is only documented.
	{wechatpay.NumberUsed, wechatpay.OperationCreateOrder, bare("201", "重复")},

	{wechatpay.AmountConflict, wechatpay.OperationCreateRefund, bare("订单金额或退款金额与之前请求不一致")},
	{wechatpay.Rejected, wechatpay.OperationCreateRefund, bare("订单已全额退款", "invalid refund_fee")},

	{wechatpay.CredentialsRejected, "", bare("签名错误", "签名失败", "签名有误", "签名不正确", "签名不匹配", "签名验证失败",
		"签名校验失败", "验签失败", "sign error", "signature error", "invalid signature")},
	{wechatpay.CertificateRejected, "", bare("证书")},
	{wechatpay.SlowDown, "", bare("频率限制", "频率过高", "无效请求过多", "frequency limit")},
	{wechatpay.Repeat, "", bare("系统错误", "系统异常", "系统超时", "系统繁忙", "接口返回错误",
		"system error", "system busy", "system timeout")},
}

// vagueWordings apply if no code does, because they occur in many texts.
var vagueWordings = []wording{
	{wechatpay.NeedsAttention, "", bare("权限", "不匹配")},
	{wechatpay.Rejected, "", bare("参数")},
}

// judgeCode judges err_code and err_code_des of a verified reply. For a generic or unknown code the
// text decides.
func judgeCode(operation wechatpay.Operation, code, text string) judgement {
	known, found := lookUp(operation, code)
	if !found || isGenericCode(code) {
		for _, w := range wordings {
			if w.operation == operation && w.isIn(text) {
				return failed(w.meaning)
			}
		}
	}
	if mayBeAboutRights(known, found) {
		if meaning, recognised := judgeRights(operation, text); recognised {
			return failed(meaning)
		}
	}
	if !found {
		return notUnderstood
	}
	return known
}

// judgeUnsigned returns the meaning of an unsigned refusal. Its text is more specific than its
// return_code, which is usually FAIL; sometimes a text or return_code is one of the codes
// (PARAM_ERROR with 签名错误), and some have an err_code.
func judgeUnsigned(operation wechatpay.Operation, codes, texts []string) wechatpay.Meaning {
	if meaning, found := anyWording(wordings, operation, texts); found {
		return meaning
	}
	if meaning, found := judgeRights(operation, texts...); found {
		return meaning
	}
	for _, word := range slices.Concat(codes, texts) {
		if sameCode(word, codeMchIDNotExist) {
			// Without the number WeChat Pay has no key to sign with: number and key do not fit.
			return wechatpay.CredentialsRejected
		}
		if known, found := lookUpLoosely(operation, word); found {
			return known.meaning
		}
	}
	if meaning, found := anyWording(vagueWordings, operation, texts); found {
		return meaning
	}
	return wechatpay.NeedsAttention
}

func anyWording(list []wording, operation wechatpay.Operation, texts []string) (wechatpay.Meaning, bool) {
	for _, w := range list {
		if (w.operation == "" || w.operation == operation) && slices.ContainsFunc(texts, w.isIn) {
			return w.meaning, true
		}
	}
	return "", false
}

// isIn reports whether a text contains the wording. A number matches only as a whole: 201 does not
// match 20201.
func (w wording) isIn(text string) bool {
	words := bareWords(text)
	return slices.ContainsFunc(w.texts, func(searched string) bool {
		if digits(searched) {
			return slices.Contains(strings.FieldsFunc(normalised(text), func(r rune) bool { return r < '0' || r > '9' }), searched)
		}
		return strings.Contains(words, searched)
	})
}

// isGenericCode reports whether a code has several meanings, which only its text tells apart.
func isGenericCode(code string) bool { return code == "INVALID_REQUEST" || code == "ERROR" }

func lookUp(operation wechatpay.Operation, code string) (judgement, bool) {
	if particular, found := codesOf[operation][code]; found {
		return particular, true
	}
	general, found := codesOfEveryCall[code]
	return general, found
}

// lookUpLoosely finds a code ignoring letter case, width, spaces and underscores: unsigned refusals
// spell SYSTEMERROR as System Error too.
func lookUpLoosely(operation wechatpay.Operation, code string) (judgement, bool) {
	code = bareWords(code)
	for _, codes := range []map[string]judgement{codesOf[operation], codesOfEveryCall} {
		for known, judgement := range codes {
			if bareWords(known) == code {
				return judgement, true
			}
		}
	}
	return judgement{}, false
}

// sameCode reports whether two codes are equal apart from their spelling.
func sameCode(code, known string) bool { return bareWords(code) == bareWords(known) }

func bare(texts ...string) []string {
	for i := range texts {
		texts[i] = bareWords(texts[i])
	}
	return texts
}

// bareWords returns only the letters and digits of a text, in lower case and half width.
func bareWords(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, normalised(text))
}

// normalised returns a text in lower case, with full-width ASCII (ＳＹＳＴＥＭ) in half width.
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
