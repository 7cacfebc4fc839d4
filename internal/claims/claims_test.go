package claims_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/claims"
	"github.com/wechatpay-operator/wechatpay-operator/internal/index"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

var scheme = controlplane.Scheme()

const contested = "order-0001"

// merchantIn returns a Merchant that permits Orders of every namespace.
func merchantIn(namespace, mchID string, proven bool) *v1alpha1.Merchant {
	m := &v1alpha1.Merchant{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "shop", UID: types.UID(namespace)}}
	m.Spec.MchID, m.Spec.AllowedNamespaces.From = mchID, v1alpha1.NamespacesFromAll
	if proven {
		prove(m)
	}
	return m
}

func prove(m *v1alpha1.Merchant) {
	m.Status.Keys, m.Status.KeysEndpoint = []string{"0123456789abcdef"}, account.EndpointID(m)
}

func orderIn(namespace, name string, merchant *v1alpha1.Merchant, change ...func(*v1alpha1.Order)) *v1alpha1.Order {
	order := &v1alpha1.Order{ObjectMeta: metav1.ObjectMeta{
		Namespace: namespace, Name: name, UID: types.UID(namespace + "/" + name), CreationTimestamp: metav1.NewTime(now.Add(-time.Hour)),
	}}
	order.Spec.OutTradeNo = contested
	order.Spec.MerchantRef = v1alpha1.MerchantReference{Namespace: merchant.Namespace, Name: merchant.Name}
	order.Spec.ExpireAfterSeconds = 7200
	for _, c := range change {
		c(order)
	}
	return order
}

func age(d time.Duration) func(*v1alpha1.Order) {
	return func(o *v1alpha1.Order) { o.CreationTimestamp = metav1.NewTime(now.Add(-d)) }
}

func prepared(o *v1alpha1.Order) {
	expires := metav1.NewTime(now.Add(time.Hour))
	lifecycle.Prepared(o, v1alpha1.OrderPrepay{ID: "wx" + string(o.UID), ExpireTime: &expires}, now)
}

func condition(kind string, status metav1.ConditionStatus, reason string) func(*v1alpha1.Order) {
	return func(o *v1alpha1.Order) {
		lifecycle.Begin(o, now)
		for i := range o.Status.Conditions {
			if o.Status.Conditions[i].Type == kind {
				o.Status.Conditions[i].Status, o.Status.Conditions[i].Reason = status, reason
			}
		}
	}
}

var (
	paid         = condition(v1alpha1.ConditionPaid, metav1.ConditionTrue, v1alpha1.ReasonPaid)
	lost         = condition(v1alpha1.ConditionPaid, metav1.ConditionFalse, v1alpha1.ReasonNumberInUse)
	closed       = condition(v1alpha1.ConditionPaid, metav1.ConditionFalse, v1alpha1.ReasonClosed)
	unknown      = condition(v1alpha1.ConditionPrepared, metav1.ConditionUnknown, v1alpha1.ReasonOutcomeUnknown)
	usedAtWeChat = condition(v1alpha1.ConditionPrepared, metav1.ConditionFalse, v1alpha1.ReasonUsedAtWeChat)
)

func wantsClosed(o *v1alpha1.Order) { o.Spec.DesiredState = v1alpha1.DesiredStateClosed }

func over(objects ...client.Object) *claims.Claims {
	clock := clocktesting.NewFakePassiveClock(now)
	return &claims.Claims{Cached: reader(objects...), APIReader: reader(objects...), Clock: clock, Calls: claims.NewCalls(clock)}
}

func reader(objects ...client.Object) client.Client {
	builder := fake.NewClientBuilder().WithScheme(scheme)
	_ = index.Setup(context.Background(), indexer(func(object client.Object, name string, values client.IndexerFunc) {
		builder.WithIndex(object, name, values)
	}))
	for _, object := range objects {
		builder.WithObjects(object.DeepCopyObject().(client.Object))
	}
	return builder.Build()
}

type indexer func(client.Object, string, client.IndexerFunc)

func (i indexer) IndexField(_ context.Context, object client.Object, name string, values client.IndexerFunc) error {
	i(object, name, values)
	return nil
}

