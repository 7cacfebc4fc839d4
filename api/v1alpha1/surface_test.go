package v1alpha1_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// table is what `kubectl get` prints: a row for each object, by the names of the columns.
func table(t *testing.T, ns, resource string) []map[string]string {
	t.Helper()
	dc, err := discovery.NewDiscoveryClientForConfig(env.Config)
	if err != nil {
		t.Fatal(err)
	}
	body, err := dc.RESTClient().Get().AbsPath("/apis/"+v1alpha1.GroupVersion.String()+"/namespaces/"+ns+"/"+resource).
		SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").DoRaw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var printed metav1.Table
	if err := json.Unmarshal(body, &printed); err != nil {
		t.Fatal(err)
	}
	var rows []map[string]string
	for _, row := range printed.Rows {
		cells := map[string]string{}
		for i, column := range printed.ColumnDefinitions {
			if row.Cells[i] != nil {
				cells[strings.ToUpper(column.Name)] = fmt.Sprint(row.Cells[i])
			}
		}
		rows = append(rows, cells)
	}
	return rows
}

func condition(kind, status, reason string) map[string]any {
	return map[string]any{"type": kind, "status": status, "reason": reason, "message": reason + " in words",
		"lastTransitionTime": "2026-11-21T12:00:00Z"}
}

func writeStatus(t *testing.T, u *unstructured.Unstructured, edits ...edit) {
	t.Helper()
	for _, e := range edits {
		e(u)
	}
	if err := env.Client.Status().Update(t.Context(), u, strict); err != nil {
		t.Fatal(err)
	}
}

func TestPrintedColumns(t *testing.T) {
	ns := namespace(t)
	m := mustCreate(t, ns, merchantV3(named("shop"), set("spec.partner.subMchID", "1900000200")))
	writeStatus(t, m, set("status.conditions", []any{condition("Ready", "False", "CertificateExpired")}))
	o := mustCreate(t, ns, order())
	writeStatus(t, o,
		set("status.conditions", []any{condition("Prepared", "True", "Prepared"), condition("Paid", "True", "PaidLate")}),
		set("status.transaction", map[string]any{"id": "4200000001", "total": int64(101), "paidTime": "2026-11-21T12:00:00Z"}))
	r := mustCreate(t, ns, refund())
	writeStatus(t, r,
		set("status.conditions", []any{condition("Approved", "True", "Automatic"), condition("Accepted", "True", "Accepted"), condition("Succeeded", "Unknown", "Processing")}),
		set("status.refundID", "5000000001"))

	e := mustCreate(t, ns, eventSink(named("orders")))
	writeStatus(t, e, set("status.conditions", []any{condition("Delivering", "False", "DeliveryFailed")}), set("status.pending", int64(3)), set("status.givenUp", int64(2)))

	for resource, want := range map[string]map[string]string{
		"eventsinks": {"NAME": "orders", "URL": "https://orders.shop.example/wechatpay", "DELIVERING": "False", "REASON": "DeliveryFailed", "PENDING": "3",
			"GIVEN UP": "2", "MESSAGE": "DeliveryFailed in words"},
		"merchants": {"NAME": "shop", "MCHID": "1900000109", "READY": "False", "REASON": "CertificateExpired", "PROTOCOL": "V3", "APPID": "wxd678efh567hg6787",
			"SUBMCHID": "1900000200", "MESSAGE": "CertificateExpired in words"},
		"orders":  {"NAME": "order-0001", "STATE": "PaidLate", "TYPE": "APP", "TOTAL": "101", "CURRENCY": "CNY", "TRANSACTION": "4200000001", "MESSAGE": "PaidLate in words"},
		"refunds": {"NAME": "refund-0001", "STATE": "Processing", "APPROVED": "Automatic", "ORDER": "order-0001", "AMOUNT": "50", "REFUNDID": "5000000001", "ACCEPTED": "Accepted", "MESSAGE": "Processing in words"},
	} {
		rows := table(t, ns, resource)
		if len(rows) != 1 {
			t.Fatalf("%s: %d rows", resource, len(rows))
		}
		for column, value := range want {
			if rows[0][column] != value {
				t.Errorf("%s: %s is %q, want %q", resource, column, rows[0][column], value)
			}
		}
		if rows[0]["AGE"] == "" {
			t.Errorf("%s: no age", resource)
		}
	}
}

// TestDiscovery: short names and the category are what `kubectl get wxo` and `kubectl get wechatpay` go by.
func TestDiscovery(t *testing.T) {
	dc, err := discovery.NewDiscoveryClientForConfig(env.Config)
	if err != nil {
		t.Fatal(err)
	}
	resources, err := dc.ServerResourcesForGroupVersion(v1alpha1.GroupVersion.String())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"merchants": "wxm", "orders": "wxo", "refunds": "wxr", "eventsinks": "wxe"}
	for _, r := range resources.APIResources {
		short, ok := want[r.Name]
		if !ok {
			continue
		}
		delete(want, r.Name)
		if !slices.Contains(r.ShortNames, short) || !slices.Contains(r.Categories, "wechatpay") || !r.Namespaced {
			t.Errorf("%s: short names %q, categories %q, namespaced %t", r.Name, r.ShortNames, r.Categories, r.Namespaced)
		}
	}
	if len(want) > 0 {
		t.Errorf("not served: %v", want)
	}
}

