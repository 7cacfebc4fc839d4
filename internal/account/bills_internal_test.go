package account

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/types"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// archive has bills, or the error that it is given.
type archive struct {
	wechatpay.Caller
	err    error
	closed int
	ctx    context.Context
}

func (a *archive) DownloadBill(ctx context.Context, _ wechatpay.BillRequest) (*wechatpay.Bill, error) {
	if a.err != nil {
		return nil, a.err
	}
	a.ctx = ctx
	return &wechatpay.Bill{Body: closing{strings.NewReader("bill"), &a.closed}}, nil
}

type closing struct {
	io.Reader
	closed *int
}

func (c closing) Close() error { *c.closed++; return nil }

func limitOf(err error) string {
	denied, _ := errors.AsType[*throttledError](err)
	if denied == nil {
		return ""
	}
	return denied.limit
}

// TestOneBillAtATime of a merchant number, for all Merchants that share it.
func TestOneBillAtATime(t *testing.T) {
	registry, bills := NewRegistry(nil, Options{}), &archive{}
	first := provenCaller(registry, bills)
	second := unprovenCaller(registry, types.NamespacedName{Namespace: "other", Name: "other"}, bills)
	second.member.prove()
	bill, err := first.DownloadBill(t.Context(), wechatpay.BillRequest{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = second.DownloadBill(t.Context(), wechatpay.BillRequest{})
	if limitOf(err) != "Bills" || wechatpay.OutcomeOf(err) != wechatpay.NotSent || wechatpay.RetryAfter(err) != untilNextBill {
		t.Errorf("a second bill at the same time: %v", err)
	}
	if bills.ctx.Err() != nil {
		t.Error("the first bill was interrupted")
	}
	for range 2 { // closing twice ends one download
		if err := bill.Body.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if bills.ctx.Err() == nil {
		t.Error("nothing was released")
	}
	if bill, err = second.DownloadBill(t.Context(), wechatpay.BillRequest{}); err != nil {
		t.Fatal(err)
	}
	if _, err := first.DownloadBill(t.Context(), wechatpay.BillRequest{}); limitOf(err) != "Bills" {
		t.Errorf("a third bill at the same time: %v", err)
	}
	_ = bill.Body.Close()
}

// TestABillProvesNoKey, because it need not be signed, and none is downloaded without a proven one.
func TestABillProvesNoKey(t *testing.T) {
	bills := &archive{}
	c := unprovenCaller(NewRegistry(nil, Options{}), shopKey, bills)
	if _, err := c.DownloadBill(t.Context(), wechatpay.BillRequest{}); limitOf(err) != "Unproven" {
		t.Errorf("without a proven key: %v", err)
	}
	c.member.prove()
	bill, err := c.DownloadBill(t.Context(), wechatpay.BillRequest{})
	if err != nil {
		t.Fatal(err)
	}
	_ = bill.Body.Close()
	if c.health.proven.Load() {
		t.Error("the bill proved the key")
	}
}

// TestFailingBillsPauseNothing: payments go on.
func TestFailingBillsPauseNothing(t *testing.T) {
	bills := &archive{}
	c := provenCaller(NewRegistry(nil, Options{}), bills)
	for _, meaning := range []wechatpay.Meaning{wechatpay.Repeat, wechatpay.SlowDown, wechatpay.NoRight, wechatpay.CredentialsRejected, wechatpay.NotVerified} {
		bills.err = &wechatpay.Error{Operation: wechatpay.OperationDownloadBill, Outcome: wechatpay.Refused, Meaning: meaning}
		for range 10 {
			if _, err := c.DownloadBill(t.Context(), wechatpay.BillRequest{}); !errors.Is(err, bills.err) {
				t.Fatalf("%s: %v", meaning, err)
			}
		}
	}
	if pause := c.member.pause(OrderCalls); pause != nil {
		t.Errorf("calls are paused: %+v", pause)
	}
	if !c.health.suspect.Load() {
		t.Error("WeChat refused the key, and nobody looks")
	}
}
