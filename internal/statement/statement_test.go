package statement_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills/billtest"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills/matching"
	"github.com/wechatpay-operator/wechatpay-operator/internal/index"
	"github.com/wechatpay-operator/wechatpay-operator/internal/statement"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

const (
	mchID = "1900000109"
	day   = bills.Day("2026-11-27")
)

// objects is a cache with one Merchant, and the Orders that a function returns for a part of a day.
type objects struct {
	client.Reader
	merchant *v1alpha1.Merchant
	paid     func(piece string) []v1alpha1.Order
}

func (o objects) Get(_ context.Context, key client.ObjectKey, _ client.Object, _ ...client.GetOption) error {
	return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
}

func (o objects) List(_ context.Context, list client.ObjectList, options ...client.ListOption) error {
	var asked client.ListOptions
	asked.ApplyOptions(options)
	switch list := list.(type) {
	case *v1alpha1.MerchantList:
		list.Items = []v1alpha1.Merchant{*o.merchant}
	case *v1alpha1.OrderList:
		if piece, found := asked.FieldSelector.RequiresExactMatch(index.OrderPaid); found && o.paid != nil {
			list.Items = o.paid(piece)
		}
	}
	return nil
}

// sent is a WeChat that sends a text as every trade bill, and has no other bill.
type sent func() io.Reader

func (s sent) DownloadBill(_ context.Context, request wechatpay.BillRequest) (*wechatpay.Bill, error) {
	if request.Kind != wechatpay.TradeBill {
		return nil, &wechatpay.Error{Operation: wechatpay.OperationDownloadBill, Outcome: wechatpay.Refused, Meaning: wechatpay.NoStatement}
	}
	return &wechatpay.Bill{Body: io.NopCloser(s())}, nil
}

func text(of []byte) sent { return func() io.Reader { return bytes.NewReader(of) } }

func merchant(change ...func(*v1alpha1.Merchant)) *v1alpha1.Merchant {
	m := &v1alpha1.Merchant{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop", UID: "1"}, Spec: v1alpha1.MerchantSpec{MchID: mchID, AppID: "wx1"},
	}
	for _, c := range change {
		c(m)
	}
	return m
}

func compare(t *testing.T, m *v1alpha1.Merchant, bill sent) (*statement.Finding, error) {
	t.Helper()
	comparer := statement.Comparer{Client: objects{merchant: m}, Policy: bills.WeChatPolicy}
	return comparer.Compare(t.Context(), bill, m, day, day.End().Add(12*time.Hour))
}

func row(i int, change ...func(*billtest.Row)) billtest.Row {
	r := billtest.Row{
		Time: day.Start().Add(time.Duration(i%86_400) * time.Second), AppID: "wx1", MchID: mchID, Currency: "CNY", TradeType: "JSAPI", State: "SUCCESS",
		TransactionID: fmt.Sprintf("42000099992026112700%08d", i), OutTradeNo: fmt.Sprintf("order-of-a-large-shop-%08d", i), Order: int64(i%1000 + 1), Settled: int64(i%1000 + 1),
	}
	for _, c := range change {
		c(&r)
	}
	return r
}

// withRecharge is a WeChat that also has a bill of refunds from the available balance, or refuses it.
type withRecharge struct {
	sent
	bill    []byte
	refused error
}

func (w withRecharge) DownloadBill(ctx context.Context, request wechatpay.BillRequest) (*wechatpay.Bill, error) {
	if request.Kind == wechatpay.RechargeRefundBill {
		if w.refused != nil {
			return nil, w.refused
		}
		return text(w.bill).DownloadBill(ctx, wechatpay.BillRequest{Kind: wechatpay.TradeBill})
	}
	return w.sent.DownloadBill(ctx, request)
}

