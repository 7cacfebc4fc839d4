package v1alpha1

// Names that stand in metadata.
const (
	// Finalizer keeps an object until what it started at WeChat is settled.
	Finalizer = "wechatpay-operator.io/settle"

	// AnnotationRefreshPrepay makes the operator ask for a new prepay now, whenever its value changes.
	AnnotationRefreshPrepay = "wechatpay-operator.io/refresh-prepay"

	// AnnotationRequestedBy says who asked for a Refund, AnnotationDecidedBy who set its spec.approval, and AnnotationAbnormalDecidedBy who
	// set its spec.abnormal. The optional component four-eyes writes them, by the names that the API server knows people by, and
	// keeps them from being made up. Without it, anybody could have written them.
	AnnotationRequestedBy       = "wechatpay-operator.io/requested-by"
	AnnotationDecidedBy         = "wechatpay-operator.io/decided-by"
	AnnotationAbnormalDecidedBy = "wechatpay-operator.io/abnormal-decided-by"

	// LabelNumberPrefix, on a Namespace, is what the numbers of its Orders and Refunds have to begin with at a Merchant of
	// another namespace whose spec.allowedNamespaces.numbers is Prefixed.
	LabelNumberPrefix = "wechatpay-operator.io/number-prefix"
)

// Ready is the condition of a Merchant: keys and certificates are in order, and WeChat took the key. It is that of a MiniProgram as
// well: WeChat took the appid and the AppSecret. TradeNotManaged, AddressNotAllowed, QuotaExhausted and Refused are reasons of MiniPrograms
// only, which have SecretNotFound, CredentialsRejected, InvalidEndpoint, EndpointNotAllowed and WeChatUnreachable beside them.
//
//	True:    Ready, TradeNotManaged
//	False:   SecretNotFound, InvalidAPIKey, InvalidAPIV3Key, InvalidPublicKey, InvalidCertificate, CertificateMismatch,
//	         CertificateExpired, CertificateRejected, CredentialsRejected, PlatformCertificatesMissing, AnswersNotVerified,
//	         ClockSkewed, InvalidNotifyURL, InvalidEndpoint, EndpointNotAllowed, AddressNotAllowed, QuotaExhausted, Refused
//	Unknown: WeChatUnreachable
const (
	ConditionReady = "Ready"

	// ReasonReady: WeChat answered a query that was signed with the key.
	ReasonReady = "Ready"
	// ReasonSecretNotFound: a Secret that the Merchant names is not there.
	ReasonSecretNotFound = "SecretNotFound"
	// ReasonInvalidAPIKey: the entry for the key is not there, or not 32 letters and digits; which, only the Secret tells.
	ReasonInvalidAPIKey = "InvalidAPIKey"
	// ReasonInvalidAPIV3Key: the entry for the APIv3 key is not there, or not 32 letters and
	// digits, or what WeChat encrypted with the account's key can't be opened with it.
	ReasonInvalidAPIV3Key = "InvalidAPIV3Key"
	// ReasonInvalidPublicKey: an entry of spec.publicKeys is no RSA public key in PEM.
	ReasonInvalidPublicKey = "InvalidPublicKey"
	// ReasonPlatformCertificatesMissing: WeChat has no platform certificates for this merchant
	// number, and spec.publicKeys is empty.
	ReasonPlatformCertificatesMissing = "PlatformCertificatesMissing"
	// ReasonAnswersNotVerified: WeChat's answers are signed with none of the keys that are known.
	ReasonAnswersNotVerified = "AnswersNotVerified"
	// ReasonClockSkewed: the operator's clock is more than four minutes from WeChat's, which takes
	// requests within five only.
	ReasonClockSkewed = "ClockSkewed"
	// ReasonInvalidCertificate: the Secret has no certificate of the merchant number, or its private key can't be read. Stops
	// Refunds, not Orders; under V3 all calls.
	ReasonInvalidCertificate = "InvalidCertificate"
	// ReasonCertificateMismatch: the private key is not the certificate's. Stops Refunds, not
	// Orders; under V3 all calls.
	ReasonCertificateMismatch = "CertificateMismatch"
	// ReasonCertificateExpired: the certificate's time is over, or has not begun. Stops Refunds,
	// not Orders; under V3 all calls.
	ReasonCertificateExpired = "CertificateExpired"
	// ReasonCertificateRejected: WeChat did not take the certificate in a refund request. Stops Refunds, not Orders.
	ReasonCertificateRejected = "CertificateRejected"
	// ReasonCredentialsRejected: WeChat does not take the key.
	ReasonCredentialsRejected = "CredentialsRejected"
	// ReasonInvalidNotifyURL: WeChat would refuse the callback address.
	ReasonInvalidNotifyURL = "InvalidNotifyURL"
	// ReasonInvalidEndpoint: the endpoint or its CA bundle can't be used.
	ReasonInvalidEndpoint = "InvalidEndpoint"
	// ReasonEndpointNotAllowed: the endpoint is a host that the platform team does not let the operator call (--endpoint-hosts).
	ReasonEndpointNotAllowed = "EndpointNotAllowed"
	// ReasonWeChatUnreachable: no answer yet that tells whether the key is right.
	ReasonWeChatUnreachable = "WeChatUnreachable"
)

