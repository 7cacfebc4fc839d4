package console

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/console"
	"github.com/wechatpay-operator/wechatpay-operator/test/browser/chromium"
)

// stored is everything that scripts of the page can read of what the browser keeps.
const stored = `JSON.stringify(localStorage) + JSON.stringify(sessionStorage) + document.cookie + document.documentElement.outerHTML + location.href`

// TestTheTokenIsNowhereInThePage: not while somebody is logged in, and the session is gone after they logged out.
func TestTheTokenIsNowhereInThePage(t *testing.T) {
	d := open(t, quiet)
	d.order("order-0001")
	token := d.viewer()
	p := d.logIn(desktop, token, "orders")
	p.Await(row("order-0001", ""))
	for _, part := range strings.Split(token, ".") {
		if kept := chromium.Read[string](p, stored); strings.Contains(kept, part) {
			t.Errorf("the page has a part of the token: %s", kept)
		}
	}
	if databases := chromium.Read[int](p, `indexedDB.databases().then((all) => all.length)`); databases != 0 {
		t.Error("the page keeps a database")
	}
	if user := p.Text("#user"); !strings.HasPrefix(user, "viewer") {
		t.Errorf("it is %s", user)
	}
	p.Do(chromedp.Reload(), chromedp.WaitVisible(chromedp.CSS("#user"))) // the session is in the cookie
	click(p, "#logout")
	p.Do(chromedp.WaitVisible(chromedp.CSS("#token")))
	if shown := p.Text("main"); strings.Contains(shown, "order-0001") {
		t.Errorf("it still shows %s", shown)
	}
	p.Do(chromedp.Reload(), chromedp.WaitVisible(chromedp.CSS("#token")))
}

// TestTheWrongToken: what the API server does not take is no login.
func TestTheWrongToken(t *testing.T) {
	d := open(t, quiet)
	p := chromium.Open(t, chromium.Options{Width: 1280, Height: 900, Language: "zh-CN", Refusals: true})
	p.Do(chromedp.Navigate(d.url), chromedp.WaitVisible(chromedp.CSS("#token")), chromedp.SendKeys(chromedp.CSS("#token"), "wrong\n"), chromedp.WaitVisible(chromedp.CSS(".trouble")))
	if lang := chromium.Read[string](p, `document.documentElement.lang + document.querySelector('h1').textContent`); lang != "zh-CN登录" {
		t.Errorf("the page is %s", lang)
	}
}

// TestSessionEnd: at the end of the session everything goes from the page, and it says so.
func TestSessionEnd(t *testing.T) {
	d := open(t, quiet)
	d.order("order-0001")
	token := d.viewer()
	d.restart(func(o *console.Options) { o.SessionDuration = time.Minute })
	p := d.logIn(desktop, token, "orders")
	p.Await(row("order-0001", ""))
	// Not the clock but the API server ends it: the account is gone.
	d.faults.set(func(w http.ResponseWriter, r *http.Request) bool {
		w.WriteHeader(http.StatusUnauthorized)
		return true
	})
	d.faults.CloseClientConnections()
	p.Await(`document.querySelector('#ended') && document.querySelector('#token') && !document.querySelector('main').textContent.includes('order-0001')`)
	d.faults.set(nil)
	enter(p, token)
	p.Await(row("order-0001", ""))
}

// TestSessionEndByTheClock: without anything being asked.
func TestSessionEndByTheClock(t *testing.T) {
	d := open(t, quiet)
	d.order("order-0001")
	p := d.logIn(desktop, d.viewer(), "orders")
	p.Await(row("order-0001", ""))
	chromium.Read[bool](p, `(() => { const ask = fetch; window.fetch = async (path, init) => String(path).endsWith('/session') ? new Response(JSON.stringify({expires: new Date(Date.now() + 500).toISOString()})) : ask(path, init); return true })()`)
	click(p, "#logout")
	p.Do(chromedp.WaitVisible(chromedp.CSS("#token")), chromedp.SendKeys(chromedp.CSS("#token"), d.token("other", viewerRole)+"\n"))
	p.Await(`document.querySelector('#ended')`)
}

// TestBehindAProxy: the proxy's header is the login. The page asks for no token.
func TestBehindAProxy(t *testing.T) {
	d := open(t, quiet)
	d.order("order-0001")
	d.restart(func(o *console.Options) {
		o.Login, o.SessionKeyFile, o.InsecureCookies, o.SignOutURL = console.LoginProxy, "", false, "/oauth2/sign_out"
	})
	p := chromium.Open(t, desktop)
	p.Do(authorize(d.viewer()), chromedp.Navigate(d.url+"/#/"+d.Namespace+"/orders"))
	p.Await(row("order-0001", ""))
	p.Await(`document.querySelector('#logout')`)
}

