package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/conditions"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/postgres"
	"github.com/wechatpay-operator/wechatpay-operator/test/soak/judge"
)

// database is the PostgreSQL server of the ledger, which is killed among the rest. It is absent
// where PostgreSQL is not installed.
type database struct {
	folder, dsnFile string
	server          *postgres.Server
}

func startDatabase(soakFolder string) (*database, error) {
	folder, err := os.MkdirTemp("", "pg") // short: the path of a socket may have 107 bytes
	if err != nil {
		return nil, err
	}
	server, err := postgres.Create(folder)
	if errors.Is(err, postgres.ErrNotInstalled) && os.Getenv(postgres.Required) == "" {
		return nil, os.RemoveAll(folder)
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	d := &database{folder: folder, dsnFile: filepath.Join(soakFolder, "ledger-dsn"), server: server}
	return d, errors.Join(server.Start(), os.WriteFile(d.dsnFile, []byte(server.DSN()), 0o600))
}

// operatorFlags are what the operator gets for its ledger.
func (d *database) operatorFlags() []string {
	if d == nil {
		return nil
	}
	return []string{"--ledger-dsn-file=" + d.dsnFile}
}

// kill ends the server as a power failure does, and starts it again after a while.
func (d *database) kill(ctx context.Context, downtime time.Duration) bool {
	if d == nil {
		return false
	}
	d.server.Kill()
	pause(ctx, downtime)
	return d.server.Start() == nil
}

func (d *database) close() error {
	if d == nil {
		return nil
	}
	d.server.Kill()
	return os.RemoveAll(d.folder)
}

// books reads the ledger and the Statements; nil without a database.
func (s *soak) books(ctx context.Context) (*judge.Books, error) {
	if s.database == nil {
		return nil, nil //nolint:nilnil // there are none
	}
	connection, err := pgx.Connect(ctx, s.database.server.DSN())
	if err != nil {
		return nil, err
	}
	defer func() { _ = connection.Close(context.WithoutCancel(ctx)) }()
	found := &judge.Books{}
	if found.Payments, err = entries(ctx, connection, "SELECT merchant_number, out_trade_no, transaction_id, total FROM wechatpay.orders WHERE paid"); err != nil {
		return nil, err
	}
	if found.Refunds, err = entries(ctx, connection, "SELECT merchant_number, out_refund_no, coalesce(refund_id, ''), amount FROM wechatpay.refunds"); err != nil {
		return nil, err
	}
	var statements v1alpha1.StatementList
	if err := s.clients[admin].List(ctx, &statements); err != nil {
		return nil, err
	}
	for _, statement := range statements.Items {
		merchant := s.merchants[client.ObjectKey{Namespace: statement.Namespace, Name: statement.Spec.MerchantRef.Name}]
		found.Statements = append(found.Statements, judge.StatementOf{Statement: statement, Merchant: merchant})
	}
	return found, nil
}

func entries(ctx context.Context, connection *pgx.Conn, query string) ([]judge.Entry, error) {
	rows, err := connection.Query(ctx, query)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (judge.Entry, error) {
		var e judge.Entry
		err := row.Scan(&e.Number.MchID, &e.Number.Number, &e.ID, &e.Amount)
		return e, err
	})
}

// makeStatements has the bills of the soak's days compared, for every Merchant.
func (s *soak) makeStatements(ctx context.Context) error {
	if s.database == nil {
		return nil
	}
	var days []bills.Day
	for day := bills.DayOf(s.began); day <= bills.DayOf(time.Now()); day = day.Next() {
		days = append(days, day)
	}
	var made []*v1alpha1.Statement
	for _, a := range accounts {
		for _, day := range days {
			statement := &v1alpha1.Statement{
				ObjectMeta: metav1.ObjectMeta{Namespace: a.namespace, Name: a.name + "-" + string(day)},
				Spec:       v1alpha1.StatementSpec{MerchantRef: v1alpha1.LocalMerchantReference{Name: a.name}, Date: string(day)},
			}
			if err := s.clients[admin].Create(ctx, statement); err != nil && !apierrors.IsAlreadyExists(err) {
				return err
			}
			made = append(made, statement)
		}
	}
	return await(ctx, "the Statements", func(ctx context.Context) error {
		for _, statement := range made {
			if err := s.clients[admin].Get(ctx, client.ObjectKeyFromObject(statement), statement); err != nil {
				return err
			}
			if balanced := meta.FindStatusCondition(statement.Status.Conditions, v1alpha1.ConditionBalanced); balanced == nil ||
				!slices.Contains([]string{v1alpha1.ReasonBalanced, v1alpha1.ReasonDiffers}, balanced.Reason) {
				return errors.New(statement.Namespace + "/" + statement.Name + " is not compared:" + conditions.Describe(statement.Status.Conditions))
			}
		}
		return nil
	})
}
