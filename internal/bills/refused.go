package bills

// Reason is why a bill, or its download, is not accepted at all.
type Reason string

// The reasons.
const (
	// ReasonNotUTF8: the bill is not text.
	ReasonNotUTF8 Reason = "not-utf8"
	// ReasonUnknownFormat: the time, the number or an amount has no column.
	ReasonUnknownFormat Reason = "unknown-format"
	// ReasonNoSummary: the bill ends before its summary, so it was cut off.
	ReasonNoSummary Reason = "no-summary"
	// ReasonNotABill: the file is an error reply, or a page of a proxy.
	ReasonNotABill Reason = "not-a-bill"
	// ReasonHash: the file is not the one that WeChat announced.
	ReasonHash Reason = "hash"
	// ReasonGzip: the file can't be unpacked.
	ReasonGzip Reason = "gzip"
	// ReasonTooLarge: the file has more bytes, rows or sub merchants than the limits allow.
	ReasonTooLarge Reason = "too-large"
)

// Refused is the error of a bill that is not accepted. It contains no data of a row.
type Refused struct {
	Reason Reason
	// Detail describes the problem for a person.
	Detail string
}

// Error returns the reason and the detail.
func (r *Refused) Error() string {
	if r.Detail == "" {
		return "the bill is refused: " + string(r.Reason)
	}
	return "the bill is refused: " + r.Detail
}

func refuse(reason Reason, detail string) *Refused { return &Refused{Reason: reason, Detail: detail} }
