package v3

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

func TestRefundRequests(t *testing.T) {
	const common = `"out_trade_no":"ord_20260101-0001","out_refund_no":"rf-20260102-1"`
	const amount = `"amount":{"refund":50,"total":101,"currency":"CNY"}}`
	emoji, short := testRefund(), testRefund()
	emoji.Reason = "质量😀问题"
	short.Reason, short.NotifyURL, short.Currency = "", "", ""
	for name, c := range map[string]struct {
		refund  wechatpay.RefundRequest
		partner bool
		body    string
	}{
		"direct":  {testRefund(), false, `{` + common + `,"reason":"质量问题","notify_url":"https://pay.example.com/refund",` + amount},
		"partner": {testRefund(), true, `{"sub_mchid":"1900000109",` + common + `,"reason":"质量问题","notify_url":"https://pay.example.com/refund",` + amount},
		"emoji":   {emoji, false, `{` + common + `,"reason":"质量问题","notify_url":"https://pay.example.com/refund",` + amount},
		"short":   {short, false, `{` + common + `,` + amount},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, says(200, refundBody("PROCESSING")))
			client := s.client(t)
			if c.partner {
				client = s.partnerClient(t)
			}
			for range 2 {
				got, err := client.CreateRefund(t.Context(), c.refund)
				if err != nil || got.RefundID != testRefundID {
					t.Fatalf("%+v (%v)", got, err)
				}
			}
			for _, sent := range s.seen() {
				if sent.method != "POST" || sent.target != "/v3/refund/domestic/refunds" || sent.body != c.body {
					t.Errorf("sent\n%s\nnot\n%s", sent.body, c.body)
				}
			}
		})
	}
}

func TestRefundsThatWeChatWouldNotTake(t *testing.T) {
	c := newTestClient(t, testOptions())
	for want, change := range map[string]func(*wechatpay.RefundRequest){
		"the order's amount is out of range":                                func(r *wechatpay.RefundRequest) { r.Total = 0 },
		"the refund's amount is out of range":                               func(r *wechatpay.RefundRequest) { r.Amount = 102 },
		"the order's number is not 6 to 32 characters of [0-9A-Za-z_-|*]":   func(r *wechatpay.RefundRequest) { r.OutTradeNo = "" },
		"the refund's number is not 1 to 64 characters of [0-9A-Za-z_-|*@]": func(r *wechatpay.RefundRequest) { r.OutRefundNo = "a b" },
		"WeChat Pay's protocol V3 takes no other currency than CNY here":    func(r *wechatpay.RefundRequest) { r.Currency = "USD" },
		"the reason has more than 80 bytes": func(r *wechatpay.RefundRequest) {
			r.Reason = "一二三四五六七八九十一二三四五六七八九十一二三四五六七"
		},
		"the callback's URL does not begin with https://": func(r *wechatpay.RefundRequest) { r.NotifyURL = "ftp://x" },
		"the reason is not UTF-8":                         func(r *wechatpay.RefundRequest) { r.NotifyURL = "https://\xff" },
	} {
		request := testRefund()
		change(&request)
		_, err := c.CreateRefund(t.Context(), request)
		expect(t, err, wechatpay.NotSent, wechatpay.Rejected, "CreateRefund: "+want)
	}
}

func TestRefundAnswersThatAreNotTaken(t *testing.T) {
	change := func(name string, value any) string {
		var body map[string]any
		if err := json.Unmarshal([]byte(refundBody("PROCESSING")), &body); err != nil {
			t.Fatal(err)
		}
		body[name] = value
		return jsonOf(body)
	}
	for want, c := range map[string]struct {
		body    string
		partner bool
	}{
		"the reply is for another out_trade_no":                               {change("out_trade_no", "other-0001"), false},
		"the reply is for another out_refund_no":                              {change("out_refund_no", "other"), false},
		"the reply has no refund_id":                                          {change("refund_id", ""), false},
		"the reply is for another amount":                                     {change("amount", map[string]any{"refund": 51}), false},
		"the reply is not for this call: mchid is not ours":                   {change("mchid", "1900000002"), false},
		"the reply is not for this call: sub_mchid is another sub merchant's": {change("sub_mchid", "1900000110"), true},
	} {
		s := newServer(t, says(200, c.body))
		client := s.client(t)
		if c.partner {
			client = s.partnerClient(t)
		}
		_, err := client.CreateRefund(t.Context(), testRefund())
		expect(t, err, wechatpay.Unknown, wechatpay.NeedsAttention, "CreateRefund: "+want)
	}
}

