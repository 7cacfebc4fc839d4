package statement

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills/matching"
	"github.com/wechatpay-operator/wechatpay-operator/internal/index"
	"github.com/wechatpay-operator/wechatpay-operator/internal/ledger"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
)

// Ledger is what the comparison needs of the ledger.
type Ledger interface {
	Paid(ctx context.Context, of ledger.Account, from, until time.Time, each func(ledger.PaidOrder) error) error
	Accepted(ctx context.Context, of ledger.Account, from, until time.Time, each func(ledger.AcceptedRefund) error) error
	FindRefund(ctx context.Context, of ledger.Account, outRefundNo string) (ledger.AcceptedRefund, bool, error)
}

// LedgerError is the error of a ledger that can't be read.
type LedgerError struct{ Err error }

// Error returns the cause.
func (e *LedgerError) Error() string { return "the ledger's database can't be read: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *LedgerError) Unwrap() error { return e.Err }

// Object is an Order or Refund that the bill lists as paid or accepted, and its status does not.
type Object struct {
	types.NamespacedName
	UID types.UID
}

// mostMissed limits how many objects are queried: each costs a call.
const mostMissed = 500

// books are the records that the operator has of an account: Orders and Refunds in the cluster, and rows of the ledger.
type books struct {
	ctx    context.Context
	client client.Reader
	// ledger is nil if there is none.
	ledger  Ledger
	account ledger.Account
	sub     string
	// merchants are the Merchants of the account, by "namespace/name".
	merchants map[string]*v1alpha1.Merchant
	// missedOrders are the Orders that the bill lists as paid and that are not Paid; missedRefunds are the Refunds that
	// it lists as accepted and that are not.
	missedOrders, missedRefunds map[types.UID]Object
	// hasOrders remembers which namespaces have Orders of these Merchants.
	hasOrders map[string]bool
	// err is the first error of a lookup.
	err error
}

// openBooks finds the Merchants of an account: all that have its merchant number, a proven key and the same sub
// merchant.
func openBooks(ctx context.Context, reader client.Reader, db Ledger, of *v1alpha1.Merchant) (*books, error) {
	b := &books{
		ctx: ctx, client: reader, ledger: db, sub: subMchID(of),
		merchants: map[string]*v1alpha1.Merchant{}, hasOrders: map[string]bool{}, missedOrders: map[types.UID]Object{}, missedRefunds: map[types.UID]Object{},
	}
	b.account = ledger.Account{ID: account.IDOf(of).String(), SubMchID: b.sub}
	var all v1alpha1.MerchantList
	if err := b.list("Merchants", &all); err != nil {
		return nil, err
	}
	for i := range all.Items {
		if m := &all.Items[i]; account.SameAccount(m, of) && subMchID(m) == b.sub {
			b.merchants[m.Namespace+"/"+m.Name] = m
		}
	}
	return b, nil
}

// list reads objects from the cache without copying them, so they must not be changed.
func (b *books) list(kind string, list client.ObjectList, options ...client.ListOption) error {
	if err := b.client.List(b.ctx, list, append(options, index.WithoutOwnWrites, client.UnsafeDisableDeepCopy)...); err != nil {
		return fmt.Errorf("listing %s: %w", kind, err)
	}
	return nil
}

func subMchID(merchant *v1alpha1.Merchant) string {
	if merchant.Spec.Partner == nil {
		return ""
	}
	return merchant.Spec.Partner.SubMchID
}

// lateAcceptance is how much later than WeChat the operator may record that a refund was accepted, without losing the
// day.
const lateAcceptance = 24 * time.Hour

// addDay adds the orders and refunds that the day's bill should have.
func (b *books) addDay(matcher *matching.Matcher, day bills.Day) error {
	for name := range b.merchants {
		for at := day.Start(); at.Before(day.End()); at = at.Add(index.Piece) {
			if err := b.addOrders(matcher, name, at); err != nil {
				return err
			}
		}
	}
	for at := day.Start(); at.Before(day.End().Add(lateAcceptance)); at = at.Add(index.Piece) {
		if err := b.addRefunds(matcher, at); err != nil {
			return err
		}
	}
	if b.ledger == nil {
		return nil
	}
	return b.addLedger(matcher, day)
}

// addOrders adds the Orders of a Merchant that were paid in a part of the day.
func (b *books) addOrders(matcher *matching.Matcher, merchant string, at time.Time) error {
	var orders v1alpha1.OrderList
	if err := b.list("Orders", &orders, client.MatchingFields{index.OrderPaid: index.PaidIn(merchant, at)}); err != nil {
		return err
	}
	for i := range orders.Items {
		// Two objects with the same number have the same payment.
		if !matcher.HasOrder(orders.Items[i].Number()) {
			matcher.AddOrder(b.order(&orders.Items[i], b.merchants[merchant]))
		}
	}
	return nil
}

func (b *books) addRefunds(matcher *matching.Matcher, at time.Time) error {
	var refunds v1alpha1.RefundList
	if err := b.list("Refunds", &refunds, client.MatchingFields{index.RefundAccepted: index.AcceptedIn(at)}); err != nil {
		return err
	}
	for i := range refunds.Items {
		refund := &refunds.Items[i]
		ours, err := b.hasOrdersIn(refund.Namespace)
		if err != nil {
			return err
		}
		if !ours || matcher.HasRefund(refund.Number()) {
			continue
		}
		order, err := b.orderOf(refund)
		if err != nil {
			return err
		}
		if order != nil && b.merchants[index.MerchantOf(order)] != nil {
			matcher.AddRefund(b.refund(refund, order))
		}
	}
	return nil
}

// hasOrdersIn reports whether a namespace has Orders of the account. The index returns the Refunds of all tenants:
// without this, each Statement would look up the Order of every Refund in the cluster.
func (b *books) hasOrdersIn(namespace string) (bool, error) {
	has, known := b.hasOrders[namespace]
	if known {
		return has, nil
	}
	for name := range b.merchants {
		var one v1alpha1.OrderList
		if err := b.list("Orders", &one, client.InNamespace(namespace), client.MatchingFields{index.OrderMerchant: name}, client.Limit(1)); err != nil {
			return false, err
		}
		if len(one.Items) > 0 {
			has = true
			break
		}
	}
	b.hasOrders[namespace] = has
	return has, nil
}

// orderOf returns the Order of a Refund, or nil if it is gone. It belongs to the cache and must not be changed.
func (b *books) orderOf(refund *v1alpha1.Refund) (*v1alpha1.Order, error) {
	order := &v1alpha1.Order{}
	err := b.client.Get(b.ctx, types.NamespacedName{Namespace: refund.Namespace, Name: refund.Spec.OrderRef.Name}, order, client.UnsafeDisableDeepCopy)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return order, err
}

func (b *books) order(order *v1alpha1.Order, merchant *v1alpha1.Merchant) matching.Order {
	known := matching.Order{
		OutTradeNo: order.Number(), SubMchID: b.sub, Total: order.Spec.Amount.Total, Currency: string(order.Spec.Amount.Currency), Paid: lifecycle.IsPaid(order),
	}
	if b.sub == "" { // it is not documented which of its two appids a sub merchant's bill has
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

func (b *books) refund(refund *v1alpha1.Refund, order *v1alpha1.Order) matching.Refund {
	known := matching.Refund{
		OutRefundNo: refund.Number(), RefundID: refund.Status.RefundID, SubMchID: b.sub, Amount: refund.Spec.Amount,
		Accepted: lifecycle.RefundAccepted(refund) || lifecycle.RefundSucceeded(refund), AcceptedTimeLocal: true,
	}
	if order != nil {
		known.OutTradeNo, known.Currency = order.Number(), string(order.Spec.Amount.Currency)
		if paid := order.Status.Transaction; paid != nil {
			known.TransactionID = paid.ID
		}
	}
	accepted := refund.Status.AcceptedTime
	approved := lifecycle.Condition(refund.Status.Conditions, v1alpha1.ConditionApproved)
	if accepted == nil || approved.Reason == v1alpha1.ReasonRecovered {
		return known // WeChat had the refund before the object was created, and does not say since when
	}
	succeeded := time.Time{}
	if refund.Status.SucceededTime != nil {
		succeeded = refund.Status.SucceededTime.Time
	}
	known.AcceptedTime, known.Doubtful = acceptance(approved.LastTransitionTime.Time, accepted.Time, succeeded)
	return known
}

// clocksDiffer is the tolerated difference between WeChat's clock and the cluster's.
const clocksDiffer = 5 * time.Minute

// acceptance returns when WeChat accepted a refund. No answer states it, so it is estimated: after the decision, and
// before the operator learned of it or the money was back. The result is zero if that leaves more than a day, and
// doubtful if it leaves two days.
func acceptance(decided, learned, succeeded time.Time) (at time.Time, doubtful bool) {
	at = learned
	if !succeeded.IsZero() && succeeded.Before(at) {
		at = succeeded
	}
	switch {
	case at.Before(decided.Add(-clocksDiffer)), at.Sub(decided) > lateAcceptance:
		return time.Time{}, true
	default:
		return at, bills.DayOf(decided) != bills.DayOf(at)
	}
}

// FindOrder finds the Order of a row in the cluster. If the Order is not paid, it is added to missedOrders.
func (b *books) FindOrder(transactionID, outTradeNo string) (matching.Order, bool) {
	found, merchant := b.orderByNumber(transactionID, outTradeNo)
	if found == nil {
		return matching.Order{}, false
	}
	if !lifecycle.IsPaid(found) && len(b.missedOrders) < mostMissed {
		b.missedOrders[found.UID] = Object{client.ObjectKeyFromObject(found), found.UID}
	}
	return b.order(found, merchant), true
}

func (b *books) orderByNumber(transactionID, outTradeNo string) (best *v1alpha1.Order, its *v1alpha1.Merchant) {
	orders, err := index.OrdersByNumber(b.ctx, b.client, outTradeNo)
	b.fail(err)
	for i := range orders {
		order := &orders[i]
		merchant := b.merchants[index.MerchantOf(order)]
		if merchant == nil || order.Number() != outTradeNo || lifecycle.PaidReason(order) == v1alpha1.ReasonNumberInUse || !b.mayUse(order) {
			continue
		}
		if best == nil || strengthOf(order, transactionID) > strengthOf(best, transactionID) {
			best, its = order, merchant
		}
	}
	return best, its
}

// mayUse reports whether an Order belongs to its Merchant: it was started, or its namespace may use the Merchant.
func (b *books) mayUse(order *v1alpha1.Order) bool {
	if lifecycle.IsPaid(order) || lifecycle.Started(order) {
		return true
	}
	_, err := account.ForOrder(b.ctx, b.client, order)
	if _, isProblem := account.AsProblem(err); isProblem {
		return false
	}
	b.fail(err)
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

// FindRefund finds the Refund of a row in the cluster or in the ledger. If the Refund is not accepted, it is added to
// missedRefunds.
func (b *books) FindRefund(refundID, outRefundNo string) (matching.Refund, bool) {
	refund, order := b.refundByNumber(refundID, outRefundNo)
	if refund == nil {
		return b.refundInLedger(outRefundNo)
	}
	known := b.refund(refund, order)
	if !known.Accepted && len(b.missedRefunds) < mostMissed {
		b.missedRefunds[refund.UID] = Object{client.ObjectKeyFromObject(refund), refund.UID}
	}
	return known, true
}

func (b *books) refundByNumber(refundID, outRefundNo string) (best *v1alpha1.Refund, its *v1alpha1.Order) {
	refunds, err := index.RefundsByNumber(b.ctx, b.client, outRefundNo)
	b.fail(err)
	strongest := -1
	for i := range refunds {
		refund := &refunds[i]
		if refund.Number() != outRefundNo || lifecycle.SucceededReason(refund) == v1alpha1.ReasonNumberInUse {
			continue
		}
		order, err := b.orderOf(refund)
		b.fail(err)
		isIt := refundID != "" && refund.Status.RefundID == refundID
		switch {
		case order == nil && !isIt: // without its Order its merchant number is unknown
			continue
		case order != nil && (b.merchants[index.MerchantOf(order)] == nil || !lifecycle.RefundBegun(refund) && !b.mayUse(order)):
			continue
		}
		strength := 0
		switch {
		case isIt:
			strength = 3
		case lifecycle.RefundAccepted(refund):
			strength = 2
		case lifecycle.RefundBegun(refund):
			strength = 1
		}
		if strength > strongest {
			best, its, strongest = refund, order, strength
		}
	}
	return best, its
}

func (b *books) refundInLedger(outRefundNo string) (matching.Refund, bool) {
	if b.ledger == nil || b.err != nil {
		return matching.Refund{}, false
	}
	recorded, found, err := b.ledger.FindRefund(b.ctx, b.account, outRefundNo)
	if err != nil {
		b.fail(&LedgerError{err})
		return matching.Refund{}, false
	}
	return b.recordedRefund(recorded), found
}

func (b *books) fail(err error) {
	if b.err == nil {
		b.err = err
	}
}
