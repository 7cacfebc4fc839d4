package weixin

// meanings classifies the errcodes of all calls. An unknown one needs attention.
var meanings = map[int]Meaning{
	// General, and access tokens.
	-1:    Repeat,              // busy
	40001: TokenRejected,       // the access token is not the latest; of stable_token: a wrong AppSecret
	40013: CredentialsRejected, // the appid
	40014: TokenRejected,       // not an access token
	40125: CredentialsRejected, // the AppSecret
	40164: AddressNotAllowed,
	40243: CredentialsRejected, // the AppSecret is frozen
	42001: TokenRejected,       // the access token expired
	41001: TokenRejected,       // no access token
	41002: CredentialsRejected, // no appid
	41004: CredentialsRejected, // no AppSecret
	45009: QuotaExhausted,
	45011: SlowDown,
	44990: SlowDown,
	47001: Rejected, // a malformed body
	48001: NeedsAttention,

	// Order shipping management.
	10060001: NotYetKnown,
	10060002: AlreadyShipped,
	10060003: NothingLeft,
	10060004: NotShippable,
	10060005: Rejected, // logistics_type
	10060006: Rejected, // a split delivery is for express only
	10060007: Rejected, // is_all_delivered is missing
	10060008: Rejected, // item_desc is empty
	10060009: Rejected, // item_desc is too long
	10060012: Repeat,
	10060014: Rejected, // a parameter
	10060019: Repeat,
	10060020: Rejected, // item_desc is needed to finish
	10060023: AlreadyShipped,
	10060024: Rejected, // more than 15 parcels
	10060025: Rejected, // the company's code is too long
	10060026: Rejected, // the tracking number is too long
	10060031: Rejected, // the payer is another one

	// Members of the call that are missing or wrong.
	268485194: Rejected,
	268485195: Rejected,
	268485196: Rejected,
	268485197: Rejected,
	268485216: Rejected,
	268485224: Rejected,
	268485226: Rejected,
	268485227: Rejected,
	268485228: Rejected,
}

// meaningOf returns the meaning of an errcode as the answer to a call.
func meaningOf(operation Operation, code int) Meaning {
	meaning, known := meanings[code]
	switch {
	case !known:
		return NeedsAttention
	case operation == OperationGetToken && meaning == TokenRejected:
		return CredentialsRejected // there is no access token yet that could be wrong
	default:
		return meaning
	}
}
