package controllers_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/controllers"
	"github.com/wechatpay-operator/wechatpay-operator/internal/hosts"
	"github.com/wechatpay-operator/wechatpay-operator/internal/manager"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// openWithSink opens a shop with a Merchant, and an EventSink for a new Receiver.
func openWithSink(t *testing.T, options ...framework.Option) (*framework.Shop, *framework.Receiver) {
	t.Helper()
	shop, _ := openReady(t, options...)
	receiver := framework.NewReceiver(t)
	shop.Create(shop.NewSigningKey(shop.Namespace, framework.SigningKey), shop.NewEventSink("orders", receiver))
	shop.WaitEventSink("orders", "Delivering=Unknown/Pending")
	return shop, receiver
}

// waitEvents waits until a Receiver has accepted events, given as "name: type".
func waitEvents(shop *framework.Shop, receiver *framework.Receiver, events ...string) {
	shop.T.Helper()
	shop.Eventually("the receiver has the events "+strings.Join(events, ", "), func() error {
		accepted := receiver.First()
		for _, event := range events {
			if !slices.Contains(accepted, event) {
				return fmt.Errorf("it has %q", accepted)
			}
		}
		return nil
	})
}

func TestEventSinkHearsOfPaymentsAndRefundsInOrder(t *testing.T) {
	shop, receiver := openWithSink(t)
	g := gomega.NewWithT(t)
	order := shop.Paid("order-0001")
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 50))
	shop.Approve("refund-0001")
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
	shop.Create(shop.NewRefund("refund-0002", "order-0001", 20, func(r *v1alpha1.Refund) { r.Spec.Approval = v1alpha1.ApprovalDenied }))
	shop.Create(shop.NewOrder("order-0002", func(o *v1alpha1.Order) { o.Spec.DesiredState = v1alpha1.DesiredStateClosed }))

	waitEvents(shop, receiver, "order-0001: OrderPaid", "refund-0001: RefundSucceeded", "refund-0002: RefundFailed", "order-0002: OrderClosed")
	first := receiver.First()
	for _, refund := range []string{"refund-0001: ", "refund-0002: "} {
		of := slices.DeleteFunc(slices.Clone(first), func(event string) bool { return !strings.HasPrefix(event, refund) })
		g.Expect(of).To(gomega.HaveLen(2))
		g.Expect(of[0]).To(gomega.Equal(refund + "RefundRequested"))
	}
	shop.WaitEventSink("orders", "Delivering=True/Delivering")

	accepted := receiver.Accepted() // in no order between objects
	paid := accepted[slices.IndexFunc(accepted, func(event framework.Received) bool { return event.ID == string(order.UID)+"/OrderPaid" })]
	g.Expect(paid.Source).To(gomega.Equal("/apis/wechatpay-operator.io/v1alpha1/namespaces/" + shop.Namespace + "/orders/order-0001"))
	g.Expect(paid.Subject).To(gomega.Equal("order-0001"))
	g.Expect(paid.Time).To(gomega.Equal(order.Status.Transaction.PaidTime.UTC().Format(time.RFC3339)))
	g.Expect(paid.Data["transactionID"]).To(gomega.Equal(order.Status.Transaction.ID))
	for _, event := range receiver.Accepted() {
		g.Expect(event.Body).NotTo(gomega.ContainSubstring(framework.OpenID))
	}
}

func TestEventSinkStartsWithWhatHappensAfterItsCreation(t *testing.T) {
	shop, g := openReady(t)
	past := shop.Paid("order-0001")
	// Times have whole seconds, and what happened in the second of the creation counts.
	shop.Eventually("the next second", func() error {
		if time.Now().Truncate(time.Second).After(past.Status.Conditions[0].LastTransitionTime.Add(time.Second)) {
			return nil
		}
		return errors.New("not yet")
	})
	receiver := framework.NewReceiver(t)
	shop.Create(shop.NewSigningKey(shop.Namespace, framework.SigningKey), shop.NewEventSink("orders", receiver))
	shop.WaitEventSink("orders", "Delivering=Unknown/Pending")
	shop.Paid("order-0002")
	waitEvents(shop, receiver, "order-0002: OrderPaid")
	g.Expect(receiver.First()).To(gomega.Equal([]string{"order-0002: OrderPaid"}))
}

