package lifecycle_test

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

func preparedOrder() *v1alpha1.Order {
	order := newOrder()
	lifecycle.Prepared(order, newPrepay(), now)
	return order
}

func TestPaid(t *testing.T) {
	t.Parallel()
	order, payment := preparedOrder(), newPayment()
	payment.CashTotal, payment.CashCurrency = new(int64(81)), "CNY"
	payment.CouponTotal, payment.SettlementTotal = new(int64(20)), new(int64(91))
	payment.OpenID, payment.BankType = "openid", "OTHERS"
	verdict, _ := lifecycle.Paid(order, account, payment, now)
	if verdict != lifecycle.Recorded {
		t.Fatalf("verdict %s", verdict)
	}
	wantState(t, order.Status.Conditions, v1alpha1.ConditionPaid, "True/Paid")
	wantState(t, order.Status.Conditions, v1alpha1.ConditionPrepared, "True/Prepared")
	paidTime := metav1.NewTime(payment.PaidTime)
	wantSame(t, "transaction", &v1alpha1.Transaction{
		ID: "4200000001", Total: paidTotal, Currency: "CNY", CashTotal: new(int64(81)), CashCurrency: "CNY", SettlementTotal: new(int64(91)),
		CouponTotal: new(int64(20)), OpenID: "openid", BankType: "OTHERS", PaidTime: &paidTime,
	}, order.Status.Transaction)

	before := order.DeepCopy()
	if verdict, _ := lifecycle.Paid(order, account, payment, now.Add(time.Hour)); verdict != lifecycle.AlreadyRecorded {
		t.Errorf("the same payment again: %s", verdict)
	}
	wantSame(t, "after the same payment again", before, order)

	payment.TransactionID = "4200000002"
	if verdict, message := lifecycle.Paid(order, account, payment, now); verdict != lifecycle.Conflict || message == "" {
		t.Errorf("a second payment: %s %q", verdict, message)
	}
	wantSame(t, "after a second payment", before, order)
}

func TestAPaymentThatDiffersIsNeverPaid(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*wechatpay.Payment)
		says   string
	}{
		"appid":          {func(p *wechatpay.Payment) { p.AppID = "wxother" }, "appid"},
		"no appid":       {func(p *wechatpay.Payment) { p.AppID = "" }, "appid"},
		"mch_id":         {func(p *wechatpay.Payment) { p.MchID = "1900000110" }, "merchant number"},
		"no mch_id":      {func(p *wechatpay.Payment) { p.MchID = "" }, "merchant number"},
		"number":         {func(p *wechatpay.Payment) { p.OutTradeNo = "order-0002" }, "out_trade_no"},
		"number's case":  {func(p *wechatpay.Payment) { p.OutTradeNo = "ORDER-0001" }, "out_trade_no"},
		"less":           {func(p *wechatpay.Payment) { p.Total-- }, "amount 100, not 101"},
		"more":           {func(p *wechatpay.Payment) { p.Total++ }, "amount 102, not 101"},
		"nothing":        {func(p *wechatpay.Payment) { p.Total = 0 }, "amount"},
		"right by cash":  {func(p *wechatpay.Payment) { p.Total, p.CashTotal = 1, new(paidTotal) }, "amount"},
		"currency":       {func(p *wechatpay.Payment) { p.Currency = "USD" }, "currency"},
		"currency, case": {func(p *wechatpay.Payment) { p.Currency = "cny" }, "currency"},
		"no transaction": {func(p *wechatpay.Payment) { p.TransactionID = "" }, "transaction_id"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			order, payment := preparedOrder(), newPayment()
			test.change(&payment)
			verdict, said := lifecycle.Paid(order, account, payment, now)
			if verdict != lifecycle.Mismatch {
				t.Errorf("verdict %s", verdict)
			}
			wantState(t, order.Status.Conditions, v1alpha1.ConditionPaid, "Unknown/AmountMismatch")
			if shown := message(order.Status.Conditions, v1alpha1.ConditionPaid); shown != said || !strings.Contains(shown, test.says) {
				t.Errorf("shown %q, said %q, want %q in it", shown, said, test.says)
			}
			if lifecycle.IsPaid(order) || order.Status.Transaction != nil {
				t.Error("taken as paid")
			}
			before := order.DeepCopy()
			if verdict, _ := lifecycle.Paid(order, account, payment, now.Add(time.Minute)); verdict != lifecycle.StillMismatch {
				t.Errorf("the same again: %s", verdict)
			}
			wantSame(t, "after the same again", before, order)

			if verdict, _ := lifecycle.Paid(order, account, newPayment(), now); verdict != lifecycle.Recorded {
				t.Errorf("the right payment after it: %s", verdict)
			}
			wantState(t, order.Status.Conditions, v1alpha1.ConditionPaid, "True/Paid")
		})
	}
}

