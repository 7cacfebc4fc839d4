// Package v1alpha1 holds the kinds Merchant, Order, Refund, EventSink, MiniProgram, Shipment and Statement of the group
// wechatpay-operator.io.
//
// +kubebuilder:object:generate=true
// +groupName=wechatpay-operator.io
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	// GroupVersion is the group and version of every kind in this package.
	GroupVersion = schema.GroupVersion{Group: "wechatpay-operator.io", Version: "v1alpha1"}

	// SchemeBuilder adds the kinds to a scheme.
	SchemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)

	// AddToScheme adds the kinds to a scheme.
	AddToScheme = SchemeBuilder.AddToScheme
)

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion,
		&Merchant{}, &MerchantList{},
		&Order{}, &OrderList{},
		&Refund{}, &RefundList{},
		&EventSink{}, &EventSinkList{},
		&MiniProgram{}, &MiniProgramList{},
		&Shipment{}, &ShipmentList{},
		&Statement{}, &StatementList{},
	)
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
