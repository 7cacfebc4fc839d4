package controllers_test

import (
	"testing"
	"time"

	"github.com/onsi/gomega"

	"github.com/wechatpay-operator/wechatpay-operator/controllers"
)

// TestProductionKeepsWeChatsIntervals: tests use shorter intervals, so only this one notices a
// change of the defaults.
func TestProductionKeepsWeChatsIntervals(t *testing.T) {
	t.Parallel()
	g := gomega.NewWithT(t)
	timing := controllers.DefaultTiming()
	for what, c := range map[string]struct{ got, want time.Duration }{
		"left for a new order (chapter 9_1)":         {timing.MinimumLeft, 5 * time.Minute},
		"life of a prepay (chapter 9_1)":             {timing.PrepayLifetime, 2 * time.Hour},
		"between refund requests (chapter 9_4)":      {timing.RefundSpacing, time.Minute},
		"first refundquery after acceptance":         {timing.RefundPoll.Ages[0], time.Minute},
		"until a lost answer's \"not there\" counts": {timing.NotExistGrace, time.Minute},
		"between probes of a rejected key":           {timing.ProbeRejected, 5 * time.Minute},
		"wait for credentials that are gone":         {timing.AbandonAfter, 10 * time.Minute},
		"between test callbacks that come in":        {timing.CallbackCheck, 6 * time.Hour},
		"least time between test callbacks":          {timing.CallbackRetryFirst, time.Minute},
	} {
		g.Expect(c.got).To(gomega.Equal(c.want), what)
	}
	g.Expect(timing.LateCheck.Ages).To(gomega.Equal([]time.Duration{time.Minute, 5 * time.Minute, time.Hour, 24 * time.Hour}))
	g.Expect(timing.LateCheck.Repeat).To(gomega.BeFalse(), "a closed Order is not asked for for ever")
	g.Expect(timing.OrderPoll.Repeat && timing.RefundPoll.Repeat).To(gomega.BeTrue(), "what is open is asked for until it ends")
	g.Expect(timing.SecretsCheck).To(gomega.BeNumerically("<=", time.Minute), "a changed Secret takes effect within a minute")
	g.Expect(timing.RetrySlowly).To(gomega.BeNumerically(">=", time.Minute))
	g.Expect(timing.RetryFirst).To(gomega.BeNumerically(">=", time.Second), "a failing call is not repeated in a tight loop")
}
