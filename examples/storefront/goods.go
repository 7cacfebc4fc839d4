package main

import (
	"fmt"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// What the storefront writes to its Orders, and finds them by after a restart.
const (
	labelPrefix   = "storefront.wechatpay-operator.io/"
	labelPayer    = labelPrefix + "payer"
	labelProduct  = labelPrefix + "product"
	labelQuantity = labelPrefix + "quantity"
	// annotationBasket is the page's name of the basket. Absent: the page named none.
	annotationBasket = labelPrefix + "basket"
	// annotationWithdrawn marks an Order that was created when all pieces were taken, and is closed for that.
	annotationWithdrawn = labelPrefix + "withdrawn"
	// annotationCount names the count of the stock that an Order was admitted by.
	annotationCount = labelPrefix + "count"
)

// goods are what an Order sells.
type goods struct {
	product   product
	quantity  int64
	tradeType v1alpha1.TradeType
}

func (g goods) total() int64 { return g.product.Price * g.quantity }

func (g goods) labels(payer string) map[string]string {
	return map[string]string{labelPayer: payer, labelProduct: g.product.ID, labelQuantity: strconv.FormatInt(g.quantity, 10)}
}

// soldBy reports whether an Order sells these goods. The price may have changed since.
func (g goods) soldBy(order *v1alpha1.Order) bool {
	return order.Labels[labelProduct] == g.product.ID && quantityOf(order) == g.quantity && order.Spec.TradeType == g.tradeType
}

func quantityOf(order *v1alpha1.Order) int64 {
	quantity, err := strconv.ParseInt(order.Labels[labelQuantity], 10, 64)
	if err != nil {
		return 0 // not written by a storefront
	}
	return quantity
}

// newOrder makes the Order of a session for these goods. All that a call to WeChat Pay is made of stands in it.
func (s *storefront) newOrder(number string, by session, of goods, basket, clientIP string) *v1alpha1.Order {
	order := &v1alpha1.Order{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.settings.namespace, Name: number, Labels: of.labels(by.payer())},
		Spec: v1alpha1.OrderSpec{
			MerchantRef:        v1alpha1.MerchantReference{Name: s.settings.merchant},
			TradeType:          of.tradeType,
			Description:        fmt.Sprintf("%s x%d", of.product.Name, of.quantity),
			Amount:             v1alpha1.Amount{Total: of.total(), Currency: v1alpha1.CurrencyCNY},
			ExpireAfterSeconds: int32(s.settings.payWithin.Seconds()),
		},
	}
	order.Annotations = map[string]string{annotationCount: of.product.count()}
	if basket != "" {
		order.Annotations[annotationBasket] = basket
	}
	switch of.tradeType {
	case v1alpha1.TradeTypeJSAPI:
		order.Spec.AppID, order.Spec.Payer = by.AppID, &v1alpha1.Payer{OpenID: by.OpenID}
	case v1alpha1.TradeTypeMWEB:
		order.Spec.ClientIP = clientIP
		order.Spec.H5 = &v1alpha1.H5{Type: v1alpha1.H5TypeWap, Name: s.settings.h5Name, URL: s.settings.h5URL}
	}
	return order
}
