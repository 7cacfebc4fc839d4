package simulator

import (
	"encoding/json"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

// jsapiOf is what a page hands over, signed for the protocol.
func (c *clientV3) jsapiOf(protocol Protocol, appID, prepayID string) ClientPayment {
	p := ClientPayment{AppID: appID, TimeStamp: "1790000000", NonceStr: newNonce(), Package: "prepay_id=" + prepayID, SignType: "RSA"}
	if protocol == ProtocolV3 {
		p.PaySign = signRSA(c.key, p.AppID+"\n"+p.TimeStamp+"\n"+p.NonceStr+"\n"+p.Package+"\n")
		return p
	}
	p.SignType = string(c.signType)
	p.PaySign = signature(message{
		"appId": p.AppID, "timeStamp": p.TimeStamp, "nonceStr": p.NonceStr, "package": p.Package, "signType": p.SignType,
	}, testKey, c.signType)
	return p
}

// appOf is what an app hands over.
func (c *clientV3) appOf(protocol Protocol, prepayID string) ClientPayment {
	p := ClientPayment{
		AppID: testApp, TimeStamp: "1790000000", NonceStr: newNonce(), PackageValue: "Sign=WXPay", PartnerID: testMerchant, PrepayID: prepayID,
	}
	if protocol == ProtocolV3 {
		p.Sign = signRSA(c.key, p.AppID+"\n"+p.TimeStamp+"\n"+p.NonceStr+"\n"+p.PrepayID+"\n")
		return p
	}
	p.Sign = signature(message{
		"appid": p.AppID, "timestamp": p.TimeStamp, "noncestr": p.NonceStr, "package": "Sign=WXPay", "partnerid": p.PartnerID, "prepayid": p.PrepayID,
	}, testKey, c.signType)
	return p
}

func TestRequestPayment(t *testing.T) {
	for _, protocol := range []Protocol{ProtocolV2, ProtocolV3} {
		for _, signType := range []SignType{MD5, HMACSHA256} {
			t.Run(string(protocol)+" "+string(signType), func(t *testing.T) {
				c := startV3(t)
				c.signType = signType
				order := func(number string, inApp bool) string {
					switch {
					case protocol == ProtocolV2 && inApp:
						return c.mustCall(OperationUnifiedOrder, c.order(number, "trade_type", "APP", "openid", ""))["prepay_id"]
					case protocol == ProtocolV2:
						return c.mustCall(OperationUnifiedOrder, c.order(number))["prepay_id"]
					case inApp:
						return c.post("/v3/pay/transactions/app", c.jsapi(number, "payer", nil)).text("prepay_id")
					}
					return c.mustOrder(number)
				}
				page := c.jsapiOf(protocol, testApp, order("order-page", false))
				app := c.appOf(protocol, order("order-app", true))
				for name, spoil := range map[string]func(page, app *ClientPayment){
					"other signature": func(page, app *ClientPayment) {
						page.PaySign, app.Sign = "A"+page.PaySign[1:], "A"+app.Sign[1:]
						page.NonceStr, app.NonceStr = "x", "x"
					},
					"other app":  func(page, app *ClientPayment) { page.AppID, app.AppID = testSpApp, testSpApp },
					"other time": func(page, app *ClientPayment) { page.TimeStamp, app.TimeStamp = "1790000001", "1790000001" },
					"no nonce":   func(page, app *ClientPayment) { page.NonceStr, app.NonceStr = "", "" },
					"other package": func(page, app *ClientPayment) {
						page.Package, app.PackageValue = page.Package[len("prepay_id="):], "WXPay"
					},
					"unsigned":                    func(page, app *ClientPayment) { page.PaySign, app.Sign = "", "" },
					"other merchant or sign type": func(page, app *ClientPayment) { page.SignType, app.PartnerID = "SHA1", testProvider },
					"app for page": func(page, app *ClientPayment) {
						app.PrepayID, page.Package = page.Package[len("prepay_id="):], "prepay_id="+app.PrepayID
					},
				} {
					badPage, badApp := page, app
					spoil(&badPage, &badApp)
					for _, bad := range []ClientPayment{badPage, badApp} {
						_, err := c.sim.RequestPayment(bad, PayOptions{})
						c.Expect(err).To(MatchError(ErrPaySign), name)
						c.Expect(c.sim.CancelPayment(bad)).To(MatchError(ErrPaySign), name)
					}
				}
				for _, good := range []ClientPayment{page, app} {
					c.Expect(c.sim.CancelPayment(good)).To(Succeed())
					payment, err := c.sim.RequestPayment(good, PayOptions{})
					c.Expect(err).NotTo(HaveOccurred())
					c.Expect(payment.TotalFee).To(Equal(int64(101)))
					_, err = c.sim.RequestPayment(good, PayOptions{})
					c.Expect(err).To(MatchError(ErrOrderPaid))
					c.Expect(c.sim.CancelPayment(good)).To(MatchError(ErrOrderPaid))
				}
				c.Expect(c.sim.Ledger().Order(testMerchant, "order-page")).To(And(HaveField("State", StateSuccess), HaveField("Cancelled", 1)))
			})
		}
	}
}

func TestRequestPaymentOfAProvidersOrder(t *testing.T) {
	c := startV3(t).provider()
	for app, want := range map[string]error{testSpApp: nil, testSubApp: nil, testApp: ErrPaySign} {
		prepay := c.post(partnerPath, c.partnerJSAPI("order-"+app)).text("prepay_id")
		_, err := c.sim.RequestPayment(c.jsapiOf(ProtocolV3, app, prepay), PayOptions{})
		if want == nil {
			c.Expect(err).NotTo(HaveOccurred(), app)
		} else {
			c.Expect(err).To(MatchError(want), app)
		}
	}
}

func TestAnOldPrepayIDIsRefused(t *testing.T) {
	c := startV3(t)
	page := c.jsapiOf(ProtocolV3, testApp, c.mustOrder("order-0001"))
	c.clock.Step(2 * time.Hour)
	_, err := c.sim.RequestPayment(page, PayOptions{})
	c.Expect(err).To(MatchError(ErrPrepayExpired))
	_, err = c.sim.RequestPayment(c.jsapiOf(ProtocolV3, testApp, "wx-nobody"), PayOptions{})
	c.Expect(err).To(MatchError(ErrNotFound))
}

// The admin API takes the parameters as the shop's backend gave them to the client.
func TestAdminAPIOfV3(t *testing.T) {
	c := startV3(t)
	admin, ctx := NewAdminClient(c.sim.AdminURL()), t.Context()
	page := c.jsapiOf(ProtocolV3, testApp, c.mustOrder("order-0001"))
	wrong := page
	wrong.NonceStr = "other"
	_, err := admin.RequestPayment(ctx, wrong, PayOptions{})
	c.Expect(err).To(MatchError(ErrPaySign))
	c.Expect(admin.CancelPayment(ctx, page)).To(Succeed())
	payment, err := admin.RequestPayment(ctx, page, PayOptions{OpenID: "o1"})
	c.Expect(err).NotTo(HaveOccurred())
	c.Expect(payment.OpenID).To(Equal("o1"))
	var read ClientPayment
	lower := `{"appid":"a","partnerid":"p","prepayid":"i","package":"Sign=WXPay","noncestr":"n","timestamp":"t","sign":"s"}`
	c.Expect(json.Unmarshal([]byte(lower), &read)).To(Succeed())
	c.Expect(read).To(Equal(ClientPayment{AppID: "a", PartnerID: "p", PrepayID: "i", Package: "Sign=WXPay", NonceStr: "n", TimeStamp: "t", Sign: "s"}))

	platform, err := admin.Platform(ctx)
	c.Expect(err).NotTo(HaveOccurred())
	c.Expect(platform).To(Equal(c.sim.Platform()))
	added, err := admin.AddPlatformCertificate(ctx)
	c.Expect(err).NotTo(HaveOccurred())
	c.Expect(admin.SignWithPlatformCertificates(ctx, added.SerialNo)).To(Succeed())
	c.Expect(admin.RemovePlatformCertificate(ctx, platform.Certificates[0].SerialNo)).To(Succeed())
	c.Expect(admin.RemovePlatformCertificate(ctx, platform.Certificates[0].SerialNo)).To(MatchError(ErrNotFound))
	c.Expect(c.signers(1)).To(Equal([]string{added.SerialNo}))
	c.Expect(admin.SetVerification(ctx, testMerchant, VerifyByPublicKey, 0)).To(Succeed())
	c.Expect(c.signers(1)).To(Equal([]string{platform.PublicKeyID}))
	replaced, err := admin.ReplacePublicKey(ctx)
	c.Expect(err).NotTo(HaveOccurred())
	c.Expect(replaced.PublicKeyID).NotTo(Equal(platform.PublicKeyID))
	c.Expect(c.signers(1)).To(Equal([]string{replaced.PublicKeyID}))
	c.Expect(admin.SetRelation(ctx, testProvider, otherSub, false)).To(Succeed())
	c.Expect(c.provider().get(partnerQuery + otherSub).header.Get("Request-Id")).To(HaveSuffix("-268443701"))
	c.Expect(admin.SetAPIV3Key(ctx, testMerchant, "short")).To(MatchError(ErrInvalid))
	c.Expect(admin.SetAPIV3Key(ctx, testMerchant, testKey)).To(Succeed())
	c.Expect(admin.SetRefundRight(ctx, testProvider, testSub, false)).To(Succeed())
	c.Expect(admin.SetSubBalance(ctx, testProvider, testSub, pointer(int64(7)))).To(Succeed())
	c.Expect(admin.SetClockSkew(ctx, time.Hour)).To(Succeed())
	ledger, err := admin.Ledger(ctx)
	c.Expect(err).NotTo(HaveOccurred())
	subs := ledger.Merchants[0].SubMerchants
	c.Expect(subs[0]).To(And(HaveField("RefundRevoked", true), HaveField("Balance", HaveValue(Equal(int64(7))))))
	c.Expect(c.get(unknownOrder).code()).To(Equal("SIGN_ERROR"))
}
