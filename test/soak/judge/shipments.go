package judge

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	weixin "github.com/wechatpay-operator/wechatpay-operator/internal/weixin/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/conditions"
)

// AskedShipment is a Shipment that was created, possibly several times with the same spec. The soak
// gives no two of them a parcel with the same tracking number.
type AskedShipment struct {
	Shipment *v1alpha1.Shipment
	// Order is the number that its Order has, or wants to have.
	Order Number
	// Deleted is set before the first deletion request.
	Deleted bool
	// Replaces says that its author deleted another Shipment of the Order after WeChat had it, which
	// is how the one chance to ship again is asked for.
	Replaces bool
}

// shipments compares what order shipping management was told with what was asked for, and what
// Shipments show with what it has.
func (j *judge) shipments() {
	w := j.whatWeChatHas()
	for number, known := range w.known {
		j.shipped(w, number, known)
	}
	for _, tracking := range slices.Sorted(maps.Keys(w.uploads)) {
		j.uploads(w, tracking, w.uploads[tracking])
	}
	for _, violation := range j.Weixin.Violations {
		j.shippingViolation(w, violation)
	}
	j.shownShipments(w)
	for _, asked := range j.Shipments {
		j.shipmentEnd(asked)
	}
}

// shipping is order shipping management's record, by the numbers that were asked for.
type shipping struct {
	known map[Number]*weixin.Shipping
	// uploads are the calls by the tracking number of their first parcel.
	uploads map[string][]upload
	// asked finds a Shipment by a tracking number of it, and parts those of a number.
	asked map[string]*AskedShipment
	parts map[Number][]*AskedShipment
}

// upload is a call that carried shipping information.
type upload struct {
	weixin.Upload
	number  Number
	members uploadMembers
}

type uploadMembers struct {
	OrderKey struct {
		MchID      string `json:"mchid"`
		OutTradeNo string `json:"out_trade_no"`
	} `json:"order_key"`
	LogisticsType  int             `json:"logistics_type"`
	DeliveryMode   int             `json:"delivery_mode"`
	IsAllDelivered *bool           `json:"is_all_delivered"`
	ShippingList   []weixin.Parcel `json:"shipping_list"`
	UploadTime     string          `json:"upload_time"`
	Payer          struct {
		OpenID string `json:"openid"`
	} `json:"payer"`
}

func (j *judge) whatWeChatHas() *shipping {
	w := &shipping{known: map[Number]*weixin.Shipping{}, uploads: map[string][]upload{}, asked: map[string]*AskedShipment{}, parts: map[Number][]*AskedShipment{}}
	for _, asked := range j.Shipments {
		w.parts[asked.Order] = append(w.parts[asked.Order], asked)
		for _, parcel := range asked.Shipment.Spec.Parcels {
			w.asked[parcel.TrackingNumber] = asked
		}
	}
	numbers := map[string]Number{}
	for i := range j.Ledger.Orders {
		order := &j.Ledger.Orders[i]
		mchID := order.MchID
		if order.SubMchID != "" {
			mchID = order.SubMchID
		}
		numbers[mchID+"/"+order.OutTradeNo] = Number{order.MchID, order.OutTradeNo}
	}
	for i := range j.Weixin.Shippings {
		known := &j.Weixin.Shippings[i]
		w.known[numbers[known.MchID+"/"+known.OutTradeNo]] = known
	}
	for _, call := range j.Weixin.Uploads {
		made := upload{Upload: call, number: numbers[call.MchID+"/"+call.OutTradeNo]}
		if json.Unmarshal(call.Body, &made.members) != nil || len(made.members.ShippingList) == 0 {
			j.find(WeChatContent, made.number, "an upload can't be read: %s", call.Body)
			continue
		}
		tracking := made.members.ShippingList[0].TrackingNo
		w.uploads[tracking] = append(w.uploads[tracking], made)
	}
	return w
}

// owns reports whether a Shipment is of the Order that has the number.
func (j *judge) owns(asked *AskedShipment, number Number) bool {
	owner := j.Orders[number]
	return owner != nil && asked.Order == number && asked.Shipment.Namespace == owner.Order.Namespace && asked.Shipment.Spec.OrderRef.Name == owner.Order.Name
}

