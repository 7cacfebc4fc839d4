package webhookserver_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// gateway returns an Account of the fixture, for calls that a reconciler would have made.
func (d *fixture) gateway() (*v1alpha1.Merchant, *account.Account) {
	d.T.Helper()
	m := d.NewMerchant()
	d.Must(d.live.Get(d.Context(), client.ObjectKeyFromObject(m), m))
	acc, err := d.registry.Get(d.Context(), m)
	d.Must(err)
	return m, acc
}

// refunding returns a Refund that WeChat is processing until SetRefundStatus. WeChat calls back at
// the given address.
func (d *fixture) refunding(orderName, refundName, notifyURL string) (*v1alpha1.Refund, *v1alpha1.Order) {
	d.T.Helper()
	m, wechat := d.gateway()
	order := d.prepared(orderName)
	_, err := wechat.CreateOrder(d.Context(), lifecycle.OrderRequest(order, m, wechat.PaymentNotifyURL))
	d.Must(err)
	d.Pay(orderName, simulator.PayOptions{NoCallback: true})
	trade, err := wechat.QueryOrder(d.Context(), wechatpay.OrderRef{OutTradeNo: order.Number(), AppID: m.Spec.AppID})
	d.Must(err)
	d.update(order, func(o *v1alpha1.Order) { lifecycle.Paid(o, lifecycle.PayeeOf(o, m), trade.Payment, time.Now()) })
	d.Fault(simulator.Fault{Operation: simulator.OperationRefund, Number: refundName, Kind: simulator.FaultRefundHold})
	refund := d.NewRefund(refundName, orderName, 50)
	d.Create(refund)
	acceptance, err := wechat.CreateRefund(d.Context(), lifecycle.RefundRequest(refund, order, m, notifyURL))
	d.Must(err)
	lifecycle.Approved(refund, time.Now())
	lifecycle.Accepted(refund, acceptance, time.Now())
	d.Must(d.live.Status().Update(d.Context(), refund))
	d.sync(refund)
	return refund, order
}

// refundBody returns a callback for a Refund of an Order over 101 fen.
func (d *fixture) refundBody(refund *v1alpha1.Refund, status string) message {
	order := d.NewOrder(refund.Spec.OrderRef.Name)
	return refundOf(refund, order, status).refunded()
}

func (d *fixture) turn(refund *v1alpha1.Refund, status simulator.RefundStatus) {
	d.T.Helper()
	d.Must(d.WeChat.SetRefundStatus(framework.MchID, refund.Number(), status))
}

func (d *fixture) expectRefund(refund *v1alpha1.Refund, want string) *v1alpha1.Refund {
	d.T.Helper()
	now := d.Refund(refund.Name)
	if got := stateOf(now.Status.Conditions, v1alpha1.ConditionSucceeded); got != want {
		d.T.Fatalf("Refund %s: Succeeded=%s, want %s", refund.Name, got, want)
	}
	return now
}

// refundQueries counts the refund queries for a Refund.
func (d *fixture) refundQueries(refund *v1alpha1.Refund) int {
	return len(d.WeChat.Ledger().CallsOf(simulator.OperationRefundQuery, refund.Number()))
}

func TestRefundCallbackOnlyQueries(t *testing.T) {
	t.Parallel()
	d := openFixtureIn(t, v1alpha1.ProtocolV2)
	c, clock := d.callbackServerWithClock()
	later := func() { clock.SetTime(clock.Now().Add(time.Second)) } // the query interval is over
	refund, _ := d.refunding("order-0001", "refund-0001", "")

	// The callback is encrypted correctly but the query does not confirm it: nothing of it is
	// stored.
	for n, claim := range []string{"SUCCESS", "REFUNDCLOSE", "CHANGE", "", "NONSENSE"} {
		expectFail(t, c.refund(d.refundBody(refund, claim)), http.StatusServiceUnavailable)
		now := d.expectRefund(refund, "Unknown/Processing")
		if now.Status.SucceededTime != nil || d.refundQueries(refund) != n+1 {
			t.Fatalf("after %q: succeeded %v, asked %d times", claim, now.Status.SucceededTime, d.refundQueries(refund))
		}
		later()
	}
	// The amount and time in the callback differ: those of the query are stored.
	d.turn(refund, simulator.RefundSuccess)
	forged := refundOf(refund, d.NewOrder("order-0001"), "SUCCESS").with("refund_fee", "101", "refund_id", "999", "success_time", "2001-01-01 00:00:00", "refund_recv_accout", "forged")
	expectSuccess(t, c.refund(forged.refunded()))
	now := d.expectRefund(refund, "True/Succeeded")
	record := d.WeChat.Ledger().Refund(framework.MchID, "refund-0001")
	if now.Status.RefundID != record.RefundID || now.Status.SucceededTime.Year() == 2001 || strings.Contains(now.Status.ReceivedAccount, "forged") {
		t.Errorf("the callback's words are stored: %+v", now.Status)
	}

	// Final: answered from the stored status, without a query or write, also for a late callback.
	d.sync(refund)
	before, queries := d.versions(), d.refundQueries(refund)
	for _, claim := range []string{"SUCCESS", "CHANGE", "REFUNDCLOSE"} {
		expectSuccess(t, c.refund(d.refundBody(refund, claim)))
	}
	if diff := cmp.Diff(before, d.versions()); diff != "" || d.refundQueries(refund) != queries {
		t.Errorf("asked %d times more; %s", d.refundQueries(refund)-queries, diff)
	}
}

