package v1alpha1

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Protocol is a version of WeChat Pay's API.
// +kubebuilder:validation:Enum=V2;V3
type Protocol string

// The protocols.
const (
	// ProtocolV2 is the XML protocol, signed with the API key.
	ProtocolV2 Protocol = "V2"
	// ProtocolV3 is the JSON protocol, signed with the merchant's API certificate.
	ProtocolV3 Protocol = "V3"
)

// SignType is the algorithm that requests and callbacks are signed with.
// +kubebuilder:validation:Enum=MD5;HMAC-SHA256
type SignType string

// The algorithms of protocol V2.
const (
	SignTypeMD5        SignType = "MD5"
	SignTypeHMACSHA256 SignType = "HMAC-SHA256"
)

// RefundApproval says whether a person decides on a Refund.
// +kubebuilder:validation:Enum=Manual;Automatic
type RefundApproval string

// Manual waits for spec.approval on each Refund; Automatic approves by itself.
const (
	RefundApprovalManual    RefundApproval = "Manual"
	RefundApprovalAutomatic RefundApproval = "Automatic"
)

// LatePayment says what happens to money that arrives after the Order was closed.
// +kubebuilder:validation:Enum=Hold;Accept;Refund
type LatePayment string

// Whatever the policy, the Order becomes Paid=True/PaidLate.
const (
	// LatePaymentHold warns by an event and a metric, and leaves the decision to people.
	LatePaymentHold LatePayment = "Hold"
	// LatePaymentAccept does nothing more.
	LatePaymentAccept LatePayment = "Accept"
	// LatePaymentRefund creates the Refund <order>-late over the whole amount, under the Merchant's refundApproval.
	LatePaymentRefund LatePayment = "Refund"
)

// FromNamespaces says which namespaces are meant.
// +kubebuilder:validation:Enum=Same;All;Selector
type FromNamespaces string

// As in the Gateway API.
const (
	NamespacesFromSame     FromNamespaces = "Same"
	NamespacesFromAll      FromNamespaces = "All"
	NamespacesFromSelector FromNamespaces = "Selector"
)

// Numbers says which numbers the Orders of other namespaces may have.
// +kubebuilder:validation:Enum=Any;Prefixed
type Numbers string

// A number is unique for the merchant number for ever, so whoever takes one first keeps it from everybody else.
const (
	// NumbersAny lets every namespace choose freely.
	NumbersAny Numbers = "Any"
	// NumbersPrefixed wants the numbers of another namespace to begin with the value of its label LabelNumberPrefix.
	NumbersPrefixed Numbers = "Prefixed"
)

// SecretKeyReference names one key of a Secret in the namespace of the object that refers to it.
type SecretKeyReference struct {
	// name of the Secret, in the Merchant's namespace.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	Name string `json:"name,omitempty"`

	// key in the Secret that holds the API key. While a key is being rotated, the entry "<key>.previous" holds the
	// one before it, which is then still accepted for callbacks.
	// +optional
	// +default="apiKey"
	// +kubebuilder:default=apiKey
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=200
	// +kubebuilder:validation:Pattern=`^[-._a-zA-Z0-9]+$`
	Key string `json:"key,omitempty"`
}

// APIV3KeyReference names one key of a Secret in the namespace of the Merchant.
type APIV3KeyReference struct {
	// name of the Secret, in the Merchant's namespace.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	Name string `json:"name,omitempty"`

	// key in the Secret that holds the APIv3 key. While a key is being rotated, the entry
	// "<key>.previous" holds the one before it, which still decrypts callbacks.
	// +optional
	// +default="apiV3Key"
	// +kubebuilder:default=apiV3Key
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=200
	// +kubebuilder:validation:Pattern=`^[-._a-zA-Z0-9]+$`
	Key string `json:"key,omitempty"`
}

// The rule about pem stands at PublicKey: the API server shows the value of a text that it refuses, and
// what is pasted there by mistake may be a private key.

