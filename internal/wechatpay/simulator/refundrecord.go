package simulator

import "time"

// Refund is an accepted refund.
type Refund struct {
	// Protocol is the one in which the refund was requested; its callbacks come in it.
	Protocol      Protocol     `json:"protocol"`
	MchID         string       `json:"mch_id"`
	AppID         string       `json:"appid"`
	SubMchID      string       `json:"sub_mchid,omitempty"`
	SubAppID      string       `json:"sub_appid,omitempty"`
	OutTradeNo    string       `json:"out_trade_no"`
	TransactionID string       `json:"transaction_id"`
	OutRefundNo   string       `json:"out_refund_no"`
	RefundID      string       `json:"refund_id"`
	TotalFee      int64        `json:"total_fee"`
	RefundFee     int64        `json:"refund_fee"`
	FeeType       string       `json:"fee_type"`
	Status        RefundStatus `json:"status"`
	// Params are the fields of the first refund call in its protocol's words.
	Params        map[string]string `json:"params,omitempty"`
	NotifyURL     string            `json:"notify_url,omitempty"`
	RequestSource string            `json:"request_source"`
	// FromBalance: staff paid it from the available balance.
	FromBalance bool `json:"from_balance,omitempty"`
	// Calls counts the refund calls with this number; Payouts counts how often money was paid out,
	// at most once.
	Calls       int        `json:"calls"`
	Payouts     int        `json:"payouts"`
	AcceptTime  time.Time  `json:"accept_time"`
	SettleTime  *time.Time `json:"settle_time,omitempty"`
	SuccessTime *time.Time `json:"success_time,omitempty"`
	// Outcome is the status that the refund gets at SettleTime.
	Outcome RefundStatus `json:"outcome,omitempty"`
	// Abnormal is what was asked for when the refund was abnormal.
	Abnormal *AbnormalRefund `json:"abnormal,omitempty"`
}

// AbnormalRefund is where the money of an abnormal refund goes, decrypted.
type AbnormalRefund struct {
	Type        string `json:"type"` // USER_BANK_CARD or MERCHANT_BANK_CARD
	BankType    string `json:"bank_type,omitempty"`
	BankAccount string `json:"bank_account,omitempty"`
	RealName    string `json:"real_name,omitempty"`
}

// receivedBy is the account that received the refund, in WeChat Pay's words.
func (r *Refund) receivedBy() string {
	switch {
	case r.Abnormal == nil:
		return "支付用户零钱"
	case r.Abnormal.Type == "MERCHANT_BANK_CARD":
		return "结算银行账户"
	}
	return "银行卡"
}
