package judge_test

import (
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/soak/judge"
)

const mchID = "1900000109"

var (
	noon        = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	orderNumber = judge.Number{MchID: mchID, Number: "order-1"}
	lateNumber  = judge.Number{MchID: mchID, Number: "order-1-late"}
	refundNo    = judge.Number{MchID: mchID, Number: "refund-1"}
)

// story is evidence in which everything holds: an Order of 100 fen, paid, of which an approved
// Refund paid back 30.
type story struct {
	judge.Evidence
	order  *v1alpha1.Order
	refund *v1alpha1.Refund
}

func (s *story) ledgerOrder() *simulator.Order   { return &s.Ledger.Orders[0] }
func (s *story) ledgerRefund() *simulator.Refund { return &s.Ledger.Refunds[0] }
func (s *story) merchant() *v1alpha1.Merchant    { return s.Orders[orderNumber].Merchant }

func condition(kind string, status metav1.ConditionStatus, reason string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: status, Reason: reason, LastTransitionTime: metav1.NewTime(noon)}
}

func newStory() *story {
	order := &v1alpha1.Order{ObjectMeta: metav1.ObjectMeta{Namespace: "soap", Name: "order-1", UID: types.UID("o"), CreationTimestamp: metav1.NewTime(noon)}}
	order.Spec = v1alpha1.OrderSpec{MerchantRef: v1alpha1.MerchantReference{Name: "shop"}, TradeType: v1alpha1.TradeTypeApp, Description: "soap", Amount: v1alpha1.Amount{Total: 100}, ExpireAfterSeconds: 7200}
	requested := order.DeepCopy()
	order.Status.Conditions = []metav1.Condition{
		condition(v1alpha1.ConditionPrepared, metav1.ConditionTrue, v1alpha1.ReasonPrepared), condition(v1alpha1.ConditionPaid, metav1.ConditionTrue, v1alpha1.ReasonPaid),
	}
	order.Status.Transaction = &v1alpha1.Transaction{ID: "t1", Total: 100}
	order.Status.Refunded = &v1alpha1.Refunded{Total: 30, Count: 1}

	refund := &v1alpha1.Refund{ObjectMeta: metav1.ObjectMeta{Namespace: "soap", Name: "refund-1", UID: types.UID("r")}}
	refund.Spec = v1alpha1.RefundSpec{OrderRef: v1alpha1.OrderReference{Name: "order-1"}, Amount: 30, Approval: v1alpha1.ApprovalApproved}
	askedRefund := refund.DeepCopy()
	refund.Status.Conditions = []metav1.Condition{condition(v1alpha1.ConditionSucceeded, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)}

	merchant := &v1alpha1.Merchant{Spec: v1alpha1.MerchantSpec{MchID: mchID, AppID: "wx1", RefundApproval: v1alpha1.RefundApprovalManual}}
	s := &story{order: order, refund: refund}
	s.Orders = map[judge.Number]*judge.AskedOrder{orderNumber: {Order: requested, Merchant: merchant}}
	s.Refunds = map[judge.Number]*judge.AskedRefund{refundNo: {Refund: askedRefund, Order: orderNumber, ApprovedTime: noon}}
	s.Payments = []judge.SeenPayment{{Order: orderNumber, TransactionID: "t1"}}
	s.Ledger = simulator.Ledger{
		Orders: []simulator.Order{{
			MchID: mchID, OutTradeNo: "order-1", TotalFee: 100, State: simulator.StateRefund, Sums: simulator.OrderSums{Paid: 100, Accepted: 30, Refunded: 30, Count: 1},
			Params: map[string]string{"appid": "wx1", "mch_id": mchID, "out_trade_no": "order-1", "body": "soap", "total_fee": "100", "trade_type": "APP",
				"notify_url": "https://pay.example.com/notify/soap/shop/payment"},
			Payment: &simulator.Payment{TransactionID: "t1", TotalFee: 100, Time: noon},
		}},
		Refunds: []simulator.Refund{{
			MchID: mchID, OutTradeNo: "order-1", OutRefundNo: "refund-1", TotalFee: 100, RefundFee: 30, Status: simulator.RefundSuccess, Payouts: 1,
			AcceptTime: noon.Add(time.Second),
		}},
		Callbacks: []simulator.Callback{{
			Operation: simulator.OperationPaymentCallback, MchID: mchID, Number: "order-1", State: simulator.CallbackDelivered,
			Attempts: []simulator.CallbackAttempt{{Time: noon, Outcome: simulator.OutcomeAccepted, TookMillis: 20}},
		}},
	}
	s.stored()
	return s
}