// PublicKey is a public key of WeChat Pay, which verifies its answers and callbacks.
// +kubebuilder:validation:XValidation:rule="self.pem.matches('^\\\\s*-----BEGIN PUBLIC KEY-----\\\\s[A-Za-z0-9+/=\\\\s]*[A-Za-z0-9+/=]\\\\s*-----END PUBLIC KEY-----\\\\s*$')",fieldPath=".pem",message="publicKeys.pem must be the content of pub_key.pem, from -----BEGIN PUBLIC KEY----- to -----END PUBLIC KEY-----, and nothing else: no certificate, no private key"
type PublicKey struct {
	// id of the key as the merchant platform shows it (微信支付公钥ID): PUB_KEY_ID_ and digits.
	// +required
	// +kubebuilder:validation:MinLength=12
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^PUB_KEY_ID_[0-9]{1,53}$`
	ID string `json:"id,omitempty"`

	// pem is the content of the downloaded pub_key.pem, from -----BEGIN PUBLIC KEY----- on. It is
	// no secret.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	PEM string `json:"pem,omitempty"`
}

// Partner is the sub merchant for which a service provider (服务商) acts.
type Partner struct {
	// subMchID is the sub merchant's number (sub_mchid), 8 to 10 digits.
	// +required
	// +kubebuilder:validation:MinLength=8
	// +kubebuilder:validation:MaxLength=10
	// +kubebuilder:validation:Pattern=`^[0-9]{8,10}$`
	SubMchID string `json:"subMchID,omitempty"`

	// subAppID is an appid of the sub merchant (sub_appid), which the provider has bound to it.
	// Orders are paid in it if their spec.appID names it, or their payer.subOpenID is set.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[0-9A-Za-z_-]+$`
	SubAppID string `json:"subAppID,omitempty"`
}

// SecretReference names a Secret in the namespace of the object that refers to it.
type SecretReference struct {
	// name of the Secret, in the namespace of the object that refers to it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	Name string `json:"name,omitempty"`
}

// Endpoint is where WeChat Pay is reached.
// +kubebuilder:validation:XValidation:rule="isURL(self.url) && self.url.matches('^https://[^?#@\\\\s\\\\p{Cc}]+$') && url(self.url).getHostname().size() > 0",fieldPath=".url",message="endpoint.url must be an https URL without user, query and fragment, such as https://api.mch.weixin.qq.com: calls that move money are never made without TLS"
// +kubebuilder:validation:XValidation:rule="!has(self.backupURL) || (isURL(self.backupURL) && self.backupURL.matches('^https://[^?#@\\\\s\\\\p{Cc}]+$') && url(self.backupURL).getHostname().size() > 0)",fieldPath=".backupURL",message="endpoint.backupURL must be an https URL without user, query and fragment, such as https://api2.mch.weixin.qq.com"
type Endpoint struct {
	// url of the host that calls go to, https only. WeChat's are https://api.mch.weixin.qq.com (mainland, the
	// default), https://apihk.mch.weixin.qq.com and https://apius.mch.weixin.qq.com (overseas); a proxy or a
	// simulator may stand here as well.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	URL string `json:"url,omitempty"`

	// backupURL is the host that a call is repeated on, once, when the first host can't be reached or its answer is lost.
	// Without it WeChat's own backup host is taken for WeChat's hosts, and the same host for others. Merchants of one mchID
	// that are to share its numbers and limits must name the same hosts here and in url.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	BackupURL string `json:"backupURL,omitempty"`

	// caBundle is PEM, base64 encoded in YAML: the certificate authorities to trust instead of the system's. The
	// certificate of the endpoint is always verified; there is no switch that turns that off.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=131072
	// +kubebuilder:validation:Pattern=`^([0-9A-Za-z+/]{4})*([0-9A-Za-z+/]{2}==|[0-9A-Za-z+/]{3}=)?$`
	CABundle []byte `json:"caBundle,omitempty"`
}