func TestCurrencyAndCash(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		order   v1alpha1.Currency
		payment string
		want    lifecycle.Verdict
	}{
		"both absent":     {"", "", lifecycle.Recorded},
		"absent is CNY":   {"CNY", "", lifecycle.Recorded},
		"CNY is absent":   {"", "CNY", lifecycle.Recorded},
		"foreign":         {"HKD", "HKD", lifecycle.Recorded},
		"absent, foreign": {"HKD", "", lifecycle.Mismatch},
		"CNY for foreign": {"HKD", "CNY", lifecycle.Mismatch},
	} {
		for cash, total := range map[string]*int64{"none": nil, "zero": new(int64(0)), "less": new(int64(1)), "more": new(int64(1000))} {
			order, payment := preparedOrder(), newPayment()
			order.Spec.Amount.Currency, payment.Currency = test.order, test.payment
			payment.CashTotal, payment.CashCurrency = total, "CNY"
			if verdict, _ := lifecycle.Paid(order, account, payment, now); verdict != test.want {
				t.Errorf("%s, cash %s: %s, want %s", name, cash, verdict, test.want)
			}
		}
	}
}

func TestAccountOfAnOrderWithItsOwnAppID(t *testing.T) {
	t.Parallel()
	order := newOrder()
	wantSame(t, "account", account, lifecycle.PayeeOf(order, newMerchant()))
	order.Spec.AppID = "wxother"
	wantSame(t, "account", lifecycle.Payee{MchID: mchID, AppID: "wxother"}, lifecycle.PayeeOf(order, newMerchant()))
}

func TestLateAndEarlierPayments(t *testing.T) {
	t.Parallel()
	end := func(reason string) func(*v1alpha1.Order) {
		return func(o *v1alpha1.Order) { lifecycle.Closed(o, reason, "It is over", now) }
	}
	unprepared := func(o *v1alpha1.Order) { o.Status = v1alpha1.OrderStatus{} }
	used := func(o *v1alpha1.Order) { unprepared(o); lifecycle.UsedAtWeChat(o, "Other parameters", now) }
	for name, test := range map[string]struct {
		before         func(*v1alpha1.Order)
		paidTime       time.Time
		paid, prepared string
	}{
		"open":                {nil, created.Add(time.Second), "True/Paid", "True/Prepared"},
		"in the first second": {nil, created, "True/Paid", "True/Prepared"},
		"time not told":       {nil, time.Time{}, "True/Paid", "True/Prepared"},
		// The status holds the prepay that it was paid with, so clock skew does not matter.
		"before the object, prepared": {nil, created.Add(-time.Hour), "True/Paid", "True/Prepared"},
		"before the object":           {unprepared, created.Add(-5*time.Minute - time.Second), "True/PaidEarlier", "False/AlreadyPaid"},
		"by another clock":            {unprepared, created.Add(-5 * time.Minute), "True/Paid", "False/AlreadyPaid"},
		"under other parameters":      {used, created.Add(time.Second), "True/PaidUnderOtherParameters", "False/UsedAtWeChat"},
		"under other parameters, expired": {func(o *v1alpha1.Order) { used(o); lifecycle.Closed(o, v1alpha1.ReasonExpired, "It is over", now) },
			created.Add(time.Hour), "True/PaidUnderOtherParameters", "False/UsedAtWeChat"},
		"after Closed":   {end(v1alpha1.ReasonClosed), created.Add(time.Hour), "True/PaidLate", "False/Closed"},
		"after Expired":  {end(v1alpha1.ReasonExpired), created.Add(time.Hour), "True/PaidLate", "False/Expired"},
		"after Rejected": {func(o *v1alpha1.Order) { lifecycle.Closed(o, v1alpha1.ReasonRejected, "No", now) }, created.Add(time.Hour), "True/PaidLate", "False/Rejected"},
		// A restored object that expired before WeChat Pay could be asked: the payment is that of the
		// object before it, and latePayment must not refund it.
		"expired unasked, before the object": {func(o *v1alpha1.Order) { unprepared(o); lifecycle.Closed(o, v1alpha1.ReasonExpired, "It is over", now) },
			created.Add(-time.Hour), "True/PaidEarlier", "False/Expired"},
		// A prepay that this object recorded was paid after it was closed, whatever the clocks say.
		"closed, before the object": {end(v1alpha1.ReasonClosed), created.Add(-time.Hour), "True/PaidLate", "False/Closed"},
		"while closing":             {func(o *v1alpha1.Order) { lifecycle.Closing(o, "Soon", now) }, created.Add(time.Second), "True/Paid", "True/Prepared"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			order, payment := preparedOrder(), newPayment()
			if test.before != nil {
				test.before(order)
			}
			payment.PaidTime = test.paidTime
			lifecycle.Paid(order, account, payment, now)
			wantState(t, order.Status.Conditions, v1alpha1.ConditionPaid, test.paid)
			wantState(t, order.Status.Conditions, v1alpha1.ConditionPrepared, test.prepared)
			if text := message(order.Status.Conditions, v1alpha1.ConditionPaid); strings.Contains(text, "  ") || strings.Contains(text, "was  ") {
				t.Errorf("a word is missing: %q", text)
			}
		})
	}
}

