package judge_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	weixin "github.com/wechatpay-operator/wechatpay-operator/internal/weixin/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/soak/judge"
)

// shippedStory is a story whose Order was shipped in two parts.
type shippedStory struct {
	*story
	shipments []*v1alpha1.Shipment
}

func newShippedStory() *shippedStory {
	s := &shippedStory{story: newStory()}
	s.Orders[orderNumber].Order.Spec.Payer = &v1alpha1.Payer{OpenID: "oPayer"}
	s.ledgerOrder().Params["openid"] = "oPayer"
	s.Weixin.Shippings = []weixin.Shipping{{
		AppID: "wx1", MchID: mchID, OutTradeNo: "order-1", TransactionID: "t1", DeliveryMode: weixin.Split, LogisticsType: weixin.Express, Finished: true, FinishCount: 1,
	}}
	for i, name := range []string{"s0", "s1"} {
		last := i == 1
		shipment := &v1alpha1.Shipment{
			ObjectMeta: metav1.ObjectMeta{Namespace: "soap", Name: name, UID: types.UID(name)},
			Spec: v1alpha1.ShipmentSpec{
				OrderRef: v1alpha1.OrderReference{Name: "order-1"}, Logistics: v1alpha1.LogisticsExpress, Complete: &last,
				Parcels: []v1alpha1.Parcel{{TrackingNumber: "T-" + name, Carrier: "STO", Items: "soap"}},
			},
		}
		s.Shipments = append(s.Shipments, &judge.AskedShipment{Shipment: shipment.DeepCopy(), Order: orderNumber})
		shipment.Status.Conditions = []metav1.Condition{condition(v1alpha1.ConditionUploaded, metav1.ConditionTrue, v1alpha1.ReasonUploaded)}
		shipment.Status.MiniProgram = "soap/shop"
		s.shipments = append(s.shipments, shipment)
		s.uploaded(shipment, noon.Add(time.Duration(i)*time.Second), weixin.CodeOK)
	}
	s.show()
	return s
}

// uploaded records an upload, and what it changed.
func (s *shippedStory) uploaded(shipment *v1alpha1.Shipment, at time.Time, code weixin.Errcode) {
	parcel := weixin.Parcel{TrackingNo: shipment.Spec.Parcels[0].TrackingNumber, ExpressCompany: "STO", ItemDesc: "soap"}
	body, _ := json.Marshal(map[string]any{
		"order_key":      map[string]any{"order_number_type": 1, "mchid": mchID, "out_trade_no": "order-1"},
		"logistics_type": 1, "delivery_mode": 2, "is_all_delivered": *shipment.Spec.Complete,
		"shipping_list": []weixin.Parcel{parcel}, "upload_time": at.Format(time.RFC3339), "payer": map[string]string{"openid": "oPayer"},
	})
	s.Weixin.Uploads = append(s.Weixin.Uploads, weixin.Upload{AppID: "wx1", MchID: mchID, OutTradeNo: "order-1", Body: body, Errcode: code})
	known := &s.Weixin.Shippings[0]
	if code == weixin.CodeOK && !slices.Contains(known.Parcels, parcel) {
		known.Parcels = append(known.Parcels, parcel)
	}
}

// show makes the current Shipments the end of the history.
func (s *shippedStory) show() {
	s.stored()
	for _, shipment := range s.shipments {
		s.then(judge.Change{Object: shipment.DeepCopy()})
	}
}

// shows gives the first Shipment another condition.
func (s *shippedStory) shows(status metav1.ConditionStatus, reason string) {
	s.shipments[0].Status.Conditions = []metav1.Condition{condition(v1alpha1.ConditionUploaded, status, reason)}
	s.show()
}

// change replaces a text in the body of an upload.
func (s *shippedStory) body(i int, member string, value any) {
	var members map[string]any
	_ = json.Unmarshal(s.Weixin.Uploads[i].Body, &members)
	members[member] = value
	s.Weixin.Uploads[i].Body, _ = json.Marshal(members)
}

