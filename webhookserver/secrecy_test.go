package webhookserver_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// TestCallbackContentIsNotRevealed: Answers, log lines and events contain nothing of a callback,
// except the order and transaction numbers of verified ones.
func TestCallbackContentIsNotRevealed(t *testing.T) {
	t.Parallel()
	d := openFixtureIn(t, v1alpha1.ProtocolV2)
	c := d.callbackServer()
	broken := d.callbackServer(failingWrites(func() (error, bool) { return errors.New("the API server is away"), false }))
	order, other := d.prepared("order-0001"), d.prepared("order-0002")
	refund, _ := d.refunding("order-0003", "refund-0001", "")
	const secret = "marker-of-what-is-told-to-no-one"
	private := []string{
		"attach", secret, "nonce_str", secret, "bank_type", secret[:16], "openid", secret, "device_info", secret, "err_code_des", secret,
		"return_msg", secret, secret, "x", "coupon_id_0", secret, "promotion_detail", secret,
	}
	payment := paymentOf(order).with(private...)
	unverified := payment.with("out_trade_no", secret[:32], "transaction_id", secret[:32], "appid", secret[:32], "mch_id", secret, "total_fee", secret)
	var answers []answer
	for _, body := range []string{
		payment.goodXML(), payment.goodXML(), payment.with("transaction_id", "4299").goodXML(), payment.with("total_fee", secret).goodXML(),
		paymentOf(other).with(private...).with("total_fee", "7").goodXML(),
		payment.with("out_trade_no", "order-9999").goodXML(), unverified.goodXML(), unverified.xml("xml"), unverified.body(secondKey, hmacSign),
		secret, "<" + secret + ">", "<xml><" + secret + "></xml>", "<!DOCTYPE " + secret + ">", payment.goodXML() + secret, strings.Repeat(secret, 10_000),
		"<xml><" + secret + ">1</" + secret + "><" + secret + ">1</" + secret + "></xml>",
	} {
		answers = append(answers, c.pay(raw(body)), c.refund(raw(body)), broken.pay(raw(body)))
	}
	info := refundOf(refund, order, "SUCCESS").with("refund_recv_accout", secret, secret, "x")
	for _, body := range []string{
		info.sealed(framework.APIKey).xml("xml"), info.sealed(secondKey).xml("xml"), info.with("refund_status", secret).sealed(framework.APIKey).xml("xml"),
		fields{"return_code": "SUCCESS", "appid": secret, "mch_id": secret, "req_info": secret}.xml("xml"),
		fields{"return_code": "SUCCESS", "appid": framework.AppID, "mch_id": framework.MchID, "req_info": seal(secret, framework.APIKey)}.xml("xml"),
	} {
		answers = append(answers, c.refund(raw(body)))
	}
	d.turn(refund, simulator.RefundSuccess)
	answers = append(answers, c.refund(info.refunded()))
	answers = append(answers, c.post("/notify/v2/"+secret+"%0a"+secret+"/"+secret+"/payment", payment.good()))
	answers = append(answers, c.post("/"+secret, payment.good()))

	for _, got := range answers {
		if strings.Contains(got.body, secret[:16]) || secretInAnswer(got.body) != "" {
			t.Errorf("an answer tells: %q", got.body)
		}
	}
	lines := append(c.log.all(), broken.log.all()...)
	if len(lines) < 20 {
		t.Errorf("only %d log lines", len(lines))
	}
	for _, line := range append(lines, append(c.events.all(), broken.events.all()...)...) {
		if strings.Contains(line, secret[:16]) || secretIn(line) != "" {
			t.Errorf("a log line or event tells: %s", line)
		}
	}
}
