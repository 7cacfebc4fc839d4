package metrics_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
)

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// feed is a fake informer.
type feed struct {
	cache.Informers
	orders, refunds, merchants, shipments, miniPrograms, statements feedOf
}

type feedOf struct {
	cache.Informer
	handler toolscache.ResourceEventHandler
}

func (f *feed) GetInformer(_ context.Context, object client.Object, _ ...cache.InformerGetOption) (cache.Informer, error) {
	switch object.(type) {
	case *v1alpha1.Order:
		return &f.orders, nil
	case *v1alpha1.Refund:
		return &f.refunds, nil
	case *v1alpha1.Shipment:
		return &f.shipments, nil
	case *v1alpha1.MiniProgram:
		return &f.miniPrograms, nil
	case *v1alpha1.Statement:
		return &f.statements, nil
	default:
		return &f.merchants, nil
	}
}

func (f *feedOf) AddEventHandler(handler toolscache.ResourceEventHandler) (toolscache.ResourceEventHandlerRegistration, error) {
	f.handler = handler
	return nil, nil
}

func follow(t testing.TB) (*feed, *metrics.Objects) {
	t.Helper()
	leading := make(chan struct{})
	close(leading)
	objects, told := metrics.NewObjects(clocktesting.NewFakePassiveClock(now), leading), &feed{}
	if err := objects.Follow(context.Background(), told); err != nil {
		t.Fatal(err)
	}
	return told, objects
}

func expect(t *testing.T, objects prometheus.Collector, name, want string) {
	t.Helper()
	var lines []string
	for _, line := range strings.Split(strings.TrimSpace(want), "\n") {
		lines = append(lines, strings.TrimSpace(line))
	}
	text := "# TYPE " + name + " gauge\n" + strings.Join(lines, "\n") + "\n"
	if strings.TrimSpace(want) == "" {
		text = ""
	}
	if err := testutil.CollectAndCompare(objects, strings.NewReader(withoutHelp(t, objects, name)+text), name); err != nil {
		t.Error(err)
	}
}

// withoutHelp returns the help line of a metric, because the comparison requires one.
func withoutHelp(t *testing.T, collector prometheus.Collector, name string) string {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(collector)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == name {
			return "# HELP " + name + " " + family.GetHelp() + "\n"
		}
	}
	return ""
}

func conditions(pairs ...string) []metav1.Condition {
	var made []metav1.Condition
	for i := 0; i < len(pairs); i += 3 {
		age, err := time.ParseDuration(pairs[i+2])
		if err != nil {
			panic(err)
		}
		kind, reason := pairs[i], pairs[i+1]
		status, reason, _ := strings.Cut(reason, "/")
		made = append(made, metav1.Condition{Type: kind, Status: metav1.ConditionStatus(status), Reason: reason, LastTransitionTime: metav1.NewTime(now.Add(-age))})
	}
	return made
}

func order(namespace, name string, pairs ...string) *v1alpha1.Order {
	return &v1alpha1.Order{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID(name)},
		Status:     v1alpha1.OrderStatus{Conditions: conditions(pairs...)},
	}
}

func refund(name string, pairs ...string) *v1alpha1.Refund {
	return &v1alpha1.Refund{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID(name)},
		Status:     v1alpha1.RefundStatus{Conditions: conditions(pairs...)},
	}
}

