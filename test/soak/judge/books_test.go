package judge_test

import (
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/soak/judge"
)

// newRecordedStory is a story whose payment and refund are in the ledger, and whose Statement is
// Balanced.
func newRecordedStory() *story {
	s := newStory()
	s.ledgerRefund().RefundID = "50300"
	statement := v1alpha1.Statement{ObjectMeta: metav1.ObjectMeta{Namespace: "soap", Name: "shop-2026-11-21"}, Spec: v1alpha1.StatementSpec{Date: "2026-11-21"}}
	statement.Status.Conditions = []metav1.Condition{condition(v1alpha1.ConditionBalanced, metav1.ConditionTrue, v1alpha1.ReasonBalanced)}
	statement.Status.Totals = []v1alpha1.StatementTotals{{
		Currency: "CNY", Payments: v1alpha1.StatementTally{Count: 1, Total: 100}, Refunds: v1alpha1.StatementTally{Count: 1, Total: 30},
	}}
	s.Books = &judge.Books{
		Payments:   []judge.Entry{{Number: orderNumber, ID: "t1", Amount: 100}},
		Refunds:    []judge.Entry{{Number: refundNo, ID: "50300", Amount: 30}},
		Statements: []judge.StatementOf{{Statement: statement, Merchant: s.merchant()}},
	}
	return s
}

func (s *story) statement() *v1alpha1.StatementStatus { return &s.Books.Statements[0].Statement.Status }

// differs makes the Statement say that numbers differ.
func (s *story) differs(differences ...v1alpha1.StatementDifference) {
	s.statement().Conditions = []metav1.Condition{condition(v1alpha1.ConditionBalanced, metav1.ConditionFalse, v1alpha1.ReasonDiffers)}
	s.statement().Differences = differences
}

func TestBooks(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*story)
		broken []judge.Rule
	}{
		"all agree": {func(*story) {}, nil},
		"a payment that nobody here knows differs": {func(s *story) {
			s.Ledger.Orders = append(s.Ledger.Orders, simulator.Order{MchID: mchID, OutTradeNo: "other", Payment: &simulator.Payment{TransactionID: "t2", TotalFee: 5, Time: noon}})
			s.statement().Totals[0].Payments = v1alpha1.StatementTally{Count: 2, Total: 105}
			s.differs(v1alpha1.StatementDifference{OutTradeNo: "other"})
		}, nil},
		"the payment is not recorded": {func(s *story) {
			s.Books.Payments = nil
			s.differs(v1alpha1.StatementDifference{OutTradeNo: "order-1"})
		}, []judge.Rule{judge.BooksComplete}},
		"the refund is not recorded": {func(s *story) {
			s.Books.Refunds = nil
			s.differs(v1alpha1.StatementDifference{OutTradeNo: "order-1", OutRefundNo: "refund-1"})
		}, []judge.Rule{judge.BooksComplete}},
		"the payment is recorded twice":   {func(s *story) { s.Books.Payments = append(s.Books.Payments, s.Books.Payments[0]) }, []judge.Rule{judge.BooksComplete}},
		"another amount is recorded":      {func(s *story) { s.Books.Payments[0].Amount = 99 }, []judge.Rule{judge.BooksComplete}},
		"another transaction is recorded": {func(s *story) { s.Books.Payments[0].ID = "t2" }, []judge.Rule{judge.BooksComplete}},
		"a refund is recorded that never was": {func(s *story) {
			s.Books.Refunds[0].Number.Number = "refund-2"
			s.Refunds = nil
			s.Ledger.Refunds[0].OutRefundNo = "refund-1"
		}, []judge.Rule{judge.BooksComplete}},
		"a Statement adds up to something else": {func(s *story) { s.statement().Totals[0].Payments.Total = 101 }, []judge.Rule{judge.StatementsTrue}},
		"a Statement has refunds of another day": {func(s *story) {
			s.ledgerRefund().AcceptTime = noon.Add(24 * time.Hour)
		}, []judge.Rule{judge.StatementsTrue}},
		"a Statement differs without a reason": {func(s *story) { s.differs() }, []judge.Rule{judge.StatementsTrue}},
		"a Statement blames another number": {func(s *story) {
			s.differs(v1alpha1.StatementDifference{OutTradeNo: "order-1"})
		}, []judge.Rule{judge.StatementsTrue}},
		"a Statement of a sub merchant has the provider's rows": {func(s *story) {
			merchant := s.merchant().DeepCopy()
			merchant.Spec.Partner = &v1alpha1.Partner{SubMchID: "1900000201"}
			s.Books.Statements[0].Merchant = merchant
		}, []judge.Rule{judge.StatementsTrue}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newRecordedStory()
			test.change(s)
			verdict := judge.Judge(s.Evidence, noon.Add(time.Hour))
			var broken []judge.Rule
			for _, finding := range verdict.Findings {
				if (finding.Rule == judge.BooksComplete || finding.Rule == judge.StatementsTrue) && !slices.Contains(broken, finding.Rule) {
					broken = append(broken, finding.Rule)
				}
			}
			for _, rule := range test.broken {
				if !slices.Contains(broken, rule) {
					t.Errorf("%q is not found broken: %+v", rule, verdict.Findings)
				}
			}
			if len(test.broken) == 0 && len(broken) > 0 {
				t.Errorf("broken are %q: %+v", broken, verdict.Findings)
			}
		})
	}
}
