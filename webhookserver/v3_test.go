package webhookserver_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// signedAt is a change of headers: the signature was made some time from now.
func signedAt(from time.Duration) func(http.Header) {
	return func(header http.Header) {
		header.Set("Wechatpay-Timestamp", strconv.FormatInt(time.Now().Add(from).Unix(), 10))
	}
}

// changed returns a delivery with another header; an empty value removes it.
func (d delivery) changed(name, value string) delivery {
	d.header = d.header.Clone()
	if d.header.Set(name, value); value == "" {
		d.header.Del(name)
	}
	return d
}

// resourceWith returns the body of an event with another member in its resource.
func resourceWith(body, name string, value any) string {
	var message map[string]any
	if err := json.Unmarshal([]byte(body), &message); err != nil {
		panic(err)
	}
	message["resource"].(map[string]any)[name] = value
	return toJSON(message)
}

// TestForgedCallbacksOfV3AreRefused: nothing is stored but what WeChat signed a moment ago for this
// merchant.
func TestForgedCallbacksOfV3AreRefused(t *testing.T) {
	t.Parallel()
	d := openFixtureIn(t, v1alpha1.ProtocolV3)
	c := d.callbackServer()
	order := d.prepared("order-0001")
	elsewhere := d.prepared("order-0002", func(o *v1alpha1.Order) { o.Namespace, o.Spec.MerchantRef.Name = d.Other(0), secondName })
	payment := paymentOf(order)
	here, key := d.paymentPath(), framework.APIV3Key
	sealed := payment.transaction().sealed(key)
	good := genuine().sign(sealed)
	event := payment.transaction()
	plain := func(content string) delivery { return genuine().sign(event.sealedText(key, content)) }
	withMember := func(name string, value any) delivery {
		changed := payment.transaction()
		changed.content[name] = value
		return changed.sent(genuine, key)
	}
	unsent := refundOf(d.NewRefund("refund-0001", "order-0001", 50), order, "SUCCESS")
	refund := unsent.refundEvent()
	content := toJSON(event.content)

	cases := map[string]struct {
		path   string
		sent   delivery
		status int
	}{
		"no headers":                      {here, delivery{body: sealed}, 403},
		"no signature":                    {here, good.changed("Wechatpay-Signature", ""), 403},
		"no timestamp":                    {here, good.changed("Wechatpay-Timestamp", ""), 403},
		"no nonce":                        {here, good.changed("Wechatpay-Nonce", ""), 403},
		"no serial":                       {here, good.changed("Wechatpay-Serial", ""), 403},
		"another nonce":                   {here, good.changed("Wechatpay-Nonce", "another"), 403},
		"another timestamp":               {here, good.changed("Wechatpay-Timestamp", strconv.FormatInt(time.Now().Add(time.Second).Unix(), 10)), 403},
		"a timestamp that is no number":   {here, genuine().sign(sealed, func(h http.Header) { h.Set("Wechatpay-Timestamp", "now") }), 403},
		"a signature that is not base64":  {here, good.changed("Wechatpay-Signature", "@@@@"), 403},
		"a stranger's signature":          {here, wrongSigner().sign(sealed), 403},
		"a stranger's serial":             {here, unknownSigner().sign(sealed), 403},
		"the simulator's serial":          {here, genuine().sign(sealed).changed("Wechatpay-Serial", d.PublicKeys()[0].ID), 403},
		"a probe of WeChat's":             {here, good.changed("Wechatpay-Signature", "WECHATPAY/SIGNTEST/"+strings.Repeat("A", 324)+"="), 403},
		"replayed after six minutes":      {here, genuine().sign(sealed, signedAt(-6*time.Minute)), 403},
		"six minutes ahead":               {here, genuine().sign(sealed, signedAt(6*time.Minute)), 403},
		"a byte more":                     {here, delivery{good.header, good.body + " "}, 403},
		"a byte changed":                  {here, delivery{good.header, strings.Replace(good.body, "EV-", "EW-", 1)}, 403},
		"encrypted with another key":      {here, event.sent(genuine, secondKey), 403},
		"another algorithm":               {here, genuine().sign(resourceWith(sealed, "algorithm", "AEAD_SM4_GCM")), 403},
		"a short nonce":                   {here, genuine().sign(resourceWith(sealed, "nonce", "short")), 403},
		"other associated data":           {here, genuine().sign(resourceWith(sealed, "associated_data", "other")), 403},
		"a ciphertext that is not base64": {here, genuine().sign(resourceWith(sealed, "ciphertext", "@@@@")), 403},
		"an empty ciphertext":             {here, genuine().sign(resourceWith(sealed, "ciphertext", "")), 403},
		"no resource":                     {here, genuine().sign(`{"id":"1","event_type":"TRANSACTION.SUCCESS"}`), 403},
		"no JSON":                         {here, genuine().sign("<xml></xml>"), 403},
		"nothing":                         {here, genuine().sign(""), 403},
		"something after it":              {here, genuine().sign(sealed + "{}"), 403},
		"a member given twice":            {here, genuine().sign(strings.Replace(sealed, "{", `{"event_type":"REFUND.SUCCESS",`, 1)), 403},
		"a member given twice inside":     {here, plain(strings.Replace(content, "{", `{"out_trade_no":"order-0002",`, 1)), 403},
		"something after the content":     {here, plain(content + "{}"), 403},
		"another merchant's number":       {here, withMember("mchid", secondMchID), 403},
		"no merchant number":              {here, withMember("mchid", ""), 403},
		"a sub merchant":                  {here, withMember("sub_mchid", "1900000200"), 403},
		"no appid":                        {here, withMember("appid", ""), 403},
		"no number":                       {here, withMember("out_trade_no", ""), 403},
		"no transaction":                  {here, withMember("transaction_id", ""), 403},
		"not paid":                        {here, withMember("trade_state", "NOTPAY"), 403},
		"no amount":                       {here, withMember("amount", map[string]any{}), 403},
		"an amount with decimals":         {here, withMember("amount", map[string]any{"total": 101.5, "currency": "CNY"}), 403},
		"an amount with an exponent":      {here, plain(strings.Replace(content, `"total":101`, `"total":1.01e2`, 1)), 403},
		"an amount in text":               {here, withMember("amount", map[string]any{"total": "101"}), 403},
		"a negative amount":               {here, withMember("amount", map[string]any{"total": -101}), 403},
		"an unknown number":               {here, withMember("out_trade_no", "order-9999"), 404},
		"another merchant's order":        {here, paymentOf(elsewhere).transaction().sent(genuine, key), 404},
		"at another merchant's path":      {d.secondPath(), good, 403},
		"a payment at the refund path":    {d.refundPath(), good, 403},
		"a refund at the payment path":    {here, refund.sent(genuine, key), 403},
		"an unknown refund":               {d.refundPath(), refund.sent(genuine, key), 404},
		"another merchant's refund":       {strings.TrimSuffix(d.secondPath(), "payment") + "refund", unsent.with("mch_id", secondMchID).refundEvent().sent(genuine, secondKey), 404},
		"a stranger's refund":             {d.refundPath(), refund.sent(wrongSigner, key), 403},
		"a refund that is not signed":     {d.refundPath(), delivery{body: refund.sealed(key)}, 403},
		"a refund replayed":               {d.refundPath(), genuine().sign(refund.sealed(key), signedAt(-6*time.Minute)), 403},
		"a refund with another key":       {d.refundPath(), refund.sent(genuine, secondKey), 403},
		"a refund of another merchant":    {d.refundPath(), unsent.with("mch_id", secondMchID).refundEvent().sent(genuine, key), 403},
		"a refund without a number":       {d.refundPath(), unsent.with("out_refund_no", "").refundEvent().sent(genuine, key), 403},
		"a refund without an amount":      {d.refundPath(), unsent.with("refund_fee", "").refundEvent().sent(genuine, key), 403},
		"a body over the limit":           {here, genuine().sign(sealed + strings.Repeat(" ", 64<<10)), 413},
		"a large body that is not signed": {d.refundPath(), delivery{body: strings.Repeat("{", 200_000)}, 413},
		"at the path of no one":           {root(d.Protocol) + d.Namespace + "/nobody/payment", good, 404},
		"at the path of V2":               {root(v1alpha1.ProtocolV2) + d.Namespace + "/" + framework.MerchantName + "/payment", good, 404},
	}
	expectUnchanged(t, d, c, order, func(t *testing.T, unchanged func(t *testing.T)) {
		for name, bad := range cases {
			t.Run(name, func(t *testing.T) {
				expectFail(t, c.deliver(bad.path, bad.sent), bad.status)
				unchanged(t)
			})
		}
	})
	expectSuccess(t, c.post(d.secondPath(), paymentOf(elsewhere).with("mch_id", secondMchID).by(secondKey)))
	if got := c.deliver(here, delivery{body: sealed}); got.body != `{"code":"FAIL","message":"not verified"}` || got.kind != "application/json; charset=utf-8" {
		t.Errorf("%+v", got)
	}
}

