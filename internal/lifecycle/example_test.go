package lifecycle_test

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// A verified payment makes an Order Paid only if it agrees with the Order, to the fen.
func ExamplePaid() {
	merchant := &v1alpha1.Merchant{Spec: v1alpha1.MerchantSpec{MchID: "1900000109", AppID: "wxd678efh567hg6787"}}
	payment := wechatpay.Payment{
		MchID: "1900000109", AppID: "wxd678efh567hg6787", OutTradeNo: "order-0001",
		TransactionID: "4200000001202611290000000001", Total: 101, Currency: "CNY",
	}
	for _, total := range []int64{101, 100} {
		order := &v1alpha1.Order{Spec: v1alpha1.OrderSpec{Amount: v1alpha1.Amount{Total: total}}}
		order.Name = "order-0001"
		verdict, _ := lifecycle.Paid(order, lifecycle.PayeeOf(order, merchant), payment, time.Now())
		paid := meta.FindStatusCondition(order.Status.Conditions, v1alpha1.ConditionPaid)
		fmt.Println(verdict, paid.Status, paid.Reason)
	}
	// Output:
	// Recorded True Paid
	// Mismatch Unknown AmountMismatch
}
