package v3

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// receive does what the callback server does.
func receive(c *Client, delivery wechatpay.Delivery) (wechatpay.Notification, error) {
	c.Prepare(context.Background(), delivery)
	return c.Parse(delivery)
}

// eventBody is a callback with an encrypted content.
func eventBody(eventType string, sealed resource) string {
	return jsonOf(map[string]any{
		"id": "EV-1", "create_time": "2024-06-01T07:59:59+08:00", "resource_type": "encrypt-resource", "event_type": eventType, "summary": "文字",
		"resource": map[string]any{
			"original_type": sealed.OriginalType, "algorithm": sealed.Algorithm, "ciphertext": sealed.Ciphertext,
			"associated_data": sealed.AssociatedData, "nonce": sealed.Nonce,
		},
	})
}

func paymentEvent(content string) string {
	return eventBody("TRANSACTION.SUCCESS", oracleSeal(testKey, content, "transaction", "transaction"))
}

func refundEvent(status string, more map[string]any) string {
	content := map[string]any{
		"mchid": testMchID, "transaction_id": "4200000000202406011234567890", "out_trade_no": testNumber, "refund_id": testRefundID,
		"out_refund_no": testRefundNumber, "refund_status": status, "user_received_account": "招商银行信用卡0403",
		"amount": map[string]any{"total": 101, "refund": 50, "payer_total": 101, "payer_refund": 50},
	}
	if status == "SUCCESS" {
		content["success_time"] = "2024-06-01T07:59:59+08:00"
	}
	for name, value := range more {
		if content[name] = value; value == nil {
			delete(content, name)
		}
	}
	return eventBody("REFUND."+status, oracleSeal(testKey, jsonOf(content), "refund", "refund"))
}

// delivery is a callback that a key signs now.
func delivery(c *Client, key, body string) wechatpay.Delivery {
	return wechatpay.Delivery{
		Kind: wechatpay.PaymentCallback, Header: oracleHeaders(testKeys()[key], c.settings.Now(), body), Body: []byte(body), Time: c.settings.Now(),
	}
}

func partnerTestClient(t testing.TB) *Client {
	options := testOptions()
	options.Partner = testPartner()
	return newTestClient(t, options)
}

