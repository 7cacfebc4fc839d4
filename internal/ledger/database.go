package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Database is the ledger's PostgreSQL database. It connects when it is first needed, and again when the file with its
// address has changed.
type Database struct {
	dsnFile string
	dsn     string
	pool    *pgxpool.Pool
}

// NewDatabase does not connect yet: payments do not wait for the ledger. The file contains a connection string for
// libpq, as a URL or as key=value.
func NewDatabase(dsnFile string) *Database { return &Database{dsnFile: dsnFile} }

// Close ends all connections.
func (d *Database) Close() {
	if d.pool != nil {
		d.pool.Close()
		d.pool = nil
	}
}

// Migrate creates or updates the tables. All other calls do that first as well.
func (d *Database) Migrate(ctx context.Context) error { return d.open(ctx) }

const (
	connectTimeout = 5 * time.Second
	// statementTimeout ends a statement that waits for a lock; the next attempt may find it free.
	statementTimeout = 20 * time.Second
)

// open connects and migrates, once for each address.
func (d *Database) open(ctx context.Context) error {
	dsn, err := readDSN(d.dsnFile)
	if err != nil {
		return err
	}
	if d.pool != nil && dsn == d.dsn {
		return nil
	}
	d.Close()
	config, err := parseDSN(dsn, statementTimeout)
	if err != nil {
		return err
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return err
	}
	if err := migrate(ctx, pool); err != nil {
		pool.Close()
		return err
	}
	d.pool, d.dsn = pool, dsn
	return nil
}

func readDSN(file string) (string, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("--ledger-dsn-file: %w", err)
	}
	return string(bytes.TrimSpace(content)), nil
}

// parseDSN allows two connections: the writer needs a second one for migrations.
func parseDSN(dsn string, timeout time.Duration) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		// The library removes passwords from its errors if it recognises them. An invalid string may contain one
		// anywhere.
		return nil, errors.New("--ledger-dsn-file: its content is no connection string of PostgreSQL")
	}
	config.MaxConns = 2
	config.ConnConfig.ConnectTimeout = connectTimeout
	config.ConnConfig.RuntimeParams["application_name"] = "wechatpay-operator"
	config.ConnConfig.RuntimeParams["statement_timeout"] = fmt.Sprint(timeout.Milliseconds())
	return config, nil
}

// batch has the rows that are written together. No two of a table have the same key.
type batch struct {
	orders    []orderRow
	refunds   []refundRow
	shipments []shipmentRow
}

// write stores a batch in one transaction, so that readers never see an order without its refunds and shipments.
func (d *Database) write(ctx context.Context, b batch) error {
	if err := d.open(ctx); err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, d.pool, func(transaction pgx.Tx) error {
		if err := upsert(ctx, transaction, ordersTable, b.orders); err != nil {
			return err
		}
		if err := upsert(ctx, transaction, refundsTable, b.refunds); err != nil {
			return err
		}
		return upsert(ctx, transaction, shipmentsTable, b.shipments)
	})
}

// upsert passes all rows as one value, which is far faster than a statement for each.
func upsert[T any](ctx context.Context, transaction pgx.Tx, into table, rows []T) error {
	if len(rows) == 0 {
		return nil
	}
	values, err := json.Marshal(rows)
	if err != nil {
		return err
	}
	_, err = transaction.Exec(ctx, into.statement, string(values))
	return err
}

// table is a table that rows are written to.
type table struct{ statement string }

var (
	ordersTable = newTable[orderRow]("orders", "account, out_trade_no",
		// An order never changes from Paid to another state. Only the same payment or the same object replaces a
		// payment's row.
		`(EXCLUDED.transaction_id IS NOT NULL, EXCLUDED.state_time, `+revisionOfOne+`) >= (known.transaction_id IS NOT NULL, known.state_time, known.revision)
		AND (known.transaction_id IS NULL OR known.transaction_id = EXCLUDED.transaction_id OR known.uid = EXCLUDED.uid)`)
	refundsTable = newTable[refundRow]("refunds", "account, out_refund_no",
		// Processing and Abnormal follow each other without a new time: the status of the condition stays Unknown.
		`(EXCLUDED.state = 'Succeeded', EXCLUDED.state_time, `+revisionOfOne+`) >= (known.state = 'Succeeded', known.state_time, known.revision)
		AND (known.refund_id IS NULL OR known.refund_id = EXCLUDED.refund_id OR known.uid = EXCLUDED.uid)`)
	shipmentsTable = newTable[shipmentRow]("shipments", "account, out_trade_no, name",
		// A number has only one Order, so the Shipment's name is unique within that Order's namespace.
		`(EXCLUDED.state_time, `+revisionOfOne+`) >= (known.state_time, known.revision) AND known.namespace = EXCLUDED.namespace`)
)

// revisionOfOne orders the versions of one object. Revisions of different objects can't be compared, for example after
// a restore into another cluster.
const revisionOfOne = `CASE WHEN EXCLUDED.uid = known.uid THEN EXCLUDED.revision ELSE known.revision END`

// newTable builds the statement that writes rows of a table. A row replaces the one with its key unless it is older. An
// object keeps the account under which it was first recorded: its Merchant may have another endpoint since, and a
// payment must not be recorded under two accounts.
func newTable[Row any](name, key, isNewer string) table {
	var columns, values, sets []string
	target := dbSchema + "." + name
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Row]()) {
		if field.Anonymous {
			continue
		}
		column := field.Tag.Get("json")
		value := "given." + column
		if column == "account" {
			value = fmt.Sprintf("coalesce((SELECT account FROM %s AS own WHERE own.uid = given.uid LIMIT 1), given.account)", target)
		}
		columns, values, sets = append(columns, column), append(values, value), append(sets, column+" = EXCLUDED."+column)
	}
	return table{fmt.Sprintf(`INSERT INTO %s AS known (%s) SELECT %s FROM jsonb_populate_recordset(NULL::%[1]s, $1::jsonb) AS given
		ON CONFLICT (%[4]s) DO UPDATE SET %[5]s, changed_time = now() WHERE %[6]s`,
		target, strings.Join(columns, ", "), strings.Join(values, ", "), key, strings.Join(sets, ", "), isNewer)}
}

// cardinalityViolation is PostgreSQL's code for two rows of a statement with the same key. That happens if two objects
// used a number and one of them was recorded under an earlier account.
const cardinalityViolation = "21000"

// isAboutData reports whether PostgreSQL refuses a row for its content (SQLSTATE classes 22 and 23), or rows that can't
// be written together. After any other error the same rows may be accepted later.
func isAboutData(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && (strings.HasPrefix(refused.Code, "22") || strings.HasPrefix(refused.Code, "23") || refused.Code == cardinalityViolation)
}
