package ledger

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wechatpay-operator/wechatpay-operator/test/framework/postgres"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// openDatabase returns a Database of a new server, and a connection for queries.
func openDatabase(t testing.TB) (*postgres.Server, *Database, *pgx.Conn) {
	t.Helper()
	server := postgres.Open(t)
	file := filepath.Join(t.TempDir(), "dsn")
	if err := os.WriteFile(file, []byte(server.DSN()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	database := NewDatabase(file)
	t.Cleanup(database.Close)
	return server, database, connect(t, server)
}

func connect(t testing.TB, server *postgres.Server) *pgx.Conn {
	t.Helper()
	connection, err := pgx.Connect(t.Context(), server.DSN())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close(context.Background()) })
	return connection
}

func commonRow(name, order, state string, at time.Time) common {
	return common{
		Account: "1900000109", OutTradeNo: order, MchID: "1900000109", Namespace: "shop", Name: name, UID: "uid-" + name,
		State: state, StateTime: at,
	}
}

func paidRow(number string) orderRow {
	at := noon
	return orderRow{
		common: commonRow(number, number, "Paid", at), AppID: "wxd678efh567hg6787", TradeType: "JSAPI",
		MerchantNamespace: "shop", MerchantName: "shop", Description: "肥皂 x1",
		Currency: "CNY", Total: 101, CreatedTime: at.Add(-time.Minute),
		TransactionID: new("42000-" + number), PaidTime: &at,
	}
}

func acceptedRow(number, order string) refundRow {
	at := noon.Add(time.Hour)
	return refundRow{
		common: commonRow(number, order, "Processing", at), OutRefundNo: number,
		OrderName: order, Currency: "CNY", Amount: 50, RefundID: new("50300-" + number), RequestedTime: at, AcceptedTime: &at,
	}
}

