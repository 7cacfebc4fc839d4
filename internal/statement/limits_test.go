package statement_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills/billtest"
	"github.com/wechatpay-operator/wechatpay-operator/internal/statement"
)

// compareWithin compares a bill under limits.
func compareWithin(t *testing.T, limits statement.Limits, bill []byte) error {
	t.Helper()
	comparer := statement.Comparer{Client: objects{merchant: merchant()}, Policy: bills.WeChatPolicy, Limits: limits}
	_, err := comparer.Compare(t.Context(), text(bill), merchant(), day, day.End().Add(12*time.Hour))
	return err
}

// TestABillBeyondTheLimitsIsRefused with an explanation, and a bill that just fits is compared.
func TestABillBeyondTheLimitsIsRefused(t *testing.T) {
	t.Parallel()
	var rows []billtest.Row
	for i := range 4 {
		rows = append(rows, row(i, func(r *billtest.Row) {
			if i > 0 {
				r.SubMchID = fmt.Sprint(1900000200 + i)
			}
		}))
	}
	bill := billtest.Bill(rows...)
	for name, c := range map[string]struct {
		limits statement.Limits
		words  string
	}{
		"as many rows":          {statement.Limits{Rows: 4}, ""},
		"too many rows":         {statement.Limits{Rows: 3}, "more than 3 rows"},
		"as many sub merchants": {statement.Limits{SubMerchants: 4}, ""},
		"too many of them":      {statement.Limits{SubMerchants: 3}, "more than 3 sub merchants"},
		"as many bytes":         {statement.Limits{Bytes: int64(len(bill))}, ""},
		"too many bytes":        {statement.Limits{Bytes: int64(len(bill)) - 1}, "bytes"},
	} {
		err := compareWithin(t, c.limits, bill)
		if c.words == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		refused, ok := errors.AsType[*bills.Refused](err)
		if !ok || refused.Reason != bills.ReasonTooLarge || !strings.Contains(refused.Detail, c.words) {
			t.Errorf("%s: %T %v", name, err, err)
		}
	}
}

// pause is a reader without data: it reports that it was read, and waits.
type pause struct{ asked, goOn chan struct{} }

func (p pause) Read([]byte) (int, error) {
	close(p.asked)
	<-p.goOn
	return 0, io.EOF
}

// TestOneLargeBillAtATime: a second large bill waits, small ones do not, and the lock is released however the
// comparison ended.
func TestOneLargeBillAtATime(t *testing.T) {
	t.Parallel()
	comparer := statement.Comparer{Client: objects{merchant: merchant()}, Policy: bills.WeChatPolicy, Limits: statement.Limits{SmallRows: 2}}
	run := func(from sent) error {
		_, err := comparer.Compare(t.Context(), from, merchant(), day, day.End().Add(12*time.Hour))
		return err
	}
	large, small := billtest.Bill(row(1), row(2), row(3)), billtest.Bill(row(1), row(2))
	summary := bytes.LastIndex(large, []byte("总交易单数"))
	if summary < 0 {
		t.Fatal("the bill has no summary")
	}
	if err := run(text(large[:summary])); err == nil {
		t.Fatal("a bill that was cut is taken")
	}
	hangs, done := pause{make(chan struct{}), make(chan struct{})}, make(chan error, 1)
	go func() {
		done <- run(func() io.Reader {
			return io.MultiReader(bytes.NewReader(large[:summary]), hangs, bytes.NewReader(large[summary:]))
		})
	}()
	<-hangs.asked // all its rows were read
	if err := run(text(small)); err != nil {
		t.Errorf("a small bill meanwhile: %v", err)
	}
	if _, busy := errors.AsType[*statement.BusyError](run(text(large))); !busy {
		t.Error("another large bill is read meanwhile")
	}
	close(hangs.goOn)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := run(text(large)); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
