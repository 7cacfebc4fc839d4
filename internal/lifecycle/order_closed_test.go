package lifecycle_test

import (
	"testing"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
)

// TestWhatWeChatClosedHasBegun: an Order that WeChat Pay had counts as started, even without a
// prepay. An Order that WeChat Pay never had, or whose number it has with other parameters, does
// not. An existing prepay is unchanged.
func TestWhatWeChatClosedHasBegun(t *testing.T) {
	t.Parallel()
	closed := func(o *v1alpha1.Order) {
		lifecycle.ClosedAtWeChat(o, "web/soap", v1alpha1.ReasonClosed, "closed at WeChat Pay", now)
	}
	never := func(o *v1alpha1.Order) { lifecycle.Closed(o, v1alpha1.ReasonExpired, "WeChat Pay never had it", now) }
	for name, c := range map[string]struct {
		before func(*v1alpha1.Order)
		end    func(*v1alpha1.Order)
		prepay *v1alpha1.OrderPrepay
	}{
		"never prepared": {func(*v1alpha1.Order) {}, closed, &v1alpha1.OrderPrepay{Attach: "web/soap"}},
		"prepared": {func(o *v1alpha1.Order) { lifecycle.Prepared(o, v1alpha1.OrderPrepay{ID: "wx1"}, now) },
			closed, &v1alpha1.OrderPrepay{ID: "wx1"}},
		"another's number": {func(o *v1alpha1.Order) { lifecycle.UsedAtWeChat(o, "other parameters", now) }, closed, nil},
		"ended before":     {never, closed, nil},
		"never had":        {func(*v1alpha1.Order) {}, never, nil},
	} {
		order := newOrder()
		c.before(order)
		c.end(order)
		got := order.Status.Prepay
		if (got == nil) != (c.prepay == nil) || got != nil && *got != *c.prepay {
			t.Errorf("%s: %+v", name, got)
		}
		if !lifecycle.IsFinished(order) {
			t.Errorf("%s: it has not ended", name)
		}
	}
}
