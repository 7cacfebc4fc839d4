package statement

import (
	"cmp"
	"context"
	"errors"
	"io"
	"sync"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// Limits bound the size of a bill: bills come from outside, and the process that reads them also handles payments.
type Limits struct {
	// Bytes is the size of an unpacked bill, Rows the number of its rows, and SubMerchants how many sub merchants they
	// belong to.
	Bytes              int64
	Rows, SubMerchants int
	// SmallRows is how many rows each of several comparisons may hold at a time. Only one of them may hold more.
	SmallRows int
}

// DefaultLimits fit into the memory of the operator's Deployment, 512 MiB. A million rows that the operator does not
// know take 160 MiB, and the three other comparisons at most 40 MiB each. 200,000 rows have some 60 MB.
var DefaultLimits = Limits{Bytes: 512 << 20, Rows: 1_000_000, SubMerchants: 10_000, SmallRows: 250_000}

func (l Limits) orDefault() Limits {
	return Limits{
		Bytes: cmp.Or(l.Bytes, DefaultLimits.Bytes), Rows: cmp.Or(l.Rows, DefaultLimits.Rows),
		SubMerchants: cmp.Or(l.SubMerchants, DefaultLimits.SubMerchants), SmallRows: cmp.Or(l.SmallRows, DefaultLimits.SmallRows),
	}
}

// BusyError is returned for a large bill while another large one is being compared.
type BusyError struct{}

// Error returns what the comparison waits for.
func (*BusyError) Error() string { return "another large bill is being compared" }

// reading downloads bills of a Merchant, one after the other.
type reading struct {
	ctx      context.Context
	from     Bills
	merchant *v1alpha1.Merchant
	limits   Limits
	// large is the lock for large bills, isLarge reports whether this reading holds it, and rows counts the rows in
	// memory.
	large   *sync.Mutex
	isLarge bool
	rows    int
}

func (c *Comparer) newReading(ctx context.Context, from Bills, merchant *v1alpha1.Merchant) *reading {
	return &reading{ctx: ctx, from: from, merchant: merchant, limits: c.Limits.orDefault(), large: &c.large}
}

// end releases the lock for large bills.
func (r *reading) end() {
	if r.isLarge {
		r.large.Unlock()
	}
}

// count counts a row, and takes the lock for large bills when there are many.
func (r *reading) count() error {
	if r.rows++; r.rows <= r.limits.SmallRows || r.isLarge {
		return nil
	}
	if r.isLarge = r.large.TryLock(); !r.isLarge {
		return &BusyError{}
	}
	return nil
}

// wholeBill is a bill that was read to its end.
type wholeBill struct {
	report bills.TradeReport
	hash   string
}

// read downloads a bill. If it returns an error, the rows that it passed on don't count.
func (r *reading) read(kind wechatpay.BillKind, day bills.Day, each func(bills.TradeRow)) (*wholeBill, error) {
	bill, err := r.from.DownloadBill(r.ctx, wechatpay.BillRequest{Kind: kind, Day: string(day), AppID: r.merchant.Spec.AppID})
	if err != nil {
		return nil, err
	}
	defer func() { _ = bill.Body.Close() }()
	if kind != wechatpay.RechargeRefundBill { // its rows are counted together with those of the trade bill
		r.rows = 0
	}
	body, err := bills.Open(bill.Body, bills.Expected{MaxBytes: r.limits.Bytes, HashType: bill.HashType, Hash: bill.Hash, OrPacked: bill.HashOrPacked})
	if err != nil {
		return nil, err
	}
	trade, err := bills.ReadTrade(body, bills.Of{
		Day: day, MchID: r.merchant.Spec.MchID, MostRows: max(r.limits.Rows-r.rows, 1), MostSubMerchants: r.limits.SubMerchants,
	})
	if err != nil {
		return nil, err
	}
	for {
		row, err := trade.Next()
		if errors.Is(err, io.EOF) {
			return &wholeBill{report: trade.Report(), hash: body.Hash()}, nil
		}
		if err == nil {
			err = r.count()
		}
		if err != nil {
			return nil, err
		}
		each(row)
	}
}
