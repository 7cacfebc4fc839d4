package claims

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/index"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
)

// Claims decides about numbers by what the cluster has.
type Claims struct {
	// Cached finds rivals by their number, in the cache.
	Cached client.Reader
	// APIReader reads rivals of which the cache may not have the latest.
	APIReader client.Reader
	Clock     clock.PassiveClock
	// Calls of this process; nil where it makes none.
	Calls *Calls
}

// New returns Claims for a process that makes calls.
func New(cached, live client.Reader, clock clock.PassiveClock) *Claims {
	return &Claims{Cached: cached, APIReader: live, Clock: clock, Calls: NewCalls(clock)}
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
	// unbeatable: WeChat takes the key of the rival's Merchant, and has not taken the other's.
	unbeatable
)

// OwnerOfOrder returns the Order that owns the number of an Order which may use the Merchant: that Order itself, or another.
func (c *Claims) OwnerOfOrder(ctx context.Context, order *v1alpha1.Order, of *v1alpha1.Merchant) (*v1alpha1.Order, error) {
	rivals, err := index.OrdersByNumber(ctx, c.Cached, order.Number())
	if err != nil {
		return nil, fmt.Errorf("looking for other Orders with the number %s: %w", order.Number(), err)
	}
	var taking []participant
	owner, best, known := order, c.strengthOfOrder(order, of), participations{}
	consider := func(rival *v1alpha1.Order, its *v1alpha1.Merchant) {
		strength := c.strengthOfOrder(rival, its)
		if merchantOutranks(its, of) {
			strength = unbeatable
		}
		if strength > best || strength == best && lifecycle.Older(rival, owner) {
			owner, best = rival, strength
		}
	}
	for i := range rivals {
		its, err := c.merchantOfRival(ctx, order, of, &rivals[i], known)
		if err != nil {
			return nil, err
		}
		if its != nil {
			taking = append(taking, participant{&rivals[i], its})
			consider(&rivals[i], its)
		}
	}
	if owner != order && c.Clock.Since(owner.CreationTimestamp.Time) >= young {
		return owner, nil
	}
	// The cache may be behind about who is young. Who loses anyway needs no more than that one look.
	if owner != order {
		if latest, err := c.latest(ctx, owner); latest != nil || err != nil {
			return latest, err
		}
	}
	owner, best = order, c.strengthOfOrder(order, of)
	for _, one := range taking {
		latest, err := c.latest(ctx, one.order)
		if err != nil {
			return nil, err
		}
		if latest != nil {
			consider(latest, one.merchant)
		}
	}
	return owner, nil
}

// participant is an Order that takes part, with its Merchant.
type participant struct {
	order    *v1alpha1.Order
	merchant *v1alpha1.Merchant
}

// merchantOfRival returns the Merchant of an Order that takes part beside another one; nil if it does not.
func (c *Claims) merchantOfRival(ctx context.Context, order *v1alpha1.Order, of *v1alpha1.Merchant, rival *v1alpha1.Order, known participations) (*v1alpha1.Merchant, error) {
	if rival.UID == order.UID || !claimsItsNumber(rival) {
		return nil, nil
	}
	key := participationOf(rival)
	if its, ok := known[key]; ok {
		return its, nil
	}
	its, err := c.participates(ctx, rival, of)
	if err == nil {
		known[key] = its
	}
	return its, err
}

// latest is a young Order as the API server has it, since what happened to it may not have reached the cache; nil when it takes no
// part any more.
func (c *Claims) latest(ctx context.Context, rival *v1alpha1.Order) (*v1alpha1.Order, error) {
	if c.Clock.Since(rival.CreationTimestamp.Time) >= young {
		return rival, nil
	}
	latest := &v1alpha1.Order{}
	err := c.APIReader.Get(ctx, client.ObjectKeyFromObject(rival), latest)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading another Order with the number %s: %w", rival.Number(), err)
	case latest.UID != rival.UID || !claimsItsNumber(latest):
		return nil, nil
	}
	return latest, nil
}

// participations are the Merchants of Orders that take part, nil for those that do not, each looked up once: somebody may have created
// thousands of Orders of one number.
type participations map[participation]*v1alpha1.Merchant

// participation is all that it depends on whether an Order takes part.
type participation struct {
	namespace, merchantNamespace, merchantName, number string
	begun, decided                                     bool
}

func participationOf(order *v1alpha1.Order) participation {
	namespace, name := order.MerchantKey()
	return participation{
		namespace: order.Namespace, merchantNamespace: namespace, merchantName: name, number: order.Number(),
		begun: lifecycle.Started(order) || lifecycle.IsPaid(order), decided: IsDecided(order),
	}
}