// TestPaidWithoutPrepay: a paid Order no longer shows why it was not prepared.
func TestPaidWithoutPrepay(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(*v1alpha1.Order){
		"lost status": func(*v1alpha1.Order) {},
		"lost answer": func(o *v1alpha1.Order) {
			lifecycle.NotPreparedBy(o, problem(wechatpay.Unknown, wechatpay.Repeat), now)
		},
		"rate limited": func(o *v1alpha1.Order) {
			lifecycle.NotPreparedBy(o, problem(wechatpay.Failed, wechatpay.SlowDown), now)
		},
		"a prepay that ran out": func(o *v1alpha1.Order) {
			lifecycle.Prepared(o, newPrepay(), now)
			lifecycle.NotPreparedBy(o, problem(wechatpay.Unknown, wechatpay.Repeat), now.Add(3*time.Hour))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			order := newOrder()
			before(order)
			lifecycle.Paid(order, account, newPayment(), now)
			wantState(t, order.Status.Conditions, v1alpha1.ConditionPrepared, "False/AlreadyPaid")
		})
	}
}

func TestAMismatchDoesNotReopenAClosedOrder(t *testing.T) {
	t.Parallel()
	order, wrong := preparedOrder(), newPayment()
	lifecycle.Closed(order, v1alpha1.ReasonExpired, "The time to pay is over", now)
	finished := lifecycle.FinishedTime(order)
	wrong.Total = 1
	if verdict, _ := lifecycle.Paid(order, account, wrong, now.Add(time.Hour)); verdict != lifecycle.Mismatch {
		t.Errorf("verdict %s", verdict)
	}
	wantState(t, order.Status.Conditions, v1alpha1.ConditionPaid, "False/Expired")
	if shown := message(order.Status.Conditions, v1alpha1.ConditionPaid); !strings.Contains(shown, "amount 1, not 101") {
		t.Errorf("the difference is not shown: %q", shown)
	}
	if !lifecycle.FinishedTime(order).Equal(finished) {
		t.Error("the time at which it finished changed")
	}
	if verdict, _ := lifecycle.Paid(order, account, wrong, now.Add(2*time.Hour)); verdict != lifecycle.StillMismatch {
		t.Errorf("again: %s", verdict)
	}
	lifecycle.Paid(order, account, newPayment(), now)
	wantState(t, order.Status.Conditions, v1alpha1.ConditionPaid, "True/PaidLate")
}

func TestAPaymentOfAnotherOrdersNumberIsNotOurs(t *testing.T) {
	t.Parallel()
	order := newOrder()
	lifecycle.Closed(order, v1alpha1.ReasonNumberInUse, "An older Order has it", now)
	before := order.DeepCopy()
	if verdict, said := lifecycle.Paid(order, account, newPayment(), now); verdict != lifecycle.NotOurs || said == "" {
		t.Errorf("%s %q", verdict, said)
	}
	wantSame(t, "order", before, order)
}

// TestNoValueStopsAPayment: WeChat Pay's values may exceed the API's limits; the status must still
// be valid.
func TestNoValueStopsAPayment(t *testing.T) {
	t.Parallel()
	order, payment := preparedOrder(), newPayment()
	long := strings.Repeat("招", 1000)
	payment.TransactionID, payment.BankType, payment.OpenID, payment.CashCurrency = long, long, long, "\xff"+long
	for range 2 {
		lifecycle.Paid(order, account, payment, now)
	}
	got := order.Status.Transaction
	for name, value := range map[string]struct {
		text string
		most int
	}{"id": {got.ID, 64}, "bankType": {got.BankType, 32}, "openID": {got.OpenID, 128}, "cashCurrency": {got.CashCurrency, 16}} {
		if len(value.text) > value.most || !strings.HasPrefix(long, strings.TrimPrefix(value.text, "\uFFFD")) {
			t.Errorf("%s: %d bytes: %q", name, len(value.text), value.text)
		}
	}
	if verdict, _ := lifecycle.Paid(order, account, payment, now); verdict != lifecycle.AlreadyRecorded {
		t.Errorf("the same payment again: %s", verdict)
	}
}

