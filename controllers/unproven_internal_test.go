package controllers

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
)

func merchantOfOneNumber(namespace string, proven bool) *v1alpha1.Merchant {
	m := &v1alpha1.Merchant{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "shop", UID: types.UID("uid-of-" + namespace)}}
	m.Spec.MchID = "1900000109"
	if proven {
		m.Status.Keys, m.Status.KeysEndpoint = []string{"id-of-the-key"}, account.EndpointID(m)
	}
	return m
}

func orderOfOneNumber(namespace string) *v1alpha1.Order {
	order := stalePaidOrder()
	order.Namespace, order.UID, order.Spec.ExpireAfterSeconds = namespace, types.UID("order-of-"+namespace), 7200
	order.Spec.MerchantRef = v1alpha1.MerchantReference{Name: "shop"}
	return order
}

// TestNumbersAreNotRevealedToUnprovenKeys: naming the shop's merchant number with another key
// does not reveal which numbers the shop uses. After WeChat has accepted the key, they are shown.
func TestNumbersAreNotRevealedToUnprovenKeys(t *testing.T) {
	t.Parallel()
	for name, proven := range map[string]bool{"not taken": false, "taken": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shop, strangers := merchantOfOneNumber("shop", true), merchantOfOneNumber("strangers", proven)
			paid, theirs := orderOfOneNumber("shop"), orderOfOneNumber("strangers")
			theirs.Status = v1alpha1.OrderStatus{}
			refunded, theirRefund := accepted(staleRefund("refund-0001")), staleRefund("refund-0001")
			theirRefund.Namespace, theirRefund.UID = "strangers", "refund-of-strangers"
			base := staleReaders(t, []client.Object{shop, strangers, paid, theirs, refunded, theirRefund}, nil)
			base.Recorder = events.NewFakeRecorder(10)

			orders := &OrderReconciler{Base: base}
			orders.init()
			o := &order{Order: stored(t, base, theirs), merchant: strangers}
			if end := orders.claimNumber(t.Context(), o); !end.stop {
				t.Fatal("the Order goes on")
			}
			checkTold(t, proven, o.Status.Conditions)

			refunds := &RefundReconciler{Base: base}
			refunds.init()
			f := &refund{Refund: stored(t, base, theirRefund), order: orderOfOneNumber("strangers"), merchant: strangers}
			if end := refunds.claimNumber(t.Context(), f); !end.stop {
				t.Fatal("the Refund goes on")
			}
			checkTold(t, proven, f.Status.Conditions)
		})
	}
}

// stored returns an object as the API server has it.
func stored[T client.Object](t *testing.T, base Base, object T) T {
	t.Helper()
	if err := base.Client.Get(t.Context(), client.ObjectKeyFromObject(object), object); err != nil {
		t.Fatal(err)
	}
	return object
}

// accepted makes a Refund one that WeChat accepted.
func accepted(refund *v1alpha1.Refund) *v1alpha1.Refund {
	refund.Status.Conditions = append(refund.Status.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionAccepted, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonAccepted, LastTransitionTime: metav1.NewTime(staleNow.Add(-time.Minute)),
	})
	return refund
}

func checkTold(t *testing.T, proven bool, conditions []metav1.Condition) {
	t.Helper()
	text := ""
	for _, condition := range conditions {
		text += condition.Reason + " " + condition.Message + "\n"
	}
	if toldOwner := strings.Contains(text, "belongs to") || strings.Contains(text, v1alpha1.ReasonNumberInUse); toldOwner != proven {
		t.Errorf("told of the owner: %t\n%s", toldOwner, text)
	}
	if waits := strings.Contains(text, "has not accepted the key of Merchant shop yet"); waits == proven {
		t.Errorf("waits for the key: %t\n%s", waits, text)
	}
}