// participates returns the Merchant of an Order that takes part in the account of another Merchant; nil if it does not.
func (c *Claims) participates(ctx context.Context, rival *v1alpha1.Order, in *v1alpha1.Merchant) (*v1alpha1.Merchant, error) {
	its, err := account.OfParticipant(ctx, c.Cached, rival)
	if _, refused := account.AsProblem(err); refused {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the Merchant of another Order: %w", err)
	}
	if !account.SameAccount(its, in) && !hasBegunAt(rival, its, in) {
		return nil, nil
	}
	return its, nil
}

// hasBegunAt says whether an Order has its number at an account although its Merchant's key is refused by now: WeChat has given it a
// prepay, or said that it is paid, while it took the key. A refusal or a lost answer under a refused key is no beginning.
func hasBegunAt(order *v1alpha1.Order, its, in *v1alpha1.Merchant) bool {
	return IsDecided(order) && account.WasProven(its) && account.IDOf(its) == account.IDOf(in)
}

// HolderOfPayment returns another Order of the same number that has recorded a payment; nil if there is none. WeChat's number of a
// payment is its own for ever, so this holds within a namespace whatever became of that Order's Merchant; in another namespace, only
// while its Merchant is of the same account, since somebody may be paid at a host of their own by any number.
func (c *Claims) HolderOfPayment(ctx context.Context, order *v1alpha1.Order, of *v1alpha1.Merchant, transactionID string) (*v1alpha1.Order, error) {
	rivals, err := index.OrdersByNumber(ctx, c.Cached, order.Number())
	if err != nil {
		return nil, fmt.Errorf("looking for other Orders with the number %s: %w", order.Number(), err)
	}
	for i := range rivals {
		rival := &rivals[i]
		transaction := rival.Status.Transaction
		if rival.UID == order.UID || !lifecycle.IsPaid(rival) || transaction == nil || transaction.ID == "" || transaction.ID != transactionID {
			continue
		}
		if rival.Namespace == order.Namespace {
			return rival, nil
		}
		if believed, err := c.isOfAccount(ctx, rival, of); believed || err != nil {
			return rival, err
		}
	}
	return nil, nil
}

// isOfAccount says whether what an Order of another namespace has recorded counts for the account of a Merchant.
func (c *Claims) isOfAccount(ctx context.Context, rival *v1alpha1.Order, of *v1alpha1.Merchant) (bool, error) {
	its, err := account.OfParticipant(ctx, c.Cached, rival)
	if _, gone := account.AsProblem(err); gone {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading the Merchant of another Order: %w", err)
	}
	return its.UID == of.UID || account.WasProven(its) && account.IDOf(its) == account.IDOf(of), nil
}

// merchantOutranks: a Merchant whose key WeChat never took has no say against one whose key it did.
func merchantOutranks(its, of *v1alpha1.Merchant) bool {
	return its.UID != of.UID && !account.IsProven(of)
}

// claimsItsNumber says whether an Order has its number at WeChat, or may yet get it. One that was refused its number never
// claims it again; one that ended before it had begun leaves it to others.
func claimsItsNumber(order *v1alpha1.Order) bool {
	switch {
	case lifecycle.PaidReason(order) == v1alpha1.ReasonNumberInUse:
		return false
	case lifecycle.IsPaid(order), order.Status.Prepay != nil:
		return true
	case lifecycle.IsFinished(order):
		return false
	default:
		return lifecycle.Started(order) || order.DeletionTimestamp == nil && order.Spec.DesiredState != v1alpha1.DesiredStateClosed
	}
}

func (c *Claims) strengthOfOrder(order *v1alpha1.Order, of *v1alpha1.Merchant) strength {
	switch {
	case lifecycle.IsPaid(order):
		return recorded
	case lifecycle.IsUsedAtWeChat(order):
		return usedAtWeChat
	case lifecycle.Started(order):
		return begun
	}
	if by, calls := c.Calls.by(numberOf(account.IDOf(of), orders, order.Number())); calls && by == order.UID {
		return calling
	}
	return waiting
}

// IsDecided says whether WeChat said that the number of an Order, which owns it, is that Order's. As long as it only comes first, or
// its answer is in doubt, WeChat may have the number for another, which lost its status.
func IsDecided(owner *v1alpha1.Order) bool {
	return lifecycle.IsPaid(owner) || owner.Status.Prepay != nil
}

// BeginOrder notes that the first call of an Order is about to be made. It returns false while that of another object may be
// under way, such as one of the same name that was deleted a moment ago.
func (c *Claims) BeginOrder(order *v1alpha1.Order, of *v1alpha1.Merchant) bool {
	return c.Calls.begin(numberOf(account.IDOf(of), orders, order.Number()), order.UID)
}