// stored makes the current objects the whole history.
func (s *story) stored() {
	s.History = []judge.Change{{Object: s.order.DeepCopy()}, {Object: s.refund.DeepCopy()}}
}

func (s *story) then(changes ...judge.Change) { s.History = append(s.History, changes...) }

// isV3 makes the order one of API v3, for a sub merchant of a service provider.
func (s *story) isV3() {
	s.merchant().Spec.Partner = &v1alpha1.Partner{SubMchID: "1900000201"}
	s.ledgerOrder().Protocol, s.ledgerOrder().TradeType = simulator.ProtocolV3, "APP"
	s.ledgerOrder().Params = map[string]string{
		"sp_appid": "wx1", "sp_mchid": mchID, "sub_mchid": "1900000201", "out_trade_no": "order-1", "description": "soap", "amount.total": "100", "amount.currency": "CNY",
		"notify_url": "https://pay.example.com/notify/v3/soap/shop/payment",
	}
}

// refundCallback adds an accepted callback of the Refund.
func (s *story) refundCallback(at time.Time, fault simulator.FaultKind) {
	s.Ledger.Callbacks = append(s.Ledger.Callbacks, simulator.Callback{
		Protocol: simulator.ProtocolV3, Operation: simulator.OperationRefundCallback, MchID: mchID, Number: "refund-1", RefundStatus: simulator.RefundSuccess,
		Attempts: []simulator.CallbackAttempt{{Time: at, Outcome: simulator.OutcomeAccepted, Fault: fault}},
	})
}

// unpaid removes payment and refund.
func (s *story) unpaid(state simulator.TradeState) {
	s.Payments, s.Refunds, s.Ledger.Refunds, s.Ledger.Callbacks = nil, nil, nil, nil
	s.ledgerOrder().Payment, s.ledgerOrder().State, s.ledgerOrder().Sums = nil, state, simulator.OrderSums{}
	s.order.Status.Transaction, s.order.Status.Refunded = nil, nil
	s.order.Status.Conditions[1] = condition(v1alpha1.ConditionPaid, metav1.ConditionUnknown, v1alpha1.ReasonAwaitingPayment)
	s.History = []judge.Change{{Object: s.order.DeepCopy()}}
}

// refundShows gives the Refund another final condition.
func (s *story) refundShows(status metav1.ConditionStatus, reason string) {
	s.refund.Status.Conditions = []metav1.Condition{condition(v1alpha1.ConditionSucceeded, status, reason)}
	s.stored()
}

func (s *story) orderShows(status metav1.ConditionStatus, reason string) {
	s.order.Status.Conditions[1] = condition(v1alpha1.ConditionPaid, status, reason)
	s.History = []judge.Change{{Object: s.order.DeepCopy()}}
}

// otherParameters has a resumed leader send the Order of a neighbour, who may use the number too, a
// moment after another leader sent this one.
func (s *story) otherParameters() {
	twin := s.Orders[orderNumber].Order.DeepCopy()
	twin.Namespace = "towels"
	s.Orders[orderNumber].Twin = &judge.AskedOrder{Order: twin, Merchant: s.merchant()}
	s.Pauses = []judge.Pause{{From: noon, Until: noon.Add(5 * time.Second)}}
	s.Ledger.Violations = []simulator.Violation{{Kind: simulator.ViolationOrderParams, MchID: mchID, Number: "order-1", Time: noon.Add(6 * time.Second)}}
}

