package v1alpha1

// Names that stand in metadata.
const (
	// Finalizer keeps an object until what it started at WeChat has ended.
	Finalizer = "wechatpay-operator.io/settle"

	// AnnotationRefreshPrepay makes the operator request a new prepay whenever its value changes.
	AnnotationRefreshPrepay = "wechatpay-operator.io/refresh-prepay"

	// AnnotationRequestedBy names the user who created a Refund, AnnotationDecidedBy the one who set its spec.approval,
	// and AnnotationAbnormalDecidedBy the one who set its spec.abnormal. The optional component four-eyes writes them
	// with the names that the API server knows, and refuses invented values. Without it, anybody could have written
	// them.
	AnnotationRequestedBy       = "wechatpay-operator.io/requested-by"
	AnnotationDecidedBy         = "wechatpay-operator.io/decided-by"
	AnnotationAbnormalDecidedBy = "wechatpay-operator.io/abnormal-decided-by"

	// LabelNumberPrefix, on a Namespace, is the required prefix of the numbers of its Orders and Refunds at a Merchant
	// in another namespace whose spec.allowedNamespaces.numbers is Prefixed.
	LabelNumberPrefix = "wechatpay-operator.io/number-prefix"
)

// Ready is the condition of a Merchant: keys and certificates are valid, and WeChat accepted the key. MiniPrograms have
// it as well: WeChat accepted the appid and the AppSecret. TradeNotManaged, AddressNotAllowed, QuotaExhausted and
// Refused are reasons of MiniPrograms only. They also have SecretNotFound, CredentialsRejected, InvalidEndpoint,
// EndpointNotAllowed and WeChatUnreachable.
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
	// ReasonSecretNotFound: a Secret that the Merchant names does not exist.
	ReasonSecretNotFound = "SecretNotFound"
	// ReasonInvalidAPIKey: the entry for the key is missing, or not 32 letters and digits. The status does not say
	// which, because that would reveal part of the Secret.
	ReasonInvalidAPIKey = "InvalidAPIKey"
	// ReasonInvalidAPIV3Key: the entry for the APIv3 key is missing or not 32 letters and digits, or the key does not
	// decrypt what WeChat encrypted with the account's key.
	ReasonInvalidAPIV3Key = "InvalidAPIV3Key"
	// ReasonInvalidPublicKey: an entry of spec.publicKeys is not an RSA public key in PEM.
	ReasonInvalidPublicKey = "InvalidPublicKey"
	// ReasonPlatformCertificatesMissing: WeChat has no platform certificates for this merchant
	// number, and spec.publicKeys is empty.
	ReasonPlatformCertificatesMissing = "PlatformCertificatesMissing"
	// ReasonAnswersNotVerified: WeChat's answers are signed with an unknown key.
	ReasonAnswersNotVerified = "AnswersNotVerified"
	// ReasonClockSkewed: the operator's clock differs from WeChat's by more than four minutes. WeChat refuses requests
	// from five minutes on.
	ReasonClockSkewed = "ClockSkewed"
	// ReasonInvalidCertificate: the Secret has no certificate of the merchant number, or its private key can't be read.
	// Stops Refunds, not Orders; under V3 all calls.
	ReasonInvalidCertificate = "InvalidCertificate"
	// ReasonCertificateMismatch: the private key is not the certificate's. Stops Refunds, not
	// Orders; under V3 all calls.
	ReasonCertificateMismatch = "CertificateMismatch"
	// ReasonCertificateExpired: the certificate has expired or is not valid yet. Stops Refunds, not Orders; under V3
	// all calls.
	ReasonCertificateExpired = "CertificateExpired"
	// ReasonCertificateRejected: WeChat rejected the certificate of a refund request. Stops Refunds, not Orders.
	ReasonCertificateRejected = "CertificateRejected"
	// ReasonCredentialsRejected: WeChat rejects the key.
	ReasonCredentialsRejected = "CredentialsRejected"
	// ReasonInvalidNotifyURL: WeChat would refuse the callback address.
	ReasonInvalidNotifyURL = "InvalidNotifyURL"
	// ReasonInvalidEndpoint: the endpoint or its CA bundle can't be used.
	ReasonInvalidEndpoint = "InvalidEndpoint"
	// ReasonEndpointNotAllowed: the platform team has not allowed the host of the endpoint (--endpoint-hosts).
	ReasonEndpointNotAllowed = "EndpointNotAllowed"
	// ReasonWeChatUnreachable: no answer so far shows whether the key is right.
	ReasonWeChatUnreachable = "WeChatUnreachable"
)

