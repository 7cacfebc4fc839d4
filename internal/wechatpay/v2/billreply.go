package v2

import (
	"bytes"
	"cmp"
	"net/http"
	"strings"

	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/transport"
)

// A bill is plain text with status 200. A refusal is XML with status 200, never compressed, and for
// the trade bill never signed.

// billTexts are the texts of return_msg, written in lower case without blanks and underscores. The
// number in error_code is the same for several of them, so the text decides.
var billTexts = map[string]wechatpay.Meaning{
	"nobillexist":         wechatpay.NoStatement,
	"该日期订单未生成":            wechatpay.NoStatement,
	"billcreating":        wechatpay.StatementCreating,
	"systemerror":         wechatpay.Repeat,
	"compressgziperror":   wechatpay.Repeat,
	"uncompressgziperror": wechatpay.Repeat,
	"signerror":           wechatpay.CredentialsRejected,
}

// billCodes are the codes of the fund-flow bill in err_code.
var billCodes = map[string]wechatpay.Meaning{
	"NO_BILL_EXIST": wechatpay.NoStatement,
	"BILL_CREATING": wechatpay.StatementCreating,
	"SYSTEMERROR":   wechatpay.Repeat,
	"PARAM_ERROR":   wechatpay.Rejected,
}

// billRightClosed is a part of the text that says that this merchant number may not download bills.
const billRightClosed = "账单api权限"

// BillReply judges an answer to the request for a bill by its status and its text; nil means that it
// is the bill.
func BillReply(status int, body []byte) *wechatpay.Error {
	if status != http.StatusOK {
		return judgeStatus(wechatpay.OperationDownloadBill, status, body)
	}
	if !bills.IsReply(body) {
		return nil
	}
	reply, err := readFields(bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\uFEFF"))), messageRoot, maxReplyFields)
	if err != nil {
		return transport.Unknown(wechatpay.OperationDownloadBill, wechatpay.Repeat, transport.Unreadable(body, err))
	}
	failure := &wechatpay.Error{
		Operation: wechatpay.OperationDownloadBill, Outcome: wechatpay.Refused, Meaning: meaningOfBillReply(reply),
		Code:        transport.Shortened(cmp.Or(reply.get("err_code"), reply.get("error_code"), reply.get("return_code"))),
		Description: transport.Shortened(cmp.Or(reply.get("err_code_des"), reply.get("return_msg"))),
	}
	if failure.Meaning == wechatpay.Repeat {
		failure.Outcome = wechatpay.Unknown
	}
	return failure
}

func meaningOfBillReply(reply fields) wechatpay.Meaning {
	if code := reply.get("err_code"); code != "" {
		return cmp.Or(billCodes[code], judgeCode(wechatpay.OperationDownloadBill, code, reply.get("err_code_des")).meaning)
	}
	text := strings.NewReplacer("_", "", " ", "").Replace(strings.ToLower(reply.get("return_msg")))
	switch meaning, known := billTexts[text]; {
	case known:
		return meaning
	case strings.Contains(text, billRightClosed):
		return wechatpay.NoRight
	default:
		// Every other text says which parameter is wrong.
		return wechatpay.Rejected
	}
}
