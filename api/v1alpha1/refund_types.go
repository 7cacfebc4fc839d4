package v1alpha1

import (
	"cmp"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Approval is a decision on a Refund.
// +kubebuilder:validation:Enum=Approved;Denied
type Approval string

// Both are final.
const (
	ApprovalApproved Approval = "Approved"
	ApprovalDenied   Approval = "Denied"
)

// OrderReference names an Order in the same namespace.
type OrderReference struct {
	// name of the Order.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`
}

// AbnormalTarget defines where the money of an abnormal refund goes.
// +kubebuilder:validation:Enum=MerchantBankCard;UserBankCard
type AbnormalTarget string

// The targets of an abnormal refund.
const (
	// AbnormalToMerchantBankCard returns the money to the merchant's settlement card; the merchant pays it back outside
	// of WeChat Pay.
	AbnormalToMerchantBankCard AbnormalTarget = "MerchantBankCard"
	// AbnormalToUserBankCard pays it to a bank card of the payer.
	AbnormalToUserBankCard AbnormalTarget = "UserBankCard"
)

// AbnormalRefund is a decision on a refund whose money WeChat could not return to its source.
// +kubebuilder:validation:XValidation:rule="self.to == 'UserBankCard' ? has(self.bankType) && has(self.secretRef) : !has(self.bankType) && !has(self.secretRef)",message="abnormal.bankType and abnormal.secretRef are required for to: UserBankCard, and for that only"
type AbnormalRefund struct {
	// to is MerchantBankCard (the merchant's settlement card; pay the payer by other means) or
	// UserBankCard (a card of the payer).
	// +required
	To AbnormalTarget `json:"to,omitempty"`

	// bankType of the payer's card in WeChat's code, a debit card of one of these banks.
	// +optional
	// +kubebuilder:validation:Enum=CMB_DEBIT;COMM_DEBIT;ABC_DEBIT;CCB_DEBIT;ICBC_DEBIT;BOC_DEBIT;PAB_DEBIT;SPDB_DEBIT;CITIC_DEBIT;CEB_DEBIT;CMBC_DEBIT;CIB_DEBIT;GDB_DEBIT;PSBC_DEBIT;NBCB_DEBIT
	BankType string `json:"bankType,omitempty"`

	// secretRef names the Secret, in the Refund's namespace, with the entries account (the card's number) and name (its
	// owner's). They are encrypted for WeChat and never shown.
	// +optional
	SecretRef *SecretReference `json:"secretRef,omitempty"`
}

// RefundSpec defines what is to be paid back. All fields but approval and abnormal are immutable, and these two are set
// once. The rules for that are at Refund.
type RefundSpec struct {
	// orderRef names the Order to refund, in the same namespace.
	// +required
	OrderRef OrderReference `json:"orderRef,omitzero"`

	// amount to pay back, in minor units of the Order's currency (fen for CNY): 50 is 0.50 yuan. At most the paid
	// amount minus the Order's other Refunds.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=2147483647
	Amount int64 `json:"amount,omitempty"`

	// outRefundNo is the refund's number at WeChat (out_refund_no): 1 to 64 characters of [0-9A-Za-z_-|*@], unique for
	// the merchant number. Defaults to metadata.name. WeChat pays once for a number, even if it is requested several
	// times.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9A-Za-z_|*@-]{0,64}$')",message="outRefundNo must be 1 to 64 characters of [0-9A-Za-z_-|*@]"
	OutRefundNo string `json:"outRefundNo,omitempty"`

	// reason is shown to the payer (refund_desc), at most 80 bytes in UTF-8: 26 Chinese characters.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=80
	// +kubebuilder:validation:XValidation:rule="size(bytes(self)) <= 80 && !self.matches('[\\\\p{Cc}\\uFFFE\\uFFFF\\\\x{10000}-\\\\x{10FFFF}]|&[A-Za-z_][0-9A-Za-z_.-]*=') && self == self.trim()",messageExpression="size(bytes(self)) > 80 ? 'reason must be at most 80 bytes in UTF-8 (26 Chinese characters)' : self.matches('[\\\\x{10000}-\\\\x{10FFFF}]') ? 'reason must not hold emoji or other characters of four bytes in UTF-8: WeChat Pay does not take them' : 'reason must not hold control characters, nor an ampersand with a name and an equals sign (&name=, which WeChat Pay\\'s signature does not tell from another field), nor begin or end with white space'"
	Reason string `json:"reason,omitempty"`

	// approval is the decision of a person who has the right to approve: Approved or Denied. Absent until decided, and
	// final afterwards.
	// +optional
	Approval Approval `json:"approval,omitempty"`

	// approvalMessage says why it was approved or denied. Readers of the Refund see it; the payer does not. At most 256
	// characters. It is set together with approval, and is final as well.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="!self.matches('[\\\\p{Cc}\\uFFFE\\uFFFF]') && self == self.trim()",message="approvalMessage must not hold control characters, nor begin or end with white space"
	ApprovalMessage string `json:"approvalMessage,omitempty"`

	// abnormal is set once by a person who has the right to approve, after the Refund has become Abnormal. It defines
	// where the money goes that WeChat could not return to its source. Protocol V3 only; under V2 use the merchant
	// platform.
	// +optional
	Abnormal *AbnormalRefund `json:"abnormal,omitempty"`
}

// RefundStatus is the state of the refund at WeChat.
type RefundStatus struct {
	// conditions of the Refund: Approved (it may be sent), Accepted (WeChat accepted it), Succeeded (the money was
	// returned), and AbnormalHandled (WeChat accepted spec.abnormal).
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// outRefundNo is the number that is used at WeChat.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	OutRefundNo string `json:"outRefundNo,omitempty"`

	// refundID is WeChat's number of the refund (refund_id).
	// +optional
	// +kubebuilder:validation:MaxLength=64
	RefundID string `json:"refundID,omitempty"`

	// receivedAccount is where the money went, in WeChat's words, such as 支付用户零钱.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	ReceivedAccount string `json:"receivedAccount,omitempty"`

	// lastRequestTime is when WeChat was last asked to refund. It is at least a minute after the previous request for
	// this Order.
	// +optional
	LastRequestTime *metav1.Time `json:"lastRequestTime,omitempty"`

	// acceptedTime is when the operator learned that WeChat accepted the refund.
	// +optional
	AcceptedTime *metav1.Time `json:"acceptedTime,omitempty"`

	// stalledTime is since when WeChat has not confirmed that it is paying back a refund that it accepted: its answers
	// are errors, contradict the Refund, are not known to this version, or say that a person must act. Absent while
	// WeChat confirms it. The finalizer of a Refund that is being deleted is removed 24 hours after this time, or after
	// its deletion if that is later.
	// +optional
	StalledTime *metav1.Time `json:"stalledTime,omitempty"`

	// succeededTime is when the money was returned, by WeChat's clock (refund_success_time).
	// +optional
	SucceededTime *metav1.Time `json:"succeededTime,omitempty"`
}

// The comment at Order says what the rules check first, and why. That approval is final is a separate rule.

// Refund is one refund of a paid Order. It is sent to WeChat only after it was approved.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=wxr,categories=wechatpay
// +kubebuilder:printcolumn:name="STATE",type=string,JSONPath=`.status.conditions[?(@.type=="Succeeded")].reason`
// +kubebuilder:printcolumn:name="APPROVED",type=string,JSONPath=`.status.conditions[?(@.type=="Approved")].reason`
// +kubebuilder:printcolumn:name="ORDER",type=string,JSONPath=`.spec.orderRef.name`
// +kubebuilder:printcolumn:name="AMOUNT",type=integer,JSONPath=`.spec.amount`
// +kubebuilder:printcolumn:name="AGE",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="REFUNDID",type=string,JSONPath=`.status.refundID`,priority=1
// +kubebuilder:printcolumn:name="ACCEPTED",type=string,JSONPath=`.status.conditions[?(@.type=="Accepted")].reason`,priority=1
// +kubebuilder:printcolumn:name="MESSAGE",type=string,JSONPath=`.status.conditions[?(@.type=="Succeeded")].message`,priority=1
// +kubebuilder:selectablefield:JSONPath=`.spec.orderRef.name`
// +kubebuilder:selectablefield:JSONPath=`.spec.approval`
// +kubebuilder:selectablefield:JSONPath=`.status.outRefundNo`
// +kubebuilder:validation:XValidation:rule="oldSelf.hasValue() || self.metadata.name.matches('^[0-9a-z-]{1,64}$') || (has(self.spec.outRefundNo) && self.spec.outRefundNo != \"\")",optionalOldSelf=true,message="metadata.name is the refund's number at WeChat unless spec.outRefundNo is set, so it must be 1 to 64 characters of [0-9a-z-]: choose such a name, or set spec.outRefundNo"
// +kubebuilder:validation:XValidation:rule="has(self.status) && (!has(oldSelf.status) || self.status != oldSelf.status) || self.spec == oldSelf.spec || ((has(self.spec.outRefundNo) ? self.spec.outRefundNo : \"\") == (has(oldSelf.spec.outRefundNo) ? oldSelf.spec.outRefundNo : \"\") && self.spec.orderRef == oldSelf.spec.orderRef && self.spec.amount == oldSelf.spec.amount && (has(self.spec.reason) ? has(oldSelf.spec.reason) && self.spec.reason == oldSelf.spec.reason : !has(oldSelf.spec.reason)))",fieldPath=".spec",messageExpression="((has(self.spec.outRefundNo) ? self.spec.outRefundNo : \"\") == (has(oldSelf.spec.outRefundNo) ? oldSelf.spec.outRefundNo : \"\") ? \"\" : 'outRefundNo is immutable; ') + (self.spec.orderRef == oldSelf.spec.orderRef ? \"\" : 'orderRef is immutable; ') + (self.spec.amount == oldSelf.spec.amount ? \"\" : 'amount is immutable; ') + ((has(self.spec.reason) ? has(oldSelf.spec.reason) && self.spec.reason == oldSelf.spec.reason : !has(oldSelf.spec.reason)) ? \"\" : 'reason is immutable; ') + 'create another Refund'"
// +kubebuilder:validation:XValidation:rule="oldSelf.hasValue() || !has(self.spec.abnormal)",optionalOldSelf=true,fieldPath=".spec.abnormal",message="abnormal can be set only once the Refund is Abnormal, not at its creation"
// +kubebuilder:validation:XValidation:rule="has(self.status) && (!has(oldSelf.status) || self.status != oldSelf.status) || !has(oldSelf.spec.abnormal) || (has(self.spec.abnormal) && self.spec.abnormal == oldSelf.spec.abnormal)",fieldPath=".spec.abnormal",message="abnormal is final once set"
// +kubebuilder:validation:XValidation:rule="has(self.status) && (!has(oldSelf.status) || self.status != oldSelf.status) || !has(oldSelf.spec.approval) || (has(self.spec.approval) && self.spec.approval == oldSelf.spec.approval)",fieldPath=".spec.approval",message="approval is final once decided"
// +kubebuilder:validation:XValidation:rule="oldSelf.hasValue() || !has(self.spec.approvalMessage) || has(self.spec.approval)",optionalOldSelf=true,fieldPath=".spec.approvalMessage",message="approvalMessage is set together with approval, and is final then"
// +kubebuilder:validation:XValidation:rule="has(self.status) && (!has(oldSelf.status) || self.status != oldSelf.status) || self.spec == oldSelf.spec || (!has(self.spec.approvalMessage) || has(self.spec.approval)) && (!has(oldSelf.spec.approval) || (has(self.spec.approvalMessage) ? has(oldSelf.spec.approvalMessage) && self.spec.approvalMessage == oldSelf.spec.approvalMessage : !has(oldSelf.spec.approvalMessage)))",fieldPath=".spec.approvalMessage",message="approvalMessage is set together with approval, and is final then"
type Refund struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec defines what is to be paid back.
	// +required
	Spec RefundSpec `json:"spec,omitzero"`

	// status is the state of the refund at WeChat.
	// +optional
	Status RefundStatus `json:"status,omitzero"`
}

// RefundList is a list of Refunds.
//
// +kubebuilder:object:root=true
type RefundList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Refund `json:"items"`
}

// Number is the refund's number at WeChat: spec.outRefundNo, or the name. It never changes.
func (r *Refund) Number() string {
	return cmp.Or(r.Spec.OutRefundNo, r.Name)
}
