package controllers_test

import (
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus/testutil"
	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/controllers"
	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// slowDeletions is an admission webhook that delays deletions in a namespace. kube-apiserver calls
// it after it has checked the finalizers, so it extends a window that otherwise takes some
// milliseconds.
type slowDeletions struct {
	shop    *framework.Shop
	arrived chan string
	open    chan struct{}
	once    sync.Once
}

func delaysDeletions(shop *framework.Shop) *slowDeletions {
	shop.T.Helper()
	s := &slowDeletions{shop: shop, arrived: make(chan string, 100), open: make(chan struct{})}
	server := httptest.NewTLSServer(http.HandlerFunc(s.admit))
	shop.T.Cleanup(server.Close)
	shop.T.Cleanup(s.letThrough)
	resources := []string{"orders", "refunds"}
	webhook := &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "slow-" + shop.Namespace},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{
			Name: "slow.example.com", AdmissionReviewVersions: []string{"v1"}, TimeoutSeconds: new(int32(30)),
			SideEffects: new(admissionregistrationv1.SideEffectClassNone),
			ClientConfig: admissionregistrationv1.WebhookClientConfig{
				URL: &server.URL, CABundle: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
			},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": shop.Namespace}},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Delete},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{"wechatpay-operator.io"}, APIVersions: []string{"*"}, Resources: resources},
			}},
		}},
	}
	shop.Create(webhook)
	shop.T.Cleanup(func() { shop.Must(shop.Client.Delete(shop.Context(), webhook)) })
	return s
}

func (s *slowDeletions) admit(w http.ResponseWriter, r *http.Request) {
	var review admissionv1.AdmissionReview
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if dry := review.Request.DryRun; dry != nil && *dry {
		s.arrived <- "dry run"
	} else {
		s.arrived <- review.Request.Name
		<-s.open
	}
	review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true}
	review.Request = nil
	_ = json.NewEncoder(w).Encode(review)
}

// begin starts the deletion of an object, and returns when kube-apiserver has found no finalizer.
func (s *slowDeletions) begin(object client.Object) {
	s.shop.T.Helper()
	s.shop.Eventually("the webhook is called", func() error {
		if err := s.shop.Client.Delete(s.shop.Context(), object, client.DryRunAll); err != nil {
			return err
		}
		select {
		case <-s.arrived:
			return nil
		default:
			return errors.New("not yet")
		}
	})
	deleted := object.DeepCopyObject().(client.Object)
	go func() { _ = s.shop.Client.Delete(s.shop.Context(), deleted) }()
	for name := range s.arrived {
		if name == object.GetName() {
			return
		}
	}
}

func (s *slowDeletions) letThrough() { s.once.Do(func() { close(s.open) }) }

// waitHeld waits until the operator has added the finalizer.
func waitHeld(shop *framework.Shop, object client.Object) {
	shop.T.Helper()
	shop.Eventually("it is held", func() error {
		if err := shop.Client.Get(shop.Context(), keyOf(object), object); err != nil {
			return err
		}
		if len(object.GetFinalizers()) == 0 {
			return errors.New("not yet")
		}
		return nil
	})
}

func settles(after time.Duration) framework.Option {
	return framework.WithTiming(func(timing *controllers.Timing) { timing.DeletionSettles = after })
}

// TestRefundBeingDeletedIsNotSent: the deletion began before the finalizer was added, and
// succeeds nevertheless.
func TestRefundBeingDeletedIsNotSent(t *testing.T) {
	shop, g := openReady(t, settles(30*time.Second))
	slow := delaysDeletions(shop)
	refund := shop.NewRefund("refund-0001", "order-0001", 101, approved)
	shop.Create(refund) // the Order does not exist yet, so no finalizer is added
	slow.begin(refund)
	afterThisSecond(shop) // the Order is younger than the leader, so only DeletionSettles is waited for
	shop.Paid("order-0001")
	waitHeld(shop, refund)
	slow.letThrough()
	shop.WaitGone(refund)
	// It would have been sent before another Refund, created with the finalizer, is finished.
	shop.Paid("order-0002")
	shop.Create(shop.NewRefund("refund-0002", "order-0002", 101, approved, heldRefund))
	shop.WaitRefund("refund-0002", "Succeeded=True/Succeeded")
	g.Expect(shop.WeChat.Ledger().CallsOf(simulator.OperationRefund, "refund-0001")).To(gomega.BeEmpty())
}

// TestRefundDeletedAfterRequestIsReported: an event of the Order reports it.
func TestRefundDeletedAfterRequestIsReported(t *testing.T) {
	before := testutil.ToFloat64(metrics.GoneDuringCalls.WithLabelValues("Refund"))
	shop, g := paidShop(t, settles(0))
	slow := delaysDeletions(shop)
	shop.StopOperators()
	refund := shop.NewRefund("refund-0001", "order-0001", 101, approved)
	shop.Create(refund)
	slow.begin(refund)
	shop.StartOperator()
	shop.WaitRefund("refund-0001", "Accepted=True/Accepted")
	slow.letThrough()
	shop.WaitGone(refund)
	waitEvent(shop, "order-0001", "RefundGone")
	g.Expect(testutil.ToFloat64(metrics.GoneDuringCalls.WithLabelValues("Refund"))).To(gomega.BeNumerically(">", before))
	// As the event advises.
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 101))
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
	onePayout(shop, g)
}