// TestSignedRefundsAreRecordedWithoutAQuery: what WeChat signed is a fact, if it is final and
// agrees with the Refund. Anything else is asked for.
func TestSignedRefundsAreRecordedWithoutAQuery(t *testing.T) {
	t.Parallel()
	d := openFixtureIn(t, v1alpha1.ProtocolV3)
	c := d.callbackServer()
	for name, end := range map[string]struct{ status, succeeded string }{
		"succeeded": {"SUCCESS", "True/Succeeded"}, "closed": {"REFUNDCLOSE", "False/Closed"},
	} {
		t.Run(name, func(t *testing.T) {
			refund, _ := d.refunding("order-"+name, "refund-"+name, "")
			expectSuccess(t, c.refund(d.refundBody(refund, end.status))) // WeChat still answers PROCESSING to a query
			d.sync(d.expectRefund(refund, end.succeeded))
			before := d.versions()
			for _, claim := range []string{"SUCCESS", "REFUNDCLOSE", "CHANGE"} {
				expectSuccess(t, c.refund(d.refundBody(refund, claim)))
			}
			if diff := cmp.Diff(before, d.versions()); diff != "" {
				t.Errorf("repeated, it wrote again:\n%s", diff)
			}
			if asked := d.refundQueries(refund); asked != 0 {
				t.Errorf("asked %d times", asked)
			}
		})
	}
	for name, change := range map[string][]string{
		"another amount": {"refund_fee", "51"}, "abnormal": {"refund_status", "CHANGE"}, "processing": {"refund_status", "PROCESSING"},
	} {
		t.Run(name, func(t *testing.T) {
			number := strings.ReplaceAll(name, " ", "-")
			refund, order := d.refunding("order-"+number, "refund-"+number, "")
			got := c.refund(refundOf(refund, order, "SUCCESS").with(change...).refunded())
			if asked := d.refundQueries(refund); asked != 1 {
				t.Errorf("asked %d times", asked)
			}
			if stored := name == "processing"; got.success() != stored {
				t.Errorf("%+v", got)
			}
			d.expectRefund(refund, "Unknown/Processing") // what the query said
		})
	}
}

