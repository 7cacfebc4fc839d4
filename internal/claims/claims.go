package claims

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lookup"
	"github.com/wechatpay-operator/wechatpay-operator/internal/merchant"
	"github.com/wechatpay-operator/wechatpay-operator/internal/settlement"
)

// Claims decides about numbers by what the cluster has.
type Claims struct {
	// Cached finds rivals by their number, in the cache.
	Cached client.Reader
	// Live reads rivals of which the cache may not have the latest.
	Live  client.Reader
	Clock clock.PassiveClock
	// Calls of this process; nil where it makes none.
	Calls *Calls
}

// New returns Claims for a process that makes calls.
func New(cached, live client.Reader, clock clock.PassiveClock) *Claims {
	return &Claims{Cached: cached, Live: live, Clock: clock, Calls: NewCalls(clock)}
}

// young is for how long a rival is read from the API server: what happened to it may not have reached the cache.
const young = time.Minute

// A strength says by what right an object claims its number, weakest first.
type strength int

const (
	// usedAtWeChat: WeChat has the number, with parameters that are not the object's.
	usedAtWeChat strength = iota
	waiting
	calling
	begun
	recorded
)

// OwnerOfOrder returns the Order that owns the number of an Order which may use the Merchant: that Order itself, or another.
func (c *Claims) OwnerOfOrder(ctx context.Context, order *v1alpha1.Order, of *v1alpha1.Merchant) (*v1alpha1.Order, error) {
	rivals, err := lookup.OrdersByNumber(ctx, c.Cached, order.Number())
	if err != nil {
		return nil, fmt.Errorf("looking for other Orders with the number %s: %w", order.Number(), err)
	}
	owner, best, refused := order, c.strengthOfOrder(order, of), refusals{}
	for i := range rivals {
		rival, its, err := c.rivalOrder(ctx, order, of, &rivals[i], refused)
		if err != nil {
			return nil, err
		}
		if rival == nil {
			continue
		}
		if merchantOutranks(its, of) {
			return rival, nil
		}
		if strength := c.strengthOfOrder(rival, its); strength > best || strength == best && settlement.Older(rival, owner) {
			owner, best = rival, strength
		}
	}
	return owner, nil
}

// rivalOrder returns an Order of the same account, with its Merchant, if it takes part; nil otherwise.
func (c *Claims) rivalOrder(ctx context.Context, order *v1alpha1.Order, of *v1alpha1.Merchant, rival *v1alpha1.Order, refused refusals) (*v1alpha1.Order, *v1alpha1.Merchant, error) {
	if rival.UID == order.UID || !claimsItsNumber(rival) || refused.has(rival) {
		return nil, nil, nil
	}
	its, err := c.participates(ctx, rival, of)
	if its == nil && err == nil {
		refused.add(rival)
	}
	if its == nil || err != nil {
		return nil, nil, err
	}
	if c.Clock.Since(rival.CreationTimestamp.Time) >= young {
		return rival, its, nil
	}
	latest := &v1alpha1.Order{}
	err = c.Live.Get(ctx, client.ObjectKeyFromObject(rival), latest)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil, nil
	case err != nil:
		return nil, nil, fmt.Errorf("reading another Order with the number %s: %w", order.Number(), err)
	case latest.UID != rival.UID || !claimsItsNumber(latest):
		return nil, nil, nil
	}
	return latest, its, nil
}

// refusals are whom a Merchant does not permit, each looked up once: somebody may have created thousands of Orders of one number.
// Only what has not begun is refused for its namespace, Merchant and number alone.
type refusals map[[4]string]bool

func refusalOf(order *v1alpha1.Order) [4]string {
	namespace, name := order.MerchantKey()
	return [4]string{order.Namespace, namespace, name, order.Number()}
}

func (r refusals) has(order *v1alpha1.Order) bool {
	return !settlement.Started(order) && !settlement.IsPaid(order) && r[refusalOf(order)]
}