// CallsAllowed is the condition of a Merchant: its calls are not paused. Calls pause for a while after several in a row had no
// answer, one that can't be trusted, or one that refused the key or asked for fewer calls; refund requests also when WeChat did
// not take the certificate. What WeChat says of one call's parameters pauses nothing. It is what the leader sees,
// which makes nearly all calls; other replicas ask about refunds when a callback comes, and have pauses of their own.
//
//	True:  Allowed
//	False: OrdersPaused, RefundsPaused, AllPaused, MerchantNotReady (nothing is sent at all; Ready says why)
const (
	ConditionCallsAllowed = "CallsAllowed"

	// ReasonAllowed: no calls are paused. Limits on calls a second do not count: they hold single calls back for a moment.
	ReasonAllowed = "Allowed"
	// ReasonOrdersPaused: all calls but refund requests are paused.
	ReasonOrdersPaused = "OrdersPaused"
	// ReasonRefundsPaused: refund requests are paused.
	ReasonRefundsPaused = "RefundsPaused"
	// ReasonAllPaused: all calls are paused.
	ReasonAllPaused = "AllPaused"
)

// CallbacksReachable is the condition of a Merchant: a test callback that the operator sent to its own public address came back in.
// It is how things look from inside of the cluster, and a warning only: neither Ready nor any Order depends on it.
//
//	True:    Reachable
//	False:   DNSFailed, ConnectFailed, TLSFailed, NoAnswer, Redirected, HTTPStatus, WrongAnswer, BodyAltered
//	Unknown: Pending, NotChecked
const (
	ConditionCallbacksReachable = "CallbacksReachable"

	// ReasonReachable: a replica of this operator answered, and the body arrived as it was sent.
	ReasonReachable = "Reachable"
	// ReasonDNSFailed: the host is not in DNS, or DNS does not answer.
	ReasonDNSFailed = "DNSFailed"
	// ReasonConnectFailed: no connection to port 443. It may be the cluster's own egress or load balancer.
	ReasonConnectFailed = "ConnectFailed"
	// ReasonTLSFailed: the certificate is expired, for another host or not from a public authority, or there is no TLS.
	ReasonTLSFailed = "TLSFailed"
	// ReasonNoAnswer: TLS was set up, but no complete HTTP answer came in time.
	ReasonNoAnswer = "NoAnswer"
	// ReasonRedirected: WeChat does not follow redirects.
	ReasonRedirected = "Redirected"
	// ReasonHTTPStatus: the answer was another than 200; the message says which, and what it mostly comes from.
	ReasonHTTPStatus = "HTTPStatus"
	// ReasonWrongAnswer: somebody else answered with 200.
	ReasonWrongAnswer = "WrongAnswer"
	// ReasonBodyAltered: a replica answered, but got another body than was sent, which breaks the signature of a callback.
	ReasonBodyAltered = "BodyAltered"
	// ReasonNotChecked: the address is not public or must not be called, or the check is turned off; the message says which.
	ReasonNotChecked = "NotChecked"
)

