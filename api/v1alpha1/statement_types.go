package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// StatementSchedule defines whether the operator creates Statements.
// +kubebuilder:validation:Enum=None;Daily
type StatementSchedule string

// The schedules of Statements.
const (
	// StatementsNone: users create Statements.
	StatementsNone StatementSchedule = "None"
	// StatementsDaily: the operator creates one for each Beijing day, once WeChat has its bill.
	StatementsDaily StatementSchedule = "Daily"
)

// ForeignPayments defines which payments of the merchant number belong to other systems. A payment is foreign if one of
// these fields matches and the operator does not know the payment.
// +kubebuilder:validation:MinProperties=1
type ForeignPayments struct {
	// outTradeNoPrefixes are the prefixes of another system's numbers (out_trade_no).
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=32
	OutTradeNoPrefixes []string `json:"outTradeNoPrefixes,omitempty"`

	// appIDs that only other systems use.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=32
	AppIDs []string `json:"appIDs,omitempty"`

	// tradeTypes that only other systems use, as WeChat writes them, such as MICROPAY (a till that scans the payer's
	// code).
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=32
	TradeTypes []string `json:"tradeTypes,omitempty"`
}

// MerchantStatements defines how the merchant number's bills are compared with the operator's records.
// +kubebuilder:validation:MinProperties=1
type MerchantStatements struct {
	// schedule is None, or Daily: the operator creates a Statement <merchant>-<date> for each Beijing day. After a
	// downtime it creates those of the missed days, as long as WeChat has their bills.
	// +optional
	// +default="None"
	// +kubebuilder:default=None
	Schedule StatementSchedule `json:"schedule,omitempty"`

	// foreign defines which payments belong to other systems that use the same merchant number. Without it they are
	// differences.
	// +optional
	Foreign *ForeignPayments `json:"foreign,omitempty"`
}

// LocalMerchantReference names a Merchant in the namespace of the object that refers to it.
type LocalMerchantReference struct {
	// name of the Merchant.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`
}

// StatementSpec defines which bill to compare. It is immutable.
// +kubebuilder:validation:XValidation:rule="self == oldSelf",messageExpression="(self.merchantRef == oldSelf.merchantRef ? \"\" : 'merchantRef is immutable; ') + (self.date == oldSelf.date ? \"\" : 'date is immutable; ') + 'create another Statement'"
type StatementSpec struct {
	// merchantRef names the Merchant, in the namespace of the Statement.
	// +required
	MerchantRef LocalMerchantReference `json:"merchantRef,omitzero"`

	// date is a day in Beijing, such as "2026-11-27" (in quotes, because YAML would read it as a timestamp). WeChat has
	// its bill from 10:00 of the next day on, for 89 days.
	// +required
	// +kubebuilder:validation:MinLength=10
	// +kubebuilder:validation:MaxLength=10
	// +kubebuilder:validation:XValidation:rule="self.matches('^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$')",message="date must be a day like \"2026-11-27\""
	Date string `json:"date,omitempty"`
}

// StatementTally is a number of rows and the sum of their amounts.
type StatementTally struct {
	// count of rows.
	// +required
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=9007199254740991
	Count int64 `json:"count"`

	// total in minor units of the currency (fen for CNY).
	// +required
	// +kubebuilder:validation:Minimum=-9007199254740991
	// +kubebuilder:validation:Maximum=9007199254740991
	Total int64 `json:"total"`
}

// StatementTotals are the bill's rows of one currency.
type StatementTotals struct {
	// currency of the amounts.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=16
	Currency string `json:"currency,omitempty"`

	// payments of the day.
	// +required
	Payments StatementTally `json:"payments"`

	// refunds that WeChat accepted on the day.
	// +required
	Refunds StatementTally `json:"refunds"`

	// foreign payments and refunds, which belong to other systems according to Merchant.spec.statements.foreign. They
	// are part of payments and refunds.
	// +required
	Foreign StatementTally `json:"foreign"`

	// unexplained are the rows that differ, and those that the bill lacks: the amount of money that status.differences
	// is about. Amounts are added up regardless of the direction of the money.
	// +optional
	Unexplained *StatementTally `json:"unexplained,omitempty"`

	// fees that WeChat keeps, in yuan with five decimals, as the bill has them: "0.60000".
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	Fees string `json:"fees,omitempty"`
}

