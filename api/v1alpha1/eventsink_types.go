package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// EventType is a type of event that an EventSink gets.
// +kubebuilder:validation:Enum=OrderPaid;OrderPaidLate;OrderClosed;RefundRequested;RefundSucceeded;RefundFailed;ShipmentUploaded;StatementDiffers
type EventType string

// The types of events. Each object has at most one event of each.
const (
	// EventOrderPaid: an Order was paid.
	EventOrderPaid EventType = "OrderPaid"
	// EventOrderPaidLate: an Order was paid after it was closed or expired.
	EventOrderPaidLate EventType = "OrderPaidLate"
	// EventOrderClosed: an Order ended without a payment. Its state says how: Closed, Expired, Rejected or NumberInUse.
	EventOrderClosed EventType = "OrderClosed"
	// EventRefundRequested: a Refund was created.
	EventRefundRequested EventType = "RefundRequested"
	// EventRefundSucceeded: the money of a Refund was returned.
	EventRefundSucceeded EventType = "RefundSucceeded"
	// EventRefundFailed: a Refund ended and no money was returned. Its state says why, for example Denied.
	EventRefundFailed EventType = "RefundFailed"
	// EventShipmentUploaded: WeChat has the shipping information of a Shipment.
	EventShipmentUploaded EventType = "ShipmentUploaded"
	// EventStatementDiffers: WeChat's bill of a day differs from the operator's records.
	EventStatementDiffers EventType = "StatementDiffers"
)

// SigningKeyReference names one key of a Secret in the namespace of the EventSink.
type SigningKeyReference struct {
	// name of the Secret, in the EventSink's namespace.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	Name string `json:"name,omitempty"`

	// key in the Secret that holds the signing key: 24 to 64 bytes in base64, with or without the prefix whsec_. While
	// a key is being rotated, the entry "<key>.previous" holds the previous key, and events are signed with both.
	// +optional
	// +default="signingKey"
	// +kubebuilder:default=signingKey
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=200
	// +kubebuilder:validation:Pattern=`^[-._a-zA-Z0-9]+$`
	Key string `json:"key,omitempty"`
}

// EventSinkSpec defines which events are sent, and where.
type EventSinkSpec struct {
	// url to which events are posted, https only. The platform team allows hosts by --event-hosts. Redirects are not
	// followed.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="isURL(self) && self.matches('^https://[^#@\\\\s\\\\p{Cc}]+$') && url(self).getHostname().size() > 0",message="url must be an https URL without user and fragment, such as https://orders.shop.example/wechatpay"
	URL string `json:"url,omitempty"`

	// caBundle is PEM, base64 encoded in YAML: the certificate authorities to trust instead of the system's. The
	// receiver's certificate is always verified; this can't be disabled.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=131072
	// +kubebuilder:validation:Pattern=`^([0-9A-Za-z+/]{4})*([0-9A-Za-z+/]{2}==|[0-9A-Za-z+/]{3}=)?$`
	CABundle []byte `json:"caBundle,omitempty"`

	// secretRef names the Secret entry that holds the key with which events are signed (Standard Webhooks). The
	// receiver verifies the signature.
	// +required
	SecretRef SigningKeyReference `json:"secretRef,omitzero"`

	// types of events to send. Absent: all.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Types []EventType `json:"types,omitempty"`
}

// EventSinkStatus is the progress of the delivery.
type EventSinkStatus struct {
	// conditions of the EventSink: Delivering.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// deliveredTime is the progress of the delivery: every event recorded before it was delivered or given up. After a
	// restart the operator continues from here, so it sends some events twice. It is at least a minute ago, and moves
	// only when an event was delivered.
	// +optional
	DeliveredTime *metav1.Time `json:"deliveredTime,omitempty"`

	// pending is how many events are not delivered yet. Updated every few seconds.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=2147483647
	Pending *int32 `json:"pending,omitempty"`

	// oldestPendingTime is when the oldest pending event was recorded.
	// +optional
	OldestPendingTime *metav1.Time `json:"oldestPendingTime,omitempty"`

	// givenUp is how many events were never delivered: the receiver did not accept them for 24 hours, or their object
	// was deleted and its wait was over. Counted since this object was created.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=9007199254740991
	GivenUp *int64 `json:"givenUp,omitempty"`

	// lastError is why the last failed delivery failed. It stays when deliveries succeed again.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	LastError string `json:"lastError,omitempty"`
}

// EventSink is a webhook that gets events about the Orders, Refunds, Shipments and Statements in its namespace. Events
// are CloudEvents, sent by HTTP at least once and in order for each object. It gets events from its creation on.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=wxe,categories=wechatpay
// +kubebuilder:printcolumn:name="URL",type=string,JSONPath=`.spec.url`
// +kubebuilder:printcolumn:name="DELIVERING",type=string,JSONPath=`.status.conditions[?(@.type=="Delivering")].status`
// +kubebuilder:printcolumn:name="REASON",type=string,JSONPath=`.status.conditions[?(@.type=="Delivering")].reason`
// +kubebuilder:printcolumn:name="PENDING",type=integer,JSONPath=`.status.pending`
// +kubebuilder:printcolumn:name="AGE",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="GIVEN UP",type=integer,JSONPath=`.status.givenUp`,priority=1
// +kubebuilder:printcolumn:name="MESSAGE",type=string,JSONPath=`.status.conditions[?(@.type=="Delivering")].message`,priority=1
type EventSink struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec defines which events are sent, and where.
	// +required
	Spec EventSinkSpec `json:"spec,omitzero"`

	// status is the progress of the delivery.
	// +optional
	Status EventSinkStatus `json:"status,omitzero"`
}

// EventSinkList is a list of EventSinks.
//
// +kubebuilder:object:root=true
type EventSinkList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []EventSink `json:"items"`
}