// isReplaced has the second Shipment made in place of the first, which WeChat had.
func (s *shippedStory) isReplaced() {
	s.Shipments[0].Deleted, s.Shipments[1].Replaces = true, true
	s.Weixin.Shippings[0].FinishCount = 2
	s.Weixin.Shippings[0].Parcels = s.Weixin.Shippings[0].Parcels[1:]
	s.Weixin.Violations = []weixin.Violation{{Kind: weixin.ViolationReship, Number: "order-1"}}
	s.then(judge.Change{Object: s.shipments[0], Gone: true})
}

func TestShipmentsHold(t *testing.T) {
	for name, change := range map[string]func(*shippedStory){
		"two parts": func(*shippedStory) {},
		"one of them repeated the same": func(s *shippedStory) {
			s.uploaded(s.shipments[1], noon.Add(time.Second), weixin.CodeNothingChanged)
		},
		"applied again": func(s *shippedStory) {
			s.Shipments[0].Deleted = true
			s.then(judge.Change{Object: s.shipments[0], Gone: true})
			again := s.shipments[0].DeepCopy()
			again.UID = "again"
			s.then(judge.Change{Object: again})
			s.uploaded(again, noon.Add(time.Minute), weixin.CodeNothingChanged)
		},
		"replaced": (*shippedStory).isReplaced,
		"refunded before it was shipped": func(s *shippedStory) {
			s.ledgerOrder().Sums.Accepted, s.ledgerOrder().Sums.Refunded, s.order.Status.Refunded.Total = 100, 100, 100
			s.ledgerRefund().RefundFee, s.refund.Spec.Amount, s.Refunds[refundNo].Refund.Spec.Amount = 100, 100, 100
			s.shows(metav1.ConditionFalse, v1alpha1.ReasonNotShippable)
		},
		"a Shipment of an unpaid Order": func(s *shippedStory) {
			s.unpaid("NOTPAY")
			s.Weixin.Shippings, s.Weixin.Uploads = nil, nil
			for _, shipment := range s.shipments {
				shipment.Status.Conditions = []metav1.Condition{condition(v1alpha1.ConditionUploaded, metav1.ConditionFalse, v1alpha1.ReasonOrderNotPaid)}
				s.then(judge.Change{Object: shipment})
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShippedStory()
			change(s)
			for _, finding := range judge.Judge(s.Evidence, noon.Add(time.Minute)).Findings {
				t.Errorf("unexpected: %+v", finding)
			}
		})
	}
}

