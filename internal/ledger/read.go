package ledger

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Reader reads the ledger's rows of a day. It has its own connection, so the writer does not wait for it. It changes
// nothing, and does not create the schema.
type Reader struct {
	dsnFile string

	mutex sync.Mutex
	dsn   string
	pool  *pgxpool.Pool
}

// NewReader does not connect yet.
func NewReader(dsnFile string) *Reader { return &Reader{dsnFile: dsnFile} }

// Account identifies the rows to read: all numbers are unique within it.
type Account struct {
	// ID is account.ID.String().
	ID string
	// SubMchID is empty unless it is a sub merchant.
	SubMchID string
}

// PaidOrder is a paid order in the ledger. Its fields are in the order of the columns that Paid selects.
type PaidOrder struct {
	OutTradeNo, TransactionID, AppID string
	Currency                         string
	Total                            int64
	SettlementTotal                  *int64
	PaidTime                         time.Time
}

// AcceptedRefund is a refund in the ledger that WeChat accepted. Its fields are in the order of selectRefunds.
type AcceptedRefund struct {
	OutRefundNo, RefundID       string
	OutTradeNo, TransactionID   string
	Currency                    string
	Amount                      int64
	RequestedTime, AcceptedTime time.Time
	// SucceededTime is nil if the refund has not succeeded.
	SucceededTime *time.Time
}

// readTimeout limits a query.
const readTimeout = 2 * time.Minute

// Paid calls each with the orders that were paid between two times.
func (r *Reader) Paid(ctx context.Context, of Account, from, until time.Time, each func(PaidOrder) error) error {
	return read(ctx, r, `SELECT out_trade_no, transaction_id, app_id, currency, total, settlement_total, paid_time FROM wechatpay.orders
		WHERE account = $1 AND coalesce(sub_merchant_number, '') = $2 AND paid AND paid_time >= $3 AND paid_time < $4
		AND paid_day BETWEEN ($3::timestamptz AT TIME ZONE 'Asia/Shanghai')::date AND ($4::timestamptz AT TIME ZONE 'Asia/Shanghai')::date`,
		[]any{of.ID, of.SubMchID, from, until}, each)
}

const selectRefunds = `SELECT r.out_refund_no, coalesce(r.refund_id, ''), r.out_trade_no, coalesce(o.transaction_id, ''), r.currency, r.amount,
	r.requested_time, r.accepted_time, r.succeeded_time
	FROM wechatpay.refunds r LEFT JOIN wechatpay.orders o USING (account, out_trade_no)
	WHERE r.account = $1 AND coalesce(r.sub_merchant_number, '') = $2 AND r.accepted_time IS NOT NULL AND `

// Accepted calls each with the refunds that were accepted between two times.
func (r *Reader) Accepted(ctx context.Context, of Account, from, until time.Time, each func(AcceptedRefund) error) error {
	return read(ctx, r, selectRefunds+`r.accepted_time >= $3 AND r.accepted_time < $4
		AND r.accepted_day BETWEEN ($3::timestamptz AT TIME ZONE 'Asia/Shanghai')::date AND ($4::timestamptz AT TIME ZONE 'Asia/Shanghai')::date`,
		[]any{of.ID, of.SubMchID, from, until}, each)
}

// FindRefund looks up a refund by the merchant's number.
func (r *Reader) FindRefund(ctx context.Context, of Account, outRefundNo string) (found AcceptedRefund, ok bool, err error) {
	err = read(ctx, r, selectRefunds+`r.out_refund_no = $3`, []any{of.ID, of.SubMchID, outRefundNo}, func(refund AcceptedRefund) error {
		found, ok = refund, true
		return nil
	})
	return found, ok, err
}

// read calls each for every row of a query. The columns are the fields of Row, in their order.
func read[Row any](ctx context.Context, r *Reader, query string, arguments []any, each func(Row) error) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	pool, err := r.connect(ctx)
	if err != nil {
		return err
	}
	rows, err := pool.Query(ctx, query, arguments...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		row, err := pgx.RowToStructByPos[Row](rows)
		if err == nil {
			err = each(row)
		}
		if err != nil {
			return err
		}
	}
	return rows.Err()
}

// connect returns the pool for the database that the file names now.
func (r *Reader) connect(ctx context.Context) (*pgxpool.Pool, error) {
	dsn, err := readDSN(r.dsnFile)
	if err != nil {
		return nil, err
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.pool != nil && dsn == r.dsn {
		return r.pool, nil
	}
	config, err := parseDSN(dsn, readTimeout)
	if err != nil {
		return nil, err
	}
	config.MaxConnIdleTime = time.Minute // a Statement is compared once a day
	config.ConnConfig.RuntimeParams["default_transaction_read_only"] = "on"
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	if r.pool != nil {
		go r.pool.Close() // Close waits for queries in progress
	}
	r.pool, r.dsn = pool, dsn
	return pool, nil
}

// Close ends all connections.
func (r *Reader) Close() {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.pool != nil {
		r.pool.Close()
		r.pool = nil
	}
}
