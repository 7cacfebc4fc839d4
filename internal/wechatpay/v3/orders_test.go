package v3

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

func TestPrepayRequests(t *testing.T) {
	h5 := testOrder()
	h5.TradeType, h5.ClientIP, h5.H5 = wechatpay.TradeTypeMWEB, "203.0.113.7", &wechatpay.H5{
		Type: wechatpay.H5TypeIOS, Name: "商店", URL: "https://shop.example.com", BundleID: "com.example.shop",
	}
	app := testOrder()
	app.TradeType = wechatpay.TradeTypeApp
	withOpenID := testOrder()
	withOpenID.OpenID = testOpenID
	bySub, byProvider := testOrder(), testOrder()
	bySub.TradeType, bySub.SubOpenID, bySub.PayerAppID = wechatpay.TradeTypeJSAPI, testSubOpenID, testSubAppID
	byProvider.TradeType, byProvider.OpenID, byProvider.PayerAppID = wechatpay.TradeTypeJSAPI, testOpenID, testAppID
	store := testOrder()
	store.Store = &wechatpay.Store{ID: "0001"}
	const common = `"description":"肥皂 x1","out_trade_no":"ord_20260101-0001"`
	const rest = `"notify_url":"https://pay.example.com/notify","amount":{"total":101,"currency":"CNY"}`
	const whose = `{"appid":"wx0000000000000001","mchid":"1900000001",`
	const partners = `{"sp_appid":"wx0000000000000001","sp_mchid":"1900000001","sub_appid":"wx0000000000000002","sub_mchid":"1900000109",`
	for name, c := range map[string]struct {
		order   wechatpay.OrderRequest
		partner bool
		path    string
		body    string
	}{
		"native":                        {testOrder(), false, "/v3/pay/transactions/native", whose + common + "," + rest + "}"},
		"native takes no payer":         {withOpenID, false, "/v3/pay/transactions/native", whose + common + "," + rest + "}"},
		"app":                           {app, false, "/v3/pay/transactions/app", whose + common + "," + rest + "}"},
		"an address that is not known":  {store, false, "/v3/pay/transactions/native", whose + common + "," + rest + `,"scene_info":{"payer_client_ip":"127.0.0.1","store_info":{"id":"0001"}}}`},
		"h5":                            {h5, false, "/v3/pay/transactions/h5", whose + common + "," + rest + `,"scene_info":{"payer_client_ip":"203.0.113.7","h5_info":{"type":"iOS","app_name":"商店","app_url":"https://shop.example.com","bundle_id":"com.example.shop"}}}`},
		"partner":                       {testOrder(), true, "/v3/pay/partner/transactions/native", partners + common + "," + rest + "}"},
		"partner, the sub merchant's":   {bySub, true, "/v3/pay/partner/transactions/jsapi", partners + common + "," + rest + `,"payer":{"sub_openid":"oVectorSubOpenid0000000000001"}}`},
		"partner, the provider's payer": {byProvider, true, "/v3/pay/partner/transactions/jsapi", partners + common + "," + rest + `,"payer":{"sp_openid":"oVectorOpenid0000000000000001"}}`},
		"everything": {fullOrder(), false, "/v3/pay/transactions/jsapi", whose + common +
			`,"time_expire":"2024-06-01T08:30:00+08:00","attach":"ns=default|name=demo","notify_url":"https://pay.example.com/notify","goods_tag":"WXG",` +
			`"limit_pay":["no_credit"],"support_fapiao":true,"amount":{"total":101,"currency":"CNY"},"payer":{"openid":"oVectorOpenid0000000000000001"},` +
			`"detail":{"cost_price":120,"invoice_id":"r-1","goods_detail":[{"merchant_goods_id":"soap","wechatpay_goods_id":"1001","goods_name":"肥皂 <A&B>","quantity":1,"unit_price":100},` +
			`{"merchant_goods_id":"bag","quantity":2,"unit_price":0}]},"scene_info":{"payer_client_ip":"203.0.113.7","device_id":"till-3",` +
			`"store_info":{"id":"0001","name":"腾讯大厦分店","area_code":"440305","address":"广东省深圳市"}},"settle_info":{"profit_sharing":true}}`},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, says(200, `{"prepay_id":"wx2014","code_url":"weixin://x","h5_url":"https://wx.tenpay.com/x?a=b&c=d"}`))
			client := s.client(t)
			if c.partner {
				client = s.partnerClient(t)
			}
			for range 2 {
				if _, err := client.CreateOrder(t.Context(), c.order); err != nil {
					t.Fatal(err)
				}
			}
			for _, sent := range s.seen() {
				if sent.method != "POST" || sent.target != c.path {
					t.Errorf("%s %s", sent.method, sent.target)
				}
				if sent.body != c.body {
					t.Errorf("sent\n%s\nnot\n%s", sent.body, c.body)
				}
				if sent.header.Get("Content-Type") != "application/json" || sent.header.Get("Accept") != "application/json" {
					t.Errorf("%v", sent.header)
				}
			}
		})
	}
}