func TestEventsAreDeliveredAcrossRestarts(t *testing.T) {
	shop, receiver := openWithSink(t)
	var want []string
	receiver.AnswerWith(framework.Status(http.StatusServiceUnavailable))
	for i := range 6 {
		name := fmt.Sprintf("order-%04d", i)
		shop.Paid(name)
		want = append(want, name+": OrderPaid")
		if i%2 == 1 {
			shop.StopOperators()
			shop.StartOperator()
		}
		if i == 3 {
			receiver.AnswerWith(nil)
		}
	}
	waitEvents(shop, receiver, want...)
	shop.StopOperators()
	shop.StartOperator()
	shop.Paid("order-0100")
	waitEvents(shop, receiver, "order-0100: OrderPaid")
	shop.Eventually("the status tells how far the delivery is", func() error {
		sink := shop.WaitEventSink("orders", "Delivering=True/Delivering")
		if *sink.Status.Pending > 0 || sink.Status.DeliveredTime == nil || sink.Status.DeliveredTime.Before(&sink.CreationTimestamp) {
			return fmt.Errorf("%+v", sink.Status)
		}
		return nil
	})
}

func TestEventSinkShowsWhatGoesWrong(t *testing.T) {
	shop, receiver := openWithSink(t)
	g := gomega.NewWithT(t)
	receiver.AnswerWith(framework.Status(http.StatusInternalServerError))
	shop.Paid("order-0001")
	failed := shop.WaitEventSink("orders", "Delivering=False/DeliveryFailed")
	g.Expect(failed.Status.LastError).To(gomega.ContainSubstring("HTTP 500"))
	g.Expect(failed.Status.OldestPendingTime).NotTo(gomega.BeNil())
	receiver.AnswerWith(nil)
	waitEvents(shop, receiver, "order-0001: OrderPaid")
	shop.WaitEventSink("orders", "Delivering=True/Delivering")

	elsewhere := framework.NewReceiver(t)
	receiver.AnswerWith(func(_ framework.Received, w http.ResponseWriter, request *http.Request) {
		http.Redirect(w, request, elsewhere.URL(), http.StatusPermanentRedirect)
	})
	shop.Paid("order-0002")
	shop.Eventually("the redirect is shown", func() error {
		if got := shop.WaitEventSink("orders", "Delivering=False/DeliveryFailed").Status.LastError; !strings.Contains(got, "redirect") {
			return errors.New(got)
		}
		return nil
	})
	g.Expect(elsewhere.Attempts()).To(gomega.BeZero())
	receiver.AnswerWith(nil)
	waitEvents(shop, receiver, "order-0002: OrderPaid")
}

