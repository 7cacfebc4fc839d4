package wechatpay

import (
	"errors"
	"io"
	"time"
)

// BillKind is a kind of daily bill.
type BillKind string

// The kinds of bills.
const (
	// TradeBill has all payments and refunds of a day, except refunds from the available balance.
	TradeBill BillKind = "TradeBill"
	// RechargeRefundBill has the refunds from the available balance.
	RechargeRefundBill BillKind = "RechargeRefundBill"
	// FundFlowBill has the movements of an account of the merchant number's own. A sub merchant of a
	// service provider has none.
	FundFlowBill BillKind = "FundFlowBill"
)

// FundAccount is an account of a merchant number.
type FundAccount string

// The accounts.
const (
	BasicAccount     FundAccount = "Basic"
	OperationAccount FundAccount = "Operation"
	FeesAccount      FundAccount = "Fees"
)

// BillRequest says which bill to download. In partner mode it is the sub merchant's.
type BillRequest struct {
	Kind BillKind
	// Day is the day in Beijing, like 2006-01-02.
	Day string
	// Account is for FundFlowBill only.
	Account FundAccount
	// AppID is any appid that is bound to the merchant number. It does not select rows.
	AppID string
}

// BillTypes are bill_type of the trade bill, which all protocols spell alike.
var BillTypes = map[BillKind]string{TradeBill: "ALL", RechargeRefundBill: "RECHARGE_REFUND"}

// Check returns why a bill can't be requested. The partner is nil in direct mode.
func (r BillRequest) Check(partner *Partner) *Error {
	refused := Error{Operation: OperationDownloadBill, Outcome: NotSent, Meaning: Rejected}
	_, err := time.Parse(time.DateOnly, r.Day)
	isFundFlow := r.Kind == FundFlowBill
	switch {
	case err != nil:
		refused.Err = errors.New("the day of the bill is not one")
	case isFundFlow && r.Account == "", !isFundFlow && BillTypes[r.Kind] == "":
		refused.Err = errors.New("there is no such bill")
	case isFundFlow && partner != nil:
		refused.Meaning, refused.Err = NotOffered, errors.New("WeChat Pay has no fund-flow bill of a sub merchant")
	default:
		return nil
	}
	return &refused
}

// Bill is a bill as WeChat sends it. It is not verified yet and may be gzip.
type Bill struct {
	// Body has to be closed. An error while it is read is an *Error.
	Body io.ReadCloser
	// HashType and Hash are the hash of the unpacked bill that WeChat announced; empty if it
	// announced none. With HashOrPacked it may be the hash of the packed bill.
	HashType, Hash string
	HashOrPacked   bool
}