func TestRefundCallbacksOfEachEnd(t *testing.T) {
	t.Parallel()
	d := openFixture(t)
	c, clock := d.callbackServerWithClock()
	for _, end := range []struct {
		name      string
		status    simulator.RefundStatus
		succeeded string
	}{
		{"succeeded", simulator.RefundSuccess, "True/Succeeded"},
		{"closed", simulator.RefundClosed, "False/Closed"},
		{"abnormal", simulator.RefundChange, "Unknown/Abnormal"},
	} {
		t.Run(end.name, func(t *testing.T) {
			refund, _ := d.refunding("order-"+end.name, "refund-"+end.name, "")
			d.turn(refund, end.status)
			expectSuccess(t, c.refund(d.refundBody(refund, string(end.status))))
			d.sync(d.expectRefund(refund, end.succeeded))
			before := d.versions()
			expectSuccess(t, c.refund(d.refundBody(refund, string(end.status))))
			if diff := cmp.Diff(before, d.versions()); diff != "" {
				t.Errorf("repeated, it wrote again:\n%s", diff)
			}
		})
	}
	t.Run("abnormal, then succeeded", func(t *testing.T) {
		refund := d.Refund("refund-abnormal")
		if d.Protocol == v1alpha1.ProtocolV2 { // under V3 it is signed, and so a fact
			expectFail(t, c.refund(d.refundBody(refund, "SUCCESS")), http.StatusServiceUnavailable)
		}
		d.turn(refund, simulator.RefundSuccess)
		clock.SetTime(clock.Now().Add(time.Second)) // the query interval is over
		// The callback about CHANGE is late: the query returns a newer status, which is stored.
		expectSuccess(t, c.refund(d.refundBody(refund, "CHANGE")))
		d.expectRefund(refund, "True/Succeeded")
	})
}

// TestRefundEndedByOperatorIsQueried: the Refund ended in the operator before WeChat had it. If
// WeChat has it nevertheless, a person must be told, and SUCCESS would be wrong.
func TestRefundEndedByOperatorIsQueried(t *testing.T) {
	t.Parallel()
	d := openFixture(t)
	c := d.callbackServer()
	refund, _ := d.refunding("order-0001", "refund-0001", "")
	refund.Status = v1alpha1.RefundStatus{}
	lifecycle.EndRefund(refund, v1alpha1.ReasonRejected, "WeChat Pay refused it", time.Now())
	d.Must(d.live.Status().Update(d.Context(), refund))
	d.sync(refund)
	d.turn(refund, simulator.RefundSuccess)
	got := c.refund(d.refundBody(refund, "SUCCESS"))
	if now := d.Refund(refund.Name); lifecycle.RefundSucceeded(now) {
		t.Fatal("a final state was left")
	}
	expectFail(t, got, http.StatusConflict)
	if events := c.events.all(); len(events) != 1 || !strings.HasPrefix(events[0], "Warning RefundAtWeChat ") {
		t.Errorf("events: %q", events)
	}
}