func TestRefundQueries(t *testing.T) {
	for said, want := range map[string]wechatpay.RefundStatus{
		"PROCESSING": wechatpay.RefundStatusProcessing, "SUCCESS": wechatpay.RefundStatusSucceeded, "CLOSED": wechatpay.RefundStatusClosed,
		"ABNORMAL": wechatpay.RefundStatusAbnormal, "SOMETHING": "SOMETHING", "REFUNDCLOSE": "REFUNDCLOSE",
	} {
		for _, partner := range []bool{false, true} {
			s := newServer(t, says(200, refundBody(said)))
			client, target := s.client(t), "/v3/refund/domestic/refunds/rf-20260102-1"
			if partner {
				client, target = s.partnerClient(t), target+"?sub_mchid=1900000109"
			}
			got, err := client.QueryRefund(t.Context(), testRefundRef)
			if err != nil {
				t.Fatal(err)
			}
			fact := wechatpay.RefundFact{
				OutTradeNo: testNumber, OutRefundNo: testRefundNumber, RefundID: testRefundID, Status: want, Amount: 50, ReceivedAccount: "招商银行信用卡0403",
			}
			if want == wechatpay.RefundStatusSucceeded {
				fact.SuccessTime = time.Unix(1717199999, 0)
			}
			if diff := cmp.Diff(fact, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if sent := s.only(t); sent.method != "GET" || sent.target != target {
				t.Errorf("%+v", sent)
			}
		}
	}
	_, err := newServer(t, fails(404, "RESOURCE_NOT_EXISTS")).client(t).QueryRefund(t.Context(), testRefundRef)
	expect(t, err, wechatpay.Failed, wechatpay.RefundNotExist, "")
	_, err = newServer(t, says(200, refundBody(""))).client(t).QueryRefund(t.Context(), testRefundRef)
	expect(t, err, wechatpay.Unknown, wechatpay.NeedsAttention, "QueryRefund: status is missing")
	_, err = newServer(t, says(200, refundBody("SUCCESS"))).client(t).QueryRefund(t.Context(), wechatpay.RefundRef{OutRefundNo: "other"})
	expect(t, err, wechatpay.Unknown, wechatpay.NeedsAttention, "QueryRefund: the reply is for another out_refund_no")
}

// TestAllRefundsOfAnOrderCannotBeAsked for, and that is nobody's mistake.
func TestAllRefundsOfAnOrderCannotBeAsked(t *testing.T) {
	facts, err := newTestClient(t, testOptions()).QueryRefunds(t.Context(), testOrderRef)
	expect(t, err, wechatpay.NotSent, wechatpay.Rejected, "QueryRefund: WeChat Pay's protocol V3 has no call that returns all refunds of an order")
	if facts != nil {
		t.Error(facts)
	}
}

// TestAbnormalRefunds: the bank card is encrypted with the key that the request names.
func TestAbnormalRefunds(t *testing.T) {
	for name, c := range map[string]struct {
		key            string
		publicKey, sub bool
	}{"public key": {"wechatpay_pub", true, false}, "newest certificate": {"platform_b", false, false}, "partner": {"wechatpay_pub", true, true}} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, saysBy(c.key, 200, refundBody("PROCESSING")))
			options := s.options(t)
			if !c.publicKey {
				options.PublicKeys = nil
			}
			if c.sub {
				options.Partner = testPartner()
			}
			if err := newTestClient(t, options).ResolveAbnormalRefund(t.Context(), testAbnormal()); err != nil {
				t.Fatal(err)
			}
			sent := s.only(t)
			if sent.target != "/v3/refund/domestic/refunds/"+testRefundID+"/apply-abnormal-refund" || sent.header.Get(headerSerial) != testKeys()[c.key].serial {
				t.Errorf("%s, %s", sent.target, sent.header.Get(headerSerial))
			}
			var body map[string]string
			if err := json.Unmarshal([]byte(sent.body), &body); err != nil {
				t.Fatal(err)
			}
			for member, want := range map[string]string{"bank_account": testAbnormal().Account, "real_name": testAbnormal().Name} {
				encrypted, err := base64.StdEncoding.DecodeString(body[member])
				if err != nil {
					t.Fatal(err)
				}
				got, err := rsa.DecryptOAEP(sha1.New(), rand.Reader, testKeys()[c.key].private, encrypted, nil)
				if err != nil || string(got) != want {
					t.Errorf("%s is %q (%v)", member, got, err)
				}
				delete(body, member)
			}
			want := map[string]string{"out_refund_no": testRefundNumber, "type": "USER_BANK_CARD", "bank_type": "ICBC_DEBIT"}
			if c.sub {
				want["sub_mchid"] = testSubMchID
			}
			if diff := cmp.Diff(want, body); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAbnormalRefundToTheMerchant(t *testing.T) {
	s := newServer(t, says(200, refundBody("PROCESSING")))
	request := wechatpay.AbnormalRefundRequest{OutRefundNo: testRefundNumber, RefundID: testRefundID, To: wechatpay.AbnormalToMerchantBankCard}
	if err := s.client(t).ResolveAbnormalRefund(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	if sent := s.only(t); sent.body != `{"out_refund_no":"rf-20260102-1","type":"MERCHANT_BANK_CARD"}` {
		t.Error(sent.body)
	}
	err := newServer(t, fails(403, "NO_AUTH")).client(t).ResolveAbnormalRefund(t.Context(), request)
	expect(t, err, wechatpay.Failed, wechatpay.NoRight, "")
	request.RefundID = "other"
	err = newServer(t, says(200, refundBody("PROCESSING"))).client(t).ResolveAbnormalRefund(t.Context(), request)
	expect(t, err, wechatpay.Unknown, wechatpay.NeedsAttention, "ResolveAbnormalRefund: the reply is for another refund_id")
}

func TestAbnormalRefundsThatWeChatWouldNotTake(t *testing.T) {
	c := newTestClient(t, testOptions())
	for want, change := range map[string]func(*wechatpay.AbnormalRefundRequest){
		"WeChat Pay's number of the refund is missing or not letters and digits": func(r *wechatpay.AbnormalRefundRequest) { r.RefundID = "../1" },
		"the target is neither MerchantBankCard nor UserBankCard":                func(r *wechatpay.AbnormalRefundRequest) { r.To = "Elsewhere" },
		"UserBankCard takes the bank type, and account and name of the card":     func(r *wechatpay.AbnormalRefundRequest) { r.Name = "" },
		"the bank type is not that of a debit card (like ICBC_DEBIT)":            func(r *wechatpay.AbnormalRefundRequest) { r.BankType = "ICBC_CREDIT" },
		"MerchantBankCard takes no bank card: the money goes to the merchant's own": func(r *wechatpay.AbnormalRefundRequest) {
			r.To = wechatpay.AbnormalToMerchantBankCard
		},
	} {
		request := testAbnormal()
		change(&request)
		expect(t, c.ResolveAbnormalRefund(t.Context(), request), wechatpay.NotSent, wechatpay.Rejected, "ResolveAbnormalRefund: "+want)
	}
	long := testAbnormal()
	for range 5 {
		long.Account += long.Account
	}
	expect(t, c.ResolveAbnormalRefund(t.Context(), long), wechatpay.NotSent, wechatpay.NeedsAttention, "ResolveAbnormalRefund: the bank card can't be encrypted: account or name is too long")
}
