package browser

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/browser/chromium"
)

const (
	mchID  = "1900000109"
	appID  = "wxd678efh567hg6787"
	apiKey = "Zx81TestOnlyKey0Zx81TestOnlyKey0"
)

// openWeChat starts a simulator whose H5 links lead to its cashier.
func openWeChat(t *testing.T) *simulator.Simulator {
	t.Helper()
	weChat, err := simulator.New(simulator.Options{
		Merchants: []simulator.Merchant{{MchID: mchID, AppIDs: []string{appID}, APIKey: apiKey}}, CashierLinks: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = weChat.Close() })
	return weChat
}

// order places an order as a shop does, and returns WeChat's answer.
func order(t *testing.T, weChat *simulator.Simulator, number, tradeType, description string) map[string]string {
	t.Helper()
	return call(t, weChat, "/pay/unifiedorder", map[string]string{
		"out_trade_no": number, "body": description, "total_fee": "101", "trade_type": tradeType, "product_id": "soap",
		"openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", "spbill_create_ip": "203.0.113.7", "notify_url": "http://127.0.0.1:9/payment",
		"scene_info": `{"h5_info":{"type":"Wap","wap_url":"https://shop.example.com","wap_name":"shop"}}`,
	})
}

// call makes a signed call of API v2, which must succeed.
func call(t *testing.T, weChat *simulator.Simulator, path string, fields map[string]string) map[string]string {
	t.Helper()
	maps.Copy(fields, map[string]string{"appid": appID, "mch_id": mchID, "nonce_str": rand(), "sign_type": "HMAC-SHA256"})
	text := ""
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		text += name + "=" + fields[name] + "&"
	}
	mac := hmac.New(sha256.New, []byte(apiKey))
	mac.Write([]byte(text + "key=" + apiKey))
	fields["sign"] = strings.ToUpper(hex.EncodeToString(mac.Sum(nil)))
	body := "<xml>"
	for name, value := range fields {
		body += "<" + name + "><![CDATA[" + value + "]]></" + name + ">"
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(weChat.CAPEM())
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}}
	defer client.CloseIdleConnections()
	response, err := client.Post(weChat.URL()+path, "text/xml", strings.NewReader(body+"</xml>"))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answered, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Members []struct {
			XMLName xml.Name
			Value   string `xml:",chardata"`
		} `xml:",any"`
	}
	if err := xml.Unmarshal(answered, &document); err != nil {
		t.Fatal(err)
	}
	members := map[string]string{}
	for _, member := range document.Members {
		members[member.XMLName.Local] = member.Value
	}
	if members["result_code"] != "SUCCESS" {
		t.Fatalf("%s: %s", path, answered)
	}
	return members
}

var nonces struct {
	sync.Mutex
	last int
}

func rand() string {
	nonces.Lock()
	defer nonces.Unlock()
	nonces.last++
	return fmt.Sprintf("nonce%d", nonces.last)
}

// open starts a browser of the size of a phone.
func open(t *testing.T) context.Context {
	t.Helper()
	return chromium.Open(t, chromium.Phone).Context
}

func do(ctx context.Context, t *testing.T, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, actions...); err != nil {
		t.Fatal(err)
	}
}

// fits fails the test if the page has to be moved sideways on a phone.
func fits(ctx context.Context, t *testing.T) {
	t.Helper()
	wide, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`document.documentElement.scrollWidth > innerWidth`))
	if err != nil || wide {
		t.Errorf("the page is wider than a phone, or %v", err)
	}
}

func text(ctx context.Context, t *testing.T, selector string) string {
	t.Helper()
	content, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS(selector)))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// TestAPersonPaysWhatWasScanned: a hostile description is text and nothing else, the list renews itself, a pasted code
