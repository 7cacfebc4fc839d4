package chaos_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/simulation"
	weixin "github.com/wechatpay-operator/wechatpay-operator/internal/weixin/simulator"
)

const (
	kindMiniProgram = "MiniProgram"
	kindShipment    = "Shipment"

	appSecret = "0123456789abcdef0123456789abcdef"
	// shippingDelay is the time from a payment until order shipping management knows it, so that the first query comes
	// too early.
	shippingDelay = 10 * time.Second
)

// simulateWeixin starts an api.weixin.qq.com for one run, with WeChat Pay's payments.
func simulateWeixin(w *world) (*weixin.Simulator, error) {
	certificate, err := w.sim.ServerCertificate()
	if err != nil {
		return nil, err
	}
	return weixin.New(weixin.Options{
		Certificate: certificate, Payments: weixin.WeChatPay(w.sim), Rules: weixin.Rules{OrderDelay: shippingDelay},
		MiniPrograms: []weixin.MiniProgram{{AppID: appID, AppSecret: appSecret}}, Now: w.clock.Now,
	})
}

// openWeixin opens the connection to api.weixin.qq.com, which can be cut as well.
func (l *network) openWeixin() {
	l.toWeixin = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: l.w.sim.CertPool()}}}
	l.weixin = httptest.NewTLSServer(http.HandlerFunc(l.serveWeixin))
}

var orderState = regexp.MustCompile(`"order_state":\d`)

// weixinCall is a call of api.weixin.qq.com. number is empty if it is about no order.
type weixinCall struct{ operation, number string }

func readWeixinCall(request *http.Request, body []byte) weixinCall {
	var members struct {
		MerchantTradeNo string `json:"merchant_trade_no"`
		OrderKey        struct {
			OutTradeNo string `json:"out_trade_no"`
		} `json:"order_key"`
	}
	_ = json.Unmarshal(body, &members) // what is not JSON is about no order
	return weixinCall{operation: request.URL.Path[strings.LastIndex(request.URL.Path, "/")+1:], number: members.OrderKey.OutTradeNo + members.MerchantTradeNo}
}

// serveWeixin handles one call.
func (l *network) serveWeixin(answer http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return
	}
	w := l.w
	p := w.processNamed(request.UserAgent())
	if p == nil || p.isDead() {
		simulation.DropConnection(answer)
		return
	}
	made := readWeixinCall(request, body)
	w.checkUpload(p, made, body)
	met := w.reach(p, step{weixin: true, verb: made.operation, on: made.number})
	what := made.operation + " " + made.number
	if w.breaksOff(answer, p, what, met.before) {
		return
	}
	if met.late {
		w.note("%s: %s: is on its way", p.name, what)
		l.hold(request, body, false)
		simulation.DropConnection(answer)
		return
	}
	status, content, err := l.forwardWeixin(request, body)
	if w.breaksOff(answer, p, what, err) { // by a fault of the simulator
		return
	}
	if met.forged {
		content = orderState.ReplaceAll(content, []byte(`"order_state":4`))
	}
	w.note("%s: %s: %d %s", p.name, what, status, weixinWords(content))
	if w.breaksOff(answer, p, what, met.after) {
		return
	}
	answer.WriteHeader(status)
	_, _ = answer.Write(content) // a disconnected client misses the response
}

func (l *network) forwardWeixin(request *http.Request, body []byte) (int, []byte, error) {
	response, err := l.toWeixin.Post(l.w.weixin.URL()+request.URL.RequestURI(), "application/json", strings.NewReader(string(body)))
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	return response.StatusCode, content, err
}

// weixinWords summarizes an answer without access tokens.
func weixinWords(content []byte) string {
	var said struct {
		Errcode int `json:"errcode"`
		Order   *struct {
			State    int `json:"order_state"`
			Shipping struct {
				Finished bool `json:"finish_shipping"`
				List     []struct {
					TrackingNo string `json:"tracking_no"`
				} `json:"shipping_list"`
			} `json:"shipping"`
		} `json:"order"`
	}
	if json.Unmarshal(content, &said) != nil {
		return "no JSON"
	}
	text := fmt.Sprintf("errcode=%d", said.Errcode)
	if said.Order != nil {
		text += fmt.Sprintf(" state=%d finished=%t", said.Order.State, said.Order.Shipping.Finished)
		for _, parcel := range said.Order.Shipping.List {
			text += " " + parcel.TrackingNo
		}
	}
	return text
}

