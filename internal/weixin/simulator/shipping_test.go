package simulator

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

const (
	uploadPath = "/wxa/sec/order/upload_shipping_info"
	orderPath  = "/wxa/sec/order/get_order"
)

// parcel is an entry of shipping_list.
func parcel(trackingNo string) members {
	return members{"tracking_no": trackingNo, "express_company": "STO", "item_desc": "肥皂 x1"}
}

// body is an upload of one parcel.
func (f *fixture) body(number string, changes ...members) members {
	body := members{
		"order_key":      members{"order_number_type": 1, "mchid": testMerchant, "out_trade_no": number},
		"logistics_type": 1, "delivery_mode": 1, "shipping_list": []any{parcel("T1")},
		"upload_time": f.clock.Now().Format(time.RFC3339), "payer": members{"openid": testOpenID},
	}
	for _, change := range changes {
		maps.Copy(body, change)
	}
	return body
}

// split is a change that makes an upload a part of a split delivery.
func split(last bool, numbers ...string) members {
	list := []any{}
	for _, number := range numbers {
		list = append(list, parcel(number))
	}
	return members{"delivery_mode": 2, "is_all_delivered": last, "shipping_list": list}
}

// known adds a paid order that is known here.
func (f *fixture) known(number string) Order {
	order := f.paid(number)
	f.clock.Step(time.Minute)
	return order
}

func (f *fixture) upload(number string, changes ...members) Errcode {
	f.t.Helper()
	return code(f.call(uploadPath, f.body(number, changes...)))
}

func (f *fixture) order(number string) members {
	f.t.Helper()
	reply := f.call(orderPath, members{"merchant_id": testMerchant, "merchant_trade_no": number})
	f.Expect(code(reply)).To(Equal(CodeOK))
	return reply["order"].(members)
}

func TestAnOrderIsShippedOnceAndOnceMore(t *testing.T) {
	f := start(t)
	f.known("order-0001")
	f.Expect(f.order("order-0001")).To(HaveKeyWithValue("order_state", BeEquivalentTo(ToShip)))
	f.Expect(f.upload("order-0001")).To(Equal(CodeOK))
	shipped := f.order("order-0001")
	f.Expect(shipped).To(HaveKeyWithValue("order_state", BeEquivalentTo(Shipped)))
	f.Expect(shipped["shipping"]).To(HaveKeyWithValue("finish_shipping_count", BeEquivalentTo(1)))
	f.Expect(f.upload("order-0001")).To(Equal(CodeNothingChanged))
	f.Expect(f.sim.Journal().Violations).To(BeEmpty(), "the same upload again changes nothing")

	f.Expect(f.upload("order-0001", members{"shipping_list": []any{parcel("T2")}})).To(Equal(CodeParameter), "not later")
	f.clock.Step(time.Second)
	f.Expect(f.upload("order-0001", members{"shipping_list": []any{parcel("T2")}})).To(Equal(CodeOK))
	f.clock.Step(time.Second)
	f.Expect(f.upload("order-0001", members{"shipping_list": []any{parcel("T3")}})).To(Equal(CodeReshipUsed))
	journal := f.sim.Journal()
	f.Expect(journal.Violations).To(HaveLen(1))
	f.Expect(journal.Violations[0].Kind).To(Equal(ViolationReship))
	f.Expect(journal.Shipping("order-0001").FinishCount).To(Equal(2))
	f.Expect(journal.UploadsOf("order-0001")).To(HaveLen(5))
}

func TestASplitDelivery(t *testing.T) {
	f := start(t)
	f.known("order-0001")
	f.Expect(f.upload("order-0001", split(false, "T1", "T2"))).To(Equal(CodeOK))
	f.Expect(f.upload("order-0001", split(false, "T1", "T2"))).To(Equal(CodeNothingChanged))
	f.Expect(f.order("order-0001")).To(HaveKeyWithValue("order_state", BeEquivalentTo(ToShip)))
	f.clock.Step(time.Second)
	f.Expect(f.upload("order-0001", split(true, "T3"))).To(Equal(CodeOK))
	f.Expect(f.upload("order-0001", split(true, "T3"))).To(Equal(CodeNothingChanged))
	f.Expect(f.upload("order-0001", split(false, "T1", "T2"))).To(Equal(CodeAlreadyShipped))
	f.Expect(f.sim.Journal().Shipping("order-0001").Parcels).To(HaveLen(3))
	f.Expect(f.sim.Journal().Violations).To(BeEmpty())
}

