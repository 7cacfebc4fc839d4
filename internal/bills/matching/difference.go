package matching

import (
	"cmp"
	"slices"
	"strings"
)

// Difference is one contradiction between the bill and the operator's records.
type Difference struct {
	Class Class
	// The numbers that are known; the others are empty.
	OutTradeNo, TransactionID string
	OutRefundNo, RefundID     string
	// Bill is the value in the bill, and Here the operator's value.
	Bill, Here string
	// Key identifies it within its class: WeChat's number in the bill, or the merchant's number if the bill lacks the
	// row.
	Key string
}

// Pending is an order or a refund for which it can't be decided yet whether the bill lacks it.
type Pending struct {
	Reason PendingReason
	// Number is the merchant's number.
	Number string
}

// texts are all fields of a difference, in the order in which differences are sorted.
func (d *Difference) texts() [7]*string {
	return [...]*string{&d.Key, &d.Bill, &d.Here, &d.OutTradeNo, &d.TransactionID, &d.OutRefundNo, &d.RefundID}
}

func (d Difference) compare(other Difference) int {
	order := cmp.Compare(d.Class, other.Class)
	others := other.texts()
	for i, text := range d.texts() {
		order = cmp.Or(order, cmp.Compare(*text, *others[i]))
	}
	return order
}

// identity is a text that is different for each difference.
func (d Difference) identity() string {
	identity := string(d.Class)
	for _, text := range d.texts() {
		identity += "\x00" + *text
	}
	return identity
}

func (p Pending) compare(other Pending) int {
	return cmp.Or(cmp.Compare(p.Reason, other.Reason), cmp.Compare(p.Number, other.Number))
}

func clone(text string) string { return strings.Clone(text) }

func (d Difference) clone() Difference {
	for _, text := range d.texts() {
		*text = clone(*text)
	}
	return d
}

// smallest keeps the first entries in sorted order, so the result does not depend on the order in which they are added.
type smallest[Entry any] struct {
	limit   int
	entries []Entry
	compare func(a, b Entry) int
	clone   func(Entry) Entry
}

func (s *smallest[Entry]) add(entry Entry) {
	at, _ := slices.BinarySearchFunc(s.entries, entry, s.compare)
	if at >= s.limit {
		return
	}
	if len(s.entries) == s.limit {
		s.entries = s.entries[:s.limit-1]
	}
	s.entries = slices.Insert(s.entries, at, s.clone(entry))
}

// shared lists differences of all classes. If there are too many, each class gets its share, so that a thousand
// differences of one class do not hide the only one of another.
func shared(byClass map[Class]*smallest[Difference], limit int) []Difference {
	var listed []Difference
	for round := 0; len(listed) < limit; round++ {
		before := len(listed)
		for _, class := range Classes {
			if of := byClass[class]; of != nil && round < len(of.entries) && len(listed) < limit {
				listed = append(listed, of.entries[round])
			}
		}
		if len(listed) == before {
			break
		}
	}
	slices.SortFunc(listed, Difference.compare)
	return listed
}