// Recorded is the condition of a Merchant where the operator keeps a ledger (--ledger-dsn-file): its database takes what happens. Neither
// Ready nor any Order or Refund depends on it; only ttlSecondsAfterFinished waits.
//
//	True:    Recorded
//	False:   LedgerUnavailable
const (
	ConditionRecorded = "Recorded"

	// ReasonRecorded: what happens is written into the ledger's database.
	ReasonRecorded = "Recorded"
	// ReasonLedgerUnavailable: the ledger's database takes no rows.
	ReasonLedgerUnavailable = "LedgerUnavailable"
)

// RefundsGuarded is the condition of a Merchant: in its namespace the policy is in force that lets nobody approve a Refund but who
// has the right to. The operator tries it now and then by a dry run of what the policy must refuse. Refunds that need an approval
// wait while it is not True, each by what holds in its own namespace; Ready and Orders do not depend on it.
//
//	True:    Guarded
//	False:   PolicyMissing
//	Unknown: PolicyNotVerified
const (
	ConditionRefundsGuarded = "RefundsGuarded"

	// ReasonGuarded: the policy refused what it must refuse.
	ReasonGuarded = "Guarded"
	// ReasonPolicyMissing: what the policy must refuse was let through: it is not installed, not bound or only warns, or the
	// operator itself has the right to approve.
	ReasonPolicyMissing = "PolicyMissing"
	// ReasonPolicyNotVerified: whether the policy is in force could not be tried yet; the message says why.
	ReasonPolicyNotVerified = "PolicyNotVerified"
)

// RefundsAllowed is the condition of a Merchant of a service provider: the sub merchant lets the
// provider refund for it. It is known from refund requests only; one is tried again every hour.
//
//	True:  RefundAccepted
//	False: NoRight
const (
	ConditionRefundsAllowed = "RefundsAllowed"

	// ReasonRefundAccepted: WeChat took a refund request.
	ReasonRefundAccepted = "RefundAccepted"
	// ReasonNoRight: the sub merchant has not granted the provider the right to refund, or has
	// revoked it.
	ReasonNoRight = "NoRight"
)

// Prepared is the condition of an Order: the payer can pay now. It stays True when the Order is paid.
//
//	True:    Prepared
//	False:   MerchantNotReady, NotPermitted, NumberInUse, UsedAtWeChat, NotSent, RateLimited, Rejected, Closed, Expired,
//	         AlreadyPaid, WriteRefused
//	Unknown: Pending, OutcomeUnknown, Refused
const (
	ConditionPrepared = "Prepared"

	// ReasonPrepared: status.prepay holds what the payer needs.
	ReasonPrepared = "Prepared"
	// ReasonMerchantNotReady: the Merchant is missing or its credentials can't be used; the message says which.
	ReasonMerchantNotReady = "MerchantNotReady"
	// ReasonNotPermitted: the Merchant does not allow this namespace, or there is none; which of the two is not told.
	ReasonNotPermitted = "NotPermitted"
	// ReasonNumberInUse: another Order owns the number, or WeChat has it for another namespace. Final.
	ReasonNumberInUse = "NumberInUse"
	// ReasonUsedAtWeChat: WeChat has the number with other parameters, and no other Order of the account is known to own it. It is
	// asked for like any open Order and ends as Expired, or as Closed by wish or deletion; what WeChat has is never closed.
	ReasonUsedAtWeChat = "UsedAtWeChat"
	// ReasonNotSent: the call did not reach WeChat. Repeated by itself.
	ReasonNotSent = "NotSent"
	// ReasonRateLimited: WeChat's limit. Repeated by itself.
	ReasonRateLimited = "RateLimited"
	// ReasonRejected: WeChat said no, in a signed answer; the message has its words.
	ReasonRejected = "Rejected"
	// ReasonOutcomeUnknown: the answer was lost. The same call is repeated with the same number.
	ReasonOutcomeUnknown = "OutcomeUnknown"
	// ReasonRefused: WeChat said no in an answer without signature, which proves nothing. Repeated slowly.
	ReasonRefused = "Refused"
	// ReasonPending: not asked yet.
	ReasonPending = "Pending"
	// ReasonAlreadyPaid: paid before this object got a prepay of its own; nothing is left to pay.
	ReasonAlreadyPaid = "AlreadyPaid"
	// ReasonWriteRefused: the cluster refuses a write without which nothing is sent (the finalizer); the message has its words.
	ReasonWriteRefused = "WriteRefused"
)

