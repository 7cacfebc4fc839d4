package controllers

import (
	"fmt"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
)

// Skews of the clock. WeChat accepts requests within five minutes.
const (
	clockWarns  = 4 * time.Minute
	clockBreaks = 5 * time.Minute
)

// clockBreaksCalls reports whether WeChat rejects requests because of the operator's clock, which says
// nothing about the credentials. Nothing is stopped for it: calls succeed again as soon as the clock
// is right.
func clockBreaksCalls(acc *account.Account) bool { return acc.ClockSkew().Abs() > clockBreaks }

// clockSkewed reports whether the operator's clock is too far from WeChat's, and explains it in words
// that are stable while the skew is. A smaller skew does not hide another problem.
func clockSkewed(acc *account.Account, ready bool) (skewed bool, message string) {
	skew := acc.ClockSkew()
	ahead := "ahead of"
	if skew < 0 {
		skew, ahead = -skew, "behind"
	}
	if skew <= clockWarns || !ready && skew <= clockBreaks {
		return false, ""
	}
	return true, fmt.Sprintf("The clock of the operator's node is about %d minutes %s WeChat Pay's, which accepts requests within 5 minutes only: run NTP on the nodes. This clears with WeChat Pay's next answer",
		int(skew.Round(time.Minute)/time.Minute), ahead)
}