func TestWhoOwnsANumber(t *testing.T) {
	t.Parallel()
	shop, refused := merchantIn("shop", "1900000109", true), merchantIn("refused", "1900000109", true)
	refused.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonCredentialsRejected}}
	for name, c := range map[string]struct {
		ours  *v1alpha1.Order
		other *v1alpha1.Order
		// merchants besides the shop's.
		merchants []client.Object
		lost      bool
	}{
		"the older has it":                     {orderIn("a", "one", shop), orderIn("b", "two", shop, age(2*time.Hour)), nil, true},
		"the younger does not":                 {orderIn("a", "one", shop, age(2*time.Hour)), orderIn("b", "two", shop), nil, false},
		"in the same second, by name":          {orderIn("b", "one", shop), orderIn("a", "one", shop), nil, true},
		"letter case makes no other number":    {orderIn("b", "one", shop), orderIn("a", "one", shop, func(o *v1alpha1.Order) { o.Spec.OutTradeNo = "ORDER-0001" }), nil, true},
		"who has begun beats the older":        {orderIn("a", "one", shop, age(2*time.Hour)), orderIn("b", "two", shop, prepared), nil, true},
		"a lost answer is a beginning":         {orderIn("a", "one", shop, age(2*time.Hour)), orderIn("b", "two", shop, unknown), nil, true},
		"who is paid beats who has begun":      {orderIn("a", "one", shop, prepared, age(2*time.Hour)), orderIn("b", "two", shop, prepared, paid), nil, true},
		"who lost it never has it":             {orderIn("a", "one", shop), orderIn("b", "two", shop, lost, age(2*time.Hour)), nil, false},
		"closed after it began keeps it":       {orderIn("a", "one", shop), orderIn("b", "two", shop, prepared, closed), nil, true},
		"closed before it began leaves it":     {orderIn("a", "one", shop), orderIn("b", "two", shop, closed, age(2*time.Hour)), nil, false},
		"to be closed from the start":          {orderIn("a", "one", shop), orderIn("b", "two", shop, wantsClosed, age(2*time.Hour)), nil, false},
		"used at WeChat by somebody unknown":   {orderIn("a", "one", shop), orderIn("b", "two", shop, usedAtWeChat, age(2*time.Hour)), nil, false},
		"another merchant number":              {orderIn("a", "one", shop), orderIn("b", "two", merchantIn("other", "1900000110", true), age(2*time.Hour)), []client.Object{merchantIn("other", "1900000110", true)}, false},
		"another Merchant of the same account": {orderIn("a", "one", shop), orderIn("b", "two", merchantIn("other", "1900000109", true), age(2*time.Hour)), []client.Object{merchantIn("other", "1900000109", true)}, true},
		"a stranger with the number and no key": {orderIn("a", "one", shop), orderIn("b", "two", merchantIn("other", "1900000109", false), prepared, age(2*time.Hour)),
			[]client.Object{merchantIn("other", "1900000109", false)}, false},
		"no key against the account": {orderIn("b", "two", merchantIn("other", "1900000109", false), prepared, age(2*time.Hour)), orderIn("a", "one", shop),
			[]client.Object{merchantIn("other", "1900000109", false)}, true},
		"begun, and its key is refused by now": {orderIn("a", "one", shop), orderIn("b", "two", refused, prepared), []client.Object{refused}, true},
		"refused under a refused key":          {orderIn("a", "one", shop), orderIn("b", "two", refused, unknown, age(2*time.Hour)), []client.Object{refused}, false},
		"waiting, and its key is refused":      {orderIn("a", "one", shop), orderIn("b", "two", refused, age(2*time.Hour)), []client.Object{refused}, false},
		"no Merchant":                          {orderIn("a", "one", shop), orderIn("b", "two", merchantIn("gone", "1900000109", true), age(2*time.Hour)), nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			decides := over(append(c.merchants, shop, c.ours, c.other)...)
			merchant := shop
			if c.ours.Spec.MerchantRef.Namespace != shop.Namespace {
				merchant = c.merchants[0].(*v1alpha1.Merchant)
			}
			owner, err := decides.OwnerOfOrder(t.Context(), c.ours, merchant)
			if err != nil {
				t.Fatal(err)
			}
			if (owner.UID != c.ours.UID) != c.lost {
				t.Errorf("%s owns it", owner.UID)
			}
		})
	}
}

