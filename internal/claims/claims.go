package claims

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/index"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
)

// Claims decides which object owns a number, from the objects in the cluster.
type Claims struct {
	// Cached finds rivals by number in the cache.
	Cached client.Reader
	// APIReader reads rivals that the cache may hold in an old version.
	APIReader client.Reader
	Clock     clock.PassiveClock
	// Calls holds the calls of this process; nil if it makes none.
	Calls *Calls
}

// New returns Claims for a process that makes calls.
func New(cached, live client.Reader, clock clock.PassiveClock) *Claims {
	return &Claims{Cached: cached, APIReader: live, Clock: clock, Calls: NewCalls(clock)}
}

// maxCacheLag is the age up to which a rival is read from the API server, because the cache may not
// have its latest changes.
const maxCacheLag = time.Minute

// strength ranks an object's claim to its number, weakest first.
type strength int

const (
	// usedAtWeChat: WeChat Pay has the number with other parameters than the object's.
	usedAtWeChat strength = iota
	waiting
	calling
	begun
	recorded
	// unbeatable: WeChat Pay accepted the API key of the rival's Merchant, but never that of the
	// other Merchant.
	unbeatable
)

// comesFirst reports whether a's claim to a number is stronger than b's, or as strong and older.
func comesFirst(a metav1.Object, strengthA strength, b metav1.Object, strengthB strength) bool {
	return strengthA > strengthB || strengthA == strengthB && lifecycle.Older(a, b)
}

// OwnerOfOrder returns the Order that owns the number of an Order which may use the Merchant: the
// Order itself or another one.
func (c *Claims) OwnerOfOrder(ctx context.Context, order *v1alpha1.Order, merchant *v1alpha1.Merchant) (*v1alpha1.Order, error) {
	rivals, err := index.OrdersByNumber(ctx, c.Cached, order.Number())
	if err != nil {
		return nil, fmt.Errorf("looking for other Orders with the number %s: %w", order.Number(), err)
	}
	var participants []participant
	owner, best, merchants := order, c.strengthOfOrder(order, merchant), participations{}
	consider := func(rival *v1alpha1.Order, rivalMerchant *v1alpha1.Merchant) {
		strength := c.strengthOfOrder(rival, rivalMerchant)
		if merchantOutranks(rivalMerchant, merchant) {
			strength = unbeatable
		}
		if comesFirst(rival, strength, owner, best) {
			owner, best = rival, strength
		}
	}
	for i := range rivals {
		rivalMerchant, err := c.merchantOfRival(ctx, order, merchant, &rivals[i], merchants)
		if err != nil {
			return nil, err
		}
		if rivalMerchant != nil {
			participants = append(participants, participant{&rivals[i], rivalMerchant})
			consider(&rivals[i], rivalMerchant)
		}
	}
	if owner != order && c.Clock.Since(owner.CreationTimestamp.Time) >= maxCacheLag {
		return owner, nil
	}
	// The cache may be stale for young rivals. If the Order loses anyway, reading the owner is
	// enough.
	if owner != order {
		if latest, err := c.latestOrder(ctx, owner); latest != nil || err != nil {
			return latest, err
		}
	}
	owner, best = order, c.strengthOfOrder(order, merchant)
	for _, one := range participants {
		latest, err := c.latestOrder(ctx, one.order)
		if err != nil {
			return nil, err
		}
		if latest != nil {
			consider(latest, one.merchant)
		}
	}
	return owner, nil
}

// participant is a participating Order with its Merchant.
type participant struct {
	order    *v1alpha1.Order
	merchant *v1alpha1.Merchant
}

// merchantOfRival returns the Merchant of a rival that participates in the same account; nil if the
// rival does not.
func (c *Claims) merchantOfRival(ctx context.Context, order *v1alpha1.Order, merchant *v1alpha1.Merchant, rival *v1alpha1.Order, merchants participations) (*v1alpha1.Merchant, error) {
	if rival.UID == order.UID || !claimsItsNumber(rival) {
		return nil, nil
	}
	key := participationOf(rival)
	if rivalMerchant, ok := merchants[key]; ok {
		return rivalMerchant, nil
	}
	rivalMerchant, err := c.participates(ctx, rival, merchant)
	if err == nil {
		merchants[key] = rivalMerchant
	}
	return rivalMerchant, err
}

// latest reads a young Order or Refund from the API server, because the cache may not have its
// latest changes; nil if it no longer claims its number.
func latest[P client.Object](ctx context.Context, c *Claims, rival, newer P, kind, number string, claims func(P) bool) (P, error) {
	var none P
	if c.Clock.Since(rival.GetCreationTimestamp().Time) >= maxCacheLag {
		return rival, nil
	}
	err := c.APIReader.Get(ctx, client.ObjectKeyFromObject(rival), newer)
	switch {
	case apierrors.IsNotFound(err):
		return none, nil
	case err != nil:
		return none, fmt.Errorf("reading another %s with the number %s: %w", kind, number, err)
	case newer.GetUID() != rival.GetUID() || !claims(newer):
		return none, nil
	}
	return newer, nil
}

