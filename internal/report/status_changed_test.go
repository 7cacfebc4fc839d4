package report_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/report"
)

const openID = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"

// lines returns what StatusChanged logs for a change.
func lines(before, now client.Object) []string {
	var written []string
	log := funcr.New(func(_, line string) { written = append(written, line) }, funcr.Options{})
	report.StatusChanged(log, before, now)
	return written
}

func orderIn(prepared, paid, message string) *v1alpha1.Order {
	order := &v1alpha1.Order{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "order-0001"}}
	order.Spec.MerchantRef.Name = "till"
	order.Spec.Payer = &v1alpha1.Payer{OpenID: openID}
	status := map[string]metav1.ConditionStatus{v1alpha1.ReasonPrepared: "True"}[prepared]
	if prepared != "" {
		order.Status.Conditions = append(condition(v1alpha1.ConditionPrepared, string(status), prepared), condition(v1alpha1.ConditionPaid, "Unknown", paid)...)
		order.Status.Conditions[0].Message, order.Status.Conditions[1].Message = message, message
	}
	return order
}

func TestAChangeOfStateIsOneLine(t *testing.T) {
	refund := func(reasons ...string) *v1alpha1.Refund {
		made := &v1alpha1.Refund{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "refund-0001"}}
		made.Spec.OrderRef.Name = "order-0001"
		for i, reason := range reasons {
			made.Status.Conditions = append(made.Status.Conditions, condition([]string{"Approved", "Accepted", "Succeeded"}[i], "Unknown", reason)...)
		}
		return made
	}
	merchant := func(reason string) *v1alpha1.Merchant {
		made := &v1alpha1.Merchant{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "till"}, Spec: v1alpha1.MerchantSpec{MchID: "1900000109"}}
		if reason != "" {
			made.Status.Conditions = condition("Ready", "False", reason)
		}
		return made
	}
	for name, c := range map[string]struct {
		before, now client.Object
		want        string // none if empty
	}{
		"prepared": {orderIn("", "", ""), orderIn("Prepared", "AwaitingPayment", "said"),
			`"msg"="Changed the state of an Order" "order"={"name"="order-0001" "namespace"="shop"} "merchant"={"name"="till" "namespace"="shop"} "outTradeNo"="order-0001" "state"="AwaitingPayment" "prepared"="Prepared"`},
		"an answer is lost": {orderIn("Pending", "Pending", ""), orderIn("OutcomeUnknown", "Pending", "payer "+openID),
			`"state"="Pending" "prepared"="OutcomeUnknown" "message"="payer oUpF****"`},
		"other words, same state":      {orderIn("OutcomeUnknown", "Pending", "a"), orderIn("OutcomeUnknown", "Pending", "b"), ""},
		"a mismatch is told elsewhere": {orderIn("Prepared", "AwaitingPayment", ""), orderIn("Prepared", "AmountMismatch", "m"), ""},
		"closed": {orderIn("Prepared", "AwaitingPayment", ""), orderIn("Closed", "Closed", "why"),
			`"state"="Closed" "before"="AwaitingPayment" "prepared"="Closed" "message"="why"`},
		"a refund waits": {refund(), refund("AwaitingApproval", "Pending", "Pending"),
			`"msg"="Changed the state of a Refund" "refund"={"name"="refund-0001" "namespace"="shop"} "order"={"name"="order-0001" "namespace"="shop"} "outRefundNo"="refund-0001" "state"="Pending" "approved"="AwaitingApproval" "accepted"="Pending"`},
		"a refund has no balance": {refund("Approved", "Pending", "Pending"), refund("Approved", "InsufficientBalance", "Pending"),
			`"accepted"="InsufficientBalance" "message"="InsufficientBalance in words"`},
		"a refund is the same": {refund("Approved", "Accepted", "Processing"), refund("Approved", "Accepted", "Processing"), ""},
		"a merchant": {merchant(""), merchant("SecretNotFound"),
			`"msg"="Changed the state of a Merchant" "merchant"={"name"="till" "namespace"="shop"} "mchID"="1900000109" "state"="SecretNotFound" "message"="SecretNotFound in words"`},
		"a merchant is the same": {merchant("Ready"), merchant("Ready"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := lines(c.before, c.now)
			if c.want == "" {
				if len(got) > 0 {
					t.Errorf("logged %q", got)
				}
				return
			}
			if len(got) != 1 || !strings.HasSuffix(got[0], c.want) {
				t.Errorf("logged %q, want one that ends in\n%s", got, c.want)
			}
		})
	}
}

func TestMask(t *testing.T) {
	got := []string{report.Mask(openID), report.Mask("short"), report.Mask("")}
	if want := []string{"oUpF****", "****", "****"}; !slices.Equal(got, want) {
		t.Error(fmt.Sprint(got))
	}
}