func TestPaymentCallbacks(t *testing.T) {
	bySub := testPayment()
	bySub.OpenID, bySub.SubOpenID = "", testSubOpenID
	for name, c := range map[string]struct {
		client *Client
		body   string
		want   wechatpay.Payment
	}{
		"direct":   {newTestClient(t, testOptions()), tradeBody("SUCCESS", nil), testPayment()},
		"refunded": {newTestClient(t, testOptions()), tradeBody("REFUND", nil), testPayment()},
		"partner":  {partnerTestClient(t), partnerBody("SUCCESS", nil), bySub},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := receive(c.client, delivery(c.client, "wechatpay_pub", paymentEvent(c.body)))
			if err != nil {
				t.Fatal(err)
			}
			want := wechatpay.Notification{Payment: &c.want, Proven: true, Scheme: SHA256WithRSA, KeyID: fingerprintOf(&testKeys()["wechatpay_pub"].private.PublicKey)}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestRefundCallbacks(t *testing.T) {
	c := newTestClient(t, testOptions())
	for said, want := range map[string]wechatpay.RefundStatus{
		"SUCCESS": wechatpay.RefundStatusSucceeded, "CLOSED": wechatpay.RefundStatusClosed, "ABNORMAL": wechatpay.RefundStatusAbnormal,
	} {
		got, err := receive(c, delivery(c, "wechatpay_pub", refundEvent(said, nil)))
		if err != nil {
			t.Fatal(err)
		}
		fact := wechatpay.RefundFact{
			OutTradeNo: testNumber, OutRefundNo: testRefundNumber, RefundID: testRefundID, Status: want, Amount: 50, ReceivedAccount: "招商银行信用卡0403",
		}
		if said == "SUCCESS" {
			fact.SuccessTime = time.Unix(1717199999, 0)
		}
		if diff := cmp.Diff(wechatpay.Notification{Refund: &fact, Proven: true, Scheme: SHA256WithRSA, KeyID: fingerprintOf(&testKeys()["wechatpay_pub"].private.PublicKey)}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	partner := partnerTestClient(t)
	members := map[string]any{"mchid": nil, "sp_mchid": testMchID, "sub_mchid": testSubMchID}
	if got, err := receive(partner, delivery(partner, "wechatpay_pub", refundEvent("SUCCESS", members))); err != nil || got.Refund == nil {
		t.Errorf("%+v (%v)", got, err)
	}
}

// TestEventsOfOtherProducts are genuine, and nothing of ours.
func TestEventsOfOtherProducts(t *testing.T) {
	c := newTestClient(t, testOptions())
	shared := `{"mchid":"1900000100","transaction_id":"42000","order_id":"1217752501201407033233368018","out_order_no":"P20150806125346","receiver":{"type":"MERCHANT_ID","account":"1900000100","amount":888,"description":"运费"},"success_time":"2018-06-08T10:34:56+08:00"}`
	combined := `{"combine_appid":"wx1","combine_mchid":"1900000001","combine_out_trade_no":"c-0001","sub_orders":[{"mchid":"1900000001","trade_state":"SUCCESS"}]}`
	for name, body := range map[string]string{
		"profit sharing, as a transaction": paymentEvent(shared),
		"profit sharing":                   eventBody("TRANSACTION.SUCCESS", oracleSeal(testKey, shared, "profitsharing", "profitsharing")),
		"profit sharing, older":            eventBody("PROFITSHARING.SUCCESS", oracleSeal(testKey, shared, "", "profitsharing")),
		"combined":                         paymentEvent(combined),
		"members of other types":           paymentEvent(`{"order_id":"1","amount":888,"payer":"x","success_time":1}`),
		"combined, of other types":         paymentEvent(`{"sub_orders":[],"trade_state":"SUCCESS","amount":"888"}`),
		"a failed debit":                   eventBody("TRANSACTION.FAIL", oracleSeal(testKey, tradeBody("PAYERROR", nil), "transaction", "transaction")),
		"a transfer":                       eventBody("MCHTRANSFER.BILL.FINISHED", oracleSeal(testKey, `{"amount":"text"}`, "mch_payment", "mch_payment")),
		"a complaint":                      eventBody("COMPLAINT.CREATE", oracleSeal(testKey, `{}`, "", "complaint")),
		"an echo":                          eventBody("SECURITY_ECHO.SUCCESS", oracleSeal(testKey, `{}`, "", "")),
	} {
		got, err := receive(c, delivery(c, "wechatpay_pub", body))
		if err != nil || got.Payment != nil || got.Refund != nil || !got.Proven {
			t.Errorf("%s: %+v (%v)", name, got, err)
		}
	}
}

// TestPaymentsWithMembersOfOtherProducts are payments all the same, when they have a trade_state.
func TestPaymentsWithMembersOfOtherProducts(t *testing.T) {
	c := newTestClient(t, testOptions())
	more := map[string]any{"order_id": "1", "out_order_no": "2", "receiver": map[string]any{}, "receivers": []any{}}
	got, err := receive(c, delivery(c, "wechatpay_pub", paymentEvent(tradeBody("SUCCESS", more))))
	if err != nil || got.Payment == nil || got.Payment.OutTradeNo != testNumber {
		t.Errorf("%+v (%v)", got, err)
	}
}

func TestCallbacksThatAreNotTaken(t *testing.T) {
	direct, partner := newTestClient(t, testOptions()), partnerTestClient(t)
	broken := func(change func(*resource)) string {
		sealed := oracleSeal(testKey, tradeBody("SUCCESS", nil), "transaction", "transaction")
		change(&sealed)
		return eventBody("TRANSACTION.SUCCESS", sealed)
	}
	for name, c := range map[string]struct {
		client  *Client
		body    string
		meaning wechatpay.Meaning
		text    string
	}{
		"another merchant":       {direct, paymentEvent(tradeBody("SUCCESS", map[string]any{"mchid": "1900000002"})), wechatpay.Rejected, "mchid is not ours"},
		"nobody's":               {direct, paymentEvent(tradeBody("SUCCESS", map[string]any{"mchid": nil})), wechatpay.Rejected, "mchid is missing"},
		"a provider's":           {direct, paymentEvent(partnerBody("SUCCESS", nil)), wechatpay.Rejected, "it is a service provider's, and this Merchant is not one's"},
		"a direct merchant's":    {partner, paymentEvent(tradeBody("SUCCESS", nil)), wechatpay.Rejected, "it is a direct merchant's, and this Merchant is a service provider's"},
		"another sub merchant's": {partner, paymentEvent(partnerBody("SUCCESS", map[string]any{"sub_mchid": "1900000110"})), wechatpay.Rejected, "sub_mchid is another sub merchant's"},
		"not paid":               {direct, paymentEvent(tradeBody("NOTPAY", nil)), wechatpay.Rejected, "trade_state is not SUCCESS"},
		"no amount":              {direct, paymentEvent(tradeBody("SUCCESS", map[string]any{"amount": nil})), wechatpay.Rejected, "amount.total is not an amount"},
		"a fraction":             {direct, paymentEvent(tradeBody("SUCCESS", map[string]any{"amount": map[string]any{"total": 1.5}})), wechatpay.Rejected, "/amount/total has a value of the wrong type"},
		"twice":                  {direct, paymentEvent(strings.Replace(tradeBody("SUCCESS", nil), "{", `{"mchid":"1900000001",`, 1)), wechatpay.Rejected, "a member occurs twice"},
		"no content":             {direct, paymentEvent(""), wechatpay.Rejected, "it is not JSON"},
		"content and more":       {direct, paymentEvent(tradeBody("SUCCESS", nil) + "{}"), wechatpay.Rejected, "it is not JSON"},
		"no resource":            {direct, `{"event_type":"TRANSACTION.SUCCESS"}`, wechatpay.Rejected, "it has no resource"},
		"a null resource":        {direct, `{"event_type":"TRANSACTION.SUCCESS","resource":null}`, wechatpay.Rejected, "it has no resource"},
		"not JSON":               {direct, "x", wechatpay.Rejected, "it is not JSON"},
		"empty":                  {direct, "", wechatpay.Rejected, "it is not JSON"},
		"another key":            {direct, eventBody("TRANSACTION.SUCCESS", oracleSeal(testOtherKey, "{}", "transaction", "transaction")), wechatpay.KeyMismatch, "what WeChat Pay encrypted can't be opened with the APIv3 key"},
		"other associated data":  {direct, broken(func(r *resource) { r.AssociatedData = "" }), wechatpay.KeyMismatch, ""},
		"a short nonce":          {direct, broken(func(r *resource) { r.Nonce = r.Nonce[1:] }), wechatpay.Rejected, "the nonce of the resource does not have 12 bytes"},
		"another algorithm":      {direct, broken(func(r *resource) { r.Algorithm = "AEAD_SM4_GCM" }), wechatpay.Rejected, "the resource is encrypted with an algorithm that is not AEAD_AES_256_GCM"},
		"not base64":             {direct, broken(func(r *resource) { r.Ciphertext += "\n" }), wechatpay.Rejected, "the ciphertext of the resource is not base64"},
		"too large":              {direct, strings.Repeat(" ", maxCallback+1), wechatpay.Rejected, "it is too large"},
		"a refund of another":    {direct, refundEvent("SUCCESS", map[string]any{"mchid": "1900000002"}), wechatpay.Rejected, "mchid is not ours"},
		"a refund of nobody":     {direct, refundEvent("SUCCESS", map[string]any{"mchid": nil}), wechatpay.Rejected, "mchid is missing"},
		"a refund of a provider": {partner, refundEvent("SUCCESS", map[string]any{"mchid": nil, "sub_mchid": testSubMchID}), wechatpay.Rejected, "sp_mchid or sub_mchid is missing"},
		"a refund of nothing":    {direct, refundEvent("SUCCESS", map[string]any{"out_refund_no": nil}), wechatpay.Rejected, "out_refund_no is missing"},
		"a refund without state": {direct, refundEvent("SUCCESS", map[string]any{"refund_status": nil, "status": "SUCCESS"}), wechatpay.Rejected, "the refund is incomplete: status is missing"},
		"a refund of zero":       {direct, refundEvent("SUCCESS", map[string]any{"amount": map[string]any{"refund": 0}}), wechatpay.Rejected, "the refund is incomplete: amount.refund is not an amount"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, kind := range []wechatpay.CallbackKind{wechatpay.PaymentCallback, wechatpay.RefundCallback} {
				d := delivery(c.client, "wechatpay_pub", c.body)
				d.Kind = kind
				got, err := c.client.Parse(d)
				want := ""
				if c.text != "" {
					want = string(operationOf(kind)) + ": " + c.text
				}
				expect(t, err, wechatpay.Refused, c.meaning, want)
				if got != (wechatpay.Notification{}) {
					t.Errorf("an error with %+v", got)
				}
			}
		})
	}
}

// TestNothingIsReadBeforeTheSignature: what is wrong inside an unsigned callback is not told.
func TestNothingIsReadBeforeTheSignature(t *testing.T) {
	c := newTestClient(t, testOptions())
	for _, body := range []string{"x", paymentEvent("x"), paymentEvent(tradeBody("SUCCESS", nil))} {
		d := delivery(c, "wechatpay_pub", body)
		d.Header.Set(headerNonce, "x")
		_, err := c.Parse(d)
		expect(t, err, wechatpay.Refused, wechatpay.NotVerified, "payment callback: its signature is wrong")
	}
}

// TestThePreviousKeyStillOpensCallbacks during a rotation.
func TestThePreviousKeyStillOpensCallbacks(t *testing.T) {
	options := testOptions()
	options.Key, options.PreviousKey = testOtherKey, testKey
	c := newTestClient(t, options)
	if got, err := receive(c, delivery(c, "wechatpay_pub", paymentEvent(tradeBody("SUCCESS", nil)))); err != nil || got.Payment == nil {
		t.Errorf("%+v (%v)", got, err)
	}
}

// TestACallbackMayCauseADownload.
func TestACallbackMayCauseADownload(t *testing.T) {
	s := newServer(t, done(wechatpay.OperationCloseOrder))
	c := newTestClient(t, s.certificateOptions(t))
	for range 2 {
		if got, err := receive(c, delivery(c, "platform_b", paymentEvent(tradeBody("SUCCESS", nil)))); err != nil || got.KeyID != fingerprintOf(&testKeys()["platform_b"].private.PublicKey) {
			t.Fatalf("%+v (%v)", got, err)
		}
	}
	if s.downloaded() != 1 {
		t.Errorf("%d downloads", s.downloaded())
	}
}

// TestACallbackTellsWhyThereAreNoCertificates.
func TestACallbackTellsWhyThereAreNoCertificates(t *testing.T) {
	s := newServer(t, done(wechatpay.OperationCloseOrder))
	s.setDownloads(unsigned(404, errorBody("RESOURCE_NOT_EXISTS", "x")))
	c := s.client(t)
	for range 2 {
		_, err := receive(c, delivery(c, "platform_b", paymentEvent(tradeBody("SUCCESS", nil))))
		expect(t, err, wechatpay.Refused, wechatpay.VerifiersMissing, "")
	}
}

// TestAProcessWithoutCallsVerifiesWithPublicKeys, and says what it lacks.
func TestAProcessWithoutCallsVerifiesWithPublicKeys(t *testing.T) {
	options := testOptions()
	options.Certificate = nil
	c := newTestClient(t, options)
	body := paymentEvent(tradeBody("SUCCESS", nil))
	if _, err := receive(c, delivery(c, "wechatpay_pub", body)); err != nil {
		t.Error(err)
	}
	_, err := receive(c, delivery(c, "platform_a", body))
	expect(t, err, wechatpay.Refused, wechatpay.NotVerified,
		"payment callback: it is signed with a key that publicKeys does not have, and this process cannot download certificates")
	options.PublicKeys = nil
	c = newTestClient(t, options)
	_, err = receive(c, delivery(c, "wechatpay_pub", body))
	expect(t, err, wechatpay.Refused, wechatpay.VerifiersMissing, "payment callback: this process verifies with publicKeys only, and there are none")
}

// TestAnExpiredMerchantCertificateStopsNoCallback.
func TestAnExpiredMerchantCertificateStopsNoCallback(t *testing.T) {
	options := testOptions()
	options.Now = func() time.Time { return testNow.Add(25 * 366 * 24 * time.Hour) }
	c := newTestClient(t, options)
	if _, err := receive(c, delivery(c, "wechatpay_pub", paymentEvent(tradeBody("SUCCESS", nil)))); err != nil {
		t.Error(err)
	}
}

// TestADuplicateIsTakenAgain: WeChat repeats a callback until it is answered.
func TestADuplicateIsTakenAgain(t *testing.T) {
	c := newTestClient(t, testOptions())
	d := delivery(c, "wechatpay_pub", paymentEvent(tradeBody("SUCCESS", nil)))
	d.Time = time.Time{} // now
	for range 2 {
		if _, err := c.Parse(d); err != nil {
			t.Error(err)
		}
	}
}
