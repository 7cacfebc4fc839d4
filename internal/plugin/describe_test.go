package plugin_test

import (
	"bytes"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/plugin"
)

// later are the times of events after the payment.
func later(minutes int) *metav1.Time {
	at := metav1.NewTime(paidAt.Add(time.Duration(minutes) * time.Minute))
	return &at
}

// wholeStory is an Order with a Refund that succeeded, one that waits for money, and a Shipment.
func wholeStory(t *testing.T, ns string) {
	t.Helper()
	order := paidOrder(ns, "order-0001", func(o *v1alpha1.Order) {
		o.Status.Refunded = &v1alpha1.Refunded{Total: 50, Count: 1, Refunds: []v1alpha1.RefundedItem{{OutRefundNo: "refund-0001",
			Amount: 50}}}
		o.Status.Transaction.BankType = "OTHERS"
		o.Status.Transaction.CashTotal = new(int64(101))
	})
	create(t, order,
		newRefund(ns, "refund-0001", func(r *v1alpha1.Refund) {
			r.Spec.Amount, r.Spec.Approval, r.Spec.ApprovalMessage = 50, v1alpha1.ApprovalApproved, "质量问题属实"
			r.Annotations = map[string]string{v1alpha1.AnnotationRequestedBy: "wang", v1alpha1.AnnotationDecidedBy: "li"}
			r.Status = v1alpha1.RefundStatus{
				Conditions: []metav1.Condition{at("Approved", "True", "Approved", ""), at("Accepted", "True", "Accepted", ""),
					at("Succeeded", "True", "Succeeded", "Refunded")},
				RefundID: "50300000002026112100000001", ReceivedAccount: "支付用户零钱", AcceptedTime: later(5), SucceededTime: later(6),
			}
		}),
		newRefund(ns, "refund-0002", func(r *v1alpha1.Refund) {
			r.Spec.Approval = v1alpha1.ApprovalApproved
			r.Status.Conditions = []metav1.Condition{at("Approved", "True", "Approved", ""),
				at("Accepted", "False", "InsufficientBalance", "WeChat Pay answered NOTENOUGH: 基本账户余额不足，请充值后重新发起"),
				at("Succeeded", "Unknown", "Pending", "Not refunded yet")}
		}),
		&v1alpha1.Shipment{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "shipment-0001"},
			Spec: v1alpha1.ShipmentSpec{OrderRef: v1alpha1.OrderReference{Name: "order-0001"}, Logistics: "Express",
				Parcels: []v1alpha1.Parcel{{Carrier: "STO", TrackingNumber: "T1", Items: "肥皂 x1"}}},
			Status: v1alpha1.ShipmentStatus{Conditions: []metav1.Condition{at("Uploaded", "True", "Uploaded", "")},
				UploadTime: later(30)},
		})
	must(t, env.Client.Create(t.Context(), &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Namespace: ns, Name: "paid-0001"},
		InvolvedObject: corev1.ObjectReference{Kind: "Order", Namespace: ns, Name: "order-0001", UID: order.UID},
		Type:           "Warning", Reason: "PaidLate", Message: "looks wrong", LastTimestamp: paidAt,
	}))
	must(t, env.Client.Create(t.Context(), &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Namespace: ns, Name: "namesake-0001"},
		InvolvedObject: corev1.ObjectReference{Kind: "Order", Namespace: ns, Name: "order-0001", UID: "of-one-before"},
		Type:           "Normal", Reason: "Other", Message: "of another object of that name", LastTimestamp: paidAt,
	}))
}