// TestEventsOfOtherProductsAreIgnored: they are genuine, so WeChat need not repeat them.
// Not parallel: the counters are global.
func TestEventsOfOtherProductsAreIgnored(t *testing.T) {
	d := openFixtureIn(t, v1alpha1.ProtocolV3)
	c := d.callbackServer()
	d.prepared("order-0001")
	shared := map[string]any{
		"mchid": framework.MchID, "transaction_id": transactionOf("order-0001"), "order_id": "3008450740201411110007820472",
		"out_order_no": "P20150806125346", "receiver": map[string]any{"type": "MERCHANT_ID", "account": secondMchID, "amount": 1, "description": "运费"},
		"success_time": time.Now().Format(time.RFC3339),
	}
	before, stored := testutil.ToFloat64(metrics.Callbacks.WithLabelValues("payment", "ignored")), d.versions()
	events := []event{
		{"TRANSACTION.SUCCESS", "transaction", shared}, // shared profits
		{"TRANSACTION.SUCCESS", "profitsharing", shared},
		{"COMPLAINT.CREATE", "complaint", map[string]any{"complaint_id": "200201820200101080076610000", "action_type": "CREATE_COMPLAINT"}},
	}
	for _, other := range events {
		expectSuccess(t, c.deliver(d.paymentPath(), other.sent(genuine, framework.APIV3Key)))
	}
	if got := testutil.ToFloat64(metrics.Callbacks.WithLabelValues("payment", "ignored")) - before; got != float64(len(events)) {
		t.Errorf("%v counted", got)
	}
	if diff := cmp.Diff(stored, d.versions()); diff != "" {
		t.Error(diff)
	}
	if events := c.events.all(); len(events) > 0 {
		t.Errorf("%q", events)
	}
}

