package simulator

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

// visitor is a browser without scripts.
type visitor struct {
	*GomegaWithT
	base   string
	client *http.Client
	header http.Header
}

func (f *fixture) visitCashier() *visitor {
	jar, err := cookiejar.New(nil)
	f.Expect(err).NotTo(HaveOccurred())
	client := &http.Client{Jar: jar, CheckRedirect: func(to *http.Request, _ []*http.Request) error {
		if to.URL.Scheme+"://"+to.URL.Host != f.sim.AdminURL() {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	return &visitor{f.GomegaWithT, f.sim.AdminURL(), client, http.Header{}}
}

// placed places an order of 101 fen, and returns the answer.
func (f *fixture) placed(number string, pairs ...string) message {
	f.t.Helper()
	return f.mustCall(OperationUnifiedOrder, f.order(number, pairs...))
}

// page is what the visitor sees.
type page struct {
	status  int
	text    string
	header  http.Header
	address *url.URL
}

func (v *visitor) send(method, path, form string) page {
	request, err := http.NewRequest(method, v.base+path, strings.NewReader(form))
	v.Expect(err).NotTo(HaveOccurred())
	request.Header = v.header.Clone()
	if form != "" {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	response, err := v.client.Do(request)
	v.Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	v.Expect(err).NotTo(HaveOccurred())
	return page{response.StatusCode, string(text), response.Header, response.Request.URL}
}

func (v *visitor) get(path string) page        { return v.send(http.MethodGet, path, "") }
func (v *visitor) post(path, form string) page { return v.send(http.MethodPost, path, form) }
func (v *visitor) open(code string) page {
	return v.post("/cashier/open", url.Values{"code": {code}}.Encode())
}

// do sends a form of the page of an order.
func (v *visitor) do(what, number string) page { return v.post("/cashier/"+what, theForm(number, "")) }

func theForm(number, back string) string {
	return url.Values{"mch_id": {testMerchant}, "out_trade_no": {number}, "redirect_url": {back}}.Encode()
}

func TestCashierPaysWhatIsScanned(t *testing.T) {
	f := start(t)
	v := f.visitCashier()
	native := f.placed("order-0001", "trade_type", "NATIVE", "product_id", "soap")
	jsapi := f.placed("order-0002")
	listed := v.get("/cashier/")
	f.Expect(listed.text).To(And(ContainSubstring("order-0001"), ContainSubstring("order-0002"), ContainSubstring("¥1.01"), ContainSubstring(testMerchant)))
	for code, number := range map[string]string{
		native["code_url"]: "order-0001", jsapi["prepay_id"]: "order-0002", "prepay_id=" + jsapi["prepay_id"]: "order-0002", " " + native["code_url"] + "\n": "order-0001",
	} {
		opened := v.open(code)
		f.Expect(opened.address.Query().Get("out_trade_no")).To(Equal(number), code)
		f.Expect(opened.text).To(And(ContainSubstring(number), ContainSubstring("/cashier/pay")), code)
	}
	for _, code := range []string{"", "weixin://wxpay/bizpayurl?pr=none", "prepay_id=", "\x00", "http://[", "'"} {
		f.Expect(v.open(code).status).To(Equal(http.StatusNotFound), code)
	}
	f.Expect(v.do("cancel", "order-0001").text).To(ContainSubstring("Payment cancelled"))
	f.Expect(f.sim.Ledger().Order(testMerchant, "order-0001")).To(And(HaveField("Cancelled", 1), HaveField("Payment", BeNil())))
	paid := v.do("pay", "order-0001")
	f.Expect(paid.text).To(And(ContainSubstring("Paid"), Not(ContainSubstring("/cashier/pay"))))
	f.Expect(f.sim.Ledger().Order(testMerchant, "order-0001").Payment).To(HaveField("TotalFee", int64(101)))
	v.do("pay", "order-0001")
	f.Expect(f.sim.Ledger().Order(testMerchant, "order-0001").Payment.Forced).To(BeFalse())
	f.Expect(v.do("pay", "nothing").status).To(Equal(http.StatusNotFound))
	f.Expect(v.get("/cashier/order?mch_id=1&out_trade_no=2").status).To(Equal(http.StatusNotFound))
}

func TestCashierPaysTooLateOnlyWhenAskedTo(t *testing.T) {
	f := start(t)
	v := f.visitCashier()
	f.placed("order-0001")
	f.mustCall(OperationCloseOrder, message{"out_trade_no": "order-0001"})
	f.Expect(v.get("/cashier/").text).To(And(ContainSubstring("No order waits"), ContainSubstring("order-0001"), ContainSubstring("Closed")))
	f.Expect(v.do("pay", "order-0001").text).To(And(ContainSubstring("Closed"), ContainSubstring(`name="late"`), Not(ContainSubstring("result"))))
	f.Expect(f.sim.Ledger().Order(testMerchant, "order-0001").Payment).To(BeNil())
	f.Expect(v.do("cancel", "order-0001").text).NotTo(ContainSubstring("Payment cancelled"))
	f.Expect(v.post("/cashier/pay", theForm("order-0001", "")+"&late=1").text).To(ContainSubstring("Paid"))
	f.Expect(f.sim.Ledger().Order(testMerchant, "order-0001").Payment).To(HaveField("Forced", true))
}

func TestCashierReturnsToTheShop(t *testing.T) {
	f := start(t, func(o *Options) { o.CashierLinks = true })
	v := f.visitCashier()
	scene := `{"h5_info":{"type":"Wap","wap_url":"https://shop.example.com","wap_name":"shop"}}`
	link := f.placed("order-0001", "trade_type", "MWEB", "scene_info", scene)["mweb_url"]
	f.Expect(link).To(HavePrefix(f.sim.AdminURL() + checkMWEB + "?prepay_id="))
	const back = "https://shop.example.com/orders?id=1&n=2"
	follow := strings.TrimPrefix(link, f.sim.AdminURL())
	opened := v.get(follow + "&redirect_url=" + url.QueryEscape(back))
	f.Expect(opened.text).To(And(ContainSubstring("order-0001"), ContainSubstring(`href="https://shop.example.com/orders?id=1&amp;n=2"`)))
	f.Expect(opened.header.Get("Refresh")).To(BeEmpty())
	f.Expect(v.post("/cashier/cancel", theForm("order-0001", back)).header.Get("Refresh")).To(Equal("2; url=" + back))
	paid := v.post("/cashier/pay", theForm("order-0001", back))
	f.Expect(paid.header.Get("Refresh")).To(Equal("2; url=" + back))
	f.Expect(f.sim.Ledger().Order(testMerchant, "order-0001").Payment).NotTo(BeNil())

	old := strings.TrimPrefix(f.placed("order-0002", "trade_type", "MWEB", "scene_info", scene)["mweb_url"], f.sim.AdminURL())
	f.clock.Step(5 * time.Minute)
	f.Expect(v.get(old).status).To(Equal(http.StatusGone))
}

// TestCashierShowsTextOnly: neither an order nor an address can put anything into the pages.
func TestCashierShowsTextOnly(t *testing.T) {
	f := start(t)
	v := f.visitCashier()
	f.placed("order-0001", "body", `<script>alert(1)</script>"><img src=x onerror=alert(2)>`)
	for _, path := range []string{"/cashier/", "/cashier/order?mch_id=" + testMerchant + "&out_trade_no=order-0001"} {
		shown := v.get(path)
		f.Expect(shown.text).To(And(ContainSubstring("&lt;script&gt;alert(1)"), Not(ContainSubstring("<script>alert")), Not(ContainSubstring("<img"))))
		f.Expect(shown.header.Get("Content-Security-Policy")).To(And(ContainSubstring("default-src 'none'"), Not(ContainSubstring("unsafe"))))
	}
	for _, back := range []string{"javascript:alert(1)", "//evil.example", "data:text/html,x", "https:", "JaVaScRiPt:alert(1)", "https://a\r\nb"} {
		shown := v.get("/cashier/order?mch_id=" + testMerchant + "&out_trade_no=order-0001&result=paid&redirect_url=" + url.QueryEscape(back))
		f.Expect(shown.header.Get("Refresh")).To(BeEmpty(), back)
		f.Expect(shown.text).NotTo(ContainSubstring("Back to the shop"), back)
	}
}

// TestCashierTakesFormsOfItsOwnOnly: a site that is open in the same browser pays nothing.
func TestCashierTakesFormsOfItsOwnOnly(t *testing.T) {
	f := start(t)
	v := f.visitCashier()
	f.placed("order-0001")
	v.header.Set("Origin", "https://evil.example")
	for _, what := range []string{"pay", "cancel", "open"} {
		f.Expect(v.do(what, "order-0001").status).To(Equal(http.StatusForbidden))
	}
	f.Expect(f.sim.Ledger().Order(testMerchant, "order-0001")).To(And(HaveField("Payment", BeNil()), HaveField("Cancelled", 0)))
}

func TestCashierSpeaksTwoLanguages(t *testing.T) {
	f := start(t)
	v := f.visitCashier()
	f.Expect(v.get("/cashier/").text).To(ContainSubstring(`lang="en"`))
	v.header.Set("Accept-Language", "zh-CN,zh;q=0.9")
	f.Expect(v.get("/cashier/").text).To(And(ContainSubstring(`<html lang="zh-CN">`), ContainSubstring("模拟收银台")))
	f.Expect(v.get("/cashier/?lang=en").text).To(ContainSubstring("Simulated cashier"))
	f.Expect(v.get("/cashier/").text).To(ContainSubstring("Simulated cashier"), "the choice is not kept")
	for _, file := range regexp.MustCompile(`/cashier/[a-z]+\.(?:js|css)`).FindAllString(v.get("/cashier/").text, -1) {
		f.Expect(v.get(file).status).To(Equal(http.StatusOK), file)
	}
	f.Expect(v.get("/cashier/head.html").status).To(Equal(http.StatusNotFound))
}

func TestMoney(t *testing.T) {
	for want, amount := range map[string]struct {
		total    int64
		currency string
	}{"¥1.01": {101, "CNY"}, "¥0.05": {5, ""}, "JPY 101": {101, "JPY"}, "HKD 1234.50": {123450, "HKD"}} {
		NewWithT(t).Expect(money(amount.total, amount.currency)).To(Equal(want))
	}
}