func TestOrdersAreCountedThroughTheirLife(t *testing.T) {
	told, objects := follow(t)
	created := order("shop", "order-0001")
	lost := order("shop", "order-0001", "Prepared", "Unknown/OutcomeUnknown", "90s", "Paid", "Unknown/Pending", "90s")
	paid := order("shop", "order-0001", "Prepared", "True/Prepared", "10s", "Paid", "True/Paid", "5s")
	const doubt = "wechatpay_oldest_unknown_outcome_age_seconds"

	told.orders.handler.OnAdd(created, true)
	told.orders.handler.OnAdd(order("other", "order-0002", "Paid", "True/Paid", "1h"), true)
	expect(t, objects, "wechatpay_orders", `
		wechatpay_orders{namespace="other",state="Paid"} 1
		wechatpay_orders{namespace="shop",state="New"} 1`)

	told.orders.handler.OnUpdate(created, lost)
	expect(t, objects, doubt, doubt+`{kind="Order"} 90
		`+doubt+`{kind="Refund"} 0`)

	told.orders.handler.OnUpdate(lost, paid)
	told.orders.handler.OnUpdate(paid, paid) // a resync
	expect(t, objects, doubt, doubt+`{kind="Order"} 0
		`+doubt+`{kind="Refund"} 0`)
	expect(t, objects, "wechatpay_orders", `
		wechatpay_orders{namespace="other",state="Paid"} 1
		wechatpay_orders{namespace="shop",state="Paid"} 1`)

	told.orders.handler.OnDelete(toolscache.DeletedFinalStateUnknown{Key: "shop/order-0001", Obj: paid})
	expect(t, objects, "wechatpay_orders", `wechatpay_orders{namespace="other",state="Paid"} 1`)
}

func TestRefundsAreCountedByWhatTheyWaitFor(t *testing.T) {
	for want, pairs := range map[string][]string{
		"New":                 nil,
		"AwaitingApproval":    {"Approved", "Unknown/AwaitingApproval", "0s", "Accepted", "Unknown/Pending", "0s", "Succeeded", "Unknown/Pending", "0s"},
		"Pending":             {"Approved", "Unknown/Pending", "0s", "Accepted", "Unknown/Pending", "0s", "Succeeded", "Unknown/Pending", "0s"},
		"InsufficientBalance": {"Approved", "True/Approved", "0s", "Accepted", "False/InsufficientBalance", "0s", "Succeeded", "Unknown/Pending", "0s"},
		"MerchantNotReady":    {"Approved", "Unknown/Pending", "0s", "Accepted", "False/MerchantNotReady", "0s", "Succeeded", "Unknown/Pending", "0s"},
		"Abnormal":            {"Approved", "True/Approved", "0s", "Accepted", "True/Accepted", "0s", "Succeeded", "Unknown/Abnormal", "0s"},
		"Denied":              {"Approved", "False/Denied", "0s", "Accepted", "False/Denied", "0s", "Succeeded", "False/Denied", "0s"},
	} {
		t.Run(want, func(t *testing.T) {
			told, objects := follow(t)
			told.refunds.handler.OnAdd(refund("refund-0001", pairs...), false)
			expect(t, objects, "wechatpay_refunds", `wechatpay_refunds{namespace="shop",state="`+want+`"} 1`)
		})
	}
}

// TestTimeToApproveIsNoDoubt: Accepted is Unknown from creation on, but nothing is sent before the
// approval.
func TestTimeToApproveIsNoDoubt(t *testing.T) {
	told, objects := follow(t)
	waiting := refund("refund-0001", "Approved", "Unknown/AwaitingApproval", "72h", "Accepted", "Unknown/Pending", "72h", "Succeeded", "Unknown/Pending", "72h")
	told.refunds.handler.OnAdd(waiting, false)
	told.refunds.handler.OnAdd(refund("refund-0002", "Approved", "Unknown/AwaitingApproval", "1h", "Accepted", "Unknown/Pending", "1h", "Succeeded", "Unknown/Pending", "1h"), false)
	const approval, doubt = "wechatpay_oldest_refund_awaiting_approval_age_seconds", "wechatpay_oldest_unknown_outcome_age_seconds"
	expect(t, objects, approval, fmt.Sprint(approval, " ", 72*3600))

	told.refunds.handler.OnUpdate(waiting, refund("refund-0001", "Approved", "True/Approved", "2m", "Accepted", "Unknown/OutcomeUnknown", "72h", "Succeeded", "Unknown/Pending", "72h"))
	expect(t, objects, approval, fmt.Sprint(approval, " ", 3600))
	expect(t, objects, doubt, doubt+`{kind="Order"} 0
		`+doubt+`{kind="Refund"} 120`)
}

