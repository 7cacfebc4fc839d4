package statement

import (
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills/matching"
	"github.com/wechatpay-operator/wechatpay-operator/internal/index"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
)

// addOrders adds the Orders of a Merchant that were paid in a part of the day.
func (r *records) addOrders(matcher *matching.Matcher, merchant string, at time.Time) error {
	var orders v1alpha1.OrderList
	if err := r.list("Orders", &orders, client.MatchingFields{index.OrderPaid: index.PaidIn(merchant, at)}); err != nil {
		return err
	}
	for i := range orders.Items {
		// Two objects with the same number have the same payment.
		if !matcher.HasOrder(orders.Items[i].Number()) {
			matcher.AddOrder(r.order(&orders.Items[i], r.merchants[merchant]))
		}
	}
	return nil
}

func (r *records) order(order *v1alpha1.Order, merchant *v1alpha1.Merchant) matching.Order {
	known := matching.Order{
		OutTradeNo: order.Number(), SubMchID: r.sub, Total: order.Spec.Amount.Total, Currency: string(order.Spec.Amount.Currency), Paid: lifecycle.IsPaid(order),
	}
	if r.sub == "" { // it is not documented which of its two appids a sub merchant's bill has
		known.AppID = lifecycle.AppID(order, merchant)
	}
	if !known.Paid {
		return known
	}
	known.PaidTime, known.PaidTimeLocal = index.PaidTime(order)
	if paid := order.Status.Transaction; paid != nil {
		known.TransactionID, known.SettlementTotal = paid.ID, paid.SettlementTotal
	}
	return known
}

// FindOrder finds the Order of a row in the cluster. If the Order is not paid, it is added to missedOrders.
func (r *records) FindOrder(transactionID, outTradeNo string) (matching.Order, bool) {
	found, merchant := r.orderByNumber(transactionID, outTradeNo)
	if found == nil {
		return matching.Order{}, false
	}
	if !lifecycle.IsPaid(found) && len(r.missedOrders) < mostMissed {
		r.missedOrders[found.UID] = Object{client.ObjectKeyFromObject(found), found.UID}
	}
	return r.order(found, merchant), true
}

func (r *records) orderByNumber(transactionID, outTradeNo string) (best *v1alpha1.Order, bestMerchant *v1alpha1.Merchant) {
	orders, err := index.OrdersByNumber(r.ctx, r.client, outTradeNo)
	r.fail(err)
	for i := range orders {
		order := &orders[i]
		merchant := r.merchants[index.MerchantOf(order)]
		if merchant == nil || order.Number() != outTradeNo || lifecycle.PaidReason(order) == v1alpha1.ReasonNumberInUse || !r.mayUse(order) {
			continue
		}
		if best == nil || strengthOf(order, transactionID) > strengthOf(best, transactionID) {
			best, bestMerchant = order, merchant
		}
	}
	return best, bestMerchant
}

// mayUse reports whether an Order belongs to its Merchant: it was started, or its namespace may use the Merchant.
func (r *records) mayUse(order *v1alpha1.Order) bool {
	if lifecycle.IsPaid(order) || lifecycle.Started(order) {
		return true
	}
	_, err := account.ForOrder(r.ctx, r.client, order)
	if _, isProblem := account.AsProblem(err); isProblem {
		return false
	}
	r.fail(err)
	return err == nil
}

// strengthOf ranks the Orders with a row's number: the row is about the one with the highest value.
func strengthOf(order *v1alpha1.Order, transactionID string) int {
	switch paid := order.Status.Transaction; {
	case paid != nil && paid.ID == transactionID:
		return 3
	case lifecycle.IsPaid(order):
		return 2
	case lifecycle.Started(order):
		return 1
	default:
		return 0
	}
}