func TestWhoIsNotPermittedTakesNoNumber(t *testing.T) {
	t.Parallel()
	shop := merchantIn("shop", "1900000109", true)
	shop.Spec.AllowedNamespaces = v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromSelector, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"shop": "yes"}}}
	friends := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "friends", Labels: map[string]string{"shop": "yes"}}}
	strangers := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "strangers"}}
	ours := orderIn("shop", "one", shop)
	for name, c := range map[string]struct {
		rival *v1alpha1.Order
		lost  bool
	}{
		"granted":                       {orderIn("friends", "two", shop, age(2*time.Hour)), true},
		"not granted":                   {orderIn("strangers", "two", shop, age(2*time.Hour)), false},
		"begun while it was granted":    {orderIn("strangers", "two", shop, prepared), true},
		"in a namespace that is gone":   {orderIn("gone", "two", shop, age(2*time.Hour)), false},
		"in the Merchant's own":         {orderIn("shop", "two", shop, age(2*time.Hour)), true},
		"closed from the start, not ok": {orderIn("strangers", "two", shop, age(2*time.Hour), closed), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			owner, err := over(shop, friends, strangers, ours, c.rival).OwnerOfOrder(t.Context(), ours, shop)
			if err != nil {
				t.Fatal(err)
			}
			if (owner.UID != ours.UID) != c.lost {
				t.Errorf("%s owns it", owner.UID)
			}
		})
	}
}

// TestEverybodyComesToTheSameOwner: a number has one owner from every Order's point of view.
// Otherwise one payment could make two Orders Paid, each on another replica.
func TestEverybodyComesToTheSameOwner(t *testing.T) {
	t.Parallel()
	states := []func(*v1alpha1.Order){func(*v1alpha1.Order) {}, prepared, unknown, usedAtWeChat}
	for seed := range uint64(150) {
		random := rand.New(rand.NewPCG(seed, 0))
		one, two := merchantIn("one", "1900000109", true), merchantIn("two", "1900000109", true)
		objects, all := []client.Object{one, two}, []*v1alpha1.Order{}
		for i := range 2 + random.IntN(4) {
			merchant := []*v1alpha1.Merchant{one, two}[random.IntN(2)]
			order := orderIn(fmt.Sprint("ns", random.IntN(3)), fmt.Sprint("order", i), merchant, age(time.Duration(random.IntN(4))*30*time.Second), states[random.IntN(len(states))])
			all, objects = append(all, order), append(objects, order)
		}
		if random.IntN(3) == 0 {
			prepared(all[0])
			paid(all[0])
		}
		decides := over(objects...)
		owners := map[types.UID]bool{}
		for _, order := range all {
			merchant := map[string]*v1alpha1.Merchant{"one": one, "two": two}[order.Spec.MerchantRef.Namespace]
			owner, err := decides.OwnerOfOrder(t.Context(), order, merchant)
			if err != nil {
				t.Fatal(err)
			}
			owners[owner.UID] = true
		}
		if len(owners) != 1 {
			t.Fatalf("seed %d: %v", seed, owners)
		}
	}
}

// TestYoungRivalsAreReadLive: the cache may not have what another replica has just written.
func TestYoungRivalsAreReadLive(t *testing.T) {
	t.Parallel()
	shop := merchantIn("shop", "1900000109", true)
	ours := orderIn("shop", "one", shop, prepared, age(30*time.Second))
	for name, c := range map[string]struct {
		age  time.Duration
		lost bool
	}{"young": {20 * time.Second, true}, "old": {20 * time.Minute, false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			decides := over(shop, ours, orderIn("shop", "two", shop, age(c.age)))
			decides.APIReader = reader(orderIn("shop", "two", shop, age(c.age), prepared, paid))
			owner, err := decides.OwnerOfOrder(t.Context(), ours, shop)
			if err != nil {
				t.Fatal(err)
			}
			if (owner.UID != ours.UID) != c.lost {
				t.Errorf("%s owns it", owner.UID)
			}
		})
	}
}

func TestACallUnderWayHoldsItsNumber(t *testing.T) {
	t.Parallel()
	shop := merchantIn("shop", "1900000109", true)
	older, younger := orderIn("shop", "one", shop, age(2*time.Hour)), orderIn("shop", "two", shop)
	decides := over(shop, older, younger)
	clock := clocktesting.NewFakePassiveClock(now)
	decides.Calls = claims.NewCalls(clock)
	if !decides.BeginOrder(younger, shop) {
		t.Fatal("nobody else calls")
	}
	if owner, err := decides.OwnerOfOrder(t.Context(), older, shop); err != nil || owner.UID != younger.UID {
		t.Errorf("%v owns it, error %v: the call of the younger may be under way", owner.UID, err)
	}
	if decides.BeginOrder(older, shop) {
		t.Error("two calls of one number at once")
	}
	if !decides.BeginOrder(younger, shop) {
		t.Error("its own call may be repeated")
	}
	decides.Calls.End(younger.UID)
	if !decides.BeginOrder(older, shop) {
		t.Error("nothing is under way any more")
	}
	decides.Calls.End(older.UID)
	if !decides.BeginOrder(younger, shop) || decides.BeginOrder(older, shop) {
		t.Error("the younger calls again")
	}
	clock.SetTime(now.Add(3 * time.Minute))
	if !decides.BeginOrder(older, shop) {
		t.Error("a call that ended long ago holds nothing")
	}
}