func TestAResumedLeadersOrderIsExcused(t *testing.T) {
	s := newStory()
	s.otherParameters()
	verdict := judge.Judge(s.Evidence, noon.Add(time.Minute))
	if slices.ContainsFunc(verdict.Findings, func(f judge.Finding) bool { return f.Rule == judge.WeChatContent }) || verdict.Excused != 1 {
		t.Errorf("%d excused: %+v", verdict.Excused, verdict.Findings)
	}
}

func TestEverythingHolds(t *testing.T) {
	for name, change := range map[string]func(*story){
		"a paid Order with a Refund": func(*story) {},
		"a repeated answer after the payment was shown": func(s *story) {
			s.Ledger.Callbacks[0].Attempts = append(s.Ledger.Callbacks[0].Attempts, simulator.CallbackAttempt{Time: noon.Add(time.Hour), Outcome: simulator.OutcomeAccepted})
		},
		"a forged callback says nothing": func(s *story) {
			s.Ledger.Callbacks[0].Attempts[0] = simulator.CallbackAttempt{Time: noon.Add(-time.Hour), Outcome: simulator.OutcomeAccepted, Fault: simulator.FaultWrongAmount}
		},
		"an Order and a Refund that are applied again": func(s *story) {
			s.refund.Status.RefundID = "50300"
			s.stored()
			order, refund := s.order.DeepCopy(), s.refund.DeepCopy()
			order.UID, refund.UID = "o2", "r2"
			s.then(judge.Change{Object: order}, judge.Change{Object: refund})
		},
		"an order of API v3 for a sub merchant":                     (*story).isV3,
		"a refund callback after the Refund was shown as succeeded": func(s *story) { s.refundCallback(noon.Add(time.Second), "") },
		"a false refund callback says nothing":                      func(s *story) { s.refundCallback(noon.Add(-time.Hour), simulator.FaultWrongSubMchID) },
		"a forged callback that was refused": func(s *story) {
			s.Forgeries = []judge.Forgery{{Number: orderNumber, TransactionID: "forged"}}
		},
		"an open Order": func(s *story) { s.unpaid(simulator.StateNotPay) },
		"a closed Order": func(s *story) {
			s.unpaid(simulator.StateClosed)
			s.orderShows(metav1.ConditionFalse, v1alpha1.ReasonClosed)
		},
		"a deleted closed one": func(s *story) {
			s.unpaid(simulator.StateClosed)
			s.Orders[orderNumber].Deleted = true
			s.then(judge.Change{Object: s.order, Gone: true})
		},
		"a deleted paid one": func(s *story) {
			s.Orders[orderNumber].Deleted = true
			s.then(judge.Change{Object: s.order, Gone: true})
		},
		"an automatic Refund": func(s *story) {
			s.merchant().Spec.RefundApproval = v1alpha1.RefundApprovalAutomatic
			s.Refunds[refundNo].ApprovedTime = time.Time{}
		},
		"a Refund that exceeds": func(s *story) {
			s.Ledger.Refunds = nil
			s.ledgerOrder().Sums = simulator.OrderSums{Paid: 20}
			s.refundShows(metav1.ConditionFalse, v1alpha1.ReasonExceedsPaid)
			s.order.Status.Refunded = nil
			s.stored()
		},
		"a pace that a woken leader could not know of": func(s *story) {
			s.Pauses = []judge.Pause{{From: noon, Until: noon.Add(5 * time.Second)}}
			s.Ledger.Violations = []simulator.Violation{{Kind: simulator.ViolationRefundPace, Time: noon.Add(6 * time.Second)}}
		},
		"a denied Refund whose Order is gone": func(s *story) {
			s.unpaid(simulator.StateClosed)
			s.Orders[orderNumber].Deleted = true
			s.Refunds = map[judge.Number]*judge.AskedRefund{refundNo: {Refund: s.refund.DeepCopy(), Order: orderNumber}}
			s.refund.Spec.Approval = v1alpha1.ApprovalDenied
			s.refund.Status.Conditions = []metav1.Condition{condition(v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonOrderNotFound)}
			s.then(judge.Change{Object: s.order, Gone: true}, judge.Change{Object: s.refund})
		},
		"a Refund that was paid out, and is applied again when its Order is gone": func(s *story) {
			s.Orders[orderNumber].Deleted, s.Refunds[refundNo].Deleted = true, true
			again := s.refund.DeepCopy()
			again.UID = "r2"
			again.Status.Conditions = []metav1.Condition{condition(v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonOrderNotFound)}
			s.then(judge.Change{Object: s.refund, Gone: true}, judge.Change{Object: s.order, Gone: true}, judge.Change{Object: again})
		},
		"the Refund of a late payment": func(s *story) {
			s.merchant().Spec.RefundApproval, s.merchant().Spec.LatePayment = v1alpha1.RefundApprovalAutomatic, v1alpha1.LatePaymentRefund
			s.ledgerOrder().Payment.Forced, s.ledgerOrder().Sums.Accepted, s.ledgerOrder().Sums.Refunded = true, 100, 100
			s.refund.Name, s.refund.Spec.Amount, s.order.Status.Refunded.Total = lateNumber.Number, 100, 100
			s.ledgerRefund().OutRefundNo, s.ledgerRefund().RefundFee = lateNumber.Number, 100
			s.Refunds = nil
			s.stored()
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStory()
			change(s)
			for _, finding := range judge.Judge(s.Evidence, noon.Add(time.Minute)).Findings {
				t.Errorf("unexpected: %+v", finding)
			}
		})
	}
}

