package webhookserver_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

// vector is one case of the protocol's test vectors.
type vector struct {
	Name, Kind, XML string
	XMLBase64       string `json:"xml_base64"`
}

// rejected returns the documents that no parser of this protocol may accept.
func rejected(t testing.TB) map[string]string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(controlplane.Root(), "internal", "wechatpay", "testdata", "vectors-v2.json"))
	if err != nil {
		t.Fatal(err)
	}
	var vectors []vector
	if err := json.Unmarshal(raw, &vectors); err != nil {
		t.Fatal(err)
	}
	documents := map[string]string{}
	for _, v := range vectors {
		if v.Kind != "xml-reject" {
			continue
		}
		documents[v.Name] = v.XML
		if v.XMLBase64 != "" {
			decoded, err := base64.StdEncoding.DecodeString(v.XMLBase64)
			if err != nil {
				t.Fatal(err)
			}
			documents[v.Name] = string(decoded)
		}
	}
	if len(documents) < 32 {
		t.Fatalf("only %d documents", len(documents))
	}
	return documents
}

// expectUnchanged runs cases that must not be answered with SUCCESS or change any object, and then
// checks that the server still accepts a valid callback.
func expectUnchanged(t *testing.T, d *fixture, c *callbackServer, order *v1alpha1.Order, cases func(t *testing.T, unchanged func(t *testing.T))) {
	t.Helper()
	before := d.versions()
	cases(t, func(t *testing.T) {
		t.Helper()
		if diff := cmp.Diff(before, d.versions()); diff != "" {
			t.Fatalf("something changed:\n%s", diff)
		}
	})
	expectSuccess(t, c.pay(paymentOf(order).good()))
	d.expectPaid(order, "True/Paid")
}

func TestInvalidDocumentsAreRefused(t *testing.T) {
	t.Parallel()
	d := openFixtureIn(t, v1alpha1.ProtocolV2)
	c := d.callbackServer()
	order := d.prepared("order-0001")
	expectUnchanged(t, d, c, order, func(t *testing.T, unchanged func(t *testing.T)) {
		for name, document := range rejected(t) {
			t.Run(name, func(t *testing.T) {
				expectFail(t, c.pay(raw(document)), http.StatusForbidden)
				expectFail(t, c.refund(raw(document)), http.StatusForbidden)
				unchanged(t)
			})
		}
	})
}