func TestEventSinkWithWrongSettingsSendsNothing(t *testing.T) {
	shop, receiver := openWithSink(t)
	g := gomega.NewWithT(t)
	sink := shop.NewEventSink("orders", receiver)
	secret := shop.NewSigningKey(shop.Namespace, "")

	shop.Patch(secret, `{"data":{"signingKey":"dG9vIHNob3J0"}}`)
	shop.WaitEventSink("orders", "Delivering=False/InvalidSigningKey")
	shop.Must(shop.Client.Delete(shop.Context(), secret))
	shop.WaitEventSink("orders", "Delivering=False/SecretNotFound")
	shop.Paid("order-0001")
	shop.Create(shop.NewSigningKey(shop.Namespace, strings.TrimPrefix(framework.SigningKey, "whsec_")))
	waitEvents(shop, receiver, "order-0001: OrderPaid")

	shop.Patch(sink, `{"spec":{"caBundle":"bm9uZQ=="}}`)
	shop.WaitEventSink("orders", "Delivering=False/InvalidEndpoint")
	shop.Patch(sink, `{"spec":{"url":"https://localhost:1/","caBundle":null}}`)
	notAllowed := shop.WaitEventSink("orders", "Delivering=False/HostNotAllowed")
	g.Expect(notAllowed.Status.Conditions[0].Message).To(gomega.ContainSubstring("--event-hosts"))
	// An unknown authority and a closed port look the same to who has not seen an answer yet.
	shop.Paid("order-0002")
	var told []string
	for _, address := range []string{receiver.URL(), "https://127.0.0.1:1/"} {
		shop.Patch(sink, fmt.Sprintf(`{"spec":{"url":%q}}`, address))
		shop.Eventually("the address is tried", func() error {
			got := shop.WaitEventSink("orders", "Delivering=False/DeliveryFailed")
			if !strings.Contains(got.Status.Conditions[0].Message, address) {
				return errors.New(got.Status.Conditions[0].Message)
			}
			told = append(told, got.Status.LastError)
			return nil
		})
	}
	g.Expect(told[0]).To(gomega.Equal(told[1]))
	g.Expect(receiver.First()).To(gomega.Equal([]string{"order-0001: OrderPaid"}))
}

func TestSigningKeyIsRotatedWithoutALoss(t *testing.T) {
	shop, receiver := openWithSink(t)
	const another = "QW5vdGhlclRlc3RPbmx5U2lnbmluZ0tleTAw"
	secret := shop.NewSigningKey(shop.Namespace, "")
	shop.Patch(secret, fmt.Sprintf(`{"stringData":{"signingKey":%q,"signingKey.previous":%q}}`, another, framework.SigningKey))
	shop.Paid("order-0001")
	waitEvents(shop, receiver, "order-0001: OrderPaid") // it still trusts the previous key
	receiver.Trust(another)
	shop.Paid("order-0002")
	waitEvents(shop, receiver, "order-0002: OrderPaid")
}

func TestOrderWaitsForItsSinksBeforeItsTTL(t *testing.T) {
	shop, receiver := openWithSink(t)
	receiver.AnswerWith(framework.Status(http.StatusInternalServerError))
	order := shop.Paid("order-0001", func(o *v1alpha1.Order) { o.Spec.TTLSecondsAfterFinished = new(int32) })
	shop.WaitEventSink("orders", "Delivering=False/DeliveryFailed")
	shop.Must(shop.Client.Get(shop.Context(), client.ObjectKeyFromObject(order), order)) // still there
	receiver.AnswerWith(nil)
	waitEvents(shop, receiver, "order-0001: OrderPaid")
	shop.WaitGone(order)
}

func TestObjectsDoNotWaitForEverForTheirSinks(t *testing.T) {
	shop, receiver := openWithSink(t, framework.WithTiming(func(timing *controllers.Timing) { timing.Events.ObjectWaits = 2 * time.Second }))
	g := gomega.NewWithT(t)
	receiver.AnswerWith(framework.Status(http.StatusInternalServerError))
	byTTL := shop.Paid("order-0001", func(o *v1alpha1.Order) { o.Spec.TTLSecondsAfterFinished = new(int32) })
	deleted := shop.Paid("order-0002")
	shop.Must(shop.Client.Delete(shop.Context(), deleted))
	shop.WaitGone(byTTL)
	shop.WaitGone(deleted)
	shop.Eventually("the status counts what was given up", func() error {
		if got := shop.WaitEventSink("orders", "Delivering=False/EventsGivenUp").Status; *got.GivenUp != 2 || *got.Pending != 0 {
			return fmt.Errorf("%+v", got)
		}
		return nil
	})
	g.Expect(receiver.Accepted()).To(gomega.BeEmpty())
	receiver.AnswerWith(nil)
	shop.Paid("order-0003")
	shop.WaitEventSink("orders", "Delivering=True/Delivering")
}

