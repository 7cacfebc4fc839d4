package rbac_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/controllers"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
	"github.com/wechatpay-operator/wechatpay-operator/internal/manager"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

// A journal writes down what is asked of the API server, in RBAC's words, and what was refused.
type journal struct {
	next    http.RoundTripper
	mutex   sync.Mutex
	used    map[string]bool
	refused []string
}

func (j *journal) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := j.next.RoundTrip(r)
	if asked := inRBACsWords(r); asked != "" {
		j.mutex.Lock()
		defer j.mutex.Unlock()
		j.used[asked] = true
		if r.URL.Query().Get("sendInitialEvents") != "" {
			// A list by way of a watch, where the API server can do that.
			j.used["list"+strings.TrimPrefix(asked, "watch")] = true
		}
		if err == nil && response.StatusCode == http.StatusForbidden {
			j.refused = append(j.refused, asked)
		}
	}
	return response, err
}

// inRBACsWords is "verb group resource" of a request for an object, and empty for others, such as discovery.
func inRBACsWords(r *http.Request) string {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	group := ""
	switch {
	case len(parts) > 2 && parts[0] == "api":
		parts = parts[2:]
	case len(parts) > 3 && parts[0] == "apis":
		group, parts = parts[1], parts[3:]
	default:
		return ""
	}
	if len(parts) > 2 && parts[0] == "namespaces" {
		parts = parts[2:]
	}
	resource, named := parts[0], len(parts) > 1
	if len(parts) > 2 {
		resource += "/" + parts[2]
	}
	verb := map[string]string{http.MethodPost: "create", http.MethodPut: "update", http.MethodPatch: "patch", http.MethodDelete: "delete"}[r.Method]
	switch {
	case verb != "":
	case r.URL.Query().Get("watch") != "":
		verb = "watch"
	case named:
		verb = "get"
	default:
		verb = "list"
	}
	return verb + " " + group + " " + resource
}