func TestAPaymentIsKnownLater(t *testing.T) {
	f := start(t, func(o *Options) { o.TimeScale = 60 })
	f.paid("order-0001")
	f.Expect(f.upload("order-0001")).To(Equal(CodePaymentNotFound))
	f.Expect(code(f.call(orderPath, members{"merchant_id": testMerchant, "merchant_trade_no": "order-0001"}))).To(Equal(CodePaymentNotFound))
	f.clock.Step(time.Second)
	f.Expect(f.upload("order-0001")).To(Equal(CodeOK))
}

func TestUploadsForWhatIsNotPaid(t *testing.T) {
	f := start(t)
	f.ledger.put(Order{MchID: testMerchant, OutTradeNo: "order-0001"})
	f.Expect(f.upload("order-0001")).To(Equal(CodePaymentNotFound))
	f.Expect(f.upload("nobody-s")).To(Equal(CodePaymentNotFound))
	f.Expect(f.sim.Journal().Violations).To(HaveLen(1))
	f.Expect(f.sim.Journal().Violations[0].Kind).To(Equal(ViolationUnpaid))
}

func TestOrdersThatCanNotBeShipped(t *testing.T) {
	f := start(t)
	order := f.known("order-0001")
	order.Refunded = true
	f.ledger.put(order)
	f.Expect(f.upload("order-0001")).To(Equal(CodeNotShippable))
	f.Expect(f.order("order-0001")).To(HaveKeyWithValue("order_state", BeEquivalentTo(OrderRefunded)))
	f.known("order-0002")
	f.Expect(f.upload("order-0002")).To(Equal(CodeOK))
	f.Expect(f.sim.Receive(testMerchant, "order-0002", Confirmed)).To(Succeed())
	f.clock.Step(time.Second)
	f.Expect(f.upload("order-0002")).To(Equal(CodeNotShippable))
}

func TestAnUploadNamesAnOrderByItsTransactionToo(t *testing.T) {
	f := start(t)
	order := f.known("order-0001")
	key := members{"order_key": members{"order_number_type": 2, "transaction_id": order.Payment.TransactionID}}
	f.Expect(f.upload("order-0001", key)).To(Equal(CodeOK))
	reply := f.call(orderPath, members{"transaction_id": order.Payment.TransactionID})
	f.Expect(reply["order"]).To(HaveKeyWithValue("merchant_trade_no", "order-0001"))
}

func TestASubMerchantsOrder(t *testing.T) {
	f := start(t)
	order := f.known("order-0001")
	order.SubMchID = "1900000200"
	f.ledger.put(order)
	delete(f.ledger.orders, testMerchant+"/order-0001")
	f.Expect(f.upload("order-0001")).To(Equal(CodePaymentNotFound), "the provider's number is not the sub merchant's")
	key := members{"order_key": members{"order_number_type": 1, "mchid": "1900000200", "out_trade_no": "order-0001"}}
	f.Expect(f.upload("order-0001", key)).To(Equal(CodeOK))
	reply := f.call(orderPath, members{"merchant_id": testMerchant, "sub_merchant_id": "1900000200", "merchant_trade_no": "order-0001"})
	f.Expect(code(reply)).To(Equal(CodeOK))
}