func TestForgedPaymentsAreRefused(t *testing.T) {
	t.Parallel()
	d := openFixtureIn(t, v1alpha1.ProtocolV2)
	c := d.callbackServer()
	order := d.prepared("order-0001")
	elsewhere := d.prepared("order-0002", func(o *v1alpha1.Order) {
		o.Namespace, o.Spec.MerchantRef.Name = d.Other(0), secondName
	})
	shared := d.prepared("order-0003", func(o *v1alpha1.Order) {
		o.Namespace, o.Spec.MerchantRef.Namespace = d.Other(0), d.Namespace
	})
	payment := paymentOf(order)
	second := payment.with("mch_id", secondMchID)
	withField := func(body, field string) string { return strings.Replace(body, "<xml>", "<xml>"+field, 1) }
	here, there := d.paymentPath(), d.secondPath()

	cases := map[string]struct {
		path, body string
		status     int
	}{
		"forged signature":                    {here, payment.signed("ForgedKey0ForgedKey0ForgedKey012", hmacSign).xml("xml"), 403},
		"unsigned":                            {here, payment.xml("xml"), 403},
		"empty signature":                     {here, payment.signed(framework.APIKey, hmacSign).with("sign", " ").xml("xml"), 403},
		"lower-case signature":                {here, lowerSign(payment.signed(framework.APIKey, hmacSign)).xml("xml"), 403},
		"half a signature":                    {here, halfSign(payment.signed(framework.APIKey, hmacSign)).xml("xml"), 403},
		"MD5 for HMAC-SHA256":                 {here, payment.body(framework.APIKey, md5Sign), 403},
		"MD5 for HMAC-SHA256, said so":        {here, payment.with("sign_type", "MD5").body(framework.APIKey, md5Sign), 403},
		"HMAC-SHA256 with sign_type MD5":      {here, payment.with("sign_type", "MD5").goodXML(), 403},
		"signature of an empty key":           {here, payment.body("", hmacSign), 403},
		"signature of the previous key":       {here, payment.body(previousKey, hmacSign), 403},
		"another merchant's key":              {here, payment.body(secondKey, hmacSign), 403},
		"another merchant's key and number":   {here, second.body(secondKey, hmacSign), 403},
		"our key, another merchant's number":  {here, second.goodXML(), 403},
		"no merchant number":                  {here, payment.with("mch_id", "").goodXML(), 403},
		"no appid":                            {here, payment.with("appid", "").goodXML(), 403},
		"at another merchant's path":          {there, payment.goodXML(), 403},
		"another merchant, our order":         {there, second.body(secondKey, hmacSign), 404},
		"our merchant, another's order":       {here, paymentOf(elsewhere).goodXML(), 404},
		"another merchant, our other order":   {there, paymentOf(shared).with("mch_id", secondMchID).body(secondKey, hmacSign), 404},
		"unknown number":                      {here, payment.with("out_trade_no", "order-9999").goodXML(), 404},
		"number in capital letters":           {here, payment.with("out_trade_no", "ORDER-0001").goodXML(), 404},
		"no number":                           {here, payment.with("out_trade_no", "").goodXML(), 403},
		"no transaction":                      {here, payment.with("transaction_id", "").goodXML(), 403},
		"no amount":                           {here, payment.with("total_fee", "").goodXML(), 403},
		"amount with decimals":                {here, payment.with("total_fee", "101.0").goodXML(), 403},
		"negative amount":                     {here, payment.with("total_fee", "-101").goodXML(), 403},
		"amount beyond numbers":               {here, payment.with("total_fee", "99999999999999999999").goodXML(), 403},
		"not paid":                            {here, payment.with("result_code", "FAIL").goodXML(), 403},
		"not communicated":                    {here, payment.with("return_code", "FAIL").goodXML(), 403},
		"no result":                           {here, payment.with("result_code", "").goodXML(), 403},
		"no return_code":                      {here, payment.with("return_code", "").goodXML(), 403},
		"return_code FAIL added after it":     {here, withField(payment.goodXML(), "<return_code>FAIL</return_code>"), 403},
		"amount given twice":                  {here, withField(payment.with("total_fee", "1").goodXML(), "<total_fee>101</total_fee>"), 403},
		"signature given twice":               {here, withField(payment.goodXML(), "<sign>0</sign>"), 403},
		"a field added":                       {here, withField(payment.goodXML(), "<added>1</added>"), 403},
		"a field taken away":                  {here, payment.signed(framework.APIKey, hmacSign).with("new_field", "").xml("xml"), 403},
		"an amount changed":                   {here, payment.signed(framework.APIKey, hmacSign).with("total_fee", "1").xml("xml"), 403},
		"req_info added":                      {here, withField(payment.goodXML(), "<req_info>x</req_info>"), 403},
		"req_info added and signed":           {here, payment.with("req_info", "x").goodXML(), 403},
		"req_info instead of a signature":     {here, payment.with("req_info", seal("<root></root>", framework.APIKey)).xml("xml"), 403},
		"another root":                        {here, payment.signed(framework.APIKey, hmacSign).xml("root"), 403},
		"a document type before it":           {here, "<!DOCTYPE xml>" + payment.goodXML(), 403},
		"something after it":                  {here, payment.goodXML() + "<xml></xml>", 403},
		"twice":                               {here, payment.goodXML() + payment.goodXML(), 403},
		"a refund's body":                     {here, fields{"out_trade_no": "order-0001"}.sealed(framework.APIKey).xml("xml"), 403},
		"an answer of orderquery, also true":  {here, payment.with("trade_state", "NOTPAY", "result_code", "FAIL").goodXML(), 403},
		"nothing":                             {here, "", 403},
		"blanks":                              {here, strings.Repeat(" ", 1000), 403},
		"a payment at the refund path":        {d.refundPath(), payment.goodXML(), 403},
		"a payment at the path of no one":     {"/notify/v2/" + d.Namespace + "/nobody/payment", payment.goodXML(), 404},
		"a payment at the path of no place":   {"/notify/v2/no-such-namespace/shop/payment", payment.goodXML(), 0},
		"a payment at our other namespace":    {"/notify/v2/" + d.Other(0) + "/" + framework.MerchantName + "/payment", payment.goodXML(), 404},
		"a body over the limit":               {here, payment.with("pad", strings.Repeat("x", 64<<10)).goodXML(), 413},
		"1 MB":                                {here, strings.Repeat("<xml>", 200_000), 413},
		"1 MB of an otherwise good body":      {here, payment.with("pad", strings.Repeat("x", 1<<20)).goodXML(), 413},
		"1 MB of blanks after a good body":    {here, payment.goodXML() + strings.Repeat(" ", 1<<20), 413},
		"1 MB at the refund path":             {d.refundPath(), strings.Repeat("<xml>", 200_000), 413},
		"a deep document":                     {here, strings.Repeat("<a>", 20_000), 403},
		"many fields":                         {here, "<xml>" + strings.Repeat("<a></a>", 9_000) + "</xml>", 403},
		"a signature of fields run together":  {here, payment.signed(framework.APIKey, hmacSign).with("bank_type", "", "attach", "a&bank_type=CMC").xml("xml"), 403},
		"binary":                              {here, "\x00\x01\x02\xff\xfe", 403},
		"JSON":                                {here, `{"return_code":"SUCCESS"}`, 403},
		"our own answer":                      {here, success, 403},
		"the right body in a form":            {here, "xml=" + payment.goodXML(), 403},
		"a byte order mark before good xml":   {here, "\ufeff" + payment.with("sign_type", "MD5").goodXML(), 403},
		"HMAC-SHA256 key used as MD5 text":    {here, payment.with("sign_type", "HMAC-SHA256").body(framework.APIKey, md5Sign), 403},
		"sign_type unheard of":                {here, payment.with("sign_type", "SM3").goodXML(), 403},
		"signature with blanks":               {here, strings.Replace(payment.goodXML(), "<sign><![CDATA[", "<sign><![CDATA[ ", 1), 403},
		"the number of another's in our path": {here, paymentOf(elsewhere).with("mch_id", secondMchID).body(secondKey, hmacSign), 403},
	}
	expectUnchanged(t, d, c, order, func(t *testing.T, unchanged func(t *testing.T)) {
		for name, bad := range cases {
			t.Run(name, func(t *testing.T) {
				got := c.post(bad.path, raw(bad.body))
				if bad.status == 0 { // only the test runs with a watch on its own namespaces
					bad.status = got.status
				}
				expectFail(t, got, bad.status)
				unchanged(t)
			})
		}
	})
	expectSuccess(t, c.post(d.secondPath(), paymentOf(elsewhere).with("mch_id", secondMchID).by(secondKey)))
	d.expectPaid(elsewhere, "True/Paid")
	expectSuccess(t, c.pay(paymentOf(shared).good()))
	d.expectPaid(shared, "True/Paid")
}