func TestPreparedScheme(t *testing.T) {
	t.Parallel()
	const weak, strong, none = v1alpha1.SignTypeMD5, v1alpha1.SignTypeHMACSHA256, v1alpha1.SignType("")
	for _, test := range []struct{ prepay, merchant, want v1alpha1.SignType }{
		{strong, strong, strong},
		{weak, strong, weak},   // prepared before the Merchant changed
		{strong, weak, strong}, // the Merchant's present word does not count for it
		{none, weak, weak},     // the status was lost
		{none, strong, strong},
		{none, none, none},
	} {
		order, merchant := newOrder(), newMerchant()
		merchant.Spec.SignType = test.merchant
		for _, prepay := range []*v1alpha1.OrderPrepay{nil, {SignType: test.prepay}} {
			if prepay == nil && test.prepay != none {
				continue
			}
			order.Status.Prepay = prepay
			if got := lifecycle.PreparedScheme(order, merchant); got != wechatpay.Scheme(test.want) {
				t.Errorf("prepared %q, merchant %q: %q", test.prepay, test.merchant, got)
			}
		}
	}
}

// TestPaymentWithAnotherAttachIsNotTheOrders: a payment belongs to an Order only if WeChat Pay
// returns the attach that this Order sends. Otherwise nothing of it is revealed.
func TestPaymentWithAnotherAttachIsNotTheOrders(t *testing.T) {
	t.Parallel()
	foreign := func(o *v1alpha1.Order) { o.Namespace = "web" }
	before := func(o *v1alpha1.Order) { foreign(o); o.Status.Prepay.Attach = "" } // prepared before attach named the namespace
	with := func(attach string, change func(*v1alpha1.Order)) func(*v1alpha1.Order) {
		return func(o *v1alpha1.Order) {
			o.Spec.Attach = attach
			if change != nil {
				change(o)
			}
		}
	}
	for name, test := range map[string]struct {
		change func(*v1alpha1.Order)
		sent   string
		ours   map[string]bool
	}{
		"of the Merchant's namespace":       {with("", nil), "", map[string]bool{"": true, "web/": false, "x": false}},
		"with attach":                       {with("x", nil), "x", map[string]bool{"x": true, "": false, "web/x": false}},
		"of another namespace":              {with("", sentAs("web/", foreign)), "web/", map[string]bool{"web/": true, "": false, "other/": false, "web/x": false}},
		"of another namespace, with attach": {with("x", sentAs("web/x", foreign)), "web/x", map[string]bool{"web/x": true, "x": false, "other/x": false}},
		"prepared before":                   {with("x", before), "x", map[string]bool{"x": true, "web/x": false}},
		"prepared before, and refreshed":    {with("x", sentAs("x", foreign)), "x", map[string]bool{"x": true, "web/x": false}},
		"not prepared yet":                  {with("x", func(o *v1alpha1.Order) { foreign(o); o.Status.Prepay = nil }), "web/x", map[string]bool{"web/x": true, "x": false}},
	} {
		for attach, ours := range test.ours {
			t.Run(name+"/"+attach, func(t *testing.T) {
				t.Parallel()
				order, payment := preparedOrder(), newPayment()
				test.change(order)
				wantSame(t, "attach", test.sent, lifecycle.OrderRequest(order, newMerchant(), notifyURL).Attach)
				before := order.DeepCopy()
				payment.Attach = attach
				verdict, words := lifecycle.Paid(order, lifecycle.PayeeOf(order, newMerchant()), payment, now)
				if ours {
					wantSame(t, "verdict", lifecycle.Recorded, verdict)
					return
				}
				wantSame(t, "verdict", lifecycle.NotOurs, verdict)
				wantSame(t, "transaction", before.Status.Transaction, order.Status.Transaction)
				for _, secret := range []string{payment.TransactionID, "101", "web/"} {
					if strings.Contains(words, secret) {
						t.Errorf("%q tells %q", words, secret)
					}
				}
			})
		}
	}
}

func sentAs(attach string, change func(*v1alpha1.Order)) func(*v1alpha1.Order) {
	return func(o *v1alpha1.Order) {
		change(o)
		o.Status.Prepay.Attach = attach
	}
}

func TestAttachThatNamesAnotherNamespace(t *testing.T) {
	t.Parallel()
	for attach, want := range map[string]bool{"": false, "x": false, "shop/": false, "shop/x": false, "web/": true, "web/x/y": true, "/x": false, "Web/x": false, "a b/c": false} {
		wantSame(t, attach, want, lifecycle.NamesAnotherNamespace(attach, newOrder()))
	}
}