// Paid is the condition of an Order. True is never left.
//
//	True:    Paid, PaidLate, PaidEarlier, PaidUnderOtherParameters
//	False:   Closed, Expired, Rejected, NumberInUse
//	Unknown: Pending, AwaitingPayment, Closing, AmountMismatch, UnknownState
const (
	ConditionPaid = "Paid"

	// ReasonPaid: WeChat's verified word, equal to the spec in appid, mch_id, number, amount and currency.
	ReasonPaid = "Paid"
	// ReasonPaidLate: paid after the Order was closed or expired; the Merchant's latePayment says what follows.
	ReasonPaidLate = "PaidLate"
	// ReasonPaidEarlier: paid more than five minutes before this object was created: a restore, a re-applied file, or a name
	// used again.
	ReasonPaidEarlier = "PaidEarlier"
	// ReasonPaidUnderOtherParameters: paid as this Order says, while WeChat has the number with parameters that this object
	// did not send (UsedAtWeChat).
	ReasonPaidUnderOtherParameters = "PaidUnderOtherParameters"
	// ReasonClosed: closed at WeChat, unpaid.
	ReasonClosed = "Closed"
	// ReasonExpired: the deadline passed, and it was closed at WeChat, unpaid.
	ReasonExpired = "Expired"
	// ReasonAwaitingPayment: the payer has not paid yet.
	ReasonAwaitingPayment = "AwaitingPayment"
	// ReasonClosing: it is being closed; WeChat may refuse that in the first five minutes.
	ReasonClosing = "Closing"
	// ReasonAmountMismatch: WeChat states a payment that differs from the spec. A person must look.
	ReasonAmountMismatch = "AmountMismatch"
	// ReasonUnknownState: WeChat states it as something that this version does not know; the message has the word. It is asked again.
	ReasonUnknownState = "UnknownState"
)

// Approved is the condition of a Refund: may it be sent to WeChat.
//
//	True:    Approved, Automatic, Recovered
//	False:   Denied, ApprovedUnguarded
//	Unknown: Pending (WeChat was not asked yet whether it has the refund), AwaitingApproval, PolicyMissing, PolicyNotVerified
//	         (the last two: it waits until the policy on approvals is in force; see RefundsGuarded)
const (
	ConditionApproved = "Approved"

	// ReasonApproved: spec.approval is Approved.
	ReasonApproved = "Approved"
	// ReasonAutomatic: the Merchant's refundApproval is Automatic.
	ReasonAutomatic = "Automatic"
	// ReasonRecovered: WeChat has a refund of this number already, so it was approved before.
	ReasonRecovered = "Recovered"
	// ReasonDenied: spec.approval is Denied.
	ReasonDenied = "Denied"
	// ReasonApprovedUnguarded: it was approved while the policy on approvals was missing, so that nobody knows whether by somebody
	// who may. Final: it has to be asked for anew, by another Refund.
	ReasonApprovedUnguarded = "ApprovedUnguarded"
	// ReasonAwaitingApproval: nobody has decided yet.
	ReasonAwaitingApproval = "AwaitingApproval"
)

