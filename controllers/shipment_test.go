package controllers_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/controllers"
	"github.com/wechatpay-operator/wechatpay-operator/internal/manager"
	weixin "github.com/wechatpay-operator/wechatpay-operator/internal/weixin/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// uploads are the bodies of the uploads for an Order, each different one once.
func uploads(shop *framework.Shop, order string) []string {
	var different []string
	seen := map[string]bool{}
	for _, upload := range shop.Weixin.Journal().UploadsOf(order) {
		if !seen[string(upload.Body)] {
			seen[string(upload.Body)] = true
			different = append(different, string(upload.Body))
		}
	}
	return different
}

// shortCalls gives a call two seconds.
func shortCalls(options *manager.Options) { options.MiniProgramTimeout = 2 * time.Second }

func fault(shop *framework.Shop, f weixin.Fault) {
	shop.T.Helper()
	_, err := shop.Weixin.AddFault(f)
	shop.Must(err)
}

func TestShipmentIsUploadedOnceTheOrderIsPaid(t *testing.T) {
	shop, g := openWithMiniProgram(t)
	shop.Create(shop.NewShipment("shipment-0001", "order-0001"))
	shop.WaitShipment("shipment-0001", "Uploaded=False/OrderNotFound")
	shop.Create(shop.NewOrder("order-0001"))
	shop.WaitShipment("shipment-0001", "Uploaded=False/OrderNotPaid")
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	shop.Pay("order-0001")
	uploaded := shop.WaitShipment("shipment-0001", "Uploaded=True/Uploaded")
	g.Expect(uploaded.Status.UploadTime.Time).To(gomega.BeTemporally("==", uploaded.CreationTimestamp.Time))
	g.Expect(uploaded.Status.WeChatState).To(gomega.Equal("Shipped"))
	g.Expect(uploaded.Status.MiniProgram).To(gomega.Equal(shop.Namespace + "/shop"))
	journal := shop.Weixin.Journal()
	g.Expect(journal.UploadsOf("order-0001")).To(gomega.HaveLen(1))
	g.Expect(journal.Violations).To(gomega.BeEmpty())
	g.Expect(journal.Shipping("order-0001").Parcels[0].TrackingNo).To(gomega.Equal("T-shipment-0001"))
}

func TestShipmentWaitsForAPaymentThatIsNotKnownYet(t *testing.T) {
	shop, g := openReady(t)
	shop.OpenWeixin(func(o *weixin.Options) { o.Rules.OrderDelay = 2 * time.Second })
	shop.Create(shop.NewMiniProgram("shop"))
	shop.Paid("order-0001")
	shop.Create(shop.NewShipment("shipment-0001", "order-0001"))
	shop.WaitShipment("shipment-0001", "Uploaded=Unknown/NotYetKnown")
	shop.WaitShipment("shipment-0001", "Uploaded=True/Uploaded")
	g.Expect(shop.Weixin.Journal().Violations).To(gomega.BeEmpty())
}

// TestLostAnswerIsAskedForBeforeItIsRepeated: whatever becomes of the answer, WeChat gets the upload
// once, or the same again.
func TestLostAnswerIsAskedForBeforeItIsRepeated(t *testing.T) {
	for name, f := range map[string]weixin.Fault{
		"lost after its effect":  {Kind: weixin.FaultDrop, AfterEffect: true},
		"lost before its effect": {Kind: weixin.FaultDrop},
		"half an answer":         {Kind: weixin.FaultTruncate},
		"a gateway's page":       {Kind: weixin.FaultHTML, AfterEffect: true},
		"a redirect":             {Kind: weixin.FaultRedirect, Location: "https://127.0.0.1:1/"},
		"a hanging answer":       {Kind: weixin.FaultDelay, DelayMillis: 60_000, AfterEffect: true},
		"busy":                   {Kind: weixin.FaultBusy},
		"a revoked token":        {Kind: weixin.FaultRevoke},
	} {
		t.Run(name, func(t *testing.T) {
			shop, g := openWithMiniProgram(t, framework.WithOptions(shortCalls))
			f.Operation, f.Count = weixin.OperationUpload, 1
			fault(shop, f)
			shop.Paid("order-0001")
			shop.Create(shop.NewShipment("shipment-0001", "order-0001"))
			shop.Eventually("the Shipment is uploaded", func() error {
				shipment := &v1alpha1.Shipment{}
				if err := shop.Client.Get(shop.Context(), client.ObjectKey{Namespace: shop.Namespace, Name: "shipment-0001"}, shipment); err != nil {
					return err
				}
				if shipment.Status.UploadTime == nil {
					return errors.New("not yet")
				}
				return nil
			})
			g.Expect(uploads(shop, "order-0001")).To(gomega.HaveLen(1), "repeated the same")
			g.Expect(shop.Weixin.Journal().Violations).To(gomega.BeEmpty())
			g.Expect(shop.Weixin.Journal().Shipping("order-0001").Parcels).To(gomega.HaveLen(1))
		})
	}
}