// shipped checks the shipping information of an order: it is of the Shipments of the Order that has
// the number, and the one chance to ship again is unused unless somebody asked for it.
func (j *judge) shipped(w *shipping, number Number, known *weixin.Shipping) {
	j.lookAt(ReshipAsked)
	for _, parcel := range known.Parcels {
		j.lookAt(ShippedByOwner)
		asked := w.asked[parcel.TrackingNo]
		switch {
		case asked == nil:
			j.find(ShippedByOwner, number, "WeChat has the parcel %s, which is no Shipment's", parcel.TrackingNo)
		case !j.owns(asked, number):
			j.find(ShippedByOwner, number, "WeChat has the parcel %s of %s, which is not of the Order with this number", parcel.TrackingNo, key(asked.Shipment))
		}
	}
	if known.FinishCount > 1 && !w.reshipAsked(number) {
		j.find(ReshipAsked, number, "it was shipped completely %d times", known.FinishCount)
	}
}

func (w *shipping) reshipAsked(number Number) bool {
	return slices.ContainsFunc(w.parts[number], func(asked *AskedShipment) bool { return asked.Replaces })
}

// uploads checks the calls for one Shipment: they are what it says, all the same, and only one of
// them changed anything. A Shipment that is applied again has another time of creation, which is the
// time in its upload.
func (j *judge) uploads(w *shipping, tracking string, calls []upload) {
	asked := w.asked[tracking]
	if asked == nil {
		j.find(UploadOnce, calls[0].number, "the parcel %s was uploaded, which is no Shipment's", tracking)
		return
	}
	taken := 0
	for _, call := range calls {
		j.lookAt(UploadOnce)
		if wrong := j.differs(call, asked); wrong != "" {
			j.find(UploadOnce, asked.Order, "the upload of %s has another %s than the Shipment: %s", key(asked.Shipment), wrong, call.Body)
		}
		if first := calls[0].members; !sameUpload(first, call.members, asked.Deleted) {
			j.find(UploadOnce, asked.Order, "%s was uploaded as %s and as %s", key(asked.Shipment), calls[0].Body, call.Body)
		}
		if call.Errcode == weixin.CodeOK {
			taken++
		}
	}
	if taken > 1 {
		j.find(UploadOnce, asked.Order, "%s was taken %d times", key(asked.Shipment), taken)
	}
}

func sameUpload(a, b uploadMembers, appliedAgain bool) bool {
	if appliedAgain {
		a.UploadTime, b.UploadTime = "", ""
	}
	return reflect.DeepEqual(a, b)
}

// differs names what of an upload its Shipment and its Order do not say; empty if all is right.
func (j *judge) differs(call upload, asked *AskedShipment) string {
	owner := j.Orders[asked.Order]
	var parcels []weixin.Parcel
	for _, p := range asked.Shipment.Spec.Parcels {
		parcels = append(parcels, weixin.Parcel{TrackingNo: p.TrackingNumber, ExpressCompany: p.Carrier, ItemDesc: p.Items})
	}
	switch {
	case call.number != asked.Order, call.members.OrderKey.OutTradeNo != asked.Order.Number, !j.owns(asked, asked.Order):
		return "order"
	case owner.Order.Spec.Payer != nil && call.members.Payer.OpenID != owner.Order.Spec.Payer.OpenID:
		return "payer"
	case !reflect.DeepEqual(call.members.ShippingList, parcels):
		return "list"
	case call.members.DeliveryMode == 2 && (call.members.IsAllDelivered == nil || *call.members.IsAllDelivered != asked.Shipment.IsComplete()):
		return "is_all_delivered"
	default:
		return ""
	}
}

func (j *judge) shippingViolation(w *shipping, violation weixin.Violation) {
	for number := range w.parts {
		if violation.Kind == weixin.ViolationReship && number.Number == violation.Number && w.reshipAsked(number) {
			return
		}
	}
	rule := WeChatContent
	if violation.Kind == weixin.ViolationReship {
		rule = ReshipAsked
	}
	j.findAbout(rule, violation.Number, "%s: %s", violation.Kind, violation.Detail)
}