// TestSignTestAlarmsNobody: WeChat sends wrong signatures to see whether merchants verify. They are
// refused like any other, and nothing is believed to be wrong with the Merchant.
func TestSignTestAlarmsNobody(t *testing.T) {
	t.Parallel()
	d := openFixtureIn(t, v1alpha1.ProtocolV3)
	c := d.callbackServer()
	order := d.prepared("order-0001")
	good := paymentOf(order).good()
	for _, signature := range []string{strings.Repeat("A", 324) + "=", strings.Repeat("A", 323) + "A=="} {
		sent := good.to(d.paymentPath()).changed("Wechatpay-Signature", "WECHATPAY/SIGNTEST/"+signature)
		expectFail(t, c.deliver(d.paymentPath(), sent), http.StatusForbidden)
	}
	_, account := d.gateway()
	if account.HasKeyMismatch() || account.HasUnprovenCallback() || account.CredentialsSuspect() {
		t.Error("the Merchant is suspected")
	}
	if events := c.events.all(); len(events) > 0 {
		t.Errorf("%q", events)
	}
	for _, line := range c.log.all() {
		if strings.Contains(line, `"error"`) {
			t.Errorf("an error is logged: %s", line)
		}
	}
	expectSuccess(t, c.pay(good))
}

// TestUnknownSerialsCauseOneDownload: whoever sends callbacks of unknown serials can't make the
// operator call WeChat as often.
func TestUnknownSerialsCauseOneDownload(t *testing.T) {
	t.Parallel()
	const flood = 50
	d := openFixtureIn(t, v1alpha1.ProtocolV3)
	c := d.callbackServer()
	order := d.prepared("order-0001")
	good := paymentOf(order).good().to(d.paymentPath())
	for i := range flood {
		expectFail(t, c.deliver(d.paymentPath(), good.changed("Wechatpay-Serial", strconv.FormatInt(1<<40+int64(i), 16))), http.StatusForbidden)
	}
	if calls := d.WeChat.Ledger().CallsOf(simulator.OperationCertificates, ""); len(calls) != 1 {
		t.Errorf("%d downloads", len(calls))
	}
	expectSuccess(t, c.deliver(d.paymentPath(), good))
}

// TestUndecryptableCallbackIsNoted: it is verified, so WeChat sent it, and the APIv3 key in the
// Secret is another than WeChat's.
func TestUndecryptableCallbackIsNoted(t *testing.T) {
	t.Parallel()
	d := openFixtureIn(t, v1alpha1.ProtocolV3)
	c := d.callbackServer()
	order := d.prepared("order-0001")
	noted := func() bool {
		_, account := d.gateway()
		return account.HasKeyMismatch()
	}
	expectFail(t, c.pay(paymentOf(order).forged()), http.StatusForbidden)
	if noted() {
		t.Error("by a callback that nobody signed")
	}
	expectFail(t, c.pay(paymentOf(order).by(secondKey)), http.StatusForbidden)
	if !noted() {
		t.Error("it is not noted")
	}
	d.keys(secondKey, "") // as the merchant platform has it
	expectSuccess(t, c.pay(paymentOf(order).by(secondKey)))
	if noted() {
		t.Error("it is noted of the right key")
	}
}