// TestRechargeBill: it is part of the comparison if WeChat gives it. If WeChat refuses it, the result says that it is
// missing, and if it may become available later, the comparison waits.
func TestRechargeBill(t *testing.T) {
	t.Parallel()
	trade := text(billtest.Bill())
	refusal := func(outcome wechatpay.Outcome, meaning wechatpay.Meaning) error {
		return &wechatpay.Error{Operation: wechatpay.OperationDownloadBill, Outcome: outcome, Meaning: meaning}
	}
	refund := func(r *billtest.Row) {
		r.State, r.RefundID, r.OutRefundNo, r.Requested, r.Refunded, r.RefundStatus, r.Order, r.Settled = "REFUND", "50300", "staff-1", 30, 30, "SUCCESS", 0, 0
	}
	for name, c := range map[string]struct {
		from    withRecharge
		verdict matching.Verdict
		fails   bool
		missing bool
	}{
		"a refund that nobody knows":     {from: withRecharge{sent: trade, bill: billtest.Bill(row(1, refund))}, verdict: matching.Differs},
		"no such bill":                   {from: withRecharge{sent: trade, refused: refusal(wechatpay.Refused, wechatpay.NoStatement)}, verdict: matching.Balanced},
		"no right":                       {from: withRecharge{sent: trade, refused: refusal(wechatpay.Refused, wechatpay.NoRight)}, verdict: matching.Balanced, missing: true},
		"refused as a parameter":         {from: withRecharge{sent: trade, refused: refusal(wechatpay.Refused, wechatpay.Rejected)}, verdict: matching.Balanced, missing: true},
		"an answer that says nothing":    {from: withRecharge{sent: trade, refused: refusal(wechatpay.Unknown, wechatpay.Rejected)}, fails: true},
		"not made yet":                   {from: withRecharge{sent: trade, refused: refusal(wechatpay.Refused, wechatpay.StatementCreating)}, fails: true},
		"a bill of another merchant":     {from: withRecharge{sent: trade, bill: billtest.Bill(row(1, refund, func(r *billtest.Row) { r.MchID = "1900000999" }))}, fails: true},
		"a bill that was cut on its way": {from: withRecharge{sent: trade, bill: billtest.Bill(row(1, refund))[:300]}, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			comparer := statement.Comparer{Client: objects{merchant: merchant()}, Policy: bills.WeChatPolicy}
			found, err := comparer.Compare(t.Context(), c.from, merchant(), day, day.End().Add(12*time.Hour))
			switch {
			case c.fails:
				if err == nil {
					t.Errorf("compared: %+v", found)
				}
			case err != nil:
				t.Error(err)
			case found.Verdict != c.verdict || (found.NoRecharge != nil) != c.missing:
				t.Errorf("%s, missing: %v", found.Verdict, found.NoRecharge)
			}
		})
	}
}

// TestBillsThatAreNotTheOneBalanceNothing: each is refused with an explanation.
func TestBillsThatAreNotTheOneBalanceNothing(t *testing.T) {
	t.Parallel()
	whole := billtest.Bill(row(1), row(2))
	of := func(change func(*billtest.Row)) []byte { return billtest.Bill(row(1, change)) }
	partner := func(m *v1alpha1.Merchant) { m.Spec.Partner = &v1alpha1.Partner{SubMchID: "1900000201"} }
	for name, c := range map[string]struct {
		bill  []byte
		of    func(*v1alpha1.Merchant)
		words string
	}{
		"another day's":             {bill: of(func(r *billtest.Row) { r.Time = day.End().Add(time.Hour) }), words: "another day"},
		"another merchant's":        {bill: of(func(r *billtest.Row) { r.MchID = "1900000999" }), words: "another merchant number"},
		"a sub merchant's":          {bill: of(func(r *billtest.Row) { r.SubMchID = "1900000202" }), words: "other sub merchants only"},
		"another sub merchant's":    {bill: of(func(r *billtest.Row) { r.SubMchID = "1900000202" }), of: partner, words: "other sub merchants only"},
		"cut":                       {bill: whole[:len(whole)-40], words: ""},
		"cut before its summary":    {bill: whole[:len(whole)/2], words: "summary"},
		"a page":                    {bill: []byte("<html><body>502</body></html>"), words: ""},
		"nothing":                   {bill: nil, words: ""},
		"amounts beyond all limits": {bill: bytes.ReplaceAll(of(func(*billtest.Row) {}), []byte("`0.02,"), []byte("`99999999999999999999.99,")), words: "can't be read"},
		"amounts beyond the API's":  {bill: of(func(r *billtest.Row) { r.Order, r.Settled = 1<<53, 1<<53 }), words: "too large"},
		"a renamed column":          {bill: bytes.Replace(whole, []byte("订单金额"), []byte("订单总额"), 2), words: ""},
		"another summary":           {bill: bytes.Replace(whole, []byte("`2,`"), []byte("`3,`"), 1), words: "summary"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var changes []func(*v1alpha1.Merchant)
			if c.of != nil {
				changes = append(changes, c.of)
			}
			found, err := compare(t, merchant(changes...), text(c.bill))
			if err == nil {
				t.Fatalf("it is taken: %+v", found.Verdict)
			}
			_, refused := errors.AsType[*bills.Refused](err)
			_, incomplete := errors.AsType[*statement.IncompleteError](err)
			if !refused && !incomplete || !strings.Contains(err.Error(), c.words) {
				t.Errorf("%T: %v", err, err)
			}
		})
	}
}