// shownShipments checks every stored version.
func (j *judge) shownShipments(w *shipping) {
	byName := map[string]*AskedShipment{}
	for _, asked := range j.Shipments {
		byName[key(asked.Shipment)] = asked
	}
	seen := map[string]bool{}
	for _, change := range j.History {
		shipment, isShipment := change.Object.(*v1alpha1.Shipment)
		if !isShipment || change.Gone {
			continue
		}
		name, uploaded := key(shipment), condition(shipment.Status.Conditions, v1alpha1.ConditionUploaded)
		version := name + conditions.Describe(shipment.Status.Conditions) + shipment.Status.MiniProgram
		if seen[version] {
			continue
		}
		seen[version] = true
		asked := byName[name]
		if asked == nil {
			j.findAbout(NothingInvented, name, "was created by nobody")
			continue
		}
		j.miniProgram(asked, shipment)
		if uploaded.Status == metav1.ConditionTrue {
			j.lookAt(UploadedIsThere)
			if missing := j.missing(w, asked); missing != "" {
				j.findAbout(UploadedIsThere, name, "it shows Uploaded/%s, and %s", uploaded.Reason, missing)
			}
		}
	}
}

// miniProgram: the one in use is in the namespace of the Shipment or of its Order's Merchant. An
// appid is public, so that anybody may name it.
func (j *judge) miniProgram(asked *AskedShipment, shown *v1alpha1.Shipment) {
	owner := j.Orders[asked.Order]
	if shown.Status.MiniProgram == "" || owner == nil {
		return
	}
	j.lookAt(NoFactCrosses)
	namespace, _ := owner.Order.MerchantKey()
	for _, allowed := range []string{shown.Namespace, namespace} {
		if len(shown.Status.MiniProgram) > len(allowed) && shown.Status.MiniProgram[:len(allowed)+1] == allowed+"/" {
			return
		}
	}
	j.findAbout(NoFactCrosses, key(shown), "it uses MiniProgram %s", shown.Status.MiniProgram)
}

// missing says what WeChat was never told of a Shipment; empty if it was told all.
func (j *judge) missing(w *shipping, asked *AskedShipment) string {
	if !j.owns(asked, asked.Order) {
		return "its Order does not have the number"
	}
	known := w.known[asked.Order]
	if known == nil {
		return "WeChat has no shipping information of the order"
	}
	if order := j.Ledger.Order(asked.Order.MchID, asked.Order.Number); order == nil || order.Payment == nil || order.Payment.TransactionID != known.TransactionID {
		return "WeChat's shipping information is of another transaction"
	}
	for _, parcel := range asked.Shipment.Spec.Parcels {
		is := func(p weixin.Parcel) bool {
			return p.TrackingNo == parcel.TrackingNumber && p.ExpressCompany == parcel.Carrier
		}
		told := slices.ContainsFunc(w.uploads[asked.Shipment.Spec.Parcels[0].TrackingNumber], func(u upload) bool { return u.Errcode == weixin.CodeOK })
		// What was told may have been replaced, if somebody asked for that.
		if !slices.ContainsFunc(known.Parcels, is) && (!told || !w.reshipAsked(asked.Order)) {
			return fmt.Sprintf("WeChat does not have its parcel %s", parcel.TrackingNumber)
		}
	}
	return ""
}

// shipmentEnd checks that a Shipment of a paid Order comes to its end.
func (j *judge) shipmentEnd(asked *AskedShipment) {
	name := key(asked.Shipment)
	now, _ := j.past.now[name].(*v1alpha1.Shipment)
	j.lookAt(NothingLost)
	if now == nil {
		switch {
		case asked.Deleted:
		case j.past.last[name] == nil:
			j.findAbout(NothingLost, name, "was never stored").Open = true
		default:
			j.findAbout(NothingLost, name, "is gone, and nobody deleted it")
		}
		return
	}
	order := j.past.order(orderKey(now))
	uploaded := condition(now.Status.Conditions, v1alpha1.ConditionUploaded)
	if order == nil || order.DeletionTimestamp != nil || !isPaid(order) || !j.owns(asked, asked.Order) {
		return // what it shows is checked by shownShipments
	}
	j.lookAt(Converged)
	recorded := j.Ledger.Order(asked.Order.MchID, asked.Order.Number)
	switch {
	case uploaded.Status == metav1.ConditionTrue:
	case uploaded.Reason == v1alpha1.ReasonNotShippable && recorded != nil && recorded.Sums.Refunded >= recorded.Sums.Paid:
	case uploaded.Reason == v1alpha1.ReasonNotShippable, uploaded.Reason == v1alpha1.ReasonRejected, uploaded.Reason == v1alpha1.ReasonNothingLeft:
		j.findAbout(Converged, name, "it ended as %s, for which there was no cause", uploaded.Reason)
	default:
		j.findAbout(Converged, name, "its Order is paid, and it is not uploaded").Open = true
	}
}
