package console

import (
	"fmt"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/test/browser/chromium"
)

// TestManyOrders: more Orders than a page of a list are all there, in few rows, and changes arrive. With
// CONSOLE_ORDERS=10000 and -v it prints what docs/console.md says.
func TestManyOrders(t *testing.T) {
	count := 1100
	if asked, err := strconv.Atoi(os.Getenv("CONSOLE_ORDERS")); err == nil {
		count = asked
	}
	d := open(t, quiet)
	d.fill(count)
	order := d.order("order-z-last")
	count++
	p := d.logIn(desktop, d.viewer(), "orders")
	// longest is the longest time for which the page answered nothing.
	chromium.Read[bool](p, `(() => { window.longest = 0; let before = performance.now(); const look = () => { const now = performance.now(); window.longest = Math.max(window.longest, now - before); before = now; setTimeout(look, 0) }; look(); return true })()`)
	started := time.Now()
	p.Do(chromedp.Reload())
	p.Await(`document.querySelector('#count') && document.querySelector('#count').dataset.loading === 'false'`)
	p.Await(`document.querySelector('#count').dataset.total === '` + strconv.Itoa(count) + `'`)
	loaded := time.Since(started)
	chromium.Read[bool](p, `(() => { window.longest = 0; let before = performance.now(); const look = () => { const now = performance.now(); window.longest = Math.max(window.longest, now - before); before = now; setTimeout(look, 0) }; look(); return true })()`)
	if rows := chromium.Read[int](p, `document.querySelectorAll('tbody tr').length`); rows != 50 {
		t.Errorf("%d rows", rows)
	}
	p.Await(live)
	started = time.Now()
	d.pay(order)
	p.Await(row("order-z-last", "Paid"))
	arrived := time.Since(started)
	started = time.Now()
	chromium.Read[bool](p, set("#search", fmt.Sprintf("order-a-%05d", count/2)))
	p.Await(`document.querySelector('#count').dataset.found === '1'`)
	filtered := time.Since(started)
	chromium.Read[bool](p, set("#search", ""))
	p.Await(`document.querySelector('#count').dataset.found === '` + strconv.Itoa(count) + `'`)
	// A stream of changes: the page stays responsive.
	changed := 0
	for range 200 {
		d.order(fmt.Sprintf("order-b-%05d", changed))
		changed++
	}
	p.Await(`document.querySelector('#count').dataset.total === '` + strconv.Itoa(count+changed) + `'`)
	t.Logf("%d Orders: loaded in %s, a payment shown after %s, a search after %s, the page was busy for at most %.0f ms during 200 changes, JavaScript heap %.0f MB",
		count, loaded.Round(10*time.Millisecond), arrived.Round(time.Millisecond), filtered.Round(time.Millisecond),
		chromium.Read[float64](p, `window.longest`), chromium.Read[float64](p, `performance.memory.usedJSHeapSize / 1e6`))
}

// fill creates Orders, several at a time.
func (d *desk) fill(count int) {
	d.t.Helper()
	d.createMany(count, func(number int) client.Object {
		return d.NewOrder(fmt.Sprintf("order-a-%05d", number), func(o *v1alpha1.Order) { o.Spec.Amount.Total = int64(100 + number) })
	})
}

func (d *desk) createMany(count int, object func(number int) client.Object) {
	d.t.Helper()
	numbers := make(chan int)
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for number := range numbers {
				if err := d.Client.Create(d.Context(), object(number)); err != nil {
					d.t.Error(err)
				}
			}
		})
	}
	for number := range count {
		numbers <- number
	}
	close(numbers)
	workers.Wait()
}

// TestManyStatements: the newest days are shown, whatever their names, and the page says that it has not all.
func TestManyStatements(t *testing.T) {
	d := open(t, quiet)
	statement := func(name, date string) *v1alpha1.Statement {
		return &v1alpha1.Statement{
			ObjectMeta: metav1.ObjectMeta{Namespace: d.Namespace, Name: name},
			Spec:       v1alpha1.StatementSpec{MerchantRef: v1alpha1.LocalMerchantReference{Name: "shop"}, Date: date},
		}
	}
	d.createMany(1000, func(number int) client.Object { return statement(fmt.Sprintf("a-%04d", number), "2026-10-01") })
	d.Create(statement("z-2026-11-27", "2026-11-27"))
	p := d.logIn(desktop, d.token("bookkeeper", viewerRole, d.statementReader()), "statements")
	const first = `document.querySelector('tbody tr').textContent.includes('%s') && document.querySelectorAll('tbody tr').length === 1000 && document.querySelector('[data-cut="1000"]')`
	p.Await(`document.querySelector('tbody tr')`)
	p.Await(fmt.Sprintf(first, "z-2026-11-27"))
	p.Await(live)
	d.Create(statement("z-2026-11-28", "2026-11-28"))
	p.Await(fmt.Sprintf(first, "z-2026-11-28"))
}

// TestManyMerchants: a list that is cut by name says so, when it is read and when one more comes.
func TestManyMerchants(t *testing.T) {
	d := open(t, quiet)
	merchant := func(name string) *v1alpha1.Merchant {
		return d.NewMerchant(func(m *v1alpha1.Merchant) { m.Name = name })
	}
	before := len(d.merchants())
	d.createMany(500-before, func(number int) client.Object { return merchant(fmt.Sprintf("a-%04d", number)) })
	p := d.logIn(desktop, d.viewer(), "merchants")
	p.Await(`document.querySelectorAll('.card').length === 500`)
	p.Await(live + ` && !document.querySelector('[data-cut]')`)
	d.Create(merchant("z-last"))
	p.Await(`document.querySelector('[data-cut="500"]')`)
	p.Do(chromedp.Reload())
	p.Await(`document.querySelectorAll('.card').length === 500 && document.querySelector('[data-cut="500"]')`)
}

func (d *desk) merchants() []v1alpha1.Merchant {
	d.t.Helper()
	var all v1alpha1.MerchantList
	d.Must(d.Client.List(d.Context(), &all, client.InNamespace(d.Namespace)))
	return all.Items
}