// TestABillWithoutRows agrees with a day without Orders.
func TestABillWithoutRows(t *testing.T) {
	t.Parallel()
	found, err := compare(t, merchant(), text(billtest.Bill()))
	if err != nil || found.Verdict != matching.Balanced {
		t.Errorf("%v %v", found, err)
	}
}

// TestRowsOfOtherSubMerchantsAreNotCounted in a provider's bill, which has the rows of all.
func TestRowsOfOtherSubMerchantsAreNotCounted(t *testing.T) {
	t.Parallel()
	m := merchant(func(m *v1alpha1.Merchant) { m.Spec.Partner = &v1alpha1.Partner{SubMchID: "1900000201"} })
	found, err := compare(t, m, text(billtest.Bill(
		row(1, func(r *billtest.Row) { r.SubMchID = "1900000201" }), row(2, func(r *billtest.Row) { r.SubMchID = "1900000202" }))))
	if err != nil {
		t.Fatal(err)
	}
	if found.Bill.Count() != 1 || found.Counts[matching.PaymentNotInLedger] != 1 || strings.Contains(fmt.Sprint(found), row(2).TransactionID) {
		t.Errorf("%+v", found)
	}
}

const (
	largestDay  = 200_000
	mostForBill = 64 << 20
)

// TestALargeDayIsComparedInLittleMemory: 200,000 Orders in the cache and as many rows. The cache itself is not counted:
// here it creates the objects of each part of the day again.
func TestALargeDayIsComparedInLittleMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("compares 200,000 rows")
	}
	m := merchant()
	first := day.Start().Unix() / int64(index.Piece.Seconds())
	paid := func(piece string) (orders []v1alpha1.Order) {
		number, _ := strconv.ParseInt(piece[strings.LastIndex(piece, "@")+1:], 10, 64)
		begin := int(number-first) * int(index.Piece.Seconds())
		for i := begin; i < begin+int(index.Piece.Seconds()); i++ {
			for j := i; j < largestDay; j += 86_400 {
				r := row(j)
				at := metav1.NewTime(r.Time)
				orders = append(orders, v1alpha1.Order{
					ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: r.OutTradeNo},
					Spec:       v1alpha1.OrderSpec{MerchantRef: v1alpha1.MerchantReference{Name: "shop"}, Amount: v1alpha1.Amount{Total: r.Order, Currency: "CNY"}},
					Status: v1alpha1.OrderStatus{
						Conditions:  []metav1.Condition{{Type: v1alpha1.ConditionPaid, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonPaid}},
						Transaction: &v1alpha1.Transaction{ID: r.TransactionID, Total: r.Order, PaidTime: &at},
					},
				})
			}
		}
		return orders
	}
	var rest, peak uint64
	heap := func() uint64 {
		var statistics runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&statistics)
		return statistics.HeapAlloc
	}
	generated := sent(func() io.Reader {
		reading, writing := io.Pipe()
		go func() {
			w := billtest.NewWriter(writing)
			for i := range largestDay {
				w.Row(row(i))
				if i%40_000 == 0 {
					peak = max(peak, heap())
				}
			}
			err := w.Close()
			peak = max(peak, heap())
			writing.CloseWithError(err)
		}()
		return reading
	})
	rest = heap()
	comparer := statement.Comparer{Client: objects{merchant: m, paid: paid}, Policy: bills.WeChatPolicy}
	found, err := comparer.Compare(t.Context(), generated, m, day, day.End().Add(12*time.Hour))
	if err != nil || found.Verdict != matching.Balanced || found.Matched.Count() != largestDay {
		t.Fatalf("%v %+v", err, found)
	}
	t.Logf("%d rows compared in %d MiB above rest", largestDay, (peak-rest)>>20)
	if peak > rest+mostForBill {
		t.Errorf("%d MiB above rest", (peak-rest)>>20)
	}
}
