package simulator

import (
	"crypto/tls"
	"maps"
	"slices"
)

// Order returns an order by its number at a merchant or sub merchant, without the copy of everything
// that Ledger makes.
func (s *Simulator) Order(mchID, outTradeNo string) (Order, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settleDue()
	if o := s.store.order(mchID, outTradeNo); o != nil {
		return s.copyOrder(o), true
	}
	for _, m := range s.store.merchants {
		if o := s.store.order(m.MchID, outTradeNo); o != nil && o.SubMchID == mchID {
			return s.copyOrder(o), true
		}
	}
	return Order{}, false
}

// OrderByTransaction returns the order that a transaction paid.
func (s *Simulator) OrderByTransaction(id string) (Order, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settleDue()
	if o := s.store.byTransaction[id]; o != nil {
		return s.copyOrder(o), true
	}
	return Order{}, false
}

// copyOrder copies an order as it is now. The caller holds the lock.
func (s *Simulator) copyOrder(o *Order) Order {
	s.ageOut(o)
	copied := *o
	copied.Params, copied.Prepays = maps.Clone(o.Params), slices.Clone(o.Prepays)
	copied.Payment = copyOf(o.Payment)
	copied.Sums = s.store.sums(o)
	return copied
}

// ServerCertificate issues a certificate for another host beside WeChat Pay's, such as
// api.weixin.qq.com, that clients with CAPEM trust. It names 127.0.0.1 and localhost, too.
func (s *Simulator) ServerCertificate(names ...string) (tls.Certificate, error) {
	return s.ca.issueServer(names)
}
