package console

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/test/browser/chromium"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

// axe is the source of axe-core, which `make console` installs.
func axe(t *testing.T) string {
	t.Helper()
	source, err := os.ReadFile(filepath.Join(controlplane.Root(), "web", "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		if os.Getenv("REQUIRE_FRONTENDS") == "1" {
			t.Fatal(err)
		}
		t.Skip("no axe-core: make console")
	}
	return string(source)
}

// violations are what axe finds in what is shown.
func violations(p *chromium.Page, source string) []string {
	p.Helper()
	chromium.Read[bool](p, source+`; true`)
	found := chromium.Read[string](p, `axe.run(document, {resultTypes: ['violations']}).then((result) => JSON.stringify(result.violations.map((v) => v.id + ' ' + v.nodes.map((n) => n.html).join(' | '))))`)
	var list []string
	if err := json.Unmarshal([]byte(found), &list); err != nil {
		p.Fatal(err)
	}
	return list
}

// everything fills a shop with what each page shows.
func everything(t *testing.T) *desk {
	d := answers(t)
	order := d.order("order-0002", func(o *v1alpha1.Order) { o.Spec.TradeType, o.Spec.Payer = v1alpha1.TradeTypeNative, nil })
	order.Status.Prepay = &v1alpha1.OrderPrepay{ID: "wx20", CodeURL: "weixin://wxpay/bizpayurl?pr=AbCdEfG"}
	d.condition(order, &order.Status.Conditions, v1alpha1.ConditionPrepared, "True", v1alpha1.ReasonPrepared, "the payer can pay")
	d.condition(order, &order.Status.Conditions, v1alpha1.ConditionPaid, "Unknown", v1alpha1.ReasonAwaitingPayment, "WeChat Pay says NOTPAY")
	merchant := d.NewMerchant()
	d.Create(merchant)
	d.condition(merchant, &merchant.Status.Conditions, v1alpha1.ConditionReady, "False", v1alpha1.ReasonCredentialsRejected, "WeChat Pay does not take the key")
	d.statement("shop-2026-11-27")
	return d
}

// TestAccessible: axe finds nothing on any page, in both languages, light and dark, on a desk and on a phone, and no
// page has to be moved sideways.
func TestAccessible(t *testing.T) {
	source, d := axe(t), everything(t)
	token := d.token("auditor", viewerRole, approverRole, viewRole, d.statementReader())
	for _, screen := range []chromium.Options{{Width: 1280, Height: 900, Language: "en"}, {Width: 360, Height: 640, Mobile: true, Language: "zh-CN"}} {
		screen.Refusals = true
		p := chromium.Open(t, screen)
		p.Do(chromedp.Navigate(d.url), chromedp.WaitVisible(chromedp.CSS("#token")))
		check := func(what string) {
			t.Helper()
			for _, scheme := range []string{"light", "dark"} {
				p.Do(colour(scheme))
				for _, violation := range violations(p, source) {
					t.Errorf("%s, %s, %s: %s", what, screen.Language, scheme, violation)
				}
			}
			p.Fits()
		}
		check("login")
		enter(p, token)
		for _, page := range []struct{ path, ready string }{
			{"#//orders", `document.querySelector('#namespace')`},
			{"#/" + d.Namespace + "/orders", row("order-0001", "Paid") + ` && ` + live},
			{"#/" + d.Namespace + "/orders/order-0001", `document.querySelectorAll('main section').length === 4 && document.querySelector('main table')`},
			{"#/" + d.Namespace + "/orders/order-0002", `document.querySelector('svg.qr')`},
			{"#/" + d.Namespace + "/orders/order-9999", `document.querySelector('main [role=alert]')`},
			{"#/" + d.Namespace + "/refunds", mayApprove},
			{"#/" + d.Namespace + "/merchants", `document.querySelector('#merchant-shop')`},
			{"#/" + d.Namespace + "/statements", `document.querySelector('main table')`},
			{"#/" + d.Namespace + "/statements/shop-2026-11-27", `document.querySelector('#differences')`},
		} {
			p.Do(chromedp.Navigate(d.url + "/" + page.path))
			p.Await(page.ready)
			check(page.path)
		}
		p.Do(chromedp.Navigate(d.url + "/#/" + d.Namespace + "/refunds"))
		p.Await(mayApprove)
		click(p, card+" button.deny")
		p.Do(chromedp.WaitVisible(chromedp.CSS("dialog #confirm")))
		click(p, "#confirm")
		p.Await(`document.querySelector('#why-needed')`)
		check("the dialog")
	}
}

// colour is what the system prefers.
func colour(scheme string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
		return err
	})
}

// TestByKeyboardAlone: from the top of the page to a decision, with Tab, Enter and typing, in Chinese.
func TestByKeyboardAlone(t *testing.T) {
	d := answers(t)
	p := d.logIn(chromium.Options{Width: 1280, Height: 900, Language: "zh-CN"}, d.approver(), "refunds")
	p.Await(mayApprove)
	tab := func(to string) {
		t.Helper()
		for range 40 {
			p.Do(chromedp.KeyEvent("\t"))
			if chromium.Read[bool](p, `document.activeElement.matches('`+to+`')`) {
				return
			}
		}
		t.Fatalf("Tab does not lead to %s but to %s", to, chromium.Read[string](p, `document.activeElement.outerHTML`))
	}
	chromium.Read[bool](p, `(document.activeElement.blur(), true)`)
	tab("a.skip")
	p.Do(chromedp.KeyEvent("\r"))
	p.Await(`document.activeElement.id === 'content'`)
	tab("button.approve")
	p.Do(chromedp.KeyEvent("\r"), chromedp.WaitVisible(chromedp.CSS("dialog #confirm")))
	if asked := p.Text("dialog h2"); asked != "退还 0.50 元？" {
		t.Errorf("it asks %s", asked)
	}
	tab("#why")
	p.Do(chromedp.KeyEvent("肥皂坏了"))
	tab("#confirm")
	p.Do(chromedp.KeyEvent("\r"))
	p.Await(decided)
	if refund := d.Refund("refund-0001"); refund.Spec.ApprovalMessage != "肥皂坏了" {
		t.Errorf("the Refund is %+v", refund.Spec)
	}
}