func (c *Claims) latestOrder(ctx context.Context, rival *v1alpha1.Order) (*v1alpha1.Order, error) {
	return latest(ctx, c, rival, &v1alpha1.Order{}, "Order", rival.Number(), claimsItsNumber)
}

// participations caches the Merchants of participating Orders, nil for the others. Each is looked
// up once, because someone may create thousands of Orders with one number.
type participations map[participation]*v1alpha1.Merchant

// participation holds everything that decides whether an Order participates.
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

// participates returns the Merchant of an Order that participates in the account of another
// Merchant; nil if the Order does not.
func (c *Claims) participates(ctx context.Context, rival *v1alpha1.Order, merchant *v1alpha1.Merchant) (*v1alpha1.Merchant, error) {
	rivalMerchant, err := c.merchantOf(ctx, rival)
	if rivalMerchant == nil || !account.SameAccount(rivalMerchant, merchant) && !hasBegunAt(rival, rivalMerchant, merchant) {
		return nil, err
	}
	return rivalMerchant, nil
}

// merchantOf returns the Merchant of another Order; nil if the Order may not use it.
func (c *Claims) merchantOf(ctx context.Context, rival *v1alpha1.Order) (*v1alpha1.Merchant, error) {
	merchant, err := account.OfParticipant(ctx, c.Cached, rival)
	if _, refused := account.AsProblem(err); refused {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the Merchant of another Order: %w", err)
	}
	return merchant, nil
}

// hasBegunAt reports whether an Order has its number at an account although its Merchant's API key
// is rejected by now: while WeChat Pay accepted the key, it returned a prepay or confirmed the
// payment. A refusal or a lost response under a rejected key does not count.
func hasBegunAt(order *v1alpha1.Order, rivalMerchant, merchant *v1alpha1.Merchant) bool {
	return IsDecided(order) && account.WasProven(rivalMerchant) && account.IDOf(rivalMerchant) == account.IDOf(merchant)
}

// HolderOfPayment returns another Order with the same number that has recorded the payment; nil if
// there is none. A transaction_id is unique forever, so within a namespace this holds even if that
// Order's Merchant changed. For another namespace it holds only while that Order's Merchant belongs
// to the same account, because a tenant's own endpoint could report payments of any number.
func (c *Claims) HolderOfPayment(ctx context.Context, order *v1alpha1.Order, merchant *v1alpha1.Merchant, transactionID string) (*v1alpha1.Order, error) {
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
		if believed, err := c.isOfAccount(ctx, rival, merchant); believed || err != nil {
			return rival, err
		}
	}
	return nil, nil
}

// isOfAccount reports whether what an Order in another namespace recorded counts for the Merchant's
// account.
func (c *Claims) isOfAccount(ctx context.Context, rival *v1alpha1.Order, merchant *v1alpha1.Merchant) (bool, error) {
	rivalMerchant, err := c.merchantOf(ctx, rival)
	if rivalMerchant == nil {
		return false, err
	}
	return rivalMerchant.UID == merchant.UID || account.WasProven(rivalMerchant) && account.IDOf(rivalMerchant) == account.IDOf(merchant), nil
}

// merchantOutranks reports that the rival's claim wins because WeChat Pay never accepted this
// Merchant's API key.
func merchantOutranks(rivalMerchant, merchant *v1alpha1.Merchant) bool {
	return rivalMerchant.UID != merchant.UID && !account.IsProven(merchant)
}

// claimsItsNumber reports whether an Order has its number at WeChat Pay or may still get it. An
// Order that lost its number never claims it again; an Order that ended before it started releases
// its number.
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

func (c *Claims) strengthOfOrder(order *v1alpha1.Order, merchant *v1alpha1.Merchant) strength {
	switch {
	case lifecycle.IsPaid(order):
		return recorded
	case lifecycle.IsUsedAtWeChat(order):
		return usedAtWeChat
	case lifecycle.Started(order):
		return begun
	}
	return c.strengthOfCall(numberOf(account.IDOf(merchant), orders, order.Number()), order.UID)
}

// strengthOfCall is the strength of an object whose first call is not known to have been made.
func (c *Claims) strengthOfCall(number number, uid types.UID) strength {
	if by, calls := c.Calls.by(number); calls && by == uid {
		return calling
	}
	return waiting
}

// IsDecided reports whether WeChat Pay confirmed that the number belongs to its owner. While the
// owner is only the first in the cluster, or its result is unknown, WeChat Pay may have the number
// for another Order that lost its status.
func IsDecided(owner *v1alpha1.Order) bool {
	return lifecycle.IsPaid(owner) || owner.Status.Prepay != nil
}

// BeginOrder records that the first call of an Order is about to be made. It returns false while a
// call of another object may be in flight, e.g. of an Order with the same name that was just
// deleted.
func (c *Claims) BeginOrder(order *v1alpha1.Order, merchant *v1alpha1.Merchant) bool {
	return c.Calls.begin(numberOf(account.IDOf(merchant), orders, order.Number()), order.UID)
}