// CallsAllowed is the condition of a Merchant: its calls are not paused. Calls pause for a while after several
// consecutive ones had no answer, an answer that can't be trusted, or one that rejected the key or asked for fewer
// calls. Refund requests also pause after WeChat rejected the certificate. An error about the parameters of one call
// pauses nothing. The condition shows the pauses of the leader, which makes nearly all calls. Other replicas query
// refunds after a callback, and have their own pauses.
//
//	True:  Allowed
//	False: OrdersPaused, RefundsPaused, AllPaused, MerchantNotReady (nothing is sent at all; Ready says why)
const (
	ConditionCallsAllowed = "CallsAllowed"

	// ReasonAllowed: no calls are paused. Rate limits do not count: they delay single calls for a moment.
	ReasonAllowed = "Allowed"
	// ReasonOrdersPaused: all calls but refund requests are paused.
	ReasonOrdersPaused = "OrdersPaused"
	// ReasonRefundsPaused: refund requests are paused.
	ReasonRefundsPaused = "RefundsPaused"
	// ReasonAllPaused: all calls are paused.
	ReasonAllPaused = "AllPaused"
)

// CallbacksReachable is the condition of a Merchant: a test callback that the operator sent to its own public address
// arrived. The test is made from inside the cluster and is only a warning: neither Ready nor any Order depends on it.
//
//	True:    Reachable
//	False:   DNSFailed, ConnectFailed, TLSFailed, NoAnswer, Redirected, HTTPStatus, WrongAnswer, BodyAltered
//	Unknown: Pending, NotChecked
const (
	ConditionCallbacksReachable = "CallbacksReachable"

	// ReasonReachable: a replica of this operator answered, and the body arrived unchanged.
	ReasonReachable = "Reachable"
	// ReasonDNSFailed: the host is not in DNS, or DNS does not answer.
	ReasonDNSFailed = "DNSFailed"
	// ReasonConnectFailed: no connection to port 443. The cause may be the cluster's egress or load balancer.
	ReasonConnectFailed = "ConnectFailed"
	// ReasonTLSFailed: the certificate has expired, is for another host or not from a public authority, or there is no
	// TLS.
	ReasonTLSFailed = "TLSFailed"
	// ReasonNoAnswer: TLS was established, but no complete HTTP answer came in time.
	ReasonNoAnswer = "NoAnswer"
	// ReasonRedirected: WeChat does not follow redirects.
	ReasonRedirected = "Redirected"
	// ReasonHTTPStatus: the status of the answer was not 200; the message has the status and its usual cause.
	ReasonHTTPStatus = "HTTPStatus"
	// ReasonWrongAnswer: another server answered with 200.
	ReasonWrongAnswer = "WrongAnswer"
	// ReasonBodyAltered: a replica answered, but got a changed body, which would break the signature of a callback.
	ReasonBodyAltered = "BodyAltered"
	// ReasonNotChecked: the address is not public or must not be called, or the check is disabled; the message says
	// which.
	ReasonNotChecked = "NotChecked"
)

// Recorded is the condition of a Merchant if the operator keeps a ledger (--ledger-dsn-file): the ledger's database
// accepts rows. Neither Ready nor any Order or Refund depends on it; only ttlSecondsAfterFinished waits.
//
//	True:    Recorded
//	False:   LedgerUnavailable
const (
	ConditionRecorded = "Recorded"

	// ReasonRecorded: facts are written into the ledger's database.
	ReasonRecorded = "Recorded"
	// ReasonLedgerUnavailable: the ledger's database accepts no rows.
	ReasonLedgerUnavailable = "LedgerUnavailable"
)

// RefundsGuarded is the condition of a Merchant: the policy that restricts approvals is in force in its namespace. The
// operator checks this regularly by a dry run of a request that the policy must refuse. Refunds that need an approval
// wait while the policy of their own namespace is not in force; Ready and Orders do not depend on it.
//
//	True:    Guarded
//	False:   PolicyMissing
//	Unknown: PolicyNotVerified
const (
	ConditionRefundsGuarded = "RefundsGuarded"

	// ReasonGuarded: the policy refused what it must refuse.
	ReasonGuarded = "Guarded"
	// ReasonPolicyMissing: a request that the policy must refuse was accepted: the policy is not installed, not bound
	// or only warns, or the operator itself has the right to approve.
	ReasonPolicyMissing = "PolicyMissing"
	// ReasonPolicyNotVerified: the operator could not check yet whether the policy is in force; the message says why.
	ReasonPolicyNotVerified = "PolicyNotVerified"
)

