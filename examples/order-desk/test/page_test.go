package test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/go-rod/rod"
	"github.com/go-rod/rod/lib/launcher"
	"github.com/go-rod/rod/lib/proto"

	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/fixture"
	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/receiptprinter"
)

// openPhone opens the desk's page in Chromium with the screen of a phone. Without Chromium the test is
// skipped, or fails if REQUIRE_PRINTER is 1.
func openPhone(t testing.TB, d *desk) *rod.Page {
	t.Helper()
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("REQUIRE_PRINTER") == "1" {
			t.Fatal("chromium is not installed: run make printer-tools")
		}
		t.Skip("chromium is not installed, so the page is not tested in a browser: make printer-tools installs it")
	}
	start := launcher.New().Bin(chromium).Headless(true).NoSandbox(true).Leakless(false).UserDataDir(t.TempDir())
	address, err := start.Launch()
	must(t, err)
	t.Cleanup(start.Kill)
	browser := rod.New().ControlURL(address)
	must(t, browser.Connect())
	page, err := browser.Timeout(fixture.Patience).Page(proto.TargetCreateTarget{URL: "about:blank"})
	must(t, err)
	must(t, page.SetViewport(&proto.EmulationSetDeviceMetricsOverride{Width: 360, Height: 740, DeviceScaleFactor: 2, Mobile: true}))
	must(t, page.Navigate("http://"+d.page+"/?lang=en"))
	return page
}

// TestPageInABrowser: the page shows by itself what happens, under its own content security policy,
// and prints again at a tap.
func TestPageInABrowser(t *testing.T) {
	printer := receiptprinter.Start(t)
	d := newDesk(t, "--printer=tcp://"+printer.Address())
	d.start()
	page := openPhone(t, d)
	_, err := page.ElementR("main", "No paid orders yet")
	must(t, err)

	d.mustTake(fixture.Paid(t, "order-20261121-0001-with-a-long-number"))
	_, err = page.ElementR("li.printed", "order-20261121-0001-with-a-long-number") // without a reload
	must(t, err)
	width, err := page.Eval(`() => document.documentElement.scrollWidth`)
	must(t, err)
	if got := width.Value.Int(); got > 360 {
		t.Errorf("the page is %d pixels wide on a phone", got)
	}
	button, err := page.ElementR("button", "Print again")
	must(t, err)
	style, err := button.Eval(`() => getComputedStyle(this).minHeight`)
	must(t, err)
	if got := style.Value.Str(); got != "44px" {
		t.Errorf("the style is not applied: a button of %s", got)
	}
	must(t, button.Click(proto.InputMouseButtonLeft, 1))
	_, err = page.ElementR("li.printed", "×2")
	must(t, err)
	if got := waitTickets(t, printer, 2)[1]; !strings.Contains(got, "补打 COPY") {
		t.Errorf("%s", got)
	}

	printer.SwitchOff()
	again, err := page.ElementR("button", "Print again")
	must(t, err)
	must(t, again.Click(proto.InputMouseButtonLeft, 1))
	_, err = page.ElementR(".problem", "Printer.*can't be reached")
	must(t, err)
	other, err := page.ElementR("a", "中文")
	must(t, err)
	must(t, other.Click(proto.InputMouseButtonLeft, 1))
	_, err = page.ElementR("h1", "订单小票")
	must(t, err)
}
