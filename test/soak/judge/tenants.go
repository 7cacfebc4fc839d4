package judge

import (
	"encoding/json"
	"regexp"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/conditions"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/tenancy"
)

// tenant is an Order that competes for a number.
type tenant struct {
	order   *v1alpha1.Order
	number  Number
	granted bool
	// own is WeChat Pay's record of this Order.
	own *simulator.Order
}

// tenants checks whose facts every stored version shows.
func (j *judge) tenants() {
	c := j.contest()
	told := map[string]string{}
	for _, change := range j.History {
		object := change.Object
		status := statusOf(object)
		if status == nil || change.Gone {
			continue
		}
		mine := c.tenants[orderKey(object)]
		if mine == nil {
			continue // created by nobody: another rule checks that
		}
		text, err := json.Marshal(status)
		if err != nil || told[key(object)] == string(text) {
			continue // the same content as before
		}
		told[key(object)] = string(text)
		j.shown(object, mine)
		j.secrecy(c, object, mine, string(text))
	}
	j.ungranted(c)
}

// contest holds who requested which number.
type contest struct {
	tenants  map[string]*tenant
	byNumber map[Number][]*tenant
	// paidTo is the namespace whose Order a transaction paid.
	paidTo map[string]string
}

func (j *judge) contest() *contest {
	c := &contest{tenants: map[string]*tenant{}, byNumber: map[Number][]*tenant{}, paidTo: map[string]string{}}
	add := func(t *tenant) {
		t.own = tenancy.OwnOrder(j.Ledger.Order(t.number.MchID, t.number.Number), t.order)
		c.tenants[key(t.order)] = t
		c.byNumber[t.number] = append(c.byNumber[t.number], t)
		if t.own != nil && t.own.Payment != nil {
			c.paidTo[t.own.Payment.TransactionID] = t.order.Namespace
		}
	}
	for number, requested := range j.Orders {
		add(&tenant{order: requested.Order, number: number, granted: true})
		if requested.Twin != nil {
			add(&tenant{order: requested.Twin.Order, number: number, granted: true})
		}
	}
	for _, rival := range j.Rivals {
		if rival.Order != nil {
			add(&tenant{order: rival.Order, number: rival.Number})
		}
	}
	return c
}

// shown compares what a version shows of WeChat Pay with WeChat Pay's record of that object.
func (j *judge) shown(object client.Object, mine *tenant) {
	var broken []tenancy.Broken
	switch object := object.(type) {
	case *v1alpha1.Order:
		broken = tenancy.FactsOfOrder(object, mine.own, mine.granted)
	case *v1alpha1.Refund:
		recorded := j.Ledger.Refund(mine.number.MchID, object.Number())
		broken = tenancy.FactsOfRefund(object, tenancy.OwnRefund(recorded, mine.own, object))
	}
	j.findAll(object, mine.number, broken)
}

// transactions matches WeChat Pay's transaction numbers in a text.
var transactions = regexp.MustCompile(`\b42000\d{20,}\b`)

// secrecy: a status reveals nothing about Orders of other namespaces with the same number, and no
// transaction of another namespace's Orders at all.
func (j *judge) secrecy(c *contest, object client.Object, mine *tenant, text string) {
	told, err := tenancy.ToldBy(mine.order, json.RawMessage(text), conditions.Of(object))
	if err != nil {
		return // it could be marshalled before
	}
	for _, other := range c.byNumber[mine.number] {
		if other.order.Namespace == object.GetNamespace() {
			continue
		}
		j.lookAt(NoFactCrosses)
		j.findAll(object, mine.number, told.Of(other.order, other.own))
	}
	for _, transaction := range transactions.FindAllString(text, -1) {
		j.lookAt(NoFactCrosses)
		if namespace, known := c.paidTo[transaction]; known && namespace != object.GetNamespace() {
			j.findAll(object, mine.number, []tenancy.Broken{{Invariant: string(NoFactCrosses), What: "tells transaction " + transaction + ", which paid an Order of another namespace"}})
		}
	}
}

// ungranted: WeChat Pay has no order of an Order that was never permitted, and the Order shows
// none.
func (j *judge) ungranted(c *contest) {
	for _, t := range c.tenants {
		if t.granted {
			continue
		}
		j.lookAt(UngrantedIsNothing)
		if t.own != nil {
			j.findAll(t.order, t.number, []tenancy.Broken{{Invariant: string(UngrantedIsNothing), What: "was never granted, and WeChat has an order that it sent"}})
		}
	}
	for _, rival := range j.Rivals {
		if rival.Order != nil && len(j.conditionsOf(rival.Order)) == 0 {
			j.notYet(Converged, rival.Number, "%s, which was never granted, is not told so", key(rival.Order))
		}
	}
}

func (j *judge) conditionsOf(order *v1alpha1.Order) []metav1.Condition {
	if now := j.past.order(key(order)); now != nil {
		return now.Status.Conditions
	}
	return nil
}

// findAll reports the violations of an object that may be another one than its number's owner.
func (j *judge) findAll(object client.Object, number Number, broken []tenancy.Broken) {
	for _, b := range broken {
		j.find(Rule(b.Invariant), number, "%s %s", key(object), b.What).Object = j.past.describe(key(object))
	}
}

// statusOf returns the status of an Order, a Refund or a Shipment; nil for other kinds.
func statusOf(object client.Object) any {
	switch object := object.(type) {
	case *v1alpha1.Order:
		return object.Status
	case *v1alpha1.Refund:
		return object.Status
	case *v1alpha1.Shipment:
		return object.Status
	default:
		return nil
	}
}

// orderKey returns the key of an Order, or of the Order of a Refund or a Shipment.
func orderKey(object client.Object) string {
	switch object := object.(type) {
	case *v1alpha1.Refund:
		return "Order " + object.Namespace + "/" + object.Spec.OrderRef.Name
	case *v1alpha1.Shipment:
		return "Order " + object.Namespace + "/" + object.Spec.OrderRef.Name
	default:
		return key(object)
	}
}