func TestShipmentsThatBreakARule(t *testing.T) {
	for name, c := range map[string]struct {
		rule   judge.Rule
		change func(*shippedStory)
		open   bool
	}{
		"taken twice":        {judge.UploadOnce, func(s *shippedStory) { s.uploaded(s.shipments[0], noon, weixin.CodeOK) }, false},
		"repeated otherwise": {judge.UploadOnce, func(s *shippedStory) { s.uploaded(s.shipments[0], noon.Add(time.Hour), weixin.CodeNothingChanged) }, false},
		"repeated as the last one, which it is not": {judge.UploadOnce, func(s *shippedStory) {
			s.uploaded(s.shipments[0], noon, weixin.CodeNothingChanged)
			s.body(2, "is_all_delivered", true)
		}, false},
		"for another payer": {judge.UploadOnce, func(s *shippedStory) { s.body(0, "payer", map[string]string{"openid": "oOther"}) }, false},
		"for another order": {judge.UploadOnce, func(s *shippedStory) {
			s.body(0, "order_key", map[string]any{"mchid": mchID, "out_trade_no": "order-2"})
		}, false},
		"with other items": {judge.UploadOnce, func(s *shippedStory) {
			s.body(0, "shipping_list", []weixin.Parcel{{TrackingNo: "T-s0", ExpressCompany: "STO", ItemDesc: "towels"}})
		}, false},
		"of nobody": {judge.UploadOnce, func(s *shippedStory) {
			s.body(0, "shipping_list", []weixin.Parcel{{TrackingNo: "T9", ExpressCompany: "STO", ItemDesc: "soap"}})
		}, false},
		"shown, and WeChat has nothing":        {judge.UploadedIsThere, func(s *shippedStory) { s.Weixin.Shippings, s.Weixin.Uploads = nil, nil }, false},
		"shown, and WeChat has the other part": {judge.UploadedIsThere, func(s *shippedStory) { s.Weixin.Shippings[0].Parcels = s.Weixin.Shippings[0].Parcels[1:] }, false},
		"shown, and WeChat has it of another payment": {judge.UploadedIsThere, func(s *shippedStory) {
			s.Weixin.Shippings[0].TransactionID = "t9"
		}, false},
		"shown by a neighbour": {judge.UploadedIsThere, func(s *shippedStory) {
			s.Shipments[0].Shipment.Namespace, s.shipments[0].Namespace = "towels", "towels"
			s.show()
		}, false},
		"a neighbour's parcel": {judge.ShippedByOwner, func(s *shippedStory) { s.Shipments[0].Shipment.Namespace = "towels" }, false},
		"a parcel of nobody": {judge.ShippedByOwner, func(s *shippedStory) {
			s.Weixin.Shippings[0].Parcels = append(s.Weixin.Shippings[0].Parcels, weixin.Parcel{TrackingNo: "T9"})
		}, false},
		"shipped twice": {judge.ReshipAsked, func(s *shippedStory) { s.Weixin.Shippings[0].FinishCount = 2 }, false},
		"shipped again": {judge.ReshipAsked, func(s *shippedStory) {
			s.Weixin.Violations = []weixin.Violation{{Kind: weixin.ViolationReship, Number: "order-1"}}
		}, false},
		"replaced, and only another order was asked for": {judge.ReshipAsked, func(s *shippedStory) {
			s.isReplaced()
			s.Weixin.Violations[0].Number = "order-2"
		}, false},
		"shipped before it was paid": {judge.WeChatContent, func(s *shippedStory) {
			s.Weixin.Violations = []weixin.Violation{{Kind: weixin.ViolationUnpaid, Number: "order-1"}}
		}, false},
		"another's MiniProgram": {judge.NoFactCrosses, func(s *shippedStory) { s.shipments[0].Status.MiniProgram = "mirrors/shop"; s.show() }, false},
		"not uploaded":          {judge.Converged, func(s *shippedStory) { s.shows(metav1.ConditionUnknown, v1alpha1.ReasonOutcomeUnknown) }, true},
		"rejected":              {judge.Converged, func(s *shippedStory) { s.shows(metav1.ConditionFalse, v1alpha1.ReasonRejected) }, false},
		"not shippable":         {judge.Converged, func(s *shippedStory) { s.shows(metav1.ConditionFalse, v1alpha1.ReasonNotShippable) }, false},
		"never stored":          {judge.NothingLost, func(s *shippedStory) { s.stored() }, true},
		"vanished":              {judge.NothingLost, func(s *shippedStory) { s.then(judge.Change{Object: s.shipments[0], Gone: true}) }, false},
		"Uploaded was left": {judge.PaidNeverLeft, func(s *shippedStory) {
			s.shows(metav1.ConditionUnknown, v1alpha1.ReasonNotSent)
			s.History = append(slices.Insert(s.History, 2, judge.Change{Object: newShippedStory().shipments[0]}), s.History[len(s.History)-1])
		}, false},
		"created by nobody": {judge.NothingInvented, func(s *shippedStory) { s.Shipments = s.Shipments[1:] }, false},
		"an event of another state": {judge.EventsTrue, func(s *shippedStory) {
			s.Sinks = map[string]int64{"soap": 9}
			s.Events = []judge.Event{{Namespace: "soap", UID: "s0", Type: v1alpha1.EventShipmentUploaded, State: v1alpha1.ReasonAlreadyShipped}}
		}, false},
		"no event": {judge.EventsArrive, func(s *shippedStory) { s.Sinks = map[string]int64{"soap": 0} }, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShippedStory()
			c.change(s)
			findings := judge.Judge(s.Evidence, noon.Add(time.Minute)).Findings
			if !slices.ContainsFunc(findings, func(f judge.Finding) bool { return f.Rule == c.rule && f.Open == c.open }) {
				t.Errorf("%q (open: %t) is not found: %+v", c.rule, c.open, findings)
			}
		})
	}
}
