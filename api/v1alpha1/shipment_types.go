package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Logistics is how goods reach the payer.
// +kubebuilder:validation:Enum=Express;SameCity;Virtual;SelfPickup
type Logistics string

// The kinds of logistics (logistics_type).
const (
	// LogisticsExpress: a carrier delivers it, with a tracking number.
	LogisticsExpress Logistics = "Express"
	// LogisticsSameCity: it is delivered within the city.
	LogisticsSameCity Logistics = "SameCity"
	// LogisticsVirtual: there is nothing to deliver.
	LogisticsVirtual Logistics = "Virtual"
	// LogisticsSelfPickup: the payer collects it.
	LogisticsSelfPickup Logistics = "SelfPickup"
)

// Parcel is one parcel, or what is handed over at once.
type Parcel struct {
	// trackingNumber of the carrier (tracking_no); required for Express, and only allowed there.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[0-9A-Za-z_.-]+$`
	TrackingNumber string `json:"trackingNumber,omitempty"`

	// carrier by WeChat's code (express_company), such as SF, STO or JD; required for Express, and only allowed there.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[0-9A-Za-z_.-]+$`
	Carrier string `json:"carrier,omitempty"`

	// items describes the content, and is shown to the payer (item_desc): at most 120 characters.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=120
	// +kubebuilder:validation:XValidation:rule="!self.matches('[\\\\p{Cc}\\uFFFE\\uFFFF]') && self == self.trim()",message="items must not hold control characters, nor begin or end with white space"
	Items string `json:"items,omitempty"`

	// receiverContact is the receiver's telephone number, masked but for the last four digits, such as 189****1234
	// (receiver_contact). The carrier SF needs it, or consignorContact.
	// +optional
	// +kubebuilder:validation:MinLength=5
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[0-9+*-]*\*[0-9+*-]*[0-9]{4}$`
	ReceiverContact string `json:"receiverContact,omitempty"`

	// consignorContact is the sender's telephone number, masked in the same way (consignor_contact).
	// +optional
	// +kubebuilder:validation:MinLength=5
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[0-9+*-]*\*[0-9+*-]*[0-9]{4}$`
	ConsignorContact string `json:"consignorContact,omitempty"`
}

// ShipmentSpec defines what was shipped. It is immutable: WeChat accepts shipping information once, and one correction.
// +kubebuilder:validation:XValidation:rule="self == oldSelf",messageExpression="(self.orderRef == oldSelf.orderRef ? \"\" : 'orderRef is immutable; ') + (self.logistics == oldSelf.logistics ? \"\" : 'logistics is immutable; ') + (self.parcels == oldSelf.parcels ? \"\" : 'parcels is immutable; ') + (self.complete == oldSelf.complete ? \"\" : 'complete is immutable; ') + 'create another Shipment: WeChat takes a change of what was shipped only once'"
// +kubebuilder:validation:XValidation:rule="self.logistics != 'Express' || self.parcels.all(p, has(p.trackingNumber) && has(p.carrier))",fieldPath=".parcels",message="each parcel needs trackingNumber and carrier for logistics Express"
// +kubebuilder:validation:XValidation:rule="self.logistics == 'Express' || (self.parcels.size() == 1 && self.complete && !has(self.parcels[0].trackingNumber) && !has(self.parcels[0].carrier))",fieldPath=".parcels",message="WeChat takes several parcels, or several Shipments of an Order, for logistics Express only, and so it does tracking numbers and carriers: write one parcel with items, and complete: true"
// +kubebuilder:validation:XValidation:rule="self.parcels.all(p, !has(p.carrier) || p.carrier != 'SF' || has(p.receiverContact) || has(p.consignorContact))",fieldPath=".parcels",message="a parcel of the carrier SF needs receiverContact or consignorContact, masked but for the last four digits"
type ShipmentSpec struct {
	// orderRef names the Order, in the namespace of the Shipment.
	// +required
	OrderRef OrderReference `json:"orderRef,omitzero"`

	// logistics is Express, SameCity, Virtual (nothing to deliver) or SelfPickup (logistics_type).
	// +required
	Logistics Logistics `json:"logistics,omitempty"`

	// parcels that were shipped, 1 to 15. Several are allowed for Express only.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=15
	Parcels []Parcel `json:"parcels,omitempty"`

	// complete is true if nothing more is shipped after this Shipment (is_all_delivered), the default. An Order that is
	// shipped in parts has a Shipment for each part: all but the last one are complete: false, and they are uploaded in
	// the order of their creation.
	// +optional
	// +default=true
	// +kubebuilder:default=true
	Complete *bool `json:"complete,omitempty"`
}

// ShipmentStatus is the state of the shipping information at WeChat.
type ShipmentStatus struct {
	// conditions of the Shipment: Uploaded.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// uploadTime is when WeChat accepted the shipping information, or was found to have it.
	// +optional
	UploadTime *metav1.Time `json:"uploadTime,omitempty"`

	// weChatState is the state of the order in WeChat's order shipping management at the last query: ToShip, Shipped,
	// Confirmed (the payer has the goods), Completed, Refunded or SettlementPending. The operator queries it when an
	// upload is in doubt, not regularly.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	WeChatState string `json:"weChatState,omitempty"`

	// miniProgram is the MiniProgram that was used, as namespace/name.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=317
	MiniProgram string `json:"miniProgram,omitempty"`
}

// Shipment is shipping information (发货信息) of an Order. WeChat requires it for payments in mini programs, and freezes
// the money until it has it. It is uploaded once the Order is paid.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=wxs,categories=wechatpay
// +kubebuilder:printcolumn:name="ORDER",type=string,JSONPath=`.spec.orderRef.name`
// +kubebuilder:printcolumn:name="LOGISTICS",type=string,JSONPath=`.spec.logistics`
// +kubebuilder:printcolumn:name="UPLOADED",type=string,JSONPath=`.status.conditions[?(@.type=="Uploaded")].status`
// +kubebuilder:printcolumn:name="REASON",type=string,JSONPath=`.status.conditions[?(@.type=="Uploaded")].reason`
// +kubebuilder:printcolumn:name="AGE",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="TRACKING",type=string,JSONPath=`.spec.parcels[*].trackingNumber`,priority=1
// +kubebuilder:printcolumn:name="MESSAGE",type=string,JSONPath=`.status.conditions[?(@.type=="Uploaded")].message`,priority=1
// +kubebuilder:selectablefield:JSONPath=`.spec.orderRef.name`
type Shipment struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec defines what was shipped.
	// +required
	Spec ShipmentSpec `json:"spec,omitzero"`

	// status is the state of the shipping information at WeChat.
	// +optional
	Status ShipmentStatus `json:"status,omitzero"`
}

// IsComplete reports whether nothing more is shipped after this Shipment.
func (s *Shipment) IsComplete() bool { return s.Spec.Complete == nil || *s.Spec.Complete }

// ShipmentList is a list of Shipments.
//
// +kubebuilder:object:root=true
type ShipmentList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Shipment `json:"items"`
}
