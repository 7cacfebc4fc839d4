package events

import (
	"net/http"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// typePrefix makes the CloudEvents type of an event: the reversed name of the API group, as CloudEvents recommends.
const typePrefix = "io.wechatpay-operator."

// header returns the attributes of a CloudEvent in binary mode. The values are names, numbers and times in ASCII, so
// nothing has to be escaped.
func header(event Event, object client.Object) http.Header {
	return http.Header{
		"Ce-Specversion": {"1.0"},
		"Ce-Id":          {event.ID()},
		"Ce-Source":      {sourceOf(object)},
		"Ce-Type":        {typePrefix + string(event.Type)},
		"Ce-Subject":     {numberOf(object)},
		"Ce-Time":        {event.Time.UTC().Format(time.RFC3339)},
		"Content-Type":   {"application/json"},
	}
}

// sourceOf returns the path of an object at the API server.
func sourceOf(object client.Object) string {
	resource := "orders"
	switch object.(type) {
	case *v1alpha1.Refund:
		resource = "refunds"
	case *v1alpha1.Shipment:
		resource = "shipments"
	case *v1alpha1.Statement:
		resource = "statements"
	}
	return "/apis/" + v1alpha1.GroupVersion.String() + "/namespaces/" + object.GetNamespace() + "/" + resource + "/" + object.GetName()
}

// numberOf returns the object's number at WeChat Pay.
func numberOf(object client.Object) string {
	if numbered, ok := object.(interface{ Number() string }); ok {
		return numbered.Number()
	}
	return object.GetName()
}