// StatementDifference is a difference between the bill and the operator's records.
type StatementDifference struct {
	// class of the difference, such as PaymentNotInLedger (WeChat lists a payment that is neither in the cluster nor in
	// the ledger) or PaymentNotInBill (an Order is Paid and WeChat does not list it). docs/statements.md lists all
	// classes.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Class string `json:"class,omitempty"`

	// outTradeNo is the order's number, if it is known.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	OutTradeNo string `json:"outTradeNo,omitempty"`

	// transactionID is WeChat's number of the payment, if it is known.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	TransactionID string `json:"transactionID,omitempty"`

	// outRefundNo is the refund's number, if the difference is about one.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	OutRefundNo string `json:"outRefundNo,omitempty"`

	// refundID is WeChat's number of the refund, if the difference is about one.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	RefundID string `json:"refundID,omitempty"`

	// bill is the value in WeChat's bill.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Bill string `json:"bill,omitempty"`

	// here is the operator's value.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Here string `json:"here,omitempty"`
}

// StatementDifferenceCount is the number of differences of a class.
type StatementDifferenceCount struct {
	// class of the differences.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Class string `json:"class,omitempty"`

	// count of the differences.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=9007199254740991
	Count int64 `json:"count,omitempty"`
}

// StatementStatus is the result of the comparison.
type StatementStatus struct {
	// conditions of the Statement: Downloaded (the bill was downloaded and is complete) and Balanced (it agrees with
	// the operator's records).
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// hash is the SHA-1 of the unpacked bill, in hexadecimal: two downloads of the same bill have the same.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Hash string `json:"hash,omitempty"`

	// comparedTime is when the bill was last compared.
	// +optional
	ComparedTime *metav1.Time `json:"comparedTime,omitempty"`

	// totals are the bill's rows by currency. Of a service provider's bill they are those of the Merchant's sub
	// merchant only.
	// +optional
	// +listType=map
	// +listMapKey=currency
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	Totals []StatementTotals `json:"totals,omitempty"`

	// differences lists at most 50. If there are more, each class has its share of them. They contain no data about the
	// payer.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=50
	Differences []StatementDifference `json:"differences,omitempty"`

	// differenceCounts is the number of differences of each class, listed or not.
	// +optional
	// +listType=map
	// +listMapKey=class
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	DifferenceCounts []StatementDifferenceCount `json:"differenceCounts,omitempty"`

	// differing is the total number of differences; absent until the bill was compared.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=9007199254740991
	Differing *int64 `json:"differing,omitempty"`

	// undecided is the number of payments and refunds near midnight that the bill of the day before or after will
	// decide.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=9007199254740991
	Undecided *int64 `json:"undecided,omitempty"`
}

// Statement compares WeChat's bill (对账单) of one merchant number and one day with the operator's records of that day. It
// changes neither Orders nor Refunds: if the bill shows that the operator missed a payment or refund, the operator
// queries WeChat.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=wxt,categories=wechatpay
// +kubebuilder:printcolumn:name="MERCHANT",type=string,JSONPath=`.spec.merchantRef.name`
// +kubebuilder:printcolumn:name="DATE",type=string,JSONPath=`.spec.date`
// +kubebuilder:printcolumn:name="DOWNLOADED",type=string,JSONPath=`.status.conditions[?(@.type=="Downloaded")].reason`
// +kubebuilder:printcolumn:name="BALANCED",type=string,JSONPath=`.status.conditions[?(@.type=="Balanced")].reason`
// +kubebuilder:printcolumn:name="DIFFERING",type=integer,JSONPath=`.status.differing`
// +kubebuilder:printcolumn:name="AGE",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="PAYMENTS",type=string,JSONPath=`.status.totals[*].payments.total`,priority=1
// +kubebuilder:printcolumn:name="REFUNDS",type=string,JSONPath=`.status.totals[*].refunds.total`,priority=1
// +kubebuilder:printcolumn:name="MESSAGE",type=string,JSONPath=`.status.conditions[?(@.type=="Balanced")].message`,priority=1
// +kubebuilder:selectablefield:JSONPath=`.spec.merchantRef.name`
// +kubebuilder:selectablefield:JSONPath=`.spec.date`
type Statement struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec defines which bill to compare.
	// +required
	Spec StatementSpec `json:"spec,omitzero"`

	// status is the result of the comparison.
	// +optional
	Status StatementStatus `json:"status,omitzero"`
}

// StatementList is a list of Statements.
//
// +kubebuilder:object:root=true
type StatementList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Statement `json:"items"`
}