// TestWhatIsRecordedIsNobodyElses: a payment or refund that an object recorded belongs to no other
// object, within a namespace even if its Merchant changed.
func TestWhatIsRecordedIsNobodyElses(t *testing.T) {
	t.Parallel()
	shop, relay := merchantIn("shop", "1900000109", true), merchantIn("relay", "1900000110", true)
	gone := merchantIn("gone", "1900000109", true)
	sold := func(namespace string, merchant *v1alpha1.Merchant) *v1alpha1.Order {
		return orderIn(namespace, "sold", merchant, prepared, paid, func(o *v1alpha1.Order) { o.Status.Transaction = &v1alpha1.Transaction{ID: "4200000001"} })
	}
	ours := orderIn("shop", "two", shop)
	for name, c := range map[string]struct {
		sold *v1alpha1.Order
		id   string
		held bool
	}{
		"of the account":                      {sold("a", shop), "4200000001", true},
		"another payment":                     {sold("a", shop), "4200000002", false},
		"no number":                           {sold("a", shop), "", false},
		"its Merchant is gone":                {sold("shop", gone), "4200000001", true},
		"gone, in another namespace":          {sold("a", gone), "4200000001", false},
		"paid at another account, by any one": {sold("a", relay), "4200000001", false},
	} {
		holder, err := over(shop, relay, c.sold, ours).HolderOfPayment(t.Context(), ours, shop, c.id)
		if err != nil || (holder != nil) != c.held {
			t.Errorf("%s: %v, error %v", name, holder, err)
		}
	}
	back := &v1alpha1.Refund{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "refund-0001", UID: "back"}}
	lifecycle.Accepted(back, wechatpay.RefundAcceptance{RefundID: "5000000001"}, now)
	other := &v1alpha1.Refund{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "refund-0002", UID: "other"}, Spec: v1alpha1.RefundSpec{OutRefundNo: "refund-0001"}}
	decides := over(shop, back, other)
	for id, held := range map[string]bool{"5000000001": true, "5000000002": false, "": false} {
		if holder, err := decides.HolderOfRefund(t.Context(), other, shop, id); err != nil || (holder != nil) != held {
			t.Errorf("refund %q: %v, error %v", id, holder, err)
		}
	}
}

// TestRefundThatMayNotBeSentTakesNoNumber: a Refund whose Order is not paid, or whose Merchant does
// not permit it, does not claim its number.
func TestRefundThatMayNotBeSentTakesNoNumber(t *testing.T) {
	t.Parallel()
	shop := merchantIn("shop", "1900000109", true)
	shop.Spec.AllowedNamespaces.Numbers = v1alpha1.NumbersPrefixed
	tenant := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "tenant", Labels: map[string]string{v1alpha1.LabelNumberPrefix: "t-"}}}
	order := orderIn("tenant", "order", shop, prepared, paid)
	unpaid := orderIn("shop", "unpaid", shop)
	refundOf := func(namespace, name, order, number string, created time.Duration) *v1alpha1.Refund {
		return &v1alpha1.Refund{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID(namespace + name), CreationTimestamp: metav1.NewTime(now.Add(-created))},
			Spec: v1alpha1.RefundSpec{OrderRef: v1alpha1.OrderReference{Name: order}, OutRefundNo: number}}
	}
	for name, c := range map[string]struct {
		rival *v1alpha1.Refund
		lost  bool
	}{
		"permitted":             {refundOf("tenant", "one", "order", "t-0007", 2*time.Hour), true},
		"its number is not":     {refundOf("tenant", "one", "order", "refund-0007", 2*time.Hour), false},
		"its Order is not paid": {refundOf("shop", "one", "unpaid", "refund-0007", 2*time.Hour), false},
	} {
		ours := refundOf("shop", "two", "order", c.rival.Number(), time.Hour)
		owner, err := over(shop, tenant, order, unpaid, c.rival, ours).OwnerOfRefund(t.Context(), ours, shop)
		if err != nil || (owner.UID != ours.UID) != c.lost {
			t.Errorf("%s: %v owns it, error %v", name, owner, err)
		}
	}
}