// TestBehindAProxyWithAnOldToken: it has expired, and a proxy that hands it on again and again must be logged out of.
func TestBehindAProxyWithAnOldToken(t *testing.T) {
	d := open(t, quiet)
	d.restart(func(o *console.Options) {
		o.Login, o.SessionKeyFile, o.InsecureCookies, o.SignOutURL = console.LoginProxy, "", false, "/oauth2/sign_out"
	})
	claims := base64.RawURLEncoding.EncodeToString([]byte(`{"exp":1700000000}`))
	p := chromium.Open(t, chromium.Options{Width: 1280, Height: 900, Language: "en", Refusals: true})
	p.Do(authorize("e30."+claims+".c2ln"), chromedp.Navigate(d.url+"/#/"+d.Namespace+"/orders"))
	p.Await(`document.querySelector('#ended') && document.querySelector('main #logout')`)
	if shown := p.Text("main"); !strings.Contains(shown, "Your session has ended") {
		t.Errorf("it says %s", shown)
	}
	click(p, "main #logout")
	p.Await(`location.pathname === '/oauth2/sign_out'`)
}

// TestAHostileDescription is text, and so are a number, a reason and a message: nothing runs, and nothing hides what is
// beside it.
func TestAHostileDescription(t *testing.T) {
	d := open(t, quiet)
	const hostile = `<img src=x onerror=alert(1)><script>alert(2)</script>"'` + "\u202e\u200b\u3164\u115f\uffa0\u2800\u00a0\u2003\u3000\u0020" + `javascript:alert(3)`
	order := d.paid("order-0001", func(o *v1alpha1.Order) { o.Spec.Description = hostile })
	d.condition(order, &order.Status.Conditions, v1alpha1.ConditionPrepared, metav1.ConditionFalse, v1alpha1.ReasonRejected, hostile)
	d.refund("refund-0001", "order-0001", 1, func(r *v1alpha1.Refund) {
		r.Spec.Reason = `<img src=x onerror=alert(1)>` + "\u202e"
		r.Annotations["wechatpay-operator.io/requested-by"] = hostile
	})
	d.Create(&corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Namespace: d.Namespace, Name: "hostile"},
		InvolvedObject: corev1.ObjectReference{Kind: "Order", Namespace: d.Namespace, Name: order.Name, UID: order.UID, APIVersion: "wechatpay-operator.io/v1alpha1"},
		Type:           "Warning", Reason: "Hostile", Message: hostile, FirstTimestamp: metav1.Now(), LastTimestamp: metav1.Now(),
	})
	want := `<img src=x onerror=alert(1)><script>alert(2)</script>"'[U+202E][U+200B][U+3164][U+115F][U+FFA0][U+2800][U+00A0][U+2003]` + "\u3000 " + `javascript:alert(3)`
	p := d.logIn(desktop, d.approver(), "orders/order-0001")
	p.Await(`document.querySelector('#description')`)
	if shown := p.Text("#description"); shown != want {
		t.Errorf("the description is shown as %s", shown)
	}
	p.Await(`document.querySelector('main').textContent.includes('Hostile')`)
	p.Do(chromedp.Navigate(d.url + "/#/" + d.Namespace + "/refunds"))
	p.Await(mayApprove)
	if shown := p.Text(card + " .requested-by"); shown != want {
		t.Errorf("who asked is shown as %s", shown)
	}
	click(p, card+" button.approve")
	p.Do(chromedp.WaitVisible(chromedp.CSS("dialog #confirm")))
	if links := chromium.Read[int](p, `document.querySelectorAll('img, main script, [href^="javascript:"]').length`); links != 0 {
		t.Errorf("%d elements are of the hostile text", links)
	}
}

// TestTheAddressIsHostile: what stands after the # names things, and is no markup and no path.
func TestTheAddressIsHostile(t *testing.T) {
	d := open(t, quiet)
	token := d.viewer()
	for _, fragment := range []string{"..%2f..%2fapi/orders", "%3Cimg%20src=x%20onerror=alert(1)%3E/orders", d.Namespace + "/orders/..%2fsecrets", "%E0%A4%A/orders", d.Namespace + "/__proto__/constructor"} {
		p := chromium.Open(t, chromium.Options{Width: 1280, Height: 900, Language: "en", Refusals: true})
		p.Do(chromedp.Navigate(d.url + "/#/" + fragment))
		enter(p, token)
		p.Await(`document.querySelector('main h1')`)
		if found := chromium.Read[int](p, `document.querySelectorAll('img').length`); found != 0 {
			t.Errorf("%s: an image", fragment)
		}
	}
}