func TestDescribe(t *testing.T) {
	ns := namespaceFor(t, "describe")
	wholeStory(t, ns)
	call{user: "root"}.run(t, ns, "describe", "order", "order-0001").golden(t, "describe.en")
	call{user: "root", locale: "zh_CN.UTF-8"}.run(t, ns, "describe", "order-0001").golden(t, "describe.zh")
	call{user: "root"}.run(t, ns, "describe", "order-0001", "-o", "wide").golden(t, "describe-wide.en")
	yaml := call{user: "root"}.run(t, ns, "describe", "order-0001", "-o", "yaml")
	yaml.expect(t, plugin.ExitDone, "kind: List", "kind: Order", "kind: Refund", "kind: Shipment", "kind: Event")
	call{user: "root"}.run(t, ns, "describe", "order-0009").expect(t, plugin.ExitFailure,
		"There is no Order order-0009 in namespace describe")
}

// TestDescribeByRights shows each role what it may see, and says what could not be read.
func TestDescribeByRights(t *testing.T) {
	ns := namespaceFor(t, "describe-rights")
	wholeStory(t, ns)
	for user, unseen := range map[string][]string{
		"viewer":   {"You lack the right to list events in namespace describe-rights"},
		"shop":     {"list events"},
		"approver": {"list shipments.wechatpay-operator.io", "list events"},
	} {
		r := call{user: user}.run(t, ns, "describe", "order-0001")
		r.expect(t, plugin.ExitDone, append(unseen, "1.01 yuan", "refund-0001")...)
	}
	for _, user := range []string{"admin", "nobody"} {
		call{user: user}.run(t, ns, "describe", "order-0001").expect(t, plugin.ExitNotPermitted,
			"You lack the right to get orders.wechatpay-operator.io in namespace describe-rights")
	}
}

// TestWordsByKind: the Chinese word for Closed differs between Orders and Refunds.
func TestWordsByKind(t *testing.T) {
	ns := namespaceFor(t, "words")
	create(t, paidOrder(ns, "order-0001", func(o *v1alpha1.Order) {
		o.Status = v1alpha1.OrderStatus{Conditions: []metav1.Condition{at("Paid", "False", "Closed", "")}}
	}), newRefund(ns, "refund-0001", func(r *v1alpha1.Refund) {
		r.Status.Conditions = []metav1.Condition{at("Succeeded", "False", "Closed", "REFUNDCLOSE")}
	}))
	call{user: "viewer", locale: "zh"}.run(t, ns, "describe", "order-0001").
		expect(t, plugin.ExitDone, "已关单 (Closed)", "退款已关闭 (Closed)", "退款已关闭 (Closed): REFUNDCLOSE")
	call{user: "viewer"}.run(t, ns, "describe", "order-0001").expect(t, plugin.ExitDone, "Succeeded:  Closed: REFUNDCLOSE")
}

func TestQR(t *testing.T) {
	ns := namespaceFor(t, "qr")
	open := func(o *v1alpha1.Order) {
		o.Status = v1alpha1.OrderStatus{Conditions: []metav1.Condition{at("Prepared", "True", "Prepared", ""), at("Paid",
			"Unknown", "AwaitingPayment", "")},
			Prepay: &v1alpha1.OrderPrepay{ID: "wx1", CodeURL: "weixin://wxpay/bizpayurl?pr=abcdefg", ExpireTime: later(120)}}
	}
	create(t, paidOrder(ns, "order-0001", open), paidOrder(ns, "paid-0001"), paidOrder(ns, "waits-0001", func(o *v1alpha1.Order) {
		o.Status = v1alpha1.OrderStatus{Conditions: []metav1.Condition{at("Prepared", "False", "MerchantNotReady",
			"The Merchant shop does not exist")}}
	}), paidOrder(ns, "app-0001", func(o *v1alpha1.Order) { o.Spec.TradeType = v1alpha1.TradeTypeApp }))
	call{user: "viewer"}.run(t, ns, "qr", "order-0001").golden(t, "qr.en")
	call{user: "viewer", locale: "zh_CN"}.run(t, ns, "qr", "order-0001").expect(t, plugin.ExitDone, "订单:      order-0001",
		"金额:      1.01 元", "有效期至:  2025-11-21 10:00:01 +0000")
	call{user: "viewer"}.run(t, ns, "qr", "paid-0001").expect(t, plugin.ExitUnexpected, "is finished: Paid")
	call{user: "viewer"}.run(t, ns, "qr", "app-0001").expect(t, plugin.ExitUnexpected, "trade type APP")
	call{user: "viewer"}.run(t, ns, "qr", "waits-0001").expect(t, plugin.ExitFailure,
		"no QR code yet: MerchantNotReady. The Merchant shop does not exist")
	call{user: "nobody"}.run(t, ns, "qr", "order-0001").expect(t, plugin.ExitNotPermitted, "get orders.wechatpay-operator.io")

	file := filepath.Join(t.TempDir(), "code.png")
	call{user: "viewer"}.run(t, ns, "qr", "order-0001", "--png", file).expect(t, plugin.ExitDone, file)
	picture, err := os.ReadFile(file)
	must(t, err)
	if _, err := png.Decode(bytes.NewReader(picture)); err != nil {
		t.Error(err)
	}
	info, err := os.Stat(file)
	must(t, err)
	if info.Mode().Perm()&0o077 != 0 {
		t.Errorf("others may read what can be paid with: %s", info.Mode())
	}
	if r := (call{user: "viewer"}).run(t, ns, "qr", "order-0001", "--png", "-"); r.out != string(picture) {
		t.Error("stdout has another picture than the file")
	}
	call{user: "viewer"}.run(t, ns, "qr", "order-0001", "--png", filepath.Join(file, "below")).expect(t, plugin.ExitFailure,
		"cannot be written")
}