func TestSplitDeliveryGoesInOrder(t *testing.T) {
	shop, g := openWithMiniProgram(t)
	part := func(s *v1alpha1.Shipment) { s.Spec.Complete = new(false) }
	shop.Paid("order-0001")
	fault(shop, weixin.Fault{Operation: weixin.OperationUpload, Kind: weixin.FaultBusy, Count: 3})
	shop.Create(shop.NewShipment("a", "order-0001", part), shop.NewShipment("b", "order-0001", part), shop.NewShipment("c", "order-0001"))
	for _, name := range []string{"a", "b", "c"} {
		shop.WaitShipment(name, "Uploaded=True/Uploaded")
	}
	shipping := shop.Weixin.Journal().Shipping("order-0001")
	var order []string
	for _, parcel := range shipping.Parcels {
		order = append(order, parcel.TrackingNo)
	}
	g.Expect(order).To(gomega.Equal([]string{"T-a", "T-b", "T-c"}))
	g.Expect(shipping.Finished).To(gomega.BeTrue())
	g.Expect(shop.Weixin.Journal().Violations).To(gomega.BeEmpty())

	shop.Create(shop.NewShipment("d", "order-0001"))
	late := shop.WaitShipment("d", "Uploaded=False/Rejected")
	g.Expect(late.Status.Conditions[0].Message).To(gomega.ContainSubstring("Shipment c"))
	g.Expect(uploads(shop, "order-0001")).To(gomega.HaveLen(3), "WeChat was not asked")
}

// TestPartsAppliedAgainInAnotherOrder: a restore applies the Shipments of an Order as it likes. WeChat
// has all of them.
func TestPartsAppliedAgainInAnotherOrder(t *testing.T) {
	shop, g := openWithMiniProgram(t)
	part := func(s *v1alpha1.Shipment) { s.Spec.Complete = new(false) }
	shop.Paid("order-0001")
	shop.Create(shop.NewShipment("b", "order-0001", part))
	shop.WaitShipment("b", "Uploaded=True/Uploaded")
	shop.Create(shop.NewShipment("a", "order-0001"))
	shop.WaitShipment("a", "Uploaded=True/Uploaded")
	for _, name := range []string{"a", "b"} {
		shop.Must(shop.Client.Delete(shop.Context(), shop.NewShipment(name, "order-0001")))
	}
	shop.Create(shop.NewShipment("a", "order-0001"), shop.NewShipment("b", "order-0001", part))
	shop.WaitShipment("a", "Uploaded=True/AlreadyShipped")
	shop.WaitShipment("b", "Uploaded=True/AlreadyShipped")
	g.Expect(uploads(shop, "order-0001")).To(gomega.HaveLen(2), "nothing is uploaded again")
	g.Expect(shop.Weixin.Journal().Violations).To(gomega.BeEmpty())
}

