package v3

import (
	"net/http"
	"strings"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// judgement is the outcome and the meaning of an error code, if the answer is verified.
type judgement struct {
	outcome wechatpay.Outcome
	meaning wechatpay.Meaning
}

func failed(meaning wechatpay.Meaning) judgement { return judgement{wechatpay.Failed, meaning} }

// mayBeDone: WeChat Pay itself does not know whether the call took effect. Repeating the call
// resolves it.
var mayBeDone = judgement{wechatpay.Unknown, wechatpay.Repeat}

// rule judges a code.
type rule struct {
	every judgement
	// in has the operations in which the code means something else.
	in map[wechatpay.Operation]judgement
	// server: WeChat sends the code with a status of 500 and more. Another code with such a status
	// proves nothing.
	server bool
}

// codes are those of WeChat Pay's documentation of these calls, written without underscores: older
// texts write them so.
var codes = map[string]rule{
	"SYSTEMERROR":        {every: mayBeDone, server: true},
	"BANKERROR":          {every: mayBeDone, server: true},
	"SERVICEUNAVAILABLE": {every: mayBeDone, server: true},

	"FREQUENCYLIMITED":     {every: failed(wechatpay.SlowDown)},
	"RATELIMITEXCEEDED":    {every: failed(wechatpay.SlowDown)},
	"FREQUENCYLIMITEXCEED": {every: failed(wechatpay.SlowDown)},

	"PARAMERROR":           {every: failed(wechatpay.Rejected)},
	"INVALIDTRANSACTIONID": {every: failed(wechatpay.Rejected), server: true},
	"OPENIDMISMATCH":       {every: failed(wechatpay.Rejected), server: true},
	// A rule of business is broken; the words say which. For a prepay the usual one is that the
	// number was used with other parameters, and a query finds out.
	"INVALIDREQUEST": {every: failed(wechatpay.NeedsAttention), in: map[wechatpay.Operation]judgement{
		wechatpay.OperationCreateOrder:           failed(wechatpay.NumberUsed),
		wechatpay.OperationCloseOrder:            failed(wechatpay.StateConflict),
		wechatpay.OperationResolveAbnormalRefund: failed(wechatpay.StateConflict),
		// The day is too old, or not over.
		wechatpay.OperationDownloadBill: failed(wechatpay.Rejected),
		wechatpay.OperationFetchBill:    failed(wechatpay.AddressExpired),
	}},

	"ORDERPAID":      {every: failed(wechatpay.OrderPaid)},
	"ORDERCLOSED":    {every: failed(wechatpay.OrderClosed)},
	"OUTTRADENOUSED": {every: failed(wechatpay.NumberUsed)},
	"ORDERNOTEXIST": {every: failed(wechatpay.OrderNotExist), in: map[wechatpay.Operation]judgement{
		// Not documented there, and not to be taken for a refund that was never made.
		wechatpay.OperationQueryRefund:           failed(wechatpay.NeedsAttention),
		wechatpay.OperationResolveAbnormalRefund: failed(wechatpay.NeedsAttention),
	}},
	"RESOURCENOTEXISTS": {every: failed(wechatpay.NeedsAttention), in: map[wechatpay.Operation]judgement{
		wechatpay.OperationCreateRefund:          failed(wechatpay.OrderNotExist), // or not paid
		wechatpay.OperationQueryRefund:           failed(wechatpay.RefundNotExist),
		wechatpay.OperationResolveAbnormalRefund: failed(wechatpay.RefundNotExist),
		wechatpay.OperationGetCertificates:       failed(wechatpay.VerifiersMissing),
	}},
	"TRADEERROR": {every: failed(wechatpay.NeedsAttention), in: map[wechatpay.Operation]judgement{
		wechatpay.OperationCreateOrder: failed(wechatpay.StateConflict),
		wechatpay.OperationCloseOrder:  failed(wechatpay.StateConflict),
	}},
	"USERPAYING": {every: failed(wechatpay.StateConflict)},

	"NOAUTH": {every: failed(wechatpay.NeedsAttention), in: map[wechatpay.Operation]judgement{
		wechatpay.OperationCreateRefund:          failed(wechatpay.NoRight),
		wechatpay.OperationResolveAbnormalRefund: failed(wechatpay.NoRight),
		wechatpay.OperationDownloadBill:          failed(wechatpay.NoRight),
		wechatpay.OperationFetchBill:             failed(wechatpay.NoRight),
	}},
	"NOTENOUGH": {every: failed(wechatpay.NeedsAttention), in: map[wechatpay.Operation]judgement{
		// Elsewhere it is the payer's balance, not the merchant's.
		wechatpay.OperationCreateRefund: failed(wechatpay.InsufficientBalance),
	}},
	"ACCOUNTERROR": {every: failed(wechatpay.NeedsAttention), in: map[wechatpay.Operation]judgement{
		wechatpay.OperationCreateRefund: failed(wechatpay.Rejected),
	}},
	"USERACCOUNTABNORMAL": {every: failed(wechatpay.NeedsAttention), in: map[wechatpay.Operation]judgement{
		wechatpay.OperationCreateRefund: failed(wechatpay.Rejected),
	}},
	"APPIDMCHIDNOTMATCH": {every: failed(wechatpay.NeedsAttention)},
	"MCHNOTEXISTS":       {every: failed(wechatpay.NeedsAttention)},
	"RULELIMIT":          {every: failed(wechatpay.NeedsAttention)},
	"REQUESTBLOCKED":     {every: failed(wechatpay.NeedsAttention)},
	// With any status but 401, the credentials are not known to be wrong.
	"SIGNERROR": {every: failed(wechatpay.NeedsAttention)},

	"NOSTATEMENTEXIST": {every: failed(wechatpay.NeedsAttention), in: map[wechatpay.Operation]judgement{
		wechatpay.OperationDownloadBill: failed(wechatpay.NoStatement),
	}},
	"STATEMENTCREATING": {every: failed(wechatpay.Repeat), in: map[wechatpay.Operation]judgement{
		wechatpay.OperationDownloadBill: failed(wechatpay.StatementCreating),
	}},
}

// relationWords are in answers about a service provider and its sub merchant: a provider's number
// without a sub merchant, a number that is no provider's, no relation between the two. Their code
// may be INVALID_REQUEST, which says of a prepay that its number was used; here a person has to
// correct spec.partner or the relation.
var relationWords = []string{"必须传入sub_mch", "不允许传sub_mch", "受理关系不存在", "受理关系不可用"}

// judgeAnswer judges an error answer, by its words too where its code is too general.
func judgeAnswer(operation wechatpay.Operation, status int, answer errorAnswer) judgement {
	judged := judgeCode(operation, status, answer.Code)
	if judged.outcome != wechatpay.Failed || status == http.StatusUnauthorized || status == http.StatusTooManyRequests {
		return judged
	}
	for _, words := range relationWords {
		if strings.Contains(answer.Message, words) {
			return failed(wechatpay.NeedsAttention)
		}
	}
	return judged
}

// judgeCode judges an error answer by status and code. The status is not signed, so it decides
// alone only where that is the cautious reading, or where it concerns the credentials and the pace.
func judgeCode(operation wechatpay.Operation, status int, code string) judgement {
	known, found := codes[strings.ReplaceAll(code, "_", "")]
	switch {
	case status == http.StatusUnauthorized:
		return failed(wechatpay.CredentialsRejected)
	case status == http.StatusTooManyRequests:
		return failed(wechatpay.SlowDown)
	case status >= http.StatusInternalServerError && !known.server:
		return mayBeDone
	case !found:
		return failed(wechatpay.NeedsAttention)
	}
	if particular, special := known.in[operation]; special {
		return particular
	}
	return known.every
}