// TestUnprovenVerifierIsNotTrusted: a user who may change the Merchant could name a public key of
// their own.
func TestUnprovenVerifierIsNotTrusted(t *testing.T) {
	t.Parallel()
	d := openFixtureIn(t, v1alpha1.ProtocolV3, func(m *v1alpha1.Merchant) {
		m.Spec.PublicKeys = append(m.Spec.PublicKeys, unknownSigner().public())
	})
	c := d.callbackServer()
	order := d.prepared("order-0001")
	refund, refunded := d.refunding("order-0002", "refund-0002", "")
	unproven := func(kind string) float64 {
		return testutil.ToFloat64(metrics.Callbacks.WithLabelValues(kind, "unproven"))
	}
	payments, refunds := unproven("payment"), unproven("refund")
	expectFail(t, c.deliver(d.paymentPath(), paymentOf(order).transaction().sent(unknownSigner, framework.APIV3Key)), http.StatusServiceUnavailable)
	expectFail(t, c.deliver(d.refundPath(), refundOf(refund, refunded, "SUCCESS").refundEvent().sent(unknownSigner, framework.APIV3Key)), http.StatusServiceUnavailable)
	d.expectPaid(order, "Unknown/AwaitingPayment")
	d.expectRefund(refund, "Unknown/Processing")
	if unproven("payment") == payments || unproven("refund") == refunds {
		t.Error("not counted")
	}
	expectSuccess(t, c.pay(paymentOf(order).good()))

	// A verifier proven at one endpoint is not proven at another.
	other := d.prepared("order-0003")
	m := d.NewMerchant()
	d.Patch(m, `{"spec":{"endpoint":{"backupURL":"https://127.0.0.1:1"}}}`)
	d.sync(m)
	expectFail(t, c.pay(paymentOf(other).good()), http.StatusServiceUnavailable)
	d.expectPaid(other, "Unknown/AwaitingPayment")
}

// TestAnotherKeyUnderAProvenIDIsNotTrusted: whoever may write spec.publicKeys gives the id that
// WeChat's key has to a key of their own. Neither a payment nor a refund is taken under it.
func TestAnotherKeyUnderAProvenIDIsNotTrusted(t *testing.T) {
	t.Parallel()
	d := openFixtureIn(t, v1alpha1.ProtocolV3)
	c := d.callbackServer()
	order := d.prepared("order-0001")
	refund, refunded := d.refunding("order-0002", "refund-0002", "")
	m := d.NewMerchant()
	d.Patch(m, `{"spec":{"publicKeys":`+toJSON([]v1alpha1.PublicKey{wrongSigner().public()})+`}}`)
	d.sync(m)
	expectFail(t, c.deliver(d.paymentPath(), paymentOf(order).transaction().sent(wrongSigner, framework.APIV3Key)), http.StatusServiceUnavailable)
	expectFail(t, c.deliver(d.refundPath(), refundOf(refund, refunded, "SUCCESS").refundEvent().sent(wrongSigner, framework.APIV3Key)), http.StatusServiceUnavailable)
	d.expectPaid(order, "Unknown/AwaitingPayment")
	d.expectRefund(refund, "Unknown/Processing")
}

