package wechatpay_test

import (
	"errors"
	"testing"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// TestKeyID fixes the ids: they are in the status of Merchants, and must not change with an
// upgrade.
func TestKeyID(t *testing.T) {
	t.Parallel()
	const key = "FirstTestOnlyKey0FirstTestOnly00"
	id := wechatpay.KeyID(key, "1900000109")
	if want := "86a20f2fb668f64c"; id != want {
		t.Errorf("%s, not %s", id, want)
	}
	if other := wechatpay.KeyID(key, "1900000110"); other == id || len(other) != 16 {
		t.Errorf("another merchant number has %s", other)
	}
}

func TestConcealedErrorsAreAlike(t *testing.T) {
	t.Parallel()
	one, other := &wechatpay.ConcealedError{Cause: errors.New("connection refused")}, &wechatpay.ConcealedError{Cause: errors.New("no such host")}
	if one.Error() != other.Error() || errors.Unwrap(one) != nil {
		t.Error("the cause shows")
	}
}
