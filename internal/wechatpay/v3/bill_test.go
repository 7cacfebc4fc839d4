package v3

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

const billPath = "/v3/billdownload/file?token=AbC_-1%2B&tartype=gzip"

// archive answers both requests for a bill; host is that of the address it names.
func archive(host func(*http.Request) string, file answer) answer {
	return func(s *server, w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v3/billdownload/") {
			file(s, w, r)
			return
		}
		says(http.StatusOK, fmt.Sprintf(`{"hash_type":"SHA1","hash_value":"00","download_url":" %s%s"}`, host(r), billPath))(s, w, r)
	}
}

func itself(r *http.Request) string { return "https://" + r.Host }

func sendsBill(_ *server, w http.ResponseWriter, _ *http.Request) {
	_, _ = io.WriteString(w, "the bill")
}

var tradeBill = wechatpay.BillRequest{Kind: wechatpay.TradeBill, Day: "2026-11-27", AppID: "wxd678efh567hg6787"}

func readBill(t *testing.T, c *Client, request wechatpay.BillRequest) (string, error) {
	t.Helper()
	bill, err := c.DownloadBill(t.Context(), request)
	if err != nil {
		return "", err
	}
	defer func() { _ = bill.Body.Close() }()
	if bill.HashType != "SHA1" || bill.Hash != "00" || bill.HashOrPacked {
		t.Errorf("the hash is %s %s", bill.HashType, bill.Hash)
	}
	text, err := io.ReadAll(bill.Body)
	return string(text), err
}

// TestDownloadBill asks, and gets the file at the address; both requests are signed (newServer
// checks that) as they are sent.
func TestDownloadBill(t *testing.T) {
	for _, c := range []struct {
		name    string
		request wechatpay.BillRequest
		partner bool
		target  string
	}{
		{"trade", tradeBill, false, "/v3/bill/tradebill?bill_date=2026-11-27&bill_type=ALL&tar_type=GZIP"},
		{"recharge", wechatpay.BillRequest{Kind: wechatpay.RechargeRefundBill, Day: "2026-11-27"}, false, "/v3/bill/tradebill?bill_date=2026-11-27&bill_type=RECHARGE_REFUND&tar_type=GZIP"},
		{"fund", wechatpay.BillRequest{Kind: wechatpay.FundFlowBill, Day: "2026-11-27", Account: wechatpay.BasicAccount}, false, "/v3/bill/fundflowbill?account_type=BASIC&bill_date=2026-11-27&tar_type=GZIP"},
		{"partner", tradeBill, true, "/v3/bill/tradebill?bill_date=2026-11-27&bill_type=ALL&sub_mchid=" + testPartner().SubMchID + "&tar_type=GZIP"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newServer(t, archive(itself, sendsBill))
			client := s.client(t)
			if c.partner {
				client = s.partnerClient(t)
			}
			if text, err := readBill(t, client, c.request); err != nil || text != "the bill" {
				t.Fatalf("%q, %v", text, err)
			}
			seen := s.seen()
			if len(seen) != 2 || seen[0].target != c.target || seen[1].target != billPath {
				t.Errorf("requests: %+v", seen)
			}
		})
	}
}

// TestTheSignedRequestGoesToHostsOfTheMerchantOnly, whatever the answer names.
func TestTheSignedRequestGoesToHostsOfTheMerchantOnly(t *testing.T) {
	stranger := newServer(t, sendsBill)
	for name, c := range map[string]struct {
		host func(*http.Request) string
		sent bool
	}{
		"itself":                        {itself, true},
		"WeChat's, through the gateway": {func(*http.Request) string { return "https://api.mch.weixin.qq.com" }, true},
		"plain HTTP":                    {func(r *http.Request) string { return "http://" + r.Host }, false},
		"a stranger":                    {func(*http.Request) string { return stranger.URL }, false},
		"a user of a stranger":          {func(r *http.Request) string { return "https://" + r.Host + "@example.net" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, archive(c.host, sendsBill))
			text, err := readBill(t, s.client(t), tradeBill)
			if c.sent != (err == nil && text == "the bill") {
				t.Errorf("%q, %v", text, err)
			}
			if err != nil && (wechatpay.MeaningOf(err) != wechatpay.NeedsAttention || strings.Contains(err.Error(), "token")) {
				t.Errorf("the error is %v", err)
			}
			if len(stranger.seen()) > 0 {
				t.Error("a stranger was asked")
			}
		})
	}
}