func TestRefundCallbacksThatAreRefused(t *testing.T) {
	t.Parallel()
	d := openFixtureIn(t, v1alpha1.ProtocolV2)
	c := d.callbackServer()
	refund, order := d.refunding("order-0001", "refund-0001", "")
	d.turn(refund, simulator.RefundSuccess)
	good := refundOf(refund, order, "SUCCESS")
	message := good.sealed(framework.APIKey)
	second := good.sealed(secondKey).with("mch_id", secondMchID)
	secondPath := strings.TrimSuffix(d.secondPath(), "payment") + "refund"
	before := d.versions()
	for name, bad := range map[string]struct {
		path, body string
		status     int
	}{
		"another key":                   {d.refundPath(), good.sealed(secondKey).xml("xml"), 403},
		"the previous key":              {d.refundPath(), good.sealed(previousKey).xml("xml"), 403},
		"no req_info":                   {d.refundPath(), message.with("req_info", "").xml("xml"), 403},
		"not base64":                    {d.refundPath(), message.with("req_info", "@@@@").xml("xml"), 403},
		"cut":                           {d.refundPath(), message.with("req_info", message["req_info"][:64]).xml("xml"), 403},
		"blocks without padding":        {d.refundPath(), message.with("req_info", message["req_info"][:43]+"=").xml("xml"), 403},
		"blocks in another order":       {d.refundPath(), message.with("req_info", reordered(message["req_info"])).xml("xml"), 403},
		"a document type inside":        {d.refundPath(), message.with("req_info", seal("<!DOCTYPE root>"+good.xml("root"), framework.APIKey)).xml("xml"), 403},
		"another root inside":           {d.refundPath(), message.with("req_info", seal(good.xml("xml"), framework.APIKey)).xml("xml"), 403},
		"a field twice inside":          {d.refundPath(), message.with("req_info", seal("<root><out_refund_no>refund-0001</out_refund_no>"+strings.TrimPrefix(good.xml("root"), "<root>"), framework.APIKey)).xml("xml"), 403},
		"no refund inside":              {d.refundPath(), good.with("out_refund_no", "").sealed(framework.APIKey).xml("xml"), 403},
		"not communicated":              {d.refundPath(), message.with("return_code", "FAIL").xml("xml"), 403},
		"another merchant":              {d.refundPath(), message.with("mch_id", secondMchID).xml("xml"), 403},
		"no appid":                      {d.refundPath(), message.with("appid", "").xml("xml"), 403},
		"another merchant's path":       {secondPath, message.xml("xml"), 403},
		"another merchant, our refund":  {secondPath, second.xml("xml"), 404},
		"unknown refund":                {d.refundPath(), good.with("out_refund_no", "refund-9999").sealed(framework.APIKey).xml("xml"), 404},
		"a payment":                     {d.refundPath(), paymentOf(order).goodXML(), 403},
		"a payment with req_info":       {d.refundPath(), paymentOf(order).with("req_info", "AAAA").goodXML(), 403},
		"a refund at the payment path":  {d.paymentPath(), message.xml("xml"), 403},
		"a signed refund at that path":  {d.paymentPath(), message.goodXML(), 403},
		"the inside without an outside": {d.refundPath(), good.xml("root"), 403},
	} {
		t.Run(name, func(t *testing.T) {
			expectFail(t, c.post(bad.path, raw(bad.body)), bad.status)
			if diff := cmp.Diff(before, d.versions()); diff != "" {
				t.Fatal(diff)
			}
		})
	}
	if d.refundQueries(refund) != 0 {
		t.Errorf("asked %d times for what can't be read", d.refundQueries(refund))
	}
	d.keys(framework.APIKey, previousKey)
	expectSuccess(t, c.refund(raw(good.sealed(previousKey).xml("xml"))))
	d.expectRefund(refund, "True/Succeeded")
}

func TestRefundThatTheCacheDoesNotHaveYet(t *testing.T) {
	t.Parallel()
	d := openFixture(t)
	refund, _ := d.refunding("order-0001", "refund-0001", "")
	d.turn(refund, simulator.RefundSuccess)
	expectSuccess(t, d.callbackServer(emptyCache).refund(d.refundBody(refund, "SUCCESS")))
	d.expectRefund(refund, "True/Succeeded")
}

func TestRefundWithoutAStatus(t *testing.T) {
	t.Parallel()
	d := openFixture(t)
	refund, _ := d.refunding("order-0001", "refund-0001", "")
	d.turn(refund, simulator.RefundSuccess)
	d.WipeStatus(refund.DeepCopy())
	d.sync(refund)
	expectSuccess(t, d.callbackServer().refund(d.refundBody(refund, "SUCCESS")))
	now := d.expectRefund(refund, "True/Succeeded")
	if got := stateOf(now.Status.Conditions, v1alpha1.ConditionApproved); got != "True/Recovered" {
		t.Errorf("Approved=%s", got)
	}
}

// TestRefundqueryIsDown: WeChat itself repeats the callback until the query confirms it.
func TestRefundqueryIsDown(t *testing.T) {
	t.Parallel()
	d := openFixture(t)
	c := d.callbackServer()
	refund, _ := d.refunding("order-0001", "refund-0001", c.base+d.refundPath())
	d.Fault(simulator.Fault{Operation: simulator.OperationRefundQuery, Kind: simulator.FaultHTML})
	d.turn(refund, simulator.RefundChange) // not final, so that it is asked for under V3 too
	attempts := func() simulator.Callback {
		return d.WeChat.Ledger().CallbacksOf(simulator.OperationRefundCallback, "refund-0001")[0]
	}
	d.Eventually("WeChat was told to come again, twice", func() error {
		if len(attempts().Attempts) < 2 {
			return errNotYet
		}
		return nil
	})
	d.expectRefund(refund, "Unknown/Processing")
	d.WeChat.ClearFaults()
	d.Eventually("WeChat came again", func() error {
		if attempts().State != simulator.CallbackDelivered {
			return errNotYet
		}
		return nil
	})
	d.expectRefund(refund, "Unknown/Abnormal")
	for _, attempt := range attempts().Attempts[:2] {
		if attempt.Outcome != simulator.OutcomeRefused || attempt.Status != http.StatusServiceUnavailable {
			t.Errorf("%+v", attempt)
		}
	}
}
