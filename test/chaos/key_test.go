package chaos_test

import (
	"cmp"
	"reflect"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// key identifies an object of a run. place stands for its namespace, whose name differs between
// runs.
type key struct{ kind, name, place string }

func (k key) String() string {
	if k.place == home {
		return k.kind + "/" + k.name
	}
	return k.kind + "/" + k.place + "/" + k.name
}

func (k key) compare(other key) int {
	return cmp.Or(cmp.Compare(k.kind, other.kind), cmp.Compare(k.place, other.place), cmp.Compare(k.name, other.name))
}

// placeOf returns the place of a namespace: home is named explore-<random>, the others append their
// place.
func placeOf(namespace string) string {
	if parts := strings.SplitN(namespace, "-", 3); len(parts) == 3 {
		return parts[2]
	}
	return home
}

func (w *world) namespaceOf(place string) string {
	if place == home {
		return w.namespace
	}
	return w.namespace + "-" + place
}

// isOurs reports whether a namespace belongs to this run: other runs are in progress at the same
// time.
func (w *world) isOurs(namespace string) bool { return w.namespaceOf(placeOf(namespace)) == namespace }

// kinds are empty objects of the kinds that a run has.
var kinds = map[string]client.Object{
	kindMerchant: &v1alpha1.Merchant{}, kindOrder: &v1alpha1.Order{}, kindRefund: &v1alpha1.Refund{},
	kindMiniProgram: &v1alpha1.MiniProgram{}, kindShipment: &v1alpha1.Shipment{}, kindEventSink: &v1alpha1.EventSink{},
}

// kindOf returns the kind of an object that a run has; empty for others.
func kindOf(object client.Object) string {
	name := reflect.TypeOf(object).Elem().Name()
	if kinds[name] == nil {
		return ""
	}
	return name
}

func newObject(kind string) client.Object { return kinds[kind].DeepCopyObject().(client.Object) }

func keyOf(object client.Object) key {
	return key{kindOf(object), object.GetName(), placeOf(object.GetNamespace())}
}
