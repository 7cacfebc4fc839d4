package lifecycle_test

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// advice lists phrases, one of which must be in each message: what to do, or that nothing needs to
// be done.
var advice = []string{"retries", "Top up", "Set ", "compare the API key", "put the merchant's current API certificate", "create another object"}

func TestEveryErrorIsExplained(t *testing.T) {
	t.Parallel()
	for _, outcome := range outcomes {
		for _, meaning := range meanings {
			name := string(outcome) + "/" + string(meaning)
			status, reason, message := lifecycle.Explain(problem(outcome, meaning))
			if !listed()["Accepted "+string(status)+"/"+reason] {
				t.Errorf("%s: %s/%s is not listed for Accepted", name, status, reason)
			}
			ofRefundsOnly := meaning == wechatpay.InsufficientBalance || meaning == wechatpay.CertificateMissing
			if !ofRefundsOnly && !listed()["Prepared "+string(status)+"/"+reason] {
				t.Errorf("%s: %s/%s is not listed for Prepared", name, status, reason)
			}
			if known := outcome == wechatpay.NotSent || outcome == wechatpay.Failed; known != (status == metav1.ConditionFalse) {
				t.Errorf("%s: the status is %s", name, status)
			}
			if outcome == wechatpay.Refused && reason != v1alpha1.ReasonRefused || outcome == wechatpay.Unknown && reason != v1alpha1.ReasonOutcomeUnknown {
				t.Errorf("%s: the reason is %s", name, reason)
			}
			if !strings.HasPrefix(message, "CreateOrder: WeChat Pay answered CODE: 说明. ") {
				t.Errorf("%s: WeChat's words do not come first: %q", name, message)
			}
			wantAdvice(t, name, message)
		}
	}
}

func wantAdvice(t *testing.T, name, message string) {
	t.Helper()
	_, after, _ := strings.Cut(message, "说明. ")
	for _, word := range advice {
		if strings.Contains(after, word) {
			return
		}
	}
	t.Errorf("%s: %q does not say what to do", name, message)
}

func TestExplainReasons(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		outcome wechatpay.Outcome
		meaning wechatpay.Meaning
		want    string
		says    string
	}{
		{wechatpay.NotSent, wechatpay.Repeat, "False/NotSent", "Nothing was sent"},
		{wechatpay.NotSent, wechatpay.SlowDown, "False/RateLimited", "Nothing was sent"},
		{wechatpay.NotSent, wechatpay.CertificateMissing, "False/CertificateMissing", "spec.certificateSecretRef"},
		{wechatpay.Failed, wechatpay.SlowDown, "False/RateLimited", "after a pause"},
		{wechatpay.Failed, wechatpay.InsufficientBalance, "False/InsufficientBalance", "Top up"},
		{wechatpay.Failed, wechatpay.Rejected, "False/Rejected", "create another object"},
		{wechatpay.Failed, wechatpay.NeedsAttention, "False/Rejected", "merchant platform"},
		{wechatpay.Failed, wechatpay.NoRight, "False/Rejected", "服务商API退款"},
		{wechatpay.Refused, wechatpay.NoRight, "Unknown/Refused", "服务商API退款"},
		{wechatpay.Failed, wechatpay.CredentialsRejected, "False/Rejected", "API安全"},
		{wechatpay.Refused, wechatpay.SlowDown, "Unknown/Refused", "no signature"},
		{wechatpay.Refused, wechatpay.Rejected, "Unknown/Refused", "proves nothing"},
		{wechatpay.Refused, wechatpay.Rejected, "Unknown/Refused", "retries the same call slowly. If WeChat Pay goes on to refuse it"},
		{wechatpay.Failed, wechatpay.Rejected, "False/Rejected", "never accepts these values"},
		{wechatpay.Failed, wechatpay.CredentialsRejected, "False/Rejected", "spec.mchID"},
		{wechatpay.Refused, wechatpay.CertificateRejected, "Unknown/Refused", "certificate Secret"},
		{wechatpay.Refused, wechatpay.InsufficientBalance, "Unknown/Refused", "retries the same call slowly"},
		{wechatpay.Unknown, wechatpay.SlowDown, "Unknown/OutcomeUnknown", "same number"},
		{wechatpay.Unknown, wechatpay.Rejected, "Unknown/OutcomeUnknown", "same number"},
	} {
		status, reason, message := lifecycle.Explain(problem(test.outcome, test.meaning))
		if got := string(status) + "/" + reason; got != test.want || !strings.Contains(message, test.says) {
			t.Errorf("%s/%s: %s %q, want %s and %q", test.outcome, test.meaning, got, message, test.want, test.says)
		}
	}
	if status, reason, _ := lifecycle.Explain(errors.New("no Caller says this")); status != metav1.ConditionUnknown || reason != v1alpha1.ReasonOutcomeUnknown {
		t.Errorf("any other error is %s/%s", status, reason)
	}
}

// TestAdviceIsNeverCutOff: however long WeChat Pay's text is, the advice at the end stays, also
// with a prefix before it.
func TestAdviceIsNeverCutOff(t *testing.T) {
	t.Parallel()
	for _, outcome := range outcomes {
		for _, meaning := range meanings {
			for shift := range 4 {
				err := problem(outcome, meaning)
				err.Description = strings.Repeat("x", shift) + strings.Repeat("订", 2000)
				_, _, short := lifecycle.Explain(problem(outcome, meaning))
				_, end, _ := strings.Cut(short, "说明")

				order := newOrder()
				lifecycle.NotPreparedBy(order, problem(wechatpay.Unknown, wechatpay.Repeat), now)
				lifecycle.NotPreparedBy(order, err, now)
				got := message(order.Status.Conditions, v1alpha1.ConditionPrepared)
				if len(got) > 1024 || !utf8.ValidString(got) || !strings.HasSuffix(got, end) || !strings.Contains(got, "订订订") {
					t.Fatalf("%s/%s: %d bytes: %q does not end with %q", outcome, meaning, len(got), got, end)
				}
			}
		}
	}
}

func TestMessagesAreCutOnARuneBoundary(t *testing.T) {
	t.Parallel()
	for shift := range 4 {
		order := newOrder()
		text := strings.Repeat("x", shift) + strings.Repeat("订", 2000)
		lifecycle.Closed(order, v1alpha1.ReasonRejected, text, now)
		got := message(order.Status.Conditions, v1alpha1.ConditionPaid)
		if len(got) > 1024 || len(got) < 1021 || !utf8.ValidString(got) || !strings.HasPrefix(text, got) {
			t.Errorf("%d bytes, valid %t", len(got), utf8.ValidString(got))
		}
	}
}
