package main

import (
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/controllers"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
	"github.com/wechatpay-operator/wechatpay-operator/internal/events"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/manager"
)

// minute is WeChat Pay's minute: the simulator runs at a time scale of 20.
const minute = 3 * time.Second

// hasten scales every interval except NotExistGrace: in production it is four times the lease, so
// that a paused leader has lost its lease long before the operator assumes that its last call never
// arrives. The soak keeps that ratio.
func hasten(options *manager.Options) {
	options.Election = manager.Election{LeaseDuration: 3 * time.Second, RenewDeadline: 2 * time.Second, RetryPeriod: 500 * time.Millisecond}
	options.Timing = timing(options.Election.LeaseDuration)
	options.Accounts.RefreshAfter = minute / 2
	options.Accounts.Limits.BreakFor = minute / 2
	options.Accounts.Timeouts.Connect = time.Second
	options.Accounts.Timeouts.Query = 2 * time.Second
	options.Accounts.Timeouts.Pay = 3 * time.Second
	options.MiniProgramTimeout = 2 * time.Second
	options.Ledger.RetryMost = minute
}

func timing(lease time.Duration) controllers.Timing {
	return controllers.Timing{
		OrderPoll:       lifecycle.Schedule{Repeat: true, Ages: []time.Duration{minute / 2, minute, 2 * minute, 4 * minute, 8 * minute}},
		LateCheck:       lifecycle.Schedule{Ages: []time.Duration{minute, 5 * minute, 20 * minute, 60 * minute}},
		RefundPoll:      lifecycle.Schedule{Repeat: true, Ages: []time.Duration{minute, 2 * minute, 3 * minute, 5 * minute}},
		MinimumLeft:     5 * minute,
		PrepayLifetime:  120 * minute,
		RefundSpacing:   minute,
		NotExistGrace:   4 * lease,
		SecondAnswer:    minute,
		RetryFirst:      200 * time.Millisecond,
		RetryMost:       3 * minute,
		RetrySlowly:     3 * minute,
		RetryRight:      10 * minute, // less than a soak lasts, unlike an hour
		CloseRetry:      minute / 2,
		DeletionSettles: time.Second, // deletions take as long here as in production
		SecretsCheck:    minute / 2,
		ProbeRejected:   2 * minute,
		GuardCheck:      5 * minute,
		GuardRetry:      minute / 2,
		CallbackCheck:   6 * 60 * minute, CallbackRetryFirst: minute, CallbackRetryMost: 30 * minute,
		AbandonAfter:     40 * minute,
		AbandonAtLast:    24 * 60 * minute,
		MiniProgramCheck: 60 * minute, ShippingUnknown: 10 * minute, ShipmentsKeepOrder: 24 * 60 * minute,
		// WeChat Pay gives the bill of a day here while it goes on.
		Bills: controllers.BillTiming{
			Policy: bills.Policy{ReadyHour: -24, DaysBack: 89, Retry: minute, NoBillAfter: time.Second}, RetryFirst: time.Second, RetryMost: minute, RetrySlowly: minute,
			RepairFirst: time.Second, RepairMost: minute, Again: 10 * minute, AgainFor: 7 * 24 * time.Hour, Look: minute, Busy: time.Second,
		},
		Events: events.Timing{
			Timeout: 2 * time.Second, RetryFirst: 200 * time.Millisecond, RetryMost: 5 * minute,
			GiveUpAfter: 24 * 60 * minute, ObjectWaits: 10 * minute, StatusInterval: time.Second, Overlap: minute,
		},
	}
}