// AllowedNamespaces says who may refer to a Merchant.
// +kubebuilder:validation:XValidation:rule="self.from != 'Selector' || has(self.selector)",fieldPath=".selector",message="allowedNamespaces.selector is required when allowedNamespaces.from is Selector"
// +kubebuilder:validation:XValidation:rule="self.from == 'Selector' || !has(self.selector)",fieldPath=".selector",message="allowedNamespaces.selector is only for allowedNamespaces.from Selector"
// +kubebuilder:validation:XValidation:rule="!has(self.selector) || !has(self.selector.matchExpressions) || self.selector.matchExpressions.all(e, e.operator in ['In', 'NotIn'] ? has(e.values) && e.values.size() > 0 : e.operator in ['Exists', 'DoesNotExist'] && (!has(e.values) || e.values.size() == 0))",fieldPath=".selector",message="allowedNamespaces.selector.matchExpressions: the operator is In or NotIn with values, or Exists or DoesNotExist without"
type AllowedNamespaces struct {
	// from is Same (the Merchant's own namespace), All, or Selector.
	// +optional
	// +default="Same"
	// +kubebuilder:default=Same
	From FromNamespaces `json:"from,omitempty"`

	// selector picks namespaces by their labels.
	// +optional
	Selector *metav1.LabelSelector `json:"selector,omitempty"`

	// numbers is Any, or Prefixed: the numbers of Orders and Refunds of another namespace must then begin with the value of
	// the label wechatpay-operator.io/number-prefix of that Namespace, so that no tenant can take a number that another
	// one is about to use. A namespace without the label, or with an empty one, may then use no number at all. Choose values of
	// which none begins another one: with web and web2, the first may use the numbers of the second.
	// +optional
	// +default="Any"
	// +kubebuilder:default=Any
	Numbers Numbers `json:"numbers,omitempty"`
}