// RefundsAllowed is the condition of a Merchant of a service provider: the sub merchant lets the provider refund for
// it. Only refund requests show this; one is tried again every hour.
//
//	True:  RefundAccepted
//	False: NoRight
const (
	ConditionRefundsAllowed = "RefundsAllowed"

	// ReasonRefundAccepted: WeChat accepted a refund request.
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

	// ReasonPrepared: status.prepay has what the payer needs to pay.
	ReasonPrepared = "Prepared"
	// ReasonMerchantNotReady: the Merchant is missing or its credentials can't be used; the message says which.
	ReasonMerchantNotReady = "MerchantNotReady"
	// ReasonNotPermitted: the Merchant does not allow this namespace, or does not exist. The status does not say which.
	ReasonNotPermitted = "NotPermitted"
	// ReasonNumberInUse: another Order owns the number, or WeChat has it for another namespace. Final.
	ReasonNumberInUse = "NumberInUse"
	// ReasonUsedAtWeChat: WeChat has the number with other parameters, and no other Order of the account is known to
	// own it. The operator queries the order like any open one, and never closes it at WeChat. It ends as Expired, or
	// as Closed by desiredState or deletion.
	ReasonUsedAtWeChat = "UsedAtWeChat"
	// ReasonNotSent: the call did not reach WeChat. The operator retries automatically.
	ReasonNotSent = "NotSent"
	// ReasonRateLimited: WeChat's rate limit. The operator retries automatically.
	ReasonRateLimited = "RateLimited"
	// ReasonRejected: WeChat rejected the call in a signed answer; the message has its text.
	ReasonRejected = "Rejected"
	// ReasonOutcomeUnknown: the answer was lost. The same call is repeated with the same number.
	ReasonOutcomeUnknown = "OutcomeUnknown"
	// ReasonRefused: WeChat refused the call in an answer without signature, which proves nothing. The operator retries
	// slowly.
	ReasonRefused = "Refused"
	// ReasonPending: WeChat was not asked yet.
	ReasonPending = "Pending"
	// ReasonAlreadyPaid: paid before this object got its own prepay, so there is nothing left to pay.
	ReasonAlreadyPaid = "AlreadyPaid"
	// ReasonWriteRefused: the cluster refuses the write of the finalizer, without which nothing is sent; the message
	// has its error.
	ReasonWriteRefused = "WriteRefused"
)

// Paid is the condition of an Order. Once it is True, it stays True.
//
//	True:    Paid, PaidLate, PaidEarlier, PaidUnderOtherParameters
//	False:   Closed, Expired, Rejected, NumberInUse
//	Unknown: Pending, AwaitingPayment, Closing, AmountMismatch, UnknownState
const (
	ConditionPaid = "Paid"

	// ReasonPaid: WeChat reports the payment in a verified message that equals the spec in appid, mch_id, number,
	// amount and currency.
	ReasonPaid = "Paid"
	// ReasonPaidLate: paid after the Order was closed or expired; the Merchant's latePayment decides what follows.
	ReasonPaidLate = "PaidLate"
	// ReasonPaidEarlier: paid more than five minutes before this object was created: by a restore, a re-applied file,
	// or a reused name.
	ReasonPaidEarlier = "PaidEarlier"
	// ReasonPaidUnderOtherParameters: paid as this Order specifies, while WeChat has the number with parameters that
	// this object did not send (UsedAtWeChat).
	ReasonPaidUnderOtherParameters = "PaidUnderOtherParameters"
	// ReasonClosed: closed at WeChat, unpaid.
	ReasonClosed = "Closed"
	// ReasonExpired: the deadline passed, and it was closed at WeChat, unpaid.
	ReasonExpired = "Expired"
	// ReasonAwaitingPayment: the payer has not paid yet.
	ReasonAwaitingPayment = "AwaitingPayment"
	// ReasonClosing: it is being closed; WeChat may refuse that in the first five minutes.
	ReasonClosing = "Closing"
	// ReasonAmountMismatch: WeChat reports a payment that differs from the spec. A person must look.
	ReasonAmountMismatch = "AmountMismatch"
	// ReasonUnknownState: WeChat reports a state that this version does not know; the message has it. The operator
	// queries again.
	ReasonUnknownState = "UnknownState"
)

