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

// dbSchema is the one that everything of the ledger is in.
const dbSchema = "wechatpay"

//go:embed migrations/*.sql
var migrations embed.FS

// migrate brings the tables up to this version's. Two processes that start at the same time take
// turns. Tables of a newer version stay as they are: migrations only add, so that the version
// before goes on working.
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

// uniqueViolation is PostgreSQL's code of what its own catalog refuses.
const uniqueViolation = "23505"

// createSchema asks first: CREATE SCHEMA IF NOT EXISTS needs a right on the database also when the
// schema is there.
func createSchema(ctx context.Context, pool *pgxpool.Pool) error {
	var found bool
	if err := pool.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)", dbSchema).Scan(&found); err != nil || found {
		return err
	}
	_, err := pool.Exec(ctx, "CREATE SCHEMA IF NOT EXISTS "+dbSchema)
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == uniqueViolation {
		return nil // another process created it in the same moment
	}
	if err != nil {
		return fmt.Errorf("creating the schema %s, which takes CREATE on the database: %w", dbSchema, err)
	}
	return nil
}
