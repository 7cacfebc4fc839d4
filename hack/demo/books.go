package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/postgres"
)

// books are the ledger's PostgreSQL server, where one is installed.
type books struct {
	folder, dsnFile string
	server          *postgres.Server
}

// startBooks starts a PostgreSQL server for the operator's ledger.
func (d *demo) startBooks(context.Context) error {
	folder, err := os.MkdirTemp("", "wxpg") // short: the path of a socket may have 107 bytes
	if err != nil {
		return err
	}
	d.books.folder = folder
	server, err := postgres.Create(folder)
	if errors.Is(err, postgres.ErrNotInstalled) && os.Getenv(postgres.Required) == "" {
		d.console.say("There is no ledger here: %v. Everything else works without.", err)
		return nil
	}
	if err != nil {
		return err
	}
	if err := server.Start(); err != nil {
		return err
	}
	d.books.server, d.books.dsnFile = server, filepath.Join(d.folder, "ledger-dsn")
	d.console.say("PostgreSQL is up, for the operator's ledger. In a cluster a Secret has its connection string.")
	return os.WriteFile(d.books.dsnFile, []byte(server.DSN()), 0o600)
}

// operatorFlags are what the operator gets for its ledger.
func (b *books) operatorFlags() []string {
	if b.server == nil {
		return nil
	}
	return []string{"--ledger-dsn-file=" + b.dsnFile}
}

// command is how a person looks into the ledger.
func (b *books) command() string {
	return fmt.Sprintf(`psql "%s" -c 'SELECT * FROM wechatpay.daily_totals'`, b.server.DSN())
}

func (b *books) close() error {
	if b.server != nil {
		b.server.Kill()
	}
	if b.folder == "" {
		return nil
	}
	return os.RemoveAll(b.folder)
}

// showBooks waits until the ledger has what the objects say, and shows what a bookkeeper sees of it.
func (d *demo) showBooks(ctx context.Context) error {
	if d.books.server == nil {
		d.console.say("There is no ledger here: PostgreSQL is not installed.")
		return nil
	}
	connection, err := pgx.Connect(ctx, d.books.server.DSN())
	if err != nil {
		return err
	}
	defer func() { _ = connection.Close(context.WithoutCancel(ctx)) }()
	err = await(ctx, "the ledger to have what the objects say", func(ctx context.Context) (bool, string, error) {
		here, err := d.moved(ctx)
		if err != nil {
			return false, "", err
		}
		recorded, err := recordedBy(ctx, connection)
		return recorded == here, fmt.Sprintf("the objects say %s, the ledger %s", here, recorded), err
	})
	if err != nil {
		return err
	}
	const days = "SELECT day, account, currency, payments, paid, refunds, refunded, net FROM wechatpay.daily_totals ORDER BY day, account"
	d.console.command("psql", "-c", days)
	table, err := tableOf(ctx, connection, days)
	if err != nil {
		return err
	}
	d.console.table(table)
	d.console.say("The ledger has every payment and refund, to the fen.")
	return nil
}

// moved sums up what the objects of all namespaces say.
func (d *demo) moved(ctx context.Context) (string, error) {
	var orders v1alpha1.OrderList
	var refunds v1alpha1.RefundList
	if err := errors.Join(d.cluster.Client.List(ctx, &orders), d.cluster.Client.List(ctx, &refunds)); err != nil {
		return "", err
	}
	var payments, back count
	for i := range orders.Items {
		if order := &orders.Items[i]; meta.IsStatusConditionTrue(order.Status.Conditions, v1alpha1.ConditionPaid) {
			payments.add(order.Spec.Amount.Total)
		}
	}
	for i := range refunds.Items {
		if refund := &refunds.Items[i]; meta.IsStatusConditionTrue(refund.Status.Conditions, v1alpha1.ConditionSucceeded) {
			back.add(refund.Spec.Amount)
		}
	}
	return moves(payments, back), nil
}

type count struct{ number, fen int64 }

func (c *count) add(amount int64) { c.number, c.fen = c.number+1, c.fen+amount }

func moves(payments, refunds count) string {
	return fmt.Sprintf("%d payments of %s, %d refunds of %s", payments.number, fen(payments.fen), refunds.number, fen(refunds.fen))
}

// recordedBy sums up what the ledger has; nothing before its tables are made.
func recordedBy(ctx context.Context, connection *pgx.Conn) (string, error) {
	var made bool
	var payments, refunds count
	if err := connection.QueryRow(ctx, "SELECT to_regclass('wechatpay.orders') IS NOT NULL").Scan(&made); err != nil || !made {
		return "nothing", err
	}
	err := connection.QueryRow(ctx, `SELECT (SELECT count(*) FROM wechatpay.orders WHERE paid), (SELECT coalesce(sum(total), 0) FROM wechatpay.orders WHERE paid),
		(SELECT count(*) FROM wechatpay.refunds WHERE paid_back), (SELECT coalesce(sum(amount), 0) FROM wechatpay.refunds WHERE paid_back)`).
		Scan(&payments.number, &payments.fen, &refunds.number, &refunds.fen)
	return moves(payments, refunds), err
}

// tableOf is what psql would print.
func tableOf(ctx context.Context, connection *pgx.Conn, query string) ([][]string, error) {
	rows, err := connection.Query(ctx, query, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var table [][]string
	var heading []string
	for _, column := range rows.FieldDescriptions() {
		heading = append(heading, strings.ToUpper(column.Name))
	}
	table = append(table, heading)
	for rows.Next() {
		var row []string
		for _, value := range rows.RawValues() {
			row = append(row, string(value))
		}
		table = append(table, row)
	}
	return table, rows.Err()
}