func aMiniProgram() stage {
	return stage{what: "create the mini program", do: func(w *world) {
		w.must(w.suite.api.Create(context.Background(), &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "mini-program"}, Data: map[string][]byte{"appSecret": []byte(appSecret)},
		}))
		w.create(home, &v1alpha1.MiniProgram{
			ObjectMeta: metav1.ObjectMeta{Name: "shop"},
			Spec: v1alpha1.MiniProgramSpec{
				AppID: appID, AppSecretRef: v1alpha1.AppSecretReference{Name: "mini-program"},
				Endpoint: &v1alpha1.WeixinEndpoint{URL: w.network.weixin.URL, CABundle: certificatePEM(w.network.weixin.Certificate())},
			},
		})
	}, until: func(w *world) bool {
		found, _ := w.objects()[key{kindMiniProgram, "shop", home}].(*v1alpha1.MiniProgram)
		return found != nil && meta.IsStatusConditionTrue(found.Status.Conditions, v1alpha1.ConditionReady)
	}}
}

// aShipment ships a part of the first Order; the last one with complete.
func aShipment(name string, complete bool) stage {
	return stage{what: "create " + name, do: func(w *world) {
		w.create(home, &v1alpha1.Shipment{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: v1alpha1.ShipmentSpec{
				OrderRef: v1alpha1.OrderReference{Name: firstOrder}, Logistics: v1alpha1.LogisticsExpress, Complete: &complete,
				Parcels: []v1alpha1.Parcel{{TrackingNumber: "T-" + name, Carrier: "STO", Items: "肥皂 x1"}},
			},
		})
		w.clock.Step(time.Second) // a warehouse does not ship twice in a second
	}, until: now}
}

func (w *world) shipment(name string) *v1alpha1.Shipment {
	found, _ := w.objects()[key{kindShipment, name, home}].(*v1alpha1.Shipment)
	return found
}

func uploaded(names ...string) func(*world) bool {
	return func(w *world) bool {
		for _, name := range names {
			if found := w.shipment(name); found == nil || !lifecycle.ShipmentFinal(found) {
				return false
			}
		}
		return true
	}
}

// shippingFlows upload shipping information.
func shippingFlows() []*flow {
	paidOrder := []stage{newMerchant(), aMiniProgram(), anOrder(), pay()}
	return []*flow{
		{name: "ship", alike: asShipped, stages: given(paidOrder...).and(aShipment("parcel-1", true), until(uploaded("parcel-1")))},
		{name: "ship, first", alike: asShipped, stages: given(newMerchant(), aMiniProgram(), anOrder()).and(aShipment("parcel-1", true), pay(), until(uploaded("parcel-1")))},
		{name: "ship, in two parts", alike: asShipped, stages: given(paidOrder...).
			and(aShipment("parcel-1", false), aShipment("parcel-2", true), until(uploaded("parcel-1", "parcel-2")))},
		{name: "ship, a part and then the rest", alike: asShipped, stages: given(append(paidOrder, aShipment("parcel-1", false), until(uploaded("parcel-1")))...).
			and(aShipment("parcel-2", true), until(uploaded("parcel-1", "parcel-2")))},
		{name: "ship, status lost", alike: asShipped, losesStatus: true, stages: given(append(paidOrder, aShipment("parcel-1", false), aShipment("parcel-2", true), until(uploaded("parcel-1", "parcel-2")))...).
			and(wipe(kindShipment, "parcel-1"), wipe(kindShipment, "parcel-2"), until(uploaded("parcel-1", "parcel-2")))},
		{name: "ship, applied again the other way round", alike: asShipped, stages: given(append(paidOrder, aShipment("parcel-1", false), aShipment("parcel-2", true), until(uploaded("parcel-1", "parcel-2")))...).
			and(deletion(kindShipment, "parcel-1"), deletion(kindShipment, "parcel-2"), aShipment("parcel-2", true), aShipment("parcel-1", false), until(uploaded("parcel-1", "parcel-2")))},
	}
}

// asShipped ignores whether the upload's answer or a query first shows that WeChat has the shipping information.
func asShipped(end string) string {
	return strings.NewReplacer("Uploaded=True/"+v1alpha1.ReasonAlreadyShipped, "Uploaded=True", "Uploaded=True/"+v1alpha1.ReasonUploaded, "Uploaded=True").Replace(end)
}

