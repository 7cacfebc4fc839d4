package lifecycle

import (
	"cmp"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// MaxAttach is WeChat Pay's limit for attach, in bytes (chapter 9_1).
const MaxAttach = 127

// Attach returns the attach that an Order sends. WeChat Pay returns it with the payment. An Order
// in another namespace than its Merchant's prefixes its namespace, so that WeChat Pay's record
// names the owner of the payment even if the objects are lost. Orders prepared before this prefix
// existed keep the attach they sent.
func Attach(order *v1alpha1.Order, merchant *v1alpha1.Merchant) string {
	if order.Namespace == merchant.Namespace {
		return order.Spec.Attach
	}
	if prepay := order.Status.Prepay; prepay != nil && prepay.Attach != "" {
		return prepay.Attach
	} else if prepay != nil {
		return order.Spec.Attach
	}
	return order.Namespace + attachSeparator + order.Spec.Attach
}

// attachSeparator can't occur in a namespace name.
const attachSeparator = "/"

// NamesAnotherNamespace reports whether the attach of a payment or of an open order names another
// namespace than the Order's.
func NamesAnotherNamespace(attach string, order *v1alpha1.Order) bool {
	namespace, _, named := strings.Cut(attach, attachSeparator)
	return named && namespace != order.Namespace && len(validation.IsDNS1123Label(namespace)) == 0
}

// OrderRequest builds the CreateOrder request of an Order. It depends on immutable fields only,
// except for the callback URL and the signature algorithm; once the Order is prepared, those stay
// as recorded.
func OrderRequest(order *v1alpha1.Order, merchant *v1alpha1.Merchant, notifyURL string) wechatpay.OrderRequest {
	spec := order.Spec
	request := wechatpay.OrderRequest{
		OutTradeNo:    order.Number(),
		AppID:         AppID(order, merchant),
		PayerAppID:    PayerAppID(order, merchant),
		TradeType:     wechatpay.TradeType(spec.TradeType),
		Description:   spec.Description,
		Total:         spec.Amount.Total,
		Currency:      currency(order),
		ClientIP:      spec.ClientIP,
		NotifyURL:     notifyURL,
		Attach:        Attach(order, merchant),
		GoodsTag:      spec.GoodsTag,
		DeviceInfo:    spec.DeviceInfo,
		ProductID:     spec.ProductID,
		LimitPay:      spec.LimitPay,
		Receipt:       string(spec.Receipt),
		ProfitSharing: string(spec.ProfitSharing),
		Goods:         goods(spec.Goods),
		Store:         store(spec.Store),
		H5:            h5(spec.H5),
		Scheme:        PreparedScheme(order, merchant),
	}
	if spec.Payer != nil {
		request.OpenID, request.SubOpenID = spec.Payer.OpenID, spec.Payer.SubOpenID
	}
	if spec.ExpireTime != nil {
		request.ExpireTime = spec.ExpireTime.UTC()
	}
	if prepay := order.Status.Prepay; prepay != nil {
		request.NotifyURL = cmp.Or(prepay.NotifyURL, notifyURL)
	}
	return request
}

// RefundRequest builds the refund request of a Refund. It depends on immutable fields only, except
// for the current callback URL.
func RefundRequest(refund *v1alpha1.Refund, order *v1alpha1.Order, merchant *v1alpha1.Merchant, notifyURL string) wechatpay.RefundRequest {
	return wechatpay.RefundRequest{
		OutTradeNo:  order.Number(),
		OutRefundNo: refund.Number(),
		AppID:       AppID(order, merchant),
		Total:       order.Spec.Amount.Total,
		Amount:      refund.Spec.Amount,
		Currency:    currency(order),
		Reason:      refund.Spec.Reason,
		NotifyURL:   notifyURL,
	}
}

func goods(spec *v1alpha1.Goods) *wechatpay.Goods {
	if spec == nil {
		return nil
	}
	sold := &wechatpay.Goods{CostPrice: spec.CostPrice, ReceiptID: spec.ReceiptID}
	for _, item := range spec.Items {
		sold.Items = append(sold.Items, wechatpay.GoodsItem{
			ID: item.ID, WeChatID: item.WeChatID, Name: item.Name, Quantity: item.Quantity, Price: item.Price,
		})
	}
	return sold
}

func store(spec *v1alpha1.Store) *wechatpay.Store {
	if spec == nil {
		return nil
	}
	return &wechatpay.Store{ID: spec.ID, Name: spec.Name, AreaCode: spec.AreaCode, Address: spec.Address}
}

func h5(spec *v1alpha1.H5) *wechatpay.H5 {
	if spec == nil {
		return nil
	}
	return &wechatpay.H5{
		Type: wechatpay.H5Type(spec.Type), Name: spec.Name, URL: spec.URL, BundleID: spec.BundleID, PackageName: spec.PackageName,
	}
}

func currency(order *v1alpha1.Order) string {
	return string(cmp.Or(order.Spec.Amount.Currency, v1alpha1.CurrencyCNY))
}
