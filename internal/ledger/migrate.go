package ledger

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"github.com/pressly/goose/v3/lock"
)

// dbSchema is the PostgreSQL schema of all tables.
const dbSchema = "wechatpay"

//go:embed migrations/*.sql
var migrations embed.FS

// migrate creates or updates the tables. Two processes that start at the same time do so one after the other. Tables of
// a newer version stay as they are: migrations only add, so the previous version of the operator can still use them.
func migrate(ctx context.Context, pool *pgxpool.Pool) error {
	if err := createSchema(ctx, pool); err != nil {
		return err
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	versions, err := database.NewStore(database.DialectPostgres, dbSchema+".schema_version")
	if err != nil {
		return err
	}
	turns, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return err
	}
	connection := stdlib.OpenDBFromPool(pool)
	defer func() { _ = connection.Close() }() // the pool stays open
	provider, err := goose.NewProvider(database.DialectCustom, connection, files, goose.WithStore(versions), goose.WithSessionLocker(turns))
	if err != nil {
		return err
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrating the tables: %w", err)
	}
	return nil
}

// uniqueViolation is PostgreSQL's code for a conflict in its own catalog.
const uniqueViolation = "23505"

// createSchema checks first whether the schema exists: CREATE SCHEMA IF NOT EXISTS needs a right on the database even
// then.
func createSchema(ctx context.Context, pool *pgxpool.Pool) error {
	var found bool
	if err := pool.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)", dbSchema).Scan(&found); err != nil || found {
		return err
	}
	_, err := pool.Exec(ctx, "CREATE SCHEMA IF NOT EXISTS "+dbSchema)
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == uniqueViolation {
		return nil // another process created it at the same moment
	}
	if err != nil {
		return fmt.Errorf("creating the schema %s, which takes CREATE on the database: %w", dbSchema, err)
	}
	return nil
}