// checkUpload checks every upload before it is sent: it is that of a Shipment, of a paid Order, and
// the same as the first one.
func (w *world) checkUpload(p *process, call weixinCall, body []byte) {
	if call.operation != string(weixin.OperationUpload) {
		return
	}
	w.holds(shippedOnce)
	var members struct {
		ShippingList []weixin.Parcel `json:"shipping_list"`
	}
	if err := json.Unmarshal(body, &members); err != nil || len(members.ShippingList) == 0 {
		w.breaks(shippedOnce, "%s: an upload without parcels: %s", p.name, body)
		return
	}
	tracking := members.ShippingList[0].TrackingNo
	known := exists(slices.Values(w.everything()), func(shipment *v1alpha1.Shipment) bool {
		return shipment.Spec.Parcels[0].TrackingNumber == tracking && shipment.Spec.OrderRef.Name == call.number
	})
	if !known {
		w.breaks(shippedOnce, "%s: the upload of %s for %s is no Shipment's", p.name, tracking, call.number)
	}
	switch first, repeated := w.asked["upload "+w.uidOf(tracking)]; {
	case !repeated:
		w.asked["upload "+w.uidOf(tracking)] = string(body)
	case first != string(body):
		w.breaks(shippedOnce, "%s: %s is uploaded otherwise than before:\n%s\nnot:\n%s", p.name, tracking, body, first)
	}
}

// uidOf distinguishes Shipments that were applied again: another creation has another time, which is the time of the
// upload.
func (w *world) uidOf(tracking string) string {
	for _, object := range w.objects() {
		if shipment, ok := object.(*v1alpha1.Shipment); ok && shipment.Spec.Parcels[0].TrackingNumber == tracking {
			return string(shipment.UID)
		}
	}
	return tracking
}

// checkShipmentChange checks every write of a status: WeChat has what the status says, for the Order's own payment, and
// it never changes.
func (w *world) checkShipmentChange(before, after *v1alpha1.Shipment) {
	w.holds(shippedIsThere)
	if lifecycle.IsUploaded(before) && !lifecycle.IsUploaded(after) {
		w.breaks(shippedIsThere, "Uploaded was left: %s", summary(after))
	}
	if lifecycle.IsUploaded(after) && !w.isAtWeixin(after) {
		w.breaks(shippedIsThere, "%s is shown as uploaded and WeChat does not have it", after.Name)
	}
}

func (w *world) isAtWeixin(shipment *v1alpha1.Shipment) bool {
	order := w.order(home, shipment.Spec.OrderRef.Name)
	if order == nil || order.Status.Transaction == nil {
		return false
	}
	for _, there := range w.weixin.Journal().Shippings {
		has := func(p weixin.Parcel) bool { return p.TrackingNo == shipment.Spec.Parcels[0].TrackingNumber }
		if there.TransactionID == order.Status.Transaction.ID && slices.ContainsFunc(there.Parcels, has) && (there.Finished || !shipment.IsComplete()) {
			return true
		}
	}
	return false
}

// checkShipping compares order shipping management with the Shipments at the end of a run.
func (w *world) checkShipping() {
	journal := w.weixin.Journal()
	for _, found := range journal.Violations {
		w.breaks(shippedOnce, "WeChat complains: %s %s: %s", found.Kind, found.Number, found.Detail)
	}
	for _, there := range journal.Shippings {
		w.holds(shippedOnce)
		if there.FinishCount > 1 {
			w.breaks(shippedOnce, "%s was shipped completely %d times", there.OutTradeNo, there.FinishCount)
		}
		for _, parcel := range there.Parcels {
			if !exists(slices.Values(w.everything()), func(s *v1alpha1.Shipment) bool {
				return s.Spec.Parcels[0].TrackingNumber == parcel.TrackingNo && s.Spec.OrderRef.Name == there.OutTradeNo
			}) {
				w.breaks(shippedOnce, "WeChat has the parcel %s, which is no Shipment's", parcel.TrackingNo)
			}
		}
	}
	taken := map[string]int{}
	for _, upload := range journal.Uploads {
		if upload.Errcode == weixin.CodeOK {
			taken[string(upload.Body)]++
		}
	}
	for body, times := range taken {
		if times > 1 {
			w.breaks(shippedOnce, "one upload was taken %d times: %s", times, body)
		}
	}
	for _, object := range w.objects() {
		if shipment, ok := object.(*v1alpha1.Shipment); ok && !lifecycle.IsUploaded(shipment) {
			w.breaks(shippedIsThere, "%s is not uploaded in the end: %s", shipment.Name, summary(shipment))
		}
	}
}
