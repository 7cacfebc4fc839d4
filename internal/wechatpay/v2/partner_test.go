package v2

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// The sub merchant in the tests.
const (
	testSubMchID      = "1900000200"
	testOtherSubMchID = "1900000300"
	testSubAppID      = "wx1111111111111111"
)

func testPartner() *wechatpay.Partner {
	return &wechatpay.Partner{SubMchID: testSubMchID, SubAppID: testSubAppID}
}

// partnerClient returns a client of a service provider, which calls the server.
func (s *server) partnerClient(t testing.TB, partner *wechatpay.Partner) *Client {
	t.Helper()
	options := s.options(t)
	options.Partner = partner
	return newTestClient(t, options)
}

// receiverOf returns a receiver without a server.
func receiverOf(t testing.TB, partner *wechatpay.Partner) *receiver {
	t.Helper()
	options := testOptions()
	options.Partner = partner
	return newTestClient(t, options).receiver
}

var named = map[string]string{"sub_mch_id": testSubMchID, "sub_appid": testSubAppID}

// TestEveryRequestNamesTheSubMerchant: and in direct mode none does.
func TestEveryRequestNamesTheSubMerchant(t *testing.T) {
	for name, c := range map[string]struct {
		partner *wechatpay.Partner
		want    map[string]string
	}{
		"direct":               {nil, map[string]string{}},
		"without its appid":    {&wechatpay.Partner{SubMchID: testSubMchID}, map[string]string{"sub_mch_id": testSubMchID}},
		"with an appid of its": {testPartner(), named},
	} {
		for operation, call := range calls {
			t.Run(name+"/"+string(operation), func(t *testing.T) {
				s := newServer(t, done(with(doneFields[operation], c.want)))
				if err := call(t.Context(), s.partnerClient(t, c.partner)); err != nil {
					t.Fatal(err)
				}
				sent := s.only(t).fields
				got := map[string]string{}
				for _, field := range []string{"sub_mch_id", "sub_appid"} {
					if value, present := sent[field]; present {
						got[field] = value
					}
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if sent["mch_id"] != testMchID || sent["appid"] != testAppID || !oracleVerifies(sent, testKey, HMACSHA256) {
					t.Errorf("not signed by the provider for the provider: %v", sent)
				}
			})
		}
	}
}

// TestRepliesForAnotherSubMerchant: a genuine reply about another sub merchant, or of the other
// mode, proves nothing, and does not concern the other orders of the account.
func TestRepliesForAnotherSubMerchant(t *testing.T) {
	fails := func(more map[string]string) map[string]string {
		return reply("result_code", "FAIL", with(map[string]string{"err_code": "ORDERCLOSED"}, more))
	}
	for name, c := range map[string]struct {
		partner *wechatpay.Partner
		named   map[string]string
		text    string
	}{
		"another sub merchant":         {testPartner(), map[string]string{"sub_mch_id": testOtherSubMchID}, "sub_mch_id is not ours"},
		"the provider itself":          {testPartner(), map[string]string{"sub_mch_id": testMchID}, "sub_mch_id is not ours"},
		"a sub merchant's, for direct": {nil, named, "sub_mch_id is named, but this merchant number does not act for a sub merchant"},
	} {
		for operation, call := range calls {
			for kind, message := range map[string]map[string]string{
				"success": reply("result_code", "SUCCESS", with(doneFields[operation], c.named)), "failure": fails(c.named),
			} {
				t.Run(name+"/"+string(operation)+"/"+kind, func(t *testing.T) {
					err := call(t.Context(), newServer(t, says(message)).partnerClient(t, c.partner))
					expect(t, err, wechatpay.Unknown, wechatpay.NumberUsed, string(operation)+": the reply is not taken: "+c.text)
				})
			}
		}
	}
}

// TestRepliesThatNameNoSubMerchant: only what can make an Order Paid or end it has to name one.
func TestRepliesThatNameNoSubMerchant(t *testing.T) {
	for operation, call := range calls {
		err := call(t.Context(), newServer(t, done(doneFields[operation])).partnerClient(t, testPartner()))
		if operation == wechatpay.OperationQueryOrder {
			expect(t, err, wechatpay.Unknown, wechatpay.NumberUsed, "QueryOrder: the reply is not taken: sub_mch_id is missing")
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", operation, err)
		}
	}
	err := calls[wechatpay.OperationQueryOrder](t.Context(), newServer(t, fails("ORDERNOTEXIST", "")).partnerClient(t, testPartner()))
	expect(t, err, wechatpay.Failed, wechatpay.OrderNotExist, "")
}

func TestCallbacksInPartnerMode(t *testing.T) {
	for name, c := range map[string]struct {
		partner         *wechatpay.Partner
		named           map[string]string
		payment, refund string // the errors
	}{
		"ours":                    {testPartner(), named, "", ""},
		"ours, without its appid": {testPartner(), map[string]string{"sub_mch_id": testSubMchID}, "", ""},
		"no sub merchant":         {testPartner(), nil, "sub_mch_id is missing", ""},
		"an empty sub merchant":   {testPartner(), map[string]string{"sub_mch_id": ""}, "sub_mch_id is missing", ""},
		"another sub merchant":    {testPartner(), map[string]string{"sub_mch_id": testOtherSubMchID}, "sub_mch_id is not ours", "sub_mch_id is not ours"},
		"direct": {nil, named, "sub_mch_id is named, but this merchant number does not act for a sub merchant",
			"sub_mch_id is named, but this merchant number does not act for a sub merchant"},
	} {
		t.Run(name, func(t *testing.T) {
			r := receiverOf(t, c.partner)
			check := func(text string, err error) {
				t.Helper()
				if text == "" && err != nil {
					t.Error(err)
				} else if text != "" {
					expect(t, err, wechatpay.Refused, wechatpay.Rejected, text)
				}
			}
			prefixed := func(operation wechatpay.Operation, text string) string {
				if text == "" {
					return ""
				}
				return string(operation) + ": " + text
			}
			_, err := r.parsePayment(paymentBody(with(paymentMessage(), c.named), testKey, HMACSHA256))
			check(prefixed(wechatpay.OperationPaymentCallback, c.payment), err)
			_, err = r.parseRefund(oracleWrite(messageRoot, with(refundMessage(refundInfo(), testKey), c.named)))
			check(prefixed(wechatpay.OperationRefundCallback, c.refund), err)
		})
	}
}

// TestThePayerOfAPayment: WeChat Pay names the payer under one of two appids, or under both.
func TestThePayerOfAPayment(t *testing.T) {
	for name, c := range map[string]struct {
		payer     map[string]string
		want, sub string
	}{
		"under the provider's appid":     {map[string]string{"openid": "oProvider"}, "oProvider", ""},
		"under the sub merchant's appid": {map[string]string{"openid": "", "sub_openid": "oSub"}, "", "oSub"},
		"under both":                     {map[string]string{"openid": "oProvider", "sub_openid": "oSub"}, "oProvider", "oSub"},
		"not named":                      {map[string]string{"openid": ""}, "", ""},
	} {
		message := with(with(paymentMessage(), named), c.payer)
		got, err := receiverOf(t, testPartner()).parsePayment(paymentBody(message, testKey, HMACSHA256))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got.Payment.OpenID != c.want || got.Payment.SubOpenID != c.sub || got.Payment.AppID != testAppID || got.Payment.MchID != testMchID {
			t.Errorf("%s: %+v", name, got.Payment)
		}
	}
}

// TestThePayersParametersInPartnerMode: paySign names the appid in which the payer pays; an app of
// the sub merchant takes the sub merchant's number as partnerid.
func TestThePayersParametersInPartnerMode(t *testing.T) {
	withoutAppID := &wechatpay.Partner{SubMchID: testSubMchID}
	for name, c := range map[string]struct {
		partner          *wechatpay.Partner
		payerAppID       string
		appID, partnerID string
	}{
		"direct":                         {nil, "", testAppID, testMchID},
		"direct, said":                   {nil, testAppID, testAppID, testMchID},
		"in the provider's app":          {testPartner(), testAppID, testAppID, testMchID},
		"in the provider's app, default": {testPartner(), "", testAppID, testMchID},
		"in the sub merchant's app":      {testPartner(), testSubAppID, testSubAppID, testSubMchID},
		"sub merchant without an appid":  {withoutAppID, "", testAppID, testMchID},
	} {
		t.Run(name, func(t *testing.T) {
			for _, tradeType := range []wechatpay.TradeType{wechatpay.TradeTypeJSAPI, wechatpay.TradeTypeApp} {
				s := newServer(t, done(map[string]string{"prepay_id": "wx2017"}))
				c2 := s.partnerClient(t, c.partner)
				c2.settings.Now = func() time.Time { return time.Unix(1490840662, 0) }
				order := testOrder()
				order.TradeType, order.PayerAppID = tradeType, c.payerAppID
				prepay, err := c2.CreateOrder(t.Context(), order)
				if err != nil {
					t.Fatal(err)
				}
				if sent := s.only(t).fields; sent["appid"] != testAppID {
					t.Errorf("ordered under the appid %s", sent["appid"])
				}
				switch tradeType {
				case wechatpay.TradeTypeJSAPI:
					p := prepay.JSAPI
					want := oracleSign(map[string]string{
						"appId": c.appID, "timeStamp": "1490840662", "nonceStr": p.NonceStr, "package": "prepay_id=wx2017", "signType": "HMAC-SHA256",
					}, testKey, HMACSHA256)
					if p.AppID != c.appID || p.PaySign != want {
						t.Errorf("%+v", p)
					}
				default:
					p := prepay.App
					want := oracleSign(map[string]string{
						"appid": c.appID, "partnerid": c.partnerID, "prepayid": "wx2017", "package": "Sign=WXPay", "noncestr": p.NonceStr, "timestamp": "1490840662",
					}, testKey, HMACSHA256)
					if p.AppID != c.appID || p.PartnerID != c.partnerID || p.Sign != want {
						t.Errorf("%+v", p)
					}
				}
			}
		})
	}
}

func TestThePayerThatIsSent(t *testing.T) {
	for name, c := range map[string]struct {
		partner *wechatpay.Partner
		change  func(*wechatpay.OrderRequest)
		want    map[string]string
		text    string
	}{
		"openid":     {testPartner(), func(o *wechatpay.OrderRequest) { o.OpenID = "oProvider" }, map[string]string{"openid": "oProvider"}, ""},
		"sub_openid": {testPartner(), func(o *wechatpay.OrderRequest) { o.SubOpenID = "oSub" }, map[string]string{"sub_openid": "oSub"}, ""},
		"both": {testPartner(), func(o *wechatpay.OrderRequest) { o.OpenID, o.SubOpenID = "oProvider", "oSub" }, nil,
			"openid and sub_openid are both given"},
		"sub_openid without sub_appid": {&wechatpay.Partner{SubMchID: testSubMchID}, func(o *wechatpay.OrderRequest) { o.SubOpenID = "oSub" }, nil,
			"sub_openid is given, but the merchant has no sub_appid"},
		"sub_openid, direct": {nil, func(o *wechatpay.OrderRequest) { o.SubOpenID = "oSub" }, nil,
			"sub_openid is given, but the merchant has no sub_appid"},
		"in an app of neither": {testPartner(), func(o *wechatpay.OrderRequest) { o.PayerAppID = "wx0" }, nil,
			"the payer's appid is neither appid nor sub_appid"},
		"in another app, direct": {nil, func(o *wechatpay.OrderRequest) { o.PayerAppID = testSubAppID }, nil,
			"the payer's appid is neither appid nor sub_appid"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, done(doneFields[wechatpay.OperationCreateOrder]))
			order := testOrder()
			c.change(&order)
			_, err := s.partnerClient(t, c.partner).CreateOrder(t.Context(), order)
			if c.text != "" {
				expect(t, err, wechatpay.NotSent, wechatpay.Rejected, "CreateOrder: "+c.text)
				if len(s.seen()) != 0 {
					t.Error("it was sent")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			sent := maps.Clone(s.only(t).fields)
			maps.DeleteFunc(sent, func(name, _ string) bool { return !slices.Contains([]string{"openid", "sub_openid"}, name) })
			if diff := cmp.Diff(c.want, sent); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
