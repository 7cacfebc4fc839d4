package lifecycle_test

import (
	"testing"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
)

// TestDoubtfulRefundsCountInTheSum: two requests whose responses were lost, as after a crash.
// WeChat Pay may have both, so the next one to be sent must fit beside the other.
func TestDoubtfulRefundsCountInTheSum(t *testing.T) {
	t.Parallel()
	earlier := createdAt(created.Add(-time.Second))
	for name, doubt := range map[string]func(*v1alpha1.Refund){"lost": lost, "refused": refused} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			self, other := with("self", 41, lost, earlier), with("a", 60, doubt)
			if turn := lifecycle.TakeTurn(&self, paidOrder(100), []v1alpha1.Refund{self, other}, spacing, now); !turn.Never {
				t.Errorf("41 beside 60 of 100: %s", turnString(turn))
			}
			if turn := lifecycle.TakeTurn(&self, paidOrder(101), []v1alpha1.Refund{self, other}, spacing, now); !turn.Go {
				t.Errorf("41 beside 60 of 101: %s", turnString(turn))
			}
		})
	}
}