// TestOneAnswerAloneMakesNoOrderUnshippable: a state is said twice, with time between, before a
// Shipment ends by it.
func TestOneAnswerAloneMakesNoOrderUnshippable(t *testing.T) {
	shop, g := openWithMiniProgram(t, framework.WithTiming(func(timing *controllers.Timing) { timing.SecondAnswer = time.Hour }))
	shop.Paid("order-0001")
	shop.Create(shop.NewShipment("shipment-0001", "order-0001"))
	shop.WaitShipment("shipment-0001", "Uploaded=True/Uploaded")
	shop.Must(shop.Client.Delete(shop.Context(), shop.NewShipment("shipment-0001", "order-0001")))
	shop.Must(shop.Weixin.Receive(framework.MchID, "order-0001", weixin.Confirmed))
	shop.Create(shop.NewShipment("shipment-0002", "order-0001"))
	shop.WaitShipment("shipment-0002", "Uploaded=False/Refused")
	shop.StopOperators()
	shop.StartOperator(func(o *manager.Options) { o.Timing.SecondAnswer = time.Millisecond })
	ended := shop.WaitShipment("shipment-0002", "Uploaded=False/NotShippable")
	g.Expect(ended.Status.WeChatState).To(gomega.Equal("Confirmed"))
	g.Expect(uploads(shop, "order-0001")).To(gomega.HaveLen(1))
}

// TestBorrowersDoNotStarveEachOther: one namespace that borrows a MiniProgram has more Shipments under
// way than it may, all of which hang. Another one's is uploaded meanwhile.
func TestBorrowersDoNotStarveEachOther(t *testing.T) {
	shop, g := openReady(t, framework.WithNamespaces(2), framework.WithOptions(func(o *manager.Options) { o.MiniProgramTimeout = time.Hour }))
	greedy, modest := shop.Other(0), shop.Other(1)
	shop.OpenWeixin()
	shop.Patch(shop.NewMerchant(), `{"spec":{"allowedNamespaces":{"from":"All"}}}`)
	shop.Create(shop.NewMiniProgram("lent", func(m *v1alpha1.MiniProgram) { m.Spec.AllowedNamespaces.From = v1alpha1.NamespacesFromAll }))
	shop.WaitMiniProgram("lent", "Ready=True/Ready")
	ship := func(namespace, order string) {
		shop.Create(shop.NewOrder(order, func(o *v1alpha1.Order) { o.Namespace, o.Spec.MerchantRef.Namespace = namespace, shop.Namespace }))
		shop.WaitOrder(namespace+"/"+order, "Prepared=True/Prepared")
		shop.Pay(order)
		shop.WaitOrder(namespace+"/"+order, "Paid=True/Paid")
		shop.Create(shop.NewShipment(order, order, func(s *v1alpha1.Shipment) { s.Namespace = namespace }))
	}
	for i := range 12 {
		name := fmt.Sprintf("greedy-%04d", i)
		fault(shop, weixin.Fault{Operation: weixin.OperationGetOrder, Number: name, Kind: weixin.FaultHang})
		ship(greedy, name)
	}
	shop.Eventually("the calls of one namespace hang", func() error {
		if hanging := len(shop.Weixin.Journal().CallsOf(weixin.OperationGetOrder)); hanging < 4 {
			return fmt.Errorf("%d", hanging)
		}
		return nil
	})
	ship(modest, "modest-0001")
	shop.WaitShipment(modest+"/modest-0001", "Uploaded=True/Uploaded")
	g.Expect(shop.Weixin.Journal().CallsOf(weixin.OperationGetOrder)).To(gomega.HaveLen(4+1), "the first namespace got its share, and no more")
	shop.StopOperators() // this ends the hanging calls
}

// TestOneChangeAndNothingLeft: a Shipment in place of a wrong one that was deleted uses the one chance
// to ship again; the next one comes too late.
func TestOneChangeAndNothingLeft(t *testing.T) {
	shop, g := openWithMiniProgram(t)
	shop.Paid("order-0001")
	previous := ""
	for i, want := range []string{"Uploaded=True/Uploaded", "Uploaded=True/Uploaded", "Uploaded=False/NothingLeft"} {
		if previous != "" {
			nextSecond(shop, shop.WaitShipment(previous, "Uploaded=True/Uploaded").CreationTimestamp.Time)
			shop.Must(shop.Client.Delete(shop.Context(), shop.NewShipment(previous, "order-0001")))
		}
		previous = fmt.Sprintf("shipment-%d", i)
		shop.Create(shop.NewShipment(previous, "order-0001"))
		shop.WaitShipment(previous, want)
	}
	g.Expect(shop.Weixin.Journal().Shipping("order-0001").Parcels[0].TrackingNo).To(gomega.Equal("T-shipment-1"))
}

