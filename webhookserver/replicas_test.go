package webhookserver_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/manager"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// callbackRouter is an ingress that sends all callbacks to one replica, and stores the answers.
type callbackRouter struct {
	*httptest.Server
	mutex   sync.Mutex
	to      string
	answers map[string]int
}

func openSwitchboard(t *testing.T) *callbackRouter {
	s := &callbackRouter{answers: map[string]int{}}
	d := &fixture{http: newHTTPClient(t)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		s.mutex.Lock()
		to := s.to
		s.mutex.Unlock()
		got := d.send(request.Method, to+request.URL.Path, request.Body, func(forwarded *http.Request) { forwarded.Header = request.Header.Clone() })
		s.mutex.Lock()
		s.answers[fmt.Sprintf("%s %t", to, got.success())]++
		s.mutex.Unlock()
		if got.err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		w.WriteHeader(got.status)
		_, _ = io.WriteString(w, got.body)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *callbackRouter) connect(to string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.to = to
}

func (s *callbackRouter) answered(by string, success bool) int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.answers[fmt.Sprintf("%s %t", by, success)]
}

// TestFollowerSettlesAlone: every replica handles callbacks completely, while only the leader
// reconciles.
func TestFollowerSettlesAlone(t *testing.T) {
	t.Parallel()
	ingress := openSwitchboard(t)
	shop := framework.Open(t, environment(t), framework.WithoutOperator(), framework.WithLeaderElection())
	viaSwitchboard := func(o *manager.Options) { o.NotifyBaseURL = ingress.URL }
	shop.StartOperator(viaSwitchboard)
	shop.Eventually("the first replica leads", func() error {
		if !shop.IsLeader(0) {
			return errNotYet
		}
		return nil
	})
	shop.StartOperator(viaSwitchboard)
	follower := shop.CallbackURL(1)
	ingress.connect(follower)
	shop.Create(shop.NewMerchant())
	shop.WaitMerchant(framework.MerchantName, "Ready=True/Ready")

	const orders = 4
	for n := range orders {
		shop.Create(shop.NewOrder(fmt.Sprintf("order-%04d", n)))
	}
	for n := range orders {
		number := fmt.Sprintf("order-%04d", n)
		shop.WaitOrder(number, "Prepared=True/Prepared")
		shop.Pay(number)
		shop.WaitOrder(number, "Paid=True/Paid")
	}
	shop.Create(shop.NewRefund("refund-0001", "order-0000", 50))
	shop.WaitRefund("refund-0001", "Approved=Unknown/AwaitingApproval")
	shop.Approve("refund-0001")
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")

	if shop.IsLeader(1) {
		t.Fatal("both lead")
	}
	ledger := shop.WeChat.Ledger()
	for n := range orders {
		number := fmt.Sprintf("order-%04d", n)
		if calls := ledger.CallsOf(simulator.OperationUnifiedOrder, number); len(calls) != 1 {
			t.Errorf("%s: %d calls of unifiedorder", number, len(calls))
		}
		if calls := ledger.CallsOf(simulator.OperationOrderQuery, number); len(calls) != 0 {
			t.Errorf("%s: the payment was asked for: %+v", number, calls)
		}
	}
	if got := ingress.answered(follower, true); got < orders {
		t.Errorf("the follower answered %d SUCCESS", got)
	}
	shop.NoViolations()
}

// TestDuplicatesAtBothReplicas: WeChat sends the same callback from several of its servers at
// almost the same time.
func TestDuplicatesAtBothReplicas(t *testing.T) {
	t.Parallel()
	shop := framework.Open(t, environment(t), framework.WithoutOperator(), framework.WithLeaderElection())
	shop.StartOperator()
	shop.StartOperator()
	shop.Create(shop.NewMerchant())
	shop.WaitMerchant(framework.MerchantName, "Ready=True/Ready")
	shop.Fault(simulator.Fault{Operation: simulator.OperationPaymentCallback, Kind: simulator.FaultDuplicate})
	for n := range 3 {
		number := fmt.Sprintf("order-%04d", n)
		shop.Paid(number)
		shop.Eventually("WeChat has its answers", func() error {
			if sent := shop.WeChat.Ledger().CallbacksOf(simulator.OperationPaymentCallback, number); len(sent) != 1 || sent[0].State != simulator.CallbackDelivered {
				return errNotYet
			}
			return nil
		})
		for _, attempt := range shop.WeChat.Ledger().CallbacksOf(simulator.OperationPaymentCallback, number)[0].Attempts {
			// The replica that does not lead accepts callbacks as soon as it sees in the Merchant's
			// status that the key is proven.
			if attempt.Outcome != simulator.OutcomeAccepted && !strings.Contains(attempt.Body, "key not proven yet") {
				t.Errorf("%s: %+v", number, attempt)
			}
		}
	}
	shop.NoViolations()
}

// TestForgedBeforeGenuineCallback: whatever is sent before WeChat's callback, only that marks the
// Order as paid.
func TestForgedBeforeGenuineCallback(t *testing.T) {
	t.Parallel()
	shop := framework.Open(t, environment(t))
	shop.Create(shop.NewMerchant())
	shop.WaitMerchant(framework.MerchantName, "Ready=True/Ready")
	for n, kind := range []simulator.FaultKind{
		simulator.FaultForge, simulator.FaultUnsigned, simulator.FaultMD5, simulator.FaultWrongMchID, simulator.FaultWrongAmount, simulator.FaultWrongCurrency,
		simulator.FaultLose, simulator.FaultIgnoreAnswer,
	} {
		number := fmt.Sprintf("order-%04d", n)
		shop.Fault(simulator.Fault{Operation: simulator.OperationPaymentCallback, Number: number, Kind: kind, Count: 2})
		paid := shop.Paid(number)
		if paid.Status.Transaction.Total != 101 || paid.Status.Transaction.Currency != "CNY" {
			t.Errorf("%s: %+v", kind, paid.Status.Transaction)
		}
		if lifecycle.PaidReason(paid) != v1alpha1.ReasonPaid {
			t.Errorf("%s: %s", kind, lifecycle.PaidReason(paid))
		}
	}
	for _, callback := range shop.WeChat.Ledger().Callbacks {
		for _, attempt := range callback.Attempts {
			if secret := secretInAnswer(attempt.Body); secret != "" {
				t.Errorf("%s got %q", attempt.Fault, attempt.Body)
			}
		}
	}
	shop.NoViolations()
}

// secretInAnswer finds secrets in an answer, which is XML itself.
func secretInAnswer(body string) string {
	return secretIn(strings.NewReplacer("<xml>", "", "CDATA", "").Replace(body))
}
