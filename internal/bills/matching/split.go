package matching

import "github.com/wechatpay-operator/wechatpay-operator/internal/bills"

// Split passes each row of a service provider's bill to the Matcher of its sub merchant. The bill is read once, and no
// Matcher gets rows of another sub merchant.
type Split struct {
	matchers map[string]*Matcher
	others   int
}

// NewSplit returns a Split for Matchers of one merchant number, each for another sub merchant.
func NewSplit(matchers ...*Matcher) *Split {
	s := &Split{matchers: make(map[string]*Matcher, len(matchers))}
	for _, matcher := range matchers {
		s.matchers[matcher.account.SubMchID] = matcher
	}
	return s
}

// Begin records for all Matchers that a bill was read.
func (s *Split) Begin(source Source) {
	for _, matcher := range s.matchers {
		matcher.Begin(source)
	}
}

// Row passes a row on.
func (s *Split) Row(source Source, row bills.TradeRow) {
	if matcher, found := s.matchers[row.SubMchID]; found {
		matcher.Row(source, row)
		return
	}
	s.others++
}

// Others returns how many rows belong to sub merchants without a Matcher.
func (s *Split) Others() int { return s.others }