// nextSecond waits until objects get another creationTimestamp.
func nextSecond(shop *framework.Shop, after time.Time) {
	shop.T.Helper()
	shop.Eventually("the next second", func() error {
		if time.Now().Truncate(time.Second).After(after) {
			return nil
		}
		return errors.New("not yet")
	})
}

func TestShipmentThatWeChatHasAlready(t *testing.T) {
	shop, g := openWithMiniProgram(t)
	shop.Paid("order-0001")
	shop.Create(shop.NewShipment("shipment-0001", "order-0001"))
	first := shop.WaitShipment("shipment-0001", "Uploaded=True/Uploaded")
	shop.Must(shop.Client.Delete(shop.Context(), first))
	shop.Create(shop.NewShipment("shipment-0001", "order-0001")) // as after a restore from the same YAML
	shop.WaitShipment("shipment-0001", "Uploaded=True/AlreadyShipped")
	g.Expect(shop.Weixin.Journal().UploadsOf("order-0001")).To(gomega.HaveLen(1))
}

func TestRefundedOrderIsNotShipped(t *testing.T) {
	shop, g := openWithMiniProgram(t)
	shop.Paid("order-0001")
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 101))
	shop.Approve("refund-0001")
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
	shop.Create(shop.NewShipment("shipment-0001", "order-0001"))
	shipment := shop.WaitShipment("shipment-0001", "Uploaded=False/NotShippable")
	g.Expect(shipment.Status.WeChatState).To(gomega.Equal("Refunded"))
	g.Expect(shop.Weixin.Journal().Uploads).To(gomega.BeEmpty())
}

func TestShipmentThatWeChatNeverTakes(t *testing.T) {
	shop, _ := openWithMiniProgram(t)
	fault(shop, weixin.Fault{Operation: weixin.OperationUpload, Kind: weixin.FaultError, Errcode: weixin.CodeParameter, Errmsg: "参数错误"})
	shop.Paid("order-0001")
	shop.Create(shop.NewShipment("shipment-0001", "order-0001"))
	shop.WaitShipment("shipment-0001", "Uploaded=False/Rejected")
}

// TestShipmentFindsItsMiniProgram: in its own namespace or in that of the Order's Merchant, and nowhere
// else. An appid is public, so that a stranger may name it, lend it to everybody, and say that
// everything is delivered by itself.
func TestShipmentFindsItsMiniProgram(t *testing.T) {
	shop, g := openReady(t, framework.WithNamespaces(2))
	guest, stranger := shop.Other(0), shop.Other(1)
	shop.OpenWeixin()
	shop.Patch(shop.NewMerchant(), `{"spec":{"allowedNamespaces":{"from":"All"}}}`)
	theirs := shop.NewMiniProgram("theirs", func(m *v1alpha1.MiniProgram) {
		m.Namespace, m.Spec.VirtualGoods, m.Spec.AllowedNamespaces.From = stranger, v1alpha1.VirtualGoodsShip, v1alpha1.NamespacesFromAll
	})
	shop.Create(shop.NewAppSecret(stranger, framework.AppSecret), theirs)
	shop.WaitMiniProgram(stranger+"/theirs", "Ready=True/Ready")

	order := shop.NewOrder("order-0001", func(o *v1alpha1.Order) {
		o.Namespace, o.Spec.MerchantRef.Namespace = guest, shop.Namespace
	})
	shop.Create(order)
	shop.WaitOrder(guest+"/order-0001", "Prepared=True/Prepared")
	shop.Pay("order-0001")
	shop.WaitOrder(guest+"/order-0001", "Paid=True/Paid")
	shop.Create(shop.NewShipment("shipment-0001", "order-0001", func(s *v1alpha1.Shipment) { s.Namespace = guest }))
	shop.WaitShipment(guest+"/shipment-0001", "Uploaded=False/MiniProgramNotFound")

	lent := shop.NewMiniProgram("lent", func(m *v1alpha1.MiniProgram) { m.Spec.AllowedNamespaces.From = v1alpha1.NamespacesFromAll })
	shop.Patch(shop.NewAppSecret(shop.Namespace, ""), `{"stringData":{"appSecret":"wrong"}}`)
	shop.Create(lent)
	hidden := shop.WaitShipment(guest+"/shipment-0001", "Uploaded=False/MiniProgramNotReady")
	g.Expect(hidden.Status.Conditions[0].Message).NotTo(gomega.ContainSubstring("40125"), "what is wrong elsewhere is its owner's")
	shop.Patch(shop.NewAppSecret(shop.Namespace, ""), fmt.Sprintf(`{"stringData":{"appSecret":%q}}`, framework.AppSecret))
	uploaded := shop.WaitShipment(guest+"/shipment-0001", "Uploaded=True/Uploaded")
	g.Expect(uploaded.Status.MiniProgram).To(gomega.Equal(shop.Namespace + "/lent"))
	var planted v1alpha1.ShipmentList
	shop.Must(shop.Client.List(shop.Context(), &planted, client.InNamespace(guest)))
	g.Expect(planted.Items).To(gomega.HaveLen(1), "the stranger's MiniProgram reports no Order of others as delivered")
}

