package v3

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/transport"
)

// The order in ../testdata/comparison, and where it is sent.
const (
	comparisonNumber = "order-20260101-0001"
	comparisonTarget = "/v3/pay/transactions/jsapi"
)

// message is a signed message as it comes in.
type message struct {
	header http.Header
	body   []byte
	sent   *bytes.Reader
}

// read reads its body, as the callback server and the transport do.
func (m message) read() ([]byte, error) {
	m.sent.Reset(m.body)
	return io.ReadAll(io.LimitReader(m.sent, maxAnswer+1))
}

func takePayment(c *Client, m message) (wechatpay.Notification, error) {
	body, err := m.read()
	if err != nil {
		return wechatpay.Notification{}, err
	}
	return c.Parse(wechatpay.Delivery{Kind: wechatpay.PaymentCallback, Header: m.header, Body: body, Time: c.settings.Now()})
}

func makeOrder(c *Client, order wechatpay.OrderRequest) (body []byte, authorization string, err error) {
	call, err := c.prepayCall(order)
	if err != nil {
		return nil, "", err
	}
	authorization, err = c.signer.authorization(call.method, call.target, call.body, c.settings.Now(), newNonce())
	return call.body, authorization, err
}

func takeReply(c *Client, m message) (wechatpay.Trade, error) {
	body, err := m.read()
	if err != nil {
		return wechatpay.Trade{}, err
	}
	answer := transport.Answer{Status: http.StatusOK, Header: m.header, Body: body}
	failure, _ := c.judge(context.Background(), call{operation: wechatpay.OperationQueryOrder}, answer)
	if failure != nil {
		return wechatpay.Trade{}, failure
	}
	return c.readTrade(body, comparisonNumber)
}

// TestComparison checks what is compared: all clients read the same facts and send the same
// members.
func TestComparison(t *testing.T) {
	c := comparisonClient(t)
	callback, err := takePayment(c, comparisonMessage(t, "payment-v3.json"))
	if err != nil || callback.Payment == nil {
		t.Fatalf("a payment: %+v, %v", callback, err)
	}
	reply, err := takeReply(c, comparisonMessage(t, "trade-v3.json"))
	if err != nil || !reply.State.Paid() {
		t.Fatalf("a reply: %+v, %v", reply, err)
	}
	for _, payment := range []wechatpay.Payment{*callback.Payment, reply.Payment} {
		want := wechatpay.Payment{
			AppID: testAppID, MchID: testMchID, OutTradeNo: comparisonNumber, TransactionID: "4200000000202601010000000001",
			Total: 101, Currency: "CNY", CashTotal: new(int64(101)), CashCurrency: "CNY",
			OpenID: "oUpF8uMEb4qRXf22hE3X68TekukE", BankType: "OTHERS", TradeType: "JSAPI", Attach: "支付测试",
			PaidTime: time.Date(2026, 1, 1, 12, 5, 0, 0, beijing),
		}
		if diff := cmp.Diff(want, payment); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	merchant := []*x509.Certificate{testKeys()["merchant"].certificate}
	body, authorization, err := makeOrder(c, comparisonOrder(t))
	if err != nil {
		t.Fatal(err)
	}
	_, err = oracleAuthorization(authorization, http.MethodPost, comparisonTarget, string(body), time.Now(), merchant)
	if err != nil {
		t.Errorf("the order is not signed: %v", err)
	}
	if diff := cmp.Diff(string(comparisonFile(t, "order-v3.json")), string(body)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func comparisonClient(t testing.TB) *Client {
	t.Helper()
	options := testOptions()
	options.Now = nil // the clock
	return newTestClient(t, options)
}

func comparisonFile(t testing.TB, name string) []byte {
	t.Helper()
	content, err := os.ReadFile("../testdata/comparison/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// comparisonMessage signs a body now, as WeChat does.
func comparisonMessage(t testing.TB, name string) message {
	t.Helper()
	body := comparisonFile(t, name)
	header := oracleHeaders(testKeys()["wechatpay_pub"], time.Now(), string(body))
	return message{header, body, bytes.NewReader(nil)}
}

// comparisonOrder is the order that all sides send. Its file has the names of API v2.
func comparisonOrder(t testing.TB) wechatpay.OrderRequest {
	t.Helper()
	var p map[string]string
	if err := json.Unmarshal(comparisonFile(t, "order.json"), &p); err != nil {
		t.Fatal(err)
	}
	total, err := strconv.ParseInt(p["total_fee"], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return wechatpay.OrderRequest{
		OutTradeNo: p["out_trade_no"], AppID: testAppID, TradeType: wechatpay.TradeType(p["trade_type"]),
		Description: p["body"], Total: total, Currency: p["fee_type"], ClientIP: p["spbill_create_ip"],
		OpenID: p["openid"], NotifyURL: p["notify_url"], Attach: p["attach"],
	}
}