// TestEveryRightIsUsed lives a shop's life under the operator's own identity: nothing that it does is refused, and
// there is no right in its role that it does not use.
func TestEveryRightIsUsed(t *testing.T) {
	if err := env.Apply(t.Context(), "config/policy/*.yaml"); err != nil {
		t.Fatal(err)
	}
	seen := &journal{used: map[string]bool{}}
	identity := rest.CopyConfig(configs["manager"])
	identity.Wrap(func(next http.RoundTripper) http.RoundTripper {
		seen.next = next
		return seen
	})
	shop := framework.Open(t, env, framework.WithoutOperator(), framework.WithNamespaces(1), framework.WithTiming(func(timing *controllers.Timing) {
		timing.RefundPoll = framework.EverySoOften(200 * time.Millisecond)
	}))
	// It looks at all namespaces, as in an installation: of some only, it would read their labels by name.
	shop.StartOperatorAs(identity, func(o *manager.Options) { o.Namespaces = nil })
	live(shop)

	role := &rbacv1.ClusterRole{}
	content, err := os.ReadFile(filepath.Join(controlplane.Root(), "config", "rbac", "role.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(content, role); err != nil {
		t.Fatal(err)
	}
	given := map[string]bool{}
	for _, rule := range role.Rules {
		for _, resource := range rule.Resources {
			for _, verb := range rule.Verbs {
				given[fmt.Sprintf("%s %s %s", verb, rule.APIGroups[0], resource)] = true
			}
		}
	}
	seen.mutex.Lock()
	defer seen.mutex.Unlock()
	if len(seen.refused) > 0 {
		t.Errorf("refused: %q", seen.refused)
	}
	for asked := range given {
		// The policy wechatpay-operator-finalizer asks for these; nothing would have gone without them.
		if !seen.used[asked] && !strings.HasSuffix(asked, "/finalizers") && !slices.Contains(rarely, asked) {
			t.Errorf("%q is given and not used", asked)
		}
	}
	for asked := range seen.used {
		if !given[asked] {
			t.Errorf("%q is used and not given by config/rbac/role.yaml", asked)
		}
	}
}

// rarely lists the rights whose moment does not come in a short life.
var rarely = []string{
	// An Event that is told again.
	"patch events.k8s.io events",
	// A status that another replica changed is read again.
	"get wechatpay-operator.io merchants", "get wechatpay-operator.io refunds", "get wechatpay-operator.io eventsinks",
	"get wechatpay-operator.io miniprograms", "get wechatpay-operator.io shipments", "get wechatpay-operator.io statements",
	// A day has to pass before a Statement is made by itself.
	"create wechatpay-operator.io statements",
	// The policy wechatpay-operator-owners asks for it of who makes a Shipment that goes with its Order.
	"delete wechatpay-operator.io shipments",
	// Who may list them learns nothing more by it; it is for operators that are confined to some namespaces.
	"get  namespaces",
}

// live takes every kind through what becomes of it.
func live(shop *framework.Shop) {
	merchant := shop.NewMerchant(func(m *v1alpha1.Merchant) {
		m.Spec.LatePayment = v1alpha1.LatePaymentRefund
		m.Spec.AllowedNamespaces = v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromSelector,
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": "web"}}}
	})
	shop.Create(merchant)
	shop.WaitMerchant(framework.MerchantName, "Ready=True/Ready")
	shop.Patch(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: shop.Other(0)}}, `{"metadata":{"labels":{"team":"web"}}}`)

	// It is told what happens in the Merchant's namespace.
	receiver := framework.NewReceiver(shop.T)
	shop.Create(shop.NewSigningKey(shop.Namespace, framework.SigningKey), shop.NewEventSink("orders", receiver))

	// A day before the merchant number was used.
	yesterday := bills.DayOf(time.Now()).Previous().Previous()
	shop.Create(shop.NewStatement("books", string(yesterday)))
	shop.WaitStatement("books", "Downloaded=True/Empty", "Balanced=True/Balanced")

	// Paid and paid back, in another namespace than the Merchant's.
	elsewhere := func(o *v1alpha1.Order) { o.Namespace, o.Spec.MerchantRef.Namespace = shop.Other(0), shop.Namespace }
	order := shop.NewOrder("order-0001", elsewhere)
	shop.Create(order)
	shop.WaitOrder(shop.Other(0)+"/order-0001", "Prepared=True/Prepared")
	shop.Pay("order-0001")
	shop.WaitOrder(shop.Other(0)+"/order-0001", "Paid=True/Paid")
	refund := shop.NewRefund("refund-0001", "order-0001", 101, func(r *v1alpha1.Refund) {
		r.Namespace, r.Spec.Approval = shop.Other(0), v1alpha1.ApprovalApproved
	})
	shop.Create(refund)
	shop.WaitRefund(shop.Other(0)+"/refund-0001", "Succeeded=True/Succeeded")
	shop.Must(shop.Client.Delete(shop.Context(), refund))
	shop.WaitGone(refund)
	shop.Must(shop.Client.Delete(shop.Context(), order))
	shop.WaitGone(order)

	// Virtual goods, which are reported as delivered by a Shipment.
	shop.OpenWeixin()
	shop.Create(shop.NewMiniProgram("shop", func(m *v1alpha1.MiniProgram) { m.Spec.VirtualGoods = v1alpha1.VirtualGoodsShip }))
	shop.WaitMiniProgram("shop", "Ready=True/Ready")
	shop.Paid("order-0010")
	shop.WaitShipment("order-0010", "Uploaded=True/Uploaded")

	// Closed, and paid all the same: a Refund is made for it.
	late := shop.NewOrder("order-0002")
	shop.Create(late)
	shop.WaitOrder("order-0002", "Prepared=True/Prepared")
	shop.Patch(late, `{"spec":{"desiredState":"Closed"}}`)
	shop.WaitOrder("order-0002", "Paid=False/Closed")
	shop.Pay("order-0002", simulator.PayOptions{Force: true})
	shop.WaitRefund("order-0002-late", "Approved=Unknown/AwaitingApproval")
	shop.Patch(shop.Refund("order-0002-late"), `{"spec":{"approval":"Denied"}}`)
	shop.WaitRefund("order-0002-late", "Succeeded=False/Denied")

	// Deleted by the operator when its time is over.
	brief := shop.NewOrder("order-0003", func(o *v1alpha1.Order) { o.Spec.TTLSecondsAfterFinished = new(int32(0)) })
	shop.Create(brief)
	shop.WaitOrder("order-0003", "Prepared=True/Prepared")
	shop.Pay("order-0003")
	shop.WaitGone(brief)
	shop.WaitEventSink("orders", "Delivering=True/Delivering")
	shop.Must(shop.Client.Delete(shop.Context(), merchant))
	shop.WaitGone(merchant)
}