func TestVirtualGoodsShipThemselves(t *testing.T) {
	shop, g := openWithMiniProgram(t)
	shop.Patch(shop.NewMiniProgram("shop"), `{"spec":{"virtualGoods":"Ship"}}`)
	order := shop.Paid("order-0001", func(o *v1alpha1.Order) { o.Spec.TTLSecondsAfterFinished = new(int32) })
	shop.WaitGone(order)
	shipping := shop.Weixin.Journal().Shipping("order-0001")
	g.Expect(shipping).NotTo(gomega.BeNil(), "the Order waited for its Shipment")
	g.Expect(shipping.LogisticsType).To(gomega.Equal(weixin.Virtual))
	g.Expect(shipping.Parcels[0].ItemDesc).To(gomega.Equal("肥皂 x1"))
	shop.Paid("order-0002")
	shipment := shop.WaitShipment("order-0002", "Uploaded=True/Uploaded")
	g.Expect(shipment.OwnerReferences).To(gomega.HaveLen(1))
	g.Expect(shop.Weixin.Journal().Violations).To(gomega.BeEmpty())
}

func TestOrderDoesNotWaitForEverForItsShipments(t *testing.T) {
	shop, _ := openReady(t, framework.WithTiming(func(timing *controllers.Timing) { timing.ShipmentsKeepOrder = time.Second }))
	shop.Create(shop.NewShipment("shipment-0001", "order-0001"))
	order := shop.Paid("order-0001", func(o *v1alpha1.Order) { o.Spec.TTLSecondsAfterFinished = new(int32) })
	shop.WaitShipment("shipment-0001", "Uploaded=False/MiniProgramNotFound") // there is none
	shop.WaitGone(order)
	shop.WaitShipment("shipment-0001", "Uploaded=False/OrderNotFound")
}

func TestEventSinkHearsOfShipments(t *testing.T) {
	shop, g := openWithMiniProgram(t)
	receiver := framework.NewReceiver(t)
	shop.Create(shop.NewSigningKey(shop.Namespace, framework.SigningKey), shop.NewEventSink("orders", receiver))
	shop.WaitEventSink("orders", "Delivering=Unknown/Pending")
	shop.Paid("order-0001")
	shop.Create(shop.NewShipment("shipment-0001", "order-0001"))
	waitEvents(shop, receiver, "order-0001: OrderPaid", "shipment-0001: ShipmentUploaded")
	for _, event := range receiver.Accepted() {
		if event.Type == "ShipmentUploaded" {
			g.Expect(event.Source).To(gomega.HaveSuffix("/shipments/shipment-0001"))
			g.Expect(event.Data["order"]).To(gomega.Equal("order-0001"))
			g.Expect(event.Body).NotTo(gomega.ContainSubstring(framework.OpenID))
		}
	}
}
