package console

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/browser/chromium"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

// TestPictures takes the pictures of README.md and docs/console.md, of a shop with the real operator: Orders as they
// come in, and a Refund before somebody approves it. With UPDATE_PICTURES=1 they are written.
func TestPictures(t *testing.T) {
	d := open(t, framework.WithGuard())
	d.Create(d.NewMerchant())
	d.WaitMerchant("shop", "Ready=True/Ready")
	native := func(description string, total int64) func(*v1alpha1.Order) {
		return func(o *v1alpha1.Order) {
			o.Spec.TradeType, o.Spec.Payer, o.Spec.Description, o.Spec.Amount.Total = v1alpha1.TradeTypeNative, nil, description, total
		}
	}
	for i, sold := range []struct {
		number, description string
		total               int64
		paid                bool
	}{
		{"order-20261130-0001", "肥皂 x1", 101, true}, {"order-20261130-0002", "毛巾 x2", 3980, true}, {"order-20261130-0003", "茶叶 250g", 12800, false},
		{"order-20261130-0004", "茶杯 x4", 9600, true}, {"order-20261130-0005", "肥皂 x3", 303, false}, {"order-20261130-0006", "毛巾 x1", 1990, false},
	} {
		d.order(sold.number, native(sold.description, sold.total))
		d.WaitOrder(sold.number, "Prepared=True/Prepared")
		if sold.paid {
			_, err := d.WeChat.Pay(framework.MchID, sold.number, simulator.PayOptions{})
			d.Must(err)
			d.WaitOrder(sold.number, "Paid=True/Paid")
		}
		if i == 2 {
			d.Patch(d.Order(sold.number), `{"spec":{"desiredState":"Closed"}}`)
			d.WaitOrder(sold.number, "Paid=False/Closed")
		}
	}
	d.Create(d.NewRefund("refund-20261130-0001", "order-20261130-0002", 1990, func(r *v1alpha1.Refund) {
		r.Spec.Reason, r.Annotations = "少了一条毛巾", map[string]string{"wechatpay-operator.io/requested-by": "storefront"}
	}))
	d.WaitRefund("refund-20261130-0001", "Approved=Unknown/AwaitingApproval")

	p := d.logIn(chromium.Options{Width: 1100, Height: 620, Language: "en"}, d.approver(), "orders")
	p.Do(colour("light"))
	p.Await(row("order-20261130-0006", "AwaitingPayment") + ` && ` + row("order-20261130-0003", "Closed") + ` && ` + live)
	settled(p)
	d.picture(p, "console-orders.png")
	p.Do(chromedp.Navigate(d.url + "/#/" + d.Namespace + "/refunds"))
	p.Await(`document.querySelector('#refund-refund-20261130-0001 button.approve:enabled')`)
	click(p, "#refund-refund-20261130-0001 button.approve")
	p.Do(chromedp.WaitVisible(chromedp.CSS("dialog #confirm")))
	settled(p)
	d.picture(p, "console-refund.png")
}

// settled writes in place of what is another one at each run, and lets nothing move.
func settled(p *chromium.Page) {
	p.Helper()
	chromium.Read[bool](p, `(() => { const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT); for (let n; (n = walk.nextNode()); ) n.data = n.data.replace(/shop-[a-z0-9]{5}\b/g, 'shop'); document.activeElement.blur(); return true })()`)
}

func (d *desk) picture(p *chromium.Page, name string) {
	p.Helper()
	picture, err := chromedp.Run(p.Context, chromedp.CaptureScreenshot())
	if err != nil || len(picture) < 10_000 {
		p.Fatalf("a picture of %d bytes, %v", len(picture), err)
	}
	if os.Getenv("UPDATE_PICTURES") == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(controlplane.Root(), "docs", "images", name), picture, 0o644); err != nil { //nolint:gosec // a document
		p.Fatal(err)
	}
}
