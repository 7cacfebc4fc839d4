package wechatpay

import "io"

// BillKind is a kind of daily bill.
type BillKind string

// The kinds of bills.
const (
	// TradeBill has all payments and refunds of a day, but for refunds from the available balance.
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
	// AppID is one that is bound to the merchant number, whichever the rows have.
	AppID string
}

// Bill is a bill that WeChat sends. It may be gzip; nothing of it was checked yet.
type Bill struct {
	// Body has to be closed. An error while it is read is an *Error.
	Body io.ReadCloser
	// HashType and Hash are what WeChat announced of the unpacked bill; empty if it announced
	// nothing. With HashOrPacked it may be of the packed one.
	HashType, Hash string
	HashOrPacked   bool
}