// Accepted is the condition of a Refund: WeChat took it.
//
//	True:    Accepted
//	False:   InsufficientBalance, CertificateMissing, OrderNotPaid, OrderNotFound, MerchantNotReady, NotPermitted, WriteRefused,
//	         NumberInUse, NotSent, RateLimited, Rejected, Denied, ApprovedUnguarded, ExceedsPaid, PolicyMissing, PolicyNotVerified
//	         (the first seven, NotSent, RateLimited and the last two wait and try again)
//	Unknown: Pending, WaitingForTurn, OutcomeUnknown, Refused
const (
	ConditionAccepted = "Accepted"

	// ReasonAccepted: WeChat took the refund; only Succeeded says that the money is back.
	ReasonAccepted = "Accepted"
	// ReasonInsufficientBalance: the merchant account must be topped up; the refund is then sent again by itself.
	ReasonInsufficientBalance = "InsufficientBalance"
	// ReasonCertificateMissing: refunds need the Merchant's client certificate, and there is none that can be used.
	ReasonCertificateMissing = "CertificateMissing"
	// ReasonOrderNotPaid: the Order is not paid.
	ReasonOrderNotPaid = "OrderNotPaid"
	// ReasonOrderNotFound: the Order does not exist.
	ReasonOrderNotFound = "OrderNotFound"
	// ReasonWaitingForTurn: refunds of one Order go one at a time, a minute apart.
	ReasonWaitingForTurn = "WaitingForTurn"
)

// Succeeded is the condition of a Refund: the money is back. True and False are final.
//
//	True:    Succeeded
//	False:   Denied, ApprovedUnguarded, Closed, Rejected, ExceedsPaid, NumberInUse
//	Unknown: Pending, Processing, Abnormal, QueryFailed, Mismatch, UnknownState
const (
	ConditionSucceeded = "Succeeded"

	// ReasonSucceeded: refundquery says that the money is back.
	ReasonSucceeded = "Succeeded"
	// ReasonProcessing: WeChat is at it: minutes for balances, days for cards.
	ReasonProcessing = "Processing"
	// ReasonAbnormal: the payer's card can't take the money; a person must act in the merchant platform.
	ReasonAbnormal = "Abnormal"
	// ReasonQueryFailed: WeChat took the refund, but its answers to the question what became of it are errors; the message has its words.
	ReasonQueryFailed = "QueryFailed"
	// ReasonMismatch: WeChat states a refund of that number with another amount or order. Nothing is concluded from it when WeChat
	// took this one; otherwise it ends as NumberInUse when WeChat says so again, a minute later.
	ReasonMismatch = "Mismatch"
	// ReasonExceedsPaid: with the other refunds of the Order it would be more than was paid, or the 51st.
	ReasonExceedsPaid = "ExceedsPaid"
)

// AbnormalHandled is the condition of a Refund with spec.abnormal: WeChat took where the money goes. Succeeded tells when it
// arrived.
//
//	True:    Accepted
//	False:   ApprovedUnguarded, SecretNotFound, CertificateMissing, NotSent, RateLimited, Rejected (the last five wait and try
//	         again)
//	Unknown: PolicyNotVerified, Approved, OutcomeUnknown, Refused
const ConditionAbnormalHandled = "AbnormalHandled"

// Delivering is the condition of an EventSink: the receiver takes the events.
//
//	True:    Delivering
//	False:   SecretNotFound, InvalidSigningKey, InvalidEndpoint, HostNotAllowed (with these nothing is sent), DeliveryFailed,
//	         EventsGivenUp
//	Unknown: Pending
const (
	ConditionDelivering = "Delivering"

	// ReasonDelivering: the receiver took the last event, and none is waiting after a failure.
	ReasonDelivering = "Delivering"
	// ReasonInvalidSigningKey: the entry for the signing key is not there, or no key; which, only the Secret tells.
	ReasonInvalidSigningKey = "InvalidSigningKey"
	// ReasonHostNotAllowed: the url is at a host that the platform team does not let the operator call (--event-hosts).
	ReasonHostNotAllowed = "HostNotAllowed"
	// ReasonDeliveryFailed: the receiver did not take an event, which is sent again with growing waits for 24 hours.
	ReasonDeliveryFailed = "DeliveryFailed"
	// ReasonEventsGivenUp: events were given up, and none was delivered since.
	ReasonEventsGivenUp = "EventsGivenUp"
)