func TestDeletedOrderWaitsForTheEventOfItsEnd(t *testing.T) {
	shop, receiver := openWithSink(t)
	order := shop.NewOrder("order-0001")
	shop.Create(order)
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	shop.Must(shop.Client.Delete(shop.Context(), order))
	shop.WaitGone(order)
	waitEvents(shop, receiver, "order-0001: OrderClosed")
}

func TestEventsAreGivenUpVisibly(t *testing.T) {
	shop, receiver := openWithSink(t, framework.WithTiming(func(timing *controllers.Timing) { timing.Events.GiveUpAfter = time.Second }))
	receiver.AnswerWith(framework.Status(http.StatusInternalServerError))
	shop.Paid("order-0001")
	shop.WaitEventSink("orders", "Delivering=False/EventsGivenUp")
	receiver.AnswerWith(nil)
	shop.Paid("order-0002")
	waitEvents(shop, receiver, "order-0002: OrderPaid")
	shop.WaitEventSink("orders", "Delivering=True/Delivering")
	gomega.NewWithT(t).Expect(receiver.First()).To(gomega.Equal([]string{"order-0002: OrderPaid"}))
}

// TestHangingSinksOfAnotherTenantSlowNothing: the hanging calls never end while the test runs, so
// that what is delivered was delivered beside them.
func TestHangingSinksOfAnotherTenantSlowNothing(t *testing.T) {
	shop, receiver := openWithSink(t, framework.WithNamespaces(1), framework.WithTiming(func(timing *controllers.Timing) { timing.Events.Timeout = time.Hour }))
	stranger := shop.Other(0)
	hanging := framework.NewReceiver(t)
	hanging.AnswerWith(framework.Hang)
	shop.Create(shop.NewSigningKey(stranger, framework.SigningKey))
	for i := range 4 {
		shop.Create(shop.NewEventSink(fmt.Sprintf("hanging-%d", i), hanging, func(sink *v1alpha1.EventSink) { sink.Namespace = stranger }))
	}
	merchant := shop.NewMerchant(func(m *v1alpha1.Merchant) { m.Namespace = stranger })
	shop.CreateCredentials(stranger)
	shop.Create(merchant)
	for i := range 10 {
		shop.Create(shop.NewRefund(fmt.Sprintf("refund-%d", i), "none", 1, func(r *v1alpha1.Refund) { r.Namespace = stranger }))
	}
	shop.Eventually("the stranger's calls hang", func() error {
		if got := hanging.Attempts(); got < 16 {
			return fmt.Errorf("%d", got)
		}
		return nil
	})
	shop.Paid("order-0001")
	waitEvents(shop, receiver, "order-0001: OrderPaid")
	gomega.NewWithT(t).Expect(hanging.Attempts()).To(gomega.Equal(16)) // no more than the places of a namespace
}

func TestEventSinkGoesWithItsNamespaceAndHoldsNothing(t *testing.T) {
	shop, receiver := openWithSink(t)
	receiver.AnswerWith(framework.Hang)
	order := shop.Paid("order-0001")
	shop.Must(shop.Client.Delete(shop.Context(), order))
	shop.Must(shop.Client.Delete(shop.Context(), shop.NewEventSink("orders", receiver)))
	shop.WaitGone(order)
}

func TestNoEventHostsByDefault(t *testing.T) {
	shop, _ := openReady(t, framework.WithOptions(func(options *manager.Options) { options.EventHosts = hosts.List{} }))
	receiver := framework.NewReceiver(t)
	shop.Create(shop.NewSigningKey(shop.Namespace, framework.SigningKey), shop.NewEventSink("orders", receiver))
	shop.WaitEventSink("orders", "Delivering=False/HostNotAllowed")
}
