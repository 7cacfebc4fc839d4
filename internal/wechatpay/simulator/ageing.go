package simulator

import "time"

// ageOut closes an order that was not paid in the time WeChat Pay keeps it open. An order with
// time_expire stays NOTPAY after it.
func (s *Simulator) ageOut(o *Order) {
	closes := o.CreateTime.Add(s.rules.orderLife)
	if o.State == StateNotPay && o.ExpireTime == nil && s.now().After(closes) {
		s.closeAt(o, closes)
	}
}

func (s *Simulator) closeAt(o *Order, at time.Time) {
	o.State, o.CloseTime = StateClosed, &at
	s.store.saveOrder(o)
}
