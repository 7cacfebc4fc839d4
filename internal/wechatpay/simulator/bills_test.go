package simulator

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

// withBills gives bills of the day that is not over.
func withBills(o *Options) { o.Rules.BillsOfToday, o.Rules.BillDelay = true, -1 }

// ask asks API v3 for today's bill and returns the path and query of its address.
func (c *clientV3) ask(day, more string) string {
	c.t.Helper()
	reply := c.get("/v3/bill/tradebill?bill_date=" + day + more)
	c.Expect(reply.status).To(Equal(200), "%s", reply.raw)
	address, err := url.Parse(reply.text("download_url"))
	c.Expect(err).NotTo(HaveOccurred())
	c.Expect("https://" + address.Host).To(Equal(c.base))
	return address.RequestURI()
}

// fetch gets what is at an address, which is not signed.
func (c *clientV3) fetch(target string) replyV3 {
	c.t.Helper()
	reply, err := c.try(http.MethodGet, target, nil)
	c.Expect(err).NotTo(HaveOccurred())
	c.Expect(reply.header.Get("Wechatpay-Signature")).To(BeEmpty())
	return reply
}

func TestBillsOfAProvider(t *testing.T) {
	c := startV3(t, withBills).provider()
	day := c.clock.Now().In(beijing).Format(dayFormat)
	c.Expect(c.post(partnerPath, c.partnerJSAPI("order-1")).status).To(Equal(200))
	c.Expect(c.post(partnerPath, c.partnerJSAPI("order-2", "sub_mchid", otherSub, "sub_appid", nil, "payer", fields{"sp_openid": "oUser"})).status).To(Equal(200))
	c.mustPay("order-1")
	c.mustPay("order-2")
	c.clock.Step(time.Second)
	for more, numbers := range map[string][]string{
		"": {"order-1", "order-2"}, "&sub_mchid=" + testSub: {"order-1"}, "&sub_mchid=" + otherSub: {"order-2"}, "&bill_type=SUCCESS": {"order-1", "order-2"},
	} {
		text := string(c.fetch(c.ask(day, more)).raw)
		for _, number := range []string{"order-1", "order-2"} {
			listed := strings.Contains(text, "`"+number+",")
			c.Expect(listed).To(Equal(strings.Contains(strings.Join(numbers, " "), number)), "%q: %s", more, text)
		}
	}
	c.Expect(c.get("/v3/bill/tradebill?bill_date=" + day + "&sub_mchid=1900000999").code()).To(Equal("NO_AUTH"))
	c.Expect(c.get("/v3/bill/fundflowbill?bill_date="+day).code()).To(Equal("NO_STATEMENT_EXIST"), "the money is in the accounts of the sub merchants")
	c.Expect(c.get("/v3/bill/tradebill?bill_date=" + day + "&bill_type=REFUND").code()).To(Equal("NO_STATEMENT_EXIST"))
}

func TestAddressesOfBills(t *testing.T) {
	c := startV3(t, withBills)
	day := c.clock.Now().In(beijing).Format(dayFormat)
	c.mustOrder("order-1")
	c.mustPay("order-1")
	c.clock.Step(time.Second)
	address := c.ask(day, "&tar_type=GZIP")
	c.Expect(c.fetch(address).raw[:2]).To(Equal([]byte{0x1f, 0x8b}))
	c.Expect(c.provider().fetch(address).code()).To(Equal("NO_AUTH"), "only who asked may fetch it")
	c.clock.Step(5 * time.Minute)
	c.Expect(c.fetch(address).code()).To(Equal("INVALID_REQUEST"), "it has lapsed")
	for _, query := range []string{"", "bill_date=" + day + "&tar_type=", "bill_date=" + day + "&tar_type=ZIP", "bill_date=20261127", "bill_date=" + day + "&appid=a"} {
		c.Expect(c.get("/v3/bill/tradebill?"+query).code()).To(Equal("PARAM_ERROR"), query)
	}
}

func TestRefusalsOfBillsV2(t *testing.T) {
	f := start(t, withBills)
	day := f.clock.Now().In(beijing).Format("20060102")
	refusal := func(pairs ...string) (string, string) {
		_, body, err := f.post(f.sim.URL(), OperationTradeBill, formatXML(f.sign(message{"bill_date": day}.with(pairs...)), "xml"))
		f.Expect(err).NotTo(HaveOccurred())
		reply, err := parseXML(body, "xml")
		f.Expect(err).NotTo(HaveOccurred(), "%s", body)
		return reply["return_msg"], reply["error_code"]
	}
	for want, pairs := range map[string][]string{
		"No Bill Exist": nil, "invalid bill_type": {"bill_type", "ALL_SPECIAL"}, "invalid tar_type, Only GZIP supported": {"tar_type", "ZIP"},
		"invalid parameter": {"device_info", "1"}, "invalid bill_date": {"bill_date", "2026-11-27"},
	} {
		text, _ := refusal(pairs...)
		f.Expect(text).To(Equal(want))
	}
	_, code := refusal()
	f.Expect(code).To(Equal("20002"))
}
