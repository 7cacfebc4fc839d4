package v1alpha1_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sync/errgroup"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// The floor is a kind that takes anything: what a write of it costs is HTTP, JSON, managedFields and etcd.
var floorKind = schema.GroupVersionKind{Group: "floor." + v1alpha1.GroupVersion.Group, Version: "v1", Kind: "Order"}

const (
	// costWorkers write at once, so that kube-apiserver is not measured while it waits.
	costWorkers = 4
	// costRound is how many Orders are written before it is the other kind's turn: enough for several garbage
	// collections, which would otherwise fall on one kind by chance.
	costRound = 100
)

// BenchmarkCostOfAPaidOrder compares the CPU time of kube-apiserver for a paid Order with that for the same writes of a
// kind without a schema: one creation with the finalizer, and the two status updates of the operator. The kinds take
// turns, so that what the machine does besides strikes both alike. The ratio is to be 1.5 at most; on a busy machine
// one run differs from the next by some 0.1 even so, and more Orders or -count tell more.
//
//	go test -run '^$' -bench Cost -benchtime 300x ./api/v1alpha1
func BenchmarkCostOfAPaidOrder(b *testing.B) {
	floor := installFloor(b)
	ns := namespace(b)
	writes := paidOrder(b)
	orders, floors := &costed{kind: v1alpha1.GroupVersion.WithKind("Order")}, &costed{kind: floor}
	for _, k := range []*costed{orders, floors} {
		if err := k.write(b.Context(), ns, costRound, writes); err != nil { // connections, caches
			b.Fatal(err)
		}
		k.used, k.count = 0, 0
	}
	b.ResetTimer()
	for left, first, second := b.N, orders, floors; left > 0; left, first, second = left-costRound, second, first {
		for _, k := range []*costed{first, second} {
			if err := k.write(b.Context(), ns, min(left, costRound), writes); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.StopTimer()
	b.ReportMetric(orders.perOrder(), "ms-cpu/order")
	b.ReportMetric(floors.perOrder(), "ms-cpu/floor")
	b.ReportMetric(orders.perOrder()/floors.perOrder(), "ratio")
	b.ReportMetric(0, "ns/op") // the time of both kinds together says nothing
}

// costed is what one kind has cost so far.
type costed struct {
	kind  schema.GroupVersionKind
	made  int
	count int
	used  time.Duration
}

func (k *costed) perOrder() float64 { return k.used.Seconds() * 1000 / float64(k.count) }

// write takes so many objects of a kind through the writes of a paid Order.
func (k *costed) write(ctx context.Context, ns string, count int, writes []map[string]any) error {
	before, err := apiServerCPU()
	if err != nil {
		return err
	}
	writing, ctx := errgroup.WithContext(ctx)
	writing.SetLimit(costWorkers)
	for range count {
		k.made++
		name := fmt.Sprintf("order-%06d", k.made)
		writing.Go(func() error { return k.writeOne(ctx, ns, name, writes) })
	}
	if err := writing.Wait(); err != nil {
		return err
	}
	after, err := apiServerCPU()
	k.count += count
	k.used += after - before
	return err
}

func (k *costed) writeOne(ctx context.Context, ns, name string, writes []map[string]any) error {
	object := &unstructured.Unstructured{Object: runtime.DeepCopyJSON(map[string]any{"spec": writes[0]["spec"]})}
	object.SetGroupVersionKind(k.kind)
	object.SetNamespace(ns)
	object.SetName(name)
	object.SetLabels(map[string]string{"app.kubernetes.io/part-of": "shop"})
	object.SetFinalizers([]string{v1alpha1.Finalizer})
	if err := env.Client.Create(ctx, object, client.FieldOwner("shop")); err != nil {
		return err
	}
	for _, written := range writes {
		object.Object["status"] = runtime.DeepCopyJSON(written["status"].(map[string]any))
		if err := env.Client.Status().Update(ctx, object, client.FieldOwner("wechatpay-operator")); err != nil {
			return err
		}
	}
	return nil
}

// paidOrder is an Order as the operator writes it when it can be paid, and when it is paid.
func paidOrder(b *testing.B) []map[string]any {
	b.Helper()
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	order := &v1alpha1.Order{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "order-000001", CreationTimestamp: metav1.NewTime(now)},
		Spec: v1alpha1.OrderSpec{
			MerchantRef: v1alpha1.MerchantReference{Name: "shop"}, TradeType: v1alpha1.TradeTypeJSAPI, Description: "肥皂 x1",
			Amount: v1alpha1.Amount{Total: 101, Currency: v1alpha1.CurrencyCNY}, Payer: &v1alpha1.Payer{OpenID: "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"},
			ClientIP: "203.0.113.7", Attach: "cart-0001", ExpireAfterSeconds: 7200, DesiredState: v1alpha1.DesiredStateOpen,
		},
	}
	merchant := &v1alpha1.Merchant{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop"},
		Spec:       v1alpha1.MerchantSpec{MchID: "1900000109", AppID: "wxd678efh567hg6787", SignType: v1alpha1.SignTypeHMACSHA256},
	}
	expires := metav1.NewTime(now.Add(lifecycle.PrepayLifetime))
	const prepayID = "wx20261121120000abcdef0123456789"
	lifecycle.Prepared(order, v1alpha1.OrderPrepay{
		ID: prepayID, ExpireTime: &expires, SignType: v1alpha1.SignTypeHMACSHA256, Attach: order.Spec.Attach,
		NotifyURL: "https://pay.example.com/notify/v2/shop/shop/payment",
		JSAPI: &v1alpha1.JSAPIParameters{
			AppID: merchant.Spec.AppID, TimeStamp: "1795262400", NonceStr: strings.Repeat("N", 26), Package: "prepay_id=" + prepayID,
			SignType: "HMAC-SHA256", PaySign: strings.Repeat("A", 64),
		},
	}, now)
	writes := []map[string]any{asWritten(b, order)}
	verdict, words := lifecycle.Paid(order, lifecycle.PayeeOf(order, merchant), wechatpay.Payment{
		AppID: merchant.Spec.AppID, MchID: merchant.Spec.MchID, OutTradeNo: order.Number(), TransactionID: "4200001234202611210123456789",
		Total: order.Spec.Amount.Total, Currency: "CNY", CashTotal: new(order.Spec.Amount.Total), OpenID: order.Spec.Payer.OpenID, BankType: "OTHERS",
		PaidTime: now.Add(time.Minute), Attach: order.Spec.Attach,
	}, now.Add(time.Minute))
	if verdict != lifecycle.Recorded {
		b.Fatal(verdict, words)
	}
	return append(writes, asWritten(b, order))
}

func asWritten(b *testing.B, order *v1alpha1.Order) map[string]any {
	b.Helper()
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(order)
	if err != nil {
		b.Fatal(err)
	}
	return object
}

// installFloor installs the kind that takes anything, and waits until it is served.
func installFloor(b *testing.B) schema.GroupVersionKind {
	b.Helper()
	crd := &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: "orders." + floorKind.Group},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: floorKind.Group, Scope: apiextensionsv1.NamespaceScoped,
			Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: "orders", Singular: "order", Kind: floorKind.Kind, ListKind: floorKind.Kind + "List"},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
				Name: floorKind.Version, Served: true, Storage: true,
				Subresources: &apiextensionsv1.CustomResourceSubresources{Status: &apiextensionsv1.CustomResourceSubresourceStatus{}},
				Schema: &apiextensionsv1.CustomResourceValidation{
					OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{Type: "object", XPreserveUnknownFields: new(true)},
				},
			}},
		},
	}
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(crd)
	if err != nil {
		b.Fatal(err)
	}
	u := &unstructured.Unstructured{Object: object}
	u.SetGroupVersionKind(apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"))
	if err := env.Client.Create(b.Context(), u); client.IgnoreAlreadyExists(err) != nil {
		b.Fatal(err)
	}
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(floorKind.GroupVersion().WithKind(floorKind.Kind + "List"))
	err = wait.PollUntilContextTimeout(b.Context(), 50*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		return env.Client.List(ctx, list, client.InNamespace("default")) == nil, nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return floorKind
}

// apiServerCPU is what this process's kube-apiserver has used so far.
func apiServerCPU() (time.Duration, error) {
	all, err := procfs.AllProcs()
	if err != nil {
		return 0, fmt.Errorf("reading /proc, which only Linux has: %w", err)
	}
	for _, process := range all {
		stat, err := process.Stat()
		if err == nil && stat.PPID == os.Getpid() && strings.TrimSpace(stat.Comm) == "kube-apiserver" {
			return time.Duration(stat.CPUTime() * float64(time.Second)), nil
		}
	}
	return 0, errors.New("this process has started no kube-apiserver")
}