func (r refusals) add(order *v1alpha1.Order) {
	if !settlement.Started(order) && !settlement.IsPaid(order) {
		r[refusalOf(order)] = true
	}
}

// participates returns the Merchant of an Order that takes part in the account of another Merchant; nil if it does not.
func (c *Claims) participates(ctx context.Context, rival *v1alpha1.Order, in *v1alpha1.Merchant) (*v1alpha1.Merchant, error) {
	its, err := merchant.OfParticipant(ctx, c.Cached, rival)
	if _, refused := merchant.AsProblem(err); refused {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the Merchant of another Order: %w", err)
	}
	if !merchant.SameAccount(its, in) && !hasBegunAt(rival, its, in) {
		return nil, nil
	}
	return its, nil
}

// hasBegunAt says whether an Order has its number at an account although its Merchant's key is refused by now: what was begun with a
// key that WeChat took stays.
func hasBegunAt(order *v1alpha1.Order, its, in *v1alpha1.Merchant) bool {
	return (settlement.Started(order) || settlement.IsPaid(order)) && len(its.Status.Keys) > 0 && merchant.AccountIDOf(its) == merchant.AccountIDOf(in)
}

// HolderOfPayment returns another Order of the same number that has recorded a payment; nil if there is none. WeChat's number of a
// payment is its own for ever, so this holds whatever became of that Order's Merchant.
func (c *Claims) HolderOfPayment(ctx context.Context, order *v1alpha1.Order, transactionID string) (*v1alpha1.Order, error) {
	rivals, err := lookup.OrdersByNumber(ctx, c.Cached, order.Number())
	if err != nil {
		return nil, fmt.Errorf("looking for other Orders with the number %s: %w", order.Number(), err)
	}
	for i := range rivals {
		rival := &rivals[i]
		if transaction := rival.Status.Transaction; rival.UID != order.UID && settlement.IsPaid(rival) && transaction != nil && transaction.ID != "" && transaction.ID == transactionID {
			return rival, nil
		}
	}
	return nil, nil
}

// merchantOutranks: a Merchant whose key WeChat never took has no say against one whose key it did.
func merchantOutranks(its, of *v1alpha1.Merchant) bool {
	return its.UID != of.UID && !merchant.IsProven(of)
}

// claimsItsNumber says whether an Order has its number at WeChat, or may yet get it. One that was refused its number never
// claims it again; one that ended before it had begun leaves it to others.
func claimsItsNumber(order *v1alpha1.Order) bool {
	switch {
	case settlement.PaidReason(order) == v1alpha1.ReasonNumberInUse:
		return false
	case settlement.IsPaid(order), order.Status.Prepay != nil:
		return true
	case settlement.IsFinished(order):
		return false
	default:
		return settlement.Started(order) || order.DeletionTimestamp == nil && order.Spec.DesiredState != v1alpha1.DesiredStateClosed
	}
}

func (c *Claims) strengthOfOrder(order *v1alpha1.Order, of *v1alpha1.Merchant) strength {
	switch {
	case settlement.IsPaid(order):
		return recorded
	case settlement.IsUsedAtWeChat(order):
		return usedAtWeChat
	case settlement.Started(order):
		return begun
	}
	if by, calls := c.Calls.by(numberOf(merchant.AccountIDOf(of), orders, order.Number())); calls && by == order.UID {
		return calling
	}
	return waiting
}

// IsDecided says whether WeChat said that the number of an Order, which owns it, is that Order's. As long as it only comes first, or
// its answer is in doubt, WeChat may have the number for another, which lost its status.
func IsDecided(owner *v1alpha1.Order) bool {
	return settlement.IsPaid(owner) || owner.Status.Prepay != nil
}

// BeginOrder notes that the first call of an Order is about to be made. It returns false while that of another object may be
// under way, such as one of the same name that was deleted a moment ago.
func (c *Claims) BeginOrder(order *v1alpha1.Order, of *v1alpha1.Merchant) bool {
	return c.Calls.begin(numberOf(merchant.AccountIDOf(of), orders, order.Number()), order.UID)
}
