package simulator

import "time"

// rules are the effective intervals: WeChat Pay's own, scaled, with the overrides applied.
type rules struct {
	minRefundInterval   time.Duration
	allowRefundRepeats  bool
	refundDelay         time.Duration
	invalidRefundWindow time.Duration
	invalidRefundLimit  int
	blockDuration       time.Duration
	earlyClose          time.Duration
	minTimeExpire       time.Duration
	minTimeExpireV3     time.Duration
	maxTimeExpire       time.Duration
	prepayLife          time.Duration
	mwebLife            time.Duration
	orderLife           time.Duration
	refundPeriod        time.Duration
	callbackSchedule    []time.Duration
	strictNotifyURL     bool
	unsignedErrors      bool
	closeUnknownOrders  bool
	billDelay           time.Duration
	billAddressLife     time.Duration
	billsOfToday        bool
}

// forEver is the lifetime if the rule is disabled.
const forEver = 100 * 365 * 24 * time.Hour

// wechatCallbackSchedule are the pauses between the attempts to deliver a callback: 24 h 4 min in
// all.
var wechatCallbackSchedule = []time.Duration{
	15 * time.Second, 15 * time.Second, 30 * time.Second, 3 * time.Minute, 10 * time.Minute, 20 * time.Minute,
	30 * time.Minute, 30 * time.Minute, 30 * time.Minute, time.Hour, 3 * time.Hour, 3 * time.Hour, 3 * time.Hour,
	6 * time.Hour, 6 * time.Hour,
}

const (
	maxRefundsPerOrder = 50
	refundsPerPage     = 10
)

func (o Options) rules() rules {
	scaled := func(d time.Duration) time.Duration { return time.Duration(float64(d) / o.TimeScale) }
	// choose applies an override; off is the value of a disabled rule.
	choose := func(override, own, off time.Duration) time.Duration {
		switch {
		case override > 0:
			return override
		case override < 0:
			return off
		}
		return own
	}
	in := o.Rules
	r := rules{
		minRefundInterval:   choose(in.MinRefundInterval, scaled(time.Minute), 0),
		allowRefundRepeats:  in.AllowRefundRepeats,
		refundDelay:         choose(in.RefundDelay, scaled(time.Minute), 0),
		invalidRefundWindow: choose(in.InvalidRefundWindow, time.Second, 0),
		invalidRefundLimit:  6,
		blockDuration:       choose(in.BlockDuration, scaled(time.Minute), 0),
		minTimeExpire:       choose(in.MinTimeExpire, scaled(5*time.Minute), 0),
		minTimeExpireV3:     scaled(time.Minute),
		maxTimeExpire:       scaled(15 * 24 * time.Hour),
		prepayLife:          choose(in.PrepayLife, scaled(2*time.Hour), forEver),
		mwebLife:            choose(in.MwebLife, scaled(5*time.Minute), forEver),
		orderLife:           choose(in.OrderLife, scaled(7*24*time.Hour), forEver),
		refundPeriod:        choose(in.RefundPeriod, scaled(365*24*time.Hour), forEver),
		callbackSchedule:    in.CallbackSchedule,
		strictNotifyURL:     in.StrictNotifyURL,
		unsignedErrors:      in.UnsignedErrors,
		closeUnknownOrders:  in.CloseUnknownOrders,
		billDelay:           choose(in.BillDelay, scaled(10*time.Hour), 0),
		billAddressLife:     scaled(5 * time.Minute),
		billsOfToday:        in.BillsOfToday,
	}
	if in.InvalidRefundLimit > 0 {
		r.invalidRefundLimit = in.InvalidRefundLimit
	}
	if in.RefuseEarlyClose {
		r.earlyClose = choose(in.EarlyCloseWindow, scaled(5*time.Minute), 0)
	}
	if r.callbackSchedule == nil {
		for _, pause := range wechatCallbackSchedule {
			r.callbackSchedule = append(r.callbackSchedule, scaled(pause))
		}
	}
	return r
}