func TestVersionAndHelp(t *testing.T) {
	call{user: "nobody", version: "v1.2.3"}.run(t, "default", "version").expect(t, plugin.ExitDone,
		"kubectl-wechatpay v1.2.3 (wechatpay-operator.io/v1alpha1, go")
	call{user: "nobody", version: "v1.2.3"}.run(t, "default", "version", "-o", "json").expect(t, plugin.ExitDone, `"version": "v1.2.3"`)
	call{user: "nobody"}.run(t, "default", "--help").expect(t, plugin.ExitDone, "approve", "doctor", "statement", "--context")
	call{user: "nobody", locale: "zh_CN.UTF-8"}.run(t, "default", "approve", "--help").expect(t, plugin.ExitDone, "决定后不可更改",
		"--message")
}

// TestCompletion offers the Refunds to decide, and nothing if the rights are missing.
func TestCompletion(t *testing.T) {
	ns := namespaceFor(t, "completion")
	create(t, paidOrder(ns, "order-0001"), newRefund(ns, "refund-0001"), newRefund(ns, "refund-0002",
		func(r *v1alpha1.Refund) { r.Spec.Approval = "Denied" }), newRefund(ns, "other-0001"))
	create(t, &v1alpha1.Merchant{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "shop"},
		Spec: v1alpha1.MerchantSpec{MchID: "1900000109", AppID: "wxd678efh567hg6787",
			APIKeySecretRef: v1alpha1.SecretKeyReference{Name: "shop-wechatpay"}}})
	for _, c := range []struct {
		user, line, want string
	}{
		{"approver", "approve ref", "refund-0001"}, {"approver", "deny refund-0001 ", "other-0001"}, {"nobody", "approve ref",
			""}, {"viewer", "describe order ", "order-0001"},
		{"viewer", "qr ", "order-0001"}, {"viewer", "statement ", "shop"}, {"viewer", "pay s", "shop"},
	} {
		// The flags for the test's connection precede the arguments to complete.
		command, typed, _ := strings.Cut(c.line, " ")
		args := append([]string{"__complete", command, "--kubeconfig", kubeconfigOf(c.user), "--namespace", ns},
			strings.Split(typed, " ")...)
		r := complete(t, args)
		if got, _, _ := strings.Cut(r.out, "\n:"); got != c.want && c.want != "" || c.want == "" && !strings.HasPrefix(r.out,
			":") {
			t.Errorf("%s, %q is completed to %q, want %q", c.user, c.line, r.out, c.want)
		}
	}
}