// Approved is the condition of a Refund: it may be sent to WeChat.
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
	// ReasonRecovered: WeChat already has a refund with this number, so it was approved before.
	ReasonRecovered = "Recovered"
	// ReasonDenied: spec.approval is Denied.
	ReasonDenied = "Denied"
	// ReasonApprovedUnguarded: it was approved while the policy on approvals was missing, so it is unknown whether the
	// approver had the right. Final: create another Refund.
	ReasonApprovedUnguarded = "ApprovedUnguarded"
	// ReasonAwaitingApproval: nobody has decided yet.
	ReasonAwaitingApproval = "AwaitingApproval"
)

// Accepted is the condition of a Refund: WeChat accepted it.
//
//	True:    Accepted
//	False:   InsufficientBalance, CertificateMissing, OrderNotPaid, OrderNotFound, MerchantNotReady, NotPermitted, WriteRefused,
//	         NumberInUse, NotSent, RateLimited, Rejected, Denied, ApprovedUnguarded, ExceedsPaid, PolicyMissing, PolicyNotVerified
//	         (the first seven, NotSent, RateLimited and the last two wait and try again)
//	Unknown: Pending, WaitingForTurn, OutcomeUnknown, Refused
const (
	ConditionAccepted = "Accepted"

	// ReasonAccepted: WeChat accepted the refund. Only Succeeded shows that the money was returned.
	ReasonAccepted = "Accepted"
	// ReasonInsufficientBalance: the merchant account must be topped up. The operator then retries automatically.
	ReasonInsufficientBalance = "InsufficientBalance"
	// ReasonCertificateMissing: refunds need the Merchant's client certificate, and none can be used.
	ReasonCertificateMissing = "CertificateMissing"
	// ReasonOrderNotPaid: the Order is not paid.
	ReasonOrderNotPaid = "OrderNotPaid"
	// ReasonOrderNotFound: the Order does not exist.
	ReasonOrderNotFound = "OrderNotFound"
	// ReasonWaitingForTurn: the refunds of an Order are sent one at a time, a minute apart.
	ReasonWaitingForTurn = "WaitingForTurn"
)

// Succeeded is the condition of a Refund: the money was returned. True and False are final.
//
//	True:    Succeeded
//	False:   Denied, ApprovedUnguarded, Closed, Rejected, ExceedsPaid, NumberInUse
//	Unknown: Pending, Processing, Abnormal, QueryFailed, Mismatch, UnknownState
const (
	ConditionSucceeded = "Succeeded"

	// ReasonSucceeded: WeChat reports that the money was returned.
	ReasonSucceeded = "Succeeded"
	// ReasonProcessing: WeChat is processing the refund, which takes minutes for balances and days for cards.
	ReasonProcessing = "Processing"
	// ReasonAbnormal: the payer's card can't receive the money; a person must act in the merchant platform.
	ReasonAbnormal = "Abnormal"
	// ReasonQueryFailed: WeChat accepted the refund, but answers queries about it with errors; the message has the
	// text.
	ReasonQueryFailed = "QueryFailed"
	// ReasonMismatch: WeChat reports a refund with this number and another amount or order. If WeChat accepted this
	// Refund, it stays open. Otherwise it ends as NumberInUse if WeChat reports the same a minute later.
	ReasonMismatch = "Mismatch"
	// ReasonExceedsPaid: with the other refunds of the Order it would exceed the paid amount, or it would be the 51st.
	ReasonExceedsPaid = "ExceedsPaid"
)

// AbnormalHandled is the condition of a Refund with spec.abnormal: WeChat accepted where to send the money. Succeeded
// shows when it arrived.
//
//	True:    Accepted
//	False:   ApprovedUnguarded, SecretNotFound, CertificateMissing, NotSent, RateLimited, Rejected (the last five wait and try
//	         again)
//	Unknown: PolicyNotVerified, Approved, OutcomeUnknown, Refused
const ConditionAbnormalHandled = "AbnormalHandled"

// Delivering is the condition of an EventSink: the receiver accepts the events.
//
//	True:    Delivering
//	False:   SecretNotFound, InvalidSigningKey, InvalidEndpoint, HostNotAllowed (with these nothing is sent), DeliveryFailed,
//	         EventsGivenUp
//	Unknown: Pending
const (
	ConditionDelivering = "Delivering"

	// ReasonDelivering: the receiver accepted the last event, and none is waiting after a failure.
	ReasonDelivering = "Delivering"
	// ReasonInvalidSigningKey: the entry for the signing key is missing, or not a key. The status does not say which,
	// because that would reveal part of the Secret.
	ReasonInvalidSigningKey = "InvalidSigningKey"
	// ReasonHostNotAllowed: the platform team has not allowed the host of the url (--event-hosts).
	ReasonHostNotAllowed = "HostNotAllowed"
	// ReasonDeliveryFailed: the receiver did not accept an event. The operator retries at growing intervals for 24
	// hours.
	ReasonDeliveryFailed = "DeliveryFailed"
	// ReasonEventsGivenUp: events were given up, and none was delivered since.
	ReasonEventsGivenUp = "EventsGivenUp"
)

