package simulator

// Operation names an API of WeChat Pay, or a kind of callback.
type Operation string

// The operations.
const (
	OperationUnifiedOrder    Operation = "unifiedorder"
	OperationOrderQuery      Operation = "orderquery"
	OperationCloseOrder      Operation = "closeorder"
	OperationRefund          Operation = "refund"
	OperationRefundQuery     Operation = "refundquery"
	OperationCertificates    Operation = "certificates"    // API v3 only
	OperationAbnormalRefund  Operation = "abnormal-refund" // API v3 only
	OperationTradeBill       Operation = "tradebill"
	OperationFundBill        Operation = "fundflowbill"
	OperationBillFile        Operation = "bill-file" // API v3 only: the second step
	OperationPaymentCallback Operation = "payment-callback"
	OperationRefundCallback  Operation = "refund-callback"
)

// Host distinguishes the two listeners.
type Host string

// The hosts.
const (
	HostPrimary Host = "primary"
	HostBackup  Host = "backup"
)

// FaultKind names what goes wrong.
type FaultKind string

// Faults of API calls, in either protocol: what is said of signed and unsigned failures in API v2's
// words is a status and a code in API v3, such as 500 SYSTEM_ERROR. Those up to FaultFail strike
// before the call takes effect, or after it with AfterEffect.
const (
	FaultDrop             FaultKind = "drop"              // the connection is reset, no answer
	FaultHang             FaultKind = "hang"              // no answer until the client gives up
	FaultDelay            FaultKind = "delay"             // the answer takes DelayMillis longer
	FaultHTML             FaultKind = "html"              // an HTML page with HTTP status Status (502)
	FaultSystemError      FaultKind = "system-error"      // signed SYSTEMERROR
	FaultFrequencyLimited FaultKind = "frequency-limited" // signed FREQUENCY_LIMITED
	FaultRateLimited      FaultKind = "rate-limited"      // unsigned 频率限制
	FaultNotEnough        FaultKind = "not-enough"        // signed NOTENOUGH
	FaultNeedRetry        FaultKind = "need-retry"        // signed BIZERR_NEED_RETRY
	FaultError            FaultKind = "error"             // signed ErrCode and ErrCodeDes
	FaultFail             FaultKind = "fail"              // unsigned ReturnCode (FAIL) and ReturnMsg

	// The call takes effect and its reply is damaged.
	FaultTruncate     FaultKind = "truncate"      // half of the XML in a complete HTTP answer
	FaultCut          FaultKind = "cut"           // the connection breaks in the middle of the answer
	FaultBadSignature FaultKind = "bad-signature" // a signature made with another key
	FaultUnsigned     FaultKind = "unsigned"      // no sign at all; also for payment callbacks
	FaultWrongNumber  FaultKind = "wrong-number"  // a well signed answer about another order or refund
	FaultExtraFields  FaultKind = "extra-fields"  // more fields, those in Fields or a few of its own; well signed
	FaultSparse       FaultKind = "sparse"        // only the fields documented for every trade_state

	// API v3 signatures; API v2 takes the first two as bad-signature.
	FaultSignTest      FaultKind = "sign-test"        // a wrong signature that begins with WECHATPAY/SIGNTEST/
	FaultUnknownSerial FaultKind = "unknown-serial"   // signed well by a key that nobody was told of
	FaultWrongSubMchID FaultKind = "wrong-sub-mch-id" // well signed, of another sub merchant; also callbacks, both protocols

	// Bills, in addition to truncate (half of the file) and cut. The first two come with a right hash.
	FaultOtherMerchant FaultKind = "other-merchant" // the rows are of another merchant number
	FaultRenamedColumn FaultKind = "renamed-column" // a column of amounts has another name
	FaultWrongDigest   FaultKind = "wrong-digest"   // the hash that is announced is of another file

	// The refund is accepted and ends differently. These combine with the faults above.
	FaultRefundChange FaultKind = "refund-change" // CHANGE: the money could not go back
	FaultRefundClose  FaultKind = "refund-close"  // REFUNDCLOSE
	FaultRefundHold   FaultKind = "refund-hold"   // PROCESSING until SetRefundStatus
)

// Faults of callbacks, in addition to FaultDelay and FaultUnsigned. A tampered or lost delivery
// counts as failed whatever the shop answers, so that the schedule delivers the genuine message
// later.
const (
	FaultLose          FaultKind = "lose"           // not sent
	FaultDuplicate     FaultKind = "duplicate"      // sent twice at the same time
	FaultForge         FaultKind = "forge"          // signed, or encrypted, with another key
	FaultWrongAmount   FaultKind = "wrong-amount"   // well signed, another total_fee (refund_fee)
	FaultWrongCurrency FaultKind = "wrong-currency" // well signed, another fee_type
	FaultWrongMchID    FaultKind = "wrong-mch-id"   // well signed, another mch_id
	FaultMD5           FaultKind = "md5"            // signed with MD5 although ordered with HMAC-SHA256
	FaultReplay        FaultKind = "replay"         // API v3: a true message that was signed ten minutes ago
	FaultWrongKey      FaultKind = "wrong-key"      // API v3: well signed, encrypted with another APIv3 key
	FaultIgnoreAnswer  FaultKind = "ignore-answer"  // delivered, but taken as failed, so that it repeats
)

// Fault is something that goes wrong with matching calls or callbacks. If several match, the one
// added first strikes.
type Fault struct {
	// ID is set by AddFault.
	ID string `json:"id,omitempty"`
	// Operation is required. Protocol, MchID, Number (out_trade_no or out_refund_no) and Host
	// restrict the match; empty matches everything.
	Operation Operation `json:"operation"`
	Protocol  Protocol  `json:"protocol,omitempty"`
	MchID     string    `json:"mch_id,omitempty"`
	Number    string    `json:"number,omitempty"`
	Host      Host      `json:"host,omitempty"`
	Kind      FaultKind `json:"kind"`
	// AfterEffect lets the call take effect before the fault strikes.
	AfterEffect bool `json:"after_effect,omitempty"`
	// Count is how many times the fault strikes; 0 is unlimited.
	Count int `json:"count,omitempty"`
	// Probability is the chance that the fault strikes; 0 means always. Seed makes it reproducible.
	Probability float64 `json:"probability,omitempty"`
	Seed        uint64  `json:"seed,omitempty"`
	// DelayMillis is not scaled.
	DelayMillis int64 `json:"delay_millis,omitempty"`
	// Status is the HTTP status of html, and in API v3 that of error and fail; their code is then
	// sent as it is, and otherwise in API v3's spelling with its own status.
	Status     int    `json:"status,omitempty"`
	ErrCode    string `json:"err_code,omitempty"`
	ErrCodeDes string `json:"err_code_des,omitempty"`
	ReturnCode string `json:"return_code,omitempty"`
	ReturnMsg  string `json:"return_msg,omitempty"`
	// Fields are by name, in API v2's words or as paths of API v3 such as amount.refund.
	Fields map[string]string `json:"fields,omitempty"`
	// Struck counts how often the fault struck.
	Struck int `json:"struck"`
}