func lowerSign(f fields) fields { return f.with("sign", strings.ToLower(f["sign"])) }
func halfSign(f fields) fields  { return f.with("sign", f["sign"][:32]) }

// TestMismatchedPayments: signed by WeChat, but different from the order. The mismatch is shown,
// and the Order is not paid.
func TestMismatchedPayments(t *testing.T) {
	t.Parallel()
	d := openFixture(t)
	c := d.callbackServer()
	for number, change := range map[string][]string{
		"order-less":     {"total_fee", "1"},
		"order-more":     {"total_fee", "10100"},
		"order-nothing":  {"total_fee", "0"},
		"order-currency": {"fee_type", "USD"},
		"order-appid":    {"appid", "wx0000000000000000"},
	} {
		t.Run(number, func(t *testing.T) {
			order := d.prepared(number)
			body := paymentOf(order).with(change...).good()
			if change[1] == "0" {
				// Zero amounts: a callback without an amount is refused or differs. Both are no
				// success.
				if got := c.pay(body); got.success() {
					t.Fatalf("%+v", got)
				}
			} else {
				expectFail(t, c.pay(body), http.StatusConflict)
				now := d.expectPaid(order, "Unknown/AmountMismatch")
				if now.Status.Transaction != nil {
					t.Error("it has the transaction")
				}
				d.sync(now)
				before := d.versions()
				expectFail(t, c.pay(body), http.StatusConflict)
				if diff := cmp.Diff(before, d.versions()); diff != "" {
					t.Errorf("repeated, it wrote again:\n%s", diff)
				}
			}
			expectSuccess(t, c.pay(paymentOf(order).good())) // the genuine callback
			d.expectPaid(order, "True/Paid")

			// A paid Order stays paid.
			d.sync(order)
			before := d.versions()
			if got := c.pay(body); got.success() {
				t.Errorf("%+v", got)
			}
			if diff := cmp.Diff(before, d.versions()); diff != "" {
				t.Errorf("a paid Order changed:\n%s", diff)
			}
		})
	}
}
