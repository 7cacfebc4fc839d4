package v2

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

func TestRefund(t *testing.T) {
	s := newServer(t, done(doneFields[wechatpay.OperationCreateRefund]))
	got, err := s.client(t).CreateRefund(t.Context(), testRefund())
	if err != nil || got.RefundID != "503" {
		t.Fatalf("got %v, %v", got, err)
	}
	want := map[string]string{
		"appid": testAppID, "mch_id": testMchID, "sign_type": "HMAC-SHA256",
		"out_trade_no": testNumber, "out_refund_no": testRefundNumber, "total_fee": "101", "refund_fee": "50",
		"refund_fee_type": "CNY", "refund_desc": "质量问题", "notify_url": "https://pay.example.com/refund",
	}
	if diff := cmp.Diff(want, without(s.only(t).fields, "nonce_str", "sign")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRefundsThatAreNotSent(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*wechatpay.RefundRequest)
		text   string
	}{
		"no order":          {func(r *wechatpay.RefundRequest) { r.OutTradeNo = "" }, "out_trade_no is missing"},
		"no number":         {func(r *wechatpay.RefundRequest) { r.OutRefundNo = "" }, "out_refund_no is missing"},
		"nothing":           {func(r *wechatpay.RefundRequest) { r.Amount = 0 }, "refund_fee is out of range"},
		"less than nothing": {func(r *wechatpay.RefundRequest) { r.Amount = -1 }, "refund_fee is out of range"},
		"more than all":     {func(r *wechatpay.RefundRequest) { r.Amount = 102 }, "refund_fee is out of range"},
		"of nothing":        {func(r *wechatpay.RefundRequest) { r.Total = 0 }, "total_fee is out of range"},
		"carriage return":   {func(r *wechatpay.RefundRequest) { r.Reason = "a\rb" }, "refund_desc contains a carriage return"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, done(nil))
			refund := testRefund()
			c.change(&refund)
			_, err := s.client(t).CreateRefund(t.Context(), refund)
			expect(t, err, wechatpay.NotSent, wechatpay.Rejected, "CreateRefund: "+c.text)
			if len(s.seen()) != 0 {
				t.Error("it was sent")
			}
		})
	}
}

func TestAcceptanceOfSomethingElse(t *testing.T) {
	accepted := doneFields[wechatpay.OperationCreateRefund]
	for name, c := range map[string]struct {
		fields map[string]string
		text   string
	}{
		"another order":  {with(accepted, map[string]string{"out_trade_no": "other"}), "the reply is for another out_trade_no"},
		"no order":       {without(accepted, "out_trade_no"), "the reply is for another out_trade_no"},
		"another refund": {with(accepted, map[string]string{"out_refund_no": "other"}), "the reply is for another out_refund_no"},
		"another amount": {with(accepted, map[string]string{"refund_fee": "51"}), "the reply is for another refund_fee"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, done(c.fields))
			_, err := s.client(t).CreateRefund(t.Context(), testRefund())
			expect(t, err, wechatpay.Unknown, wechatpay.NeedsAttention, "CreateRefund: "+c.text)
			s.only(t)
		})
	}
}

// twoRefunds is a reply whose second refund used a coupon: coupon_refund_fee_1 belongs to that
// refund, coupon_refund_fee_1_0 to its first coupon, and refund_fee_1 to neither.
func twoRefunds() map[string]string {
	return map[string]string{
		"transaction_id": "4200000000202601010000000001", "out_trade_no": testNumber, "total_fee": "101", "cash_fee": "81", "refund_count": "2",
		"out_refund_no_0": "rf-1", "refund_id_0": "501", "refund_fee_0": "10", "refund_status_0": "SUCCESS", "refund_recv_accout_0": "支付用户零钱",
		"refund_success_time_0": "2026-01-02 10:00:00", "refund_channel_0": "ORIGINAL",
		"out_refund_no_1": "rf-2", "refund_id_1": "502", "refund_fee_1": "20", "refund_status_1": "CHANGE",
		"coupon_refund_fee_1": "7", "coupon_refund_count_1": "1", "coupon_refund_id_1_0": "10000", "coupon_refund_fee_1_0": "7", "coupon_type_1_0": "CASH",
	}
}

