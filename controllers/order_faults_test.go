package controllers_test

import (
	"testing"

	"github.com/onsi/gomega"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// TestOrderSurvivesLostAnswers: whatever answer to CreateOrder is lost or corrupted, before or
// after WeChat executed it, the order is created once, with the same parameters, and can be paid.
func TestOrderSurvivesLostAnswers(t *testing.T) {
	for name, fault := range map[string]simulator.Fault{
		"dropped before":        {Kind: simulator.FaultDrop},
		"dropped after":         {Kind: simulator.FaultDrop, AfterEffect: true},
		"SYSTEMERROR before":    {Kind: simulator.FaultSystemError},
		"SYSTEMERROR after":     {Kind: simulator.FaultSystemError, AfterEffect: true},
		"502 page before":       {Kind: simulator.FaultHTML},
		"502 page after":        {Kind: simulator.FaultHTML, AfterEffect: true},
		"truncated":             {Kind: simulator.FaultTruncate},
		"cut":                   {Kind: simulator.FaultCut},
		"badly signed":          {Kind: simulator.FaultBadSignature},
		"unsigned":              {Kind: simulator.FaultUnsigned},
		"FREQUENCY_LIMITED":     {Kind: simulator.FaultFrequencyLimited},
		"unsigned rate limit":   {Kind: simulator.FaultRateLimited},
		"unknown code":          {Kind: simulator.FaultError, ErrCode: "SOMETHING_NEW", ErrCodeDes: "新错误"},
		"unknown code, after":   {Kind: simulator.FaultError, ErrCode: "SOMETHING_NEW", ErrCodeDes: "新错误", AfterEffect: true},
		"no permission, mended": {Kind: simulator.FaultError, ErrCode: "NOAUTH", ErrCodeDes: "商户无此接口权限"},
	} {
		t.Run(name, func(t *testing.T) {
			shop, g := openReady(t)
			fault.Operation, fault.Count = simulator.OperationUnifiedOrder, 5
			shop.Fault(fault)
			shop.Create(shop.NewOrder("order-0001"))
			shop.WaitOrder("order-0001", "Prepared=True/Prepared")
			shop.Pay("order-0001")
			shop.WaitOrder("order-0001", "Paid=True/Paid")
			g.Expect(shop.WeChat.Ledger().Orders).To(gomega.HaveLen(1))
			shop.NoViolations()
		})
	}
}

func TestLostAnswerIsShownAsUnknownNeverAsFailed(t *testing.T) {
	shop, _ := openReady(t)
	shop.Fault(simulator.Fault{Operation: simulator.OperationUnifiedOrder, Kind: simulator.FaultDrop, AfterEffect: true})
	shop.Create(shop.NewOrder("order-0001"))
	shop.WaitOrder("order-0001", "Prepared=Unknown/OutcomeUnknown")
	shop.WaitOrder("order-0001", "Paid=Unknown/Pending")
	shop.WeChat.ClearFaults()
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
}

func TestUnsignedRefusalIsNeverFinal(t *testing.T) {
	shop, g := openReady(t)
	shop.Fault(simulator.Fault{Operation: simulator.OperationUnifiedOrder, Kind: simulator.FaultFail, ReturnMsg: "商户号该产品权限未开通，请前往商户平台>产品中心检查后重试"})
	shop.Create(shop.NewOrder("order-0001"))
	order := shop.WaitOrder("order-0001", "Prepared=Unknown/Refused")
	g.Expect(order.Status.Conditions).To(gomega.ContainElement(gomega.HaveField("Message", gomega.ContainSubstring("产品权限未开通"))), "in WeChat's words")
	shop.WeChat.ClearFaults()
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
}

// TestSignedRejectionIsFinal: a signed rejection names no order, so two of them, some time apart,
// are needed to end one.
func TestSignedRejectionIsFinal(t *testing.T) {
	shop, g := openReady(t)
	shop.Fault(simulator.Fault{Operation: simulator.OperationUnifiedOrder, Kind: simulator.FaultError, ErrCode: "PARAM_ERROR", ErrCodeDes: "参数错误: openid"})
	shop.Create(shop.NewOrder("order-0001"))
	order := shop.WaitOrder("order-0001", "Paid=False/Rejected")
	g.Expect(order.Status.Conditions).To(gomega.ContainElement(gomega.HaveField("Message", gomega.ContainSubstring("PARAM_ERROR: 参数错误: openid"))))
	g.Expect(shop.WeChat.Ledger().CallsOf(simulator.OperationUnifiedOrder, "order-0001")).To(gomega.HaveLen(2))
}

func TestEveryAnswerOfEveryCallLostOnce(t *testing.T) {
	shop, g := openReady(t, framework.WithTiming(pollOften))
	for _, operation := range []simulator.Operation{simulator.OperationUnifiedOrder, simulator.OperationOrderQuery, simulator.OperationCloseOrder, simulator.OperationRefund, simulator.OperationRefundQuery} {
		shop.Fault(simulator.Fault{Operation: operation, Kind: simulator.FaultDrop, AfterEffect: true, Count: 3})
	}
	shop.Create(shop.NewOrder("order-0001"), shop.NewOrder("order-0002"))
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	shop.WaitOrder("order-0002", "Prepared=True/Prepared")
	shop.Patch(shop.NewOrder("order-0002"), wishClosed)
	shop.Pay("order-0001", simulator.PayOptions{NoCallback: true})
	shop.WaitOrder("order-0001", "Paid=True/Paid")
	shop.WaitOrder("order-0002", "Paid=False/Closed")
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 101))
	shop.Approve("refund-0001")
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
	ledger := shop.WeChat.Ledger()
	g.Expect(ledger.Refunds).To(gomega.HaveLen(1))
	g.Expect(ledger.Refunds[0].Payouts).To(gomega.Equal(1))
	shop.NoViolations()
}