// TestRefundGetsFinalizerWhenFirstSeen: the finalizer is added long before the decision.
func TestRefundGetsFinalizerWhenFirstSeen(t *testing.T) {
	shop, g := paidShop(t)
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 101))
	refund := shop.WaitRefund("refund-0001", "Approved=Unknown/AwaitingApproval")
	g.Expect(refund.Finalizers).To(gomega.ContainElement(v1alpha1.Finalizer))
	shop.Must(shop.Client.Delete(shop.Context(), refund))
	shop.WaitGone(refund)
}

// goneDuringTheCall opens a Shop with an Order that is deleted during its CreateOrder call: its
// deletion began before the finalizer was added. The test decides what happens at WeChat before
// that.
func goneDuringTheCall(t *testing.T, before func(*framework.Shop)) (*framework.Shop, *gomega.WithT) {
	t.Helper()
	shop, g := openReady(t)
	slow := delaysDeletions(shop)
	shop.StopOperators()
	order := shop.NewOrder("order-0001")
	shop.Create(order)
	slow.begin(order)
	shop.Fault(simulator.Fault{Operation: simulator.OperationUnifiedOrder, Number: "order-0001", Kind: simulator.FaultDelay, DelayMillis: 3000, AfterEffect: true, Count: 1})
	before(shop)
	shop.StartOperator()
	waitHeld(shop, order)
	slow.letThrough()
	shop.WaitGone(order)
	return shop, g
}

func TestDeletedOrderIsClosedFromMemory(t *testing.T) {
	before := testutil.ToFloat64(metrics.GoneDuringCalls.WithLabelValues("Order"))
	shop, g := goneDuringTheCall(t, func(*framework.Shop) {})
	shop.Eventually("it is closed at WeChat", func() error {
		if made := shop.WeChat.Ledger().Order(framework.MchID, "order-0001"); made == nil || made.State != simulator.StateClosed {
			return errors.New("not yet")
		}
		return nil
	})
	waitEvent(shop, framework.MerchantName, "OrderGone")
	g.Expect(testutil.ToFloat64(metrics.GoneDuringCalls.WithLabelValues("Order"))).To(gomega.BeNumerically(">", before))
}

// TestNumberOfDeletedOrderIsBlockedUntilClosed: a new Order with the same name is neither queried
// nor closed before WeChat has closed the deleted one, and the query, which names the order, has
// confirmed it.
func TestNumberOfDeletedOrderIsBlockedUntilClosed(t *testing.T) {
	for name, fault := range map[string]simulator.Fault{
		"it can't be closed":                {Operation: simulator.OperationCloseOrder, Kind: simulator.FaultHTML},
		"it can't be seen closed":           {Operation: simulator.OperationOrderQuery, Kind: simulator.FaultHTML},
		"the query does not show it closed": {Operation: simulator.OperationOrderQuery, Kind: simulator.FaultExtraFields, Fields: map[string]string{"trade_state": "NOTPAY"}},
	} {
		t.Run(name, func(t *testing.T) {
			shop, g := goneDuringTheCall(t, func(shop *framework.Shop) { shop.Fault(fault) })
			shop.Create(shop.NewOrder("order-0001"))
			waiting := shop.WaitOrder("order-0001", "Prepared=Unknown/Pending")
			g.Expect(describeAll(waiting.Status.Conditions)).To(gomega.ContainSubstring("is closed there first"))
			waitForMoreQueries(shop, simulator.OperationCloseOrder, "order-0001", 2)
			g.Expect(shop.WeChat.Ledger().CallsOf(simulator.OperationUnifiedOrder, "order-0001")).To(gomega.HaveLen(1))
			shop.WeChat.ClearFaults()
			shop.WaitOrder("order-0001", "Paid=False/Closed") // like any Order that is applied again after its deletion
			shop.Paid("order-0002")
		})
	}
}

// TestPreparedOrderStaysOpenAfterDeletion: a payer may have its prepay, and the object may
// be applied again.
func TestPreparedOrderStaysOpenAfterDeletion(t *testing.T) {
	shop, g := deniedShop(t, nil)
	order := shop.NewOrder("order-0001")
	shop.Create(order)
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	denied := finalizersAreDenied(shop) // otherwise the operator may add the finalizer again before the deletion
	shop.Patch(order, `{"metadata":{"finalizers":null}}`)
	shop.Must(shop.Client.Delete(shop.Context(), order))
	shop.WaitGone(order)
	denied.lift()
	shop.Paid("order-0002") // any close call would have been made
	g.Expect(shop.WeChat.Ledger().CallsOf(simulator.OperationCloseOrder, "order-0001")).To(gomega.BeEmpty())
	g.Expect(shop.WeChat.Ledger().Order(framework.MchID, "order-0001").State).To(gomega.Equal(simulator.StateNotPay))
}

func describeAll(conditions []metav1.Condition) string {
	var all []string
	for _, condition := range conditions {
		all = append(all, condition.Type+"="+string(condition.Status)+"/"+condition.Reason+" "+condition.Message)
	}
	return strings.Join(all, "\n")
}