// MerchantSpec says which account at WeChat Pay this is, and how it is used.
// +kubebuilder:validation:XValidation:rule="self.protocol != 'V2' || has(self.apiKeySecretRef)",fieldPath=".apiKeySecretRef",message="apiKeySecretRef is required for protocol V2, which is meant where protocol is absent: set protocol: V3 for an account with an APIv3 key"
// +kubebuilder:validation:XValidation:rule="self.protocol != 'V3' || has(self.apiV3KeySecretRef)",fieldPath=".apiV3KeySecretRef",message="apiV3KeySecretRef is required for protocol V3"
// +kubebuilder:validation:XValidation:rule="self.protocol != 'V3' || has(self.certificateSecretRef)",fieldPath=".certificateSecretRef",message="certificateSecretRef is required for protocol V3: the certificate's key signs every request"
// +kubebuilder:validation:XValidation:rule="has(self.partner) ? has(oldSelf.partner) && self.partner == oldSelf.partner : !has(oldSelf.partner)",fieldPath=".partner",message="partner is immutable: create another Merchant for another sub merchant"
// +kubebuilder:validation:XValidation:rule="!has(self.partner) || self.partner.subMchID != self.mchID",fieldPath=".partner.subMchID",message="partner.subMchID must be the sub merchant's number, not the service provider's, which is mchID"
type MerchantSpec struct {
	// mchID is the merchant number that WeChat Pay gave (mch_id), 8 to 10 digits. Immutable.
	// +required
	// +kubebuilder:validation:MinLength=8
	// +kubebuilder:validation:MaxLength=10
	// +kubebuilder:validation:Pattern=`^[0-9]{8,10}$`
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="mchID is immutable: create another Merchant for another merchant number"
	MchID string `json:"mchID,omitempty"`

	// appID is the id of the mini program, official account or app that is bound to the merchant number (appid);
	// Orders may name another. Immutable.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[0-9A-Za-z_-]+$`
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="appID is immutable: create another Merchant, or set spec.appID on Orders"
	AppID string `json:"appID,omitempty"`

	// protocol is the version of WeChat Pay's API: V2 (API key) or V3 (API certificate and APIv3
	// key; accounts that are opened today). It may be changed: an Order keeps the protocol with
	// which it was prepared for what its payer needs, and everything else goes by the new one.
	// Callbacks of both are taken at any time.
	// +optional
	// +default="V2"
	// +kubebuilder:default=V2
	Protocol Protocol `json:"protocol,omitempty"`

	// signType is for protocol V2: the algorithm that requests are signed with, and callbacks have to be, HMAC-SHA256 or MD5.
	// A change holds for Orders that are prepared after it.
	// +optional
	// +default="HMAC-SHA256"
	// +kubebuilder:default=HMAC-SHA256
	SignType SignType `json:"signType,omitempty"`

	// apiKeySecretRef names the Secret entry that holds the API key (APIv2 密钥), 32 letters and digits. Required for protocol V2.
	// +optional
	APIKeySecretRef SecretKeyReference `json:"apiKeySecretRef,omitzero"`

	// apiV3KeySecretRef names the Secret entry that holds the APIv3 key (APIv3 密钥), 32 letters and
	// digits. Required for protocol V3.
	// +optional
	APIV3KeySecretRef APIV3KeyReference `json:"apiV3KeySecretRef,omitzero"`

	// certificateSecretRef names a Secret of type kubernetes.io/tls with the merchant's API
	// certificate (apiclient_cert.pem as tls.crt, apiclient_key.pem as tls.key). Under protocol V2
	// only refunds need it. Required for protocol V3, where its key signs every request.
	// +optional
	CertificateSecretRef *SecretReference `json:"certificateSecretRef,omitempty"`

	// publicKeys are for protocol V3: WeChat Pay's public keys (微信支付公钥) of the merchant number, by
	// which its answers and callbacks are verified. Without any, WeChat's platform certificates are
	// downloaded, which merchant numbers of today no longer have. During a migration both are in
	// use, each for what is signed with it.
	// +optional
	// +listType=map
	// +listMapKey=id
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=4
	PublicKeys []PublicKey `json:"publicKeys,omitempty"`

	// partner is set if mchID is a service provider's number (服务商) and this Merchant is one of its
	// sub merchants. mchID, appID and all keys are then the provider's. Immutable.
	// +optional
	Partner *Partner `json:"partner,omitempty"`

	// notifyBaseURL is the public address under which WeChat reaches this operator, for example
	// https://pay.example.com. WeChat wants https without port and query, on a public host. Defaults to the manager's
	// --notify-base-url. A change holds for Orders that are prepared after it. At most 110 characters, which leaves room
	// for the callback's path in the 256 that WeChat takes.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=110
	// +kubebuilder:validation:XValidation:rule="isURL(self) && self.matches('^https?://[^?#@\\\\s\\\\p{Cc}]+$') && url(self).getHostname().size() > 0",message="notifyBaseURL must be an absolute http or https URL without user, query and fragment, such as https://pay.example.com"
	// +kubebuilder:validation:XValidation:rule="!self.matches('&[A-Za-z_][0-9A-Za-z_.-]*=')",message="notifyBaseURL must not hold an ampersand with a name and an equals sign (&name=): WeChat's signature does not tell it from another field"
	NotifyBaseURL string `json:"notifyBaseURL,omitempty"`

	// endpoint is where WeChat Pay is reached, when it is not https://api.mch.weixin.qq.com.
	// +optional
	Endpoint *Endpoint `json:"endpoint,omitempty"`

	// refundApproval is Manual (a person with the right to approve sets spec.approval on each Refund) or Automatic.
	// +optional
	// +default="Manual"
	// +kubebuilder:default=Manual
	RefundApproval RefundApproval `json:"refundApproval,omitempty"`

	// latePayment says what happens to money that arrives after an Order was closed: Hold (warn and leave it to
	// people), Accept, or Refund (create the Refund <order>-late). The Order is Paid=True/PaidLate in any case.
	// +optional
	// +default="Hold"
	// +kubebuilder:default=Hold
	LatePayment LatePayment `json:"latePayment,omitempty"`

	// allowedNamespaces says whose Orders may refer to this Merchant. By default only those of its own namespace.
	// +optional
	// +kubebuilder:default={from: Same}
	AllowedNamespaces AllowedNamespaces `json:"allowedNamespaces,omitzero"`

	// statements says how the merchant number's daily bills are compared with what the operator knows. By default only Statements
	// that somebody creates are.
	// +optional
	Statements *MerchantStatements `json:"statements,omitempty"`
}

// SecretNames returns the names of all Secrets that the Merchant names, sorted, each once.
func (s *MerchantSpec) SecretNames() []string {
	names := []string{s.APIKeySecretRef.Name, s.APIV3KeySecretRef.Name}
	if s.CertificateSecretRef != nil {
		names = append(names, s.CertificateSecretRef.Name)
	}
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool { return name == "" })
}

