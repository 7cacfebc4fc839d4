package bills

import "strings"

// Sums are sums over rows of a trade bill.
type Sums struct {
	Payments, Refunds, Reversals int
	Order, Settled               int64
	Requested, Refunded          int64
	CouponRefunded               int64
	// Fee is what WeChat kept, minus what it returned.
	Fee Fee
}

// Rows returns how many rows were added up.
func (s Sums) Rows() int { return s.Payments + s.Refunds + s.Reversals }

// plus returns the sums with one row more, and false if one of them would be too large.
func (s Sums) plus(row TradeRow) (Sums, bool) {
	switch row.Kind {
	case Payment:
		s.Payments++
	case Refund:
		s.Refunds++
	case Reversal:
		s.Reversals++
	}
	fits := true
	for _, part := range [...]struct {
		sum *int64
		add int64
	}{
		{&s.Order, row.Order}, {&s.Settled, row.Settled}, {&s.Requested, row.Requested},
		{&s.Refunded, row.Refunded}, {&s.CouponRefunded, row.CouponRefunded},
	} {
		var ok bool
		*part.sum, ok = addAmounts(*part.sum, part.add)
		fits = fits && ok
	}
	var ok bool
	s.Fee, ok = addAmounts(s.Fee, row.Fee)
	return s, fits && ok
}

// totals adds up a whole bill and its parts. The rows of a service provider's bill belong to several merchants, and
// amounts of different currencies are never added.
type totals struct {
	all        Sums
	bySub      map[string]*Sums
	byCurrency map[string]*Sums
}

func newTotals() totals {
	return totals{bySub: map[string]*Sums{}, byCurrency: map[string]*Sums{}}
}

// add adds a row. If a sum would be too large, it changes nothing and returns false.
func (t *totals) add(row TradeRow) bool {
	sub, currency := part(t.bySub, row.SubMchID), part(t.byCurrency, row.Currency)
	all, fits := t.all.plus(row)
	ofSub, fitsSub := sub.plus(row)
	ofCurrency, fitsCurrency := currency.plus(row)
	if !fits || !fitsSub || !fitsCurrency {
		return false
	}
	t.all, *sub, *currency = all, ofSub, ofCurrency
	return true
}

func part(parts map[string]*Sums, of string) *Sums {
	if sums, found := parts[of]; found {
		return sums
	}
	sums := &Sums{}
	parts[strings.Clone(of)] = sums
	return sums
}

func copied(parts map[string]*Sums) map[string]Sums {
	all := make(map[string]Sums, len(parts))
	for of, sums := range parts {
		if sums.Rows() > 0 {
			all[of] = *sums
		}
	}
	return all
}