func twoFacts(t *testing.T) []wechatpay.RefundFact {
	return []wechatpay.RefundFact{
		{OutTradeNo: testNumber, OutRefundNo: "rf-1", RefundID: "501", Status: wechatpay.RefundStatusSucceeded, Amount: 10,
			ReceivedAccount: "支付用户零钱", SuccessTime: beijingTime(t, "2026-01-02T10:00:00")},
		{OutTradeNo: testNumber, OutRefundNo: "rf-2", RefundID: "502", Status: wechatpay.RefundStatusAbnormal, Amount: 20},
	}
}

func TestQueryRefund(t *testing.T) {
	s := newServer(t, done(twoRefunds()))
	got, err := s.client(t).QueryRefund(t.Context(), wechatpay.RefundRef{OutRefundNo: "rf-2", AppID: testAppID})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(twoFacts(t)[1], got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	want := map[string]string{"appid": testAppID, "mch_id": testMchID, "sign_type": "HMAC-SHA256", "out_refund_no": "rf-2"}
	if diff := cmp.Diff(want, without(s.only(t).fields, "nonce_str", "sign")); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
}

func TestQueryRefundsOnOnePage(t *testing.T) {
	for name, fields := range map[string]map[string]string{
		"without a total": twoRefunds(),
		"with a total":    with(twoRefunds(), map[string]string{"total_refund_count": "2"}),
		"without a count": without(twoRefunds(), "refund_count"),
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, done(fields))
			got, err := s.client(t).QueryRefunds(t.Context(), wechatpay.OrderRef{OutTradeNo: testNumber, AppID: testAppID})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(twoFacts(t), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			want := map[string]string{"appid": testAppID, "mch_id": testMchID, "sign_type": "HMAC-SHA256", "out_trade_no": testNumber}
			if diff := cmp.Diff(want, without(s.only(t).fields, "nonce_str", "sign")); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRepliesToRefundQueryThatProveNothing(t *testing.T) {
	for name, c := range map[string]struct {
		fields map[string]string
		text   string
	}{
		"no refunds":            {map[string]string{"out_trade_no": testNumber, "refund_count": "0"}, "the reply has no refunds"},
		"other refunds":         {without(twoRefunds(), "out_refund_no_1", "refund_count"), "the reply is for another out_refund_no"},
		"fewer than counted":    {with(twoRefunds(), map[string]string{"refund_count": "3"}), "refund_count and the refunds of the reply differ"},
		"no order":              {without(twoRefunds(), "out_trade_no"), "refund 0 of the reply: out_trade_no is missing"},
		"no state":              {without(twoRefunds(), "refund_status_1"), "refund 1 of the reply: refund_status is missing"},
		"no amount":             {without(twoRefunds(), "refund_fee_1"), "refund 1 of the reply: refund_fee is not a whole number of minor units"},
		"broken amount":         {with(twoRefunds(), map[string]string{"refund_fee_1": "0.2"}), "refund 1 of the reply: refund_fee is not a whole number of minor units"},
		"a refund without name": {with(twoRefunds(), map[string]string{"out_refund_no_1": ""}), "refund 1 of the reply: out_refund_no is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newServer(t, done(c.fields)).client(t).QueryRefund(t.Context(), wechatpay.RefundRef{OutRefundNo: "rf-2", AppID: testAppID})
			expect(t, err, wechatpay.Unknown, wechatpay.NeedsAttention, "QueryRefund: "+c.text)
		})
	}
	_, err := newServer(t, done(with(twoRefunds(), map[string]string{"out_trade_no": "other"}))).client(t).QueryRefunds(t.Context(), wechatpay.OrderRef{OutTradeNo: testNumber, AppID: testAppID})
	expect(t, err, wechatpay.Unknown, wechatpay.NeedsAttention, "QueryRefund: the reply is for another out_trade_no")
}

// pages answers as WeChat Pay does for an order with the given number of refunds: ten at a time
// from the offset, numbered from 0 on each page. changed modifies a page before it is signed.
func pages(refunds int, changed func(offset int, message map[string]string)) answer {
	return func(w http.ResponseWriter, r *http.Request, sent map[string]string) {
		offset, _ := strconv.Atoi(sent["offset"])
		message := map[string]string{"out_trade_no": testNumber}
		n := 0
		for ; n < 10 && offset+n < refunds; n++ {
			message[fmt.Sprintf("out_refund_no_%d", n)] = fmt.Sprintf("rf-%02d", offset+n)
			message[fmt.Sprintf("refund_fee_%d", n)] = "1"
			message[fmt.Sprintf("refund_status_%d", n)] = "PROCESSING"
		}
		message["refund_count"] = strconv.Itoa(n)
		if refunds > 10 || sent["offset"] != "" {
			message["total_refund_count"] = strconv.Itoa(refunds)
		}
		if changed != nil {
			changed(offset, message)
		}
		done(message)(w, r, sent)
	}
}

func TestQueryRefundsOverAllPages(t *testing.T) {
	for refunds, calls := range map[int]int{1: 1, 9: 1, 10: 1, 11: 2, 20: 2, 36: 4, 50: 5} {
		t.Run(strconv.Itoa(refunds), func(t *testing.T) {
			s := newServer(t, pages(refunds, nil))
			got, err := s.client(t).QueryRefunds(t.Context(), wechatpay.OrderRef{OutTradeNo: testNumber, AppID: testAppID})
			if err != nil {
				t.Fatal(err)
			}
			seen := map[string]bool{}
			for _, fact := range got {
				seen[fact.OutRefundNo] = true
			}
			if len(got) != refunds || len(seen) != refunds {
				t.Errorf("%d refunds, %d of them distinct", len(got), len(seen))
			}
			if got := len(s.seen()); got != calls {
				t.Errorf("%d calls", got)
			}
		})
	}
}

func TestPagesThatDoNotAddUp(t *testing.T) {
	for name, c := range map[string]struct {
		refunds int
		changed func(offset int, message map[string]string)
		text    string
	}{
		"more than there may be": {51, nil, "there are more than 50 refunds"},
		"total too large":        {12, func(_ int, m map[string]string) { m["total_refund_count"] = "13" }, "the pages do not add up"},
		"total too small":        {12, func(_ int, m map[string]string) { m["total_refund_count"] = "9" }, "the pages do not add up"},
		"total no number":        {12, func(_ int, m map[string]string) { m["total_refund_count"] = "many" }, "total_refund_count is not a number"},
		"total forgotten": {12, func(offset int, m map[string]string) {
			if offset > 0 {
				delete(m, "total_refund_count")
			}
		}, "total_refund_count is missing"},
		"moved between two calls": {12, func(offset int, m map[string]string) {
			if offset > 0 {
				m["out_refund_no_0"] = "rf-09"
			}
		}, "the pages do not add up"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := newServer(t, pages(c.refunds, c.changed)).client(t).QueryRefunds(t.Context(), wechatpay.OrderRef{OutTradeNo: testNumber, AppID: testAppID})
			expect(t, err, wechatpay.Unknown, wechatpay.NeedsAttention, "QueryRefund: "+c.text)
			if got != nil {
				t.Error("some are returned")
			}
		})
	}
}

func TestNoRefundsOfAnOrder(t *testing.T) {
	_, err := newServer(t, fails("REFUNDNOTEXIST", "not exist")).client(t).QueryRefunds(t.Context(), wechatpay.OrderRef{OutTradeNo: testNumber, AppID: testAppID})
	if !wechatpay.Means(err, wechatpay.RefundNotExist) {
		t.Errorf("got %v", err)
	}
}
