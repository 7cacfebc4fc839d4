package lifecycle_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

const (
	mchID       = "1900000109"
	appID       = "wxd678efh567hg6787"
	orderNumber = "order-0001"
	paidTotal   = int64(101)
	notifyURL   = "https://pay.example.com/notify/v2/shop/shop/payment"
)

var (
	created = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	now     = created.Add(10 * time.Minute)
	account = lifecycle.Payee{MchID: mchID, AppID: appID}
)

func newMerchant() *v1alpha1.Merchant {
	return &v1alpha1.Merchant{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop"},
		Spec:       v1alpha1.MerchantSpec{MchID: mchID, AppID: appID, SignType: v1alpha1.SignTypeHMACSHA256},
	}
}

func newOrder() *v1alpha1.Order {
	return &v1alpha1.Order{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: orderNumber, UID: "order-uid", Generation: 3, CreationTimestamp: metav1.NewTime(created),
		},
		Spec: v1alpha1.OrderSpec{
			MerchantRef: v1alpha1.MerchantReference{Name: "shop"}, TradeType: v1alpha1.TradeTypeNative, Description: "肥皂 x1",
			Amount: v1alpha1.Amount{Total: paidTotal}, ProductID: "soap", ExpireAfterSeconds: 7200,
		},
	}
}

func newPayment() wechatpay.Payment {
	return wechatpay.Payment{
		AppID: appID, MchID: mchID, OutTradeNo: orderNumber, TransactionID: "4200000001", Total: paidTotal, Currency: "CNY",
		PaidTime: created.Add(time.Minute),
	}
}

func newPrepay() v1alpha1.OrderPrepay {
	expires := metav1.NewTime(now.Add(lifecycle.PrepayLifetime))
	return v1alpha1.OrderPrepay{ID: "wx-prepay", CodeURL: "weixin://wxpay/bizpayurl?pr=1", ExpireTime: &expires, NotifyURL: notifyURL, SignType: v1alpha1.SignTypeHMACSHA256}
}

func newRefund(name string, amount int64) *v1alpha1.Refund {
	return &v1alpha1.Refund{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: name, UID: types.UID("uid-" + name), Generation: 3, CreationTimestamp: metav1.NewTime(created),
		},
		Spec: v1alpha1.RefundSpec{OrderRef: v1alpha1.OrderReference{Name: orderNumber}, Amount: amount},
	}
}

func factOf(refund *v1alpha1.Refund, status wechatpay.RefundStatus) wechatpay.RefundFact {
	return wechatpay.RefundFact{
		OutTradeNo: orderNumber, OutRefundNo: refund.Number(), RefundID: "5000000001", Status: status, Amount: refund.Spec.Amount,
	}
}

func problem(outcome wechatpay.Outcome, meaning wechatpay.Meaning) *wechatpay.Error {
	return &wechatpay.Error{Operation: wechatpay.OperationCreateOrder, Outcome: outcome, Meaning: meaning, Code: "CODE", Description: "说明"}
}

var (
	outcomes = []wechatpay.Outcome{wechatpay.NotSent, wechatpay.Failed, wechatpay.Refused, wechatpay.Unknown}
	meanings = []wechatpay.Meaning{
		wechatpay.Repeat, wechatpay.SlowDown, wechatpay.OrderPaid, wechatpay.OrderClosed, wechatpay.OrderNotExist,
		wechatpay.NumberUsed, wechatpay.StateConflict, wechatpay.RefundNotExist, wechatpay.InsufficientBalance,
		wechatpay.AmountConflict, wechatpay.NoRight, wechatpay.NeedsAttention, wechatpay.Rejected, wechatpay.CredentialsRejected,
		wechatpay.CertificateRejected, wechatpay.CertificateMissing,
	}
)

// state formats a condition as Status/Reason.
func state(conditions []metav1.Condition, kind string) string {
	if found := meta.FindStatusCondition(conditions, kind); found != nil {
		return string(found.Status) + "/" + found.Reason
	}
	return ""
}

func message(conditions []metav1.Condition, kind string) string {
	if found := meta.FindStatusCondition(conditions, kind); found != nil {
		return found.Message
	}
	return ""
}

func wantState(t *testing.T, conditions []metav1.Condition, kind, want string) {
	t.Helper()
	if got := state(conditions, kind); got != want {
		t.Errorf("%s is %s, want %s", kind, got, want)
	}
}

func wantSame(t *testing.T, what string, want, got any) {
	t.Helper()
	if difference := cmp.Diff(want, got); difference != "" {
		t.Errorf("%s (-want +got):\n%s", what, difference)
	}
}