func TestWrongUploads(t *testing.T) {
	f := start(t)
	f.known("order-0001")
	with := func(changes members) []any {
		changed := parcel("T1")
		maps.Copy(changed, changes)
		return []any{changed}
	}
	list := func(count int) []any {
		var all []any
		for range count {
			all = append(all, parcel("T1"))
		}
		return all
	}
	sf := members{"express_company": "SF"}
	for name, c := range map[string]struct {
		change members
		want   Errcode
	}{
		"a text for a number":     {members{"logistics_type": "1"}, CodeMalformed},
		"an object for a list":    {members{"shipping_list": parcel("T1")}, CodeMalformed},
		"an unknown member":       {members{"comment": "x"}, CodeMalformed},
		"no key":                  {members{"order_key": nil}, CodeNumberType},
		"no merchant":             {members{"order_key": members{"order_number_type": 1, "out_trade_no": "order-0001"}}, CodeMchIDMissing},
		"no number":               {members{"order_key": members{"order_number_type": 1, "mchid": testMerchant}}, CodeOutTradeNoMissing},
		"no transaction":          {members{"order_key": members{"order_number_type": 2}}, CodeTransactionMissing},
		"another type of number":  {members{"order_key": members{"order_number_type": 3}}, CodeNumberType},
		"another logistics":       {members{"logistics_type": 5}, CodeLogisticsType},
		"another mode":            {members{"delivery_mode": 3}, CodeDeliveryMode},
		"a split pickup":          {members{"delivery_mode": 2, "logistics_type": 4, "is_all_delivered": true}, CodeSplitIsExpress},
		"a split without its end": {members{"delivery_mode": 2}, CodeAllDeliveredMissing},
		"two at once":             {members{"shipping_list": list(2)}, CodeUnifiedNeedsOneParcel},
		"sixteen":                 {members{"delivery_mode": 2, "is_all_delivered": true, "shipping_list": list(16)}, CodeListTooLong},
		"no item_desc":            {members{"shipping_list": with(members{"item_desc": ""})}, CodeItemDescEmpty},
		"a long item_desc":        {members{"shipping_list": with(members{"item_desc": strings.Repeat("皂", 121)})}, CodeItemDescTooLong},
		"no tracking number":      {members{"shipping_list": with(members{"tracking_no": ""})}, CodeTrackingMissing},
		"no company":              {members{"shipping_list": with(members{"express_company": ""})}, CodeCompanyMissing},
		"a long tracking number":  {members{"shipping_list": with(members{"tracking_no": strings.Repeat("1", 129)})}, CodeTrackingTooLong},
		"a long company":          {members{"shipping_list": with(members{"express_company": strings.Repeat("S", 129)})}, CodeCompanyTooLong},
		"SF without contact":      {members{"shipping_list": with(sf)}, CodeParameter},
		"an open contact":         {members{"shipping_list": with(members{"contact": members{"receiver_contact": "18912341234"}})}, CodeParameter},
		"a hidden end":            {members{"shipping_list": with(members{"contact": members{"receiver_contact": "189****12**"}})}, CodeParameter},
		"a date":                  {members{"upload_time": "2026-11-29 18:00:00"}, CodeUploadTime},
		"no payer":                {members{"payer": nil}, CodeParameter},
		"another payer":           {members{"payer": members{"openid": "oSomebodyElse"}}, CodeNotOfPayer},
	} {
		t.Run(name, func(t *testing.T) {
			NewWithT(t).Expect(f.upload("order-0001", c.change)).To(Equal(c.want))
		})
	}
	f.Expect(f.upload("order-0001", members{"shipping_list": with(members{
		"express_company": "SF", "item_desc": strings.Repeat("皂", 120), "contact": members{"receiver_contact": "189****1234"},
	})})).To(Equal(CodeOK))
}

func TestVirtualGoodsNeedNoParcel(t *testing.T) {
	f := start(t)
	f.known("order-0001")
	f.Expect(f.upload("order-0001", members{"logistics_type": 3, "shipping_list": []any{members{"item_desc": "会员 x1"}}})).To(Equal(CodeOK))
}

func TestTheJournalKeepsWhatCame(t *testing.T) {
	f := start(t)
	f.known("order-0001")
	f.upload("order-0001")
	f.call(uploadPath, "{broken")
	uploads := f.sim.Journal().Uploads
	f.Expect(uploads).To(HaveLen(2))
	f.Expect(uploads[1].Errcode).To(Equal(CodeMalformed))
	_, err := json.Marshal(f.sim.Journal())
	f.Expect(err).NotTo(HaveOccurred())
}

func TestIsTradeManaged(t *testing.T) {
	f := start(t)
	ask := func() members { return f.call("/wxa/sec/order/is_trade_managed", members{"appid": testApp}) }
	f.Expect(ask()).To(HaveKeyWithValue("is_trade_managed", true))
	f.Expect(f.sim.SetUnmanaged(testApp, true)).To(Succeed())
	f.Expect(ask()).To(HaveKeyWithValue("is_trade_managed", false))
}
