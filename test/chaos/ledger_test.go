package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-logr/logr"
	"github.com/jackc/pgx/v5"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/controllers"
	"github.com/wechatpay-operator/wechatpay-operator/internal/ledger"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/postgres"
)

// databases is a PostgreSQL server with a database for each run that has a ledger.
type databases struct {
	server *postgres.Server
	folder string
}

// template has the ledger's tables, which a run's database is a copy of.
const template = "tables"

// openDatabases starts the server; nil if the machine has no PostgreSQL.
func openDatabases(folder string) (*databases, error) {
	server, err := postgres.Create(folder)
	if errors.Is(err, postgres.ErrNotInstalled) && os.Getenv(postgres.Required) == "" {
		return nil, nil //nolint:nilnil // flows with a ledger are left out then
	}
	if err != nil {
		return nil, err
	}
	if err := server.Start(); err != nil {
		return nil, err
	}
	d := &databases{server: server, folder: folder}
	if err := d.execute("CREATE DATABASE " + template); err != nil {
		return nil, err
	}
	made := ledger.NewDatabase(d.dsnFile(template))
	defer made.Close()
	return d, made.Migrate(context.Background())
}

// execute runs a command, which must not be in a transaction.
func (d *databases) execute(command string) error {
	connection, err := pgx.Connect(context.Background(), d.server.DSN())
	if err != nil {
		return err
	}
	_, err = connection.Exec(context.Background(), command)
	return errors.Join(err, connection.Close(context.Background()))
}

func (d *databases) dsn(name string) string { return d.server.DSN() + " dbname=" + name }

// dsnFile writes the address of a database into a file, as the operator wants it.
func (d *databases) dsnFile(name string) string {
	file := filepath.Join(d.folder, name+".dsn")
	if err := os.WriteFile(file, []byte(d.dsn(name)), 0o600); err != nil {
		panic(err)
	}
	return file
}

// openLedger makes the database of a run.
func (w *world) openLedger() error {
	w.ledger = strings.ReplaceAll(w.namespace, "-", "_")
	return w.suite.databases.execute("CREATE DATABASE " + w.ledger + " TEMPLATE " + template)
}

func (w *world) closeLedger() {
	for _, p := range w.processes {
		p.closeLedger()
	}
	if w.ledger != "" {
		w.must(w.suite.databases.execute("DROP DATABASE " + w.ledger + " WITH (FORCE)"))
	}
}

func (p *process) closeLedger() {
	if p.database != nil {
		p.database.Close()
	}
}

// keepsLedger gives a process a ledger, in a flow that has one.
func (p *process) keepsLedger(base *controllers.Base) {
	if p.w.ledger == "" {
		return
	}
	p.database = ledger.NewDatabase(p.w.suite.databases.dsnFile(p.w.ledger))
	p.writer = &ledger.Writer{Reader: p.cached, Database: p.database, Clock: p.w.clock, Timing: ledger.DefaultTiming(), Log: logr.Discard()}
	p.w.must(p.writer.Lead(context.Background()))
	p.writer.Listen(func(object client.Object) {
		order := key{kindOrder, object.GetName(), placeOf(object.GetNamespace())}
		switch object := object.(type) {
		case *v1alpha1.Refund:
			order = orderKey(object)
		case *v1alpha1.Shipment:
			order.name = object.Spec.OrderRef.Name
		}
		p.enqueue(order, p.w.clock.Now())
	})
	base.Ledger = p.writer
}

// record writes what is pending into the ledger, as a step, and reports whether anything was.
func (p *process) record() bool {
	if p.writer == nil || p.seen != nil || p.writer.State().Pending == 0 {
		return false
	}
	met := p.w.reach(p, step{verb: "record", on: "ledger", ledger: true})
	if met.before == nil {
		p.w.must(p.writer.Record(context.Background()))
		p.w.note("%s: the ledger is written", p.name)
	} else {
		p.w.note("%s: the ledger is not written: %v", p.name, met.before)
	}
	return true
}

func ledgerStep(_ *flow, s step) bool { return s.ledger }

var errAway = errors.New("the database is away")

// ledgerFaults are those of the database. What dies after a write does not know that it was done.
func ledgerFaults() []*fault {
	return []*fault{
		{name: "the ledger's database is away", fits: ledgerStep, do: func(*world, *process, step) outcome { return outcome{before: errAway} }},
	}
}

// ledgerFlows lose objects that the ledger has to have.
func ledgerFlows() []*flow {
	at := func(seconds int32) func(*v1alpha1.Order) {
		return func(o *v1alpha1.Order) { o.Spec.TTLSecondsAfterFinished = ptr.To(seconds) }
	}
	automatic := newMerchant(func(s *v1alpha1.MerchantSpec) { s.RefundApproval = v1alpha1.RefundApprovalAutomatic })
	return []*flow{
		{name: "ledger, gone at once", ledger: true, stages: given(automatic, anOrder(at(0))).
			and(payUntilGone())},
		{name: "ledger, closed and gone", ledger: true, payable: true, stages: given(automatic, anOrder(at(0))).and(wish("Closed"), until(gone(kindOrder, firstOrder)))},
		{name: "ledger, refunded and gone", ledger: true, stages: given(automatic, anOrder(at(1)), pay()).
			and(aRefund(firstRefund, 50), until(refunded(firstRefund)), until(gone(kindOrder, firstOrder)))},
		{name: "ledger, deleted when paid", ledger: true, stages: given(automatic, anOrder(), pay()).
			and(deletion(kindOrder, firstOrder), until(gone(kindOrder, firstOrder)))},
		{name: "ledger, deleted with its refund", ledger: true, stages: given(automatic, anOrder(), pay(), aRefund(firstRefund, 50), until(refunded(firstRefund))).
			and(deletion(kindRefund, firstRefund), deletion(kindOrder, firstOrder), until(gone(kindOrder, firstOrder)))},
		{name: "ledger, apply again", ledger: true, stages: given(automatic, anOrder(), pay(), deletion(kindOrder, firstOrder), until(gone(kindOrder, firstOrder))).
			and(fresh(anOrder()), until(paid), deletion(kindOrder, firstOrder), until(gone(kindOrder, firstOrder)))},
	}
}

// payUntilGone pays an Order that goes at once.
func payUntilGone() stage {
	return payWith("the payer pays", simulator.PayOptions{}, gone(kindOrder, firstOrder))
}

// checkLedger compares the ledger's rows with what WeChat Pay has: each movement once, and to the
// fen.
func (w *world) checkLedger() {
	if w.ledger == "" {
		return
	}
	w.holds(ledgerAgrees)
	connection, err := pgx.Connect(context.Background(), w.suite.databases.dsn(w.ledger))
	w.must(err)
	defer func() { _ = connection.Close(context.Background()) }()
	rows, err := connection.Query(context.Background(), `SELECT out_trade_no || ' ' || total FROM wechatpay.orders WHERE paid
		UNION ALL SELECT out_refund_no || ' ' || amount FROM wechatpay.refunds WHERE paid_back`)
	w.must(err)
	recorded, err := pgx.CollectRows(rows, pgx.RowTo[string])
	w.must(err)
	moved := map[string]bool{}
	for _, movement := range w.movements() {
		moved[fmt.Sprintf("%s %d", movement.number, movement.amount)] = true
	}
	slices.Sort(recorded)
	if is := slices.Sorted(maps.Keys(moved)); !slices.Equal(is, recorded) {
		w.breaks(ledgerAgrees, "the ledger has %v, and WeChat Pay %v", recorded, is)
	}
}
