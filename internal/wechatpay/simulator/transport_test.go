package simulator

import (
	"crypto/tls"
	"net/http"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

func TestRefusalsAreUnsigned(t *testing.T) {
	f := start(t)
	valid := f.sign(message{"out_trade_no": "order-0001"})
	without := func(field string) []byte { return formatXML(valid.with(field, ""), "xml") }
	for name, test := range map[string]struct {
		body []byte
		want string
	}{
		"empty body":         {nil, "POST_DATA_EMPTY"},
		"not XML":            {[]byte(`{"a":1}`), "XML_FORMAT_ERROR"},
		"document type":      {[]byte(`<!DOCTYPE xml><xml><mch_id>1</mch_id></xml>`), "XML_FORMAT_ERROR"},
		"field twice":        {[]byte(`<xml><a>1</a><a>2</a></xml>`), "XML_FORMAT_ERROR"},
		"too long":           {[]byte("<xml><a>" + strings.Repeat("x", maxDocument) + "</a></xml>"), "XML_FORMAT_ERROR"},
		"GBK":                {[]byte("<xml><body>\xb7\xca\xd4\xed</body></xml>"), "NOT_UTF8"},
		"no merchant":        {without("mch_id"), "mch_id参数长度有误"},
		"unknown merchant":   {formatXML(valid.with("mch_id", "1900000110"), "xml"), "MCHID_NOT_EXIST"},
		"no appid":           {without("appid"), "appid参数长度有误"},
		"long appid":         {formatXML(valid.with("appid", strings.Repeat("w", 33)), "xml"), "appid参数长度有误"},
		"no nonce":           {without("nonce_str"), "nonce_str参数长度有误"},
		"long nonce":         {formatXML(valid.with("nonce_str", strings.Repeat("n", 33)), "xml"), "nonce_str参数长度有误"},
		"no signature":       {without("sign"), "签名错误"},
		"changed field":      {formatXML(valid.with("out_trade_no", "order-0002"), "xml"), "签名错误"},
		"lower-case sign":    {formatXML(valid.with("sign", strings.ToLower(valid["sign"])), "xml"), "签名错误"},
		"sign type left out": {without("sign_type"), "签名错误"},
		"unknown sign type":  {formatXML(valid.with("sign_type", "HMAC_SHA256"), "xml"), "签名错误"},
	} {
		t.Run(name, func(t *testing.T) {
			f := f.in(t)
			response, body, err := f.post(f.sim.URL(), OperationOrderQuery, test.body)
			f.Expect(err).NotTo(HaveOccurred())
			f.Expect(response.StatusCode).To(Equal(http.StatusOK))
			reply, err := parseXML(body, "xml")
			f.Expect(err).NotTo(HaveOccurred())
			f.Expect(reply).To(Equal(message{"return_code": "FAIL", "return_msg": test.want}))
		})
	}
}

func TestMethodAndPath(t *testing.T) {
	f := start(t)
	response, err := f.plain.Get(f.sim.URL() + "/pay/orderquery")
	f.Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close()
	body := make([]byte, 1024)
	n, _ := response.Body.Read(body)
	reply, err := parseXML(body[:n], "xml")
	f.Expect(err).NotTo(HaveOccurred())
	f.Expect(reply["return_msg"]).To(Equal("REQUIRE_POST_METHOD"))

	missing, err := f.plain.Post(f.sim.URL()+"/pay/micropay", "text/xml", strings.NewReader("<xml/>"))
	f.Expect(err).NotTo(HaveOccurred())
	defer missing.Body.Close()
	f.Expect(missing.StatusCode).To(Equal(http.StatusNotFound))
	f.Expect(missing.Header.Get("Content-Type")).To(HavePrefix("text/html"))
}

func TestBothSignTypes(t *testing.T) {
	for _, signType := range []SignType{MD5, HMACSHA256} {
		t.Run(string(signType), func(t *testing.T) {
			f := start(t)
			f.signType = signType
			f.mustCall(OperationUnifiedOrder, f.order("order-0001"))
			reply := f.mustCall(OperationOrderQuery, message{"out_trade_no": "order-0001"})
			f.Expect(reply).NotTo(HaveKey("sign_type"))
			f.Expect(outcome(f.call(OperationOrderQuery, message{"out_trade_no": "order-0002"}))).To(Equal("ORDERNOTEXIST"))
			f.Expect(outcome(f.call(OperationOrderQuery, message{"out_trade_no": "order-0001", "appid": "wx0000000000000009"}))).
				To(Equal("APPID_MCHID_NOT_MATCH"))
			f.Expect(outcome(f.call(OperationOrderQuery, message{"out_trade_no": "order-0001", "appid": "wx0000000000000002"}))).
				To(Equal("ORDERNOTEXIST"), "an order belongs to the appid it was placed under")
		})
	}
}

func TestBothHostsKnowTheSameOrders(t *testing.T) {
	f := start(t)
	f.mustCall(OperationUnifiedOrder, f.order("order-0001"))
	reply := f.callAt(f.sim.BackupURL(), OperationOrderQuery, message{"out_trade_no": "order-0001"})
	f.Expect(reply["trade_state"]).To(Equal("NOTPAY"))
	ledger := f.sim.Ledger()
	f.Expect(ledger.CallsOf(OperationOrderQuery, "order-0001")).To(HaveLen(1))
	f.Expect(ledger.CallsOf(OperationOrderQuery, "")[0].Host).To(Equal(HostBackup))
}

func TestKeyReset(t *testing.T) {
	f := start(t)
	f.mustCall(OperationUnifiedOrder, f.order("order-0001"))
	key, err := f.sim.RotateAPIKey(testMerchant)
	f.Expect(err).NotTo(HaveOccurred())
	f.Expect(outcome(f.call(OperationOrderQuery, message{"out_trade_no": "order-0001"}))).To(Equal("签名错误"))
	f.key = key
	f.mustCall(OperationOrderQuery, message{"out_trade_no": "order-0001"})
	f.Expect(f.sim.SetAPIKey(testMerchant, "short")).To(MatchError(ErrInvalid))
	f.Expect(f.sim.SetAPIKey("1900000110", testKey)).To(MatchError(ErrNotFound))
}

func TestRefundCertificates(t *testing.T) {
	f := start(t)
	f.paidOrder("order-0001")
	now := f.clock.Now()
	issue := func(sim *Simulator, mchID string, notBefore, notAfter time.Time) tls.Certificate {
		issued, err := sim.IssueClientCertificateValid(mchID, notBefore, notAfter)
		f.Expect(err).NotTo(HaveOccurred())
		pair, err := issued.TLS()
		f.Expect(err).NotTo(HaveOccurred())
		return pair
	}
	stranger := start(t, func(o *Options) { o.CertificateDir = "" })
	body := formatXML(f.sign(f.refund("order-0001", "refund-1", "50")), "xml")
	for name, test := range map[string]struct {
		certificate tls.Certificate
		want        string
	}{
		"foreign authority":    {issue(stranger.sim, testMerchant, now.Add(-time.Hour), now.Add(time.Hour)), "证书验证失败"},
		"other merchant":       {issue(f.sim, "1900000110", now.Add(-time.Hour), now.Add(time.Hour)), "证书验证失败"},
		"not yet valid":        {issue(f.sim, testMerchant, now.Add(time.Hour), now.Add(2*time.Hour)), "证书验证失败"},
		"expired":              {issue(f.sim, testMerchant, now.Add(-2*time.Hour), now.Add(-time.Hour)), "证书已过期"},
		"the merchant's own":   {sharedCertificate, "SUCCESS"},
		"expired, other owner": {issue(f.sim, "1900000110", now.Add(-2*time.Hour), now.Add(-time.Hour)), "证书验证失败"},
	} {
		t.Run(name, func(t *testing.T) {
			f := f.in(t)
			f.certified = f.client(test.certificate)
			_, reply, err := f.post(f.sim.URL(), OperationRefund, body)
			f.Expect(err).NotTo(HaveOccurred())
			fields, err := parseXML(reply, "xml")
			f.Expect(err).NotTo(HaveOccurred())
			f.Expect(outcome(fields)).To(Equal(test.want))
		})
	}

	f.certified = f.client()
	response, page, err := f.post(f.sim.URL(), OperationRefund, body)
	f.Expect(err).NotTo(HaveOccurred())
	f.Expect(response.StatusCode).To(Equal(http.StatusBadRequest))
	f.Expect(response.Header.Get("Content-Type")).To(HavePrefix("text/html"))
	f.Expect(string(page)).To(ContainSubstring("No required SSL certificate was sent"))
}

func TestServerCertificateIsVerifiable(t *testing.T) {
	f := start(t)
	strangers := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(strangers.CloseIdleConnections)
	_, err := strangers.Post(f.sim.URL()+"/pay/orderquery", "text/xml", nil)
	f.Expect(err).To(HaveOccurred(), "the authority is nobody else's")
	named := strings.Replace(f.sim.URL(), "127.0.0.1", "localhost", 1)
	f.callAt(named, OperationOrderQuery, message{"out_trade_no": "order-0001"})
}