// TestPreviousAPIV3KeyIsAcceptedDuringRotation: WeChat encrypts with the key of the moment.
func TestPreviousAPIV3KeyIsAcceptedDuringRotation(t *testing.T) {
	t.Parallel()
	d := openFixtureIn(t, v1alpha1.ProtocolV3)
	c := d.callbackServer()
	one, other, third := d.prepared("order-0001"), d.prepared("order-0002"), d.prepared("order-0003")
	d.keys(secondKey, framework.APIV3Key)
	expectSuccess(t, c.pay(paymentOf(one).good()))
	expectSuccess(t, c.pay(paymentOf(other).by(secondKey)))
	d.keys(secondKey, "")
	expectFail(t, c.pay(paymentOf(third).good()), http.StatusForbidden)
	d.keys("too short", framework.APIV3Key) // if one is invalid, the other is not used alone
	expectFail(t, c.pay(paymentOf(third).good()), http.StatusServiceUnavailable)
	d.expectPaid(third, "Unknown/AwaitingPayment")
	d.keys(framework.APIV3Key, "")
	expectSuccess(t, c.pay(paymentOf(third).good()))
}

// TestCallbacksOfV2AreTakenUnderV3: Orders that were prepared before the Merchant's protocol was
// changed are paid by callbacks of the former one.
func TestCallbacksOfV2AreTakenUnderV3(t *testing.T) {
	t.Parallel()
	d := openFixtureIn(t, v1alpha1.ProtocolV3, func(m *v1alpha1.Merchant) {
		m.Spec.APIKeySecretRef = v1alpha1.SecretKeyReference{Name: "wechatpay"}
	})
	c := d.callbackServer()
	before := d.NewOrder("order-0001")
	d.Create(before)
	d.Protocol = v1alpha1.ProtocolV2
	d.asPrepared(before, v1alpha1.SignTypeHMACSHA256)
	v2 := d.paymentPath()
	d.Protocol = v1alpha1.ProtocolV3
	after := d.prepared("order-0002")
	expectFail(t, c.post(v2, raw(paymentOf(before).body(secondKey, hmacSign))), http.StatusForbidden)
	expectFail(t, c.post(v2, raw(paymentOf(before).body(framework.APIKey, md5Sign))), http.StatusForbidden)
	expectSuccess(t, c.post(v2, paymentOf(before).good()))
	expectSuccess(t, c.post(v2, paymentOf(after).good()))
	d.expectPaid(before, "True/Paid")
	d.expectPaid(after, "True/Paid")
	d.sync(before)
	expectSuccess(t, c.pay(paymentOf(before).good())) // and again, by V3
}

// TestContentOfV3IsNotRevealed: as TestCallbackContentIsNotRevealed for V2.
func TestContentOfV3IsNotRevealed(t *testing.T) {
	t.Parallel()
	d := openFixtureIn(t, v1alpha1.ProtocolV3)
	c := d.callbackServer()
	order := d.prepared("order-0001")
	const secret = "marker-of-what-is-told-to-no-one"
	payment := paymentOf(order).with("attach", secret, "openid", secret, "bank_type", secret, "trade_type", secret, secret, "x")
	key := framework.APIV3Key
	event := payment.transaction()
	var answers []answer
	for _, sent := range []delivery{
		event.sent(wrongSigner, key), event.sent(genuine, secondKey), payment.with("mch_id", secret).transaction().sent(genuine, key),
		payment.with("total_fee", secret).transaction().sent(genuine, key), genuine().sign(secret), genuine().sign(`{"` + secret + `":1,"` + secret + `":1}`),
		genuine().sign(event.sealedText(key, `{"out_trade_no":"`+secret+`"`)), payment.with("out_trade_no", "order-9999").transaction().sent(genuine, key),
		payment.with("total_fee", "1").transaction().sent(genuine, key), event.sent(genuine, key), event.sent(genuine, key),
		genuine().sign("{}").changed("Wechatpay-Serial", secret), genuine().sign("{}").changed("Wechatpay-Nonce", secret),
	} {
		answers = append(answers, c.deliver(d.paymentPath(), sent), c.deliver(d.refundPath(), sent))
	}
	for _, got := range answers {
		if strings.Contains(got.body, secret[:16]) || secretIn(got.body) != "" {
			t.Errorf("an answer tells: %q", got.body)
		}
	}
	for _, line := range append(c.log.all(), c.events.all()...) {
		if strings.Contains(line, secret[:16]) || secretIn(line) != "" {
			t.Errorf("a log line or event tells: %s", line)
		}
	}
}
