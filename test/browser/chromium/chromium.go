// Package chromium drives a real Chromium for the tests of pages.
package chromium

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Patience bounds a test; only failing ones use it up.
const Patience = 2 * time.Minute

// Page is a page in a browser of its own, with its own cookies.
type Page struct {
	*testing.T
	context.Context
	// browser outlives the test's patience, to look at what there is then.
	browser context.Context
}

// Options of a browser.
type Options struct {
	Width, Height int64
	Mobile        bool
	// Language is what the browser asks for: en or zh-CN.
	Language string
	// Refusals are expected: answers of 400 and above don't fail the test.
	Refusals bool
}

// Phone is a small telephone.
var Phone = Options{Width: 360, Height: 640, Mobile: true, Language: "en"}

// Open starts a browser. The test fails for whatever the browser complains of, such as a script that the page's policy
// forbids, and for a dialog of JavaScript.
func Open(t *testing.T, o Options) *Page {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(binary(t)), chromedp.NoSandbox,
		chromedp.Flag("lang", o.Language), chromedp.Flag("accept-lang", o.Language))
	ctx, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	err := chromedp.Listen(ctx, func(event any) {
		switch e := event.(type) {
		case *page.EventJavascriptDialogOpening:
			t.Errorf("a dialog says %s", e.Message)
		case *runtime.EventExceptionThrown:
			t.Errorf("a script failed: %s", e.ExceptionDetails.Text)
		case *log.EventEntryAdded:
			if o.Refusals && e.Entry.Source == log.EntrySourceNetwork || strings.Contains(e.Entry.URL, "favicon.ico") {
				return
			}
			t.Errorf("the browser complains: %s %s", e.Entry.Text, e.Entry.URL)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	browser := ctx
	ctx, stop = context.WithTimeout(ctx, Patience)
	t.Cleanup(stop)
	p := &Page{t, ctx, browser}
	emulate := []chromedp.EmulateViewportOption{chromedp.EmulateScale(2)}
	if o.Mobile {
		emulate = append(emulate, chromedp.EmulateMobile)
	}
	p.Do(chromedp.EmulateViewport(o.Width, o.Height, emulate...))
	return p
}

func (p *Page) last() context.Context {
	ctx, stop := context.WithTimeout(p.browser, 5*time.Second)
	context.AfterFunc(ctx, stop)
	return ctx
}

func binary(t *testing.T) string {
	t.Helper()
	for _, name := range []string{os.Getenv("CHROMIUM"), "chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); name != "" && err == nil {
			return found
		}
	}
	if os.Getenv("REQUIRE_FRONTENDS") == "1" {
		t.Fatal("no Chromium")
	}
	t.Skip("no Chromium: install it, or name it in CHROMIUM")
	return ""
}

// Do acts, one after the other.
func (p *Page) Do(actions ...chromedp.Action[chromedp.Void]) {
	p.Helper()
	if err := chromedp.Do(p.Context, actions...); err != nil {
		p.Fatal(err)
	}
}

// Read evaluates an expression of JavaScript, and awaits it if it is a promise.
func Read[T any](p *Page, expression string) T {
	p.Helper()
	value, err := chromedp.Run(p.Context, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.Fatalf("%s: %v", expression, err)
	}
	return value
}

// Text is what an element shows.
func (p *Page) Text(selector string) string {
	p.Helper()
	content, err := chromedp.Run(p.Context, chromedp.Text(chromedp.CSS(selector)))
	if err != nil {
		p.Fatalf("%s: %v", selector, err)
	}
	return content
}

// Await waits until an expression of JavaScript is true.
func (p *Page) Await(expression string) {
	p.Helper()
	for {
		value, err := chromedp.Run(p.Context, chromedp.Evaluate[bool](`Boolean(`+expression+`)`))
		if err == nil && value {
			return
		}
		select {
		case <-p.Done():
			shown, _ := chromedp.Run(p.last(), chromedp.Evaluate[string](`document.body.innerText`))
			p.Fatalf("still not so: %s: %v\nThe page shows:\n%s", expression, err, shown)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Fits fails the test if the page has to be moved sideways.
func (p *Page) Fits() {
	p.Helper()
	if Read[bool](p, `document.documentElement.scrollWidth > innerWidth`) {
		p.Error("the page is wider than the screen")
	}
}