// TestEveryRuleCanFail breaks each rule in every way in which it can break.
func TestEveryRuleCanFail(t *testing.T) {
	broken := map[judge.Rule]bool{
		judge.ProcessesDoNotFail: true,                                 // judged by the logs, not by evidence
		judge.NoFactCrosses:      true, judge.UngrantedIsNothing: true, // TestTenantsThatBreakARule
		judge.EventsArrive: true, judge.EventsInOrder: true, judge.EventsTrue: true, // TestEventsThatBreakARule
		judge.UploadOnce: true, judge.UploadedIsThere: true, judge.ShippedByOwner: true, judge.ReshipAsked: true, // TestShipmentsThatBreakARule
		judge.BooksComplete: true, judge.StatementsTrue: true, // TestBooks
	}
	for name, c := range map[string]struct {
		rule   judge.Rule
		change func(*story)
		open   bool
	}{
		"an order that nobody asked for": {judge.OrderOnce, func(s *story) {
			s.Ledger.Orders = append(s.Ledger.Orders, simulator.Order{MchID: mchID, OutTradeNo: "x7f3a9"})
		}, false},
		"an order twice":       {judge.OrderOnce, func(s *story) { s.Ledger.Orders = append(s.Ledger.Orders, s.Ledger.Orders[0]) }, false},
		"another total":        {judge.OrderOnce, func(s *story) { s.ledgerOrder().Params["total_fee"] = "101" }, false},
		"another appid":        {judge.OrderOnce, func(s *story) { s.ledgerOrder().Params["appid"] = "wx2" }, false},
		"another sub merchant": {judge.OrderOnce, func(s *story) { s.isV3(); s.ledgerOrder().Params["sub_mchid"] = "1900000202" }, false},
		"another trade type":   {judge.OrderOnce, func(s *story) { s.isV3(); s.ledgerOrder().TradeType = "JSAPI" }, false},
		"another deadline":     {judge.OrderOnce, func(s *story) { at := metav1.NewTime(noon); s.Orders[orderNumber].Order.Spec.ExpireTime = &at }, false},
		"a refund that nobody asked for": {judge.RefundOnce, func(s *story) {
			s.Ledger.Refunds = append(s.Ledger.Refunds, simulator.Refund{MchID: mchID, OutTradeNo: "order-1", OutRefundNo: "x7f3a9"})
		}, false},
		"a refund twice":                 {judge.RefundOnce, func(s *story) { s.Ledger.Refunds = append(s.Ledger.Refunds, s.Ledger.Refunds[0]) }, false},
		"a refund paid out twice":        {judge.RefundOnce, func(s *story) { s.ledgerRefund().Payouts = 2 }, false},
		"another refund_fee":             {judge.RefundOnce, func(s *story) { s.ledgerRefund().RefundFee = 31 }, false},
		"another order's refund":         {judge.RefundOnce, func(s *story) { s.ledgerRefund().OutTradeNo = "order-2" }, false},
		"a late refund without late pay": {judge.RefundOnce, func(s *story) { s.ledgerRefund().OutRefundNo = lateNumber.Number }, false},
		"not approved":                   {judge.RefundApproved, func(s *story) { s.Refunds[refundNo].ApprovedTime = time.Time{} }, false},
		"sent before the approval":       {judge.RefundApproved, func(s *story) { s.Refunds[refundNo].ApprovedTime = noon.Add(time.Hour) }, false},
		"more refunded than paid":        {judge.RefundWithinPaid, func(s *story) { s.ledgerOrder().Sums.Accepted = 101 }, false},
		"ended without a cause": {judge.ApprovedIsPaidOut, func(s *story) {
			s.Ledger.Refunds = nil
			s.refundShows(metav1.ConditionFalse, v1alpha1.ReasonExceedsPaid)
		}, false},
		"never sent": {judge.ApprovedIsPaidOut, func(s *story) {
			s.Ledger.Refunds = nil
			s.ledgerOrder().Sums = simulator.OrderSums{Paid: 100}
			s.order.Status.Refunded = nil
			s.refundShows(metav1.ConditionUnknown, v1alpha1.ReasonPending)
		}, true},
		"sent, its Order gone, and nobody deleted it": {judge.ApprovedIsPaidOut, func(s *story) {
			s.Orders[orderNumber].Deleted = true
			s.refund.Status.Conditions = []metav1.Condition{condition(v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonOrderNotFound)}
			s.History = []judge.Change{{Object: s.order}, {Object: s.refund}, {Object: s.order, Gone: true}}
		}, true},
		"sent and not shown": {judge.ApprovedIsPaidOut, func(s *story) { s.refundShows(metav1.ConditionUnknown, v1alpha1.ReasonPending) }, true},
		"paid and not shown": {judge.PaymentRecorded, func(s *story) {
			s.order.Status.Conditions[1].Status = metav1.ConditionUnknown
			s.Ledger.Callbacks = nil
			s.stored()
		}, true},
		"paid, gone, never shown": {judge.PaymentRecorded, func(s *story) {
			s.Orders[orderNumber].Deleted, s.Ledger.Callbacks = true, nil
			s.order.Status.Conditions[1].Status = metav1.ConditionUnknown
			s.stored()
			s.then(judge.Change{Object: s.order, Gone: true})
		}, false},
		"Paid was left": {judge.PaidNeverLeft, func(s *story) {
			between := s.order.DeepCopy()
			between.Status.Conditions[1].Status = metav1.ConditionUnknown
			s.then(judge.Change{Object: between}, judge.Change{Object: s.order})
		}, false},
		"the transaction changed": {judge.PaidNeverLeft, func(s *story) {
			between := s.order.DeepCopy()
			between.Status.Transaction.ID = "t2"
			s.then(judge.Change{Object: between}, judge.Change{Object: s.order})
		}, false},
		"a final Refund was left": {judge.PaidNeverLeft, func(s *story) {
			between := s.refund.DeepCopy()
			between.Status.Conditions[0].Status = metav1.ConditionUnknown
			s.then(judge.Change{Object: between}, judge.Change{Object: s.refund})
		}, false},
		"paid by nobody": {judge.NothingInvented, func(s *story) {
			s.unpaid(simulator.StateNotPay)
			s.orderShows(metav1.ConditionTrue, v1alpha1.ReasonPaid)
		}, false},
		"another transaction": {judge.NothingInvented, func(s *story) {
			s.order.Status.Transaction.ID, s.Ledger.Callbacks = "t2", nil
			s.stored()
		}, false},
		"closed, and can be paid": {judge.NothingInvented, func(s *story) {
			s.unpaid(simulator.StateNotPay)
			s.orderShows(metav1.ConditionFalse, v1alpha1.ReasonClosed)
		}, false},
		"succeeded by nobody":         {judge.NothingInvented, func(s *story) { s.ledgerRefund().Status = simulator.RefundProcessing }, false},
		"denied, and WeChat has it":   {judge.NothingInvented, func(s *story) { s.refundShows(metav1.ConditionFalse, v1alpha1.ReasonDenied) }, false},
		"more refunded than happened": {judge.NothingInvented, func(s *story) { s.order.Status.Refunded.Total = 31; s.stored() }, false},
		"a Refund created by nobody": {judge.NothingInvented, func(s *story) {
			other := s.refund.DeepCopy()
			other.Name = "refund-2"
			s.then(judge.Change{Object: other})
		}, false},
		"answered before the write":                   {judge.AnswerAfterWrite, func(s *story) { s.Ledger.Callbacks[0].Attempts[0].Time = noon.Add(-2 * time.Second) }, false},
		"a refund callback answered before the write": {judge.AnswerAfterWrite, func(s *story) { s.refundCallback(noon.Add(-2*time.Second), "") }, false},
		"a forged callback is accepted": {judge.NothingForged, func(s *story) {
			s.Forgeries = []judge.Forgery{{Number: orderNumber, TransactionID: "forged", Accepted: true}}
		}, false},
		"a forged callback is recorded": {judge.NothingForged, func(s *story) {
			s.Forgeries = []judge.Forgery{{Number: orderNumber, TransactionID: "t1"}}
		}, false},
		"a tampered callback is accepted": {judge.NothingForged, func(s *story) {
			s.Ledger.Violations = []simulator.Violation{{Kind: simulator.ViolationForgedCallback, MchID: mchID, Number: "order-1"}}
		}, false},
		"a paySign that WeChat Pay refuses": {judge.PayerCanPay, func(s *story) { s.Unpayable = []judge.Number{orderNumber} }, false},
		"answered and never written": {judge.AnswerAfterWrite, func(s *story) {
			s.order.Status.Conditions[1].Status = metav1.ConditionUnknown
			s.stored()
		}, false},
		"closed and not shown": {judge.Converged, func(s *story) { s.unpaid(simulator.StateClosed) }, true},
		"WeChat never had it":  {judge.Converged, func(s *story) { s.unpaid(simulator.StateNotPay); s.Ledger.Orders = nil }, true},
		"past its deadline": {judge.Converged, func(s *story) {
			s.unpaid(simulator.StateNotPay)
			s.order.Spec.ExpireAfterSeconds = 30
			s.History = []judge.Change{{Object: s.order}}
		}, true},
		"to be closed": {judge.Converged, func(s *story) {
			s.unpaid(simulator.StateNotPay)
			s.order.Spec.DesiredState = v1alpha1.DesiredStateClosed
			s.History = []judge.Change{{Object: s.order}}
		}, true},
		"not prepared": {judge.Converged, func(s *story) {
			s.unpaid(simulator.StateNotPay)
			s.order.Status.Conditions = s.order.Status.Conditions[1:]
			s.History = []judge.Change{{Object: s.order}}
		}, true},
		"rejected without a cause": {judge.Converged, func(s *story) {
			s.unpaid(simulator.StateClosed)
			s.orderShows(metav1.ConditionFalse, v1alpha1.ReasonRejected)
		}, false},
		"deleted and does not go": {judge.Converged, func(s *story) { at := metav1.NewTime(noon); s.order.DeletionTimestamp = &at; s.stored() }, true},
		"a deleted Refund stays":  {judge.Converged, func(s *story) { at := metav1.NewTime(noon); s.refund.DeletionTimestamp = &at; s.stored() }, true},
		"refunded and not shown":  {judge.Converged, func(s *story) { s.order.Status.Refunded = nil; s.stored() }, true},
		"an Order vanished":       {judge.NothingLost, func(s *story) { s.then(judge.Change{Object: s.order, Gone: true}) }, false},
		"a Refund vanished":       {judge.NothingLost, func(s *story) { s.then(judge.Change{Object: s.refund, Gone: true}) }, false},
		"an Order never came":     {judge.NothingLost, func(s *story) { s.unpaid(simulator.StateNotPay); s.Ledger.Orders, s.History = nil, nil }, true},
		"a Refund never came":     {judge.NothingLost, func(s *story) { s.History = s.History[:1] }, true},
		"gone, and can be paid": {judge.NothingLost, func(s *story) {
			s.unpaid(simulator.StateNotPay)
			s.Orders[orderNumber].Deleted = true
			s.then(judge.Change{Object: s.order, Gone: true})
		}, false},
		"gone, and under way": {judge.NothingLost, func(s *story) {
			s.Refunds[refundNo].Deleted = true
			s.ledgerRefund().Status = simulator.RefundProcessing
			s.then(judge.Change{Object: s.refund, Gone: true})
		}, true},
		"WeChat complains": {judge.WeChatContent, func(s *story) {
			s.Ledger.Violations = []simulator.Violation{{Kind: simulator.ViolationRefundSum, Time: noon}}
		}, false},
		"a pace without a pause": {judge.WeChatContent, func(s *story) {
			s.Ledger.Violations = []simulator.Violation{{Kind: simulator.ViolationRefundPace, Time: noon}}
		}, false},
		"other parameters of an order, without a pause": {judge.WeChatContent, func(s *story) {
			s.otherParameters()
			s.Pauses = nil
		}, false},
		"other parameters of an order that only one asked for": {judge.WeChatContent, func(s *story) {
			s.otherParameters()
			s.Orders[orderNumber].Twin = nil
		}, false},
		"a neighbour shows the payment, and goes": {judge.OneTransaction, func(s *story) {
			other := s.order.DeepCopy()
			other.Namespace = "towels"
			s.then(judge.Change{Object: other}, judge.Change{Object: other, Gone: true})
		}, false},
		"a neighbour shows the payout, and goes": {judge.OnePayout, func(s *story) {
			s.refund.Status.RefundID = "50300"
			s.stored()
			other := s.refund.DeepCopy()
			other.Namespace = "towels"
			s.then(judge.Change{Object: other}, judge.Change{Object: other, Gone: true})
		}, false},
		"a payment is not on file":  {judge.LedgerTrustworthy, func(s *story) { s.Payments[0].TransactionID = "t9" }, false},
		"a paid order is not there": {judge.LedgerTrustworthy, func(s *story) { s.Ledger.Orders, s.Ledger.Callbacks = nil, nil }, false},
	} {
		broken[c.rule] = true
		t.Run(name, func(t *testing.T) {
			s := newStory()
			c.change(s)
			findings := judge.Judge(s.Evidence, noon.Add(time.Minute)).Findings
			if !slices.ContainsFunc(findings, func(f judge.Finding) bool { return f.Rule == c.rule && f.Open == c.open }) {
				t.Errorf("%q (open: %t) is not found: %+v", c.rule, c.open, findings)
			}
		})
	}
	for _, rule := range judge.Rules {
		if !broken[rule] {
			t.Errorf("no case breaks the rule %q", rule)
		}
	}
}