// Uploaded is the condition of a Shipment: WeChat has the shipping information. True is final, and so are NothingLeft,
// Rejected and NotShippable.
//
//	True:    Uploaded, AlreadyShipped
//	False:   OrderNotFound, OrderNotPaid, MerchantNotReady, MiniProgramNotFound, MiniProgramNotReady, Refused (these wait and
//	         try again), NothingLeft, Rejected, NotShippable
//	Unknown: WaitingForTurn, NotYetKnown, NotSent, OutcomeUnknown
const (
	ConditionUploaded = "Uploaded"

	// ReasonUploaded: WeChat accepted the shipping information.
	ReasonUploaded = "Uploaded"
	// ReasonAlreadyShipped: WeChat reports that nothing is left to upload.
	ReasonAlreadyShipped = "AlreadyShipped"
	// ReasonMiniProgramNotFound: there is no MiniProgram with the Order's appid that this namespace may use.
	ReasonMiniProgramNotFound = "MiniProgramNotFound"
	// ReasonMiniProgramNotReady: the MiniProgram can't be used now; its condition Ready says why.
	ReasonMiniProgramNotReady = "MiniProgramNotReady"
	// ReasonNotYetKnown: order shipping management does not know the payment yet, which takes up to a minute.
	ReasonNotYetKnown = "NotYetKnown"
	// ReasonNothingLeft: WeChat has other shipping information, and the only permitted correction was used.
	ReasonNothingLeft = "NothingLeft"
	// ReasonNotShippable: the order was refunded, or the payer has confirmed it, before this upload.
	ReasonNotShippable = "NotShippable"
)

// The condition Ready of a MiniProgram has these reasons in addition to those of a Merchant.
const (
	// ReasonTradeNotManaged: the credentials are valid, and WeChat does not hold the money of this mini program until
	// shipping is reported.
	ReasonTradeNotManaged = "TradeNotManaged"
	// ReasonAddressNotAllowed: the address of the operator is not on the mini program's allow-list (40164).
	ReasonAddressNotAllowed = "AddressNotAllowed"
	// ReasonQuotaExhausted: the mini program has used up its calls of this day (45009).
	ReasonQuotaExhausted = "QuotaExhausted"
)

// Downloaded is the condition of a Statement: WeChat's bill of the day was downloaded, and is complete. Empty is final,
// and so is Expired: WeChat does not have the bill any more.
//
//	True:    Downloaded, Empty
//	False:   MerchantNotFound, MerchantNotReady, Waiting, Creating, NotAllowed, Incomplete, Expired
//	Unknown: WeChatUnreachable
const (
	ConditionDownloaded = "Downloaded"

	// ReasonMerchantNotFound: the Merchant does not exist in the namespace.
	ReasonMerchantNotFound = "MerchantNotFound"
	// ReasonDownloaded: the bill was downloaded, and its rows add up to its summary.
	ReasonDownloaded = "Downloaded"
	// ReasonEmpty: WeChat has no bill, because there were no payments or refunds on that day.
	ReasonEmpty = "Empty"
	// ReasonWaiting: WeChat has the bill of a day from 10:00 (Beijing) of the next day on.
	ReasonWaiting = "Waiting"
	// ReasonCreating: WeChat has not made the bill yet.
	ReasonCreating = "Creating"
	// ReasonNotAllowed: WeChat does not give this bill to this merchant number.
	ReasonNotAllowed = "NotAllowed"
	// ReasonIncomplete: the download is not a bill, not complete, or of another day or merchant. It is not used as a
	// proof of balance.
	ReasonIncomplete = "Incomplete"
)

// Balanced is the condition of a Statement: the bill agrees with the operator's records.
//
//	True:    Balanced
//	False:   Differs
//	Unknown: Undecided, NotCompared
const (
	ConditionBalanced = "Balanced"

	// ReasonBalanced: everything agrees to the fen.
	ReasonBalanced = "Balanced"
	// ReasonDiffers: status.differences lists the differences.
	ReasonDiffers = "Differs"
	// ReasonUndecided: payments or refunds near midnight may be in the bill of the day before or after.
	ReasonUndecided = "Undecided"
	// ReasonNotCompared: there is no complete bill.
	ReasonNotCompared = "NotCompared"
)