// Uploaded is the condition of a Shipment: WeChat has the shipping information. True is final, and so are NothingLeft, Rejected
// and NotShippable.
//
//	True:    Uploaded, AlreadyShipped
//	False:   OrderNotFound, OrderNotPaid, MerchantNotReady, MiniProgramNotFound, MiniProgramNotReady, Refused (these wait and
//	         try again), NothingLeft, Rejected, NotShippable
//	Unknown: WaitingForTurn, NotYetKnown, NotSent, OutcomeUnknown
const (
	ConditionUploaded = "Uploaded"

	// ReasonUploaded: WeChat took the shipping information.
	ReasonUploaded = "Uploaded"
	// ReasonAlreadyShipped: WeChat says that nothing is left to upload.
	ReasonAlreadyShipped = "AlreadyShipped"
	// ReasonMiniProgramNotFound: no MiniProgram of the Order's appid may be used in this namespace.
	ReasonMiniProgramNotFound = "MiniProgramNotFound"
	// ReasonMiniProgramNotReady: the MiniProgram can't be used now; its condition Ready says why.
	ReasonMiniProgramNotReady = "MiniProgramNotReady"
	// ReasonNotYetKnown: order shipping management does not know the payment yet, up to a minute after it.
	ReasonNotYetKnown = "NotYetKnown"
	// ReasonNothingLeft: WeChat has other shipping information, and the one chance to change it is used.
	ReasonNothingLeft = "NothingLeft"
	// ReasonNotShippable: the order was refunded, or the payer has confirmed it, before this upload.
	ReasonNotShippable = "NotShippable"
)

// The condition Ready of a MiniProgram has these reasons beside those of a Merchant.
const (
	// ReasonTradeNotManaged: the credentials are good, and WeChat holds no money of this mini program until it is told of shipping.
	ReasonTradeNotManaged = "TradeNotManaged"
	// ReasonAddressNotAllowed: the address of the operator is not on the mini program's allow-list (40164).
	ReasonAddressNotAllowed = "AddressNotAllowed"
	// ReasonQuotaExhausted: the mini program's calls of this day are used up (45009).
	ReasonQuotaExhausted = "QuotaExhausted"
)

// Downloaded is the condition of a Statement: WeChat's bill of the day is here, and it is whole. Empty is final, and so is Expired: WeChat does not have
// the bill any more.
//
//	True:    Downloaded, Empty
//	False:   MerchantNotFound, MerchantNotReady, Waiting, Creating, NotAllowed, Incomplete, Expired
//	Unknown: WeChatUnreachable
const (
	ConditionDownloaded = "Downloaded"

	// ReasonMerchantNotFound: the Merchant does not exist in the namespace.
	ReasonMerchantNotFound = "MerchantNotFound"
	// ReasonDownloaded: the bill is here, and its rows add up to its summary.
	ReasonDownloaded = "Downloaded"
	// ReasonEmpty: WeChat has no bill, because nothing happened at the merchant number on that day.
	ReasonEmpty = "Empty"
	// ReasonWaiting: WeChat has the bill of a day from 10:00 (Beijing) of the next day on.
	ReasonWaiting = "Waiting"
	// ReasonCreating: WeChat has not made the bill yet.
	ReasonCreating = "Creating"
	// ReasonNotAllowed: WeChat does not give this bill to this merchant number.
	ReasonNotAllowed = "NotAllowed"
	// ReasonIncomplete: what arrived is no bill, or not all of it, or another day's or merchant's. Nothing is balanced by it.
	ReasonIncomplete = "Incomplete"
)

// Balanced is the condition of a Statement: the bill agrees with what the operator knows.
//
//	True:    Balanced
//	False:   Differs
//	Unknown: Undecided, NotCompared
const (
	ConditionBalanced = "Balanced"

	// ReasonBalanced: everything agrees to the fen.
	ReasonBalanced = "Balanced"
	// ReasonDiffers: status.differences says in what.
	ReasonDiffers = "Differs"
	// ReasonUndecided: what happened near midnight may be in the bill of the day before or after.
	ReasonUndecided = "Undecided"
	// ReasonNotCompared: there is no whole bill.
	ReasonNotCompared = "NotCompared"
)
