package console

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/console"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/browser/chromium"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

func row(order, state string) string {
	return `[...document.querySelectorAll('tr[data-state="` + state + `"] th')].some((cell) => cell.textContent === '` + order + `')`
}

// TestOrdersAppearAndChange by themselves, with the real operator and a payer: one that is new, its QR code, its payment.
func TestOrdersAppearAndChange(t *testing.T) {
	d := open(t, framework.WithGuard())
	d.Create(d.NewMerchant())
	d.WaitMerchant("shop", "Ready=True/Ready")
	p := d.logIn(desktop, d.viewer(), "orders")
	p.Await(live)
	d.order("order-0001", func(o *v1alpha1.Order) {
		o.Spec.TradeType, o.Spec.Payer = v1alpha1.TradeTypeNative, nil
	})
	p.Await(row("order-0001", "AwaitingPayment"))
	click(p, `a[href$="/orders/order-0001"]`)
	p.Await(`document.querySelector('svg.qr path') && document.querySelector('svg.qr').getAttribute('aria-label') === 'QR code order-0001'`)
	_, err := d.WeChat.Pay(framework.MchID, "order-0001", simulator.PayOptions{})
	d.Must(err)
	p.Await(`document.querySelector('.facts .state').textContent === 'Paid' && !document.querySelector('svg.qr')`)
	p.Await(`document.querySelector('main').textContent.includes('Paid=True/Paid')`)
	click(p, `a[href$="/orders"]`)
	p.Await(row("order-0001", "Paid"))
	click(p, `nav a[href$="/merchants"]`)
	p.Await(`document.querySelector('#merchant-shop').textContent.includes('Ready=True/Ready')`)
}

// TestFilters: by number, by state, by day, and by a number that is not the name.
func TestFilters(t *testing.T) {
	d := open(t, quiet)
	d.paid("order-0001")
	d.order("order-0002")
	other := d.order("order-0003", func(o *v1alpha1.Order) { o.Spec.OutTradeNo = "2026|1130*77" })
	other.Status.OutTradeNo = other.Number()
	d.Must(d.Client.Status().Update(d.Context(), other))
	p := d.logIn(desktop, d.viewer(), "orders")
	found := func(count string) { p.Await(`document.querySelector('#count').dataset.found === '` + count + `'`) }
	found("3")
	enterText(p, "#search", "r-0002")
	found("1")
	chromium.Read[bool](p, set("#search", transactionID[10:]))
	found("1")
	p.Await(row("order-0001", "Paid"))
	chromium.Read[bool](p, set("#search", "2026|1130*77"))
	found("0")
	p.Await(`document.querySelector('#found a[href$="order-0003"]')`)
	chromium.Read[bool](p, set("#search", " "))
	chromium.Read[bool](p, choose("#state", "paid"))
	found("1")
	chromium.Read[bool](p, choose("#state", "attention"))
	found("0")
	chromium.Read[bool](p, choose("#state", "all"))
	found("3")
	chromium.Read[bool](p, set("#day", "2020-01-01"))
	found("0")
	chromium.Read[bool](p, `(() => { const e = document.querySelector('#day'); e.value = new Date(Date.now() + 8 * 3600e3).toISOString().slice(0, 10); return e.dispatchEvent(new Event('input', {bubbles: true})) })()`)
	found("3")
}

func choose(selector, value string) string {
	return `(() => { const e = document.querySelector('` + selector + `'); e.value = '` + value + `'; return e.dispatchEvent(new Event('change', {bubbles: true})) })()`
}

func set(selector, value string) string {
	return `(() => { const e = document.querySelector('` + selector + `'); e.value = '` + value + `'; return e.dispatchEvent(new Event('input', {bubbles: true})) })()`
}

// TestALostWatchComesBack: the console is gone for a while, the page says that what it shows may be old, and then shows
// what happened.
func TestALostWatchComesBack(t *testing.T) {
	d := open(t, quiet)
	order := d.order("order-0001")
	p := d.logIn(desktop, d.viewer(), "orders")
	p.Await(live)
	p.Await(row("order-0001", ""))
	d.stop()
	p.Await(`document.querySelector('.liveness').textContent.includes('may be old')`)
	d.pay(order)
	d.order("order-0002")
	d.start()
	p.Await(row("order-0001", "Paid"))
	p.Await(row("order-0002", ""))
	p.Await(live)
	if text := p.Text("#count"); text != "2 of 2" {
		t.Errorf("it shows %s", text)
	}
}

// TestAWatchThatIsTooOld: the API server does not know any more where it ended (410), so everything is read anew, and
// what was deleted goes.
func TestAWatchThatIsTooOld(t *testing.T) {
	d := open(t, quiet)
	order := d.order("order-0001")
	d.order("order-0002")
	d.restart(func(o *console.Options) { o.WatchDuration = 2e9 })
	p := d.logIn(desktop, d.viewer(), "orders")
	p.Await(live)
	var expired atomic.Int32
	explained := make(chan struct{})
	d.faults.set(func(w http.ResponseWriter, r *http.Request) bool {
		if !r.URL.Query().Has("watch") || expired.Add(1) > 1 {
			return false
		}
		d.Must(d.Client.Delete(d.Context(), order))
		_, _ = io.WriteString(w, `{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old resource version: 1 (2)"}}`+"\n")
		<-explained // its list waits no longer than the page takes to explain
		return true
	})
	close(explained)
	p.Await(`document.querySelector('#count').dataset.total === '1'`)
	p.Await(live)
	if expired.Load() == 0 {
		t.Error("no watch expired")
	}
}

// TestWhoMaySeeNothing is told so, and sees what they may as soon as they may.
func TestWhoMaySeeNothing(t *testing.T) {
	d := open(t, quiet)
	d.order("order-0001")
	p := d.logIn(desktop, d.token("newcomer"), "orders")
	p.Await(`document.querySelector('.trouble[data-code="403"]')`)
	if shown := p.Text(".trouble"); !strings.Contains(shown, "You have no right") || !strings.Contains(shown, "cannot list resource") {
		t.Errorf("it says %s", shown)
	}
	d.token("colleague") // nothing changes by that
	d.bind("newcomer", viewerRole)
	p.Await(row("order-0001", ""))
}
