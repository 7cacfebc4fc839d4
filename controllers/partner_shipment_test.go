package controllers_test

import (
	"encoding/json"
	"testing"

	"github.com/onsi/gomega"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	weixin "github.com/wechatpay-operator/wechatpay-operator/internal/weixin/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// TestShipmentsOfASubMerchant: the payment is known to the mini program in which the payer paid, by the
// payer's openid there, and under the sub merchant's number, whichever mini program that is.
func TestShipmentsOfASubMerchant(t *testing.T) {
	inBothProtocols(t, func(t *testing.T, protocol v1alpha1.Protocol) {
		shop, g := openPartner(t, protocol)
		shop.OpenWeixin(func(o *weixin.Options) {
			o.MiniPrograms = append(o.MiniPrograms, weixin.MiniProgram{AppID: subAppID, AppSecret: framework.AppSecret})
		})
		shop.Create(shop.NewMiniProgram("provider"), shop.NewMiniProgram("sub", func(m *v1alpha1.MiniProgram) { m.Spec.AppID = subAppID }))
		for _, c := range []struct {
			order                      string
			payer                      v1alpha1.Payer
			miniProgram, appID, openID string
		}{
			{"order-0001", v1alpha1.Payer{SubOpenID: subOpenID}, "sub", subAppID, subOpenID},
			{"order-0002", v1alpha1.Payer{OpenID: framework.OpenID}, "provider", framework.AppID, framework.OpenID},
		} {
			shop.Paid(c.order, func(o *v1alpha1.Order) { o.Spec.Payer = &c.payer })
			shop.Create(shop.NewShipment(c.order, c.order))
			uploaded := shop.WaitShipment(c.order, "Uploaded=True/Uploaded")
			g.Expect(uploaded.Status.MiniProgram).To(gomega.Equal(shop.Namespace + "/" + c.miniProgram))
			made := shop.Weixin.Journal().UploadsOf(c.order)
			g.Expect(made).To(gomega.HaveLen(1))
			g.Expect(made[0].AppID).To(gomega.Equal(c.appID))
			var members struct {
				OrderKey struct {
					MchID string `json:"mchid"`
				} `json:"order_key"`
				Payer struct {
					OpenID string `json:"openid"`
				} `json:"payer"`
			}
			shop.Must(json.Unmarshal(made[0].Body, &members))
			g.Expect(members.OrderKey.MchID).To(gomega.Equal(firstSub))
			g.Expect(members.Payer.OpenID).To(gomega.Equal(c.openID))
		}
		g.Expect(shop.Weixin.Journal().Violations).To(gomega.BeEmpty())
	})
}