func uploadedRow(name, order string) shipmentRow {
	at := noon.Add(time.Hour)
	return shipmentRow{
		common: commonRow(name, order, "Uploaded", at), OrderName: order,
		Logistics: "Express", Complete: true, Carriers: []string{"SF", "JD"}, TrackingNumbers: []string{"SF1", "JD2"}, Items: []string{"肥皂 x1", "cup"},
		UploadedTime: &at,
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func query[T any](t testing.TB, connection *pgx.Conn, sql string, arguments ...any) []T {
	t.Helper()
	rows, err := connection.Query(t.Context(), sql, arguments...)
	must(t, err)
	found, err := pgx.CollectRows(rows, pgx.RowTo[T])
	must(t, err)
	return found
}

func TestRowsAreWrittenOnceAndNeverBack(t *testing.T) {
	_, database, look := openDatabase(t)
	paid, closed := paidRow("order-0001"), paidRow("order-0001")
	closed.State, closed.StateTime, closed.TransactionID, closed.PaidTime = "Closed", noon.Add(-time.Minute), nil, nil
	accepted, succeeded := acceptedRow("refund-0001", "order-0001"), acceptedRow("refund-0001", "order-0001")
	succeeded.State, succeeded.StateTime, succeeded.SucceededTime = "Succeeded", noon.Add(2*time.Hour), new(noon.Add(2*time.Hour))
	for _, b := range []batch{
		{orders: []orderRow{closed}},
		{orders: []orderRow{paid}, refunds: []refundRow{accepted}},
		{orders: []orderRow{paid}, refunds: []refundRow{succeeded}},
		{orders: []orderRow{closed}, refunds: []refundRow{accepted}}, // by a leader that has not noticed yet that it is not the leader any more
	} {
		must(t, database.write(t.Context(), b))
	}
	if states := query[string](t, look, "SELECT state FROM wechatpay.orders"); !slices.Equal(states, []string{"Paid"}) {
		t.Errorf("orders are %q", states)
	}
	if states := query[string](t, look, "SELECT state FROM wechatpay.refunds"); !slices.Equal(states, []string{"Succeeded"}) {
		t.Errorf("refunds are %q", states)
	}
	if paidLater := paidRow("order-0001"); true {
		// A payment beats an end without payment, even if its time is older.
		paidLater.StateTime = noon.Add(-time.Hour)
		late := closed
		late.OutTradeNo, paidLater.OutTradeNo, late.StateTime = "order-0002", "order-0002", noon
		paidLater.TransactionID = new("42000-2")
		must(t, database.write(t.Context(), batch{orders: []orderRow{late}}))
		must(t, database.write(t.Context(), batch{orders: []orderRow{paidLater}}))
		must(t, database.write(t.Context(), batch{orders: []orderRow{late}}))
		if states := query[string](t, look, "SELECT state FROM wechatpay.orders WHERE out_trade_no = 'order-0002'"); !slices.Equal(states, []string{"Paid"}) {
			t.Errorf("an order that was paid is %q", states)
		}
	}
}

// TestObjectsKeepTheirAccount: if a Merchant gets another endpoint, no payment is recorded under two accounts, and
// later facts are recorded in the same rows.
func TestObjectsKeepTheirAccount(t *testing.T) {
	_, database, look := openDatabase(t)
	refund := acceptedRow("refund-0001", "order-0001")
	must(t, database.write(t.Context(), batch{orders: []orderRow{paidRow("order-0001")}, refunds: []refundRow{refund}}))
	order := paidRow("order-0001")
	order.Account, refund.Account = "1900000109@proxy.example.com", "1900000109@proxy.example.com"
	refund.State, refund.StateTime = "Succeeded", refund.StateTime.Add(time.Hour)
	must(t, database.write(t.Context(), batch{orders: []orderRow{order}, refunds: []refundRow{refund}}))
	rows := query[string](t, look, "SELECT account || ' ' || state FROM wechatpay.orders UNION ALL SELECT account || ' ' || state FROM wechatpay.refunds")
	if !slices.Equal(rows, []string{"1900000109 Paid", "1900000109 Succeeded"}) {
		t.Errorf("the rows are %q", rows)
	}
}

// TestTwoObjectsOfOneNumber: an object keeps the account under which it was recorded, and another object of that
// account has its number. They can't be in one statement, and other rows must not wait for that.
func TestTwoObjectsOfOneNumber(t *testing.T) {
	_, database, look := openDatabase(t)
	first := paidRow("order-0001")
	must(t, database.write(t.Context(), batch{orders: []orderRow{first}}))
	moved, copied := first, first
	moved.Account, copied.UID, copied.StateTime = "1900000110", "uid-copy", noon.Add(time.Hour)
	err := database.write(t.Context(), batch{orders: []orderRow{moved, copied}})
	if err == nil || !isAboutData(err) {
		t.Fatalf("%v", err)
	}
	must(t, database.write(t.Context(), batch{orders: []orderRow{moved}})) // the writer continues with this
	must(t, database.write(t.Context(), batch{orders: []orderRow{copied}}))
	if rows := query[string](t, look, "SELECT account || ' ' || uid FROM wechatpay.orders"); !slices.Equal(rows, []string{"1900000109 uid-copy"}) {
		t.Errorf("the rows are %q", rows)
	}
}

// TestTablesAreThereBeforeTheFirstFact: readers of the ledger find empty tables.
func TestTablesAreThereBeforeTheFirstFact(t *testing.T) {
	_, database, look := openDatabase(t)
	w, _, _ := newWriter(nil)
	w.Database = database
	stop := w.started(t)
	defer stop()
	await(t, func() bool {
		return query[bool](t, look, "SELECT to_regclass('wechatpay.shipments') IS NOT NULL")[0]
	})
}

// TestAnotherPaymentTakesNoRow: a number has one payment. Another payment does not replace it.
func TestAnotherPaymentTakesNoRow(t *testing.T) {
	_, database, look := openDatabase(t)
	must(t, database.write(t.Context(), batch{orders: []orderRow{paidRow("order-0001")}}))
	other := paidRow("order-0001")
	other.UID, other.Namespace, other.Total, other.StateTime, other.TransactionID = "uid-other", "stranger", 1, noon.Add(time.Hour), new("42000-other")
	must(t, database.write(t.Context(), batch{orders: []orderRow{other}}))
	again := paidRow("order-0001") // the same payment, in an Order that was applied again
	again.UID, again.State, again.StateTime = "uid-again", "PaidEarlier", noon.Add(2*time.Hour)
	must(t, database.write(t.Context(), batch{orders: []orderRow{again}}))
	if rows := query[string](t, look, "SELECT namespace || ' ' || total || ' ' || state FROM wechatpay.orders"); !slices.Equal(rows, []string{"shop 101 PaidEarlier"}) {
		t.Errorf("the rows are %q", rows)
	}
}

// TestAStateOfTheSameTime: Processing and Abnormal follow each other, in both directions, without a
// new time of the state.
func TestAStateOfTheSameTime(t *testing.T) {
	_, database, look := openDatabase(t)
	processing, abnormal := acceptedRow("refund-0001", "order-0001"), acceptedRow("refund-0001", "order-0001")
	abnormal.State, processing.Revision, abnormal.Revision = "Abnormal", 41, 42
	for _, row := range []refundRow{processing, abnormal, processing} {
		must(t, database.write(t.Context(), batch{refunds: []refundRow{row}}))
	}
	if states := query[string](t, look, "SELECT state FROM wechatpay.refunds"); !slices.Equal(states, []string{"Abnormal"}) {
		t.Errorf("the refund is %q", states)
	}
	processing.Revision = 43 // spec.abnormal was decided
	must(t, database.write(t.Context(), batch{refunds: []refundRow{processing}}))
	if states := query[string](t, look, "SELECT state FROM wechatpay.refunds"); !slices.Equal(states, []string{"Processing"}) {
		t.Errorf("the refund is %q", states)
	}
}

// TestShipmentsAreRecorded: one row for each part of a delivery. Restoring a backup does not duplicate it.
func TestShipmentsAreRecorded(t *testing.T) {
	_, database, look := openDatabase(t)
	first, second := uploadedRow("shipment-0001", "order-0001"), uploadedRow("shipment-0002", "order-0001")
	first.Complete = false
	must(t, database.write(t.Context(), batch{shipments: []shipmentRow{first, second}}))
	again, strange := second, second
	again.UID, again.State, again.StateTime = "uid-again", "AlreadyShipped", second.StateTime.Add(time.Hour)
	strange.UID, strange.Namespace, strange.StateTime = "uid-stranger", "stranger", second.StateTime.Add(2*time.Hour)
	must(t, database.write(t.Context(), batch{shipments: []shipmentRow{again}}))
	must(t, database.write(t.Context(), batch{shipments: []shipmentRow{strange}}))
	rows := query[string](t, look, `SELECT concat_ws(' ', namespace, name, complete, carriers, tracking_numbers[2], items[1], state, uploaded_day)
		FROM wechatpay.shipments ORDER BY name`)
	want := []string{"shop shipment-0001 f {SF,JD} JD2 肥皂 x1 Uploaded 2026-11-21", "shop shipment-0002 t {SF,JD} JD2 肥皂 x1 AlreadyShipped 2026-11-21"}
	if !slices.Equal(rows, want) {
		t.Errorf("the rows are %q, not %q", rows, want)
	}
}

// TestDaysAreBeijings: the day of a payment is the day of WeChat Pay's bill.
func TestDaysAreBeijings(t *testing.T) {
	_, database, look := openDatabase(t)
	before, after := paidRow("order-0001"), paidRow("order-0002")
	before.PaidTime, after.PaidTime = new(time.Date(2026, 11, 21, 15, 59, 59, 0, time.UTC)), new(time.Date(2026, 11, 21, 16, 0, 0, 0, time.UTC))
	must(t, database.write(t.Context(), batch{orders: []orderRow{before, after}}))
	if days := query[string](t, look, "SELECT paid_day::text FROM wechatpay.orders ORDER BY out_trade_no"); !slices.Equal(days, []string{"2026-11-21", "2026-11-22"}) {
		t.Errorf("the days are %q", days)
	}
}

func TestViewsAddUp(t *testing.T) {
	_, database, look := openDatabase(t)
	succeeded, closed := acceptedRow("refund-0001", "order-0001"), acceptedRow("refund-0003", "order-0002")
	succeeded.State, closed.State = "Succeeded", "Closed"
	other := paidRow("order-0003")
	other.SubMchID = new("1900000201")
	unpaid := paidRow("order-0004")
	unpaid.State, unpaid.TransactionID, unpaid.PaidTime = "Closed", nil, nil
	must(t, database.write(t.Context(), batch{
		orders:  []orderRow{paidRow("order-0001"), paidRow("order-0002"), other, unpaid},
		refunds: []refundRow{succeeded, acceptedRow("refund-0002", "order-0001"), closed},
	}))
	type balance struct{ Paid, Refunded, UnderWay, Kept int64 }
	rows, err := look.Query(t.Context(), "SELECT paid, refunded, under_way, kept FROM wechatpay.order_balances ORDER BY out_trade_no")
	must(t, err)
	balances, err := pgx.CollectRows(rows, pgx.RowToStructByPos[balance])
	must(t, err)
	if want := []balance{{101, 50, 50, 51}, {101, 0, 0, 101}, {101, 0, 0, 101}}; !slices.Equal(balances, want) {
		t.Errorf("the balances are %v, not %v", balances, want)
	}
	totals := query[string](t, look, `SELECT concat_ws(' ', account, coalesce(sub_merchant_number, '-'), day, payments, paid, refunds, refunded, net)
		FROM wechatpay.daily_totals ORDER BY sub_merchant_number NULLS FIRST`)
	if want := []string{"1900000109 - 2026-11-21 2 202 2 100 102", "1900000109 1900000201 2026-11-21 1 101 0 0 101"}; !slices.Equal(totals, want) {
		t.Errorf("the totals are %q, not %q", totals, want)
	}
	if open := query[string](t, look, "SELECT out_refund_no FROM wechatpay.refunds_under_way"); !slices.Equal(open, []string{"refund-0002"}) {
		t.Errorf("under way are %q", open)
	}
}

// TestTwoProcessesMigrateTogether: both replicas may become the leader of a new installation.
func TestTwoProcessesMigrateTogether(t *testing.T) {
	server, first, _ := openDatabase(t)
	file := filepath.Join(t.TempDir(), "dsn")
	must(t, os.WriteFile(file, []byte(server.DSN()), 0o600))
	second := NewDatabase(file)
	t.Cleanup(second.Close)
	failed := make(chan error, 2)
	for i, database := range []*Database{first, second} {
		go func() {
			failed <- database.write(t.Context(), batch{orders: []orderRow{paidRow("order-000" + string(rune('1'+i)))}})
		}()
	}
	must(t, <-failed)
	must(t, <-failed)
	third := NewDatabase(file) // the next process finds all tables
	t.Cleanup(third.Close)
	must(t, third.write(t.Context(), batch{orders: []orderRow{paidRow("order-0003")}}))
}

// TestLedgerWithoutRightOnTheDatabase: the owner of the database may have created the schema for the operator.
func TestLedgerWithoutRightOnTheDatabase(t *testing.T) {
	server, _, look := openDatabase(t)
	for _, statement := range []string{"CREATE ROLE books LOGIN", "CREATE SCHEMA wechatpay AUTHORIZATION books"} {
		_, err := look.Exec(t.Context(), statement)
		must(t, err)
	}
	file := filepath.Join(t.TempDir(), "dsn")
	must(t, os.WriteFile(file, []byte(strings.Replace(server.DSN(), "user=operator", "user=books", 1)), 0o600))
	database := NewDatabase(file)
	t.Cleanup(database.Close)
	must(t, database.write(t.Context(), batch{orders: []orderRow{paidRow("order-0001")}}))
}

func TestErrorsHaveNoPassword(t *testing.T) {
	for _, dsn := range []string{
		"postgres://books:Secret81@127.0.0.1:1/books?connect_timeout=1",
		"host=127.0.0.1 port=1 user=books password=Secret81",
		"postgres://books:Secret81@[::1/books", "password=Secret81 port=x", "Secret81",
	} {
		file := filepath.Join(t.TempDir(), "dsn")
		must(t, os.WriteFile(file, []byte(dsn), 0o600))
		database := NewDatabase(file)
		t.Cleanup(database.Close)
		err := database.write(t.Context(), batch{orders: []orderRow{paidRow("order-0001")}})
		if err == nil || strings.Contains(err.Error(), "Secret81") {
			t.Errorf("%q: %v", dsn, err)
		}
	}
}

// TestAddressChanges: a rotated password takes effect without a restart.
func TestAddressChanges(t *testing.T) {
	_, database, look := openDatabase(t)
	good, err := os.ReadFile(database.dsnFile)
	must(t, err)
	must(t, os.WriteFile(database.dsnFile, []byte("host=/nowhere"), 0o600))
	if err := database.write(t.Context(), batch{orders: []orderRow{paidRow("order-0001")}}); err == nil {
		t.Fatal("it wrote to nowhere")
	}
	must(t, os.WriteFile(database.dsnFile, good, 0o600))
	must(t, database.write(t.Context(), batch{orders: []orderRow{paidRow("order-0001")}}))
	if count := query[int64](t, look, "SELECT count(*) FROM wechatpay.orders"); count[0] != 1 {
		t.Errorf("%d rows", count[0])
	}
}

// TestColumns: the statements name all columns of the tables, except those that the database fills in.
func TestColumns(t *testing.T) {
	_, database, look := openDatabase(t)
	must(t, database.write(t.Context(), batch{orders: []orderRow{paidRow("order-0001")}}))
	for name, table := range map[string]table{"orders": ordersTable, "refunds": refundsTable, "shipments": shipmentsTable} {
		for _, column := range query[string](t, look, `SELECT column_name FROM information_schema.columns
			WHERE table_schema = 'wechatpay' AND table_name = $1 AND is_generated = 'NEVER' AND column_name <> ALL ('{recorded_time,changed_time}')`, name) {
			if !strings.Contains(table.statement, column+" = EXCLUDED."+column) {
				t.Errorf("the column %s of %s is never written", column, name)
			}
		}
	}
}
