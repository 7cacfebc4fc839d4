package statement

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills/matching"
	"github.com/wechatpay-operator/wechatpay-operator/internal/index"
	"github.com/wechatpay-operator/wechatpay-operator/internal/ledger"
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

// records are what the operator has stored about an account: Orders and Refunds in the cluster, and rows of the ledger.
type records struct {
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

// findRecords starts to read records. It finds the Merchants of the account: all that have its merchant number, a
// proven key and the same sub merchant.
func findRecords(ctx context.Context, reader client.Reader, db Ledger, merchant *v1alpha1.Merchant) (*records, error) {
	r := &records{
		ctx: ctx, client: reader, ledger: db, sub: subMchID(merchant),
		merchants: map[string]*v1alpha1.Merchant{}, hasOrders: map[string]bool{}, missedOrders: map[types.UID]Object{}, missedRefunds: map[types.UID]Object{},
	}
	r.account = ledger.Account{ID: account.IDOf(merchant).String(), SubMchID: r.sub}
	var all v1alpha1.MerchantList
	if err := r.list("Merchants", &all); err != nil {
		return nil, err
	}
	for i := range all.Items {
		if m := &all.Items[i]; account.SameAccount(m, merchant) && subMchID(m) == r.sub {
			r.merchants[m.Namespace+"/"+m.Name] = m
		}
	}
	return r, nil
}

// list reads objects from the cache without copying them, so they must not be changed.
func (r *records) list(kind string, list client.ObjectList, options ...client.ListOption) error {
	if err := r.client.List(r.ctx, list, append(options, index.WithoutOwnWrites, client.UnsafeDisableDeepCopy)...); err != nil {
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
func (r *records) addDay(matcher *matching.Matcher, day bills.Day) error {
	for name := range r.merchants {
		for at := day.Start(); at.Before(day.End()); at = at.Add(index.Piece) {
			if err := r.addOrders(matcher, name, at); err != nil {
				return err
			}
		}
	}
	for at := day.Start(); at.Before(day.End().Add(lateAcceptance)); at = at.Add(index.Piece) {
		if err := r.addRefunds(matcher, at); err != nil {
			return err
		}
	}
	if r.ledger == nil {
		return nil
	}
	return r.addLedger(matcher, day)
}

func (r *records) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}
