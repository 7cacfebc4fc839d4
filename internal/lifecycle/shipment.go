package lifecycle

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// UploadedReason returns the state of a Shipment; empty if it has none yet.
func UploadedReason(shipment *v1alpha1.Shipment) string {
	return Condition(shipment.Status.Conditions, v1alpha1.ConditionUploaded).Reason
}

// IsUploaded reports whether WeChat has the shipping information.
func IsUploaded(shipment *v1alpha1.Shipment) bool {
	return Condition(shipment.Status.Conditions, v1alpha1.ConditionUploaded).Status == metav1.ConditionTrue
}

// ShipmentFinal reports whether nothing more will be uploaded for a Shipment.
func ShipmentFinal(shipment *v1alpha1.Shipment) bool {
	switch UploadedReason(shipment) {
	case v1alpha1.ReasonNothingLeft, v1alpha1.ReasonRejected, v1alpha1.ReasonNotShippable:
		return true
	default:
		return IsUploaded(shipment)
	}
}

// NotUploaded records why WeChat does not have the shipping information. What is final stays.
func NotUploaded(shipment *v1alpha1.Shipment, status metav1.ConditionStatus, reason, message string, now time.Time) {
	if !ShipmentFinal(shipment) {
		set(&shipment.Status.Conditions, shipment.Generation, now, v1alpha1.ConditionUploaded, status, reason, message)
	}
}

// Uploaded records that WeChat has the shipping information, with the time that the upload carries.
func Uploaded(shipment *v1alpha1.Shipment, reason, message string, uploadTime, now time.Time) {
	if ShipmentFinal(shipment) {
		return
	}
	set(&shipment.Status.Conditions, shipment.Generation, now, v1alpha1.ConditionUploaded, metav1.ConditionTrue, reason, message)
	shipment.Status.UploadTime = statusTime(uploadTime)
}
