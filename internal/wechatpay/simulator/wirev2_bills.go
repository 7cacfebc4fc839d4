package simulator

import (
	"cmp"
	"errors"
	"slices"
	"time"
)

// billV2 returns a bill. API v2 answers with the file itself.
func (s *Simulator) billV2(c *callV2) (billFile, error) {
	request := c.request
	allowed := []string{"appid", "mch_id", "nonce_str", "sign", "sign_type", "bill_date", "tar_type", "bill_type", "sub_mch_id", "sub_appid"}
	order := billOrder{kind: billKind(cmp.Or(request["bill_type"], "ALL")), mchID: c.mchID, subMchID: request["sub_mch_id"]}
	if c.operation == OperationFundBill {
		allowed = []string{"appid", "mch_id", "nonce_str", "sign", "sign_type", "bill_date", "tar_type", "account_type"}
		order.kind, order.account = billFund, map[string]string{"Basic": "BASIC", "Operation": "OPERATION", "Fees": "FEES"}[request["account_type"]]
	}
	for name := range request {
		if !slices.Contains(allowed, name) {
			return billFile{}, refuse("invalid parameter")
		}
	}
	day, err := time.ParseInLocation("20060102", request["bill_date"], beijing)
	switch {
	case err != nil:
		return billFile{}, refuse("invalid bill_date")
	case request["tar_type"] != "" && request["tar_type"] != "GZIP":
		return billFile{}, refuse("invalid tar_type, Only GZIP supported")
	case order.kind == billFund && order.account == "":
		return billFile{}, fail("PARAM_ERROR", "account_type参数有误")
	case order.kind == billFund && c.signType != HMACSHA256:
		return billFile{}, refuse("签名错误")
	case order.kind != billFund && !slices.Contains([]billKind{billAll, billSuccess, billRefund, billRecharge}, order.kind):
		return billFile{}, refuse("invalid bill_type")
	}
	// A service provider may leave the sub merchant out: then it gets all.
	if order.kind != billFund && (order.subMchID != "" || len(c.merchant.SubMerchants) == 0) {
		if err := c.merchant.checkParties(request["appid"], order.subMchID, request["sub_appid"]); err != nil {
			return billFile{}, err
		}
	}
	order.day = day
	text, err := s.bill(order)
	if err != nil {
		return billFile{}, sayBillV2(c.operation, err)
	}
	file := billFile{text: spoilBill(text, c.fault.of(c.mchID)), gzip: request["tar_type"] == "GZIP"}
	if c.operation == OperationFundBill {
		file.digest = "SHA=" + hashOf(file.text, c.fault)
	}
	return file, nil
}

// sayBillV2 says why there is no bill: unsigned texts of the trade bill, signed codes of the
// fund-flow bill.
func sayBillV2(operation Operation, err error) error {
	var why reason
	if !errors.As(err, &why) {
		return err
	}
	text := map[reason]string{errNoBill: "No Bill Exist", errBillCreating: "Bill Creating", errBillOfToday: "invalid bill_date", errBillTooOld: "invalid bill_date"}[why]
	switch {
	case text == "":
		return err
	case operation == OperationFundBill && why == errNoBill:
		return fail("NO_BILL_EXIST", "账单文件不存在")
	case operation == OperationFundBill && why == errBillCreating:
		return fail("BILL_CREATING", "账单生成中")
	case operation == OperationFundBill:
		return fail("PARAM_ERROR", "bill_date参数有误")
	case why == errNoBill || why == errBillCreating:
		return refusal{message: text, errorCode: "20002"}
	default:
		return refusal{message: text, errorCode: "20001"}
	}
}

// of is a fault that names the merchant whose call it strikes.
func (f *Fault) of(mchID string) *Fault {
	if f == nil {
		return nil
	}
	named := *f
	named.MchID = mchID
	return &named
}
