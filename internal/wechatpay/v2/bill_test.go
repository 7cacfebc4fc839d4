package v2

import (
	"io"
	"net/http"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

func sendsBill(w http.ResponseWriter, _ *http.Request, _ map[string]string) {
	_, _ = io.WriteString(w, "\uFEFFthe bill")
}

var (
	tradeBill = wechatpay.BillRequest{Kind: wechatpay.TradeBill, Day: "2026-11-27", AppID: testAppID}
	fundBill  = wechatpay.BillRequest{Kind: wechatpay.FundFlowBill, Day: "2026-11-27", AppID: testAppID, Account: wechatpay.BasicAccount}
)

func readBill(t *testing.T, c *Client, request wechatpay.BillRequest) (string, error) {
	t.Helper()
	bill, err := c.DownloadBill(t.Context(), request)
	if err != nil {
		return "", err
	}
	defer func() { _ = bill.Body.Close() }()
	text, err := io.ReadAll(bill.Body)
	return string(text), err
}

func TestDownloadBill(t *testing.T) {
	recharge, partner := tradeBill, testPartner()
	recharge.Kind = wechatpay.RechargeRefundBill
	for name, c := range map[string]struct {
		request   wechatpay.BillRequest
		partner   *wechatpay.Partner
		path      string
		fields    map[string]string
		certified bool
	}{
		"trade":    {tradeBill, nil, "/pay/downloadbill", map[string]string{"bill_type": "ALL"}, false},
		"recharge": {recharge, nil, "/pay/downloadbill", map[string]string{"bill_type": "RECHARGE_REFUND"}, false},
		"fund":     {fundBill, nil, "/pay/downloadfundflow", map[string]string{"account_type": "Basic", "sign_type": "HMAC-SHA256"}, true},
		"partner": {tradeBill, partner, "/pay/downloadbill", map[string]string{
			"bill_type": "ALL", "sub_mch_id": partner.SubMchID, "sub_appid": partner.SubAppID,
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, sendsBill)
			options := s.options(t)
			options.Partner = c.partner
			if text, err := readBill(t, newTestClient(t, options), c.request); err != nil || text != "\uFEFFthe bill" {
				t.Fatalf("%q, %v", text, err)
			}
			sent := s.only(t)
			want := map[string]string{
				"appid": testAppID, "mch_id": options.MchID, "bill_date": "20261127", "tar_type": "GZIP", "sign_type": string(options.Scheme),
				"nonce_str": sent.fields["nonce_str"], "sign": sent.fields["sign"],
			}
			for name, value := range c.fields {
				want[name] = value
			}
			if difference := cmp.Diff(want, sent.fields); difference != "" || sent.path != c.path || c.certified != (len(sent.certificates) > 0) {
				t.Errorf("%s with %d certificates (-want +got):\n%s", sent.path, len(sent.certificates), difference)
			}
		})
	}
}

// TestDigestOfAFundFlowBill: WeChat Pay does not say whether it is of the packed file.
func TestDigestOfAFundFlowBill(t *testing.T) {
	s := newServer(t, func(w http.ResponseWriter, r *http.Request, sent map[string]string) {
		w.Header().Set("Digest", "SHA=4085393834a2d0b417eaba6b7779149547381fc3")
		sendsBill(w, r, sent)
	})
	bill, err := s.client(t).DownloadBill(t.Context(), fundBill)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = bill.Body.Close() }()
	if bill.HashType != "SHA1" || bill.Hash != "4085393834a2d0b417eaba6b7779149547381fc3" || !bill.HashOrPacked {
		t.Errorf("%+v", bill)
	}
}

func TestWhatIsAnsweredInPlaceOfABill(t *testing.T) {
	for name, c := range map[string]struct {
		reply answer
		want  wechatpay.Meaning
	}{
		"no bill":     {raw(200, "\n<xml><return_code>FAIL</return_code><return_msg>No Bill Exist</return_msg></xml>"), wechatpay.NoStatement},
		"creating":    {raw(200, "<xml><return_code>FAIL</return_code><return_msg>Bill Creating</return_msg></xml>"), wechatpay.StatementCreating},
		"HTML":        {raw(200, "<html>oops</html>"), wechatpay.Repeat},
		"bad gateway": {raw(502, "<html>bad gateway</html>"), wechatpay.Repeat},
		"bill in 500": {raw(500, "the bill"), wechatpay.Repeat},
		"redirect":    {raw(302, ""), wechatpay.NeedsAttention},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := readBill(t, newServer(t, c.reply).client(t), tradeBill); wechatpay.MeaningOf(err) != c.want || wechatpay.OutcomeOf(err) == wechatpay.Failed {
				t.Errorf("%v", err)
			}
		})
	}
	s := newServer(t, sendsBill)
	for _, request := range []wechatpay.BillRequest{{Kind: wechatpay.TradeBill, AppID: testAppID}, {Day: "2026-11-27", AppID: testAppID}, {Kind: wechatpay.TradeBill, Day: "2026-11-27"}} {
		if _, err := readBill(t, s.client(t), request); wechatpay.OutcomeOf(err) != wechatpay.NotSent {
			t.Errorf("%+v: %v", request, err)
		}
	}
	options := s.options(t)
	options.Certificate = nil
	if _, err := readBill(t, newTestClient(t, options), fundBill); wechatpay.MeaningOf(err) != wechatpay.CertificateMissing {
		t.Errorf("without a certificate: %v", err)
	}
	options.Partner = testPartner()
	if _, err := readBill(t, newTestClient(t, options), fundBill); wechatpay.MeaningOf(err) != wechatpay.NotOffered {
		t.Errorf("the fund-flow bill of a sub merchant: %v", err)
	}
}

// TestABillProvesNoHost: anybody can send one, because it is not signed.
func TestABillProvesNoHost(t *testing.T) {
	s := newServer(t, sendsBill)
	trust := &unprovenTrust{}
	options := s.options(t)
	options.Trust = trust
	if _, err := readBill(t, newTestClient(t, options), tradeBill); err != nil {
		t.Fatal(err)
	}
	if trust.proved {
		t.Error("the host is proven")
	}
}

// unprovenTrust trusts no host.
type unprovenTrust struct{ proved bool }

func (*unprovenTrust) Proven(*url.URL) bool { return false }
func (s *unprovenTrust) Prove(*url.URL)     { s.proved = true }
