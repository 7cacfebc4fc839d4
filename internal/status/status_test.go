package status_test

import (
	"errors"
	"testing"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/status"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

var env *controlplane.Environment

func TestMain(m *testing.M) { controlplane.Main(m, &env, nil) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func writer() status.Writer {
	return status.Writer{Client: env.Client, APIReader: env.Client, Attempts: 3, Log: logr.Discard()}
}

func newOrder(t *testing.T) *v1alpha1.Order {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "shop-"}}
	must(t, env.Client.Create(t.Context(), namespace))
	order := &v1alpha1.Order{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace.Name, Name: "order-0001"},
		Spec: v1alpha1.OrderSpec{
			MerchantRef: v1alpha1.MerchantReference{Name: "till"}, TradeType: v1alpha1.TradeTypeNative,
			Description: "soap", ProductID: "1", Amount: v1alpha1.Amount{Total: 101},
		},
	}
	must(t, env.Client.Create(t.Context(), order))
	return order
}

func stored(t *testing.T, order *v1alpha1.Order) *v1alpha1.Order {
	t.Helper()
	found := &v1alpha1.Order{}
	must(t, env.Client.Get(t.Context(), client.ObjectKeyFromObject(order), found))
	return found
}

func label(t *testing.T, order *v1alpha1.Order) {
	t.Helper()
	must(t, env.Client.Patch(t.Context(), stored(t, order), client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"a":"b"}}}`))))
}

// TestAConflictIsResolvedOnTheNewerObject: nothing of the refused change may look stored.
func TestAConflictIsResolvedOnTheNewerObject(t *testing.T) {
	order := newOrder(t)
	label(t, order) // so that the local copy is outdated
	times := 0
	written, err := status.Update(t.Context(), writer(), order, func(order *v1alpha1.Order) error {
		times++
		order.Status.LateRefund = "order-0001-late"
		return nil
	})
	must(t, err)
	if got := stored(t, order); !written || times != 2 || got.Status.LateRefund != "order-0001-late" {
		t.Errorf("written %t, applied %d times, stored %q", written, times, got.Status.LateRefund)
	}
	if order.Labels["a"] != "b" {
		t.Error("the object is not the newer one")
	}
}

func TestNothingIsWrittenWithoutAChange(t *testing.T) {
	order := newOrder(t)
	written, err := status.Update(t.Context(), writer(), order, func(*v1alpha1.Order) error { return nil })
	must(t, err)
	if written || stored(t, order).ResourceVersion != order.ResourceVersion {
		t.Error("it was written")
	}
}

func TestAnErrorOfTheChangeEndsIt(t *testing.T) {
	order, broken := newOrder(t), errors.New("broken")
	written, err := status.Update(t.Context(), writer(), order, func(order *v1alpha1.Order) error {
		order.Status.LateRefund = "x"
		return broken
	})
	if !errors.Is(err, broken) || written || stored(t, order).Status.LateRefund != "" {
		t.Errorf("written %t, %v", written, err)
	}
}

// TestAnotherObjectOfTheNameIsLeftAlone: it may have another number.
func TestAnotherObjectOfTheNameIsLeftAlone(t *testing.T) {
	order := newOrder(t)
	must(t, env.Client.Delete(t.Context(), stored(t, order)))
	update := func() error {
		_, err := status.Update(t.Context(), writer(), order.DeepCopy(), func(order *v1alpha1.Order) error {
			order.Status.LateRefund = "x"
			return nil
		})
		return err
	}
	if err := update(); !errors.Is(err, status.ErrReplaced) {
		t.Errorf("gone: %v", err)
	}
	other := order.DeepCopy()
	other.ResourceVersion, other.UID = "", ""
	must(t, env.Client.Create(t.Context(), other))
	if err := update(); !errors.Is(err, status.ErrReplaced) || stored(t, order).Status.LateRefund != "" {
		t.Errorf("replaced: %v", err)
	}
}