func TestMerchants(t *testing.T) {
	told, objects := follow(t)
	merchant := func(pairs ...string) *v1alpha1.Merchant {
		return &v1alpha1.Merchant{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "till"},
			Status:     v1alpha1.MerchantStatus{Conditions: conditions(pairs...)},
		}
	}
	created, good, bad := merchant(), merchant("Ready", "True/Ready", "0s"), merchant("Ready", "False/CredentialsRejected", "0s")
	expires := metav1.NewTime(now)
	good.Status.Certificate = &v1alpha1.MerchantCertificate{NotAfter: &expires}
	const ready, expiry = "wechatpay_merchant_ready", "wechatpay_merchant_certificate_expiry_timestamp_seconds"
	told.merchants.handler.OnAdd(created, false)
	expect(t, objects, ready, ready+`{merchant="till",namespace="shop",reason="New"} 0`)
	told.merchants.handler.OnUpdate(created, good)
	expect(t, objects, ready, ready+`{merchant="till",namespace="shop",reason="Ready"} 1`)
	expect(t, objects, expiry, expiry+fmt.Sprintf(`{merchant="till",namespace="shop"} %d`, now.Unix()))
	told.merchants.handler.OnUpdate(good, bad)
	expect(t, objects, ready, ready+`{merchant="till",namespace="shop",reason="CredentialsRejected"} 0`)
	told.merchants.handler.OnDelete(bad)
	expect(t, objects, ready, "")
}

// TestShipments: one that waits for its Order is not counted as late, nor is one that is final.
func TestShipments(t *testing.T) {
	told, objects := follow(t)
	shipment := func(pairs ...string) *v1alpha1.Shipment {
		return &v1alpha1.Shipment{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "one", UID: "one", CreationTimestamp: metav1.NewTime(now.Add(-time.Hour))},
			Status:     v1alpha1.ShipmentStatus{Conditions: conditions(pairs...)},
		}
	}
	created, waits := shipment(), shipment("Uploaded", "False/OrderNotPaid", "0s")
	stuck, done := shipment("Uploaded", "False/MiniProgramNotFound", "0s"), shipment("Uploaded", "True/Uploaded", "0s")
	const states, oldest = "wechatpay_shipments", "wechatpay_oldest_shipment_not_uploaded_age_seconds"
	told.shipments.handler.OnAdd(created, false)
	expect(t, objects, states, states+`{namespace="shop",state="New"} 1`)
	told.shipments.handler.OnUpdate(created, waits)
	expect(t, objects, oldest, oldest+" 0")
	told.shipments.handler.OnUpdate(waits, stuck)
	expect(t, objects, states, states+`{namespace="shop",state="MiniProgramNotFound"} 1`)
	expect(t, objects, oldest, oldest+" 3600")
	told.shipments.handler.OnUpdate(stuck, done)
	expect(t, objects, oldest, oldest+" 0")
	told.shipments.handler.OnDelete(done)
	expect(t, objects, states, "")
}

func TestMiniPrograms(t *testing.T) {
	told, objects := follow(t)
	miniProgram := &v1alpha1.MiniProgram{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "till"},
		Status:     v1alpha1.MiniProgramStatus{Conditions: conditions("Ready", "False/AddressNotAllowed", "0s")},
	}
	const ready = "wechatpay_mini_program_ready"
	told.miniPrograms.handler.OnAdd(miniProgram, false)
	expect(t, objects, ready, ready+`{mini_program="till",namespace="shop",reason="AddressNotAllowed"} 0`)
	told.miniPrograms.handler.OnDelete(miniProgram)
	expect(t, objects, ready, "")
}

func TestOnlyTheLeaderTells(t *testing.T) {
	leading, told := make(chan struct{}), &feed{}
	objects := metrics.NewObjects(clocktesting.NewFakePassiveClock(now), leading)
	if err := objects.Follow(context.Background(), told); err != nil {
		t.Fatal(err)
	}
	told.orders.handler.OnAdd(order("shop", "order-0001"), false)
	if got := testutil.CollectAndCount(objects); got != 0 {
		t.Errorf("%d series before the election", got)
	}
	close(leading)
	expect(t, objects, "wechatpay_orders", `wechatpay_orders{namespace="shop",state="New"} 1`)
}

