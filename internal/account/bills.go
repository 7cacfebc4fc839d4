package account

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

const (
	// billDeadline limits the download of a bill as a whole, so that a slow connection does not
	// block the next bill forever.
	billDeadline = 10 * time.Minute
	// untilNextBill is when to retry while another bill is downloaded.
	untilNextBill = 5 * time.Second
)

// DownloadBill opens a bill, one at a time for an account: WeChat limits the calls for bills of a
// merchant number, but does not publish the limit.
//
// Bills do not count for the breakers, because WeChat may have no bills for hours while payments
// continue. They prove no key, because a bill need not be signed.
func (c *limitedCaller) DownloadBill(ctx context.Context, request wechatpay.BillRequest) (*wechatpay.Bill, error) {
	const operation = wechatpay.OperationDownloadBill
	done, denied := c.member.startBill()
	if denied != nil {
		return nil, denied.notSent(operation)
	}
	started := c.clock.Now()
	ctx, cancel := context.WithTimeout(ctx, billDeadline)
	end := func() { cancel(); done() }
	over := CallerWaits(ctx)
	bill, err := c.Caller.DownloadBill(ctx, request)
	over()
	if wechatpay.MeaningOf(err) == wechatpay.CredentialsRejected && c.health.record(operation, err) {
		c.member.notify(c.member.merchant)
	}
	c.count(operation, started, err)
	if err != nil {
		end()
		return nil, err
	}
	bill.Body = &billBody{ReadCloser: bill.Body, end: sync.OnceFunc(end)}
	return bill, nil
}

// billBody ends the download when it is closed.
type billBody struct {
	io.ReadCloser
	end func()
}

func (b *billBody) Close() error {
	defer b.end()
	return b.ReadCloser.Close()
}

// startBill starts a download, or returns why it has to wait. A Merchant with an unproven key has
// to: its downloads would not count against the account's limit.
func (m *membership) startBill() (end func(), denied *throttledError) {
	assigned := m.assignment.Load()
	if !assigned.proven {
		m.notify(m.merchant) // starts a probe of the key
		return nil, &throttledError{
			limit: "Unproven", reason: "WeChat Pay has not accepted the Merchant's key yet, so bills wait", retryAfter: untilProven(),
		}
	}
	bills := &assigned.quota.bills
	if !bills.TryLock() {
		return nil, &throttledError{
			limit: "Bills", reason: "another bill of this merchant number is being downloaded", retryAfter: untilNextBill,
		}
	}
	return bills.Unlock, nil
}