// verifyPaySign verifies what a payer's client would be handed.
func verifyPaySign(t *testing.T, signature string, parts ...string) {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(signature)
	digest := sha256.Sum256([]byte(strings.Join(parts, "\n") + "\n"))
	if err != nil || rsa.VerifyPKCS1v15(&testKeys()["merchant"].private.PublicKey, crypto.SHA256, digest[:], raw) != nil {
		t.Errorf("the signature of %q is wrong (%v)", parts, err)
	}
}

func TestWhatThePayerGets(t *testing.T) {
	const answered = `{"prepay_id":"wx2014","code_url":"weixin://x","h5_url":"https://wx.tenpay.com/x?a=b&c=d"}`
	for name, c := range map[string]struct {
		tradeType                    wechatpay.TradeType
		partner                      bool
		payerAppID, appID, partnerID string
	}{
		"JSAPI":                     {wechatpay.TradeTypeJSAPI, false, "", testAppID, ""},
		"JSAPI of the provider":     {wechatpay.TradeTypeJSAPI, true, testAppID, testAppID, ""},
		"JSAPI of the sub merchant": {wechatpay.TradeTypeJSAPI, true, testSubAppID, testSubAppID, ""},
		"APP":                       {wechatpay.TradeTypeApp, false, "", testAppID, testMchID},
		"APP of the provider":       {wechatpay.TradeTypeApp, true, testAppID, testAppID, testMchID},
		"APP of the sub merchant":   {wechatpay.TradeTypeApp, true, testSubAppID, testSubAppID, testSubMchID},
		"NATIVE":                    {wechatpay.TradeTypeNative, false, "", "", ""},
		"MWEB":                      {wechatpay.TradeTypeMWEB, false, "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, says(200, answered))
			client := s.client(t)
			if c.partner {
				client = s.partnerClient(t)
			}
			order := testOrder()
			order.TradeType, order.PayerAppID = c.tradeType, c.payerAppID
			switch c.tradeType {
			case wechatpay.TradeTypeMWEB:
				order.ClientIP, order.H5 = "203.0.113.7", &wechatpay.H5{Type: wechatpay.H5TypeWap}
			case wechatpay.TradeTypeJSAPI:
				order.OpenID = testOpenID
			}
			got, err := client.CreateOrder(t.Context(), order)
			if err != nil {
				t.Fatal(err)
			}
			if got.Scheme != "" {
				t.Errorf("a scheme: %q", got.Scheme)
			}
			switch c.tradeType {
			case wechatpay.TradeTypeJSAPI:
				p := got.JSAPI
				verifyPaySign(t, p.PaySign, c.appID, "1717200000", p.NonceStr, "prepay_id=wx2014")
				if p.AppID != c.appID || p.SignType != "RSA" || p.Package != "prepay_id=wx2014" || got.ID != "wx2014" || got.App != nil {
					t.Errorf("%+v", p)
				}
			case wechatpay.TradeTypeApp:
				p := got.App
				verifyPaySign(t, p.Sign, c.appID, "1717200000", p.NonceStr, "wx2014")
				if p.AppID != c.appID || p.PartnerID != c.partnerID || p.Package != "Sign=WXPay" || p.PrepayID != "wx2014" || got.JSAPI != nil {
					t.Errorf("%+v", p)
				}
			case wechatpay.TradeTypeNative:
				if diff := cmp.Diff(wechatpay.Prepay{CodeURL: "weixin://x"}, got); diff != "" {
					t.Error(diff)
				}
			case wechatpay.TradeTypeMWEB:
				if diff := cmp.Diff(wechatpay.Prepay{MWEBURL: "https://wx.tenpay.com/x?a=b&c=d"}, got); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

func TestPrepayAnswersThatAreNotTaken(t *testing.T) {
	for answer, want := range map[string]string{
		`{}`:                           "CreateOrder: the reply has no code_url",
		`{"prepay_id":"wx2014"}`:       "CreateOrder: the reply has no code_url",
		`{"code_url":null}`:            "CreateOrder: the reply has no code_url",
		`{"code_url":7}`:               "CreateOrder: the reply cannot be read: /code_url has a value of the wrong type",
		`{"code_url":"wx\u202e"}`:      "CreateOrder: code_url of the reply holds control characters",
		`{"code_url":"a"} {}`:          "CreateOrder: the reply cannot be read: it is not JSON",
		`{"code_url":"a","x":1,"x":2}`: "CreateOrder: the reply cannot be read: a member occurs twice",
		"{\"code_url\":\"\xff\"}":      "CreateOrder: the reply cannot be read: it is not JSON",
		`<html>`:                       "CreateOrder: answered with an HTML page",
	} {
		_, err := newServer(t, says(200, answer)).client(t).CreateOrder(t.Context(), testOrder())
		expect(t, err, wechatpay.Unknown, wechatpay.NeedsAttention, want)
	}
}

func TestOrdersThatWeChatWouldNotTake(t *testing.T) {
	change := func(with func(*wechatpay.OrderRequest)) wechatpay.OrderRequest {
		order := fullOrder()
		with(&order)
		return order
	}
	for want, order := range map[string]wechatpay.OrderRequest{
		"the amount is out of range":                                                                             change(func(o *wechatpay.OrderRequest) { o.Total = 0 }),
		"WeChat Pay's protocol V3 takes no other currency than CNY here":                                         change(func(o *wechatpay.OrderRequest) { o.Currency = "HKD" }),
		"the order's number is not 6 to 32 characters of [0-9A-Za-z_-|*]":                                        change(func(o *wechatpay.OrderRequest) { o.OutTradeNo = "../../x" }),
		"the description is missing":                                                                             change(func(o *wechatpay.OrderRequest) { o.Description = "" }),
		"description has 128 characters: WeChat Pay takes 127":                                                   change(func(o *wechatpay.OrderRequest) { o.Description = strings.Repeat("皂", 128) }),
		"description holds an emoji or another character of four bytes in UTF-8, which WeChat Pay does not take": change(func(o *wechatpay.OrderRequest) { o.Description = "皂😀" }),
		"attach has 129 characters: WeChat Pay takes 128":                                                        change(func(o *wechatpay.OrderRequest) { o.Attach = strings.Repeat("a", 129) }),
		"goodsTag has 33 characters: WeChat Pay takes 32":                                                        change(func(o *wechatpay.OrderRequest) { o.GoodsTag = strings.Repeat("a", 33) }),
		"deviceInfo is not UTF-8":                                                                                change(func(o *wechatpay.OrderRequest) { o.DeviceInfo = "\xff" }),
		"JSAPI takes the payer's openid":                                                                         change(func(o *wechatpay.OrderRequest) { o.OpenID = "" }),
		"payer.subOpenID is for the Merchants of service providers":                                              change(func(o *wechatpay.OrderRequest) { o.OpenID, o.SubOpenID = "", "x" }),
		"the appid in which the payer pays is neither the Merchant's nor the sub merchant's":                     change(func(o *wechatpay.OrderRequest) { o.PayerAppID = testSubAppID }),
		"the callback's URL does not begin with https://":                                                        change(func(o *wechatpay.OrderRequest) { o.NotifyURL = "pay.example.com" }),
		"the callback's URL has a query or a fragment":                                                           change(func(o *wechatpay.OrderRequest) { o.NotifyURL += "?a=b" }),
		"goods.items[1]: id is not characters of [0-9A-Za-z_-]":                                                  change(func(o *wechatpay.OrderRequest) { o.Goods.Items[1].ID = "a b" }),
		"goods.items[0]: quantity is out of range":                                                               change(func(o *wechatpay.OrderRequest) { o.Goods.Items[0].Quantity = 0 }),
		"goods.items[0]: name has 257 characters: WeChat Pay takes 256":                                          change(func(o *wechatpay.OrderRequest) { o.Goods.Items[0].Name = strings.Repeat("皂", 257) }),
		"goods.receiptID has 33 characters: WeChat Pay takes 32":                                                 change(func(o *wechatpay.OrderRequest) { o.Goods.ReceiptID = strings.Repeat("a", 33) }),
		"goods.costPrice is negative":                                                                            change(func(o *wechatpay.OrderRequest) { o.Goods.CostPrice = -1 }),
		"store.id is missing":                                                                                    change(func(o *wechatpay.OrderRequest) { o.Store.ID = "" }),
		"store.address has 513 characters: WeChat Pay takes 512":                                                 change(func(o *wechatpay.OrderRequest) { o.Store.Address = strings.Repeat("号", 513) }),
		"h5 is for MWEB only":                                                                                    change(func(o *wechatpay.OrderRequest) { o.H5 = &wechatpay.H5{} }),
		"MWEB takes h5, which says what sends the payer to WeChat":                                               change(func(o *wechatpay.OrderRequest) { o.TradeType = wechatpay.TradeTypeMWEB }),
		"MWEB takes the payer's address (clientIP): WeChat Pay compares it with that of the browser": change(func(o *wechatpay.OrderRequest) {
			o.TradeType, o.H5, o.ClientIP = wechatpay.TradeTypeMWEB, &wechatpay.H5{}, ""
		}),
		"the trade type is not JSAPI, NATIVE, APP or MWEB":                                                  change(func(o *wechatpay.OrderRequest) { o.TradeType = "MICROPAY" }),
		"the goods come to 7918 bytes: WeChat Pay's protocol V3 takes 6144. Create another Order with less": change(func(o *wechatpay.OrderRequest) { o.Goods = manyGoods(100) }),
	} {
		s := newServer(t, done(wechatpay.OperationCreateOrder))
		_, err := s.client(t).CreateOrder(t.Context(), order)
		expect(t, err, wechatpay.NotSent, wechatpay.Rejected, "CreateOrder: "+want)
		if len(s.seen()) != 0 {
			t.Errorf("%s: sent", want)
		}
	}
}

func manyGoods(n int) *wechatpay.Goods {
	goods := &wechatpay.Goods{}
	for range n {
		goods.Items = append(goods.Items, wechatpay.GoodsItem{ID: "soap", Name: "soap", Quantity: 1, Price: 100})
	}
	return goods
}

func TestPayersOfAProvider(t *testing.T) {
	noSubAppID := testOptions()
	noSubAppID.Partner = &wechatpay.Partner{SubMchID: testSubMchID}
	order := testOrder()
	order.TradeType, order.SubOpenID = wechatpay.TradeTypeJSAPI, testSubOpenID
	_, err := newTestClient(t, noSubAppID).CreateOrder(t.Context(), order)
	expect(t, err, wechatpay.NotSent, wechatpay.Rejected, "CreateOrder: payer.subOpenID takes the sub merchant's appid, which the Merchant does not have")
	both := testOptions()
	both.Partner = testPartner()
	order.OpenID = testOpenID
	_, err = newTestClient(t, both).CreateOrder(t.Context(), order)
	expect(t, err, wechatpay.NotSent, wechatpay.Rejected, "CreateOrder: payer has both openID and subOpenID")
}

// TestRequestsAreJSONWithoutNull: WeChat takes no null, and a repeated call has to be the same.
func TestRequestsAreJSONWithoutNull(t *testing.T) {
	c := newTestClient(t, testOptions())
	words := rapid.StringMatching(`[ -~\x{4e00}-\x{4eff}]{1,30}`)
	rapid.Check(t, func(t *rapid.T) {
		order := testOrder()
		order.Description, order.Attach, order.GoodsTag = words.Draw(t, "description"), words.Draw(t, "attach"), words.Draw(t, "tag")
		order.Total = rapid.Int64Range(1, maxAmount).Draw(t, "total")
		if rapid.Bool().Draw(t, "goods") {
			order.Goods = manyGoods(rapid.IntRange(0, 5).Draw(t, "n"))
		}
		if rapid.Bool().Draw(t, "store") {
			order.Store = &wechatpay.Store{ID: "1", Name: words.Draw(t, "store name")}
		}
		first, err := c.prepayCall(order)
		if err != nil {
			t.Fatal(err)
		}
		second, _ := c.prepayCall(order)
		if string(first.body) != string(second.body) {
			t.Fatal("the repeated call differs")
		}
		var read map[string]any
		if err := json.Unmarshal(first.body, &read); err != nil || strings.Contains(string(first.body), "null") && !strings.Contains(order.Description+order.Attach+order.GoodsTag, "null") {
			t.Fatalf("%s (%v)", first.body, err)
		}
		if read["description"] != order.Description || read["attach"] != order.Attach {
			t.Fatalf("%s", first.body)
		}
	})
}

func TestTimesAreBeijings(t *testing.T) {
	for _, at := range []time.Time{time.Unix(1717200000, 7), time.Unix(1717200000, 0).UTC()} {
		if got := formatTime(at); got != "2024-06-01T08:00:00+08:00" {
			t.Error(got)
		}
	}
	if got := formatTime(time.Time{}); got != "" {
		t.Error(got)
	}
	for text, want := range map[string]int64{
		"2024-06-01T08:00:00+08:00": 1717200000, "2024-06-01T00:00:00.123Z": 1717200000, "20240601080000": 0, "": 0,
	} {
		if got := timeIfSaid(text); want == 0 && !got.IsZero() || want != 0 && got.Unix() != want {
			t.Errorf("%q is %v", text, got)
		}
	}
}