// hundredThousand benchmarks 100,000 Orders: go test -bench . -benchmem ./internal/metrics
func hundredThousand(told *feed) (before, after []*v1alpha1.Order) {
	states := []string{"Unknown/AwaitingPayment", "True/Paid", "False/Closed", "False/Expired"}
	for i := range 100_000 {
		name := fmt.Sprintf("order-%06d", i)
		before = append(before, order(fmt.Sprintf("shop-%d", i%20), name, "Prepared", "Unknown/OutcomeUnknown", "1m", "Paid", "Unknown/Pending", "1m"))
		after = append(after, order(fmt.Sprintf("shop-%d", i%20), name, "Prepared", "True/Prepared", "1m", "Paid", states[i%len(states)], "1m"))
		told.orders.handler.OnAdd(before[i], true)
	}
	return before, after
}

func BenchmarkScrape(b *testing.B) {
	told, objects := follow(b)
	hundredThousand(told)
	registry := prometheus.NewRegistry()
	registry.MustRegister(objects)
	b.Run("all in doubt", func(b *testing.B) { scrape(b, registry) })
	told, objects = follow(b)
	before, after := hundredThousand(told)
	for i := range before {
		told.orders.handler.OnUpdate(before[i], after[i])
	}
	registry = prometheus.NewRegistry()
	registry.MustRegister(objects)
	b.Run("none in doubt", func(b *testing.B) { scrape(b, registry) })
}

func scrape(b *testing.B, registry *prometheus.Registry) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := registry.Gather(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkChange(b *testing.B) {
	told, _ := follow(b)
	before, after := hundredThousand(told)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		told.orders.handler.OnUpdate(before[i%len(before)], after[i%len(before)])
		i++
	}
}

func TestStatements(t *testing.T) {
	told, objects := follow(t)
	statement := func(date string, pairs ...string) *v1alpha1.Statement {
		return &v1alpha1.Statement{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: date, UID: types.UID(date), CreationTimestamp: metav1.NewTime(now.Add(-time.Hour))},
			Spec:       v1alpha1.StatementSpec{MerchantRef: v1alpha1.LocalMerchantReference{Name: "till"}, Date: date},
			Status:     v1alpha1.StatementStatus{Conditions: conditions(pairs...)},
		}
	}
	const count, differing, unexplained, age = "wechatpay_statements", "wechatpay_statement_differences", "wechatpay_statement_unexplained_amount", "wechatpay_oldest_statement_not_compared_age_seconds"
	old := statement("2020-01-01", "Downloaded", "False/Incomplete", "0s", "Balanced", "Unknown/NotCompared", "0s")
	told.statements.handler.OnAdd(old, false)
	expect(t, objects, count, count+`{namespace="shop",state="Incomplete"} 1`)
	expect(t, objects, age, age+" 3600")
	differs := statement("2020-01-01", "Downloaded", "True/Downloaded", "0s", "Balanced", "False/Differs", "0s")
	differs.Status.Differing = new(int64(3))
	differs.Status.Totals = []v1alpha1.StatementTotals{{Currency: "CNY", Unexplained: &v1alpha1.StatementTally{Count: 3, Total: 700}}}
	told.statements.handler.OnUpdate(old, differs)
	expect(t, objects, count, count+`{namespace="shop",state="Differs"} 1`)
	expect(t, objects, differing, differing+`{merchant="till",namespace="shop"} 3`)
	expect(t, objects, unexplained, unexplained+`{currency="CNY",merchant="till",namespace="shop"} 700`)
	expect(t, objects, age, age+" 0")
	told.statements.handler.OnDelete(differs)
	expect(t, objects, differing, "")
	expect(t, objects, unexplained, "")
	waiting := statement("2999-01-01", "Downloaded", "False/Waiting", "0s", "Balanced", "Unknown/NotCompared", "0s")
	told.statements.handler.OnAdd(waiting, false)
	expect(t, objects, age, age+" 0")
}