// TestFieldSelectors: a live list by number finds an Order without any cache, which the callback server relies on.
func TestFieldSelectors(t *testing.T) {
	ns := namespace(t)
	one := mustCreate(t, ns, order(named("order-one"), set("spec.merchantRef.name", "one")))
	writeStatus(t, one, set("status.outTradeNo", "order-one"), set("status.transaction", map[string]any{"id": "42"}))
	mustCreate(t, ns, order(named("order-two"), set("spec.merchantRef.name", "two"), set("spec.tradeType", "NATIVE")))
	approved := mustCreate(t, ns, refund(named("r-one"), set("spec.approval", "Approved"), set("spec.orderRef.name", "order-one")))
	writeStatus(t, approved, set("status.outRefundNo", "R1"))
	mustCreate(t, ns, refund(named("r-two"), set("spec.orderRef.name", "order-two")))

	for _, c := range []struct {
		list        client.ObjectList
		field, want string
		names       []string
	}{
		{&v1alpha1.OrderList{}, "spec.merchantRef.name", "one", []string{"order-one"}},
		{&v1alpha1.OrderList{}, "spec.tradeType", "NATIVE", []string{"order-two"}},
		{&v1alpha1.OrderList{}, "status.outTradeNo", "order-one", []string{"order-one"}},
		{&v1alpha1.OrderList{}, "status.outTradeNo", "order-none", nil},
		{&v1alpha1.OrderList{}, "status.transaction.id", "42", []string{"order-one"}},
		{&v1alpha1.RefundList{}, "spec.orderRef.name", "order-two", []string{"r-two"}},
		{&v1alpha1.RefundList{}, "spec.approval", "Approved", []string{"r-one"}},
		{&v1alpha1.RefundList{}, "spec.approval", "", []string{"r-two"}},
		{&v1alpha1.RefundList{}, "status.outRefundNo", "R1", []string{"r-one"}},
	} {
		if err := env.Client.List(t.Context(), c.list, client.InNamespace(ns), client.MatchingFields{c.field: c.want}); err != nil {
			t.Errorf("%s: %v", c.field, err)
			continue
		}
		var names []string
		switch list := c.list.(type) {
		case *v1alpha1.OrderList:
			for _, item := range list.Items {
				names = append(names, item.Name)
			}
		case *v1alpha1.RefundList:
			for _, item := range list.Items {
				names = append(names, item.Name)
			}
		}
		if !slices.Equal(names, c.names) {
			t.Errorf("%T by %s=%q: %q, want %q", c.list, c.field, c.want, names, c.names)
		}
	}
}

// TestApplyAgain applies a file, lets the operator write, and applies the file again: nothing changes, so a GitOps tool
// can go on applying for ever.
func TestApplyAgain(t *testing.T) {
	ns := namespace(t)
	for _, file := range []string{`
apiVersion: wechatpay-operator.io/v1alpha1
kind: Order
metadata: {name: order-20261121-0001}
spec:
  merchantRef: {name: shop}
  outTradeNo: ""
  tradeType: JSAPI
  description: 肥皂 x1
  amount: {total: 101, currency: CNY}
  payer: {openID: oUpF8uMuAJO_M2pxb1Q9zNjWeS6o}
  expireTime: "2026-11-21T20:00:00+08:00"
`, `
apiVersion: wechatpay-operator.io/v1alpha1
kind: Refund
metadata: {name: refund-20261121-0001}
spec:
  orderRef: {name: order-20261121-0001}
  amount: 50
  outRefundNo: ""
  reason: 质量问题
`, `
apiVersion: wechatpay-operator.io/v1alpha1
kind: Merchant
metadata: {name: shop}
spec:
  mchID: "1900000109"
  appID: wxd678efh567hg6787
  apiKeySecretRef: {name: shop-wechatpay}
`, `
apiVersion: wechatpay-operator.io/v1alpha1
kind: Merchant
metadata: {name: shop-v3}
spec:
  mchID: "1900000109"
  appID: wxd678efh567hg6787
  protocol: V3
  apiV3KeySecretRef: {name: shop-wechatpay}
  certificateSecretRef: {name: shop-wechatpay-cert}
  publicKeys:
  - id: PUB_KEY_ID_0114232134912410000000000000
    pem: |
      -----BEGIN PUBLIC KEY-----
      MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA
      -----END PUBLIC KEY-----
  partner: {subMchID: "1900000200", subAppID: wx8888888888888888}
`} {
		u := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(file), u); err != nil {
			t.Fatal(err)
		}
		t.Run(u.GetKind(), func(t *testing.T) {
			u.SetNamespace(ns)
			shop := func() {
				t.Helper()
				if err := env.Client.Patch(t.Context(), u, client.RawPatch(types.ApplyPatchType, []byte(file)), client.FieldOwner("shop")); err != nil {
					t.Fatal(err)
				}
			}
			shop()
			object := typed(t, u)
			// A patch, as an update would write the whole spec: without the empty number, and with the time in UTC. The
			// same to WeChat, but not to who applied it.
			before := object.DeepCopyObject().(client.Object)
			object.SetFinalizers([]string{v1alpha1.Finalizer})
			if err := env.Client.Patch(t.Context(), object, client.MergeFrom(before), client.FieldOwner("operator")); err != nil {
				t.Fatal(err)
			}
			if err := env.Client.Status().Update(t.Context(), object, client.FieldOwner("operator")); err != nil {
				t.Fatal(err)
			}
			shop()
			if u.GetResourceVersion() != object.GetResourceVersion() {
				t.Error("applying the same file again wrote something")
			}
			if !slices.Contains(u.GetFinalizers(), v1alpha1.Finalizer) {
				t.Error("applying the same file again took the finalizer away")
			}
			if u.GetGeneration() != 1 {
				t.Errorf("generation %d", u.GetGeneration())
			}
		})
	}
}