// TestALapsedAddressIsReplacedOnce.
func TestALapsedAddressIsReplacedOnce(t *testing.T) {
	for _, lapsed := range []int{1, 2} {
		left := lapsed
		s := newServer(t, archive(itself, func(s *server, w http.ResponseWriter, r *http.Request) {
			if left > 0 {
				left--
				w.WriteHeader(http.StatusBadRequest)
				_, _ = io.WriteString(w, `{"code":"INVALID_REQUEST","message":"lapsed"}`)
				return
			}
			sendsBill(s, w, r)
		}))
		text, err := readBill(t, s.client(t), tradeBill)
		if lapsed == 1 && text != "the bill" || lapsed == 2 && wechatpay.MeaningOf(err) != wechatpay.AddressExpired {
			t.Errorf("lapsed %d times: %q, %v", lapsed, text, err)
		}
		if requests := len(s.seen()); requests != 4 {
			t.Errorf("lapsed %d times: %d requests", lapsed, requests)
		}
	}
}

func TestWhatIsAnsweredInPlaceOfABill(t *testing.T) {
	for name, c := range map[string]struct {
		reply answer
		want  wechatpay.Meaning
	}{
		"no statement":   {says(400, `{"code":"NO_STATEMENT_EXIST","message":"m"}`), wechatpay.NoStatement},
		"creating":       {says(400, `{"code":"STATEMENT_CREATING","message":"m"}`), wechatpay.StatementCreating},
		"no right":       {says(403, `{"code":"NO_AUTH","message":"m"}`), wechatpay.NoRight},
		"too often":      {says(429, `{"code":"FREQUENCY_LIMITED","message":"m"}`), wechatpay.SlowDown},
		"HTML":           {unsigned(502, "<html>bad gateway</html>"), wechatpay.Repeat},
		"no hash":        {says(200, `{"download_url":"https://api.mch.weixin.qq.com/x"}`), wechatpay.NeedsAttention},
		"file: no right": {archive(itself, unsigned(403, `{"code":"NO_AUTH","message":"m"}`)), wechatpay.NoRight},
		"file: HTML":     {archive(itself, unsigned(502, "<html>bad gateway</html>")), wechatpay.Repeat},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := readBill(t, newServer(t, c.reply).client(t), tradeBill); wechatpay.MeaningOf(err) != c.want {
				t.Errorf("%v", err)
			}
		})
	}
	for _, request := range []wechatpay.BillRequest{{Kind: wechatpay.TradeBill}, {Day: "2026-11-27"}, {Kind: wechatpay.FundFlowBill, Day: "2026-11-27"}} {
		if _, err := readBill(t, newServer(t, sendsBill).client(t), request); wechatpay.OutcomeOf(err) != wechatpay.NotSent {
			t.Errorf("%+v: %v", request, err)
		}
	}
	fund := wechatpay.BillRequest{Kind: wechatpay.FundFlowBill, Day: "2026-11-27", Account: wechatpay.BasicAccount}
	if _, err := readBill(t, newServer(t, sendsBill).partnerClient(t), fund); wechatpay.MeaningOf(err) != wechatpay.NotOffered {
		t.Errorf("the fund-flow bill of a sub merchant: %v", err)
	}
}

// TestABillThatStopsArriving ends with an error that says so.
func TestABillThatStopsArriving(t *testing.T) {
	s := newServer(t, archive(itself, func(_ *server, w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "the ")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	options := s.options(t)
	options.Timeouts.Pay = 300 * time.Millisecond
	text, err := readBill(t, newTestClient(t, options), tradeBill)
	failure, ok := errors.AsType[*wechatpay.Error](err)
	if text != "the " || !ok || failure.Meaning != wechatpay.Repeat || failure.Operation != wechatpay.OperationFetchBill {
		t.Errorf("%q, %v", text, err)
	}
}