// MerchantCertificate is what the client certificate says of itself.
type MerchantCertificate struct {
	// serialNumber in upper-case hexadecimal, as the merchant platform shows it.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	SerialNumber string `json:"serialNumber,omitempty"`

	// subject of the certificate.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Subject string `json:"subject,omitempty"`

	// notAfter is when the certificate expires.
	// +optional
	NotAfter *metav1.Time `json:"notAfter,omitempty"`
}

// VerifierType is the kind of a Verifier.
// +kubebuilder:validation:Enum=PublicKey;Certificate
type VerifierType string

// Verifier is a key of WeChat Pay.
type Verifier struct {
	// id of a public key, or serial number of a platform certificate, as the header
	// Wechatpay-Serial names it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	ID string `json:"id,omitempty"`

	// type is PublicKey or Certificate.
	// +required
	Type VerifierType `json:"type,omitempty"`

	// fingerprint of the key itself: the first 16 hexadecimal digits of the SHA-256 of its PKCS #1
	// form. What was proven holds for this key only, and not for another one with its id.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Fingerprint string `json:"fingerprint,omitempty"`

	// notAfter is when a certificate expires. Public keys do not.
	// +optional
	NotAfter *metav1.Time `json:"notAfter,omitempty"`
}

// MerchantStatus is what is known of the account.
type MerchantStatus struct {
	// conditions of the Merchant: Ready says whether keys and certificates are in order and WeChat
	// took the key. Orders need only the key, Refunds the certificate as well. CallsAllowed says
	// whether calls are paused for a while after failures, RefundsGuarded whether the policy on
	// approvals is in force, and CallbacksReachable whether a test callback to the public address
	// came back. RefundsAllowed, of a service provider, says whether the sub merchant lets it
	// refund.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// certificate is the client certificate in use.
	// +optional
	Certificate *MerchantCertificate `json:"certificate,omitempty"`

	// keys are the ids of the API keys that the endpoint has taken, as its verified answers show:
	// the current one, and the one before while keys are being rotated. A callback of V2 is
	// believed under such a key only. The id of a V2 key is the first 16 hexadecimal digits of
	// HMAC-SHA256(key, "wechatpay-operator/" and the mchID); for V3 it is that of the SHA-256 over
	// the public key of the merchant's API certificate.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=64
	// +kubebuilder:validation:items:Pattern=`^[0-9A-Fa-f]+$`
	Keys []string `json:"keys,omitempty"`

	// verifiers are WeChat's keys that answers and callbacks of V3 are verified with now. A
	// callback is believed under one of these only; each has verified an answer of the endpoint, or
	// was in a list that did.
	// +optional
	// +listType=map
	// +listMapKey=id
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Verifiers []Verifier `json:"verifiers,omitempty"`

	// keysEndpoint says for which endpoint keys and verifiers hold: it is a digest of the hosts
	// that are called, their ports and paths, and the CA bundle. At another endpoint a key has to
	// be taken anew.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	KeysEndpoint string `json:"keysEndpoint,omitempty"`
}

// Merchant is one merchant number at WeChat Pay with its keys and rules. Orders refer to it.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=wxm,categories=wechatpay
// +kubebuilder:printcolumn:name="MCHID",type=string,JSONPath=`.spec.mchID`
// +kubebuilder:printcolumn:name="READY",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="REASON",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="AGE",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="PROTOCOL",type=string,JSONPath=`.spec.protocol`,priority=1
// +kubebuilder:printcolumn:name="APPID",type=string,JSONPath=`.spec.appID`,priority=1
// +kubebuilder:printcolumn:name="SUBMCHID",type=string,JSONPath=`.spec.partner.subMchID`,priority=1
// +kubebuilder:printcolumn:name="CERTIFICATE EXPIRES",type=string,JSONPath=`.status.certificate.notAfter`,priority=1
// +kubebuilder:printcolumn:name="MESSAGE",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63",message="metadata.name must be at most 63 characters: it is part of the callback URL, which WeChat limits to 256"
type Merchant struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec says which account this is, and how it is used.
	// +required
	Spec MerchantSpec `json:"spec,omitzero"`

	// status is what is known of the account.
	// +optional
	Status MerchantStatus `json:"status,omitzero"`
}

// MerchantList is a list of Merchants.
//
// +kubebuilder:object:root=true
type MerchantList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Merchant `json:"items"`
}
