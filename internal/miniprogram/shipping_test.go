package miniprogram_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/miniprogram"
	"github.com/wechatpay-operator/wechatpay-operator/internal/weixin"
)

var created = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

func order() *v1alpha1.Order {
	return &v1alpha1.Order{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "order-0001"},
		Spec:       v1alpha1.OrderSpec{Payer: &v1alpha1.Payer{OpenID: "oPayer"}},
	}
}

func merchant() *v1alpha1.Merchant {
	return &v1alpha1.Merchant{Spec: v1alpha1.MerchantSpec{MchID: "1900000109", AppID: "wx1"}}
}

func shipment(name string, at time.Time) v1alpha1.Shipment {
	return v1alpha1.Shipment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID(name), CreationTimestamp: metav1.NewTime(at)},
		Spec: v1alpha1.ShipmentSpec{
			Logistics: v1alpha1.LogisticsExpress, Parcels: []v1alpha1.Parcel{{Carrier: "STO", TrackingNumber: "T1", Items: "肥皂"}},
		},
	}
}

func uploadedAt(s v1alpha1.Shipment, at time.Time) v1alpha1.Shipment {
	s.Status.UploadTime = new(metav1.NewTime(at))
	return s
}

func TestWhatIsUploaded(t *testing.T) {
	g := NewWithT(t)
	one := shipment("a", created)
	s := miniprogram.Shipping(&one, order(), merchant(), nil)
	g.Expect(s).To(Equal(weixin.Shipping{
		Order: weixin.OrderRef{MchID: "1900000109", OutTradeNo: "order-0001"}, OpenID: "oPayer", Logistics: weixin.Express, Complete: true,
		Parcels: []weixin.Parcel{{Carrier: "STO", TrackingNumber: "T1", Items: "肥皂"}}, UploadTime: created,
	}))
	one.Spec.Complete = new(false)
	s = miniprogram.Shipping(&one, order(), merchant(), nil)
	g.Expect(s.Split).To(BeTrue())
	g.Expect(s.Complete).To(BeFalse())
}

func TestTheLastPartIsAPart(t *testing.T) {
	g := NewWithT(t)
	first, last := shipment("a", created), shipment("b", created)
	g.Expect(miniprogram.Shipping(&last, order(), merchant(), []v1alpha1.Shipment{first}).Split).To(BeTrue())
	g.Expect(miniprogram.Shipping(&first, order(), merchant(), []v1alpha1.Shipment{last}).Split).To(BeFalse(), "one that comes later changes nothing of an earlier upload")
}

func TestUploadTimesGrow(t *testing.T) {
	one := shipment("b", created)
	for name, c := range map[string]struct {
		others []v1alpha1.Shipment
		want   time.Time
	}{
		"alone":                        {nil, created},
		"after an earlier one":         {[]v1alpha1.Shipment{uploadedAt(shipment("a", created.Add(-time.Hour)), created.Add(-time.Hour))}, created},
		"in the same second":           {[]v1alpha1.Shipment{uploadedAt(shipment("a", created), created)}, created.Add(time.Second)},
		"after two in the same second": {[]v1alpha1.Shipment{uploadedAt(shipment("a", created), created), uploadedAt(shipment("c", created), created.Add(time.Second))}, created.Add(2 * time.Second)},
		"one that was never uploaded":  {[]v1alpha1.Shipment{shipment("a", created)}, created},
	} {
		t.Run(name, func(t *testing.T) {
			NewWithT(t).Expect(miniprogram.Shipping(&one, order(), merchant(), c.others).UploadTime).To(BeTemporally("==", c.want))
		})
	}
}

func TestAServiceProvidersOrder(t *testing.T) {
	g := NewWithT(t)
	provider := merchant()
	provider.Spec.Partner = &v1alpha1.Partner{SubMchID: "1900000200", SubAppID: "wx2"}
	paidInSub := order()
	paidInSub.Spec.Payer = &v1alpha1.Payer{SubOpenID: "oSub"}
	one := shipment("a", created)
	s := miniprogram.Shipping(&one, paidInSub, provider, nil)
	g.Expect(s.Order).To(Equal(weixin.OrderRef{MchID: "1900000109", SubMchID: "1900000200", OutTradeNo: "order-0001"}))
	g.Expect(s.OpenID).To(Equal("oSub"))
	g.Expect(miniprogram.Shipping(&one, order(), provider, nil).OpenID).To(Equal("oPayer"))
}
