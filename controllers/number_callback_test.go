package controllers_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/manager"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// TestCallbackDuringTheFirstCall: WeChat Pay has the order and its answer is on its way, so that no status
// shows which of two Orders has the number. The callback server of the process that calls knows it.
func TestCallbackDuringTheFirstCall(t *testing.T) {
	// The operator stops when the calls that hang end.
	shop, _ := openReady(t, framework.WithOptions(func(o *manager.Options) { o.Accounts.Timeouts.Pay = 4 * time.Second }))
	shop.Fault(simulator.Fault{Operation: simulator.OperationUnifiedOrder, Kind: simulator.FaultHang, AfterEffect: true})
	for i := range 10 {
		number := fmt.Sprintf("number-%d", i)
		calling, older := newOrderWithNumber(shop, "order-b", number), newOrderWithNumber(shop, "order-a", number)
		shop.Create(calling)
		shop.Eventually("WeChat Pay has the order", func() error {
			if shop.WeChat.Ledger().Order(framework.MchID, number) == nil {
				return errors.New("not yet")
			}
			return nil
		})
		shop.Create(older)
		if !older.CreationTimestamp.Equal(&calling.CreationTimestamp) {
			continue // it is younger by a second
		}
		shop.Pay(number)
		shop.WaitOrder(calling.Name, "Paid=True/Paid")
		return
	}
	t.Fatal("no two Orders were created in the same second")
}

// newOrderWithNumber returns an Order whose name begins with prefix.
func newOrderWithNumber(shop *framework.Shop, prefix, number string) *v1alpha1.Order {
	return shop.NewOrder(prefix+"-"+number, func(o *v1alpha1.Order) { o.Spec.OutTradeNo = number })
}