// opens its order, and it is cancelled, paid, and not paid again.
func TestAPersonPaysWhatWasScanned(t *testing.T) {
	weChat, ctx := openWeChat(t), open(t)
	const hostile = `<img src=x onerror=alert(1)><script>alert(2)</script>` + "AVeryLongWordThatHasNoPlaceToBreakAndNeverEnds"
	order(t, weChat, "order-0001", "JSAPI", hostile)
	do(ctx, t, chromedp.Navigate(weChat.CashierURL()))
	if shown := text(ctx, t, "#orders .goods"); shown != hostile {
		t.Errorf("the description is shown as %s", shown)
	}
	fits(ctx, t)
	code := order(t, weChat, "order-0002", "NATIVE", "肥皂 x1")["code_url"]
	do(ctx, t, chromedp.WaitVisible(chromedp.CSS(`#orders a[href*="order-0002"]`))) // without a click
	do(ctx, t, chromedp.SendKeys(chromedp.CSS("#code"), code+"\n"), chromedp.WaitVisible(chromedp.CSS(".amount")))
	if amount := text(ctx, t, ".amount"); amount != "¥1.01" {
		t.Errorf("the amount is %s", amount)
	}
	fits(ctx, t)
	do(ctx, t, chromedp.Click(chromedp.CSS(`form[action="/cashier/cancel"] button`)), chromedp.WaitVisible(chromedp.CSS(".result")))
	if record := weChat.Ledger().Order(mchID, "order-0002"); record.Cancelled != 1 || record.Payment != nil {
		t.Errorf("WeChat has %+v", record)
	}
	do(ctx, t, chromedp.Click(chromedp.CSS(".pay")), chromedp.WaitNotPresent(chromedp.CSS(".pay")), chromedp.WaitVisible(chromedp.CSS(".result")))
	if record := weChat.Ledger().Order(mchID, "order-0002"); record.Payment == nil || text(ctx, t, ".result") != "Paid" {
		t.Errorf("WeChat has %+v", record)
	}
	do(ctx, t, chromedp.Click(chromedp.CSS(`a[href="/cashier/"]`)), chromedp.Click(chromedp.CSS(`header a[lang="zh-CN"]`)), chromedp.WaitVisible(chromedp.CSS(`html[lang="zh-CN"] h1`)))
	if title := text(ctx, t, "h1"); title != "模拟收银台" {
		t.Errorf("in Chinese it is called %s", title)
	}
}

// TestAPersonPaysTooLate: a closed order, and only when that is asked for.
func TestAPersonPaysTooLate(t *testing.T) {
	weChat, ctx := openWeChat(t), open(t)
	order(t, weChat, "order-0001", "JSAPI", "肥皂 x1")
	do(ctx, t, chromedp.Navigate(weChat.CashierURL()), chromedp.Click(chromedp.CSS(`a[href*="order-0001"]`)), chromedp.WaitVisible(chromedp.CSS(".pay")))
	call(t, weChat, "/pay/closeorder", map[string]string{"out_trade_no": "order-0001"})
	do(ctx, t, chromedp.Click(chromedp.CSS(".pay")), chromedp.WaitVisible(chromedp.CSS(".late")))
	if record := weChat.Ledger().Order(mchID, "order-0001"); record.Payment != nil {
		t.Error("a closed order was paid")
	}
	do(ctx, t, chromedp.Click(chromedp.CSS(".late")), chromedp.WaitVisible(chromedp.CSS(".result")))
	if record := weChat.Ledger().Order(mchID, "order-0001"); record.Payment == nil || !record.Payment.Forced {
		t.Errorf("WeChat has %+v", record)
	}
}

// TestAnH5PaymentReturnsToTheShop: the link leads to the cashier, and the payment back to where the shop said.
func TestAnH5PaymentReturnsToTheShop(t *testing.T) {
	weChat, ctx := openWeChat(t), open(t)
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<p id="back">%s</p>`, r.URL.Query().Get("order"))
	}))
	defer shop.Close()
	link := order(t, weChat, "order-0001", "MWEB", "肥皂 x1")["mweb_url"]
	do(ctx, t, chromedp.Navigate(link+"&redirect_url="+url.QueryEscape(shop.URL+"/?order=order-0001")),
		chromedp.Click(chromedp.CSS(".pay")), chromedp.WaitVisible(chromedp.CSS("#back")))
	if back := text(ctx, t, "#back"); back != "order-0001" {
		t.Errorf("the browser came back for %s", back)
	}
	if record := weChat.Ledger().Order(mchID, "order-0001"); record.Payment == nil {
		t.Error("it was not paid")
	}
}
