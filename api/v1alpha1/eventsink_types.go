package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// EventType is a kind of fact that an EventSink is told.
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
	// EventRefundSucceeded: the money of a Refund is back.
	EventRefundSucceeded EventType = "RefundSucceeded"
	// EventRefundFailed: a Refund ended and nothing was paid back. Its state says why, Denied for example.
	EventRefundFailed EventType = "RefundFailed"
	// EventShipmentUploaded: WeChat has the shipping information of a Shipment.
	EventShipmentUploaded EventType = "ShipmentUploaded"
	// EventStatementDiffers: WeChat's bill of a day and what the operator knows differ.
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

	// key in the Secret that holds the signing key: 24 to 64 bytes in base64, with or without whsec_ before it. While a key is
	// being rotated, the entry "<key>.previous" holds the one before it, and events are signed with both.
	// +optional
	// +default="signingKey"
	// +kubebuilder:default=signingKey
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=200
	// +kubebuilder:validation:Pattern=`^[-._a-zA-Z0-9]+$`
	Key string `json:"key,omitempty"`
}

// EventSinkSpec says where events are sent, and which.
type EventSinkSpec struct {
	// url that events are posted to, https only. The platform team chooses the hosts that it may name (--event-hosts). Redirects
	// are not followed.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="isURL(self) && self.matches('^https://[^#@\\\\s\\\\p{Cc}]+$') && url(self).getHostname().size() > 0",message="url must be an https URL without user and fragment, such as https://orders.shop.example/wechatpay"
	URL string `json:"url,omitempty"`

	// caBundle is PEM, base64 encoded in YAML: the certificate authorities to trust instead of the system's. The receiver's
	// certificate is always verified; there is no switch that turns that off.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=131072
	// +kubebuilder:validation:Pattern=`^([0-9A-Za-z+/]{4})*([0-9A-Za-z+/]{2}==|[0-9A-Za-z+/]{3}=)?$`
	CABundle []byte `json:"caBundle,omitempty"`

	// secretRef names the Secret entry that holds the key by which events are signed (Standard Webhooks), so that the receiver
	// knows that they are genuine.
	// +required
	SecretRef SigningKeyReference `json:"secretRef,omitzero"`

	// types of events to send. Absent: all.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Types []EventType `json:"types,omitempty"`
}

// EventSinkStatus is how far the delivery is.
type EventSinkStatus struct {
	// conditions of the EventSink: Delivering.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// deliveredTime says how far the delivery is: every event of a fact that was recorded before it was delivered, or given up.
	// Delivery goes on from it after a restart of the operator, so that some events are sent twice. It is at least a minute ago,
	// and moves only when something was delivered.
	// +optional
	DeliveredTime *metav1.Time `json:"deliveredTime,omitempty"`

	// pending is how many events are not delivered yet. Updated every few seconds.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=2147483647
	Pending *int32 `json:"pending,omitempty"`

	// oldestPendingTime is when the fact was recorded of the event that is pending for longest.
	// +optional
	OldestPendingTime *metav1.Time `json:"oldestPendingTime,omitempty"`

	// givenUp is how many events were never delivered: the receiver did not take them for 24 hours, or their object was deleted
	// and did not wait any longer. Counted since this object was created.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=9007199254740991
	GivenUp *int64 `json:"givenUp,omitempty"`

	// lastError is why the last delivery that failed did. It stays when deliveries succeed again.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	LastError string `json:"lastError,omitempty"`
}

// EventSink is where a shop hears of what happened to the Orders, Refunds and Shipments in its namespace. Events are CloudEvents, sent by
// HTTP at least once and in order for each object, beginning with what happens after the creation of the EventSink.
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

	// spec says where events are sent, and which.
	// +required
	Spec EventSinkSpec `json:"spec,omitzero"`

	// status is how far the delivery is.
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
