package v2_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/url"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	v2 "github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/v2"
)

// An order is created, paid and queried, at a simulated WeChat Pay.
func ExampleProtocol() {
	const mchID, appID, key = "1900000109", "wxd678efh567hg6787", "Zx81TestOnlyKey0Zx81TestOnlyKey0"
	weChat, err := simulator.New(simulator.Options{
		Merchants: []simulator.Merchant{{MchID: mchID, AppIDs: []string{appID}, APIKey: key}},
	})
	if err != nil {
		panic(err)
	}
	defer func() { _ = weChat.Close() }()
	endpoint, err := url.Parse(weChat.URL())
	if err != nil {
		panic(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(weChat.CAPEM())

	account, err := v2.Protocol{}.Open(
		wechatpay.Settings{MchID: mchID, Scheme: v2.HMACSHA256, Endpoint: endpoint, RootCAs: roots},
		wechatpay.Secrets{Key: key},
	)
	if err != nil {
		panic(err)
	}
	defer account.Close()
	ctx := context.Background()
	prepay, err := account.CreateOrder(ctx, wechatpay.OrderRequest{
		OutTradeNo: "order-0001", AppID: appID, TradeType: wechatpay.TradeTypeNative, Description: "soap",
		Total: 101, Currency: "CNY", ClientIP: "127.0.0.1", NotifyURL: "https://pay.example.com/notify", ProductID: "soap",
	})
	if err != nil {
		panic(err)
	}
	fmt.Println("the payer scans a code:", prepay.CodeURL != "")

	order := wechatpay.OrderRef{OutTradeNo: "order-0001", AppID: appID}
	for range 2 {
		trade, err := account.QueryOrder(ctx, order)
		if err != nil {
			panic(err)
		}
		fmt.Println(trade.State, trade.Payment.Total)
		if _, err := weChat.Pay(mchID, "order-0001", simulator.PayOptions{}); err != nil {
			break // it is paid already
		}
	}

	_, err = account.QueryOrder(ctx, wechatpay.OrderRef{OutTradeNo: "order-0002", AppID: appID})
	fmt.Println(wechatpay.OutcomeOf(err), wechatpay.MeaningOf(err))
	// Output:
	// the payer scans a code: true
	// NOTPAY 0
	// SUCCESS 101
	// Failed OrderNotExist
}
